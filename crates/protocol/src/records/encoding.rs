//! Compressing records: a codec with its level.

use std::io::Write;

use super::compression::{XERIAL_MAGIC, XERIAL_VERSIONS};
use super::{BatchError, Compression, lz4, zstd};

/// Size of the blocks that snappy-java writes.
const XERIAL_BLOCK_BYTES: usize = 32 * 1024;
const GZIP_DEFAULT_LEVEL: i32 = -1;
const LZ4_DEFAULT_LEVEL: i32 = 9;
const ZSTD_DEFAULT_LEVEL: i32 = 3;

/// How to compress records: a codec, and the level of those that have levels. A level that a codec does not have stands for
/// the nearest that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    None,
    /// Levels 1 to 9; -1 is its default.
    Gzip(i32),
    /// In the frame of snappy-java, which every client reads. Snappy has no levels.
    Snappy,
    /// Kafka's levels 1 to 17. 9, the default, is the fast compressor and no high level, as in Kafka; from 12 on all are alike.
    Lz4(i32),
    /// Levels -131072 to 22.
    Zstd(i32),
}

impl Encoding {
    /// A codec with Kafka's default level.
    pub fn of(compression: Compression) -> Self {
        match compression {
            Compression::None => Encoding::None,
            Compression::Gzip => Encoding::Gzip(GZIP_DEFAULT_LEVEL),
            Compression::Snappy => Encoding::Snappy,
            Compression::Lz4 => Encoding::Lz4(LZ4_DEFAULT_LEVEL),
            Compression::Zstd => Encoding::Zstd(ZSTD_DEFAULT_LEVEL),
        }
    }

    /// The codec.
    pub fn compression(self) -> Compression {
        match self {
            Encoding::None => Compression::None,
            Encoding::Gzip(_) => Compression::Gzip,
            Encoding::Snappy => Compression::Snappy,
            Encoding::Lz4(_) => Compression::Lz4,
            Encoding::Zstd(_) => Compression::Zstd,
        }
    }

    /// Appends `records`, compressed, to `to`.
    pub(super) fn compress(self, records: &[u8], to: &mut Vec<u8>) -> Result<(), BatchError> {
        let compressed = match self {
            Encoding::None => to.write_all(records).ok(),
            Encoding::Gzip(level) => gzip(records, level, to),
            Encoding::Snappy => snappy(records, to),
            Encoding::Lz4(level) => lz4::compress(records, (level != LZ4_DEFAULT_LEVEL).then_some(level), to),
            Encoding::Zstd(level) => zstd::compress(records, level, to),
        };
        compressed.ok_or(BatchError::Unencodable(self.compression()))
    }
}

fn gzip(records: &[u8], level: i32, to: &mut Vec<u8>) -> Option<()> {
    let level = match level {
        GZIP_DEFAULT_LEVEL => flate2::Compression::default(),
        _ => flate2::Compression::new(level.clamp(1, 9).unsigned_abs()),
    };
    let mut encoder = flate2::write::GzEncoder::new(to, level);
    encoder.write_all(records).ok()?;
    encoder.finish().ok()?;
    Some(())
}

fn snappy(records: &[u8], to: &mut Vec<u8>) -> Option<()> {
    let mut encoder = snap::raw::Encoder::new();
    let mut block = vec![0; snap::raw::max_compress_len(XERIAL_BLOCK_BYTES)];
    to.extend_from_slice(XERIAL_MAGIC);
    to.extend_from_slice(XERIAL_VERSIONS);
    for part in records.chunks(XERIAL_BLOCK_BYTES) {
        let length = encoder.compress(part, &mut block).ok()?;
        to.extend_from_slice(&u32::try_from(length).ok()?.to_be_bytes());
        to.extend_from_slice(block.get(..length)?);
    }
    Some(())
}

#[cfg(test)]
#[path = "encoding_tests.rs"]
mod tests;
