//! Producers with one record in flight each: what a durable acknowledgement costs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};
use serde_json::{Value, json};

use crate::process::{Moment, with};
use crate::{Target, noise, percentiles};

#[derive(clap::Args)]
pub struct Options {
    #[arg(long, default_value_t = 16)]
    producers: usize,
    /// How long it is measured.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How long it runs before.
    #[arg(long, default_value_t = 2.0)]
    warm_up_s: f64,
    /// Size of a record's value.
    #[arg(long, default_value_t = 1024)]
    bytes: usize,
    /// The time from one record to the next of a producer, at least.
    #[arg(long, default_value_t = 0)]
    interval_us: u64,
}

pub fn run(target: &Target, options: &Options) -> Value {
    let (measures, ends) = (AtomicBool::new(false), AtomicBool::new(false));
    let (mut latencies_us, measured) = thread::scope(|scope| {
        let (measures, ends) = (&measures, &ends);
        let one = |number| move || produce(target, options, number, measures, ends);
        let threads: Vec<_> = (0..options.producers).map(|number| scope.spawn(one(number))).collect();
        thread::sleep(Duration::from_secs_f64(options.warm_up_s));
        let began = Moment::now(target.pid);
        measures.store(true, Ordering::Relaxed);
        thread::sleep(Duration::from_secs_f64(options.seconds));
        measures.store(false, Ordering::Relaxed);
        let measured = began.elapsed();
        ends.store(true, Ordering::Relaxed);
        let latencies = threads.into_iter().flat_map(|thread| thread.join().expect("a producer works"));
        (latencies.collect::<Vec<u64>>(), measured)
    });
    latencies_us.sort_unstable();
    let records = json!({ "records": latencies_us.len() });
    with(with(records, percentiles(&latencies_us)), measured)
}

/// Tells the producer that its record is acknowledged.
struct Tells(SyncSender<()>);

impl ClientContext for Tells {}

impl ProducerContext for Tells {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            panic!("a record was refused: {error}");
        }
        self.0.send(()).expect("the producer waits");
    }
}

fn produce(target: &Target, options: &Options, number: usize, measures: &AtomicBool, ends: &AtomicBool) -> Vec<u64> {
    let mut config = target.producer("0");
    config.set("max.in.flight.requests.per.connection", "1");
    let (tells, acknowledged) = sync_channel(1);
    let producer: ThreadedProducer<_> = config.create_with_context(Tells(tells)).expect("the settings are good");
    let value = noise(options.bytes);
    let partition = number as i32 % target.partitions;
    let mut latencies_us = Vec::new();
    while !ends.load(Ordering::Relaxed) {
        let began = Instant::now();
        let record = BaseRecord::<(), [u8]>::to(&target.topic).partition(partition).payload(&value);
        producer.send(record).unwrap_or_else(|(error, _)| panic!("{error}"));
        acknowledged.recv_timeout(Duration::from_secs(60)).expect("an acknowledgement within a minute");
        if measures.load(Ordering::Relaxed) {
            latencies_us.push(began.elapsed().as_micros() as u64);
        }
        thread::sleep(Duration::from_micros(options.interval_us).saturating_sub(began.elapsed()));
    }
    latencies_us
}
