//! Logs of the local engine go on in new files, lose what is too old or too much, and are flushed when it is time: what of
//! that is on the disk, and what of it is left when the engine ends at any step.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod local_support;

use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use local_support::{MemoryDisk, append, append_as, batch, batch_at, create, options, partition, records_from};
use ottla_storage::local::{LocalEngine, OpenError};
use ottla_storage::{
    AppendError, CleanerConfig, Durability, Engine, LogConfig, LogConfigs, LogStartCause, Metadata, Observer,
    PartitionId, ReadError, Topic, TopicId, Unavailable,
};

const P: fn() -> PartitionId = || partition(1, 0);

/// How long to wait for a call that has to come. Only a failing test takes that long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A disk, clocks and configs that outlive the engine.
#[derive(Clone, Default)]
struct World {
    disk: MemoryDisk,
    wall_ms: Arc<AtomicI64>,
    monotonic_ms: Arc<AtomicU64>,
    config: Arc<Mutex<LogConfig>>,
}

/// What the test says at the moment.
struct Now(Arc<Mutex<LogConfig>>);

impl LogConfigs for Now {
    fn log_config(&self, _: &Metadata, _: &Topic) -> LogConfig {
        *self.0.lock().unwrap()
    }

    fn cleaner_config(&self, _: &Metadata) -> CleanerConfig {
        CleanerConfig::default()
    }
}

impl World {
    fn with(config: LogConfig) -> Self {
        Self { config: Arc::new(Mutex::new(config)), ..Self::default() }
    }

    fn open(&self) -> Result<LocalEngine, OpenError> {
        let mut options = options();
        let (wall_ms, monotonic_ms) = (self.wall_ms.clone(), self.monotonic_ms.clone());
        options.wall_ms = Arc::new(move || wall_ms.load(Ordering::Relaxed));
        options.monotonic_ms = Arc::new(move || monotonic_ms.load(Ordering::Relaxed));
        options.log_configs = Arc::new(Now(self.config.clone()));
        options.checkpoint_interval_ms = 0;
        options.retention_check_interval_ms = 1_000;
        LocalEngine::open(options, Arc::new(self.disk.clone()))
    }

    fn opened(&self) -> LocalEngine {
        self.open().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The base offsets of the segment files.
    fn segments(&self) -> Vec<i64> {
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let files = self.disk.files(&format!("/data/topics/{}/0", "01".repeat(16)));
        let logs = files.iter().filter_map(|(path, _)| name(path).strip_suffix(".log")?.parse().ok());
        logs.collect()
    }
}

fn log_start(engine: &LocalEngine) -> i64 {
    engine.bounds(P()).unwrap().log_start_offset
}

fn maintain(engine: &LocalEngine) {
    engine.maintain(usize::MAX).wait().unwrap();
}

#[test]
fn files_end_by_size_and_by_the_age_of_records() {
    let world = World::with(LogConfig { segment_bytes: 1_000, ..LogConfig::default() });
    let engine = world.opened();
    create(&engine, "a", 1, 1);
    for _ in 0..3 {
        append(&engine, P(), batch_at(&[b'x'; 600], 1_000)).unwrap();
    }
    maintain(&engine);
    assert_eq!(world.segments(), [0, 1, 2]);
    let jittery = LogConfig { segment_ms: 100, segment_jitter_ms: 0, ..LogConfig::default() };
    // A topic's config changes with its metadata, so what the engine remembers is asked anew.
    *world.config.lock().unwrap() = jittery;
    create(&engine, "b", 2, 1);
    for at_ms in [1_000, 1_100, 1_101, 1_201, 1_000, 1_202] {
        append(&engine, P(), batch_at(b"x", at_ms)).unwrap();
    }
    maintain(&engine);
    assert_eq!(world.segments(), [0, 1, 2, 5, 8], "by the first record of each to the one that comes");
    drop(engine);
    let engine = world.opened();
    append(&engine, P(), batch_at(b"x", 1_302)).unwrap();
    append(&engine, P(), batch_at(b"x", 1_303)).unwrap();
    maintain(&engine);
    assert_eq!(world.segments(), [0, 1, 2, 5, 8, 10], "a restart does not make a segment younger");
    assert_eq!(records_from(&engine, P(), 0).len(), 11);
}

/// Hears where log starts moved.
#[derive(Default)]
struct Ears {
    moved: Mutex<Vec<(i64, i64, LogStartCause)>>,
    changed: Condvar,
}

impl Observer for Ears {
    fn advanced(&self, _: &[PartitionId]) {}

    fn log_start_moved(&self, _: PartitionId, from: i64, to: i64, cause: LogStartCause) {
        self.moved.lock().unwrap().push((from, to, cause));
        self.changed.notify_all();
    }

