//! Transactions: how far committed records go, which are aborted, and appends to several partitions at once. Which batches are
//! accepted is said by [`crate::decide`].

use std::collections::BTreeSet;

use bytes::Bytes;
use ottla_protocol::records::{self, EndMarker};

use crate::conformance::sample::{Sample, opened};
use crate::conformance::trial::{AppendAnswer, Trial, nowhere, to};
use crate::decide::Refusal;
use crate::producers::ProducerDescription;
use crate::{
    Append, AppendError, AppendOrigin, Appended, Bounds, Durability, Isolation, OffsetSpec, PartitionId, Read,
    ReadError, ReadOutcome,
};

const COORDINATOR: i32 = 3;

/// A batch of a transaction, with one record.
fn record(producer: i64, epoch: i16, sequence: i32, value: &str) -> Sample {
    Sample::of(&[value]).by_producer(producer, epoch, sequence).transactional()
}

fn marker(partition: PartitionId, producer: i64, epoch: i16, is_commit: bool) -> Append {
    let batches = EndMarker { is_commit, coordinator_epoch: COORDINATOR }.batch(producer, epoch, 1_000);
    from_coordinator(partition, batches)
}

fn from_coordinator(partition: PartitionId, batches: Bytes) -> Append {
    let origin = AppendOrigin::Coordinator;
    Append { partition, batches, expected_end: None, depends_on: None, durability: Durability::Flush, origin }
}

/// Ends a transaction; answers the marker's offset.
fn end(trial: &Trial, partition: PartitionId, producer: i64, epoch: i16, is_commit: bool) -> i64 {
    let appended = trial.append_with(marker(partition, producer, epoch, is_commit));
    appended.expect("the marker was not accepted").first_offset
}

fn read_committed(trial: &Trial, partition: PartitionId, offset: i64, max_bytes: usize) -> ReadOutcome {
    let (isolation, at_least_one_batch) = (Isolation::ReadCommitted, true);
    let read = Read { partition, offset, max_bytes, at_least_one_batch, isolation, may_name_file: false };
    trial.engine().read(read).wait().expect("the read failed")
}

/// What a consumer of committed records gets, reading in pieces: as the published protocol asks it to leave out aborted ones.
fn committed(trial: &Trial, partition: PartitionId, max_bytes: usize) -> Vec<String> {
    let (mut values, mut offset) = (Vec::new(), trial.bounds(partition).log_start_offset);
    loop {
        let outcome = read_committed(trial, partition, offset, max_bytes);
        let Some(next_offset) = outcome.next_offset else {
            assert_eq!(offset, outcome.bounds.last_stable_offset, "reading ends before the last stable offset");
            return values;
        };
        let mut begins: Vec<(i64, i64)> =
            outcome.aborted.iter().map(|aborted| (aborted.first_offset, aborted.producer_id)).collect();
        begins.sort_unstable();
        let (mut begins, mut aborting) = (begins.into_iter().peekable(), BTreeSet::new());
        for batch in outcome.batches.iter().flat_map(|blob| records::batches(blob)) {
            let batch = batch.expect("a read answers whole batches");
            while let Some((_, producer)) = begins.next_if(|(first, _)| *first <= batch.header.last_offset()) {
                aborting.insert(producer);
            }
            if batch.header.is_control() {
                if EndMarker::of(batch.bytes).is_some_and(|marker| !marker.is_commit) {
                    aborting.remove(&batch.header.producer_id);
                }
            } else if !batch.header.is_transactional() || !aborting.contains(&batch.header.producer_id) {
                let stored = opened(&Bytes::copy_from_slice(batch.bytes));
                values.extend(stored.into_iter().filter(|record| record.offset >= offset).map(|record| record.value));
            }
        }
        offset = next_offset;
    }
}

fn latest_committed(trial: &Trial, partition: PartitionId) -> i64 {
    trial.find(partition, OffsetSpec::Latest(Isolation::ReadCommitted)).expect("there is a latest offset").offset
}

