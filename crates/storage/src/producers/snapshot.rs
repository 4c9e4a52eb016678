//! A partition's producers as bytes, for a checkpoint. The container (the local engine's manifest) checks the checksum.
//!
//! ```text
//! snapshot   format: u8 = 1, producers: u32, then each producer in the order of its id
//! producer   id: i64, epoch: i16, last seen: i64 (ms since 1970, by the broker's clock), batches: u8 (1 to 5), then each batch, oldest first
//! batch      base sequence: i32, record count: i32, first offset: i64
//! ```
//!
//! All numbers are big-endian.

use std::collections::BTreeMap;
use std::fmt;

use super::{BatchMemory, Producer, ProducerTable, REMEMBERED_BATCHES, Remembered};

const FORMAT: u8 = 1;
const BATCH_BYTES: usize = 4 + 4 + 8;
const PRODUCER_HEAD_BYTES: usize = 8 + 2 + 8 + 1;

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
            out.push(producer.batches.len);
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
        if format != FORMAT {
            return Err(SnapshotError::UnknownFormat(format));
        }
        let count = u32::from_be_bytes(take(&mut rest)?);
        if rest.len() / (PRODUCER_HEAD_BYTES + BATCH_BYTES) < count as usize {
            return Err(SnapshotError::TooShort);
        }
        let mut producers = BTreeMap::new();
        for _ in 0..count {
            let (id, producer) = take_producer(&mut rest)?;
            if producers.last_key_value().is_some_and(|(last, _)| *last >= id) {
                return Err(SnapshotError::Invalid("producer ids are not in order"));
            }
            producers.insert(id, producer);
        }
        if rest.is_empty() { Ok(Self { producers }) } else { Err(SnapshotError::TooLong) }
    }
}

fn take_producer(rest: &mut &[u8]) -> Result<(i64, Producer), SnapshotError> {
    let id = i64::from_be_bytes(take(rest)?);
    let epoch = i16::from_be_bytes(take(rest)?);
    let last_seen_ms = i64::from_be_bytes(take(rest)?);
    let count = u8::from_be_bytes(take(rest)?);
    if id < 0 || epoch < 0 {
        return Err(SnapshotError::Invalid("negative producer id or epoch"));
    }
    if count == 0 || usize::from(count) > REMEMBERED_BATCHES {
        return Err(SnapshotError::Invalid("a producer has one to five batches"));
    }
    let mut batches = Remembered::starting_with(take_batch(rest)?);
    for _ in 1..count {
        batches.push(take_batch(rest)?);
    }
    Ok((id, Producer { epoch, last_seen_ms, batches }))
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
