//! Writing a batch again: with another codec, or without some of its records.

use bytes::Bytes;

use super::batch::{COMPRESSION_MASK, HEADER_BYTES, write_header};
use super::{BatchError, BatchHeader, Encoding, OpenBatch, Record};

impl OpenBatch<'_> {
    /// The batch with those of its records that `keep` asks for, compressed as `encoding` says. Everything else stays: the
    /// offsets and timestamps of the records, base and last offset, leader epoch, producer, sequence, attributes. Only the
    /// count and, unless the broker's clock stamped it, the largest timestamp are those of the records that are kept. A
    /// batch of which nothing is kept is only a header, not compressed, with the largest timestamp that it had.
    ///
    /// # Errors
    /// When a record cannot be read, or the codec finds no memory. It is for the caller to know how large the result may be.
    pub fn rebuild(&self, encoding: Encoding, mut keep: impl FnMut(&Record<'_>) -> bool) -> Result<Bytes, BatchError> {
        let mut header = self.header;
        let (mut kept, mut count, mut latest_ms) = (Kept { all: self.record_bytes(), whole: 0, some: None }, 0, None);
        for record in self.records() {
            let record = record?;
            if keep(&record) {
                kept.keep(record.encoded);
                count += 1;
                latest_ms = latest_ms.max(Some(record.timestamp_ms));
            } else {
                kept.leave_out();
            }
        }
        header.record_count = count;
        header.max_timestamp_ms = latest_ms.unwrap_or(header.max_timestamp_ms);
        let encoding = if count == 0 { Encoding::None } else { encoding };
        header.attributes = header.attributes & !COMPRESSION_MASK | encoding.compression().number();
        let mut batch = vec![0; HEADER_BYTES];
        encoding.compress(kept.bytes(), &mut batch)?;
        write_header(&mut batch, &header)?;
        Ok(batch.into())
    }
}

/// The header of a batch without any of its records, as [`OpenBatch::rebuild`] leaves it where nothing is kept. The records need
/// not be readable.
///
/// # Errors
/// When `batch` does not begin with a header.
pub fn without_records(batch: &[u8]) -> Result<Bytes, BatchError> {
    let mut header = BatchHeader::parse(batch)?;
    header.record_count = 0;
    header.attributes &= !COMPRESSION_MASK;
    let mut batch = vec![0; HEADER_BYTES];
    write_header(&mut batch, &header)?;
    Ok(batch.into())
}

/// The bytes of the records that are kept, which are copied only once one is left out.
struct Kept<'a> {
    all: &'a [u8],
    /// How many bytes were kept before anything was left out.
    whole: usize,
    some: Option<Vec<u8>>,
}

impl Kept<'_> {
    fn keep(&mut self, encoded: &[u8]) {
        match &mut self.some {
            Some(some) => some.extend_from_slice(encoded),
            None => self.whole += encoded.len(),
        }
    }

    fn leave_out(&mut self) {
        if self.some.is_none() {
            self.some = Some(self.bytes().to_vec());
        }
    }

    fn bytes(&self) -> &[u8] {
        self.some.as_deref().unwrap_or_else(|| self.all.get(..self.whole).unwrap_or_default())
    }
}
