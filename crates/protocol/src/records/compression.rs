//! The five compressions, and opening each within a bound; [`super::Encoding`] is the other direction.

use std::fmt;
use std::io::Read;

use super::{BatchError, lz4, zstd};

/// What decompressing may allocate on top of four times `max_bytes`: the codecs' own tables and block buffers, by far the
/// most for one block of zstd.
pub const WORKSPACE_BYTES: usize = 4 * 1024 * 1024;

/// What compressing may allocate on top of twice the records: the codecs' own tables, by far the most for zstd's highest levels.
pub const ENCODING_WORKSPACE_BYTES: usize = 72 * 1024 * 1024;

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952.
    Gzip,
    /// Raw, or in the frame of snappy-java.
    Snappy,
    /// The LZ4 frame format.
    Lz4,
    /// RFC 8878; since version 7 of Produce.
    Zstd,
}

impl Compression {
    /// # Errors
    /// When Kafka has no such number.
    pub fn from_number(number: i16) -> Result<Self, BatchError> {
        match number {
            0 => Ok(Compression::None),
            1 => Ok(Compression::Gzip),
            2 => Ok(Compression::Snappy),
            3 => Ok(Compression::Lz4),
            4 => Ok(Compression::Zstd),
            other => Err(BatchError::UnknownCompression(other)),
        }
    }

    /// Kafka's number, as in a batch's attributes.
    pub fn number(self) -> i16 {
        match self {
            Compression::None => 0,
            Compression::Gzip => 1,
            Compression::Snappy => 2,
            Compression::Lz4 => 3,
            Compression::Zstd => 4,
        }
    }

    /// Kafka's name, as in `compression.type`.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }

    /// Decompresses to at most `max_bytes`.
    pub(super) fn decompress(self, compressed: &[u8], max_bytes: usize) -> Result<Vec<u8>, BatchError> {
        match self {
            Compression::None => Ok(compressed.to_vec()),
            Compression::Gzip => gunzip(compressed, max_bytes),
            Compression::Snappy => unsnap(compressed, max_bytes),
            Compression::Lz4 => lz4::decompress(compressed, max_bytes),
            Compression::Zstd => zstd::decompress(compressed, max_bytes),
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn gunzip(compressed: &[u8], max_bytes: usize) -> Result<Vec<u8>, BatchError> {
    let mut bytes = Vec::new();
    let mut reader = flate2::bufread::MultiGzDecoder::new(compressed).take(max_bytes as u64 + 1);
    reader.read_to_end(&mut bytes).map_err(|_| BatchError::Undecodable(Compression::Gzip))?;
    if bytes.len() > max_bytes { Err(BatchError::TooLarge { max_bytes }) } else { Ok(bytes) }
}

/// What snappy-java writes first; two version numbers and blocks with their lengths follow.
pub(super) const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
/// Its version, and the oldest that can read it.
pub(super) const XERIAL_VERSIONS: &[u8] = b"\0\0\0\x01\0\0\0\x01";
const XERIAL_HEADER_BYTES: usize = XERIAL_MAGIC.len() + XERIAL_VERSIONS.len();

fn unsnap(compressed: &[u8], max_bytes: usize) -> Result<Vec<u8>, BatchError> {
    let mut bytes = Vec::new();
    if !compressed.starts_with(XERIAL_MAGIC) {
        unsnap_block(compressed, max_bytes, &mut bytes)?;
        return Ok(bytes);
    }
    let undecodable = BatchError::Undecodable(Compression::Snappy);
    let mut rest = compressed.get(XERIAL_HEADER_BYTES..).ok_or(undecodable)?;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>().ok_or(undecodable)?;
        let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| undecodable)?;
        let (block, after) = after.split_at_checked(length).ok_or(undecodable)?;
        unsnap_block(block, max_bytes, &mut bytes)?;
        rest = after;
    }
    Ok(bytes)
}

fn unsnap_block(block: &[u8], max_bytes: usize, bytes: &mut Vec<u8>) -> Result<(), BatchError> {
    let undecodable = BatchError::Undecodable(Compression::Snappy);
    let start = bytes.len();
    let length = snap::raw::decompress_len(block).map_err(|_| undecodable)?;
    if length > max_bytes - start {
        return Err(BatchError::TooLarge { max_bytes });
    }
    bytes.resize(start + length, 0);
    let written = snap::raw::Decoder::new().decompress(block, &mut bytes[start..]).map_err(|_| undecodable)?;
    bytes.truncate(start + written);
    Ok(())
}
