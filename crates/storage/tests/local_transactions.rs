//! Transactions on disk: what the log's frames and the manifest hold of them, and reads that are answered with files.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod local_support;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use local_support::{MemoryDisk, append, batch, create, open, opened, options, partition};
use ottla_protocol::records::{BatchBuilder, BatchHeader, EndMarker};
use ottla_storage::local::disk::{Disk, OpenHow, SystemDisk};
use ottla_storage::local::inspect::{DumpWish, Field, Line, check, dump};
use ottla_storage::local::{LocalEngine, OpenError};
use ottla_storage::{Append, AppendOrigin, Durability, Engine, Isolation, LogConfig, PartitionId, Read, ReadOutcome};

fn record(producer: i64, sequence: i32, value: &[u8]) -> Bytes {
    let mut batch = BatchBuilder::new().producer(producer, 0, sequence).transactional();
    batch.push(1_000, None, Some(value), &[]);
    batch.build()
}

fn part(partition: PartitionId, batches: Bytes) -> Append {
    let (durability, origin) = (Durability::Flush, AppendOrigin::Coordinator);
    Append { partition, batches, expected_end: None, depends_on: None, durability, origin }
}

fn marker(partition: PartitionId, producer: i64, is_commit: bool) -> Append {
    part(partition, EndMarker { is_commit, coordinator_epoch: 5 }.batch(producer, 0, 1_000))
}

/// Two partitions with a transaction each that was aborted at once, with records of a third, and one that is open.
fn killed() -> MemoryDisk {
    let disk = MemoryDisk::default();
    let engine = opened(&disk);
    create(&engine, "orders", 1, 3);
    let [a, b, c] = [0, 1, 2].map(|index| partition(1, index));
    for to in [a, b] {
        append(&engine, to, record(7, 0, b"aborted")).unwrap();
    }
    append(&engine, a, record(8, 0, b"open")).unwrap();
    let parts = vec![marker(a, 7, false), marker(b, 7, false), part(c, batch(&[1; 6_000]))];
    engine.append_atomically(parts).wait().unwrap();
    append(&engine, c, batch(b"after")).unwrap();
    drop(engine);
    disk.restart();
    disk
}

fn dumped(disk: &MemoryDisk, wish: &DumpWish) -> Vec<Line> {
    let mut lines = Vec::new();
    let unreadable = dump(Path::new("/data"), disk, wish, &mut |line| {
        lines.push(line);
        Ok(())
    });
    assert!(!unreadable.unwrap());
    lines
}

fn field<'a>(line: &'a Line, name: &str) -> Option<&'a Field> {
    line.fields.iter().find(|(found, _)| *found == name).map(|(_, field)| field)
}

fn is(line: &Line, name: &str, value: &str) -> bool {
    field(line, name) == Some(&Field::Text(value.into()))
}

#[test]
fn check_and_dump_know_atomic_appends() {
    let disk = killed();
    let report = check(Path::new("/data"), &disk).unwrap();
    assert_eq!((report.damage.len(), report.wal.frames), (0, 6));
    let ends: Vec<i64> = report.partitions.iter().map(|partition| partition.end_offset).collect();
    assert_eq!(ends, [3, 2, 2]);
    let wal = |records| DumpWish { wal: true, records, ..DumpWish::default() };
    let lines = dumped(&disk, &wal(true));
    let atomic: Vec<_> = lines.iter().filter(|line| is(line, "what", "atomic records")).collect();
    let told = |name: &str| atomic.iter().map(|line| field(line, name).unwrap().clone()).collect::<Vec<_>>();
    assert_eq!(told("partition"), [0, 1, 2].map(Field::Number));
    assert_eq!(
        (told("base_offset"), told("end_offset")),
        ([2, 1, 0].map(Field::Number).into(), [3, 2, 1].map(Field::Number).into())
    );
    assert_eq!(told("frame")[0], told("frame")[2], "one frame");
    let markers: Vec<_> = lines.iter().filter(|line| is(line, "marker", "abort")).collect();
    assert_eq!(markers.len(), 2);
    assert_eq!(field(markers[0], "coordinator_epoch"), Some(&Field::Number(5)));
    let of_one = dumped(&disk, &DumpWish { partition: Some(1), topic: Some("orders".into()), ..wal(false) });
    assert_eq!(of_one.iter().filter(|line| is(line, "what", "atomic records")).count(), 1);
}

#[test]
fn a_changed_byte_of_an_atomic_append_costs_all_of_it() {
    let disk = killed();
    let lines = dumped(&disk, &DumpWish { wal: true, ..DumpWish::default() });
    let frame = lines.iter().find(|line| is(line, "what", "atomic records")).unwrap();
    let number = |name: &str| match field(frame, name) {
        Some(Field::Count(count)) => *count as usize,
        other => panic!("{other:?}"),
    };
    let Some(Field::Text(file)) = field(frame, "file") else { panic!() };
    let path = Path::new("/data").join(file);
    let (start, end) = (number("byte"), number("byte") + 40 + number("payload_bytes"));
    for at in (start..end).step_by(37) {
        disk.damage(&path, |bytes| bytes[at] ^= 4);
        let report = check(Path::new("/data"), &disk).unwrap();
        let [damage] = &*report.damage else { panic!("byte {at}: {:?}", report.damage) };
        assert!(damage.prevents_start, "byte {at}: {damage:?}");
        let ends: Vec<i64> = report.partitions.iter().map(|partition| partition.end_offset).collect();
        assert_eq!(ends, [2, 1, 0], "byte {at}: none of it is there");
        assert!(matches!(open(&disk), Err(OpenError::Damaged { .. })), "byte {at}");
        disk.restart();
        disk.damage(&path, |bytes| bytes[at] ^= 4);
    }
}

