//! Opening a batch: decompression, and going through its records.

use std::borrow::Cow;

use super::batch::{BatchHeader, HEADER_BYTES};
use super::varint::Cursor;
use super::{BatchError, Compression};

/// A batch whose records can be read.
#[derive(Clone, Debug)]
pub struct OpenBatch<'a> {
    /// Its header.
    pub header: BatchHeader,
    /// The records, decompressed.
    pub(super) records: Cow<'a, [u8]>,
}

/// Opens one batch, decompressing its records to at most `max_bytes`. Uncompressed records are borrowed and not bounded.
/// What is allocated stays under four times `max_bytes` plus [`super::WORKSPACE_BYTES`]. The checksum is not checked.
///
/// # Errors
/// When `batch` is not one whole batch, does not decompress, or is larger than allowed.
pub fn open(batch: &[u8], max_bytes: usize) -> Result<OpenBatch<'_>, BatchError> {
    let header = BatchHeader::parse(batch)?;
    let needed = header.total_bytes();
    let Some((batch_bytes, trailing)) = batch.split_at_checked(needed) else {
        return Err(BatchError::Truncated { needed: needed as u64, left: batch.len() });
    };
    if !trailing.is_empty() {
        return Err(BatchError::Trailing(trailing.len()));
    }
    let body = batch_bytes.get(HEADER_BYTES..).unwrap_or_default();
    let records = match header.compression()? {
        Compression::None => Cow::Borrowed(body),
        compression => Cow::Owned(compression.decompress(body, max_bytes)?),
    };
    Ok(OpenBatch { header, records })
}

impl OpenBatch<'_> {
    /// The records, in order. Ends after the first error; bytes that are left over after the last record are one.
    pub fn records(&self) -> Records<'_> {
        Records { header: self.header, cursor: Cursor { rest: &self.records }, left: self.header.record_count.max(0) }
    }

    /// The records' bytes, decompressed.
    pub fn record_bytes(&self) -> &[u8] {
        &self.records
    }
}

/// One record; everything borrows from the opened batch.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Its offset in the partition.
    pub offset: i64,
    /// Its timestamp.
    pub timestamp_ms: i64,
    /// `None`: without a key.
    pub key: Option<&'a [u8]>,
    /// `None`: a tombstone.
    pub value: Option<&'a [u8]>,
    /// Its headers, which may repeat a name.
    pub headers: Headers<'a>,
    /// All its bytes, from its length on; offset and timestamp in them are relative to the batch's base.
    pub encoded: &'a [u8],
}

/// The headers of a record, checked when the record was read.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'a> {
    cursor: Cursor<'a>,
    count: usize,
}

impl<'a> Headers<'a> {
    /// How many.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Name and value of each, in order, repeated names too.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> + use<'a> {
        let mut cursor = self.cursor;
        (0..self.count).map_while(move |_| read_header(&mut cursor).ok())
    }
}

fn read_header<'a>(cursor: &mut Cursor<'a>) -> Result<(&'a [u8], Option<&'a [u8]>), BatchError> {
    let name = cursor.nullable()?.ok_or(BatchError::Record)?;
    Ok((name, cursor.nullable()?))
}

/// See [`OpenBatch::records`].
#[derive(Clone, Debug)]
pub struct Records<'a> {
    header: BatchHeader,
    cursor: Cursor<'a>,
    left: i32,
}

impl<'a> Records<'a> {
    fn read_record(&mut self) -> Result<Record<'a>, BatchError> {
        let start = self.cursor.rest;
        let length = usize::try_from(self.cursor.varint()?).map_err(|_| BatchError::Record)?;
        let mut cursor = Cursor { rest: self.cursor.take(length)? };
        let _attributes = cursor.byte()?;
        let timestamp_delta = cursor.varlong()?;
        let offset_delta = cursor.varint()?;
        let key = cursor.nullable()?;
        let value = cursor.nullable()?;
        let count = usize::try_from(cursor.varint()?).map_err(|_| BatchError::Record)?;
        let headers = Headers { cursor, count };
        for _ in 0..count {
            read_header(&mut cursor)?;
        }
        if !cursor.rest.is_empty() || offset_delta < 0 {
            return Err(BatchError::Record);
        }
        let timestamp_ms = if self.header.has_log_append_time() {
            self.header.max_timestamp_ms
        } else {
            self.header.base_timestamp_ms.checked_add(timestamp_delta).ok_or(BatchError::Record)?
        };
        let offset = self.header.base_offset.checked_add(i64::from(offset_delta)).ok_or(BatchError::Record)?;
        let encoded = start.get(..start.len() - self.cursor.rest.len()).unwrap_or_default();
        Ok(Record { offset, timestamp_ms, key, value, headers, encoded })
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            let trailing = !std::mem::take(&mut self.cursor.rest).is_empty();
            return trailing.then_some(Err(BatchError::Record));
        }
        self.left -= 1;
        let record = self.read_record();
        if record.is_err() {
            self.left = 0;
            self.cursor.rest = &[];
        }
        Some(record)
    }
}
