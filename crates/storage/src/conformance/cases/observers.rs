//! Observers hear of new records and of records that are gone.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::conformance::sample::Sample;
use crate::conformance::trial::{Trial, to};
use crate::{LogStartCause, Observer, PartitionId, Unavailable};

/// How long to wait for a call that has to come. Only a failing test takes that long.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Ears {
    heard: Mutex<Heard>,
    changed: Condvar,
}

#[derive(Default)]
struct Heard {
    advanced: Vec<PartitionId>,
    log_starts: Vec<(PartitionId, i64, i64, LogStartCause)>,
}

impl Ears {
    fn of(trial: &Trial) -> Arc<Self> {
        let ears = Arc::new(Self::default());
        trial.engine().subscribe(ears.clone());
        ears
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_until(&self, what: &str, enough: impl Fn(&Heard) -> bool) {
        let waited = self.changed.wait_timeout_while(self.heard(), PATIENCE, |heard| !enough(heard));
        let (heard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(heard);
        assert!(!timeout.timed_out(), "the observer never heard of {what}");
    }
}

impl Observer for Ears {
    fn advanced(&self, partitions: &[PartitionId]) {
        self.heard().advanced.extend_from_slice(partitions);
        self.changed.notify_all();
    }

    fn log_start_moved(&self, partition: PartitionId, from: i64, to: i64, cause: LogStartCause) {
        self.heard().log_starts.push((partition, from, to, cause));
        self.changed.notify_all();
    }

    fn poisoned(&self, why: &Unavailable) {
        panic!("the engine is poisoned: {why}");
    }
}

pub(super) fn hear_of_appends(trial: &mut Trial) {
    let topic = trial.topic("heard", 3);
    let partitions = [0, 1, 2].map(|index| PartitionId { topic: topic.id, index });
    let ears = Ears::of(trial);
    trial.accept(partitions[1], &Sample::of(&["a"]));
    ears.wait_until("one append", |heard| heard.advanced.contains(&partitions[1]));
    let appends = vec![to(partitions[0], &Sample::of(&["b"])), to(partitions[2], &Sample::of(&["c"]))];
    trial.engine().append(appends).wait().expect("the call failed");
    let both = |heard: &Heard| heard.advanced.contains(&partitions[0]) && heard.advanced.contains(&partitions[2]);
    ears.wait_until("two appends", both);
    assert!(ears.heard().log_starts.is_empty());
}

/// What was heard can be read: a reader that waits for the call and then reads never misses a record.
pub(super) fn all_hear(trial: &mut Trial) {
    let partition = trial.partition();
    let (one, other) = (Ears::of(trial), Ears::of(trial));
    for n in 0..10 {
        let before = (one.heard().advanced.len(), other.heard().advanced.len());
        let pending = trial.engine().append(vec![to(partition, &Sample::of(&["x"]))]);
        one.wait_until("an append", |heard| heard.advanced.len() > before.0);
        other.wait_until("an append", |heard| heard.advanced.len() > before.1);
        pending.wait().expect("the call failed");
        assert_eq!(trial.bounds(partition).high_watermark, n + 1);
    }
}

pub(super) fn hear_of_the_log_start(trial: &mut Trial) {
    let partition = trial.partition();
    let ears = Ears::of(trial);
    trial.accept(partition, &Sample::of(&["a", "b", "c", "d"]));
    for before in [2, 1, 2, 0] {
        trial.delete_records(partition, before).expect("not deleted");
    }
    assert!(trial.delete_records(partition, 9).is_err());
    trial.delete_records(partition, -1).expect("not deleted");
    ears.wait_until("both moves", |heard| heard.log_starts.len() >= 2);
    let cause = LogStartCause::DeleteRecords;
    assert_eq!(ears.heard().log_starts, [(partition, 0, 2, cause), (partition, 2, 4, cause)]);
}
