//! Record batches as a client would send them.
//!
//! Compressed batches are made without a compressor: each format can carry bytes as they are.

use bytes::{Bytes, BytesMut};
use ottla_protocol::records::{self, BatchBuilder};

const HEADER_BYTES: usize = 61;
const LENGTH_AT: usize = 8;
const LENGTH_COUNTS_FROM: usize = 12;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const DEFAULT_TIMESTAMP_MS: i64 = 1_000;
const MAX_OPENED_BYTES: usize = 64 << 20;

/// A record as it is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Stored {
    pub(super) offset: i64,
    pub(super) timestamp_ms: i64,
    pub(super) value: String,
}

/// How a batch is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Codec {
    Gzip = 1,
    Snappy = 2,
    Lz4 = 3,
    Zstd = 4,
}

impl Codec {
    pub(super) const ALL: [Self; 4] = [Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];
}

/// One batch to send.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    records: Vec<(i64, String)>,
    producer: Option<(i64, i16, i32)>,
    codec: Option<Codec>,
    append_time_ms: Option<i64>,
    transactional: bool,
    control: bool,
    unreadable: bool,
}

impl Sample {
    pub(super) fn of<V: ToString>(values: &[V]) -> Self {
        Self {
            records: values.iter().map(|value| (DEFAULT_TIMESTAMP_MS, value.to_string())).collect(),
            producer: None,
            codec: None,
            append_time_ms: None,
            transactional: false,
            control: false,
            unreadable: false,
        }
    }

    /// All records at one time.
    pub(super) fn at(mut self, timestamp_ms: i64) -> Self {
        self.records.iter_mut().for_each(|(time, _)| *time = timestamp_ms);
        self
    }

    /// Each record at its own time.
    pub(super) fn times(mut self, timestamps_ms: &[i64]) -> Self {
        assert_eq!(self.records.len(), timestamps_ms.len());
        self.records.iter_mut().zip(timestamps_ms).for_each(|((time, _), given)| *time = *given);
        self
    }

    pub(super) fn by_producer(mut self, id: i64, epoch: i16, sequence: i32) -> Self {
        self.producer = Some((id, epoch, sequence));
        self
    }

    pub(super) fn compressed(mut self, codec: Codec) -> Self {
        self.codec = Some(codec);
        self
    }

    /// With LogAppendTime, set by a broker before it reaches the engine.
    pub(super) fn appended_at(mut self, timestamp_ms: i64) -> Self {
        self.append_time_ms = Some(timestamp_ms);
        self
    }

    pub(super) fn transactional(mut self) -> Self {
        self.transactional = true;
        self
    }

    pub(super) fn control(mut self) -> Self {
        self.control = true;
        self
    }

    /// Says that it is compressed, but what it holds is not; its checksum is right.
    pub(super) fn unreadable(mut self) -> Self {
        self.unreadable = true;
        self
    }

    /// How many records it holds.
    pub(super) fn len(&self) -> i64 {
        self.records.len() as i64
    }

    /// What a reader finds once it is stored.
    pub(super) fn stored_at(&self, first_offset: i64) -> Vec<Stored> {
        let records = (first_offset..).zip(&self.records);
        records.map(|(offset, (time, value))| Stored { offset, timestamp_ms: *time, value: value.clone() }).collect()
    }

    pub(super) fn bytes(&self) -> Bytes {
        let mut builder = BatchBuilder::new();
        if let Some((id, epoch, sequence)) = self.producer {
            builder = builder.producer(id, epoch, sequence);
        }
        if self.transactional {
            builder = builder.transactional();
        }
        if self.control {
            builder = builder.control();
        }
        for (timestamp_ms, value) in &self.records {
            builder.push(*timestamp_ms, None, Some(value.as_bytes()), &[]);
        }
        let plain = builder.build();
        let mut batch = match (self.unreadable, self.codec) {
            (true, _) => with_body(&plain, Codec::Gzip, b"this is not compressed"),
            (false, Some(codec)) => with_body(&plain, codec, &wrap(codec, &plain[HEADER_BYTES..])),
            (false, None) => BytesMut::from(&plain[..]),
        };
        if let Some(timestamp_ms) = self.append_time_ms {
            records::set_log_append_time(&mut batch, timestamp_ms).expect("a batch has room for its time");
        }
        batch.freeze()
    }
}

