//! One partition in memory: its batches in offset order, and what it knows of producers.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::batches::{self, BatchSpan, LEADER_EPOCH, LookUp};
use crate::decide::{Decision, ProducerBatch, decide_append};
use crate::producers::ProducerTable;
use crate::{Append, AppendError, Appended, Bounds, FoundOffset, OffsetSpec, Read, ReadError, ReadOutcome};

/// There is no clock here, and producers are forgotten by their number alone.
const NO_CLOCK_MS: i64 = 0;

#[derive(Default)]
pub(super) struct Partition {
    log_start_offset: i64,
    end_offset: i64,
    pub(super) batches: VecDeque<StoredBatch>,
    /// The offset up to which the log was compacted.
    pub(super) clean_end: i64,
    producers: ProducerTable,
}

pub(super) struct StoredBatch {
    pub(super) end_offset: i64,
    pub(super) max_timestamp_ms: i64,
    pub(super) bytes: Bytes,
}

impl StoredBatch {
    /// A batch with its offsets; `None` where the bytes are none.
    pub(super) fn of(bytes: Bytes) -> Option<Self> {
        let span = *batches::split(&bytes).ok()?.first()?;
        Some(Self { end_offset: span.end_offset(), max_timestamp_ms: span.max_timestamp_ms, bytes })
    }
}

impl Partition {
    pub(super) fn append(&mut self, append: &Append) -> Result<Appended, AppendError> {
        if append.expected_end.is_some_and(|expected| expected != self.end_offset) {
            return Err(AppendError::UnexpectedEnd { end_offset: self.end_offset });
        }
        let spans = batches::split(&append.batches).map_err(AppendError::Corrupt)?;
        let from_producers: Vec<ProducerBatch> = spans.iter().map(|span| span.producer).collect();
        match decide_append(&self.producers, &from_producers) {
            Decision::Accept => Ok(self.store(&append.batches, &spans)),
            Decision::Duplicate { first_offset, end_offset } => {
                Ok(Appended { first_offset, end_offset, log_start_offset: self.log_start_offset, duplicate: true })
            }
            Decision::Refuse(refusal) => Err(AppendError::Refused(refusal)),
        }
    }

    fn store(&mut self, received: &[u8], spans: &[BatchSpan]) -> Appended {
        let first_offset = self.end_offset;
        let mut bytes = BytesMut::from(received);
        batches::set_offsets(&mut bytes, spans, first_offset);
        let bytes = bytes.freeze();
        for span in spans {
            self.producers.apply(&span.producer, self.end_offset, NO_CLOCK_MS);
            self.end_offset += i64::from(span.record_count);
            self.batches.push_back(StoredBatch {
                end_offset: self.end_offset,
                max_timestamp_ms: span.max_timestamp_ms,
                bytes: bytes.slice(span.range()),
            });
        }
        let (end_offset, log_start_offset) = (self.end_offset, self.log_start_offset);
        Appended { first_offset, end_offset, log_start_offset, duplicate: false }
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            log_start_offset: self.log_start_offset,
            high_watermark: self.end_offset,
            last_stable_offset: self.end_offset,
        }
    }

    pub(super) fn read(&self, read: &Read) -> Result<ReadOutcome, ReadError> {
        let bounds = self.bounds();
        if !(self.log_start_offset..=self.end_offset).contains(&read.offset) {
            return Err(ReadError::OffsetOutOfRange(bounds));
        }
        let first = self.batches.partition_point(|batch| batch.end_offset <= read.offset);
        let mut left_bytes = read.max_bytes;
        let mut found = Vec::new();
        for batch in self.batches.range(first..) {
            let at_least_one = read.at_least_one_batch && found.is_empty();
            if batch.bytes.len() > left_bytes && !at_least_one {
                break;
            }
            left_bytes = left_bytes.saturating_sub(batch.bytes.len());
            found.push(batch.bytes.clone());
        }
        Ok(ReadOutcome { batches: found, bounds })
    }

    /// Answers the log start before and after.
    pub(super) fn delete_records(&mut self, before: i64) -> Result<(i64, i64), ReadError> {
        let before = if before == -1 { self.end_offset } else { before };
        if !(0..=self.end_offset).contains(&before) {
            return Err(ReadError::OffsetOutOfRange(self.bounds()));
        }
        let from = self.log_start_offset;
        self.log_start_offset = from.max(before);
        let gone = self.batches.partition_point(|batch| batch.end_offset <= self.log_start_offset);
        self.batches.drain(..gone);
        Ok((from, self.log_start_offset))
    }

    pub(super) fn list_offset(&self, spec: OffsetSpec) -> Option<FoundOffset> {
        let at = |offset| Some(FoundOffset { offset, timestamp_ms: -1, leader_epoch: LEADER_EPOCH });
        match spec {
            OffsetSpec::Earliest => at(self.log_start_offset),
            OffsetSpec::Latest(_) => at(self.end_offset),
            OffsetSpec::MaxTimestamp => self.first_largest(),
            OffsetSpec::AtOrAfter { timestamp_ms } => self.first_at_or_after(timestamp_ms),
        }
    }

    /// A header may promise a timestamp that lies below the log start or nowhere, so the search goes on where a batch holds
    /// nothing.
    fn first_at_or_after(&self, timestamp_ms: i64) -> Option<FoundOffset> {
        let mut look_up = LookUp::default();
        let candidates = self.batches.iter().filter(|batch| batch.max_timestamp_ms >= timestamp_ms);
        candidates
            .filter_map(|batch| look_up.first_at_or_after(&batch.bytes, timestamp_ms, self.log_start_offset))
            .next()
    }

    /// Usually one batch is opened: the first whose header names the largest timestamp. Only where it does not keep that
    /// promise, all that could hold a larger one are.
    fn first_largest(&self) -> Option<FoundOffset> {
        let largest_ms = self.batches.iter().map(|batch| batch.max_timestamp_ms).max()?;
        let promising = self.batches.iter().find(|batch| batch.max_timestamp_ms == largest_ms)?;
        let mut look_up = LookUp::default();
        let found = look_up.first_largest(&promising.bytes, self.log_start_offset);
        if found.is_some_and(|found| found.timestamp_ms == largest_ms) {
            return found;
        }
        let mut best: Option<FoundOffset> = None;
        for batch in &self.batches {
            if best.is_none_or(|best| batch.max_timestamp_ms > best.timestamp_ms) {
                let found = look_up.first_largest(&batch.bytes, self.log_start_offset);
                let better = found.is_some_and(|found| best.is_none_or(|best| found.timestamp_ms > best.timestamp_ms));
                best = if better { found } else { best };
            }
        }
        best
    }
}
