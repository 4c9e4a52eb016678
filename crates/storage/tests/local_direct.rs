//! Segments whose large pieces go past the page cache, in between small ones that go through it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod local_support;

use std::sync::Arc;

use local_support::{MemoryDisk, Random, append, batch, create, options, partition, records_from};
use ottla_storage::local::LocalEngine;
use ottla_storage::{Engine, LogConfig};

const SEGMENTS: &str = "/data/topics";
const BLOCK_BYTES: usize = 4096;

/// With room for large pieces in the log, in memory and in a segment.
fn opened(disk: &MemoryDisk) -> LocalEngine {
    let mut options = options();
    options.wal_max_bytes = 8 << 20;
    options.wal_segment_bytes = 1 << 20;
    options.tail_bytes = 2 << 20;
    options.log_configs = Arc::new(LogConfig { segment_bytes: 1 << 20, ..LogConfig::default() });
    LocalEngine::open(options, Arc::new(disk.clone())).unwrap()
}

/// Appends batches of many sizes, with checkpoints in between, so that pieces begin anywhere in a block.
fn append_pieces(engine: &LocalEngine, random: &mut Random, count: usize) -> usize {
    for _ in 0..count {
        let bytes = if random.coin() { 150_000 + random.next() % 9_000 } else { 1 + random.next() % 5_000 };
        append(engine, partition(1, 0), batch(&vec![random.next() as u8; bytes as usize])).unwrap();
        if random.coin() {
            engine.maintain(0).wait().unwrap();
        }
    }
    count
}

#[test]
fn large_and_small_pieces_follow_one_another_across_restarts_and_power_cuts() {
    let disk = MemoryDisk::default();
    let mut random = Random(7);
    let mut records = 0;
    for round in 0..12 {
        let engine = opened(&disk);
        if round == 0 {
            create(&engine, "a", 1, 1);
        }
        assert_eq!(records_from(&engine, partition(1, 0), 0).len(), records);
        records += append_pieces(&engine, &mut random, 8);
        assert_eq!(records_from(&engine, partition(1, 0), 0).len(), records);
        drop(engine);
        disk.cut_power(Some(random.next()));
    }
    let whole_blocks = |content: &[u8]| content.len().is_multiple_of(BLOCK_BYTES);
    let logs: Vec<_> =
        disk.files(SEGMENTS).into_iter().filter(|(path, _)| path.extension().unwrap() == "log").collect();
    assert!(logs.iter().any(|(_, content)| whole_blocks(content)), "no piece was written directly");
}

#[test]
fn a_file_system_that_refuses_direct_writes_later_on_is_served_through_the_cache() {
    let disk = MemoryDisk::default();
    let engine = opened(&disk);
    create(&engine, "a", 1, 1);
    append(&engine, partition(1, 0), batch(&[0; 10])).unwrap();
    append(&engine, partition(1, 0), batch(&[1; 200_000])).unwrap();
    append(&engine, partition(1, 0), batch(&[2; 10])).unwrap();
    // The log's file is open already, and stays so.
    disk.refuse_direct();
    engine.maintain(0).wait().unwrap();
    drop(engine);
    disk.cut_power(None);
    assert_eq!(records_from(&opened(&disk), partition(1, 0), 0).len(), 3);
}
