//! DeleteRecords: where the log starts.

use crate::conformance::sample::Sample;
use crate::conformance::trial::{Trial, nowhere};
use crate::{Bounds, ReadError};

pub(super) fn move_the_log_start(trial: &mut Trial) {
    let partition = trial.partition();
    for value in ["a", "b", "c", "d"] {
        trial.accept(partition, &Sample::of(&[value]));
    }
    for (before, log_start) in [(0, 0), (2, 2), (1, 2), (2, 2), (3, 3), (0, 3)] {
        assert_eq!(trial.delete_records(partition, before), Ok(log_start), "before {before}");
        trial.interlude();
        assert_eq!(trial.bounds(partition).log_start_offset, log_start);
    }
    assert_eq!(trial.values(partition), ["d"]);
    let appended = trial.append(partition, &Sample::of(&["e"])).expect("the append failed");
    assert_eq!((appended.first_offset, appended.log_start_offset), (4, 3));
    trial.interlude();
    assert_eq!(trial.values(partition), ["d", "e"]);
}

pub(super) fn in_the_middle_of_a_batch(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &Sample::of(&["a", "b", "c", "d"]));
    trial.interlude();
    assert_eq!(trial.delete_records(partition, 2), Ok(2));
    trial.interlude();
    assert_eq!(trial.values(partition), ["c", "d"]);
    let outcome = trial.read(partition, 2, 1 << 20).expect("the read failed");
    assert_eq!(outcome.batches.len(), 1, "the batch that holds the log start stays whole");
    let bounds = Bounds { log_start_offset: 2, high_watermark: 4, last_stable_offset: 4 };
    assert_eq!(trial.read(partition, 1, 1 << 20).err(), Some(ReadError::OffsetOutOfRange(bounds)));
}

pub(super) fn of_all_records(trial: &mut Trial) {
    let partition = trial.partition();
    assert_eq!(trial.delete_records(partition, -1), Ok(0));
    trial.accept(partition, &Sample::of(&["a", "b", "c"]));
    assert_eq!(trial.delete_records(partition, -1), Ok(3));
    trial.interlude();
    let bounds = Bounds { log_start_offset: 3, high_watermark: 3, last_stable_offset: 3 };
    assert_eq!(trial.bounds(partition), bounds);
    assert!(trial.values(partition).is_empty());
    assert_eq!(trial.accept(partition, &Sample::of(&["d"])), 3, "offsets go on where they were");
    trial.interlude();
    assert_eq!(trial.values(partition), ["d"]);
}

pub(super) fn beyond_the_log_is_out_of_range(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &Sample::of(&["a", "b"]));
    trial.delete_records(partition, 1).expect("not deleted");
    let bounds = Bounds { log_start_offset: 1, high_watermark: 2, last_stable_offset: 2 };
    for before in [3, i64::MAX, -2, i64::MIN] {
        assert_eq!(
            trial.delete_records(partition, before),
            Err(ReadError::OffsetOutOfRange(bounds)),
            "before {before}"
        );
    }
    assert_eq!(trial.values(partition), ["b"]);
}

pub(super) fn of_unknown_partitions(trial: &mut Trial) {
    assert_eq!(trial.delete_records(nowhere(), 0), Err(ReadError::UnknownPartition));
    assert_eq!(trial.delete_records(nowhere(), -1), Err(ReadError::UnknownPartition));
}
