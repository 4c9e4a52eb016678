//! One partition in memory: its batches in offset order, and what it knows of producers.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::ageing::{Aged, Growing, log_start};
use crate::batches::{self, BatchSpan, LEADER_EPOCH, LookUp};
use crate::decide::{Decision, ProducerBatch, decide_append};
use crate::producers::{ProducerDescription, ProducerTable};
use crate::{
    AbortedIndex, Append, AppendError, Appended, Bounds, FoundOffset, Isolation, LogConfig, OffsetSpec, Read,
    ReadError, ReadOutcome,
};

/// There is no clock here, and producers are forgotten by their number alone.
const NO_CLOCK_MS: i64 = 0;

#[derive(Default)]
pub(super) struct Partition {
    log_start_offset: i64,
    end_offset: i64,
    pub(super) batches: VecDeque<StoredBatch>,
    /// The offset up to which the log was compacted.
    pub(super) clean_end: i64,
    /// Where a log on disk would go on in a new file; the last one grows.
    segments: VecDeque<Segment>,
    producers: ProducerTable,
    pub(super) aborted: AbortedIndex,
}

struct Segment {
    growing: Growing,
    aged: Aged,
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
    pub(super) fn end_offset(&self) -> i64 {
        self.end_offset
    }

    pub(super) fn append(&mut self, append: &Append, config: &LogConfig, now_ms: i64) -> Result<Appended, AppendError> {
        let (decision, spans) = self.decide(append)?;
        match decision {
            Decision::Duplicate { first_offset, end_offset } => {
                Ok(Appended { first_offset, end_offset, log_start_offset: self.log_start_offset, duplicate: true })
            }
            _ => Ok(self.store(&append.batches, &spans, config, now_ms)),
        }
    }

    /// What becomes of an append: it is accepted, or a duplicate. Changes nothing.
    pub(super) fn decide(&self, append: &Append) -> Result<(Decision, Vec<BatchSpan>), AppendError> {
        if append.expected_end.is_some_and(|expected| expected != self.end_offset) {
            return Err(AppendError::UnexpectedEnd { end_offset: self.end_offset });
        }
        let spans = batches::split(&append.batches).map_err(AppendError::Corrupt)?;
        let from_producers: Vec<ProducerBatch> = spans.iter().map(|span| span.producer).collect();
        match decide_append(&self.producers, append.origin, &from_producers) {
            Decision::Refuse(refusal) => Err(AppendError::Refused(refusal)),
            decision => Ok((decision, spans)),
        }
    }

    fn store(&mut self, received: &[u8], spans: &[BatchSpan], config: &LogConfig, now_ms: i64) -> Appended {
        let first_offset = self.end_offset;
        let mut bytes = BytesMut::from(received);
        batches::set_offsets(&mut bytes, spans, first_offset);
        let bytes = bytes.freeze();
        for span in spans {
            let aborted = self.producers.apply(&span.producer, self.end_offset, NO_CLOCK_MS);
            aborted.into_iter().for_each(|aborted| self.aborted.push(aborted));
            self.end_offset += i64::from(span.record_count);
            self.count(span, config, now_ms);
            self.batches.push_back(StoredBatch {
                end_offset: self.end_offset,
                max_timestamp_ms: span.max_timestamp_ms,
                bytes: bytes.slice(span.range()),
            });
        }
        let (end_offset, log_start_offset) = (self.end_offset, self.log_start_offset);
        Appended { first_offset, end_offset, log_start_offset, duplicate: false }
    }

    /// Counts the batch that ends at the log's end into the segment that grows, or begins a new one with it.
    fn count(&mut self, span: &BatchSpan, config: &LogConfig, now_ms: i64) {
        let (bytes, timestamp_ms) = (span.len_bytes as u64, span.max_timestamp_ms);
        let ends = |segment: &Segment| segment.growing.ends_before(bytes, timestamp_ms, config, now_ms);
        if self.segments.back().is_none_or(ends) {
            let seed = self.end_offset.unsigned_abs();
            let growing = Growing { bytes: 0, first_timestamp_ms: timestamp_ms, created_ms: now_ms, seed };
            let aged = Aged { end_offset: 0, bytes: 0, max_timestamp_ms: timestamp_ms, written_ms: now_ms };
            self.segments.push_back(Segment { growing, aged });
        }
        if let Some(Segment { growing, aged }) = self.segments.back_mut() {
            growing.add(bytes, timestamp_ms);
            aged.end_offset = self.end_offset;
            aged.bytes += bytes;
            aged.max_timestamp_ms = aged.max_timestamp_ms.max(timestamp_ms);
            aged.written_ms = now_ms;
        }
    }

