//! What every engine does with the record batches it is given: find their bounds, set their offsets, look into one by time.

use std::ops::Range;

use ottla_protocol::records::{self, BatchHeader};

use crate::FoundOffset;
use crate::decide::ProducerBatch;

/// The leader epoch of every partition: there has never been another leader.
pub const LEADER_EPOCH: i32 = 0;

/// How far one batch is opened for a look-up by time. A batch that is larger when opened is treated like one that cannot be
/// opened.
const MAX_OPENED_BYTES: usize = 32 << 20;

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

    fn of(start: usize, header: &BatchHeader, len_bytes: usize) -> Result<Self, &'static str> {
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
        };
        let (base_offset, max_timestamp_ms) = (header.base_offset, header.max_timestamp_ms);
        Ok(Self { start, len_bytes, base_offset, record_count, max_timestamp_ms, producer })
    }
}

/// Finds the batches that lie end to end in `bytes`; at least one. Reads headers only: checksums are not checked.
///
/// # Errors
/// A sentence, where the bytes are not whole batches.
pub fn split(bytes: &[u8]) -> Result<Vec<BatchSpan>, &'static str> {
    let (mut spans, mut start) = (Vec::new(), 0);
    for batch in records::batches(bytes) {
        let batch = batch.map_err(|_| NOT_BATCHES)?;
        let span = BatchSpan::of(start, &batch.header, batch.bytes.len())?;
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

/// The first record of a stored batch, at `from_offset` or after, whose timestamp is at least `timestamp_ms`.
///
/// Batches are stored as they came, so one may hold what cannot be opened. It must not make every look-up by time fail: such
/// a batch counts as if all its records had the largest timestamp that its header promises.
pub fn first_at_or_after(batch: &[u8], timestamp_ms: i64, from_offset: i64) -> Option<FoundOffset> {
    let mut found = None;
    let opened = each_record(batch, from_offset, |record| {
        if found.is_none() && record.timestamp_ms >= timestamp_ms {
            found = Some(record);
        }
    });
    if opened {
        return found;
    }
    unopened(batch, from_offset).filter(|promised| promised.timestamp_ms >= timestamp_ms)
}

/// The first record of a stored batch, at `from_offset` or after, that has the largest timestamp among those. For batches that
/// cannot be opened see [`first_at_or_after`].
pub fn first_largest(batch: &[u8], from_offset: i64) -> Option<FoundOffset> {
    let mut largest: Option<FoundOffset> = None;
    let opened = each_record(batch, from_offset, |record| {
        if largest.is_none_or(|largest| record.timestamp_ms > largest.timestamp_ms) {
            largest = Some(record);
        }
    });
    if opened { largest } else { unopened(batch, from_offset) }
}

/// Answers whether the batch could be opened to its end.
fn each_record(batch: &[u8], from_offset: i64, mut visit: impl FnMut(FoundOffset)) -> bool {
    let Ok(open) = records::open(batch, MAX_OPENED_BYTES) else {
        return false;
    };
    let leader_epoch = open.header.partition_leader_epoch;
    for record in open.records() {
        let Ok(record) = record else { return false };
        if record.offset >= from_offset {
            visit(FoundOffset { offset: record.offset, timestamp_ms: record.timestamp_ms, leader_epoch });
        }
    }
    true
}

fn unopened(batch: &[u8], from_offset: i64) -> Option<FoundOffset> {
    let header = BatchHeader::parse(batch).ok()?;
    let span = BatchSpan::of(0, &header, batch.len()).ok()?;
    let offset = span.base_offset.max(from_offset);
    let leader_epoch = header.partition_leader_epoch;
    (offset < span.end_offset()).then_some(FoundOffset { offset, timestamp_ms: span.max_timestamp_ms, leader_epoch })
}

#[cfg(test)]
#[path = "batches_tests.rs"]
mod tests;
