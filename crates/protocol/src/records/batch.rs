//! A batch's header: reading it, checking it, changing it in place.

use crc_fast::crc32_iscsi;

use super::{BatchError, Compression};

/// Size of a batch's header; the records follow.
pub const HEADER_BYTES: usize = 61;

/// Base offset and length, which the length does not count.
const PREFIX_BYTES: usize = 12;
const LENGTH_MIN: i32 = (HEADER_BYTES - PREFIX_BYTES) as i32;

// Where each field lies.
const LENGTH_AT: usize = 8;
const LEADER_EPOCH_AT: usize = 12;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
pub(super) const ATTRIBUTES_AT: usize = 21;
const LAST_OFFSET_DELTA_AT: usize = 23;
const BASE_TIMESTAMP_AT: usize = 27;
const MAX_TIMESTAMP_AT: usize = 35;
const PRODUCER_ID_AT: usize = 43;
const PRODUCER_EPOCH_AT: usize = 51;
const BASE_SEQUENCE_AT: usize = 53;
const RECORD_COUNT_AT: usize = 57;

pub(super) const MAGIC: i8 = 2;
pub(super) const COMPRESSION_MASK: i16 = 0b111;
const LOG_APPEND_TIME: i16 = 1 << 3;
pub(super) const TRANSACTIONAL: i16 = 1 << 4;
pub(super) const CONTROL: i16 = 1 << 5;
pub(super) const DELETE_HORIZON: i16 = 1 << 6;

/// The fields of a batch's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record. Set by the broker; outside the checksum.
    pub base_offset: i64,
    /// Bytes of the batch after this field.
    pub batch_length: i32,
    /// Set by the broker; outside the checksum.
    pub partition_leader_epoch: i32,
    /// The format: 2.
    pub magic: i8,
    /// CRC-32C of everything behind it.
    pub crc: u32,
    /// Compression, timestamp type, transactional, control, delete horizon.
    pub attributes: i16,
    /// Offset of the last record, relative to the first.
    pub last_offset_delta: i32,
    /// Timestamp that those of the records are relative to.
    pub base_timestamp_ms: i64,
    /// The largest timestamp.
    pub max_timestamp_ms: i64,
    /// -1: without a producer id.
    pub producer_id: i64,
    /// Epoch of the producer id.
    pub producer_epoch: i16,
    /// Sequence number of the first record.
    pub base_sequence: i32,
    /// How many records.
    pub record_count: i32,
}

