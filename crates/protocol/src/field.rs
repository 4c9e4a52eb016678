//! How each field type of a message is read and written.

use std::borrow::Cow;

use bytes::Bytes;

use crate::decoder::{DecodeError, DecodeErrorKind, Decoder};
use crate::encoder::{EncodeError, Encoder};
use crate::{ErrorCode, Uuid};

/// A string of a message: borrowed from the frame when decoded.
pub type Str<'a> = Cow<'a, str>;
/// Bytes of a message: borrowed from the frame when decoded.
pub type Blob<'a> = Cow<'a, [u8]>;

/// A type that a message's field may have. The version decides what structs contain; the plain or flexible encoding is the
/// decoder's and the encoder's state.
pub trait Field<'a>: Sized {
    /// The fewest bytes any value takes in this version.
    fn min_bytes(version: i16, flexible: bool) -> usize;

    /// # Errors
    /// When the bytes are no such value.
    fn read(decoder: &mut Decoder<'a>, version: i16) -> Result<Self, DecodeError>;

    /// # Errors
    /// When the version cannot carry the value.
    fn write(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError>;

    /// Whether this is a null.
    fn is_null(&self) -> bool {
        false
    }

    /// Writes the empty value that stands for a null in a version without nulls.
    ///
    /// # Errors
    /// Never for the types that can be null.
    fn write_empty(encoder: &mut Encoder, version: i16) -> Result<(), EncodeError>;
}

/// A type with a null on the wire, which is `None` of its `Option`.
pub trait Nullable<'a>: Field<'a> {
    /// # Errors
    /// When the bytes are no such value.
    fn read_nullable(decoder: &mut Decoder<'a>, version: i16) -> Result<Option<Self>, DecodeError>;

    /// # Errors
    /// When the version cannot carry the value.
    fn write_null(encoder: &mut Encoder) -> Result<(), EncodeError>;
}

fn present<T>(value: Option<T>) -> Result<T, DecodeError> {
    value.ok_or(DecodeError::new(DecodeErrorKind::UnexpectedNull))
}

impl<'a, T: Nullable<'a>> Field<'a> for Option<T> {
    fn min_bytes(version: i16, flexible: bool) -> usize {
        T::min_bytes(version, flexible)
    }

    fn read(decoder: &mut Decoder<'a>, version: i16) -> Result<Self, DecodeError> {
        T::read_nullable(decoder, version)
    }

    fn write(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        match self {
            Some(value) => value.write(encoder, version),
            None => T::write_null(encoder),
        }
    }

    fn is_null(&self) -> bool {
        self.is_none()
    }

    fn write_empty(encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        T::write_empty(encoder, version)
    }
}

macro_rules! fixed_size {
    ($($type:ty, $bytes:literal, $from:expr, $to:expr;)*) => { $(
        impl<'a> Field<'a> for $type {
            fn min_bytes(_version: i16, _flexible: bool) -> usize {
                $bytes
            }

            #[inline]
            fn read(decoder: &mut Decoder<'a>, _version: i16) -> Result<Self, DecodeError> {
                let bytes: [u8; $bytes] = decoder.take_array()?;
                Ok($from(bytes))
            }

            #[inline]
            fn write(&self, encoder: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
                encoder.put_slice(&$to(*self));
                Ok(())
            }

            fn write_empty(encoder: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
                encoder.put_slice(&[0; $bytes]);
                Ok(())
            }
        }
    )* };
}

fixed_size! {
    bool, 1, |bytes: [u8; 1]| bytes[0] != 0, |value| [u8::from(value)];
    i8, 1, i8::from_be_bytes, i8::to_be_bytes;
    i16, 2, i16::from_be_bytes, i16::to_be_bytes;
    u16, 2, u16::from_be_bytes, u16::to_be_bytes;
    i32, 4, i32::from_be_bytes, i32::to_be_bytes;
    i64, 8, i64::from_be_bytes, i64::to_be_bytes;
    f64, 8, f64::from_be_bytes, f64::to_be_bytes;
    Uuid, 16, Uuid, |value: Uuid| value.0;
    ErrorCode, 2, |bytes| ErrorCode(i16::from_be_bytes(bytes)), |value: ErrorCode| value.0.to_be_bytes();
}

impl<'a> Field<'a> for Str<'a> {
    fn min_bytes(_version: i16, flexible: bool) -> usize {
        if flexible { 1 } else { 2 }
    }

    fn read(decoder: &mut Decoder<'a>, version: i16) -> Result<Self, DecodeError> {
        present(Self::read_nullable(decoder, version)?)
    }

    fn write(&self, encoder: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        encoder.put_string(Some(self))
    }

    fn write_empty(encoder: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        encoder.put_string(Some(""))
    }
}