pub(super) fn committed_records_end_where_the_oldest_open_one_begins(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &Sample::of(&["a"]));
    trial.accept(partition, &record(1, 0, 0, "1a"));
    trial.accept(partition, &record(2, 0, 0, "2a"));
    trial.accept(partition, &Sample::of(&["b"]));
    trial.interlude();
    let stable = |trial: &Trial| (trial.bounds(partition).last_stable_offset, latest_committed(trial, partition));
    assert_eq!(stable(trial), (1, 1));
    assert_eq!(committed(trial, partition, 1), ["a"]);
    let at_the_end = read_committed(trial, partition, 3, 1_000);
    assert!(
        at_the_end.batches.is_empty() && at_the_end.next_offset.is_none(),
        "what is not stable is not out of range"
    );
    end(trial, partition, 1, 0, true);
    assert_eq!(stable(trial), (2, 2), "2 is open");
    trial.interlude();
    assert_eq!(stable(trial), (2, 2));
    assert_eq!(committed(trial, partition, 1_000), ["a", "1a"]);
    trial.accept(partition, &record(2, 0, 1, "2b"));
    trial.accept(partition, &record(1, 0, 1, "1b"));
    end(trial, partition, 2, 0, true);
    assert_eq!(stable(trial), (6, 6));
    trial.interlude();
    end(trial, partition, 1, 0, true);
    assert_eq!(stable(trial), (9, 9));
    trial.interlude();
    assert_eq!(committed(trial, partition, 1), ["a", "1a", "2a", "b", "2b", "1b"]);
    let bounds = Bounds { log_start_offset: 0, high_watermark: 9, last_stable_offset: 9 };
    assert_eq!(trial.bounds(partition), bounds);
}

pub(super) fn aborted_transactions_are_told(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &record(1, 0, 0, "aborted"));
    trial.accept(partition, &record(2, 0, 0, "x"));
    end(trial, partition, 1, 0, false);
    trial.interlude();
    trial.accept(partition, &record(1, 0, 1, "y"));
    end(trial, partition, 2, 0, true);
    trial.interlude();
    end(trial, partition, 1, 0, true);
    trial.accept(partition, &record(1, 0, 2, "aborted too"));
    trial.accept(partition, &Sample::of(&["z"]));
    end(trial, partition, 1, 1, false);
    trial.interlude();
    for max_bytes in [1, 150, 1_000] {
        assert_eq!(committed(trial, partition, max_bytes), ["x", "y", "z"], "{max_bytes} bytes at once");
    }
    let told = |offset, max_bytes| -> Vec<(i64, i64, i64)> {
        let outcome = read_committed(trial, partition, offset, max_bytes);
        let tell =
            |aborted: &crate::AbortedTransaction| (aborted.producer_id, aborted.first_offset, aborted.last_offset);
        outcome.aborted.iter().map(tell).collect()
    };
    assert_eq!(told(0, 1), [(1, 0, 2)]);
    assert_eq!(told(0, 10_000), [(1, 0, 2), (1, 6, 8)]);
    assert_eq!(told(3, 1), []);
    assert_eq!(told(7, 1), [(1, 6, 8)], "it began before");
    assert_eq!(told(9, 1), []);
    assert!(trial.read(partition, 0, 10_000).expect("the read failed").aborted.is_empty(), "only who asks is told");
}

