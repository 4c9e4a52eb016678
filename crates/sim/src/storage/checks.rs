//! What is looked at after each start: that the state is one the model allows, and that every record is there.

use std::sync::Arc;

use ottla_storage::local::simulation::{Role, SteppedEngine};
use ottla_storage::{Engine, Isolation, OffsetSpec, PartitionId, Pending, Read, ReadError};

use super::calls::poll;
use super::disk::SimulatedDisk;
use super::model::{Model, Promise};
use super::reads::{check_found, check_read};
use super::records::{SentRecord, Walk};
use super::state::{Partition, short};
use super::world::World;

impl World {
    /// Holds what a start has found against the model, and reads everything. Answers whether the run goes on.
    pub(super) fn check_all(&self, disk: &SimulatedDisk) -> bool {
        let _ = disk;
        let (engine, calm, model) = {
            let mut shared = self.lock();
            let Some(engine) = shared.engine.clone() else { return false };
            let power_cut = std::mem::take(&mut shared.power_cut);
            let promise = shared.model.recovered(power_cut, engine.engine());
            shared.check(promise);
            let calm = std::mem::replace(&mut shared.life.calm, true);
            (engine, calm, shared.model.clone())
        };
        let promise = read_all(&engine, &model, &|_| false);
        let mut shared = self.lock();
        shared.life.calm = calm;
        shared.check(promise.map_err(|what| format!("after the start: {what}")));
        shared.violation.is_none()
    }
}

/// Waits for an answer by turns of readers.
fn wait<T: Unpin, E: Unpin + From<ottla_storage::EngineGone>>(
    engine: &SteppedEngine,
    mut pending: Pending<T, E>,
) -> Result<T, E> {
    loop {
        if let Some(result) = poll(&mut pending) {
            return result;
        }
        if !engine.turn(Role::Reader) && !engine.turn(Role::LookUps) {
            return Err(ottla_storage::EngineGone.into());
        }
    }
}

/// Reads every record, and looks up some by time. Where a read says that a file is damaged, `is_damaged` says whether that
/// is so.
pub(super) fn read_all(engine: &Arc<SteppedEngine>, model: &Model, is_damaged: &dyn Fn(&str) -> bool) -> Promise {
    for (id, partition) in &model.visible.partitions {
        let read = read_partition(engine, *id, (partition, model.now_ms), is_damaged);
        read.map_err(|what| format!("partition {}: {what}", short(*id)))?;
        let read = read_committed(engine, *id, (partition, model.now_ms), is_damaged);
        read.map_err(|what| format!("committed records of partition {}: {what}", short(*id)))?;
        let times = partition.batches.iter().flat_map(|batch| batch.records.first()).map(|record| record.timestamp_ms);
        let some =
            times.step_by(1 + partition.batches.len() / 3).map(|timestamp_ms| OffsetSpec::AtOrAfter { timestamp_ms });
        for spec in some.chain([OffsetSpec::MaxTimestamp]) {
            match wait(engine, engine.engine().list_offset(*id, spec)) {
                Ok(found) => check_found(spec, found, partition, (partition.end, model.now_ms)),
                Err(ReadError::Corrupt(sentence)) if is_damaged(&sentence) => Ok(()),
                Err(error) => Err(format!("{error:?}")),
            }
            .map_err(|what| format!("a look-up of {spec:?} in {}: {what}", short(*id)))?;
        }
    }
    Ok(())
}

/// Reads what is committed, up to the last stable offset.
fn read_committed(
    engine: &SteppedEngine,
    id: PartitionId,
    (partition, now_ms): (&Partition, i64),
    is_damaged: &dyn Fn(&str) -> bool,
) -> Promise {
    let (mut offset, stable) = (partition.log_start, partition.bounds().last_stable_offset);
    while offset < stable {
        let (isolation, at_least_one_batch) = (Isolation::ReadCommitted, true);
        let read =
            Read { partition: id, offset, max_bytes: 3_000, at_least_one_batch, isolation, may_name_file: false };
        match wait(engine, engine.engine().read(read)) {
            Ok(outcome) => {
                let checked = check_read(&read, &outcome, partition, (stable, now_ms));
                checked.map_err(|what| format!("a read at {offset}: {what}"))?;
                let Some(next_offset) = outcome.next_offset else { break };
                offset = next_offset;
            }
            Err(ReadError::Corrupt(sentence)) if is_damaged(&sentence) => break,
            Err(error) => return Err(format!("a read at {offset} fails: {error:?}")),
        }
    }
    Ok(())
}

/// Reads a partition from its start to its end; answers what is there.
pub(super) fn read_partition(
    engine: &SteppedEngine,
    id: PartitionId,
    (partition, now_ms): (&Partition, i64),
    is_damaged: &dyn Fn(&str) -> bool,
) -> Result<Vec<(i64, SentRecord)>, String> {
    let mut walk = Walk::new(partition, partition.log_start, now_ms);
    let mut is_whole = true;
    while walk.offset() < partition.end {
        let (isolation, at_least_one_batch, offset) = (Isolation::ReadUncommitted, true, walk.offset());
        let read =
            Read { partition: id, offset, max_bytes: 3_000, at_least_one_batch, isolation, may_name_file: false };
        match wait(engine, engine.engine().read(read)) {
            Ok(outcome) => {
                let checked = check_read(&read, &outcome, partition, (partition.end, now_ms));
                checked.and_then(|()| walk.take(&outcome)).map_err(|what| format!("a read at {offset}: {what}"))?;
            }
            // What is damaged cannot be read; what lies behind it can.
            Err(ReadError::Corrupt(sentence)) if is_damaged(&sentence) => {
                is_whole = false;
                walk.pass();
            }
            Err(error) => return Err(format!("a read at {offset} fails: {error:?}")),
        }
    }
    if is_whole {
        walk.check_deletions()?;
    }
    Ok(walk.found)
}