impl<'a> Nullable<'a> for Str<'a> {
    fn read_nullable(decoder: &mut Decoder<'a>, _version: i16) -> Result<Option<Self>, DecodeError> {
        let Some(length) = decoder.string_length()? else { return Ok(None) };
        let text = std::str::from_utf8(decoder.take(length)?).map_err(|_| DecodeErrorKind::InvalidUtf8)?;
        Ok(Some(Cow::Borrowed(text)))
    }

    fn write_null(encoder: &mut Encoder) -> Result<(), EncodeError> {
        encoder.put_string(None)
    }
}

impl<'a> Field<'a> for Blob<'a> {
    fn min_bytes(_version: i16, flexible: bool) -> usize {
        if flexible { 1 } else { 4 }
    }

    fn read(decoder: &mut Decoder<'a>, version: i16) -> Result<Self, DecodeError> {
        present(Self::read_nullable(decoder, version)?)
    }

    fn write(&self, encoder: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        encoder.put_long_length(Some(self.len()))?;
        encoder.put_slice(self);
        Ok(())
    }

    fn write_empty(encoder: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        encoder.put_long_length(Some(0))
    }
}

impl<'a> Nullable<'a> for Blob<'a> {
    fn read_nullable(decoder: &mut Decoder<'a>, _version: i16) -> Result<Option<Self>, DecodeError> {
        let Some(length) = decoder.long_length()? else { return Ok(None) };
        Ok(Some(Cow::Borrowed(decoder.take(length)?)))
    }

    fn write_null(encoder: &mut Encoder) -> Result<(), EncodeError> {
        encoder.put_long_length(None)
    }
}

impl<'a, T: Field<'a>> Field<'a> for Vec<T> {
    fn min_bytes(_version: i16, flexible: bool) -> usize {
        if flexible { 1 } else { 4 }
    }

    fn read(decoder: &mut Decoder<'a>, version: i16) -> Result<Self, DecodeError> {
        present(Self::read_nullable(decoder, version)?)
    }

    fn write(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        encoder.put_long_length(Some(self.len()))?;
        self.iter().try_for_each(|element| element.write(encoder, version))
    }

    fn write_empty(encoder: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        encoder.put_long_length(Some(0))
    }
}

impl<'a, T: Field<'a>> Nullable<'a> for Vec<T> {
    fn read_nullable(decoder: &mut Decoder<'a>, version: i16) -> Result<Option<Self>, DecodeError> {
        let Some(count) = decoder.long_length()? else { return Ok(None) };
        decoder.allow_elements(count, T::min_bytes(version, decoder.is_flexible()), size_of::<T>())?;
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(T::read(decoder, version)?);
        }
        Ok(Some(elements))
    }

    fn write_null(encoder: &mut Encoder) -> Result<(), EncodeError> {
        encoder.put_long_length(None)
    }
}

/// A struct that may be null: a byte says whether it follows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptionalStruct<T>(pub Option<T>);

const NULL_STRUCT: u8 = 0xff;
const STRUCT_FOLLOWS: u8 = 1;