    /// Counts the segments anew, after compaction took something out of them.
    pub(super) fn recount(&mut self) {
        let mut batches = self.batches.iter().peekable();
        for Segment { aged, .. } in &mut self.segments {
            (aged.bytes, aged.max_timestamp_ms) = (0, i64::MIN);
            while let Some(batch) = batches.next_if(|batch| batch.end_offset <= aged.end_offset) {
                aged.bytes += batch.bytes.len() as u64;
                aged.max_timestamp_ms = aged.max_timestamp_ms.max(batch.max_timestamp_ms);
            }
        }
        self.segments.retain(|segment| segment.aged.bytes > 0);
    }

    /// Drops whole segments that are too old or too much; answers the log start before and after where it moved.
    pub(super) fn retain(&mut self, config: &LogConfig, now_ms: i64) -> Option<(i64, i64)> {
        let segments: Vec<Aged> = self.segments.iter().map(|segment| segment.aged).collect();
        let to = log_start(config, now_ms, &segments)?;
        let (from, to) = self.move_log_start(to);
        (from < to).then_some((from, to))
    }

    /// How many bytes the batches take that end after `offset`.
    pub(super) fn bytes_from(&self, offset: i64) -> u64 {
        let first = self.batches.partition_point(|batch| batch.end_offset <= offset);
        self.batches.iter().skip(first).map(|batch| batch.bytes.len() as u64).sum()
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds::new(self.log_start_offset, self.end_offset, self.producers.first_open_offset())
    }

    pub(super) fn describe_producers(&self) -> Vec<ProducerDescription> {
        self.producers.describe()
    }

    pub(super) fn read(&self, read: &Read) -> Result<ReadOutcome, ReadError> {
        let bounds = self.bounds();
        if !(self.log_start_offset..=self.end_offset).contains(&read.offset) {
            return Err(ReadError::OffsetOutOfRange(bounds));
        }
        let first = self.batches.partition_point(|batch| batch.end_offset <= read.offset);
        let is_committed = read.isolation == Isolation::ReadCommitted;
        let end_offset = if is_committed { bounds.last_stable_offset } else { self.end_offset };
        let mut left_bytes = read.max_bytes;
        let mut found = Vec::new();
        let mut next_offset = None;
        for batch in self.batches.range(first..) {
            let at_least_one = read.at_least_one_batch && found.is_empty();
            if batch.end_offset > end_offset || batch.bytes.len() > left_bytes && !at_least_one {
                break;
            }
            left_bytes = left_bytes.saturating_sub(batch.bytes.len());
            found.push(batch.bytes.clone());
            next_offset = Some(batch.end_offset);
        }
        let aborted = next_offset.filter(|_| is_committed).map(|next| self.aborted.within(read.offset, next));
        Ok(ReadOutcome { batches: found, in_file: None, next_offset, aborted: aborted.unwrap_or_default(), bounds })
    }

    /// Answers the log start before and after.
    pub(super) fn delete_records(&mut self, before: i64) -> Result<(i64, i64), ReadError> {
        let before = if before == -1 { self.end_offset } else { before };
        if !(0..=self.end_offset).contains(&before) {
            return Err(ReadError::OffsetOutOfRange(self.bounds()));
        }
        Ok(self.move_log_start(before))
    }

    fn move_log_start(&mut self, to: i64) -> (i64, i64) {
        let from = self.log_start_offset;
        self.log_start_offset = from.max(to);
        let gone = self.batches.partition_point(|batch| batch.end_offset <= self.log_start_offset);
        self.batches.drain(..gone);
        let gone = self.segments.partition_point(|segment| segment.aged.end_offset <= self.log_start_offset);
        self.segments.drain(..gone);
        self.aborted.forget_before(self.log_start_offset);
        (from, self.log_start_offset)
    }

    pub(super) fn list_offset(&self, spec: OffsetSpec) -> Option<FoundOffset> {
        let at = |offset| Some(FoundOffset { offset, timestamp_ms: -1, leader_epoch: LEADER_EPOCH });
        match spec {
            OffsetSpec::Earliest => at(self.log_start_offset),
            OffsetSpec::Latest(Isolation::ReadUncommitted) => at(self.end_offset),
            OffsetSpec::Latest(Isolation::ReadCommitted) => at(self.bounds().last_stable_offset),
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