pub(super) fn a_marker_ends_the_epoch(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &record(1, 4, 0, "a"));
    end(trial, partition, 1, 5, false);
    end(trial, partition, 2, 9, true);
    trial.interlude();
    let fenced = |current, got| Err(AppendError::Refused(Refusal::InvalidProducerEpoch { current, got }));
    assert_eq!(trial.append(partition, &record(1, 4, 1, "late")), fenced(5, 4));
    assert_eq!(trial.append(partition, &record(1, 4, 0, "a")), fenced(5, 4), "also what was accepted before");
    assert_eq!(trial.append(partition, &record(2, 8, 0, "late")), fenced(9, 8), "it had nothing open here");
    assert_eq!(trial.append_with(marker(partition, 1, 4, true)), fenced(5, 4));
    let replaced = EndMarker { is_commit: true, coordinator_epoch: COORDINATOR - 1 }.batch(1, 5, 1_000);
    let answer = trial.append_with(from_coordinator(partition, replaced));
    let expected = Refusal::CoordinatorFenced { current: COORDINATOR, got: COORDINATOR - 1 };
    assert_eq!(answer, Err(AppendError::Refused(expected)));
    trial.accept(partition, &record(1, 5, 0, "b"));
    let outside = Refusal::TransactionOpen { first_offset: 3 };
    let plain = Sample::of(&["outside"]).by_producer(1, 5, 1);
    trial.interlude();
    assert_eq!(trial.append(partition, &plain), Err(AppendError::Refused(outside)));
    end(trial, partition, 1, 5, true);
    trial.accept(partition, &plain);
    assert_eq!(committed(trial, partition, 1_000), ["b", "outside"]);
}

pub(super) fn what_coordinators_write_for_producers(trial: &mut Trial) {
    let partition = trial.partition();
    for value in ["a", "b"] {
        let append = from_coordinator(partition, record(1, 0, -1, value).bytes());
        assert!(trial.append_with(append).is_ok_and(|appended| !appended.duplicate), "there are no duplicates");
    }
    let answer = trial.append(partition, &record(1, 0, -1, "c"));
    assert!(matches!(answer, Err(AppendError::Refused(Refusal::InvalidBatch(_)))), "{answer:?}");
    trial.interlude();
    assert_eq!(trial.bounds(partition).last_stable_offset, 0);
    end(trial, partition, 1, 1, true);
    assert_eq!(committed(trial, partition, 1), ["a", "b"]);
}

pub(super) fn deleted_records_and_open_transactions(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &record(1, 0, 0, "a"));
    trial.accept(partition, &record(2, 0, 0, "b"));
    end(trial, partition, 2, 0, false);
    trial.accept(partition, &Sample::of(&["c"]));
    assert_eq!(trial.delete_records(partition, 1), Ok(1));
    trial.interlude();
    let stable = |trial: &Trial| trial.bounds(partition).last_stable_offset;
    assert_eq!(stable(trial), 1, "the transaction is open, and its beginning gone");
    assert_eq!(trial.delete_records(partition, -1), Ok(4), "up to the high watermark");
    trial.interlude();
    assert_eq!(stable(trial), 4);
    trial.accept(partition, &Sample::of(&["d"]));
    assert_eq!((stable(trial), trial.bounds(partition).high_watermark), (4, 5));
    end(trial, partition, 1, 0, false);
    trial.interlude();
    assert_eq!(committed(trial, partition, 1_000), ["d"]);
    let outcome = read_committed(trial, partition, 4, 1_000);
    let told: Vec<_> = outcome.aborted.iter().map(|aborted| (aborted.producer_id, aborted.first_offset)).collect();
    assert_eq!(told, [(1, 0)], "what ends below the log start is forgotten");
}

fn atomically(trial: &Trial, appends: Vec<Append>) -> Result<Vec<Appended>, AppendError> {
    trial.engine().append_atomically(appends).wait()
}

pub(super) fn atomic_appends_happen_in_all_partitions(trial: &mut Trial) {
    let topic = trial.topic("many", 5);
    let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|index| PartitionId { topic: topic.id, index });
    for partition in [a, b, c] {
        trial.accept(partition, &Sample::of(&["before"]));
        trial.accept(partition, &record(1, 0, 0, "in"));
    }
    let records = Append { expected_end: Some(0), ..from_coordinator(d, Sample::of(&["x", "y"]).bytes()) };
    let large = from_coordinator(e, Sample::of(&["z".repeat(10_000)]).bytes());
    let ends = [a, b, c].map(|partition| marker(partition, 1, 1, false)).into_iter().chain([records, large]).collect();
    let answers = atomically(trial, ends).expect("it was not accepted");
    let offsets: Vec<_> = answers.iter().map(|appended| (appended.first_offset, appended.end_offset)).collect();
    assert_eq!(offsets, [(2, 3), (2, 3), (2, 3), (0, 2), (0, 1)]);
    assert!(answers.iter().all(|appended| !appended.duplicate && appended.log_start_offset == 0));
    for _ in 0..2 {
        for partition in [a, b, c] {
            assert_eq!(committed(trial, partition, 1_000), ["before"]);
            assert_eq!(trial.bounds(partition).last_stable_offset, 3);
        }
        assert_eq!(trial.values(d), ["x", "y"]);
        assert_eq!(trial.values(e), ["z".repeat(10_000)]);
        trial.interlude();
    }
    trial.accept(a, &record(1, 1, 0, "and on"));
    assert_eq!(trial.bounds(a).last_stable_offset, 3);
}

