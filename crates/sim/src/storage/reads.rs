//! Reads and look-ups of offsets while everything goes on, and what they may answer.

use ottla_storage::{Engine, FoundOffset, Isolation, OffsetSpec, PartitionId, Pending, Read, ReadError, ReadOutcome};

use super::calls::poll;
use super::model::Promise;
use super::records::Walk;
use super::state::{Partition, short};
use super::transactions::check_committed;
use super::world::Shared;

/// A read that is waited for, and what was there when it was asked for.
pub(super) struct PendingRead {
    pub(super) read: Read,
    log_start: i64,
    end: i64,
    stable: i64,
    pending: Pending<ReadOutcome, ReadError>,
}

/// A look-up of an offset by time that is waited for.
pub(super) struct PendingLookUp {
    partition: PartitionId,
    spec: OffsetSpec,
    end: i64,
    pending: Pending<Option<FoundOffset>, ReadError>,
}

impl PendingRead {
    fn check(
        &self,
        result: &Result<ReadOutcome, ReadError>,
        now: Option<&Partition>,
        now_ms: i64,
        (excused, poisoned): (bool, bool),
    ) -> Promise {
        let Some(now) = now else {
            // Deleted meanwhile; what was there before may still be answered.
            return Ok(());
        };
        match result {
            Ok(outcome) => {
                let bounds = outcome.bounds;
                let sane = (self.log_start..=now.log_start).contains(&bounds.log_start_offset)
                    && (self.end..=now.end).contains(&bounds.high_watermark)
                    && (self.stable..=now.bounds().last_stable_offset).contains(&bounds.last_stable_offset);
                if !sane {
                    return Err(format!("it says {bounds:?}"));
                }
                let is_committed = self.read.isolation == Isolation::ReadCommitted;
                let end = if is_committed { self.stable } else { self.end };
                check_read(&self.read, outcome, now, (end, now_ms))
            }
            Err(ReadError::OffsetOutOfRange(_)) if self.read.offset < now.log_start || self.read.offset > self.end => {
                Ok(())
            }
            Err(ReadError::Unavailable(_)) if excused => Ok(()),
            // After a flush that failed the system may have dropped what it could not write.
            Err(ReadError::Corrupt(_)) if poisoned => Ok(()),
            Err(error) => Err(format!("it fails: {error:?}")),
        }
    }
}

/// Whether a read found what is there, from the offset on, without a gap where there must be none.
pub(super) fn check_read(
    read: &Read,
    outcome: &ReadOutcome,
    partition: &Partition,
    (end, now_ms): (i64, i64),
) -> Promise {
    Walk::new(partition, read.offset, now_ms).take(outcome)?;
    let bytes: usize = outcome.batches.iter().map(|batch| batch.len()).sum();
    if bytes > read.max_bytes && outcome.batches.len() > 1 {
        return Err(format!("it finds {bytes} bytes and asked for {}", read.max_bytes));
    }
    let next = partition.batches_from(read.offset).next();
    let fits = next.is_some_and(|batch| batch.bytes.len() <= read.max_bytes && !partition.policy.compact);
    // Compaction may have left nothing up to the last stable offset.
    let may_be_gone = read.isolation == Isolation::ReadCommitted && partition.policy.compact;
    if read.offset < end && (read.at_least_one_batch || fits) && outcome.batches.is_empty() && !may_be_gone {
        return Err("it finds nothing".into());
    }
    check_committed(read, outcome, partition)
}

impl PendingLookUp {
    fn check(
        &self,
        result: &Result<Option<FoundOffset>, ReadError>,
        now: Option<&Partition>,
        now_ms: i64,
        (excused, poisoned): (bool, bool),
    ) -> Promise {
        let Some(now) = now else { return Ok(()) };
        match result {
            Ok(found) => check_found(self.spec, *found, now, (self.end, now_ms)),
            Err(ReadError::Unavailable(_)) if excused => Ok(()),
            // After a flush that failed the system may have dropped what it could not write.
            Err(ReadError::Corrupt(_)) if poisoned => Ok(()),
            Err(error) => Err(format!("it fails: {error:?}")),
        }
    }
}

