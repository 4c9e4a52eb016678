//! Records that are too old or too many go, by whole segments and the oldest first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::conformance::sample::Sample;
use crate::conformance::trial::Trial;
use crate::{ConfigChange, ConfigResource, LogStartCause, Observer, PartitionId, Unavailable};

/// Each record that is a second older than the first of its segment begins a new one.
const BY_SECONDS: (&str, &str) = ("segment.ms", "999");

/// Five segments of two records, a second apart, from time 1000 on.
fn fill(trial: &Trial, partition: PartitionId) {
    for second in 1..=5 {
        let values = [format!("{second}a"), format!("{second}b")];
        trial.accept(partition, &Sample::of(&values).times(&[second * 1_000, second * 1_000 + 1]));
    }
}

/// A large record in a segment of its own.
fn large(trial: &Trial, partition: PartitionId) {
    trial.accept(partition, &Sample::of(&["x".repeat(1_000)]));
}

fn log_start(trial: &Trial, partition: PartitionId) -> i64 {
    trial.bounds(partition).log_start_offset
}

pub(super) fn too_old_records_go(trial: &mut Trial) {
    let partition = trial.partition_with(&[BY_SECONDS, ("retention.ms", "3000")]);
    trial.set_ms(4_001);
    fill(trial, partition);
    trial.interlude();
    trial.maintain();
    assert_eq!(log_start(trial, partition), 0, "the oldest is as old as it may be");
    trial.set_ms(5_002);
    trial.maintain();
    assert_eq!(log_start(trial, partition), 4, "a second is not over for the third");
    trial.interlude();
    assert_eq!(trial.values(partition), ["3a", "3b", "4a", "4b", "5a", "5b"]);
    trial.set_ms(8_001);
    trial.maintain();
    assert_eq!(trial.values(partition), ["5a", "5b"]);
    trial.set_ms(8_002);
    trial.maintain();
    trial.interlude();
    let bounds = trial.bounds(partition);
    assert_eq!((bounds.log_start_offset, bounds.high_watermark), (10, 10), "the last segment goes as well");
    assert_eq!(trial.accept(partition, &Sample::of(&["new"]).at(8_000)), 10);
    trial.interlude();
    trial.maintain();
    assert_eq!(trial.values(partition), ["new"]);
}

pub(super) fn too_many_records_go(trial: &mut Trial) {
    let partition =
        trial.partition_with(&[("segment.bytes", "1000"), ("retention.bytes", "3000"), ("retention.ms", "-1")]);
    let unbounded = trial.partition_with(&[("segment.bytes", "1000"), ("retention.ms", "-1")]);
    for _ in 0..6 {
        large(trial, partition);
        large(trial, unbounded);
    }
    trial.set_ms(i64::MAX);
    trial.interlude();
    trial.maintain();
    assert_eq!(log_start(trial, partition), 3, "two and a bit would be too few");
    trial.interlude();
    large(trial, partition);
    trial.maintain();
    let bounds = trial.bounds(partition);
    assert_eq!((bounds.log_start_offset, bounds.high_watermark), (4, 7));
    assert_eq!(trial.contents(partition).len(), 3);
    assert_eq!(trial.contents(unbounded).len(), 6);
}

pub(super) fn what_is_compacted_stays(trial: &mut Trial) {
    let bounds = [BY_SECONDS, ("retention.ms", "1"), ("retention.bytes", "1")];
    let partitions = ["compact", "compact,delete", "delete"].map(|policy| {
        let configs = [&bounds[..], &[("cleanup.policy", policy)]].concat();
        trial.partition_with(&configs)
    });
    trial.set_ms(1_000_000);
    let [compacted, both, deleted] = partitions;
    fill(trial, compacted);
    fill(trial, both);
    fill(trial, deleted);
    trial.interlude();
    trial.maintain();
    trial.interlude();
    assert_eq!([compacted, both, deleted].map(|partition| log_start(trial, partition)), [0, 10, 10]);
}

pub(super) fn a_change_counts_at_once(trial: &mut Trial) {
    let partition = trial.partition_with(&[("segment.bytes", "1000"), ("retention.ms", "-1")]);
    for _ in 0..4 {
        large(trial, partition);
    }
    trial.maintain();
    trial.interlude();
    let resource = ConfigResource::Topic(partition.topic);
    let before = trial.engine().metadata().configs(&resource).cloned().expect("the topic");
    let after = BTreeMap::from([
        ("segment.bytes".to_owned(), "1000".to_owned()),
        ("retention.bytes".to_owned(), "1".to_owned()),
    ]);
    trial.engine().alter_configs(ConfigChange { resource, before, after }).wait().expect("not altered");
    trial.maintain();
    assert_eq!(log_start(trial, partition), 3, "the last one is more than what must stay");
    trial.interlude();
    assert_eq!(trial.contents(partition).len(), 1);
}

/// Records without timestamps are as old as the last write to their segment.
pub(super) fn without_timestamps(trial: &mut Trial) {
    let partition = trial.partition_with(&[BY_SECONDS, ("retention.ms", "3000")]);
    for now_ms in [1_000, 1_500, 2_600, 3_700] {
        trial.set_ms(now_ms);
        trial.accept(partition, &Sample::of(&[now_ms]).at(-1));
        trial.maintain();
    }
    trial.interlude();
    trial.set_ms(4_500);
    trial.maintain();
    assert_eq!(log_start(trial, partition), 0, "its second record is younger than its first");
    trial.set_ms(4_501);
    trial.maintain();
    assert_eq!(trial.values(partition), ["2600", "3700"]);
    trial.set_ms(6_701);
    trial.maintain();
    assert_eq!(log_start(trial, partition), 4);
}

#[derive(Default)]
struct Ears(Mutex<Vec<(PartitionId, i64, i64, LogStartCause)>>);

impl Observer for Ears {
    fn advanced(&self, _: &[PartitionId]) {}

    fn log_start_moved(&self, partition: PartitionId, from: i64, to: i64, cause: LogStartCause) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((partition, from, to, cause));
    }

    fn poisoned(&self, why: &Unavailable) {
        panic!("the engine is poisoned: {why}");
    }
}

pub(super) fn observers_hear_the_cause_once(trial: &mut Trial) {
    let partition = trial.partition_with(&[BY_SECONDS, ("retention.ms", "3000")]);
    let ears = Arc::new(Ears::default());
    trial.engine().subscribe(ears.clone());
    trial.set_ms(5_000);
    fill(trial, partition);
    trial.delete_records(partition, 3).expect("not deleted");
    trial.set_ms(6_002);
    (0..3).for_each(|_| trial.maintain());
    trial.set_ms(7_002);
    (0..2).for_each(|_| trial.maintain());
    // Whoever is answered may be so before the observers hear; all before the last answer but one have heard.
    trial.engine().close().wait().expect("close failed");
    let heard = ears.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let expected =
        [(0, 3, LogStartCause::DeleteRecords), (3, 6, LogStartCause::Retention), (6, 8, LogStartCause::Retention)];
    assert_eq!(heard, expected.map(|(from, to, cause)| (partition, from, to, cause)));
}
