//! Writing Kafka's primitive encodings, without copying record bytes.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};

use crate::decoder::MAX_STRING_BYTES;
use crate::field::Chunk;

/// Shared bytes shorter than this are copied: a segment of its own costs more.
const SPLICE_MIN_BYTES: usize = 1024;

/// Why a value cannot be written. Always a mistake of the caller, never of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// A string over 32767 bytes, or bytes or an array over 2 GiB.
    TooLong(usize),
    /// A field of a request is set that this version cannot carry, and leaving it out would change the meaning.
    FieldNotInVersion {
        /// The field's name.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A null of a request that this version cannot carry.
    NullNotInVersion {
        /// The field's name.
        field: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// The message does not exist in this version.
    UnsupportedVersion(i16),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EncodeError::TooLong(length) => write!(f, "a value of length {length} is too long for the wire"),
            EncodeError::FieldNotInVersion { field, version } => write!(f, "version {version} has no field {field}"),
            EncodeError::NullNotInVersion { field, version } => {
                write!(f, "version {version} has no null for field {field}")
            }
            EncodeError::UnsupportedVersion(version) => write!(f, "version {version} does not exist"),
        }
    }
}

impl std::error::Error for EncodeError {}

/// Collects a message as segments: small values together, big shared bytes spliced in as they are.
#[derive(Debug)]
pub struct Encoder {
    /// The segment that was finished first; kept writable because the size prefix of a frame lies in it.
    first: Option<BytesMut>,
    later: Vec<Chunk>,
    current: BytesMut,
    /// Bytes in `first` and `later`.
    finished_bytes: usize,
    flexible: bool,
    strict: bool,
    #[cfg(feature = "sample")]
    pub(crate) quirks: crate::sample::Quirks,
}

impl Encoder {
    /// For a request: a set field or null that the version lacks is an error, because dropping it changes the meaning.
    pub fn for_request() -> Self {
        Self::new(true)
    }

    /// For a response: fields that the version lacks are left out and nulls that it lacks become empty, so that a handler
    /// fills in what it knows and serves every version.
    pub fn for_response() -> Self {
        Self::new(false)
    }

    fn new(strict: bool) -> Self {
        Encoder {
            first: None,
            later: Vec::new(),
            current: BytesMut::new(),
            finished_bytes: 0,
            flexible: false,
            strict,
            #[cfg(feature = "sample")]
            quirks: crate::sample::Quirks::default(),
        }
    }

    /// Whether lengths are compact and structs end with tagged fields (KIP-482).
    pub fn is_flexible(&self) -> bool {
        self.flexible
    }

    /// Switches between the plain and the flexible encoding.
    pub fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// Whether what a version cannot carry is an error ([`Encoder::for_request`]).
    pub fn is_strict(&self) -> bool {
        self.strict
    }

    /// Appends bytes.
    pub fn put_slice(&mut self, bytes: &[u8]) {
        self.current.put_slice(bytes);
    }

    /// Appends shared bytes, without a copy when there are many, or keeps the place of what lies elsewhere.
    pub fn splice(&mut self, chunk: &Chunk) {
        match chunk {
            Chunk::Here(bytes) if bytes.len() < SPLICE_MIN_BYTES => return self.put_slice(bytes),
            Chunk::Elsewhere(0) => return,
            _ => {}
        }
        self.end_segment();
        self.finished_bytes += chunk.len_bytes();
        self.later.push(chunk.clone());
    }

    fn end_segment(&mut self) {
        if self.first.is_none() {
            self.finished_bytes += self.current.len();
            self.first = Some(std::mem::take(&mut self.current));
        } else if !self.current.is_empty() {
            self.finished_bytes += self.current.len();
            self.later.push(Chunk::Here(self.current.split().freeze()));
        }
    }

