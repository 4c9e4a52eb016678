//! Retention of the memory engine where nobody maintains it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ottla_protocol::records::BatchBuilder;
use ottla_storage::conformance::World;
use ottla_storage::memory::{MemoryEngine, MemoryOptions};
use ottla_storage::{
    Append, AppendOrigin, Durability, Engine, LogConfig, LogStartCause, NewTopic, Observer, PartitionId, TopicId,
    Unavailable,
};

#[derive(Default)]
struct Ears(Mutex<Vec<(i32, i64, i64, LogStartCause)>>);

impl Observer for Ears {
    fn advanced(&self, _: &[PartitionId]) {}

    fn log_start_moved(&self, partition: PartitionId, from: i64, to: i64, cause: LogStartCause) {
        self.0.lock().unwrap().push((partition.index, from, to, cause));
    }

    fn poisoned(&self, _: &Unavailable) {}
}

fn append(engine: &MemoryEngine, index: i32, timestamp_ms: i64) {
    let mut builder = BatchBuilder::new();
    builder.push(timestamp_ms, None, Some(b"x"), &[]);
    let batches = Bytes::copy_from_slice(&builder.build());
    let partition = PartitionId { topic: TopicId([1; 16]), index };
    let append = Append {
        partition,
        batches,
        expected_end: None,
        depends_on: None,
        durability: Durability::Flush,
        origin: AppendOrigin::Client,
    };
    engine.append(vec![append]).wait().unwrap().remove(0).unwrap();
}

#[test]
fn an_append_looks_for_what_is_too_old_anywhere_when_it_is_time() {
    let world = World::default();
    let config = LogConfig { retention_ms: Some(500), ..LogConfig::default() };
    let engine = MemoryEngine::with(MemoryOptions {
        log_configs: world.log_configs(config),
        wall_ms: world.wall_ms(),
        retention_check_interval_ms: 1_000,
    });
    let ears = Arc::new(Ears::default());
    engine.subscribe(ears.clone());
    let topic = NewTopic { name: "a".to_owned(), id: TopicId([1; 16]), partitions: 2, configs: BTreeMap::new() };
    engine.create_topic(topic).wait().unwrap();
    append(&engine, 0, 100);
    world.set_ms(999);
    append(&engine, 1, 999);
    assert_eq!(*ears.0.lock().unwrap(), [], "it is too old, and nobody looks yet");
    world.set_ms(1_000);
    append(&engine, 1, 1_000);
    assert_eq!(*ears.0.lock().unwrap(), [(0, 0, 1, LogStartCause::Retention)]);
    world.set_ms(1_999);
    append(&engine, 0, 1_999);
    assert_eq!(ears.0.lock().unwrap().len(), 1);
}