/// Whether a look-up found the right record. Records that came or went after it was asked for may count or not, and so may
/// those that compaction may have removed.
pub(super) fn check_found(
    spec: OffsetSpec,
    found: Option<FoundOffset>,
    now: &Partition,
    (end, now_ms): (i64, i64),
) -> Promise {
    let must_be_there = || now.timestamps_from(now.log_start, Some(now_ms));
    let at_least = match spec {
        OffsetSpec::AtOrAfter { timestamp_ms } => timestamp_ms,
        _ => must_be_there().filter(|(at, _)| *at < end).map(|(_, time)| time).max().unwrap_or(i64::MIN),
    };
    let Some(found) = found else {
        return match must_be_there().find(|(at, time)| *time >= at_least && *at < end) {
            Some((at, _)) => Err(format!("it finds nothing; there is offset {at}")),
            None => Ok(()),
        };
    };
    let there = now.timestamps_from(found.offset, None).next();
    if there != Some((found.offset, found.timestamp_ms)) || found.timestamp_ms < at_least {
        return Err(format!("it finds {found:?}, and there is {there:?}"));
    }
    let wanted = match spec {
        OffsetSpec::MaxTimestamp => found.timestamp_ms,
        _ => at_least,
    };
    match must_be_there().find(|(_, time)| *time >= wanted) {
        Some((at, _)) if at < found.offset => Err(format!("it finds offset {}; there is {at} before it", found.offset)),
        _ => Ok(()),
    }
}

impl Shared {
    /// Reads somewhere, rarely outside of what is there.
    pub(super) fn read_somewhere(&mut self) {
        let (Some(engine), Some(partition)) = (self.engine.clone(), self.any_partition()) else { return };
        let Some(found) = self.model.visible.partitions.get(&partition) else { return };
        let (log_start, end, stable) = (found.log_start, found.end, found.bounds().last_stable_offset);
        let (low, high) = if self.rng.once_in(20) { (0, end + 2) } else { (log_start, end) };
        let offset = low + self.rng.between(0, (high - low) as u64) as i64;
        let max_bytes = [1, 300, 4_000, 60_000][self.rng.between(0, 3) as usize];
        let at_least_one_batch = !self.rng.once_in(4);
        let isolation = match self.rng.once_in(2) {
            true => Isolation::ReadCommitted,
            false => Isolation::ReadUncommitted,
        };
        let read = Read { partition, offset, max_bytes, at_least_one_batch, isolation, may_name_file: false };
        let pending = engine.engine().read(read);
        self.reads.push(PendingRead { read, log_start, end, stable, pending });
    }

    /// Looks up an offset by time.
    pub(super) fn look_up_somewhere(&mut self) {
        let (Some(engine), Some(partition)) = (self.engine.clone(), self.any_partition()) else { return };
        let spec = match self.rng.between(0, 3) {
            0 => OffsetSpec::MaxTimestamp,
            _ => OffsetSpec::AtOrAfter { timestamp_ms: self.some_time() },
        };
        let end = self.model.visible.partitions.get(&partition).map_or(0, |found| found.end);
        let pending = engine.engine().list_offset(partition, spec);
        self.look_ups.push(PendingLookUp { partition, spec, end, pending });
    }

    pub(super) fn collect_reads(&mut self) {
        let excuse = (self.life.faulted || self.life.closing, self.is_poisoned());
        let now_ms = self.model.now_ms;
        for mut read in std::mem::take(&mut self.reads) {
            let Some(result) = poll(&mut read.pending) else {
                self.reads.push(read);
                continue;
            };
            let batches = result.as_ref().map_or(0, |outcome| outcome.batches.len());
            self.trace.mix_number(batches as u64);
            let partition = read.read.partition;
            let promise = read.check(&result, self.model.visible.partitions.get(&partition), now_ms, excuse);
            let offset = read.read.offset;
            self.check(promise.map_err(|what| format!("a read of {} at {offset}: {what}", short(partition))));
        }
        for mut look_up in std::mem::take(&mut self.look_ups) {
            let Some(result) = poll(&mut look_up.pending) else {
                self.look_ups.push(look_up);
                continue;
            };
            self.trace.mix_number(result.as_ref().map_or(0, |found| found.map_or(1, |found| found.offset as u64)));
            let (partition, spec) = (look_up.partition, look_up.spec);
            let promise = look_up.check(&result, self.model.visible.partitions.get(&partition), now_ms, excuse);
            self.check(promise.map_err(|what| format!("a look-up of {spec:?} in {}: {what}", short(partition))));
        }
    }
}
