//! Records as they were acknowledged, and what compaction may have left of them.

use bytes::{Bytes, BytesMut};
use ottla_protocol::records::{self, BatchHeader, OpenBatch, Record};
use ottla_storage::ReadOutcome;

use super::calls::{Producer, SentBatch};
use super::model::Promise;
use super::state::Partition;

/// How far a batch is opened; larger ones are not made here.
const MAX_OPENED_BYTES: usize = 1 << 20;

/// Attribute bit 6: the base timestamp is the delete horizon.
const HAS_DELETE_HORIZON: i16 = 1 << 6;

/// What the model keeps of one record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SentRecord {
    pub(super) timestamp_ms: i64,
    pub(super) key: Option<u8>,
    pub(super) is_tombstone: bool,
    pub(super) is_marker: bool,
}

/// A batch as it was stored at first.
pub(super) struct Stored {
    pub(super) first_offset: i64,
    pub(super) bytes: Bytes,
    pub(super) records: Vec<SentRecord>,
    pub(super) producer: Option<Producer>,
    /// It came no earlier, by the wall clock.
    pub(super) sent_ms: i64,
}

impl Stored {
    pub(super) fn of(sent: &SentBatch, first_offset: i64) -> Self {
        let mut bytes = BytesMut::from(&sent.bytes[..]);
        bytes[..8].copy_from_slice(&first_offset.to_be_bytes());
        bytes[12..16].copy_from_slice(&0_i32.to_be_bytes());
        let SentBatch { producer, sent_ms, .. } = *sent;
        Self { first_offset, bytes: bytes.freeze(), records: sent.records.clone(), producer, sent_ms }
    }

    /// The producer of the transaction that its records belong to.
    pub(super) fn transaction(&self) -> Option<i64> {
        self.producer.filter(|producer| producer.transactional && producer.marker.is_none()).map(|producer| producer.id)
    }

    pub(super) fn end_offset(&self) -> i64 {
        self.first_offset + self.records.len() as i64
    }

    pub(super) fn with_offsets(&self) -> impl Iterator<Item = (i64, SentRecord)> {
        (self.first_offset..).zip(self.records.iter().copied())
    }

    /// The offsets of those records that a batch which was read still has of it, if it is what compaction makes of it: some of
    /// its records may be missing, and nothing else may differ but for a delete horizon.
    fn offsets_left(&self, found: &[u8]) -> Result<Vec<i64>, String> {
        if self.bytes == found {
            return Ok(self.with_offsets().map(|(offset, _)| offset).collect());
        }
        let (original, rest) = (opened(&self.bytes)?, opened(found)?);
        if !records::matches_checksum(found) {
            return Err("its checksum is wrong".into());
        }
        if identity(&original.header) != identity(&rest.header) {
            return Err(format!("its header is {:?} and was {:?}", rest.header, original.header));
        }
        let mut there = original.records();
        let mut left = Vec::new();
        for record in rest.records() {
            let record = record.map_err(|error| format!("a record cannot be read: {error:?}"))?;
            let is_same = |other: &Record<'_>| (content(other)) == content(&record);
            if !there.by_ref().flatten().any(|other| is_same(&other)) {
                return Err(format!("its record of offset {} is not the one that was acknowledged", record.offset));
            }
            left.push(record.offset);
        }
        Ok(left)
    }
}

fn opened(batch: &[u8]) -> Result<OpenBatch<'_>, String> {
    records::open(batch, MAX_OPENED_BYTES).map_err(|error| format!("it does not open: {error:?}"))
}

/// What compaction leaves of a header.
fn identity(header: &BatchHeader) -> (i64, i32, i32, i16, (i64, i16, i32)) {
    let producer = (header.producer_id, header.producer_epoch, header.base_sequence);
    let attributes = header.attributes & !HAS_DELETE_HORIZON;
    (header.base_offset, header.last_offset_delta, header.partition_leader_epoch, attributes, producer)
}

fn content<'a>(record: &Record<'a>) -> (i64, i64, Option<&'a [u8]>, Option<&'a [u8]>) {
    (record.offset, record.timestamp_ms, record.key, record.value)
}

/// Goes along a partition with what was read of it, and sees to it that nothing is missing that must be there.
pub(super) struct Walk<'a> {
    partition: &'a Partition,
    now_ms: i64,
    from_offset: i64,
    /// The next batch of the partition.
    next: usize,
    /// All records that were found.
    pub(super) found: Vec<(i64, SentRecord)>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(partition: &'a Partition, from_offset: i64, now_ms: i64) -> Self {
        let next = partition.batches.partition_point(|batch| batch.end_offset() <= from_offset);
        Self { partition, now_ms, from_offset, next, found: Vec::new() }
    }

    /// Where the walk is.
    pub(super) fn offset(&self) -> i64 {
        let before = self.next.checked_sub(1).and_then(|last| self.partition.batches.get(last));
        before.map_or(self.from_offset, |batch| batch.end_offset().max(self.from_offset))
    }

    /// Takes in what a read from here found.
    pub(super) fn take(&mut self, outcome: &ReadOutcome) -> Promise {
        for batch in &outcome.batches {
            self.take_batch(batch)?;
        }
        match outcome.next_offset {
            Some(next) if !outcome.batches.is_empty() && next != self.offset() => {
                Err(format!("it says that reading goes on at {next}; the last batch ends at {}", self.offset()))
            }
            _ => Ok(()),
        }
    }

    fn take_batch(&mut self, found: &[u8]) -> Promise {
        let base = found.first_chunk().map_or(-1, |bytes| i64::from_be_bytes(*bytes));
        loop {
            let Some(stored) = self.partition.batches.get(self.next) else {
                return Err(format!("it finds a batch of offset {base} where there is none"));
            };
            self.next += 1;
            let left = match stored.first_offset == base {
                true => stored.offsets_left(found).map_err(|what| format!("the batch of offset {base}: {what}"))?,
                false => Vec::new(),
            };
            self.compare(stored, &left)?;
            if stored.first_offset == base {
                return Ok(());
            }
        }
    }

    /// Notes what is left of a batch.
    fn compare(&mut self, stored: &Stored, left: &[i64]) -> Promise {
        for (offset, record) in stored.with_offsets() {
            if left.contains(&offset) {
                self.found.push((offset, record));
            } else if offset >= self.from_offset && !self.partition.may_be_compacted(stored, offset, self.now_ms) {
                return Err(format!("it does not find the record of offset {offset}"));
            }
        }
        Ok(())
    }

    /// Passes over a batch that cannot be read.
    pub(super) fn pass(&mut self) {
        self.next += 1;
    }

    /// After all was read: a deletion that is gone has not left behind what it deleted.
    pub(super) fn check_deletions(&self) -> Promise {
        if !self.partition.policy.compact {
            return Ok(());
        }
        for (key, newest) in &self.partition.newest {
            let counts = |(offset, record): &&(i64, SentRecord)| {
                record.key == Some(*key) && self.partition.is_committed(*offset)
            };
            let last = self.found.iter().rev().find(counts);
            match last {
                Some((offset, _)) if offset != newest && *newest >= self.from_offset => {
                    return Err(format!("key {key} has its value of offset {offset} again; {newest} deleted it"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
