//! What the local engine does when the system has no file descriptors or no memory for it: nothing was written, so it says
//! so, and goes on by itself when there are some again.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod local_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use local_support::{MemoryDisk, append, batch, create, opened, partition, records_from};
use ottla_storage::local::LocalEngine;
use ottla_storage::{AppendError, Engine, LogStartCause, Observer, PartitionId, Unavailable};

const ENOMEM: i32 = 12;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;

/// More than files are kept open for writing, so that some must be opened again.
const PARTITIONS: i32 = 20;

#[derive(Default)]
struct Poisonings(AtomicUsize);

impl Observer for Poisonings {
    fn advanced(&self, _: &[PartitionId]) {}

    fn log_start_moved(&self, _: PartitionId, _: i64, _: i64, _: LogStartCause) {}

    fn poisoned(&self, _: &Unavailable) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Appends to every partition, and answers how many records each has now. What is refused must be retriable.
fn append_to_all(engine: &LocalEngine, kept: &mut [Vec<u8>], value: u8) {
    for (index, values) in (0..).zip(kept) {
        match append(engine, partition(1, index), batch(&[value; 700])) {
            Ok(appended) => {
                assert_eq!(appended.first_offset, values.len() as i64);
                values.push(value);
            }
            Err(AppendError::Unavailable(why)) => assert!(why.retriable, "{why}"),
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn check(engine: &LocalEngine, kept: &[Vec<u8>]) {
    for (index, values) in (0..).zip(kept) {
        let found: Vec<u8> = records_from(engine, partition(1, index), 0).into_iter().map(|(_, v)| v[0]).collect();
        assert_eq!(&found, values, "partition {index}");
    }
}

/// One life of an engine that runs dry after so many files; answers whether it did.
fn runs_dry(opens: u64, errno: i32) -> bool {
    let disk = MemoryDisk::default();
    let engine = opened(&disk);
    let poisonings = Arc::new(Poisonings::default());
    engine.subscribe(poisonings.clone());
    create(&engine, "a", 1, PARTITIONS);
    let mut kept = vec![Vec::new(); PARTITIONS as usize];
    append_to_all(&engine, &mut kept, 1);
    engine.maintain(usize::MAX).wait().unwrap();
    create(&engine, "b", 2, 1);
    append_to_all(&engine, &mut kept, 2);
    append(&engine, partition(2, 0), batch(b"new folder")).unwrap();
    disk.starve_after(opens, errno);
    if let Err(why) = engine.maintain(usize::MAX).wait() {
        assert!(why.retriable && why.reason.contains("writing goes on by itself"), "{why}");
    }
    append_to_all(&engine, &mut kept, 3);
    let ran_dry = disk.feed();
    engine.maintain(usize::MAX).wait().unwrap();
    append_to_all(&engine, &mut kept, 4);
    assert!(kept.iter().all(|values| values.last() == Some(&4)), "writing goes on by itself");
    assert_eq!(poisonings.0.load(Ordering::Relaxed), 0);
    check(&engine, &kept);
    drop(engine);
    disk.cut_power(None);
    let engine = opened(&disk);
    check(&engine, &kept);
    assert_eq!(records_from(&engine, partition(2, 0), 0), [(0, b"new folder".to_vec())]);
    ran_dry
}

#[test]
fn without_file_descriptors_nothing_is_written_and_writing_goes_on_by_itself() {
    for errno in [EMFILE, ENFILE] {
        let dry = (0..).take_while(|opens| runs_dry(*opens, errno)).count();
        assert!(dry > PARTITIONS as usize, "a checkpoint opens more than {dry} files");
    }
}

#[test]
fn without_memory_to_open_a_file_it_is_the_same() {
    // The first things that a checkpoint opens are files, of which some are open already; what flushes a folder comes later, and a
    // flush is another matter.
    for opens in 0..PARTITIONS as u64 / 2 {
        assert!(runs_dry(opens, ENOMEM));
    }
}

#[test]
fn producers_are_not_kept_waiting_for_file_descriptors() {
    let disk = MemoryDisk::default();
    let engine = opened(&disk);
    create(&engine, "a", 1, 1);
    disk.starve_after(0, EMFILE);
    let mut stored = 0;
    let refused = loop {
        match append(&engine, partition(1, 0), batch(&[1; 9000])) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 1000, "it never needs a file");
    };
    let AppendError::Unavailable(why) = refused else { panic!("{refused:?}") };
    assert!(why.retriable && why.reason.contains("limit of open files"), "{why}");
    assert!(disk.feed());
    engine.maintain(usize::MAX).wait().unwrap();
    assert_eq!(append(&engine, partition(1, 0), batch(b"again")).unwrap().first_offset, stored);
}
