//! Reading and writing the primitive types of Kafka's records.
//!
//! Every length and count is checked against the bytes that are left before anything is allocated.
use super::RecordError;
use alloc::string::String;
use alloc::vec::Vec;

/// The longest string that a record's two-byte length can carry, in bytes.
const MAX_STRING_BYTES: usize = i16::MAX as usize;

/// Takes primitive types from the front of a slice.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Begins at the front of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    /// There are fewer left; so it is with all that follow.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], RecordError> {
        let (head, rest) = self.rest.split_at_checked(length).ok_or(RecordError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        self.take(N)?.try_into().map_err(|_| RecordError::Truncated)
    }

    /// Two bytes, big-endian.
    pub fn i16(&mut self) -> Result<i16, RecordError> {
        self.array().map(i16::from_be_bytes)
    }

    /// Four bytes, big-endian.
    pub fn i32(&mut self) -> Result<i32, RecordError> {
        self.array().map(i32::from_be_bytes)
    }

    /// Eight bytes, big-endian.
    pub fn i64(&mut self) -> Result<i64, RecordError> {
        self.array().map(i64::from_be_bytes)
    }

    /// An unsigned varint of at most 32 bits.
    pub fn uvarint(&mut self) -> Result<u32, RecordError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.array::<1>()?;
            if shift == 28 && byte > 0x0f {
                return Err(RecordError::BadLength);
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(RecordError::BadLength)
    }

    fn text(&mut self, length: usize) -> Result<String, RecordError> {
        let bytes = self.take(length)?;
        core::str::from_utf8(bytes).map(String::from).map_err(|_| RecordError::NotUtf8)
    }

    /// A string, in the two-byte or (`flexible`) the compact form; `None` for null.
    pub fn nullable_string(&mut self, flexible: bool) -> Result<Option<String>, RecordError> {
        let length = if flexible { i64::from(self.uvarint()?) - 1 } else { i64::from(self.i16()?) };
        match length {
            -1 => Ok(None),
            length => self.text(usize::try_from(length).map_err(|_| RecordError::BadLength)?).map(Some),
        }
    }

    /// A string that is not null, in the two-byte or (`flexible`) the compact form.
    pub fn string(&mut self, flexible: bool) -> Result<String, RecordError> {
        self.nullable_string(flexible)?.ok_or(RecordError::BadLength)
    }

    /// Bytes with a four-byte or (`flexible`) a compact length.
    pub fn bytes(&mut self, flexible: bool) -> Result<Vec<u8>, RecordError> {
        let length = if flexible { i64::from(self.uvarint()?) - 1 } else { i64::from(self.i32()?) };
        Ok(self.take(usize::try_from(length).map_err(|_| RecordError::BadLength)?)?.to_vec())
    }

    /// A count of items of which each takes at least `least_bytes`.
    pub fn count(&mut self, flexible: bool, least_bytes: usize) -> Result<usize, RecordError> {
        self.nullable_count(flexible, least_bytes)?.ok_or(RecordError::BadLength)
    }

    /// The same; `None` for null.
    pub fn nullable_count(&mut self, flexible: bool, least_bytes: usize) -> Result<Option<usize>, RecordError> {
        let count = if flexible { i64::from(self.uvarint()?) - 1 } else { i64::from(self.i32()?) };
        if count == -1 {
            return Ok(None);
        }
        let count = usize::try_from(count).map_err(|_| RecordError::BadLength)?;
        if count > self.rest.len() / least_bytes.max(1) {
            return Err(RecordError::Truncated);
        }
        Ok(Some(count))
    }

    /// The tagged fields at the end of a flexible structure: each is handed to `field` with its tag.
    pub fn tags(&mut self, mut field: impl FnMut(u32, &'a [u8]) -> Result<(), RecordError>) -> Result<(), RecordError> {
        for _ in 0..self.uvarint()? {
            let tag = self.uvarint()?;
            let length = self.uvarint()? as usize;
            field(tag, self.take(length)?)?;
        }
        Ok(())
    }

    /// Refuses bytes that nobody has asked for.
    pub fn finish(self) -> Result<(), RecordError> {
        if self.rest.is_empty() { Ok(()) } else { Err(RecordError::TrailingBytes) }
    }
}

/// Puts primitive types at the end of a buffer.
#[derive(Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A buffer that begins with a version.
    pub fn with_version(version: i16) -> Self {
        // Most keys, and many values, need no more.
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&version.to_be_bytes());
        Writer { bytes }
    }

    /// So many bytes will come.
    pub fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// Four bytes, big-endian.
    pub fn i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// Eight bytes, big-endian.
    pub fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    /// An unsigned varint.
    pub fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.bytes.push((value as u8 & 0x7f) | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// A string with a two-byte length. The coordinator refuses longer names before it records them; should one come
    /// through, it is cut, because a record that cannot be read back would be worse.
    pub fn string(&mut self, value: &str) {
        let mut length = value.len().min(MAX_STRING_BYTES);
        while !value.is_char_boundary(length) {
            length -= 1;
        }
        self.bytes.extend_from_slice(&(length as i16).to_be_bytes());
        self.bytes.extend_from_slice(value.get(..length).unwrap_or_default().as_bytes());
    }

    /// A string with a two-byte length, or null.
    pub fn nullable_string(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.string(value),
            None => self.raw(&(-1i16).to_be_bytes()),
        }
    }

    /// A string with a compact length.
    pub fn compact_string(&mut self, value: &str) {
        self.uvarint(u32::try_from(value.len() + 1).unwrap_or(u32::MAX));
        self.raw(value.as_bytes());
    }

    /// The same, or null.
    pub fn nullable_compact_string(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.compact_string(value),
            None => self.uvarint(0),
        }
    }

    /// How many items follow, in the compact form.
    pub fn compact_count(&mut self, count: usize) {
        self.uvarint(u32::try_from(count + 1).unwrap_or(u32::MAX));
    }

    /// Bytes with a four-byte length.
    pub fn byte_string(&mut self, value: &[u8]) {
        self.i32(i32::try_from(value.len()).unwrap_or(i32::MAX));
        self.raw(value);
    }

    /// Bytes with their length, in the compact form.
    pub fn compact_bytes(&mut self, value: &[u8]) {
        self.uvarint(u32::try_from(value.len() + 1).unwrap_or(u32::MAX));
        self.raw(value);
    }

    /// The end of a flexible structure with one tagged field.
    pub fn tagged(&mut self, tag: u32, field: Vec<u8>) {
        self.uvarint(1);
        self.uvarint(tag);
        self.uvarint(u32::try_from(field.len()).unwrap_or(u32::MAX));
        self.raw(&field);
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