    fn poisoned(&self, why: &Unavailable) {
        panic!("{why}");
    }
}

#[test]
fn what_is_in_no_file_yet_goes_too_when_the_time_has_come() {
    let world = World::with(LogConfig { retention_ms: Some(500), ..LogConfig::default() });
    let engine = world.opened();
    let ears = Arc::new(Ears::default());
    engine.subscribe(ears.clone());
    create(&engine, "a", 1, 1);
    for _ in 0..3 {
        append(&engine, P(), batch_at(b"old", 1_000)).unwrap();
    }
    world.wall_ms.store(1_501, Ordering::Relaxed);
    world.monotonic_ms.store(1_000, Ordering::Relaxed);
    // Anything that wakes the thread will do.
    create(&engine, "b", 2, 1);
    engine.delete_topic(TopicId([2; 16])).wait().unwrap();
    let heard = ears.changed.wait_timeout_while(ears.moved.lock().unwrap(), PATIENCE, |moved| moved.is_empty());
    let (heard, timeout) = heard.unwrap();
    assert!(!timeout.timed_out(), "nobody looked");
    assert_eq!(*heard, [(0, 3, LogStartCause::Retention)]);
    drop(heard);
    assert_eq!(world.segments(), [] as [i64; 0], "nobody needs them, so they are never written");
    drop(engine);
    world.disk.cut_power(None);
    let engine = world.opened();
    assert_eq!(log_start(&engine), 3);
    assert_eq!(append(&engine, P(), batch(b"new")).unwrap().first_offset, 3);
    maintain(&engine);
    assert_eq!(ears.moved.lock().unwrap().len(), 1, "a start does not tell again what an end told");
}

#[test]
fn what_is_in_no_file_yet_counts_to_the_size() {
    let config = LogConfig { segment_bytes: 1_000, retention_bytes: Some(2_000), ..LogConfig::default() };
    let world = World::with(config);
    let engine = world.opened();
    create(&engine, "a", 1, 1);
    for _ in 0..3 {
        append(&engine, P(), batch(&[b'x'; 900])).unwrap();
    }
    maintain(&engine);
    assert_eq!((log_start(&engine), world.segments()), (0, vec![0, 1, 2]));
    append(&engine, P(), batch(&[b'x'; 900])).unwrap();
    world.monotonic_ms.store(1_000, Ordering::Relaxed);
    let ears = Arc::new(Ears::default());
    engine.subscribe(ears.clone());
    create(&engine, "b", 2, 1);
    engine.delete_topic(TopicId([2; 16])).wait().unwrap();
    let heard = ears.changed.wait_timeout_while(ears.moved.lock().unwrap(), PATIENCE, |moved| moved.is_empty());
    assert_eq!(*heard.unwrap().0, [(0, 1, LogStartCause::Retention)]);
    assert_eq!(records_from(&engine, P(), 1).len(), 3);
}

/// How the engine ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Kill,
    PowerCut,
    /// With the seed of what is left.
    TornPowerCut(u64),
}

const RECORDS: usize = 24;

fn value(number: usize) -> Vec<u8> {
    let mut value = format!("{number}-").into_bytes();
    value.resize(400, b'.');
    value
}

/// Appends from `from` on with maintenance in between; answers how many records were acknowledged, and the log start after the
/// last maintenance that was.
fn work(engine: &LocalEngine, from: usize) -> (usize, i64) {
    let mut start = engine.bounds(P()).map_or(0, |bounds| bounds.log_start_offset);
    for number in from..RECORDS {
        if append(engine, P(), batch(&value(number))).is_err() {
            return (number, start);
        }
        if number % 4 == 3 {
            if engine.maintain(usize::MAX).wait().is_err() {
                return (number + 1, start);
            }
            start = log_start(engine);
        }
    }
    (RECORDS, start)
}