impl<'a, T: Field<'a>> Field<'a> for OptionalStruct<T> {
    fn min_bytes(_version: i16, _flexible: bool) -> usize {
        1
    }

    fn read(decoder: &mut Decoder<'a>, version: i16) -> Result<Self, DecodeError> {
        let [marker] = decoder.take_array()?;
        // Kafka takes every negative one for a null.
        let is_null = marker >= 0x80;
        if is_null {
            Ok(OptionalStruct(None))
        } else {
            T::read(decoder, version).map(|value| OptionalStruct(Some(value)))
        }
    }

    fn write(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        match &self.0 {
            None => {
                encoder.put_slice(&[NULL_STRUCT]);
                Ok(())
            }
            Some(value) => {
                encoder.put_slice(&[STRUCT_FOLLOWS]);
                value.write(encoder, version)
            }
        }
    }

    fn write_empty(encoder: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        encoder.put_slice(&[NULL_STRUCT]);
        Ok(())
    }
}

/// A part of a message, or of its records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Chunk {
    /// These bytes.
    Here(Bytes),
    /// So many bytes that whoever sends the message takes from somewhere else, a file for instance: they count, and their
    /// place is kept, but they never come into memory.
    Elsewhere(usize),
}

impl Chunk {
    /// Its size.
    pub fn len_bytes(&self) -> usize {
        match self {
            Chunk::Here(bytes) => bytes.len(),
            Chunk::Elsewhere(bytes) => *bytes,
        }
    }

    /// The bytes, where they are here.
    pub fn bytes(&self) -> Option<&Bytes> {
        match self {
            Chunk::Here(bytes) => Some(bytes),
            Chunk::Elsewhere(_) => None,
        }
    }
}

/// Record batches of one partition in a fetch response: chunks that are sent as they are, one after the other.
#[derive(Clone, Debug, Default)]
pub struct RecordChunks(pub Vec<Chunk>);

impl RecordChunks {
    /// The size of all chunks.
    pub fn len_bytes(&self) -> usize {
        self.0.iter().map(Chunk::len_bytes).sum()
    }

    /// The chunks whose bytes are here. What is received has no others.
    pub fn here(&self) -> impl Iterator<Item = &Bytes> {
        self.0.iter().filter_map(Chunk::bytes)
    }

    /// The bytes of all chunks that are here, together.
    pub fn concat(&self) -> Vec<u8> {
        self.here().fold(Vec::with_capacity(self.len_bytes()), |mut all, chunk| {
            all.extend_from_slice(chunk);
            all
        })
    }
}

impl From<Bytes> for RecordChunks {
    fn from(chunk: Bytes) -> Self {
        RecordChunks(vec![Chunk::Here(chunk)])
    }
}

/// Equal when the bytes are, wherever the chunks begin. What lies elsewhere equals nothing: it is not known here.
impl PartialEq for RecordChunks {
    fn eq(&self, other: &Self) -> bool {
        let all_here = |chunks: &Self| chunks.0.iter().all(|chunk| chunk.bytes().is_some());
        all_here(self)
            && all_here(other)
            && self.len_bytes() == other.len_bytes()
            && self.here().flatten().eq(other.here().flatten())
    }
}

impl<'a> Field<'a> for RecordChunks {
    fn min_bytes(_version: i16, flexible: bool) -> usize {
        if flexible { 1 } else { 4 }
    }

    fn read(decoder: &mut Decoder<'a>, version: i16) -> Result<Self, DecodeError> {
        present(Self::read_nullable(decoder, version)?)
    }

    fn write(&self, encoder: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        encoder.put_long_length(Some(self.len_bytes()))?;
        self.0.iter().for_each(|chunk| encoder.splice(chunk));
        Ok(())
    }

    fn write_empty(encoder: &mut Encoder, _version: i16) -> Result<(), EncodeError> {
        encoder.put_long_length(Some(0))
    }
}

impl<'a> Nullable<'a> for RecordChunks {
    fn read_nullable(decoder: &mut Decoder<'a>, _version: i16) -> Result<Option<Self>, DecodeError> {
        match decoder.long_length()? {
            None => Ok(None),
            Some(0) => Ok(Some(RecordChunks::default())),
            Some(length) => {
                decoder.allow_elements(length, 1, 0)?;
                decoder.allow_elements(1, 1, size_of::<Bytes>())?;
                Ok(Some(RecordChunks::from(decoder.take_shared(length)?)))
            }
        }
    }

    fn write_null(encoder: &mut Encoder) -> Result<(), EncodeError> {
        encoder.put_long_length(None)
    }
}
