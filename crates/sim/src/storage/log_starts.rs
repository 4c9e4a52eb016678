//! Log starts that move: because somebody asked for it, or because records are too old or too many.
//!
//! Retention is nobody's call. The model learns of it as everybody does, from what observers hear, and holds it against the
//! rule. What it was about to do when a process ended may have happened or not.

use ottla_storage::{Engine, LogStartCause, PartitionId, ReadError};

use super::model::{Excuses, Model, Promise, excused};
use super::records::SentRecord;
use super::state::{Effect, Partition, State, short};

/// A move that observers heard of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Moved {
    pub(super) partition: PartitionId,
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) cause: LogStartCause,
}

impl Model {
    /// A DeleteRecords was answered. Observers have heard of it then, if it moved anything.
    pub(super) fn log_start_answered(
        &mut self,
        partition: PartitionId,
        before: i64,
        result: &Result<i64, ReadError>,
        excuses: Excuses,
    ) -> Promise {
        let expected = self.met().decide_log_start(partition, before);
        match (result, expected) {
            (Ok(start), Ok((from, to))) if *start == to && from == to => Ok(()),
            (Ok(start), Ok((from, to))) if *start == to => {
                let moved = Moved { partition, from, to, cause: LogStartCause::DeleteRecords };
                let next = self.heard.iter().position(|heard| heard.partition == partition);
                match next.filter(|next| self.heard[*next] == moved) {
                    Some(next) => drop(self.heard.remove(next)),
                    None => {
                        return Err(format!("observers should have heard of {moved:?}; they heard {:?}", self.heard));
                    }
                }
                self.changed(Effect::LogStart { partition, to })
            }
            // This one error stands for "not done" and for "may have been done".
            (Err(ReadError::Unavailable(why)), expected) => {
                if let (false, Ok((from, to))) = (why.retriable, expected)
                    && from < to
                {
                    self.may_have_happened(Effect::LogStart { partition, to });
                }
                excused(excuses.not_written || excuses.unknown, "DeleteRecords", &why.reason)
            }
            (Err(ReadError::UnknownPartition), Err(None)) => Ok(()),
            (Err(ReadError::OffsetOutOfRange(bounds)), Err(Some(expected))) if *bounds == expected => Ok(()),
            (result, expected) => {
                Err(format!("DeleteRecords was answered {result:?}; it should have been {expected:?}"))
            }
        }
    }

    /// Takes in an answer that may have come after a move by retention which observers heard of together with it.
    pub(super) fn after_retention(
        &mut self,
        partitions: &[PartitionId],
        mut take_in: impl FnMut(&mut Self) -> Promise,
    ) -> Promise {
        loop {
            let Err(what) = take_in(self) else { return Ok(()) };
            let next = self.heard.iter().position(|heard| partitions.contains(&heard.partition));
            let retention = next.filter(|next| self.heard[*next].cause == LogStartCause::Retention);
            match retention.and_then(|next| self.heard.remove(next)) {
                Some(moved) => self.retained(moved)?,
                None => return Err(what),
            }
        }
    }

    /// What is left of what observers heard can only be retention's.
    pub(super) fn take_retention(&mut self) -> Promise {
        while let Some(moved) = self.heard.pop_front() {
            self.retained(moved)?;
        }
        Ok(())
    }

    fn retained(&mut self, moved: Moved) -> Promise {
        let Moved { partition, from, to, cause } = moved;
        // Its topic may be gone.
        let Some(found) = self.visible.partitions.get(&partition) else { return Ok(()) };
        if cause != LogStartCause::Retention || found.log_start != from {
            return Err(format!("observers heard of {moved:?}, and the log start is {}", found.log_start));
        }
        let may = found.may_start_at(to, self.now_ms);
        may.map_err(|what| {
            format!("retention moved the log start of {} from {from} to {to}: {what}", short(partition))
        })?;
        self.changed(Effect::LogStart { partition, to })
    }
}

impl State {
    /// Takes over log starts that retention moved without anybody hearing of it.
    pub(super) fn adopt_log_starts(&mut self, engine: &dyn Engine) {
        for (id, partition) in &mut self.partitions {
            if let Ok(bounds) = engine.bounds(*id) {
                partition.log_start = bounds.log_start_offset.max(partition.log_start);
            }
        }
    }
}

impl Partition {
    /// Whether retention may have moved the log start there by now: only whole batches go, each because enough is left
    /// behind it or because all that must be left of it is too old.
    pub(super) fn may_start_at(&self, to: i64, now_ms: i64) -> Promise {
        if !self.policy.has_bounds() {
            return Err("nothing asks for it".into());
        }
        if to > self.end || !self.batches.iter().any(|batch| batch.end_offset() == to) {
            return Err("no batch ends there".into());
        }
        let is_too_old = |timestamp_ms: i64| {
            self.policy.retention_ms.is_some_and(|most_ms| now_ms.saturating_sub(timestamp_ms) > most_ms)
        };
        let mut left = self.bytes_from(self.log_start);
        for batch in self.batches_from(self.log_start).take_while(|batch| batch.end_offset() <= to) {
            left -= batch.bytes.len();
            if self.policy.retention_bytes.is_some_and(|most| left >= most) {
                continue;
            }
            let stays = |(offset, record): &(i64, SentRecord)| {
                !is_too_old(record.timestamp_ms) && !self.may_be_compacted(batch, *offset, now_ms)
            };
            if let Some((offset, record)) = batch.with_offsets().find(stays) {
                let timestamp_ms = record.timestamp_ms;
                return Err(format!("offset {offset} of {timestamp_ms} was to stay at {now_ms}, by {:?}", self.policy));
            }
        }
        Ok(())
    }

    /// How much the batches hold that end after an offset, as they came.
    pub(super) fn bytes_from(&self, offset: i64) -> usize {
        self.batches_from(offset).map(|batch| batch.bytes.len()).sum()
    }
}
