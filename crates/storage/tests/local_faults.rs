//! What the local engine does when the disk is full, fails, is in use, or holds what it cannot read.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod local_support;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use local_support::{
    MemoryDisk, append, append_as, batch, create, new_topic, open, opened, options, partition, records_from,
};
use ottla_storage::local::{LocalEngine, OpenError};
use ottla_storage::{
    AppendError, Durability, Engine, Isolation, LogStartCause, MetadataError, Observer, OffsetSpec, PartitionId, Read,
    ReadError, TopicId, Unavailable,
};

#[derive(Default)]
struct Heard {
    poisoned: Mutex<Vec<String>>,
}

impl Observer for Heard {
    fn advanced(&self, _: &[PartitionId]) {}

    fn log_start_moved(&self, _: PartitionId, _: i64, _: i64, _: LogStartCause) {}

    fn poisoned(&self, why: &Unavailable) {
        assert!(!why.retriable);
        self.poisoned.lock().unwrap().push(why.reason.to_string());
    }
}

const P: fn() -> PartitionId = || partition(1, 0);

fn unavailable(error: &AppendError) -> &Unavailable {
    match error {
        AppendError::Unavailable(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_failed_flush_ends_all_writing_and_no_reading() {
    let disk = MemoryDisk::default();
    let engine = opened(&disk);
    let heard = Arc::new(Heard::default());
    engine.subscribe(heard.clone());
    create(&engine, "a", 1, 1);
    append(&engine, P(), batch(b"kept")).unwrap();
    disk.fail_flushes(true);
    assert!(matches!(append(&engine, P(), batch(b"doubtful")), Err(AppendError::Unknown(_))));
    // The disk works again, but what became of the failed flush is not known: nothing may be written after it.
    disk.fail_flushes(false);
    let flushes = disk.durable_writes();
    let error = append(&engine, P(), batch(b"late")).unwrap_err();
    assert!(!unavailable(&error).retriable);
    assert!(matches!(engine.create_topic(new_topic("b", 2, 1)).wait(), Err(MetadataError::Unavailable(_))));
    assert!(matches!(engine.delete_records(P(), -1).wait(), Err(ReadError::Unavailable(_))));
    assert!(engine.init_producer().wait().is_err());
    assert!(engine.maintain(usize::MAX).wait().is_err());
    assert_eq!(disk.durable_writes(), flushes, "no second flush");
    assert_eq!(heard.poisoned.lock().unwrap().len(), 1);
    assert_eq!(records_from(&engine, P(), 0), [(0, b"kept".to_vec())]);
    assert!(engine.close().wait().is_err(), "what is in memory did not come to its place");
    drop(engine);
    disk.cut_power(None);
    assert_eq!(records_from(&opened(&disk), P(), 0), [(0, b"kept".to_vec())]);
}

#[test]
fn a_failed_flush_of_segment_files_ends_all_writing_too() {
    let disk = MemoryDisk::default();
    let engine = opened(&disk);
    create(&engine, "a", 1, 1);
    append(&engine, P(), batch(b"kept")).unwrap();
    disk.fail_flushes(true);
    assert!(engine.maintain(usize::MAX).wait().is_err());
    disk.fail_flushes(false);
    assert!(append(&engine, P(), batch(b"late")).is_err());
    drop(engine);
    disk.cut_power(None);
    assert_eq!(records_from(&opened(&disk), P(), 0), [(0, b"kept".to_vec())]);
}

/// A log start that was written and not flushed is read by the next start. That one must not remove files because of it before
/// it is durable: when it is cut off, the log start may be gone and the records be wanted.
#[test]
fn files_stay_until_the_log_start_that_a_start_has_read_is_durable() {
    for seed in 0..20 {
        let disk = filled();
        let engine = opened(&disk);
        disk.fail_flushes(true);
        assert!(engine.delete_records(P(), 15).wait().is_err());
        drop(engine);
        disk.restart();
        disk.fail_flushes(true);
        assert!(matches!(open(&disk).err(), Some(OpenError::Io { doing: "flush", .. })));
        disk.cut_power(Some(seed));
        let engine = opened(&disk);
        let start = engine.bounds(P()).unwrap().log_start_offset;
        assert!(start == 0 || start == 15, "{start}");
        assert_eq!(records_from(&engine, P(), start).len() as i64, 30 - start);
    }
}

#[test]
fn on_a_full_disk_nothing_is_written_and_writing_goes_on_by_itself() {
    let disk = MemoryDisk::default();
    let engine = opened(&disk);
    create(&engine, "a", 1, 1);
    disk.limit_to(Some(disk.used_bytes() + (160 << 10)));
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let refused = loop {
        let value = vec![kept.len() as u8; 9000];
        match append(&engine, P(), batch(&value)) {
            Ok(appended) => {
                assert_eq!(appended.first_offset, kept.len() as i64);
                kept.push(value);
            }
            Err(error) => break error,
        }
        assert!(kept.len() < 1000, "the disk is never full");
    };
    assert!(unavailable(&refused).retriable, "{refused:?}");
    assert!(unavailable(&refused).reason.contains("free disk space"), "{refused:?}");
    let expected: Vec<_> = (0..).zip(kept.clone()).collect();
    assert_eq!(records_from(&engine, P(), 0), expected, "reading goes on");
    assert!(append(&engine, P(), batch(&[1; 9000])).is_err(), "it is still full");
    disk.limit_to(None);
    // The refusal that is on its way may still come once; after a checkpoint there is space.
    engine.maintain(usize::MAX).wait().unwrap();
    let appended = append(&engine, P(), batch(b"again")).unwrap();
    assert_eq!(appended.first_offset, kept.len() as i64, "nothing was written in between");
    drop(engine);
    let engine = opened(&disk);
    assert_eq!(records_from(&engine, P(), 0).len(), kept.len() + 1);
}

#[test]
fn the_write_ahead_log_stays_within_its_bound() {
    let disk = MemoryDisk::default();
    let engine = opened(&disk);
    create(&engine, "a", 1, 2);
    for n in 0..600_i32 {
        append(&engine, partition(1, n % 2), batch(&[n as u8; 7000])).unwrap();
        let bytes: usize = disk.files("/data/wal").iter().map(|(_, content)| content.len()).sum();
        assert!(bytes as u64 <= options().wal_max_bytes, "{bytes} bytes");
    }
    drop(engine);
    let engine = opened(&disk);
    assert_eq!(records_from(&engine, partition(1, 1), 0).len(), 300);
}

#[test]
fn an_append_larger_than_a_file_of_the_log_or_all_of_it_goes_through() {
    let disk = MemoryDisk::default();
    let engine = opened(&disk);
    create(&engine, "a", 1, 1);
    let sizes = [100_000, 10, 2 << 20, 10, 70_000, 10];
    for size in sizes {
        append(&engine, P(), batch(&vec![1; size])).unwrap();
    }
    drop(engine);
    let engine = opened(&disk);
    let found: Vec<_> = records_from(&engine, P(), 0).into_iter().map(|(_, value)| value.len()).collect();
    assert_eq!(found, sizes);
    engine.close().wait().unwrap();
    let bytes: usize = disk.files("/data/wal").iter().map(|(_, content)| content.len()).sum();
    assert!(bytes as u64 <= options().wal_max_bytes, "the large file is gone: {bytes} bytes");
}

#[test]
fn os_durability_costs_no_flush_and_survives_a_kill() {
    let disk = MemoryDisk::default();
    let engine = opened(&disk);
    create(&engine, "a", 1, 1);
    append(&engine, P(), batch(b"0")).unwrap();
    let flushes = disk.durable_writes();
    for n in 1..5_u8 {
        append_as(&engine, P(), batch(&[n]), Durability::Os).unwrap();
    }
    assert_eq!(disk.durable_writes(), flushes);
    drop(engine);
    disk.restart();
    let engine = opened(&disk);
    assert_eq!(records_from(&engine, P(), 0).len(), 5);
    append_as(&engine, P(), batch(b"5"), Durability::Os).unwrap();
    append_as(&engine, P(), batch(b"6"), Durability::Os).unwrap();
    append(&engine, P(), batch(b"7")).unwrap();
    drop(engine);
    disk.cut_power(None);
    assert_eq!(records_from(&opened(&disk), P(), 0).len(), 8, "a flush covers all before it");
}

#[test]
fn without_direct_writes_it_works_through_the_page_cache() {
    let disk = MemoryDisk::default();
    disk.refuse_direct();
    let engine = opened(&disk);
    create(&engine, "a", 1, 1);
    for n in 0..50 {
        append(&engine, P(), batch(&[n; 3000])).unwrap();
    }
    drop(engine);
    disk.cut_power(None);
    assert_eq!(records_from(&opened(&disk), P(), 0).len(), 50);
}

#[test]
fn a_second_broker_on_the_folder_is_refused() {
    let disk = MemoryDisk::default();
    let first = opened(&disk);
    let error = open(&disk).err().unwrap();
    assert_eq!(error, OpenError::Locked { folder: PathBuf::from("/data") });
    assert!(error.to_string().contains("in use by another broker"));
    drop(first);
    let engine = opened(&disk);
    engine.close().wait().unwrap();
    assert!(open(&disk).is_ok(), "a closed engine leaves the folder to others");
}

#[test]
fn a_folder_that_cannot_be_written_is_refused() {
    let disk = MemoryDisk::default();
    disk.set_read_only(true);
    let error = open(&disk).err().unwrap();
    assert!(matches!(error, OpenError::NotWritable { .. }) && error.to_string().contains("--data"), "{error}");
}

#[test]
fn a_folder_of_a_later_version_is_refused() {
    let disk = MemoryDisk::default();
    opened(&disk).close().wait().unwrap();
    let engine = opened(&disk);
    create(&engine, "a", 1, 1);
    engine.close().wait().unwrap();
    drop(engine);
    disk.damage(Path::new("/data/manifest"), |bytes| bytes[11] = 9);
    let error = open(&disk).err().unwrap();
    assert!(matches!(error, OpenError::NewerFormat { found: 9, .. }), "{error}");
    assert!(error.to_string().contains("start the newer broker"), "{error}");
}

/// A folder with a checkpoint, records in segment files and records in the log.
fn filled() -> MemoryDisk {
    let disk = MemoryDisk::default();
    let engine = opened(&disk);
    create(&engine, "a", 1, 1);
    for n in 0..20 {
        append(&engine, P(), batch(&[n; 2000])).unwrap();
    }
    engine.maintain(usize::MAX).wait().unwrap();
    for n in 20..30 {
        append(&engine, P(), batch(&[n; 2000])).unwrap();
    }
    drop(engine);
    disk
}

#[test]
fn damage_is_told_from_an_end() {
    let disk = filled();
    disk.damage(Path::new("/data/manifest"), |bytes| bytes[40] ^= 1);
    assert!(matches!(open(&disk).err(), Some(OpenError::Damaged { .. })));
    let disk = filled();
    let engine = opened(&disk);
    for n in 0..100 {
        append(&engine, P(), batch(&[n; 7000])).unwrap();
    }
    engine.close().wait().unwrap();
    drop(engine);
    // One more segment, so that the manifest's is not the only one that was not used again.
    let engine = opened(&disk);
    append(&engine, P(), batch(b"last")).unwrap();
    drop(engine);
    disk.remove(Path::new("/data/manifest"));
    assert!(matches!(open(&disk).err(), Some(OpenError::Damaged { .. })), "a log without its manifest");
    let disk = filled();
    let log = disk.files("/data/topics").into_iter().find(|(path, _)| path.extension().unwrap() == "log").unwrap().0;
    disk.damage(&log, |bytes| bytes[3000] ^= 1);
    let engine = opened(&disk);
    let read = |offset| engine.read(one_batch_at(offset)).wait();
    assert!(matches!(read(1), Err(ReadError::Corrupt(sentence)) if sentence.contains("damaged at byte")));
    assert_eq!(read(5).unwrap().batches.len(), 1, "the rest can be read");
    assert_eq!(read(25).unwrap().batches.len(), 1);
}

#[test]
fn a_segment_file_that_is_gone_is_named() {
    let disk = filled();
    let log = disk.files("/data/topics").into_iter().find(|(path, _)| path.extension().unwrap() == "log").unwrap().0;
    disk.remove(&log);
    let engine = opened(&disk);
    let Err(ReadError::Corrupt(sentence)) = engine.read(one_batch_at(1)).wait() else { panic!("it was read") };
    for part in [log.to_str().unwrap(), "offsets 0 to ", "partition 0 of topic a", "ottla storage check"] {
        assert!(sentence.contains(part), "{sentence}");
    }
    let look_up = engine.list_offset(P(), OffsetSpec::AtOrAfter { timestamp_ms: 0 }).wait();
    let Err(ReadError::Corrupt(sentence)) = look_up else { panic!("{look_up:?}") };
    assert!(sentence.contains("partition 0 of topic a") && sentence.contains("ottla storage check"), "{sentence}");
    assert_eq!(engine.read(one_batch_at(25)).wait().unwrap().batches.len(), 1, "the rest can be read");
}

fn one_batch_at(offset: i64) -> Read {
    let (max_bytes, at_least_one_batch, isolation) = (1, true, Isolation::ReadUncommitted);
    Read { partition: P(), offset, max_bytes, at_least_one_batch, isolation, may_name_file: false }
}

/// Bits that turn over in the header of a batch in a segment file, and what would be hidden by it: the records of offset 5, which
/// the second batch of three holds, with the largest timestamp of the first four.
#[test]
fn a_header_that_says_too_little_hides_nothing() {
    let filled = || {
        let disk = MemoryDisk::default();
        let engine = opened(&disk);
        create(&engine, "a", 1, 1);
        for first in 0..10_i64 {
            let mut builder = ottla_protocol::records::BatchBuilder::new();
            (0..3).for_each(|n| builder.push(1_000 + first * 10 + n, None, Some(&[7; 100]), &[]));
            append(&engine, P(), builder.build()).unwrap();
        }
        engine.close().wait().unwrap();
        let log = disk.files("/data/topics").into_iter().find(|(path, _)| path.extension().unwrap() == "log").unwrap();
        let length = 12 + usize::from(log.1[64 + 11]) + 256 * usize::from(log.1[64 + 10]);
        (disk, log.0, 64 + length)
    };
    for (what, byte, bit) in [("last offset delta", 26, 2), ("base offset", 7, 2), ("leader epoch", 15, 1)] {
        let (disk, log, second) = filled();
        disk.damage(&log, |bytes| bytes[second + byte] ^= bit);
        let engine = opened(&disk);
        let found = engine.read(one_batch_at(5)).wait();
        assert!(matches!(found, Err(ReadError::Corrupt(_))), "{what}: {found:?}");
    }
    let (disk, log, second) = filled();
    disk.damage(&log, |bytes| bytes[second + 41] ^= 1);
    let engine = opened(&disk);
    let found = engine.list_offset(P(), OffsetSpec::AtOrAfter { timestamp_ms: 1_012 }).wait();
    assert!(matches!(found, Err(ReadError::Corrupt(_))), "largest timestamp: {found:?}");
    assert_eq!(engine.read(one_batch_at(8)).wait().unwrap().batches.len(), 1, "those behind it can be read");
}

#[test]
fn a_lost_index_costs_time_only() {
    let disk = filled();
    for (path, _) in disk.files("/data/topics") {
        if path.extension().unwrap() == "index" {
            disk.damage(&path, |bytes| bytes.fill(0));
        }
    }
    let engine = opened(&disk);
    assert_eq!(records_from(&engine, P(), 0).len(), 30);
    let found = engine.list_offset(P(), OffsetSpec::AtOrAfter { timestamp_ms: 1_000 }).wait().unwrap();
    assert_eq!(found.map(|found| found.offset), Some(0));
    assert_eq!(engine.list_offset(P(), OffsetSpec::AtOrAfter { timestamp_ms: 1_001 }).wait().unwrap(), None);
}

#[test]
fn remains_in_segment_files_are_written_over() {
    let disk = filled();
    for (path, _) in disk.files("/data/topics") {
        disk.damage(&path, |bytes| bytes.extend_from_slice(&[0xab; 5000]));
    }
    let engine = opened(&disk);
    assert_eq!(records_from(&engine, P(), 0).len(), 30);
    engine.maintain(usize::MAX).wait().unwrap();
    drop(engine);
    let engine = opened(&disk);
    assert_eq!(records_from(&engine, P(), 0).len(), 30);
}

#[test]
fn a_deleted_topic_leaves_no_files_and_its_name_no_records() {
    let disk = filled();
    let engine = opened(&disk);
    engine.delete_topic(TopicId([1; 16])).wait().unwrap();
    create(&engine, "a", 2, 1);
    append(&engine, partition(2, 0), batch(b"new")).unwrap();
    engine.close().wait().unwrap();
    drop(engine);
    let left: Vec<_> = disk.files("/data/topics").into_iter().map(|(path, _)| path).collect();
    assert!(left.iter().all(|path| path.starts_with("/data/topics/02020202020202020202020202020202")), "{left:?}");
    let engine = opened(&disk);
    assert_eq!(records_from(&engine, partition(2, 0), 0), [(0, b"new".to_vec())]);
    assert!(matches!(engine.bounds(P()), Err(ReadError::UnknownPartition)));
}

#[test]
fn the_folder_of_a_topic_that_is_gone_is_removed_at_the_start() {
    let disk = filled();
    let (segment, content) = disk.files("/data/topics").remove(0);
    let engine = opened(&disk);
    engine.delete_topic(TopicId([1; 16])).wait().unwrap();
    engine.close().wait().unwrap();
    drop(engine);
    // As if the crash had come before the files were removed.
    use ottla_storage::local::disk::{Disk, OpenHow};
    disk.create_folder(segment.parent().unwrap()).unwrap();
    disk.open(&segment, OpenHow::CREATE).unwrap().write_at(&content, 0, false).unwrap();
    opened(&disk).close().wait().unwrap();
    assert_eq!(disk.files("/data/topics").len(), 0);
}

#[test]
fn deleted_records_free_their_files() {
    let disk = filled();
    let engine = opened(&disk);
    let before = disk.files("/data/topics").len();
    assert_eq!(engine.delete_records(P(), -1).wait(), Ok(30));
    engine.close().wait().unwrap();
    drop(engine);
    assert!(disk.files("/data/topics").len() < before, "{before} files");
    let engine = opened(&disk);
    let bounds = engine.bounds(P()).unwrap();
    assert_eq!((bounds.log_start_offset, bounds.high_watermark), (30, 30));
    assert_eq!(append(&engine, P(), batch(b"next")).unwrap().first_offset, 30);
}

#[test]
fn a_checkpoint_comes_by_itself_after_its_interval() {
    let disk = MemoryDisk::default();
    let mut options = options();
    options.checkpoint_interval_ms = 1;
    // A clock that runs ahead by a second with every look at it.
    let now = std::sync::atomic::AtomicU64::new(0);
    options.monotonic_ms = Arc::new(move || now.fetch_add(1_000, std::sync::atomic::Ordering::Relaxed));
    let engine = LocalEngine::open(options, Arc::new(disk.clone())).unwrap();
    create(&engine, "a", 1, 1);
    append(&engine, P(), batch(b"0")).unwrap();
    while disk.files("/data/topics").is_empty() || disk.files("/data/manifest").is_empty() {
        std::thread::yield_now();
    }
}

#[test]
fn what_was_done_is_counted() {
    let disk = MemoryDisk::default();
    let engine = opened(&disk);
    create(&engine, "a", 1, 1);
    let value = batch(&[7; 3000]);
    for durability in [Durability::Flush, Durability::Os, Durability::Flush] {
        append_as(&engine, P(), value.clone(), durability).unwrap();
    }
    let before = engine.counters();
    assert_eq!((before.acknowledged_bytes, before.groups), (3 * value.len() as u64, 4));
    assert_eq!((before.wal_flushes, before.checkpoints, before.segment_bytes), (3, 0, 0));
    assert_eq!(before.wal_bytes, 5 * 4096, "a header and four groups of a block each");
    engine.maintain(usize::MAX).wait().unwrap();
    let after = engine.counters();
    assert_eq!((after.segment_bytes, after.index_bytes, after.checkpoints), (3 * value.len() as u64, 2 * 32, 1));
    let manifest = disk.files("/data/manifest").remove(0).1;
    assert_eq!(after.manifest_bytes, manifest.len() as u64);
}
