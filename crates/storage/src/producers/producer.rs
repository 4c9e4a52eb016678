//! What is remembered of one producer.

use ottla_protocol::records::EndMarker;

use super::{REMEMBERED_BATCHES, SEQUENCE_NUMBERS};
use crate::decide::ProducerBatch;

/// No coordinator has ended a transaction yet.
pub(super) const NO_COORDINATOR: i32 = -1;

/// One producer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Producer {
    pub(super) epoch: i16,
    /// When its last batch came, by the engine's clock; milliseconds since 1970.
    pub(super) last_seen_ms: i64,
    /// The largest timestamp in its last batch.
    pub(super) last_timestamp_ms: i64,
    /// The epoch of the coordinator that last ended a transaction of it.
    pub(super) coordinator_epoch: i32,
    /// The offset after its last batch.
    pub(super) end_offset: i64,
    /// Where its open transaction began.
    pub(super) open_from: Option<i64>,
    pub(super) batches: Remembered,
}

/// One accepted batch.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct BatchMemory {
    pub(super) base_sequence: i32,
    pub(super) record_count: i32,
    pub(super) first_offset: i64,
}

/// The last batches of a producer's epoch, oldest first. Empty where the epoch came with a marker, or its batches have no
/// sequence numbers.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Remembered {
    batches: [BatchMemory; REMEMBERED_BATCHES],
    len: u8,
}

impl Producer {
    /// One that is seen for the first time.
    pub(super) fn new(epoch: i16) -> Self {
        Self {
            epoch,
            last_seen_ms: 0,
            last_timestamp_ms: -1,
            coordinator_epoch: NO_COORDINATOR,
            end_offset: 0,
            open_from: None,
            batches: Remembered::default(),
        }
    }

    /// The newest epoch.
    pub(crate) fn epoch(&self) -> i16 {
        self.epoch
    }

    /// The newest epoch of a coordinator; -1 where there was none.
    pub(crate) fn coordinator_epoch(&self) -> i32 {
        self.coordinator_epoch
    }

    /// Where its open transaction began.
    pub(crate) fn open_from(&self) -> Option<i64> {
        self.open_from
    }

    /// The sequence number that comes next in its epoch.
    pub(crate) fn next_sequence(&self) -> i32 {
        self.batches.newest().map_or(0, BatchMemory::next_sequence)
    }

    /// The last sequence number of its epoch; -1 where there is none.
    pub(super) fn last_sequence(&self) -> i32 {
        let last = |batch: BatchMemory| batch.next_sequence().checked_sub(1).filter(|last| *last >= 0);
        self.batches.newest().map_or(-1, |batch| last(batch).unwrap_or(i32::MAX))
    }

    /// First and end offset of a batch that was accepted before, in the producer's epoch.
    pub(crate) fn duplicate(&self, batch: &ProducerBatch) -> Option<(i64, i64)> {
        let same =
            |old: &&BatchMemory| old.base_sequence == batch.base_sequence && old.record_count == batch.record_count;
        self.batches.all().iter().find(same).map(|old| (old.first_offset, old.end_offset()))
    }

    fn seen(&mut self, batch: &ProducerBatch, first_offset: i64, seen_ms: i64) {
        if self.epoch != batch.producer_epoch {
            self.epoch = batch.producer_epoch;
            self.batches = Remembered::default();
        }
        self.last_seen_ms = seen_ms;
        self.last_timestamp_ms = batch.max_timestamp_ms;
        self.end_offset = first_offset.saturating_add(i64::from(batch.record_count));
    }

    /// Takes a batch with records. Answers whether a transaction begins with it.
    pub(super) fn take_records(&mut self, batch: &ProducerBatch, first_offset: i64, seen_ms: i64) -> bool {
        self.seen(batch, first_offset, seen_ms);
        let (base_sequence, record_count) = (batch.base_sequence, batch.record_count);
        if base_sequence >= 0 {
            if self.next_sequence() != base_sequence {
                self.batches = Remembered::default();
            }
            self.batches.push(BatchMemory { base_sequence, record_count, first_offset });
        }
        let begins = batch.transactional && self.open_from.is_none();
        if begins {
            self.open_from = Some(first_offset);
        }
        begins
    }

    /// Takes a marker. Answers where the transaction began that it ends.
    pub(super) fn take_marker(
        &mut self,
        batch: &ProducerBatch,
        marker: EndMarker,
        offset: i64,
        seen_ms: i64,
    ) -> Option<i64> {
        self.seen(batch, offset, seen_ms);
        self.coordinator_epoch = self.coordinator_epoch.max(marker.coordinator_epoch);
        self.open_from.take()
    }
}

impl BatchMemory {
    pub(super) fn end_offset(&self) -> i64 {
        self.first_offset.saturating_add(i64::from(self.record_count))
    }

    fn next_sequence(self) -> i32 {
        let next = (i64::from(self.base_sequence) + i64::from(self.record_count)) % SEQUENCE_NUMBERS;
        i32::try_from(next).unwrap_or(0)
    }
}

impl Remembered {
    pub(super) fn all(&self) -> &[BatchMemory] {
        &self.batches[..usize::from(self.len)]
    }

    pub(super) fn newest(&self) -> Option<BatchMemory> {
        self.all().last().copied()
    }

    pub(super) fn push(&mut self, batch: BatchMemory) {
        if usize::from(self.len) == REMEMBERED_BATCHES {
            self.batches.rotate_left(1);
        } else {
            self.len += 1;
        }
        self.batches[usize::from(self.len) - 1] = batch;
    }
}
