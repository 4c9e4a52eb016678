//! A steady rate from a producer to a consumer in the same process, so that one clock times both ends.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};

use crate::process::{Moment, with};
use crate::{Strict, Target, noise, percentiles};

/// Where the time of sending stands in a record's value, in microseconds.
const STAMP_BYTES: usize = 8;

#[derive(clap::Args)]
pub struct Options {
    /// Records a second.
    #[arg(long, default_value_t = 1000)]
    rate: u64,
    /// How long it is measured.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// How long it runs before.
    #[arg(long, default_value_t = 5.0)]
    warm_up_s: f64,
    /// Size of a record's value.
    #[arg(long, default_value_t = 1024)]
    bytes: usize,
    /// The group's name.
    #[arg(long, default_value = "trickle")]
    group: String,
}

pub fn run(target: &Target, options: &Options) -> Value {
    let epoch = Instant::now();
    let consumer: BaseConsumer = target.consumer(&options.group).create().expect("the settings are good");
    consumer.subscribe(&[&target.topic]).expect("the topic's name is good");
    let ends = AtomicBool::new(false);
    let (mut latencies_us, measured) = thread::scope(|scope| {
        scope.spawn(|| produce(target, options, epoch, &ends));
        receive(&consumer, epoch, Duration::from_secs_f64(options.warm_up_s));
        let began = Moment::now(target.pid);
        let latencies = receive(&consumer, epoch, Duration::from_secs_f64(options.seconds));
        let measured = began.elapsed();
        ends.store(true, Ordering::Relaxed);
        (latencies, measured)
    });
    latencies_us.sort_unstable();
    let records = json!({ "records": latencies_us.len() });
    with(with(records, percentiles(&latencies_us)), measured)
}

fn produce(target: &Target, options: &Options, epoch: Instant, ends: &AtomicBool) {
    let mut config = target.producer("0");
    config.set("delivery.report.only.error", "true");
    let producer: BaseProducer<Strict> = config.create_with_context(Strict).expect("the settings are good");
    let mut value = noise(options.bytes.max(STAMP_BYTES));
    let began = Instant::now();
    for number in 0_u64.. {
        if ends.load(Ordering::Relaxed) {
            break;
        }
        let due = Duration::from_secs_f64(number as f64 / options.rate as f64);
        thread::sleep(due.saturating_sub(began.elapsed()));
        value[..STAMP_BYTES].copy_from_slice(&(epoch.elapsed().as_micros() as u64).to_be_bytes());
        let partition = (number % target.partitions as u64) as i32;
        let record = BaseRecord::<(), [u8]>::to(&target.topic).partition(partition).payload(&value);
        producer.send(record).unwrap_or_else(|(error, _)| panic!("a record was refused: {error}"));
        producer.poll(Duration::ZERO);
    }
    producer.flush(Duration::from_secs(30)).expect("all records are acknowledged");
}

/// Takes records for so long; answers how old each was when it came, in microseconds.
fn receive(consumer: &BaseConsumer, epoch: Instant, time: Duration) -> Vec<u64> {
    let began = Instant::now();
    let mut ages_us = Vec::new();
    while began.elapsed() < time {
        let Some(polled) = consumer.poll(Duration::from_millis(100)) else { continue };
        let now_us = epoch.elapsed().as_micros() as u64;
        let message = polled.expect("a record, no error");
        let stamp = message.payload().and_then(|value| value.first_chunk::<STAMP_BYTES>()).expect("a stamped record");
        ages_us.push(now_us.saturating_sub(u64::from_be_bytes(*stamp)));
    }
    ages_us
}