/// `count` values that begin with `prefix`.
pub(super) fn values(prefix: &str, count: i64) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n}")).collect()
}

/// The records of batches as they were read.
pub(super) fn opened(blob: &Bytes) -> Vec<Stored> {
    let mut found = Vec::new();
    for batch in records::batches(blob) {
        let batch = batch.expect("a read answers whole batches");
        records::validate(batch.bytes).expect("a read answers batches with a right checksum");
        let open = records::open(batch.bytes, MAX_OPENED_BYTES).expect("the batch cannot be opened");
        for record in open.records() {
            let record = record.expect("the record cannot be read");
            let value = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
            found.push(Stored { offset: record.offset, timestamp_ms: record.timestamp_ms, value });
        }
    }
    found
}

/// The header of a batch with other contents.
fn with_body(plain: &[u8], codec: Codec, body: &[u8]) -> BytesMut {
    let mut batch = BytesMut::from(&plain[..HEADER_BYTES]);
    batch.extend_from_slice(body);
    let length = u32::try_from(batch.len() - LENGTH_COUNTS_FROM).expect("a small batch");
    batch[LENGTH_AT..LENGTH_COUNTS_FROM].copy_from_slice(&length.to_be_bytes());
    batch[ATTRIBUTES_AT + 1] = (batch[ATTRIBUTES_AT + 1] & !7) | codec as u8;
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &batch[ATTRIBUTES_AT..]) as u32;
    batch[CRC_AT..ATTRIBUTES_AT].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// `body` in the format of a codec, as it is.
fn wrap(codec: Codec, body: &[u8]) -> Vec<u8> {
    match codec {
        Codec::Gzip => gzip(body),
        Codec::Snappy => snappy(body),
        Codec::Lz4 => lz4(body),
        Codec::Zstd => zstd(body),
    }
}

/// RFC 1952 with stored blocks of RFC 1951.
fn gzip(body: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255];
    for block in body.chunks(0xFFFF) {
        let len = block.len() as u16;
        out.push(0);
        out.extend_from_slice(&len.to_le_bytes());
        out.extend_from_slice(&(!len).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&[1, 0, 0, 0xFF, 0xFF]);
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, body) as u32;
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out
}

/// The raw format: the length, then literals with their lengths in two bytes.
fn snappy(body: &[u8]) -> Vec<u8> {
    let (mut out, mut left) = (Vec::new(), body.len());
    while left >= 0x80 {
        out.push((left & 0x7F) as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
    for literal in body.chunks(1 << 16) {
        out.push(61 << 2);
        out.extend_from_slice(&((literal.len() - 1) as u16).to_le_bytes());
        out.extend_from_slice(literal);
    }
    out
}

/// A frame of uncompressed blocks of at most 64 KiB; its last header byte is a checksum of the two before.
fn lz4(body: &[u8]) -> Vec<u8> {
    let mut out = vec![0x04, 0x22, 0x4D, 0x18, 0x60, 0x40, 0x82];
    for block in body.chunks(1 << 16) {
        out.extend_from_slice(&(block.len() as u32 | 0x8000_0000).to_le_bytes());
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&[0; 4]);
    out
}

/// RFC 8878: one segment with its size, raw blocks, an empty last block.
fn zstd(body: &[u8]) -> Vec<u8> {
    let mut out = vec![0x28, 0xB5, 0x2F, 0xFD, 0b1010_0000];
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    for block in body.chunks(1 << 16) {
        let header = (block.len() as u32) << 3;
        out.extend_from_slice(&header.to_le_bytes()[..3]);
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&[1, 0, 0]);
    out
}