fn read<const N: usize>(header: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[at..at + N]);
    bytes
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`, and checks the format and that the length is possible. Neither the
    /// checksum nor the count is checked; the batch need not be complete.
    ///
    /// # Errors
    /// When the bytes do not begin with the header of a batch of format 2.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        // Older formats have shorter headers but the same place for the format.
        if let Some(&magic) = bytes.get(MAGIC_AT)
            && magic as i8 != MAGIC
        {
            return Err(BatchError::Magic(magic as i8));
        }
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(BatchError::Truncated { needed: HEADER_BYTES as u64, left: bytes.len() });
        };
        let parsed = BatchHeader {
            base_offset: i64::from_be_bytes(read(header, 0)),
            batch_length: i32::from_be_bytes(read(header, LENGTH_AT)),
            partition_leader_epoch: i32::from_be_bytes(read(header, LEADER_EPOCH_AT)),
            magic: MAGIC,
            crc: u32::from_be_bytes(read(header, CRC_AT)),
            attributes: i16::from_be_bytes(read(header, ATTRIBUTES_AT)),
            last_offset_delta: i32::from_be_bytes(read(header, LAST_OFFSET_DELTA_AT)),
            base_timestamp_ms: i64::from_be_bytes(read(header, BASE_TIMESTAMP_AT)),
            max_timestamp_ms: i64::from_be_bytes(read(header, MAX_TIMESTAMP_AT)),
            producer_id: i64::from_be_bytes(read(header, PRODUCER_ID_AT)),
            producer_epoch: i16::from_be_bytes(read(header, PRODUCER_EPOCH_AT)),
            base_sequence: i32::from_be_bytes(read(header, BASE_SEQUENCE_AT)),
            record_count: i32::from_be_bytes(read(header, RECORD_COUNT_AT)),
        };
        if parsed.batch_length < LENGTH_MIN {
            return Err(BatchError::Length(parsed.batch_length));
        }
        Ok(parsed)
    }

    /// Size of the whole batch.
    pub fn total_bytes(&self) -> usize {
        PREFIX_BYTES + self.batch_length.max(0) as usize
    }

    /// Offset of the last record.
    pub fn last_offset(&self) -> i64 {
        self.base_offset.wrapping_add(i64::from(self.last_offset_delta))
    }

    /// Offset of what follows the batch.
    pub fn next_offset(&self) -> i64 {
        self.last_offset().wrapping_add(1)
    }

    /// Sequence number of the last record; they go round from the largest number to 0.
    pub fn last_sequence(&self) -> i32 {
        let last = i64::from(self.base_sequence) + i64::from(self.last_offset_delta);
        if last > i64::from(i32::MAX) { (last - i64::from(i32::MAX) - 1) as i32 } else { last as i32 }
    }

    /// # Errors
    /// When it is none of Kafka's.
    pub fn compression(&self) -> Result<Compression, BatchError> {
        Compression::from_number(self.attributes & COMPRESSION_MASK)
    }

    /// Whether the batch belongs to a transaction.
    pub fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether its records are markers of the broker rather than data.
    pub fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Whether `max_timestamp_ms`, set by the broker, is the timestamp of all records.
    pub fn has_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    /// Whether it comes from an idempotent or transactional producer.
    pub fn has_producer(&self) -> bool {
        self.producer_id >= 0
    }
}

/// Checks a batch from a producer: exactly one, of format 2, with a known compression, as many records as offsets, and the
/// right checksum. The records are not looked at.
///
/// # Errors
/// When any of that is not so.
pub fn validate(batch: &[u8]) -> Result<BatchHeader, BatchError> {
    let header = BatchHeader::parse(batch)?;
    let total_bytes = header.total_bytes();
    if total_bytes > batch.len() {
        return Err(BatchError::Truncated { needed: total_bytes as u64, left: batch.len() });
    }
    if total_bytes < batch.len() {
        return Err(BatchError::Trailing(batch.len() - total_bytes));
    }
    let (record_count, last_offset_delta) = (header.record_count, header.last_offset_delta);
    if record_count <= 0 || i64::from(last_offset_delta) + 1 != i64::from(record_count) {
        return Err(BatchError::Count { record_count, last_offset_delta });
    }
    header.compression()?;
    let computed = checksum(batch);
    if computed != header.crc {
        return Err(BatchError::Crc { stored: header.crc, computed });
    }
    Ok(header)
}

/// Whether the checksum in a batch's header is that of what it covers: all from the attributes on. The rest of it is not
/// looked at.
pub fn matches_checksum(batch: &[u8]) -> bool {
    BatchHeader::parse(batch).is_ok_and(|header| header.crc == checksum(batch))
}

fn checksum(batch: &[u8]) -> u32 {
    crc32_iscsi(batch.get(ATTRIBUTES_AT..).unwrap_or_default())
}

/// One batch among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch<'a> {
    /// Its header.
    pub header: BatchHeader,
    /// The whole batch, header included.
    pub bytes: &'a [u8],
}

/// Goes through batches that lie end to end, by their headers. Ends after the first error; a batch that is cut off at the
/// end, as in fetch responses, is an error too.
pub fn batches(blob: &[u8]) -> Batches<'_> {
    Batches { rest: blob }
}

/// See [`batches`].
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<Batch<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.rest);
        Some(BatchHeader::parse(rest).and_then(|header| {
            let needed = header.total_bytes();
            match rest.split_at_checked(needed) {
                Some((bytes, rest)) => {
                    self.rest = rest;
                    Ok(Batch { header, bytes })
                }
                None => Err(BatchError::Truncated { needed: needed as u64, left: rest.len() }),
            }
        }))
    }
}

fn write(batch: &mut [u8], at: usize, value: &[u8]) -> Result<(), BatchError> {
    let left = batch.len();
    match batch.get_mut(at..at + value.len()) {
        Some(place) if left >= HEADER_BYTES => {
            place.copy_from_slice(value);
            Ok(())
        }
        _ => Err(BatchError::Truncated { needed: HEADER_BYTES as u64, left }),
    }
}

/// Sets the offset of the first record. The checksum does not cover it.
///
/// # Errors
/// When `batch` is shorter than a header.
pub fn set_base_offset(batch: &mut [u8], base_offset: i64) -> Result<(), BatchError> {
    write(batch, 0, &base_offset.to_be_bytes())
}

/// Sets the leader epoch. The checksum does not cover it.
///
/// # Errors
/// When `batch` is shorter than a header.
pub fn set_leader_epoch(batch: &mut [u8], leader_epoch: i32) -> Result<(), BatchError> {
    write(batch, LEADER_EPOCH_AT, &leader_epoch.to_be_bytes())
}

/// Gives all records the broker's time (a topic with LogAppendTime), and the batch a new checksum. `batch` is one whole
/// batch.
///
/// # Errors
/// When `batch` does not begin with a header.
pub fn set_log_append_time(batch: &mut [u8], timestamp_ms: i64) -> Result<(), BatchError> {
    let attributes = BatchHeader::parse(batch)?.attributes | LOG_APPEND_TIME;
    write(batch, ATTRIBUTES_AT, &attributes.to_be_bytes())?;
    write(batch, MAX_TIMESTAMP_AT, &timestamp_ms.to_be_bytes())?;
    set_checksum(batch)
}

/// Makes the timestamps those of the records, with the largest as given, and gives the batch a new checksum. `batch` is one
/// whole batch.
///
/// # Errors
/// When `batch` does not begin with a header.
pub fn set_create_time(batch: &mut [u8], max_timestamp_ms: i64) -> Result<(), BatchError> {
    let attributes = BatchHeader::parse(batch)?.attributes & !LOG_APPEND_TIME;
    write(batch, ATTRIBUTES_AT, &attributes.to_be_bytes())?;
    write(batch, MAX_TIMESTAMP_AT, &max_timestamp_ms.to_be_bytes())?;
    set_checksum(batch)
}

fn set_checksum(batch: &mut [u8]) -> Result<(), BatchError> {
    let crc = checksum(batch);
    write(batch, CRC_AT, &crc.to_be_bytes())
}

/// Writes a header, with length and checksum of what `batch` holds, over its first bytes.
pub(super) fn write_header(batch: &mut [u8], header: &BatchHeader) -> Result<(), BatchError> {
    let length = i32::try_from(batch.len().saturating_sub(PREFIX_BYTES)).unwrap_or(i32::MAX);
    write(batch, 0, &header.base_offset.to_be_bytes())?;
    write(batch, LENGTH_AT, &length.to_be_bytes())?;
    write(batch, LEADER_EPOCH_AT, &header.partition_leader_epoch.to_be_bytes())?;
    write(batch, MAGIC_AT, &header.magic.to_be_bytes())?;
    write(batch, ATTRIBUTES_AT, &header.attributes.to_be_bytes())?;
    write(batch, LAST_OFFSET_DELTA_AT, &header.last_offset_delta.to_be_bytes())?;
    write(batch, BASE_TIMESTAMP_AT, &header.base_timestamp_ms.to_be_bytes())?;
    write(batch, MAX_TIMESTAMP_AT, &header.max_timestamp_ms.to_be_bytes())?;
    write(batch, PRODUCER_ID_AT, &header.producer_id.to_be_bytes())?;
    write(batch, PRODUCER_EPOCH_AT, &header.producer_epoch.to_be_bytes())?;
    write(batch, BASE_SEQUENCE_AT, &header.base_sequence.to_be_bytes())?;
    write(batch, RECORD_COUNT_AT, &header.record_count.to_be_bytes())?;
    set_checksum(batch)
}
