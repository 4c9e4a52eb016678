//! A partition's producers as bytes, for a checkpoint. The container (the local engine's manifest) checks the checksum.
//!
//! ```text
//! snapshot   format: u8 = 2, producers: u32, then each producer in the order of its id
//! producer   id: i64, epoch: i16, last seen: i64 (ms since 1970, by the broker's clock), last timestamp: i64 (of its last batch),
//!            coordinator epoch: i32 (-1: none), end offset: i64 (after its last batch), open from: i64 (-1: no open transaction),
//!            batches: u8 (0 to 5), then each batch, oldest first
//! batch      base sequence: i32, record count: i32, first offset: i64
//! ```
//!
//! All numbers are big-endian. Format 1, which knew no transactions, is read as well: its producers have one to five batches, and
//! nothing between last seen and these.

use std::fmt;

use super::producer::{BatchMemory, NO_COORDINATOR, Producer, Remembered};
use super::{ProducerTable, REMEMBERED_BATCHES};

const FORMAT: u8 = 2;
/// Before there were transactions.
const FIRST_FORMAT: u8 = 1;
/// Stands for no open transaction.
const NOT_OPEN: i64 = -1;
/// The least that a producer takes, in any format.
const PRODUCER_MIN_BYTES: usize = 8 + 2 + 8 + 1 + 4 + 4 + 8;

/// Why bytes are not a snapshot of producers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotError {
    /// A format that this version does not know: a newer Ottla wrote it.
    UnknownFormat(u8),
    /// The bytes end too early.
    TooShort,
    /// Bytes are left over.
    TooLong,
    /// A value that was never written.
    Invalid(&'static str),
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownFormat(format) => {
                write!(f, "producer snapshot of format {format}, this version knows {FORMAT}")
            }
            Self::TooShort => f.write_str("producer snapshot ends too early"),
            Self::TooLong => f.write_str("producer snapshot has bytes left over"),
            Self::Invalid(what) => write!(f, "producer snapshot: {what}"),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl ProducerTable {
    /// Appends the snapshot to `out`. Equal tables give equal bytes. Snapshot only what is durable: a batch that is queued
    /// and then lost in a crash must not be remembered as accepted.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(FORMAT);
        let count = u32::try_from(self.producers.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&count.to_be_bytes());
        for (id, producer) in self.producers.iter().take(count as usize) {
            out.extend_from_slice(&id.to_be_bytes());
            out.extend_from_slice(&producer.epoch.to_be_bytes());
            out.extend_from_slice(&producer.last_seen_ms.to_be_bytes());
            out.extend_from_slice(&producer.last_timestamp_ms.to_be_bytes());
            out.extend_from_slice(&producer.coordinator_epoch.to_be_bytes());
            out.extend_from_slice(&producer.end_offset.to_be_bytes());
            out.extend_from_slice(&producer.open_from.unwrap_or(NOT_OPEN).to_be_bytes());
            out.push(producer.batches.all().len() as u8);
            for batch in producer.batches.all() {
                out.extend_from_slice(&batch.base_sequence.to_be_bytes());
                out.extend_from_slice(&batch.record_count.to_be_bytes());
                out.extend_from_slice(&batch.first_offset.to_be_bytes());
            }
        }
    }

    /// Reads a snapshot that fills `bytes` exactly. Allocates no more than a small multiple of `bytes`.
    ///
    /// # Errors
    /// [`SnapshotError`], where the bytes are not a snapshot.
    pub fn decode(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut rest = bytes;
        let format = u8::from_be_bytes(take(&mut rest)?);
        if format != FORMAT && format != FIRST_FORMAT {
            return Err(SnapshotError::UnknownFormat(format));
        }
        let count = u32::from_be_bytes(take(&mut rest)?);
        if rest.len() / PRODUCER_MIN_BYTES < count as usize {
            return Err(SnapshotError::TooShort);
        }
        let mut table = Self::default();
        for _ in 0..count {
            let (id, producer) = take_producer(format, &mut rest)?;
            if table.producers.last_key_value().is_some_and(|(last, _)| *last >= id) {
                return Err(SnapshotError::Invalid("producer ids are not in order"));
            }
            if producer.open_from.is_some_and(|open_from| table.open.insert(open_from, id).is_some()) {
                return Err(SnapshotError::Invalid("two transactions begin at one offset"));
            }
            table.producers.insert(id, producer);
        }
        if rest.is_empty() { Ok(table) } else { Err(SnapshotError::TooLong) }
    }
}

fn take_producer(format: u8, rest: &mut &[u8]) -> Result<(i64, Producer), SnapshotError> {
    let id = i64::from_be_bytes(take(rest)?);
    let mut producer = Producer::new(i16::from_be_bytes(take(rest)?));
    producer.last_seen_ms = i64::from_be_bytes(take(rest)?);
    if id < 0 || producer.epoch < 0 {
        return Err(SnapshotError::Invalid("negative producer id or epoch"));
    }
    if format != FIRST_FORMAT {
        take_transactions(&mut producer, rest)?;
    }
    let count = usize::from(u8::from_be_bytes(take(rest)?));
    if count > REMEMBERED_BATCHES || (count == 0 && format == FIRST_FORMAT) {
        return Err(SnapshotError::Invalid("a producer has at most five batches"));
    }
    let mut batches = Remembered::default();
    for _ in 0..count {
        batches.push(take_batch(rest)?);
    }
    if format == FIRST_FORMAT {
        producer.end_offset = batches.newest().map_or(0, |newest| newest.end_offset());
    }
    producer.batches = batches;
    Ok((id, producer))
}

fn take_transactions(producer: &mut Producer, rest: &mut &[u8]) -> Result<(), SnapshotError> {
    producer.last_timestamp_ms = i64::from_be_bytes(take(rest)?);
    producer.coordinator_epoch = i32::from_be_bytes(take(rest)?);
    producer.end_offset = i64::from_be_bytes(take(rest)?);
    let open_from = i64::from_be_bytes(take(rest)?);
    if producer.coordinator_epoch < NO_COORDINATOR || producer.end_offset < 0 {
        return Err(SnapshotError::Invalid("a producer with a negative coordinator epoch or offset"));
    }
    if open_from < NOT_OPEN || open_from >= producer.end_offset.max(1) {
        return Err(SnapshotError::Invalid("a transaction begins behind its last batch"));
    }
    producer.open_from = (open_from != NOT_OPEN).then_some(open_from);
    Ok(())
}

fn take_batch(rest: &mut &[u8]) -> Result<BatchMemory, SnapshotError> {
    let base_sequence = i32::from_be_bytes(take(rest)?);
    let record_count = i32::from_be_bytes(take(rest)?);
    let first_offset = i64::from_be_bytes(take(rest)?);
    if base_sequence < 0 || record_count < 1 || first_offset < 0 {
        return Err(SnapshotError::Invalid("a batch with a negative sequence number or offset, or without records"));
    }
    Ok(BatchMemory { base_sequence, record_count, first_offset })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], SnapshotError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(SnapshotError::TooShort)?;
    *rest = tail;
    Ok(*head)
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
