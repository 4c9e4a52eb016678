//! What every engine does with the record batches it is given: find their bounds, set their offsets, look into one by time.

use std::collections::BTreeSet;
use std::ops::Range;

use ottla_protocol::records::{self, BatchHeader, EndMarker};

use crate::decide::ProducerBatch;
use crate::{AppendError, FoundOffset, PartitionId};

/// The leader epoch of every partition: there has never been another leader.
pub const LEADER_EPOCH: i32 = 0;

/// How far one batch is opened for a look-up by time. A batch that is larger when opened is treated like one that cannot be
/// opened.
const MAX_OPENED_BYTES: usize = 32 << 20;

/// How much one look-up by time opens in all, about. Headers may promise timestamps that no record has, and a small batch
/// may be a large one when opened; without a bound a look-up could keep its thread for minutes.
const MAX_LOOK_UP_BYTES: usize = 64 << 20;

/// What opening one batch costs besides its bytes: finding and reading it.
const OPENING_COST_BYTES: usize = 64 << 10;

const NOT_BATCHES: &str = "the bytes are not whole record batches of format 2";

/// One batch of several that lie end to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchSpan {
    /// Where it begins among the bytes.
    pub start: usize,
    /// Its length with its header.
    pub len_bytes: usize,
    /// The base offset in its header. In what a client sends it means nothing.
    pub base_offset: i64,
    /// How many offsets it takes: its last offset delta and one. At least 1.
    pub record_count: i32,
    /// The largest timestamp that its header promises, milliseconds since 1970.
    pub max_timestamp_ms: i64,
    /// What it says about its producer.
    pub producer: ProducerBatch,
}

impl BatchSpan {
    /// Where it lies among the bytes.
    pub fn range(&self) -> Range<usize> {
        self.start..self.start + self.len_bytes
    }

    /// The offset after its last record, by its header.
    pub fn end_offset(&self) -> i64 {
        self.base_offset.saturating_add(i64::from(self.record_count))
    }

    fn of(start: usize, header: &BatchHeader, batch: &[u8]) -> Result<Self, &'static str> {
        let len_bytes = batch.len();
        let record_count = header.last_offset_delta.checked_add(1).filter(|count| *count > 0);
        let record_count = record_count.ok_or("a batch has an impossible last offset delta")?;
        let producer = ProducerBatch {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            record_count,
            max_timestamp_ms: header.max_timestamp_ms,
            transactional: header.is_transactional(),
            control: header.is_control(),
            // A batch of records is not looked into.
            marker: if header.is_control() { EndMarker::of(batch) } else { None },
        };
        let (base_offset, max_timestamp_ms) = (header.base_offset, header.max_timestamp_ms);
        Ok(Self { start, len_bytes, base_offset, record_count, max_timestamp_ms, producer })
    }
}

/// Finds the batches that lie end to end in `bytes`; at least one. Reads headers only, and the markers of transactions: checksums
/// are not checked.
///
/// # Errors
/// A sentence, where the bytes are not whole batches.
pub fn split(bytes: &[u8]) -> Result<Vec<BatchSpan>, &'static str> {
    let (mut spans, mut start) = (Vec::new(), 0);
    for batch in records::batches(bytes) {
        let batch = batch.map_err(|_| NOT_BATCHES)?;
        let span = BatchSpan::of(start, &batch.header, batch.bytes)?;
        start = span.range().end;
        spans.push(span);
    }
    if start == bytes.len() && start > 0 { Ok(spans) } else { Err(NOT_BATCHES) }
}

/// Gives the batches the offsets from `first_offset` on, and the leader epoch, in place; both lie outside of a batch's
/// checksum. Answers the offset after the last record. `spans` must come from [`split`] of the same bytes.
pub fn set_offsets(bytes: &mut [u8], spans: &[BatchSpan], first_offset: i64) -> i64 {
    let mut next_offset = first_offset;
    for span in spans {
        if let Some(batch) = bytes.get_mut(span.range()) {
            let set = records::set_base_offset(batch, next_offset).and(records::set_leader_epoch(batch, LEADER_EPOCH));
            debug_assert!(set.is_ok(), "a batch that was found is long enough for its header");
        }
        next_offset = next_offset.saturating_add(i64::from(span.record_count));
    }
    next_offset
}