pub(super) fn atomic_appends_happen_nowhere_where_one_is_refused(trial: &mut Trial) {
    let topic = trial.topic("several", 3);
    let [a, b, c] = [0, 1, 2].map(|index| PartitionId { topic: topic.id, index });
    trial.accept(a, &record(1, 3, 0, "in"));
    trial.accept(b, &Sample::of(&["before"]));
    let records = |expected_end, partition| Append {
        expected_end: Some(expected_end),
        ..from_coordinator(partition, Sample::of(&["x"]).bytes())
    };
    let good = || vec![marker(a, 1, 3, true), records(1, b)];
    let with = |wrong: Append| [good(), vec![wrong]].concat();
    let refused = |trial: &Trial, appends| atomically(trial, appends).expect_err("it was accepted");
    assert_eq!(refused(trial, with(records(1, c))), AppendError::UnexpectedEnd { end_offset: 0 });
    assert_eq!(refused(trial, with(records(0, nowhere()))), AppendError::UnknownPartition);
    let empty = from_coordinator(c, Bytes::new());
    assert!(matches!(refused(trial, with(empty)), AppendError::Corrupt(_)));
    let control = Append { origin: AppendOrigin::Client, ..marker(c, 1, 3, true) };
    assert!(matches!(refused(trial, with(control)), AppendError::Refused(Refusal::InvalidBatch(_))));
    assert!(matches!(refused(trial, with(records(2, b))), AppendError::Corrupt(_)), "a partition twice");
    let older = vec![records(1, b), marker(a, 1, 2, true)];
    let fenced = Refusal::InvalidProducerEpoch { current: 3, got: 2 };
    assert_eq!(refused(trial, older), AppendError::Refused(fenced));
    trial.interlude();
    let ends = [a, b, c].map(|partition| trial.bounds(partition).high_watermark);
    assert_eq!((ends, trial.bounds(a).last_stable_offset), ([1, 1, 0], 0));
    assert!(atomically(trial, good()).is_ok());
    assert_eq!(atomically(trial, Vec::new()), Ok(Vec::new()));
    assert_eq!(committed(trial, a, 1), ["in"]);
}

pub(super) fn a_duplicate_in_an_atomic_append_is_not_stored_again(trial: &mut Trial) {
    let topic = trial.topic("two", 2);
    let [a, b] = [0, 1].map(|index| PartitionId { topic: topic.id, index });
    trial.accept(a, &record(1, 0, 0, "in"));
    trial.interlude();
    let other = from_coordinator(b, Sample::of(&["x"]).bytes());
    let answers = atomically(trial, vec![to(a, &record(1, 0, 0, "in")), other]).expect("it was not accepted");
    assert_eq!((answers[0].first_offset, answers[0].duplicate), (0, true));
    assert_eq!((answers[1].first_offset, answers[1].duplicate), (0, false));
    trial.interlude();
    assert_eq!([a, b].map(|partition| trial.bounds(partition).high_watermark), [1, 1]);
}

