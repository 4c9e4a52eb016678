//! One producer at full speed, or at a rate, to the partitions in turn.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};

use crate::process::{Moment, with};
use crate::{Strict, Target, noise};

/// How often a producer with a rate looks at the clock.
const PACE: Duration = Duration::from_millis(10);

#[derive(clap::Args)]
pub struct Options {
    /// How many records are measured.
    #[arg(long)]
    records: u64,
    /// How many come before, not measured.
    #[arg(long, default_value_t = 0)]
    warm_up: u64,
    /// Size of a record's value.
    #[arg(long, default_value_t = 1024)]
    bytes: usize,
    #[arg(long, default_value = "5")]
    linger_ms: String,
    /// Records a second; without it, as fast as it goes.
    #[arg(long)]
    rate: Option<u64>,
}

pub fn run(target: &Target, options: &Options) -> Value {
    let mut config = target.producer(&options.linger_ms);
    // An answer for every record would cost the client more than the sending.
    config.set("delivery.report.only.error", "true").set("queue.buffering.max.messages", "1000000");
    let producer: BaseProducer<Strict> = config.create_with_context(Strict).expect("the settings are good");
    send(&producer, target, options, options.warm_up);
    let began = Moment::now(target.pid);
    send(&producer, target, options, options.records);
    let bytes = options.records * options.bytes as u64;
    with(json!({ "records": options.records, "bytes": bytes }), began.elapsed())
}

/// Sends and waits until all is acknowledged.
fn send(producer: &BaseProducer<Strict>, target: &Target, options: &Options, records: u64) {
    let value = noise(options.bytes);
    let began = Instant::now();
    for number in 0..records {
        let partition = (number % target.partitions as u64) as i32;
        let mut record = BaseRecord::<(), [u8]>::to(&target.topic).partition(partition).payload(&value);
        while let Err((error, unsent)) = producer.send(record) {
            let KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) = error else {
                panic!("a record was refused: {error}");
            };
            producer.poll(Duration::from_millis(5));
            record = unsent;
        }
        if let Some(rate) = options.rate
            && number % (rate / 100).max(1) == 0
        {
            let due = Duration::from_secs_f64(number as f64 / rate as f64);
            while began.elapsed() < due {
                producer.poll(PACE.min(due.saturating_sub(began.elapsed())));
            }
        }
    }
    while producer.in_flight_count() > 0 {
        producer.poll(Duration::from_millis(1));
    }
}
