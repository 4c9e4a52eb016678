//! What a partition remembers of its idempotent producers, so that a batch sent twice is stored once.

mod snapshot;

use std::collections::BTreeMap;

use crate::decide::ProducerBatch;

pub use snapshot::SnapshotError;

/// How many of a producer's batches are remembered. A client may have that many requests in flight, and so send any of
/// them again (KIP-98 fixes five).
pub const REMEMBERED_BATCHES: usize = 5;

/// Sequence numbers run from 0 to `i32::MAX` and then begin anew at 0.
const SEQUENCE_NUMBERS: i64 = 1 << 31;

/// How many producers one partition remembers. Above that the eighth that was silent longest is forgotten, as if their time
/// was over: each takes about 150 bytes, and anyone may come with new ids.
const MAX_PRODUCERS: usize = 64 << 10;

/// The producers of one partition. Holds what is accepted, also where it is not durable yet: see [`crate::decide`].
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct ProducerTable {
    producers: BTreeMap<i64, Producer>,
}

/// One producer.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Producer {
    epoch: i16,
    /// When its last batch came, by the engine's clock; milliseconds since 1970.
    last_seen_ms: i64,
    batches: Remembered,
}

/// One accepted batch.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct BatchMemory {
    base_sequence: i32,
    record_count: i32,
    first_offset: i64,
}

/// The last batches of a producer's epoch, oldest first; never empty.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Remembered {
    batches: [BatchMemory; REMEMBERED_BATCHES],
    len: u8,
}

/// What a table knows about the producer of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Known {
    /// The producer was never seen, or is forgotten.
    Nothing,
    /// The batch's epoch is over.
    NewerEpoch { current: i16 },
    /// The batch begins a new epoch.
    OlderEpoch,
    /// The batch was accepted before.
    Duplicate { first_offset: i64, end_offset: i64 },
    /// The batch is new, in the producer's current epoch.
    SameEpoch { next_sequence: i32 },
}

impl ProducerTable {
    /// A table without producers.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many producers it remembers.
    pub fn len(&self) -> usize {
        self.producers.len()
    }

    /// Whether it remembers none.
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// Notes a batch that lies at `first_offset`: one that was just accepted, or one that is read again from the log at
    /// recovery. What the log holds is right by definition, so nothing is checked; a batch that is noted already (the
    /// snapshot was taken later than the log position it was stored with) changes nothing. Batches of a partition must come
    /// in offset order. `seen_ms` is when it came, milliseconds since 1970.
    ///
    /// A batch that does not follow its producer's last one was accepted when the producer had been forgotten, so what was
    /// before it does not count: a table that is read from an older snapshot comes to the same decisions.
    pub fn apply(&mut self, batch: &ProducerBatch, first_offset: i64, seen_ms: i64) {
        if batch.producer_id < 0 || batch.record_count < 1 {
            return;
        }
        let memory = BatchMemory { base_sequence: batch.base_sequence, record_count: batch.record_count, first_offset };
        match self.producers.get_mut(&batch.producer_id) {
            Some(producer) if first_offset < producer.batches.newest().end_offset() => {}
            Some(producer)
                if producer.epoch == batch.producer_epoch
                    && producer.batches.newest().next_sequence() == batch.base_sequence =>
            {
                producer.batches.push(memory);
                producer.last_seen_ms = seen_ms;
            }
            _ => {
                let batches = Remembered::starting_with(memory);
                let producer = Producer { epoch: batch.producer_epoch, last_seen_ms: seen_ms, batches };
                self.producers.insert(batch.producer_id, producer);
                if self.producers.len() > MAX_PRODUCERS {
                    self.forget_oldest(MAX_PRODUCERS / 8);
                }
            }
        }
    }

    /// Forgets those `count` producers whose last batches have the lowest offsets.
    fn forget_oldest(&mut self, count: usize) {
        let mut offsets: Vec<i64> = self.producers.values().map(Producer::newest_offset).collect();
        if count < offsets.len() {
            let (_, oldest_kept, _) = offsets.select_nth_unstable(count);
            let oldest_kept = *oldest_kept;
            self.producers.retain(|_, producer| producer.newest_offset() >= oldest_kept);
        }
    }

    /// Whether [`ProducerTable::forget_before`] would forget any.
    pub fn has_before(&self, oldest_ms: i64) -> bool {
        self.producers.values().any(|producer| producer.last_seen_ms < oldest_ms)
    }

    /// Forgets producers whose last batch came before `oldest_ms` (milliseconds since 1970), for
    /// `producer.id.expiration.ms`. Answers how many.
    pub fn forget_before(&mut self, oldest_ms: i64) -> usize {
        let before = self.producers.len();
        self.producers.retain(|_, producer| producer.last_seen_ms >= oldest_ms);
        before - self.producers.len()
    }

    pub(crate) fn find(&self, batch: &ProducerBatch) -> Known {
        let Some(producer) = self.producers.get(&batch.producer_id) else {
            return Known::Nothing;
        };
        if batch.producer_epoch < producer.epoch {
            return Known::NewerEpoch { current: producer.epoch };
        }
        if batch.producer_epoch > producer.epoch {
            return Known::OlderEpoch;
        }
        let same =
            |old: &&BatchMemory| old.base_sequence == batch.base_sequence && old.record_count == batch.record_count;
        match producer.batches.all().iter().find(same) {
            Some(old) => Known::Duplicate { first_offset: old.first_offset, end_offset: old.end_offset() },
            None => Known::SameEpoch { next_sequence: producer.batches.newest().next_sequence() },
        }
    }
}

impl Producer {
    fn newest_offset(&self) -> i64 {
        self.batches.newest().first_offset
    }
}

impl BatchMemory {
    fn end_offset(&self) -> i64 {
        self.first_offset.saturating_add(i64::from(self.record_count))
    }

    fn next_sequence(&self) -> i32 {
        let next = (i64::from(self.base_sequence) + i64::from(self.record_count)) % SEQUENCE_NUMBERS;
        i32::try_from(next).unwrap_or(0)
    }
}

impl Remembered {
    fn starting_with(first: BatchMemory) -> Self {
        let mut batches = [BatchMemory::default(); REMEMBERED_BATCHES];
        batches[0] = first;
        Self { batches, len: 1 }
    }

    fn all(&self) -> &[BatchMemory] {
        &self.batches[..usize::from(self.len)]
    }

    fn newest(&self) -> BatchMemory {
        self.all().last().copied().unwrap_or_default()
    }

    fn push(&mut self, batch: BatchMemory) {
        if usize::from(self.len) == REMEMBERED_BATCHES {
            self.batches.rotate_left(1);
        } else {
            self.len += 1;
        }
        self.batches[usize::from(self.len) - 1] = batch;
    }
}

#[cfg(test)]
mod tests;