#[test]
fn a_manifest_holds_open_and_aborted_transactions() {
    let disk = killed();
    opened(&disk).close().wait().unwrap();
    disk.restart();
    let lines = dumped(&disk, &DumpWish { manifest: true, ..DumpWish::default() });
    let told = |kind: &str, name: &str| -> Vec<Field> {
        lines.iter().filter(|line| line.kind == kind).map(|line| field(line, name).unwrap().clone()).collect()
    };
    assert_eq!(told("partition", "open_transactions"), [1, 0, 0].map(Field::Count));
    assert_eq!(told("partition", "aborted_transactions"), [1, 1, 0].map(Field::Count));
    assert_eq!(told("aborted", "last_stable_offset"), [1, 2].map(Field::Number));
    let engine = opened(&disk);
    assert_eq!(engine.bounds(partition(1, 0)).unwrap().last_stable_offset, 1);
}

const PARTITION: PartitionId = PartitionId { topic: ottla_storage::TopicId([1; 16]), index: 0 };

fn committed(engine: &LocalEngine, offset: i64, max_bytes: usize, may_name_file: bool) -> ReadOutcome {
    let (isolation, at_least_one_batch) = (Isolation::ReadCommitted, true);
    let read = Read { partition: PARTITION, offset, max_bytes, at_least_one_batch, isolation, may_name_file };
    engine.read(read).wait().unwrap()
}

/// An engine on the real disk with an aborted transaction in each hundred batches, and one that is open from 1,000 on; `None` where
/// nothing is ever sent from files.
fn on_disk(folder: &Path) -> Option<LocalEngine> {
    let probe = SystemDisk.open(&folder.join("probe"), OpenHow::CREATE).unwrap();
    probe.is_sendable().then_some(())?;
    let mut options = options();
    options.folder = folder.join("data");
    options.wal_max_bytes = 64 << 20;
    options.wal_segment_bytes = 4 << 20;
    options.log_configs = Arc::new(LogConfig { segment_bytes: 64 << 20, ..LogConfig::default() });
    options.index_interval_bytes = 4 << 10;
    let engine = LocalEngine::open(options, Arc::new(SystemDisk)).unwrap();
    create(&engine, "a", 1, 1);
    for n in 0..1_200_i32 {
        let value = vec![n as u8; 1_000 + n as usize % 7 * 500];
        let offset = match n % 100 {
            50 => append(&engine, PARTITION, record(7, n / 100, &value)).unwrap().first_offset,
            60 => engine.append_atomically(vec![marker(PARTITION, 7, false)]).wait().unwrap()[0].first_offset,
            0 if n >= 1_000 => append(&engine, PARTITION, record(8, n / 100, &value)).unwrap().first_offset,
            _ => append(&engine, PARTITION, batch(&value)).unwrap().first_offset,
        };
        assert_eq!(offset, i64::from(n));
    }
    engine.maintain(usize::MAX).wait().unwrap();
    Some(engine)
}

#[test]
fn files_are_named_no_further_than_committed_records_go() {
    let folder = tempfile::tempdir().unwrap();
    let Some(engine) = on_disk(folder.path()) else { return };
    assert_eq!(engine.bounds(PARTITION).unwrap().last_stable_offset, 1_000);
    let mut in_files = 0;
    for (offset, max_bytes) in (0..1_000).step_by(7).flat_map(|offset| [(offset, 100_000), (offset, 4 << 20)]) {
        let outcome = committed(&engine, offset, max_bytes, true);
        let next_offset = outcome.next_offset.unwrap();
        assert!(next_offset > offset && next_offset <= 1_000, "{offset} to {next_offset}");
        in_files += usize::from(outcome.in_file.is_some());
        let told: Vec<i64> = outcome.aborted.iter().map(|aborted| aborted.first_offset).collect();
        let touched = (0..10).map(|n| n * 100 + 50).filter(|first| *first < next_offset && first + 10 >= offset);
        assert_eq!(told, touched.collect::<Vec<_>>(), "{offset} to {next_offset}");
        let in_memory = committed(&engine, offset, max_bytes, false);
        let last = in_memory.batches.last().and_then(|batch| BatchHeader::parse(batch).ok()).unwrap();
        assert!(in_memory.next_offset == Some(last.next_offset()) && last.next_offset() <= 1_000, "{last:?}");
    }
    assert!(in_files > 100, "{in_files}");
    for may_name_file in [false, true] {
        let outcome = committed(&engine, 1_000, 1 << 20, may_name_file);
        assert!(outcome.batches.is_empty() && outcome.in_file.is_none() && outcome.next_offset.is_none());
        let mut offset = 0;
        while let Some(next_offset) = committed(&engine, offset, 300_000, may_name_file).next_offset {
            offset = next_offset;
        }
        assert_eq!(offset, 1_000, "all of it is reached");
    }
}