/// That an atomic append names no partition twice: what the second one meets would not be there before the first is decided.
pub(crate) fn check_distinct(partitions: impl Iterator<Item = PartitionId>) -> Result<(), AppendError> {
    let mut named = BTreeSet::new();
    for partition in partitions {
        if !named.insert(partition) {
            return Err(AppendError::Corrupt("an atomic append names a partition twice"));
        }
    }
    Ok(())
}

/// Opens batches for one look-up by time, as long as it has not opened too much; then it goes by headers alone.
#[derive(Debug)]
pub struct LookUp {
    left_bytes: usize,
}

impl Default for LookUp {
    fn default() -> Self {
        Self { left_bytes: MAX_LOOK_UP_BYTES }
    }
}

impl LookUp {
    /// Whether it opens nothing any more.
    pub fn is_spent(&self) -> bool {
        self.left_bytes == 0
    }

    /// The first record of a stored batch, at `from_offset` or after, whose timestamp is at least `timestamp_ms`.
    ///
    /// Batches are stored as they came, so one may hold what cannot be opened. It must not make every look-up by time fail:
    /// such a batch counts as if all its records had the largest timestamp that its header promises. So does every batch
    /// once the look-up has opened enough.
    pub fn first_at_or_after(&mut self, batch: &[u8], timestamp_ms: i64, from_offset: i64) -> Option<FoundOffset> {
        let mut found = None;
        let opened = self.each_record(batch, from_offset, |record| {
            if found.is_none() && record.timestamp_ms >= timestamp_ms {
                found = Some(record);
            }
        });
        if opened {
            return found;
        }
        unopened(batch, from_offset).filter(|promised| promised.timestamp_ms >= timestamp_ms)
    }

    /// The first record of a stored batch, at `from_offset` or after, that has the largest timestamp among those. For batches
    /// that are not opened see [`LookUp::first_at_or_after`].
    pub fn first_largest(&mut self, batch: &[u8], from_offset: i64) -> Option<FoundOffset> {
        let mut largest: Option<FoundOffset> = None;
        let opened = self.each_record(batch, from_offset, |record| {
            if largest.is_none_or(|largest| record.timestamp_ms > largest.timestamp_ms) {
                largest = Some(record);
            }
        });
        if opened { largest } else { unopened(batch, from_offset) }
    }

    /// Answers whether the batch could be opened to its end.
    fn each_record(&mut self, batch: &[u8], from_offset: i64, mut visit: impl FnMut(FoundOffset)) -> bool {
        if self.is_spent() {
            return false;
        }
        let opened = records::open(batch, MAX_OPENED_BYTES);
        // One that could not be opened may have cost as much as one that could.
        let cost_bytes = opened.as_ref().map_or(MAX_OPENED_BYTES, |open| open.record_bytes().len());
        self.left_bytes = self.left_bytes.saturating_sub(cost_bytes + OPENING_COST_BYTES);
        let Ok(open) = opened else { return false };
        let leader_epoch = open.header.partition_leader_epoch;
        for record in open.records() {
            let Ok(record) = record else { return false };
            if record.offset >= from_offset {
                visit(FoundOffset { offset: record.offset, timestamp_ms: record.timestamp_ms, leader_epoch });
            }
        }
        true
    }
}

fn unopened(batch: &[u8], from_offset: i64) -> Option<FoundOffset> {
    let header = BatchHeader::parse(batch).ok()?;
    let span = BatchSpan::of(0, &header, batch).ok()?;
    let offset = span.base_offset.max(from_offset);
    let leader_epoch = header.partition_leader_epoch;
    (offset < span.end_offset()).then_some(FoundOffset { offset, timestamp_ms: span.max_timestamp_ms, leader_epoch })
}

#[cfg(test)]
#[path = "batches_tests.rs"]
mod tests;
