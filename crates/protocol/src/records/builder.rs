//! Building a batch from records.

use bytes::{BufMut, Bytes, BytesMut};

use super::batch::{self, BatchHeader, CONTROL, HEADER_BYTES, MAGIC, TRANSACTIONAL};
use super::varint::{nullable_bytes, put_nullable, put_varlong, varlong_bytes};
use super::{BatchError, Encoding};

/// Collects records into one batch. The setters come before the first record.
#[derive(Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    bytes: BytesMut,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    /// An empty batch at offset 0, without producer id and leader epoch.
    pub fn new() -> Self {
        let mut bytes = BytesMut::with_capacity(256);
        bytes.put_bytes(0, HEADER_BYTES);
        let header = BatchHeader {
            base_offset: 0,
            batch_length: 0,
            partition_leader_epoch: -1,
            magic: MAGIC,
            crc: 0,
            attributes: 0,
            last_offset_delta: -1,
            base_timestamp_ms: 0,
            max_timestamp_ms: 0,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: 0,
        };
        BatchBuilder { header, bytes }
    }

    /// Sets the offset of the first record.
    #[must_use]
    pub fn base_offset(mut self, base_offset: i64) -> Self {
        self.header.base_offset = base_offset;
        self
    }

    /// Sets the leader epoch.
    #[must_use]
    pub fn leader_epoch(mut self, leader_epoch: i32) -> Self {
        self.header.partition_leader_epoch = leader_epoch;
        self
    }

    /// Makes it a batch of an idempotent or transactional producer.
    #[must_use]
    pub fn producer(mut self, producer_id: i64, producer_epoch: i16, base_sequence: i32) -> Self {
        self.header.producer_id = producer_id;
        self.header.producer_epoch = producer_epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// Makes it part of a transaction.
    #[must_use]
    pub fn transactional(mut self) -> Self {
        self.header.attributes |= TRANSACTIONAL;
        self
    }

    /// Makes its records markers of the broker.
    #[must_use]
    pub fn control(mut self) -> Self {
        self.header.attributes |= CONTROL;
        self
    }

    /// Appends a record at the next offset.
    pub fn push(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) {
        self.push_at(self.header.next_offset(), timestamp_ms, key, value, headers);
    }

    /// Appends a record at `offset`, leaving a gap before it if that is larger than the next one.
    ///
    /// # Panics
    /// When `offset` is not behind the last record, or over 2^31 behind the first.
    pub fn push_at(
        &mut self,
        offset: i64,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) {
        let header = &mut self.header;
        let delta = offset.checked_sub(header.base_offset).and_then(|delta| i32::try_from(delta).ok());
        let delta = delta.filter(|&delta| delta > header.last_offset_delta);
        assert!(delta.is_some(), "offset {offset} does not follow {}", header.last_offset());
        header.last_offset_delta = delta.unwrap_or_default();
        if header.record_count == 0 {
            header.base_timestamp_ms = timestamp_ms;
            header.max_timestamp_ms = timestamp_ms;
        }
        header.max_timestamp_ms = header.max_timestamp_ms.max(timestamp_ms);
        header.record_count += 1;
        let timestamp_delta = timestamp_ms.wrapping_sub(header.base_timestamp_ms);
        let offset_delta = i64::from(header.last_offset_delta);
        self.put_record(timestamp_delta, offset_delta, key, value, headers);
    }

    fn put_record(
        &mut self,
        timestamp_delta: i64,
        offset_delta: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) {
        let headers_bytes: usize =
            headers.iter().map(|(name, value)| nullable_bytes(Some(name.as_bytes())) + nullable_bytes(*value)).sum();
        let length = 1
            + varlong_bytes(timestamp_delta)
            + varlong_bytes(offset_delta)
            + nullable_bytes(key)
            + nullable_bytes(value)
            + varlong_bytes(headers.len() as i64)
            + headers_bytes;
        let bytes = &mut self.bytes;
        put_varlong(bytes, length as i64);
        bytes.put_u8(0);
        put_varlong(bytes, timestamp_delta);
        put_varlong(bytes, offset_delta);
        put_nullable(bytes, key);
        put_nullable(bytes, value);
        put_varlong(bytes, headers.len() as i64);
        for (name, value) in headers {
            put_nullable(bytes, Some(name.as_bytes()));
            put_nullable(bytes, *value);
        }
    }

    /// Whether no record was appended.
    pub fn is_empty(&self) -> bool {
        self.header.record_count == 0
    }

    /// Size of the batch so far.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The batch, with its checksum.
    pub fn build(mut self) -> Bytes {
        let written = batch::write_header(&mut self.bytes, &self.header);
        debug_assert!(written.is_ok(), "the buffer begins with room for a header");
        self.bytes.freeze()
    }

    /// The batch, with its records compressed.
    ///
    /// # Errors
    /// When the codec finds no memory.
    pub fn build_compressed(mut self, encoding: Encoding) -> Result<Bytes, BatchError> {
        let mut batch = vec![0; HEADER_BYTES];
        encoding.compress(self.bytes.get(HEADER_BYTES..).unwrap_or_default(), &mut batch)?;
        self.header.attributes |= encoding.compression().number();
        batch::write_header(&mut batch, &self.header)?;
        Ok(batch.into())
    }
}
