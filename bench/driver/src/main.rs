//! The load of `bench/compare`: one command for each kind of load, all on librdkafka, so that both brokers meet the same client.
//!
//! Each prints one line of JSON. With `--pid`, what that process took of CPU and wrote to disk meanwhile is in it.

mod consume;
mod process;
mod produce;
mod single;
mod trickle;

use clap::{Parser, Subcommand};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::producer::{DeliveryResult, ProducerContext};

#[derive(Parser)]
#[command(about = "Load for a Kafka-compatible broker, measured")]
struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    load: Load,
}

/// Whom the load meets.
#[derive(clap::Args, Clone)]
struct Target {
    /// HOST:PORT of the broker.
    #[arg(long)]
    broker: String,
    /// The broker's process, to be measured.
    #[arg(long)]
    pid: Option<u32>,
    /// An existing topic.
    #[arg(long)]
    topic: String,
    /// How many partitions of it are used, from 0 on.
    #[arg(long, default_value_t = 3)]
    partitions: i32,
}

#[derive(Subcommand)]
enum Load {
    /// One producer as fast as it can, or at a rate.
    Produce(produce::Options),
    /// One member of a group reads from the beginning.
    Consume(consume::Options),
    /// Producers with one record in flight each.
    Single(single::Options),
    /// Records at a steady rate, timed from the call of the producer until the consumer has them.
    Trickle(trickle::Options),
}

impl Target {
    /// What both sides of a client set.
    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.broker);
        config
    }

    /// A producer's settings: acks=all, and this linger.
    fn producer(&self, linger_ms: &str) -> ClientConfig {
        let mut config = self.config();
        config.set("acks", "all").set("linger.ms", linger_ms);
        config
    }

    /// A group member's settings, reading from the beginning.
    fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.config();
        config.set("group.id", group).set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
        config
    }
}

/// Ends the program at the first record that is refused.
struct Strict;

impl ClientContext for Strict {}

impl ProducerContext for Strict {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            panic!("a record was refused: {error}");
        }
    }
}

/// `count` bytes that no compression would make smaller.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// Values of a sorted list below which so much of it lies, and its largest.
fn percentiles(sorted_us: &[u64]) -> serde_json::Value {
    let at = |share: f64| {
        let index = (sorted_us.len() as f64 * share) as usize;
        sorted_us.get(index.min(sorted_us.len().saturating_sub(1))).map_or(0.0, |us| *us as f64 / 1000.0)
    };
    serde_json::json!({ "p50_ms": at(0.5), "p99_ms": at(0.99), "p999_ms": at(0.999), "max_ms": at(1.0) })
}

fn main() {
    let Arguments { target, load } = Arguments::parse();
    let measured = match load {
        Load::Produce(options) => produce::run(&target, &options),
        Load::Consume(options) => consume::run(&target, &options),
        Load::Single(options) => single::run(&target, &options),
        Load::Trickle(options) => trickle::run(&target, &options),
    };
    println!("{measured}");
}