/// Answers whether it ended early.
fn run(end: End, changes: u64) -> bool {
    let config = LogConfig { segment_bytes: 1_000, retention_bytes: Some(2_500), ..LogConfig::default() };
    let world = World::with(config);
    world.disk.cut_off_after(changes);
    let created = |engine: &LocalEngine| engine.create_topic(local_support::new_topic("a", 1, 1)).wait().is_ok();
    let (acknowledged, start) = match world.open() {
        Ok(engine) if created(&engine) => work(&engine, 0),
        _ => (0, 0),
    };
    match end {
        End::Kill => world.disk.restart(),
        End::PowerCut => world.disk.cut_power(None),
        End::TornPowerCut(seed) => world.disk.cut_power(Some(seed * 1_000 + changes)),
    }
    let engine = world.open().unwrap_or_else(|error| panic!("{end:?} after {changes} changes: {error}"));
    if engine.bounds(P()).is_err() {
        assert_eq!(acknowledged, 0);
        create(&engine, "a", 1, 1);
    }
    let bounds = engine.bounds(P()).unwrap();
    assert!(bounds.log_start_offset >= start, "{end:?} after {changes} changes: the log start went back");
    let ends = acknowledged as i64..=acknowledged as i64 + 1;
    assert!(ends.contains(&bounds.high_watermark), "{end:?} after {changes} changes: it ends at {bounds:?}");
    work(&engine, bounds.high_watermark as usize);
    maintain(&engine);
    let expected: Vec<_> = (0..RECORDS).map(|number| (number as i64, value(number))).collect();
    let start = log_start(&engine);
    assert_eq!(records_from(&engine, P(), start), expected[start as usize..]);
    assert!((RECORDS as i64 - 8..RECORDS as i64 - 5).contains(&start), "{end:?} after {changes} changes: {start}");
    assert_eq!(world.segments().first(), Some(&start), "{end:?} after {changes} changes: files without use");
    acknowledged < RECORDS
}

fn run_all(end: End) {
    let ended = (0..).take_while(|changes| run(end, *changes)).count();
    assert!(ended > 100, "the workload changes the disk more often than {ended} times");
}

#[test]
fn a_kill_at_any_step_loses_what_is_too_much_and_nothing_else() {
    run_all(End::Kill);
}

#[test]
fn a_power_cut_at_any_step_loses_what_is_too_much_and_nothing_else() {
    run_all(End::PowerCut);
    run_all(End::TornPowerCut(1));
}

/// What is left of records that were acknowledged and perhaps not flushed.
fn left_after(config: LogConfig, records: usize, passed_ms: u64) -> usize {
    let world = World::with(config);
    let engine = world.opened();
    create(&engine, "a", 1, 1);
    for _ in 0..records {
        append_as(&engine, P(), batch(b"x"), Durability::Os).unwrap();
    }
    world.monotonic_ms.store(passed_ms, Ordering::Relaxed);
    // Changes nothing, and is answered by the thread that would flush.
    assert_eq!(engine.delete_records(P(), 0).wait(), Ok(0));
    drop(engine);
    world.disk.cut_power(None);
    records_from(&world.opened(), P(), 0).len()
}

#[test]
fn unflushed_messages_are_flushed_after_so_many_or_so_long() {
    let config = LogConfig { durability: Durability::Os, ..LogConfig::default() };
    assert_eq!(left_after(config, 5, u64::MAX), 0, "nobody asked for a flush");
    let after_three = LogConfig { flush_messages: 3, ..config };
    assert_eq!([2, 3, 5, 6].map(|records| left_after(after_three, records, 0)), [0, 3, 3, 6]);
    let after_a_while = LogConfig { flush_ms: Some(10_000), ..config };
    assert_eq!([9_999, 10_000].map(|passed_ms| left_after(after_a_while, 2, passed_ms)), [0, 2]);
}

#[test]
fn a_flush_that_is_due_needs_nobody_to_ask_for_it() {
    let world = World::with(LogConfig { flush_ms: Some(1), ..LogConfig::default() });
    let engine = world.opened();
    create(&engine, "a", 1, 1);
    append_as(&engine, P(), batch(b"x"), Durability::Os).unwrap();
    assert!(!world.disk.is_flushed("/data/wal"));
    world.monotonic_ms.store(5, Ordering::Relaxed);
    while !world.disk.is_flushed("/data/wal") {
        std::thread::yield_now();
    }
    drop(engine);
    world.disk.cut_power(None);
    assert_eq!(records_from(&world.opened(), P(), 0).len(), 1);
}

#[test]
fn a_deleted_topic_leaves_no_file_whoever_still_writes_to_it() {
    let world = World::with(LogConfig { segment_bytes: 4_000, ..LogConfig::default() });
    let engine = world.opened();
    create(&engine, "a", 1, 3);
    let written = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for index in 0..3 {
            let (engine, written) = (&engine, &written);
            scope.spawn(move || {
                while let Ok(appended) = append(engine, partition(1, index), batch(&[b'x'; 3_000])) {
                    written.fetch_max(appended.end_offset as u64, Ordering::Relaxed);
                }
            });
        }
        while written.load(Ordering::Relaxed) < 20 {
            std::thread::yield_now();
        }
        engine.delete_topic(TopicId([1; 16])).wait().unwrap();
    });
    assert_eq!(append(&engine, P(), batch(b"late")), Err(AppendError::UnknownPartition));
    assert_eq!(engine.bounds(P()), Err(ReadError::UnknownPartition));
    maintain(&engine);
    maintain(&engine);
    assert_eq!(world.disk.files("/data/topics"), []);
}
