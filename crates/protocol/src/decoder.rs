//! Reading Kafka's primitive encodings from untrusted bytes.

use std::fmt;

use bytes::Bytes;

/// Bytes of decoded values allowed per byte of input for requests. Real requests stay below: thousands of topics with the
/// shortest names there can be take six to seven. The one known exception: OffsetFetch 8 for all topics of over 380 groups
/// whose ids have fewer than seven letters.
const REQUEST_BUDGET_FACTOR: usize = 8;
/// The same for responses, which come from a broker we chose to talk to and have denser elements (empty strings).
const RESPONSE_BUDGET_FACTOR: usize = 64;
/// Allowed on top, so that short frames of short names pass. With the factor it stays below 8 x the frame + 4 KiB.
const BUDGET_BASE_BYTES: usize = 3 * 1024;

/// Kafka's own limit for a string, also in the compact encoding.
pub(crate) const MAX_STRING_BYTES: usize = i16::MAX as usize;

/// Why bytes are not a value. `field` is the innermost declared field that was being read, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// The field in which it was found.
    pub field: Option<&'static str>,
}

/// What is wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// A value needs more bytes than are left.
    Truncated {
        /// Bytes the value needs.
        needed: u64,
        /// Bytes that are left.
        left: usize,
    },
    /// A length or count that no value can have, such as -2.
    InvalidLength(i64),
    /// An array announces more elements than the bytes left can hold.
    TooManyElements {
        /// Announced elements.
        count: u64,
        /// Bytes that are left.
        left: usize,
    },
    /// The decoded values would need more memory than is allowed for a frame of this size.
    OverBudget,
    /// A null where this version has none.
    UnexpectedNull,
    /// A string that is not UTF-8.
    InvalidUtf8,
    /// A variable-length integer of more than five bytes, or over 32 bits.
    InvalidVarint,
    /// A tagged field whose value does not fill its announced size.
    TagSize,
    /// Bytes are left over after the message.
    TrailingBytes(usize),
    /// The message does not exist in this version.
    UnsupportedVersion(i16),
}

impl DecodeError {
    pub(crate) fn new(kind: DecodeErrorKind) -> Self {
        DecodeError { kind, field: None }
    }

    /// Names the field, unless a deeper one is named already.
    #[doc(hidden)]
    #[must_use]
    pub fn in_field(mut self, field: &'static str) -> Self {
        self.field.get_or_insert(field);
        self
    }
}

