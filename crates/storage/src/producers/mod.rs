//! What a partition remembers of its idempotent and transactional producers, so that a batch sent twice is stored once, and
//! that it is known which transactions are open.

mod producer;
mod snapshot;

use std::collections::BTreeMap;

use ottla_protocol::records::EndMarker;

use crate::AbortedTransaction;
use crate::decide::ProducerBatch;

pub(crate) use producer::Producer;

pub use snapshot::SnapshotError;

/// How many of a producer's batches are remembered. A client may have that many requests in flight, and so send any of
/// them again (KIP-98 fixes five).
pub const REMEMBERED_BATCHES: usize = 5;

/// Sequence numbers run from 0 to `i32::MAX` and then begin anew at 0.
const SEQUENCE_NUMBERS: i64 = 1 << 31;

/// How many producers one partition remembers. Above that the eighth that was silent longest is forgotten, as if their time
/// was over: each takes about 200 bytes, and anyone may come with new ids. Those with an open transaction
/// are not forgotten and do not count.
const MAX_PRODUCERS: usize = 64 << 10;

/// The producers of one partition. Holds what is accepted, also where it is not durable yet: see [`crate::decide`].
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct ProducerTable {
    producers: BTreeMap<i64, Producer>,
    /// The open transactions: where each began, and its producer.
    open: BTreeMap<i64, i64>,
}

/// What a partition knows of one producer, for who asks (DescribeProducers, KIP-664).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerDescription {
    /// The producer.
    pub producer_id: i64,
    /// Its newest epoch.
    pub producer_epoch: i16,
    /// The last sequence number in that epoch; -1 where there is none.
    pub last_sequence: i32,
    /// The largest timestamp of its last batch, milliseconds since 1970; -1 where that is not known.
    pub last_timestamp_ms: i64,
    /// The epoch of the coordinator that last ended a transaction of it; -1 where none did.
    pub coordinator_epoch: i32,
    /// Where its open transaction began, if one is open.
    pub transaction_start_offset: Option<i64>,
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

    /// Where the oldest open transaction began; `None` where none is open.
    pub fn first_open_offset(&self) -> Option<i64> {
        self.open.first_key_value().map(|(first_offset, _)| *first_offset)
    }

    /// How many transactions are open.
    pub fn open_transactions(&self) -> usize {
        self.open.len()
    }

    /// All producers, by their ids.
    pub fn describe(&self) -> Vec<ProducerDescription> {
        let describe = |(id, producer): (&i64, &Producer)| ProducerDescription {
            producer_id: *id,
            producer_epoch: producer.epoch,
            last_sequence: producer.last_sequence(),
            last_timestamp_ms: producer.last_timestamp_ms,
            coordinator_epoch: producer.coordinator_epoch,
            transaction_start_offset: producer.open_from,
        };
        self.producers.iter().map(describe).collect()
    }

    pub(crate) fn producer(&self, id: i64) -> Option<&Producer> {
        self.producers.get(&id)
    }

    /// Notes a batch that lies at `first_offset`: one that was just accepted, or one that is read again from the log at
    /// recovery. What the log holds is right by definition, so nothing is checked; a batch that is noted already (the
    /// snapshot was taken later than the log position it was stored with) changes nothing. Batches of a partition must come
    /// in offset order. `seen_ms` is when it came, milliseconds since 1970. Answers the transaction that it aborts.
    ///
    /// A batch that does not follow its producer's last one was accepted when the producer had been forgotten, so what was
    /// before it does not count: a table that is read from an older snapshot comes to the same decisions.
    pub fn apply(&mut self, batch: &ProducerBatch, first_offset: i64, seen_ms: i64) -> Option<AbortedTransaction> {
        let is_unknown_control = batch.control && batch.marker.is_none();
        if batch.producer_id < 0 || batch.record_count < 1 || is_unknown_control {
            return None;
        }
        let id = batch.producer_id;
        let producer = self.producers.entry(id).or_insert_with(|| Producer::new(batch.producer_epoch));
        if first_offset < producer.end_offset {
            return None;
        }
        let aborted = match batch.marker {
            Some(marker) => {
                let began = producer.take_marker(batch, marker, first_offset, seen_ms);
                began.and_then(|began| self.end(id, began, first_offset, marker))
            }
            None => {
                if producer.take_records(batch, first_offset, seen_ms) {
                    self.open.insert(first_offset, id);
                }
                None
            }
        };
        if self.producers.len() - self.open.len() > MAX_PRODUCERS {
            self.forget_oldest(MAX_PRODUCERS / 8);
        }
        aborted
    }

    /// A transaction ends with the marker at `offset`.
    fn end(&mut self, producer_id: i64, began: i64, offset: i64, marker: EndMarker) -> Option<AbortedTransaction> {
        self.open.remove(&began);
        let last_stable_offset = self.first_open_offset().unwrap_or(offset.saturating_add(1));
        let aborted = AbortedTransaction { producer_id, first_offset: began, last_offset: offset, last_stable_offset };
        (!marker.is_commit).then_some(aborted)
    }

    /// Forgets those `count` producers without an open transaction whose last batches have the lowest offsets.
    fn forget_oldest(&mut self, count: usize) {
        let idle = self.producers.values().filter(|producer| producer.open_from.is_none());
        let mut offsets: Vec<i64> = idle.map(|producer| producer.end_offset).collect();
        if count < offsets.len() {
            let (_, oldest_kept, _) = offsets.select_nth_unstable(count);
            let oldest_kept = *oldest_kept;
            self.producers.retain(|_, producer| producer.end_offset >= oldest_kept || producer.open_from.is_some());
        }
    }

    /// Whether [`ProducerTable::forget_before`] would forget any.
    pub fn has_before(&self, oldest_ms: i64) -> bool {
        self.producers.values().any(|producer| !stays(producer, oldest_ms))
    }

    /// Forgets producers whose last batch came before `oldest_ms` (milliseconds since 1970), for
    /// `producer.id.expiration.ms`, but for those with an open transaction. Answers how many.
    pub fn forget_before(&mut self, oldest_ms: i64) -> usize {
        let before = self.producers.len();
        self.producers.retain(|_, producer| stays(producer, oldest_ms));
        before - self.producers.len()
    }
}

/// Whether a producer is remembered where those are forgotten whose last batch came before `oldest_ms`.
fn stays(producer: &Producer, oldest_ms: i64) -> bool {
    producer.last_seen_ms >= oldest_ms || producer.open_from.is_some()
}

#[cfg(test)]
mod tests;
