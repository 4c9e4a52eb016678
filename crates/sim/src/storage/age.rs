//! After all faults and a long time: each log is as its policy asks for, and not only allowed to be.

use super::checks::read_partition;
use super::model::Promise;
use super::policy::MAX_COMPACTION_LAG_MS;
use super::records::SentRecord;
use super::state::{Partition, short};
use super::world::{Setup, World};

/// So many turns see to everything: one has segments sealed that have waited too long, the next one compacts them.
const ROUNDS: usize = 3;

impl World {
    /// Time passes, and the engine is asked to do what is due then.
    pub(super) fn grow_old(&self) {
        self.clock.pass(2 * MAX_COMPACTION_LAG_MS);
        for _ in 0..ROUNDS {
            self.checkpoint();
            self.settle_all();
        }
        let (engine, model, setup) = {
            let shared = self.lock();
            let Some(engine) = shared.engine.clone().filter(|_| shared.violation.is_none()) else { return };
            (engine, shared.model.clone(), shared.setup.clone())
        };
        let promise = model.visible.partitions.iter().try_for_each(|(id, partition)| {
            let read = || read_partition(&engine, *id, (partition, model.now_ms), &|_| false);
            let kept = keeps_to_its_policy(partition, &setup, read);
            kept.map_err(|what| format!("partition {}, long after: {what}", short(*id)))
        });
        self.lock().check(promise);
    }
}

fn keeps_to_its_policy(
    partition: &Partition,
    setup: &Setup,
    read: impl FnOnce() -> Result<Vec<(i64, SentRecord)>, String>,
) -> Promise {
    let (log_start, end, policy) = (partition.log_start, partition.end, partition.policy);
    if policy.retention_ms.is_some() && log_start < end {
        return Err(format!("all is too old, and it still has offsets {log_start} to {end}"));
    }
    let largest = partition.batches.iter().map(|batch| batch.bytes.len()).max().unwrap_or_default();
    let most_above = largest.max(setup.log_rules.segment_bytes as usize);
    let bytes = partition.bytes_from(log_start);
    if policy.retention_bytes.is_some_and(|most| bytes > most + most_above) {
        return Err(format!("it still has {bytes} bytes, and {policy:?}"));
    }
    if !policy.compact || !setup.log_rules.finds_all_keys() {
        return Ok(());
    }
    let found = read()?;
    match found.iter().find(|(offset, record)| {
        // Markers stay for their time from now on.
        *offset >= log_start
            && !record.is_marker
            && record.key.and_then(|key| partition.newest.get(&key)) != Some(offset)
    }) {
        Some((offset, record)) => {
            Err(format!("{record:?} of offset {offset} is still there, and a newer one of its key"))
        }
        None => Ok(()),
    }
}
