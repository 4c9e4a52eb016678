//! ListOffsets: by place and by time.

use crate::conformance::sample::{Codec, Sample};
use crate::conformance::trial::{Trial, nowhere};
use crate::{FoundOffset, Isolation, OffsetSpec, PartitionId, ReadError};

fn at(offset: i64) -> Option<FoundOffset> {
    Some(FoundOffset { offset, timestamp_ms: -1, leader_epoch: 0 })
}

pub(super) fn of_an_empty_log(trial: &mut Trial) {
    let partition = trial.partition();
    assert_eq!(trial.find(partition, OffsetSpec::Earliest), at(0));
    assert_eq!(trial.find(partition, OffsetSpec::Latest(Isolation::ReadUncommitted)), at(0));
    assert_eq!(trial.find(partition, OffsetSpec::Latest(Isolation::ReadCommitted)), at(0));
    assert_eq!(trial.largest(partition), None);
    for timestamp_ms in [i64::MIN, -1, 0, i64::MAX] {
        assert_eq!(trial.at_or_after(partition, timestamp_ms), None);
    }
}

pub(super) fn of_unknown_partitions(trial: &mut Trial) {
    let topic = trial.topic("known", 1);
    let everything = [
        OffsetSpec::Earliest,
        OffsetSpec::Latest(Isolation::ReadUncommitted),
        OffsetSpec::MaxTimestamp,
        OffsetSpec::AtOrAfter { timestamp_ms: 0 },
    ];
    for spec in everything {
        for partition in [nowhere(), PartitionId { topic: topic.id, index: 1 }] {
            let answer = trial.engine().list_offset(partition, spec).wait();
            assert_eq!(answer, Err(ReadError::UnknownPartition), "{spec:?}");
        }
    }
}

pub(super) fn earliest_and_latest(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &Sample::of(&["a", "b", "c"]));
    trial.interlude();
    assert_eq!(trial.find(partition, OffsetSpec::Earliest), at(0));
    assert_eq!(trial.find(partition, OffsetSpec::Latest(Isolation::ReadUncommitted)), at(3));
    trial.delete_records(partition, 1).expect("not deleted");
    trial.interlude();
    trial.accept(partition, &Sample::of(&["d"]));
    assert_eq!(trial.find(partition, OffsetSpec::Earliest), at(1));
    assert_eq!(trial.find(partition, OffsetSpec::Latest(Isolation::ReadCommitted)), at(4));
}

pub(super) fn by_equal_timestamps(trial: &mut Trial) {
    let partition = trial.partition();
    for batch in [&[10, 10, 10][..], &[10, 20, 20], &[20], &[20, 20]] {
        trial.accept(partition, &Sample::of(&vec!["x"; batch.len()]).times(batch));
    }
    trial.interlude();
    let expected = [(0, Some((0, 10))), (10, Some((0, 10))), (11, Some((4, 20))), (20, Some((4, 20))), (21, None)];
    for (timestamp_ms, found) in expected {
        assert_eq!(trial.at_or_after(partition, timestamp_ms), found, "at or after {timestamp_ms}");
    }
    assert_eq!(trial.largest(partition), Some((4, 20)));
    let found = trial.find(partition, OffsetSpec::MaxTimestamp).expect("nothing found");
    assert_eq!(found.leader_epoch, 0);
}

pub(super) fn by_timestamps_out_of_order(trial: &mut Trial) {
    let partition = trial.partition();
    for batch in [&[500, 100, 300][..], &[200], &[900, 50], &[400, 800], &[900]] {
        trial.accept(partition, &Sample::of(&vec!["x"; batch.len()]).times(batch));
    }
    trial.interlude();
    for (timestamp_ms, found) in [
        (i64::MIN, Some((0, 500))),
        (0, Some((0, 500))),
        (500, Some((0, 500))),
        (501, Some((4, 900))),
        (900, Some((4, 900))),
        (901, None),
        (i64::MAX, None),
    ] {
        assert_eq!(trial.at_or_after(partition, timestamp_ms), found, "at or after {timestamp_ms}");
    }
    assert_eq!(trial.largest(partition), Some((4, 900)));
}

pub(super) fn within_compressed_batches(trial: &mut Trial) {
    let partition = trial.partition();
    for (n, codec) in (0..).zip(Codec::ALL) {
        let base = n * 1_000;
        let sample = Sample::of(&["a", "b", "c"]).times(&[base + 100, base + 300, base + 200]);
        trial.accept(partition, &sample.compressed(codec));
    }
    trial.interlude();
    for (n, codec) in (0..).zip(Codec::ALL) {
        let (base, offset) = (n * 1_000, n * 3);
        assert_eq!(trial.at_or_after(partition, base), Some((offset, base + 100)), "{codec:?}");
        assert_eq!(trial.at_or_after(partition, base + 101), Some((offset + 1, base + 300)), "{codec:?}");
    }
    let last = Codec::ALL.len() as i64 - 1;
    assert_eq!(trial.largest(partition), Some((last * 3 + 1, last * 1_000 + 300)));
}

pub(super) fn below_the_log_start_do_not_count(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &Sample::of(&["a", "b", "c"]).times(&[100, 900, 200]));
    trial.accept(partition, &Sample::of(&["d", "e"]).times(&[300, 250]));
    trial.interlude();
    trial.delete_records(partition, 2).expect("not deleted");
    trial.interlude();
    assert_eq!(trial.at_or_after(partition, 0), Some((2, 200)));
    assert_eq!(trial.at_or_after(partition, 201), Some((3, 300)));
    assert_eq!(trial.at_or_after(partition, 301), None);
    assert_eq!(trial.largest(partition), Some((3, 300)));
    trial.delete_records(partition, -1).expect("not deleted");
    assert_eq!(trial.largest(partition), None);
    assert_eq!(trial.at_or_after(partition, 0), None);
}

pub(super) fn without_timestamps(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &Sample::of(&["a", "b"]).at(-1));
    trial.interlude();
    assert_eq!(trial.at_or_after(partition, 0), None);
    assert_eq!(trial.largest(partition), Some((0, -1)));
    trial.accept(partition, &Sample::of(&["c", "d"]).at(0));
    trial.interlude();
    assert_eq!(trial.at_or_after(partition, 0), Some((2, 0)));
    assert_eq!(trial.largest(partition), Some((2, 0)));
}

pub(super) fn with_log_append_time(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &Sample::of(&["a", "b"]).times(&[100, 900]).appended_at(500));
    trial.interlude();
    assert_eq!(trial.at_or_after(partition, 400), Some((0, 500)));
    assert_eq!(trial.at_or_after(partition, 501), None);
    assert_eq!(trial.largest(partition), Some((0, 500)));
}

/// Batches are stored as received, so one may hold what cannot be opened. It stands for its first offset, and hides nothing.
pub(super) fn past_batches_that_cannot_be_opened(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &Sample::of(&["a", "b"]).at(100));
    trial.accept(partition, &Sample::of(&["c", "d"]).at(200).unreadable());
    trial.accept(partition, &Sample::of(&["e", "f"]).at(300));
    trial.interlude();
    assert_eq!(trial.at_or_after(partition, 100), Some((0, 100)));
    assert_eq!(trial.at_or_after(partition, 101), Some((2, 200)));
    assert_eq!(trial.at_or_after(partition, 201), Some((4, 300)));
    assert_eq!(trial.largest(partition), Some((4, 300)));
}