    /// Appends an unsigned variable-length integer.
    pub fn put_unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.current.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.current.put_u8(value as u8);
    }

    pub(crate) fn put_string(&mut self, string: Option<&str>) -> Result<(), EncodeError> {
        let Some(string) = string else {
            if self.flexible {
                self.put_unsigned_varint(0);
            } else {
                self.current.put_i16(-1);
            }
            return Ok(());
        };
        if string.len() > MAX_STRING_BYTES {
            return Err(EncodeError::TooLong(string.len()));
        }
        if self.flexible {
            self.put_unsigned_varint(string.len() as u32 + 1);
        } else {
            self.current.put_i16(string.len() as i16);
        }
        self.put_slice(string.as_bytes());
        Ok(())
    }

    /// The length of bytes or the count of an array; `None` is null.
    pub(crate) fn put_long_length(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        let length = match length {
            None => -1,
            Some(length) => i32::try_from(length).map_err(|_| EncodeError::TooLong(length))?,
        };
        if self.flexible {
            self.put_unsigned_varint((i64::from(length) + 1) as u32);
        } else {
            self.current.put_i32(length);
        }
        Ok(())
    }

    /// Whether a tagged field is written: only when it is not at its default, which librdkafka 2.0.x would misread.
    #[doc(hidden)]
    pub fn wants_tagged(&self, differs_from_default: bool) -> bool {
        #[cfg(feature = "sample")]
        if self.quirks.write_defaults {
            return true;
        }
        differs_from_default
    }

    /// Opens a section of `count` tagged fields; returns how many unknown ones [`Encoder::end_tagged`] adds (tests only).
    #[doc(hidden)]
    pub fn begin_tagged(&mut self, count: u32) -> u32 {
        #[cfg(feature = "sample")]
        let unknown = self.quirks.plan_unknown_tags();
        #[cfg(not(feature = "sample"))]
        let unknown = 0;
        self.put_unsigned_varint(count + unknown);
        unknown
    }

    /// Closes a section of tagged fields.
    #[doc(hidden)]
    pub fn end_tagged(&mut self, unknown: u32) {
        let _ = unknown;
        #[cfg(feature = "sample")]
        for (tag, value) in self.quirks.unknown_tags(unknown) {
            self.put_unsigned_varint(tag);
            self.put_unsigned_varint(value.len() as u32);
            self.put_slice(&value);
        }
    }

    /// Makes the encoder write what other programs may write, for tests.
    #[cfg(feature = "sample")]
    #[doc(hidden)]
    pub fn set_quirks(&mut self, quirks: crate::sample::Quirks) {
        self.quirks = quirks;
    }

    /// Writes one tagged field: tag, size, and what `value` writes (never record bytes: those would be spliced out of turn).
    #[doc(hidden)]
    pub fn put_tagged(
        &mut self,
        tag: u32,
        value: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        self.put_unsigned_varint(tag);
        let outer = std::mem::take(&mut self.current);
        let result = value(self);
        let inner = std::mem::replace(&mut self.current, outer);
        result?;
        self.put_unsigned_varint(u32::try_from(inner.len()).map_err(|_| EncodeError::TooLong(inner.len()))?);
        self.put_slice(&inner);
        Ok(())
    }

    /// The message without a size prefix, as segments. What lies elsewhere ([`Chunk::Elsewhere`]) has no segment: only
    /// [`encode_response_frame`](crate::frame::encode_response_frame) tells where it belongs.
    pub fn finish(self) -> Vec<Bytes> {
        here(self.finish_chunks())
    }

    fn finish_chunks(mut self) -> Vec<Chunk> {
        self.end_segment();
        let first = self.first.map(|first| Chunk::Here(first.freeze()));
        first.into_iter().chain(self.later).filter(|chunk| chunk.len_bytes() > 0).collect()
    }

    /// The message as a frame: the first four bytes, written by [`Encoder::reserve_size`], become the size of the rest.
    pub(crate) fn finish_frame(mut self) -> Result<Vec<Chunk>, EncodeError> {
        self.end_segment();
        let body_bytes = self.finished_bytes.saturating_sub(4);
        let size = i32::try_from(body_bytes).map_err(|_| EncodeError::TooLong(body_bytes))?;
        if let Some(place) = self.first.as_mut().and_then(|first| first.first_chunk_mut::<4>()) {
            *place = size.to_be_bytes();
        }
        Ok(self.finish_chunks())
    }

    /// Leaves room for the size of a frame; to be called first.
    pub(crate) fn reserve_size(&mut self) {
        self.current.reserve(256);
        self.current.put_i32(0);
    }
}

/// The bytes of those that are here.
pub(crate) fn here(chunks: Vec<Chunk>) -> Vec<Bytes> {
    let bytes = |chunk| match chunk {
        Chunk::Here(bytes) => Some(bytes),
        Chunk::Elsewhere(_) => None,
    };
    chunks.into_iter().filter_map(bytes).collect()
}
