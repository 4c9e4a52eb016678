//! One member of a group, reading what is there.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::{Value, json};

use crate::Target;
use crate::process::{Moment, with};

/// How long a consumer waits for what should be there.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub struct Options {
    /// How many records are measured.
    #[arg(long)]
    records: u64,
    /// How many come before, not measured: joining the group, and what the broker learns.
    #[arg(long, default_value_t = 10_000)]
    warm_up: u64,
    /// The group's name.
    #[arg(long, default_value = "bench")]
    group: String,
}

pub fn run(target: &Target, options: &Options) -> Value {
    let consumer: BaseConsumer = target.consumer(&options.group).create().expect("the settings are good");
    consumer.subscribe(&[&target.topic]).expect("the topic's name is good");
    read(&consumer, options.warm_up);
    let began = Moment::now(target.pid);
    let bytes = read(&consumer, options.records);
    with(json!({ "records": options.records, "bytes": bytes }), began.elapsed())
}

fn read(consumer: &BaseConsumer, records: u64) -> usize {
    let (mut bytes, mut left) = (0, records);
    let mut last = Instant::now();
    while left > 0 {
        // A poll may also end because something else happened, such as a rebalance.
        let Some(polled) = consumer.poll(Duration::from_secs(1)) else {
            assert!(last.elapsed() < PATIENCE, "{left} of {records} records do not come");
            continue;
        };
        bytes += polled.expect("a record, no error").payload_len();
        left -= 1;
        if left.is_multiple_of(1000) {
            last = Instant::now();
        }
    }
    bytes
}
