//! Compaction in the local engine: what is left of a log, while it is read, and after an end at any step.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod local_support;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use local_support::{MemoryDisk, Random, append, create, options, partition};
use ottla_protocol::records::{self, BatchBuilder};
use ottla_storage::local::disk::{Disk, DiskFile, FolderEntry, LockHeld, OpenHow};
use ottla_storage::local::{LocalEngine, LocalOptions};
use ottla_storage::{
    AppendError, CleanerConfig, Engine, FoundOffset, Isolation, LogConfig, LogConfigs, Metadata, OffsetSpec,
    PartitionId, Read, ReadError, Topic,
};

const LOG: PartitionId = partition_of(1);
const RETENTION_MS: u64 = 1_000;

const fn partition_of(id: u8) -> PartitionId {
    PartitionId { topic: ottla_storage::TopicId([id; 16]), index: 0 }
}

/// A clock that tests set.
#[derive(Clone, Default)]
struct Wall(Arc<AtomicI64>);

impl Wall {
    fn pass(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

fn compacting(wall: &Wall, change: impl FnOnce(&mut LogConfig)) -> LocalOptions {
    let mut config = LogConfig {
        segment_bytes: 4 << 10,
        compact: true,
        delete: false,
        min_cleanable_dirty_ratio: 0.0,
        delete_retention_ms: RETENTION_MS,
        ..LogConfig::default()
    };
    change(&mut config);
    let wall = wall.clone();
    let mut options = options();
    options.tail_bytes = 16 << 10;
    options.log_configs = Arc::new(config);
    options.wall_ms = Arc::new(move || wall.0.load(Ordering::Relaxed));
    options
}

fn open_on(disk: impl Disk + 'static, options: LocalOptions) -> LocalEngine {
    LocalEngine::open(options, Arc::new(disk)).unwrap_or_else(|error| panic!("{error}"))
}

/// A key with the length of its value, or a tombstone.
type Record = (u8, Option<usize>);

fn batch(records: &[Record], producer: Option<(i64, i32)>) -> Bytes {
    let mut batch = BatchBuilder::new();
    if let Some((producer_id, sequence)) = producer {
        batch = batch.producer(producer_id, 0, sequence);
    }
    for (key, value) in records {
        let value = value.map(|length| vec![b'a' + key; length]);
        batch.push(i64::from(*key), Some(&[*key]), value.as_deref(), &[]);
    }
    batch.build()
}

/// All records from an offset on, where a reader finds them that goes on behind what it was given.
fn read_all(engine: &LocalEngine, log: PartitionId, start: i64) -> Result<BTreeMap<i64, Record>, ReadError> {
    let (mut found, mut offset) = (BTreeMap::new(), start);
    let end = engine.bounds(log)?.high_watermark;
    while offset < end {
        let isolation = Isolation::ReadUncommitted;
        let read = Read {
            partition: log,
            offset,
            max_bytes: 2 << 10,
            at_least_one_batch: true,
            isolation,
            may_name_file: false,
        };
        let outcome = engine.read(read).wait()?;
        assert!(!outcome.batches.is_empty(), "nothing at offset {offset} of {end}");
        for bytes in &outcome.batches {
            let batch = records::open(bytes, 1 << 20).unwrap();
            assert!(batch.header.next_offset() > offset, "offset {offset} leads back");
            for record in batch.records().map(Result::unwrap).filter(|record| record.offset >= offset) {
                let value = record.value.map(<[u8]>::len);
                assert!(found.insert(record.offset, (record.key.unwrap()[0], value)).is_none());
            }
            offset = batch.header.next_offset();
        }
    }
    Ok(found)
}

/// All that was ever acknowledged, by offset.
#[derive(Default)]
struct History(Vec<Record>);

impl History {
    /// Everything that is there is what was written, and of each key the last value is there.
    fn check(&self, found: &BTreeMap<i64, Record>, log_start: i64) {
        let mut newest = BTreeMap::new();
        for (offset, (key, value)) in (0..).zip(&self.0) {
            newest.insert(*key, (offset, value));
        }
        for (offset, record) in found {
            assert_eq!(self.0.get(*offset as usize), Some(record), "offset {offset}");
        }
        for (key, (offset, value)) in newest {
            let is_there = found.contains_key(&offset);
            assert!(is_there || offset < log_start || value.is_none(), "the last value of key {key}, offset {offset}");
            let older = found.iter().any(|(_, (other, _))| *other == key);
            assert!(is_there || offset < log_start || !older, "key {key} is back");
        }
    }
}

/// Random records: few keys, some tombstones.
fn some_records(random: &mut Random) -> Vec<Record> {
    let count = 1 + random.next() % 4;
    let one = |random: &mut Random| {
        let key = (random.next() % 12) as u8;
        let length = (random.next() % 900) as usize;
        (key, (!random.next().is_multiple_of(8)).then_some(length))
    };
    (0..count).map(|_| one(random)).collect()
}

fn fill(engine: &LocalEngine, log: PartitionId, history: &mut History, random: &mut Random, batches: usize) {
    for _ in 0..batches {
        let records = some_records(random);
        let appended = append(engine, log, batch(&records, None)).unwrap();
        assert_eq!(appended.first_offset, history.0.len() as i64);
        history.0.extend(records);
    }
}

fn maintain(engine: &LocalEngine) {
    engine.maintain(usize::MAX).wait().unwrap();
}

#[test]
fn old_records_go_and_offsets_stay() {
    let (disk, wall) = (MemoryDisk::default(), Wall::default());
    let engine = open_on(disk.clone(), compacting(&wall, |_| {}));
    create(&engine, "c", 1, 1);
    let (mut history, mut random) = (History::default(), Random(1));
    for round in 0..6 {
        fill(&engine, LOG, &mut history, &mut random, 30);
        maintain(&engine);
        wall.pass(400);
        let found = read_all(&engine, LOG, 0).unwrap();
        history.check(&found, 0);
        // Twelve keys, and what lies in the active segment and behind.
        assert!(found.len() < 60, "{} records after round {round}", found.len());
        assert!(engine.bounds(LOG).unwrap().high_watermark == history.0.len() as i64);
    }
    let before = read_all(&engine, LOG, 0).unwrap();
    for start in 0..history.0.len() as i64 {
        let found = read_all(&engine, LOG, start).unwrap();
        assert!(found.iter().eq(before.range(start..)), "reading from {start}");
    }
    engine.close().wait().unwrap();
    drop(engine);
    let engine = open_on(disk, compacting(&wall, |_| {}));
    assert_eq!(read_all(&engine, LOG, 0).unwrap(), before);
}

#[test]
fn look_ups_find_what_is_left() {
    let (disk, wall) = (MemoryDisk::default(), Wall::default());
    let engine = open_on(disk, compacting(&wall, |_| {}));
    create(&engine, "c", 1, 1);
    let (mut history, mut random) = (History::default(), Random(7));
    for _ in 0..4 {
        fill(&engine, LOG, &mut history, &mut random, 30);
        maintain(&engine);
        wall.pass(700);
    }
    let found = read_all(&engine, LOG, 0).unwrap();
    let find = |spec| engine.list_offset(LOG, spec).wait().unwrap().map(|found: FoundOffset| found.offset);
    // The timestamp of each record is its key.
    for time in 0..14 {
        let expected = found.iter().find(|(_, (key, _))| i64::from(*key) >= time).map(|(offset, _)| *offset);
        assert_eq!(find(OffsetSpec::AtOrAfter { timestamp_ms: time }), expected, "time {time}");
    }
    let largest = found.values().map(|(key, _)| *key).max();
    let expected = found.iter().find(|(_, (key, _))| Some(*key) == largest).map(|(offset, _)| *offset);
    assert_eq!(find(OffsetSpec::MaxTimestamp), expected);
    assert_eq!(find(OffsetSpec::Earliest), Some(0));
}

/// A tombstone is read for a while, and then even the end of the log holds no record any more, but can be reached.
#[test]
fn tombstones_go_after_their_time_and_the_end_stays() {
    let (disk, wall) = (MemoryDisk::default(), Wall::default());
    let lag = |config: &mut LogConfig| config.max_compaction_lag_ms = 100;
    let engine = open_on(disk.clone(), compacting(&wall, lag));
    create(&engine, "c", 1, 1);
    append(&engine, LOG, batch(&[(1, Some(1)), (2, Some(2))], None)).unwrap();
    append(&engine, LOG, batch(&[(1, None), (2, None)], None)).unwrap();
    maintain(&engine);
    assert_eq!(read_all(&engine, LOG, 0).unwrap().len(), 4, "the active segment is not cleaned");
    wall.pass(200);
    // The first has the segment sealed, the second cleans it.
    maintain(&engine);
    maintain(&engine);
    assert_eq!(read_all(&engine, LOG, 0).unwrap(), BTreeMap::from([(2, (1, None)), (3, (2, None))]));
    wall.pass(RETENTION_MS as i64);
    append(&engine, LOG, batch(&[(3, None)], None)).unwrap();
    wall.pass(200);
    maintain(&engine);
    maintain(&engine);
    assert_eq!(read_all(&engine, LOG, 0).unwrap(), BTreeMap::from([(4, (3, None))]));
    drop(engine);
    let engine = open_on(disk, compacting(&wall, lag));
    assert_eq!(read_all(&engine, LOG, 0).unwrap(), BTreeMap::from([(4, (3, None))]));
    assert_eq!(append(&engine, LOG, batch(&[(4, None)], None)).unwrap().first_offset, 5);
}

#[test]
fn a_full_disk_stops_it_for_a_while() {
    let (disk, wall) = (MemoryDisk::default(), Wall::default());
    let mut options = compacting(&wall, |_| {});
    options.cleaner_enable = false;
    let engine = open_on(disk.clone(), options);
    create(&engine, "c", 1, 1);
    let (mut history, mut random) = (History::default(), Random(2));
    fill(&engine, LOG, &mut history, &mut random, 60);
    engine.close().wait().unwrap();
    drop(engine);
    let engine = open_on(disk.clone(), compacting(&wall, |_| {}));
    disk.limit_to(Some(disk.used_bytes()));
    // Segments of which nothing is left may go all the same, and then there is no space for the manifest that says so.
    let told = engine.maintain(usize::MAX).wait();
    assert!(told.is_ok() || told.is_err_and(|why| why.retriable));
    let on_full_disk = read_all(&engine, LOG, 0).unwrap();
    history.check(&on_full_disk, 0);
    assert!(on_full_disk.len() > 50, "{} records are left", on_full_disk.len());
    let names = disk.files("/data/topics").into_iter().map(|(path, _)| path.display().to_string());
    let unfinished: Vec<_> = names.filter(|name| name.matches('.').count() > 1).collect();
    assert!(unfinished.is_empty(), "what was begun is removed: {unfinished:?}");
    disk.limit_to(None);
    maintain(&engine);
    let found = read_all(&engine, LOG, 0).unwrap();
    history.check(&found, 0);
    assert!(found.len() < 40, "{} records are left", found.len());
}

/// Whoever reads meanwhile sees at each moment the last value of each key that was there before.
/// Configs whose pace of cleaning changes.
#[derive(Default)]
struct Paced {
    unbounded: AtomicBool,
    asked: AtomicI64,
}

impl LogConfigs for Paced {
    fn log_config(&self, _: &Metadata, _: &Topic) -> LogConfig {
        LogConfig { segment_bytes: 4 << 10, compact: true, min_cleanable_dirty_ratio: 0.0, ..LogConfig::default() }
    }

    fn cleaner_config(&self, _: &Metadata) -> CleanerConfig {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let per_second = (!self.unbounded.load(Ordering::Relaxed)).then_some(1);
        CleanerConfig { io_max_bytes_per_second: per_second, ..CleanerConfig::default() }
    }
}

#[test]
fn a_pause_ends_when_there_is_no_bound_any_more() {
    let paced = Arc::new(Paced::default());
    let mut options = compacting(&Wall::default(), |_| {});
    options.log_configs = paced.clone();
    let engine = open_on(MemoryDisk::default(), options);
    create(&engine, "t", 1, 1);
    fill(&engine, LOG, &mut History::default(), &mut Random(3), 60);
    let cleaned = engine.maintain(usize::MAX);
    // Once at the beginning of the turn, and at every look whether the pause should go on: thousands of seconds at this pace.
    while paced.asked.load(Ordering::Relaxed) < 5 {
        std::thread::yield_now();
    }
    paced.unbounded.store(true, Ordering::Relaxed);
    cleaned.wait().unwrap();
}

#[test]
fn a_reader_reads_on_while_segments_are_replaced() {
    let (disk, wall) = (MemoryDisk::default(), Wall::default());
    let engine = Arc::new(open_on(disk, compacting(&wall, |_| {})));
    create(&engine, "c", 1, 1);
    let history = Arc::new(Mutex::new(History::default()));
    let mut random = Random(3);
    fill(&engine, LOG, &mut history.lock().unwrap(), &mut random, 30);
    let done = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (engine, history, done) = (engine.clone(), history.clone(), done.clone());
        move || {
            let mut passes = 0;
            while !done.load(Ordering::Acquire) || passes == 0 {
                let found = read_all(&engine, LOG, 0).unwrap();
                let history = history.lock().unwrap();
                found.iter().for_each(|(offset, record)| assert_eq!(&history.0[*offset as usize], record));
                passes += 1;
            }
        }
    });
    for _ in 0..25 {
        // Under the lock, so that the reader never finds what the history does not hold yet.
        fill(&engine, LOG, &mut history.lock().unwrap(), &mut random, 10);
        maintain(&engine);
        wall.pass(300);
    }
    done.store(true, Ordering::Release);
    reader.join().unwrap();
    let found = read_all(&engine, LOG, 0).unwrap();
    history.lock().unwrap().check(&found, 0);
}

