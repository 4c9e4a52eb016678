//! What goes on while the disk is full: reading, deletions, commits; and what comes back by itself when there is space again.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod local_support;

use std::collections::BTreeMap;
use std::sync::Arc;

use local_support::{MemoryDisk, append, batch, create, new_topic, opened, options, partition, records_from};
use ottla_protocol::records::EndMarker;
use ottla_storage::local::{LocalEngine, LocalOptions};
use ottla_storage::{
    Append, AppendError, AppendOrigin, Appended, ConfigChange, ConfigResource, Durability, Engine, MetadataError,
    TopicId,
};

const ENOSPC: i32 = 28;

/// With a reserve of eight blocks.
fn roomy(tail_bytes: usize) -> LocalOptions {
    let mut options = options();
    options.wal_segment_bytes = 256 << 10;
    options.tail_bytes = tail_bytes;
    options
}

/// As the group coordinator appends.
fn commit(engine: &LocalEngine, expected_end: i64) -> Result<Appended, AppendError> {
    let append = Append {
        partition: partition(3, 0),
        batches: batch(b"commit"),
        expected_end: Some(expected_end),
        depends_on: None,
        durability: Durability::Flush,
        origin: AppendOrigin::Coordinator,
    };
    engine.append(vec![append]).wait().unwrap().remove(0)
}

/// As the transaction coordinator ends a transaction.
fn end(engine: &LocalEngine, coordinator_epoch: i32) -> Result<Vec<Appended>, AppendError> {
    let marker = EndMarker { is_commit: true, coordinator_epoch }.batch(7, 0, 1_000);
    let append = |partition| Append {
        partition,
        batches: marker.clone(),
        expected_end: None,
        depends_on: None,
        durability: Durability::Flush,
        origin: AppendOrigin::Coordinator,
    };
    engine.append_atomically(vec![append(partition(1, 0)), append(partition(3, 0))]).wait()
}

fn is_retriable(error: &AppendError) -> bool {
    matches!(error, AppendError::Unavailable(why) if why.retriable && why.reason.contains("free disk space"))
}

/// Appends until the disk is full, also for the smallest; answers how many records there are.
fn fill(engine: &LocalEngine) -> i64 {
    let mut stored = 0;
    for value in [batch(&[1; 9000]), batch(b"small")] {
        let refused = loop {
            match append(engine, partition(2, 0), value.clone()) {
                Ok(appended) => assert_eq!(appended.first_offset, stored),
                Err(error) => break error,
            }
            stored += 1;
            assert!(stored < 10_000, "the disk is never full");
        };
        assert!(is_retriable(&refused), "{refused:?}");
    }
    stored
}

/// On a full disk, whether the log has no further file or memory is full of what cannot be written to segments.
fn goes_on(tail_bytes: usize) {
    let disk = MemoryDisk::default();
    let engine = LocalEngine::open(roomy(tail_bytes), Arc::new(disk.clone())).unwrap();
    for (name, id) in [("kept", 1), ("large", 2), ("groups", 3)] {
        create(&engine, name, id, 1);
    }
    append(&engine, partition(1, 0), batch(b"kept")).unwrap();
    disk.limit_to(Some(disk.used_bytes() + (700 << 10)));
    let stored = fill(&engine);
    assert!(is_retriable(&append(&engine, partition(1, 0), batch(b"small")).unwrap_err()), "ordinary ones wait");
    let created = engine.create_topic(new_topic("more", 4, 1)).wait();
    assert!(matches!(created, Err(MetadataError::Unavailable(why)) if why.retriable));
    assert_eq!(records_from(&engine, partition(2, 0), stored - 1).len(), 1, "reading goes on");

    assert_eq!((0..3).map(|end| commit(&engine, end).unwrap().first_offset).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(end(&engine, 1).unwrap()[1].first_offset, 3);
    assert_eq!(engine.describe_producers(partition(1, 0)).wait().unwrap().len(), 1);
    assert_eq!(engine.delete_records(partition(1, 0), -1).wait(), Ok(2));
    let (before, after) = (BTreeMap::new(), BTreeMap::from([("retention.ms".to_owned(), "1".to_owned())]));
    let change = ConfigChange { resource: ConfigResource::Topic(TopicId([2; 16])), before, after };
    assert_eq!(engine.alter_configs(change).wait(), Ok(()));
    engine.delete_topic(TopicId([2; 16])).wait().unwrap();

    // The topic's files are gone when this is done, and nothing else was needed to go on.
    engine.maintain(usize::MAX).wait().unwrap();
    assert_eq!(append(&engine, partition(1, 0), batch(b"again")).unwrap().first_offset, 2);
    drop(engine);
    disk.cut_power(None);
    let engine = opened(&disk);
    assert_eq!(records_from(&engine, partition(1, 0), 2), [(2, b"again".to_vec())]);
    assert_eq!(records_from(&engine, partition(3, 0), 0).len(), 4);
    assert_eq!(engine.metadata().topics().len(), 2);
}

#[test]
fn without_a_further_file_of_the_log_deletions_and_commits_go_on() {
    goes_on(8 << 20);
}

#[test]
fn with_memory_full_of_what_cannot_be_written_deletions_and_commits_go_on() {
    goes_on(64 << 10);
}

#[test]
fn what_is_kept_back_ends_and_is_there_again_with_the_next_file() {
    let disk = MemoryDisk::default();
    let engine = LocalEngine::open(roomy(8 << 20), Arc::new(disk.clone())).unwrap();
    create(&engine, "large", 2, 1);
    create(&engine, "groups", 3, 1);
    let full = |committed: i64| {
        disk.limit_to(Some(disk.used_bytes()));
        while append(&engine, partition(2, 0), batch(&[1; 9000])).is_ok() {}
        let more = (committed..1000).take_while(|end| commit(&engine, *end).is_ok()).count() as i64;
        assert!((8..1000).contains(&more), "{more} commits went into eight blocks");
        assert!(is_retriable(&commit(&engine, committed + more).unwrap_err()), "and no further");
        disk.limit_to(None);
        committed + more
    };
    let committed = full(0);
    engine.maintain(usize::MAX).wait().unwrap();
    commit(&engine, committed).unwrap();
    full(committed + 1);
}

#[test]
fn a_flush_that_finds_the_disk_full_ends_all_writing() {
    let disk = MemoryDisk::default();
    let engine = opened(&disk);
    create(&engine, "groups", 3, 1);
    disk.fail_flushes_with(ENOSPC);
    assert!(matches!(commit(&engine, 0), Err(AppendError::Unknown(why)) if !why.retriable));
    disk.fail_flushes(false);
    assert!(matches!(commit(&engine, 0), Err(AppendError::Unavailable(why)) if !why.retriable));
}