impl From<DecodeErrorKind> for DecodeError {
    fn from(kind: DecodeErrorKind) -> Self {
        DecodeError::new(kind)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            DecodeErrorKind::Truncated { needed, left } => write!(f, "{needed} bytes needed, {left} left")?,
            DecodeErrorKind::InvalidLength(length) => write!(f, "invalid length {length}")?,
            DecodeErrorKind::TooManyElements { count, left } => {
                write!(f, "{count} elements announced, {left} bytes left")?;
            }
            DecodeErrorKind::OverBudget => write!(f, "too many small elements for the size of the frame")?,
            DecodeErrorKind::UnexpectedNull => write!(f, "null where this version has none")?,
            DecodeErrorKind::InvalidUtf8 => write!(f, "string is not UTF-8")?,
            DecodeErrorKind::InvalidVarint => write!(f, "invalid variable-length integer")?,
            DecodeErrorKind::TagSize => write!(f, "tagged field does not fill its size")?,
            DecodeErrorKind::TrailingBytes(count) => write!(f, "{count} bytes after the end of the message")?,
            DecodeErrorKind::UnsupportedVersion(version) => write!(f, "version {version} does not exist")?,
        }
        match self.field {
            Some(field) => write!(f, " (in {field})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DecodeError {}

/// A cursor over untrusted bytes. Values borrow from them; what is allocated for arrays is charged to a budget first.
#[derive(Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
    /// The same bytes, shared: lets record bytes be sliced out without a copy.
    shared: Option<&'a Bytes>,
    budget_bytes: usize,
    flexible: bool,
}

impl<'a> Decoder<'a> {
    /// A decoder for one request, whose values may take 8 times the memory of `bytes` (plus 3 KiB).
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::with_factor(bytes, REQUEST_BUDGET_FACTOR)
    }

    /// A decoder for a response out of a shared buffer: record bytes become slices of it.
    pub fn for_response(bytes: &'a Bytes) -> Self {
        Decoder { shared: Some(bytes), ..Self::with_factor(bytes, RESPONSE_BUDGET_FACTOR) }
    }

    fn with_factor(bytes: &'a [u8], factor: usize) -> Self {
        let budget_bytes = bytes.len().saturating_mul(factor).saturating_add(BUDGET_BASE_BYTES);
        Decoder { rest: bytes, shared: None, budget_bytes, flexible: false }
    }

    /// Whether lengths are compact and structs end with tagged fields (KIP-482).
    pub fn is_flexible(&self) -> bool {
        self.flexible
    }

    /// Switches between the plain and the flexible encoding.
    pub fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    /// # Errors
    /// When bytes are left.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(DecodeErrorKind::TrailingBytes(left).into()),
        }
    }

    /// Takes `count` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(DecodeErrorKind::Truncated { needed: count as u64, left: self.rest.len() }.into()),
        }
    }

    /// Takes `N` bytes as an array.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn take_array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(DecodeErrorKind::Truncated { needed: N as u64, left: self.rest.len() }.into()),
        }
    }

    /// An unsigned variable-length integer of at most 32 bits.
    ///
    /// # Errors
    /// When it is longer, or cut off.
    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0u64;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take_array::<1>()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(value).map_err(|_| DecodeErrorKind::InvalidVarint.into());
            }
        }
        Err(DecodeErrorKind::InvalidVarint.into())
    }

    /// The length of a string: 16 bits, or compact. `None` is null. Not yet compared with the bytes left.
    pub(crate) fn string_length(&mut self) -> Result<Option<usize>, DecodeError> {
        let length = if self.flexible {
            i64::from(self.unsigned_varint()?) - 1
        } else {
            i64::from(i16::from_be_bytes(self.take_array()?))
        };
        match optional_length(length)? {
            Some(length) if length > MAX_STRING_BYTES => Err(DecodeErrorKind::InvalidLength(length as i64).into()),
            length => Ok(length),
        }
    }

    /// The length of bytes or the count of an array: 32 bits, or compact. `None` is null.
    pub(crate) fn long_length(&mut self) -> Result<Option<usize>, DecodeError> {
        let length = if self.flexible {
            i64::from(self.unsigned_varint()?) - 1
        } else {
            i64::from(i32::from_be_bytes(self.take_array()?))
        };
        optional_length(length)
    }

    /// Takes `count` bytes as a shared slice: of the buffer the decoder was made from, else as a copy, which is charged.
    pub(crate) fn take_shared(&mut self, count: usize) -> Result<Bytes, DecodeError> {
        let taken = self.take(count)?;
        match self.shared {
            Some(shared) => Ok(shared.slice_ref(taken)),
            None => {
                self.charge(count)?;
                Ok(Bytes::copy_from_slice(taken))
            }
        }
    }

    /// Allows `count` elements of `element_bytes` in memory, each taking at least `wire_bytes` of the input.
    pub(crate) fn allow_elements(
        &mut self,
        count: usize,
        wire_bytes: usize,
        element_bytes: usize,
    ) -> Result<(), DecodeError> {
        if count.checked_mul(wire_bytes.max(1)).is_none_or(|least| least > self.rest.len()) {
            return Err(DecodeErrorKind::TooManyElements { count: count as u64, left: self.rest.len() }.into());
        }
        self.charge(count.saturating_mul(element_bytes))
    }

    fn charge(&mut self, memory_bytes: usize) -> Result<(), DecodeError> {
        match self.budget_bytes.checked_sub(memory_bytes) {
            Some(left) => {
                self.budget_bytes = left;
                Ok(())
            }
            None => Err(DecodeErrorKind::OverBudget.into()),
        }
    }

    /// Restricts the decoder to the next `size` bytes; [`Decoder::widen`] with the returned rest undoes it.
    #[doc(hidden)]
    pub fn narrow(&mut self, size: usize) -> Result<&'a [u8], DecodeError> {
        let inner = self.take(size)?;
        Ok(std::mem::replace(&mut self.rest, inner))
    }

    /// Ends [`Decoder::narrow`].
    #[doc(hidden)]
    pub fn widen(&mut self, rest: &'a [u8]) -> Result<(), DecodeError> {
        if !self.rest.is_empty() {
            return Err(DecodeErrorKind::TagSize.into());
        }
        self.rest = rest;
        Ok(())
    }

    /// Skips a section of tagged fields whose tags we all do not know.
    ///
    /// # Errors
    /// When a size exceeds the bytes left.
    pub fn skip_tagged_fields(&mut self) -> Result<(), DecodeError> {
        for _ in 0..self.unsigned_varint()? {
            self.unsigned_varint()?;
            let size = self.unsigned_varint()?;
            self.take(size as usize)?;
        }
        Ok(())
    }
}

fn optional_length(length: i64) -> Result<Option<usize>, DecodeError> {
    match length {
        -1 => Ok(None),
        length => usize::try_from(length).map(Some).map_err(|_| DecodeErrorKind::InvalidLength(length).into()),
    }
}