/// What is called when a file of a later generation is made.
type Hook = Box<dyn FnOnce() + Send>;

/// A disk that lets something happen in the middle of a cleaning.
#[derive(Clone)]
struct HookDisk {
    disk: MemoryDisk,
    hook: Arc<Mutex<Option<Hook>>>,
}

impl Disk for HookDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.create_folder(path)
    }

    fn open(&self, path: &Path, how: OpenHow) -> io::Result<Arc<dyn DiskFile>> {
        if how.truncate && path.display().to_string().ends_with(".1.index") {
            let hook = self.hook.lock().unwrap().take();
            hook.into_iter().for_each(|hook| hook());
        }
        self.disk.open(path, how)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_folder(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<FolderEntry>> {
        self.disk.list(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_folder(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockHeld>> {
        self.disk.lock(path)
    }
}

/// Has something happen in the middle of the first cleaning, and looks what is left then and after a restart.
fn interrupted(happens: fn(&LocalEngine), check: impl Fn(&LocalEngine, &History)) {
    let (disk, wall) = (MemoryDisk::default(), Wall::default());
    let hooked = HookDisk { disk: disk.clone(), hook: Arc::default() };
    let engine = Arc::new(open_on(hooked.clone(), compacting(&wall, |_| {})));
    create(&engine, "c", 1, 1);
    let (mut history, mut random) = (History::default(), Random(5));
    fill(&engine, LOG, &mut history, &mut random, 40);
    let interrupting = Arc::downgrade(&engine);
    *hooked.hook.lock().unwrap() = Some(Box::new(move || happens(&interrupting.upgrade().unwrap())));
    maintain(&engine);
    assert!(hooked.hook.lock().unwrap().is_none(), "it happened");
    check(&engine, &history);
    maintain(&engine);
    check(&engine, &history);
    drop(engine);
    let engine = open_on(disk.clone(), compacting(&wall, |_| {}));
    check(&engine, &history);
    maintain(&engine);
    check(&engine, &history);
}

#[test]
fn records_deleted_meanwhile_do_not_come_back() {
    let happens = |engine: &LocalEngine| {
        engine.delete_records(LOG, 30).wait().unwrap();
    };
    interrupted(happens, |engine, history| {
        assert_eq!(engine.bounds(LOG).unwrap().log_start_offset, 30);
        history.check(&read_all(engine, LOG, 30).unwrap(), 30);
    });
}

#[test]
fn a_topic_deleted_meanwhile_is_gone() {
    let happens = |engine: &LocalEngine| engine.delete_topic(LOG.topic).wait().unwrap();
    interrupted(happens, |engine, _| {
        assert_eq!(engine.bounds(LOG).err(), Some(ReadError::UnknownPartition));
        create(engine, "d", 2, 1);
        append(engine, partition(2, 0), batch(&[(1, None)], None)).unwrap();
        engine.delete_topic(partition(2, 0).topic).wait().unwrap();
    });
}

/// One thing that the workload of the crash rounds does.
#[derive(Clone, Debug)]
enum Step {
    Append { records: Vec<Record>, sequence: i32 },
    DeleteRecords { before: i64 },
    Maintain,
    Pass,
}

fn workload() -> Vec<Step> {
    let (mut steps, mut random, mut sequence) = (Vec::new(), Random(11), 0);
    for round in 0..5 {
        for _ in 0..12 {
            let records = some_records(&mut random);
            let count = records.len() as i32;
            steps.push(Step::Append { records, sequence });
            sequence += count;
        }
        steps.extend([Step::Maintain, Step::Pass]);
        if round == 2 {
            steps.push(Step::DeleteRecords { before: 20 });
        }
    }
    steps.push(Step::Maintain);
    steps
}

/// Answers whether the engine acknowledged it.
fn step(engine: &LocalEngine, wall: &Wall, step: &Step, history: &mut History, log_start: &mut i64) -> bool {
    match step {
        Step::Append { records, sequence } => match append(engine, LOG, batch(records, Some((7, *sequence)))) {
            Ok(appended) => {
                assert_eq!(appended.first_offset, history.0.len() as i64);
                history.0.extend(records);
                true
            }
            Err(AppendError::Unavailable(_) | AppendError::Unknown(_)) => false,
            Err(error) => panic!("{error:?}"),
        },
        Step::DeleteRecords { before } => {
            let deleted = engine.delete_records(LOG, *before).wait().is_ok();
            *log_start = if deleted { *before } else { *log_start };
            deleted
        }
        Step::Maintain => engine.maintain(usize::MAX).wait().is_ok(),
        Step::Pass => {
            wall.pass(600);
            true
        }
    }
}

/// Runs the workload, ends the engine after so many changes on the disk, and goes on. Answers whether it ended early.
fn run(changes: u64, end: impl Fn(&MemoryDisk)) -> bool {
    let (disk, wall, steps) = (MemoryDisk::default(), Wall::default(), workload());
    let (mut history, mut log_start) = (History::default(), 0);
    let engine = open_on(disk.clone(), compacting(&wall, |_| {}));
    create(&engine, "c", 1, 1);
    disk.cut_off_after(changes);
    let stopped = steps.iter().position(|one| !step(&engine, &wall, one, &mut history, &mut log_start));
    let done = stopped.unwrap_or(steps.len());
    drop(engine);
    end(&disk);
    let engine = LocalEngine::open(compacting(&wall, |_| {}), Arc::new(disk.clone()));
    let engine = engine.unwrap_or_else(|error| panic!("after {changes} changes: {error}"));
    let mut doubtful = History(history.0.clone());
    if let Some(Step::Append { records, .. }) = steps.get(done) {
        let is_there = engine.bounds(LOG).unwrap().high_watermark > history.0.len() as i64;
        doubtful.0.extend(records.iter().filter(|_| is_there));
    }
    let start = engine.bounds(LOG).unwrap().log_start_offset;
    assert!(start == log_start || matches!(steps.get(done), Some(Step::DeleteRecords { .. })));
    doubtful.check(&read_all(&engine, LOG, start).unwrap(), start);
    for one in steps.iter().skip(done) {
        assert!(step(&engine, &wall, one, &mut history, &mut log_start), "after {changes} changes: {one:?}");
    }
    let found = read_all(&engine, LOG, log_start).unwrap();
    history.check(&found, log_start);
    assert!(found.len() < 60, "it was compacted: {} records are left", found.len());
    engine.close().wait().unwrap();
    drop(engine);
    assert_no_strangers(&disk);
    assert_eq!(read_all(&open_on(disk, compacting(&wall, |_| {})), LOG, log_start).unwrap(), found);
    stopped.is_some()
}

/// No two generations of a segment are left.
fn assert_no_strangers(disk: &MemoryDisk) {
    let mut bases = BTreeSet::new();
    for (path, _) in disk.files("/data/topics") {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (base, rest) = name.split_once('.').unwrap();
        assert!(bases.insert((base.to_owned(), rest.ends_with("log"))), "{name} is there in two generations");
    }
}

fn run_all(end: impl Fn(&MemoryDisk) + Copy) {
    let ended = (0..).take_while(|changes| run(*changes, end)).count();
    assert!(ended > 150, "the workload changes the disk more often than {ended} times");
}

#[test]
fn a_kill_at_any_step_loses_nothing() {
    run_all(MemoryDisk::restart);
}

#[test]
fn a_power_cut_at_any_step_loses_nothing() {
    run_all(|disk| disk.cut_power(None));
}

#[test]
fn a_power_cut_that_leaves_parts_of_writes_loses_nothing() {
    (0..3).for_each(|seed| run_all(move |disk: &MemoryDisk| disk.cut_power(Some(seed * 1_000 + disk.changes()))));
}
