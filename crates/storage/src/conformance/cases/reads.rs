//! Reads: where they begin, where they end.

use crate::conformance::sample::{Sample, opened};
use crate::conformance::trial::{Trial, nowhere};
use crate::{Bounds, Isolation, PartitionId, Read, ReadError, ReadOutcome};

/// Three batches: offsets 0 to 2, 3, and 4 to 5.
fn three_batches(trial: &mut Trial) -> PartitionId {
    let partition = trial.partition();
    trial.accept(partition, &Sample::of(&["a", "b", "c"]));
    trial.accept(partition, &Sample::of(&["d"]));
    trial.accept(partition, &Sample::of(&["e", "f"]));
    partition
}

const BOUNDS: Bounds = Bounds { log_start_offset: 0, high_watermark: 6, last_stable_offset: 6 };

pub(super) fn from_the_middle_of_a_batch(trial: &mut Trial) {
    let partition = three_batches(trial);
    trial.interlude();
    for (offset, first, batches) in [(0, 0, 3), (1, 0, 3), (2, 0, 3), (3, 3, 2), (4, 4, 1), (5, 4, 1)] {
        let outcome = trial.read(partition, offset, 1 << 20).expect("the read failed");
        let found: Vec<_> = outcome.batches.iter().flat_map(opened).collect();
        assert_eq!(found[0].offset, first, "reading from {offset}");
        assert_eq!(found.len() as i64, 6 - first, "reading from {offset}");
        assert!(outcome.batches.len() <= batches, "reading from {offset}");
        assert_eq!(outcome.bounds, BOUNDS);
    }
}

pub(super) fn how_many_bytes_are_left(trial: &mut Trial) {
    let partition = three_batches(trial);
    trial.interlude();
    let all: usize =
        trial.read(partition, 0, 1 << 20).expect("the read failed").batches.iter().map(bytes::Bytes::len).sum();
    let left: Vec<u64> =
        (0..=6).map(|offset| trial.engine().bytes_from(partition, offset).expect("it is there")).collect();
    assert_eq!(left[0], all as u64);
    assert!(left.is_sorted_by(|a, b| a >= b) && left[5] > 0, "{left:?}");
    assert_eq!(left[6], 0, "nothing lies behind the end");
    assert_eq!(trial.engine().bytes_from(nowhere(), 0), Err(ReadError::UnknownPartition));
}

pub(super) fn empty_at_the_end(trial: &mut Trial) {
    let partition = three_batches(trial);
    let outcome = trial.read(partition, 6, 1 << 20).expect("the read failed");
    assert!(outcome.batches.is_empty());
    assert_eq!(outcome.bounds, BOUNDS);
    let empty = trial.partition();
    let outcome = trial.read(empty, 0, 1 << 20).expect("the read failed");
    assert!(outcome.batches.is_empty());
    assert_eq!(outcome.bounds, Bounds::default());
}

pub(super) fn outside_of_the_log_is_out_of_range(trial: &mut Trial) {
    let partition = three_batches(trial);
    trial.delete_records(partition, 3).expect("not deleted");
    trial.interlude();
    let bounds = Bounds { log_start_offset: 3, ..BOUNDS };
    for offset in [i64::MIN, -1, 0, 2, 7, i64::MAX] {
        let answer = trial.read(partition, offset, 1 << 20);
        assert_eq!(answer.err(), Some(ReadError::OffsetOutOfRange(bounds)), "reading from {offset}");
    }
}

pub(super) fn max_bytes_is_kept(trial: &mut Trial) {
    let partition = trial.partition();
    let sample = Sample::of(&["a"]);
    let batch_bytes = sample.bytes().len();
    for _ in 0..5 {
        trial.accept(partition, &sample);
    }
    for (max_bytes, expected) in [(0, 1), (1, 1), (batch_bytes, 1), (2 * batch_bytes - 1, 1), (2 * batch_bytes, 2)] {
        let outcome = trial.read(partition, 1, max_bytes).expect("the read failed");
        assert_eq!(records(&outcome), expected, "{max_bytes} bytes");
    }
    assert_eq!(records(&trial.read(partition, 1, usize::MAX).expect("the read failed")), 4);
}

pub(super) fn at_least_one_batch_where_asked(trial: &mut Trial) {
    let partition = three_batches(trial);
    let batch_bytes = Sample::of(&["a", "b", "c"]).bytes().len();
    for (max_bytes, at_least_one_batch, expected) in
        [(1, true, 3), (1, false, 0), (0, false, 0), (batch_bytes - 1, false, 0), (batch_bytes, false, 3)]
    {
        let isolation = Isolation::ReadUncommitted;
        let read = Read { partition, offset: 1, max_bytes, at_least_one_batch, isolation, may_name_file: false };
        let outcome = trial.engine().read(read).wait().expect("the read failed");
        assert_eq!(records(&outcome), expected, "{max_bytes} bytes, at least one: {at_least_one_batch}");
    }
}

fn records(outcome: &ReadOutcome) -> usize {
    outcome.batches.iter().map(|blob| opened(blob).len()).sum()
}

pub(super) fn unknown_partitions_cannot_be_read(trial: &mut Trial) {
    let topic = trial.topic("known", 1);
    for partition in [nowhere(), PartitionId { topic: topic.id, index: 1 }, PartitionId { topic: topic.id, index: -1 }]
    {
        assert_eq!(trial.read(partition, 0, 1).err(), Some(ReadError::UnknownPartition));
        assert_eq!(trial.engine().bounds(partition), Err(ReadError::UnknownPartition));
    }
}

pub(super) fn read_committed_sees_what_no_transaction_holds(trial: &mut Trial) {
    let partition = three_batches(trial);
    let isolation = Isolation::ReadCommitted;
    let read =
        Read { partition, offset: 0, max_bytes: 1 << 20, at_least_one_batch: true, isolation, may_name_file: false };
    let outcome = trial.engine().read(read).wait().expect("the read failed");
    assert_eq!(records(&outcome), 6);
    assert_eq!(outcome.bounds, BOUNDS);
}