pub(super) fn producers_are_described(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &Sample::of(&["a", "b"]).at(70).by_producer(1, 2, 5));
    trial.accept(partition, &record(4, 0, 0, "c").at(80));
    trial.accept(partition, &record(3, 0, 0, "d").at(90));
    end(trial, partition, 4, 1, true);
    let idempotent = ProducerDescription {
        producer_id: 1,
        producer_epoch: 2,
        last_sequence: 6,
        last_timestamp_ms: 70,
        coordinator_epoch: -1,
        transaction_start_offset: None,
    };
    let open = ProducerDescription {
        producer_id: 3,
        producer_epoch: 0,
        last_sequence: 0,
        last_timestamp_ms: 90,
        transaction_start_offset: Some(3),
        ..idempotent
    };
    let ended = ProducerDescription {
        producer_id: 4,
        producer_epoch: 1,
        last_sequence: -1,
        last_timestamp_ms: 1_000,
        coordinator_epoch: COORDINATOR,
        transaction_start_offset: None,
    };
    trial.interlude();
    assert_eq!(trial.engine().describe_producers(partition).wait(), Ok(vec![idempotent, open, ended]));
    assert_eq!(trial.engine().describe_producers(nowhere()).wait(), Err(ReadError::UnknownPartition));
}

/// Each batch in a segment of its own, and all but the newest worth cleaning.
const COMPACTED: [(&str, &str); 4] = [
    ("cleanup.policy", "compact"),
    ("segment.bytes", "1"),
    ("min.cleanable.dirty.ratio", "0"),
    ("delete.retention.ms", "1000"),
];

fn put(trial: &Trial, partition: PartitionId, producer: Option<(i64, i32)>, key: &str, value: &str) -> AppendAnswer {
    let mut batch = records::BatchBuilder::new();
    if let Some((id, sequence)) = producer {
        batch = batch.producer(id, 0, sequence).transactional();
    }
    batch.push(1_000, Some(key.as_bytes()), Some(value.as_bytes()), &[]);
    trial.append_with(Append { batches: batch.build(), ..to(partition, &Sample::of(&["x"])) })
}

/// The base offsets of all batches that are left, and how many records they have.
fn left(trial: &Trial, partition: PartitionId) -> Vec<(i64, i32)> {
    let (mut found, mut offset) = (Vec::new(), 0);
    while let Some(next_offset) = trial.read(partition, offset, 1_000).expect("the read failed").next_offset {
        let outcome = trial.read(partition, offset, 1_000).expect("the read failed");
        let headers = outcome
            .batches
            .iter()
            .flat_map(|blob| records::batches(blob))
            .map(|batch| batch.expect("a read answers whole batches").header);
        found.extend(headers.map(|header| (header.base_offset, header.record_count)));
        offset = next_offset;
    }
    found
}

pub(super) fn compaction_removes_what_was_aborted(trial: &mut Trial) {
    let partition = trial.partition_with(&COMPACTED);
    trial.set_ms(10_000);
    assert!(put(trial, partition, None, "a", "1").is_ok());
    assert!(put(trial, partition, Some((7, 0)), "a", "aborted").is_ok());
    assert!(put(trial, partition, Some((8, 0)), "b", "1").is_ok());
    end(trial, partition, 7, 0, false);
    trial.interlude();
    trial.maintain();
    assert_eq!(left(trial, partition), [(0, 1), (1, 0), (2, 1), (3, 1)], "8 is open");
    assert_eq!(committed(trial, partition, 1_000), ["1"]);
    end(trial, partition, 8, 0, true);
    assert!(put(trial, partition, None, "b", "2").is_ok());
    assert!(put(trial, partition, None, "z", "1").is_ok());
    trial.interlude();
    trial.maintain();
    trial.interlude();
    assert_eq!(left(trial, partition), [(0, 1), (3, 1), (4, 1), (5, 1), (6, 1)]);
    assert_eq!(committed(trial, partition, 1_000), ["1", "2", "1"]);
    assert!(read_committed(trial, partition, 0, 1_000).aborted.is_empty(), "there is nothing left of it");
    trial.set_ms(11_000);
    assert!(put(trial, partition, None, "z", "2").is_ok());
    trial.maintain();
    trial.interlude();
    assert_eq!(left(trial, partition), [(0, 1), (5, 1), (6, 1), (7, 1)], "the markers have stayed for their time");
    assert_eq!(committed(trial, partition, 1), ["1", "2", "1", "2"]);
}
