//! What can be wrong with a batch.

use std::fmt;

use super::Compression;
use crate::ErrorCode;

/// Why bytes are not a batch that can be kept or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// The header or the records need more bytes than there are.
    Truncated {
        /// Bytes needed.
        needed: u64,
        /// Bytes there are.
        left: usize,
    },
    /// A length that no batch can have.
    Length(i32),
    /// Bytes after the end of the one batch that was expected.
    Trailing(usize),
    /// Not format 2.
    Magic(i8),
    /// The count of records does not fit the last offset delta.
    Count {
        /// The count.
        record_count: i32,
        /// The offset of the last record, relative to the first.
        last_offset_delta: i32,
    },
    /// The checksum is not that of the bytes.
    Crc {
        /// In the header.
        stored: u32,
        /// Of the bytes.
        computed: u32,
    },
    /// A compression that Kafka has not.
    UnknownCompression(i16),
    /// The records do not decompress.
    Undecodable(Compression),
    /// The records are larger than allowed once decompressed.
    TooLarge {
        /// The bound that was given.
        max_bytes: usize,
    },
    /// A record does not follow the format.
    Record,
    /// The codec could not compress the records; it found no memory.
    Unencodable(Compression),
}

impl BatchError {
    /// What a producer is told.
    pub fn error_code(self) -> ErrorCode {
        match self {
            BatchError::Magic(..=1) => ErrorCode::INVALID_RECORD,
            BatchError::Truncated { .. } | BatchError::Length(_) | BatchError::Magic(_) | BatchError::Crc { .. } => {
                ErrorCode::CORRUPT_MESSAGE
            }
            // Not CORRUPT_MESSAGE: the checksum is right, so sending it again does not help.
            BatchError::Trailing(_) | BatchError::Count { .. } | BatchError::Undecodable(_) | BatchError::Record => {
                ErrorCode::INVALID_RECORD
            }
            BatchError::UnknownCompression(_) => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
            BatchError::TooLarge { .. } => ErrorCode::RECORD_LIST_TOO_LARGE,
            BatchError::Unencodable(_) => ErrorCode::UNKNOWN_SERVER_ERROR,
        }
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BatchError::Truncated { needed, left } => {
                write!(f, "batch is cut off: {needed} bytes needed, {left} there")
            }
            BatchError::Length(length) => write!(f, "invalid batch length {length}"),
            BatchError::Trailing(count) => write!(f, "exactly one batch expected, {count} bytes follow it"),
            BatchError::Magic(magic) => write!(f, "batch format {magic} is not supported, only 2 is"),
            BatchError::Count { record_count, last_offset_delta } => {
                write!(f, "{record_count} records do not fit a last offset delta of {last_offset_delta}")
            }
            BatchError::Crc { stored, computed } => {
                write!(f, "checksum {computed:08x} where the batch says {stored:08x}")
            }
            BatchError::UnknownCompression(number) => write!(f, "unknown compression {number}"),
            BatchError::Undecodable(compression) => write!(f, "records do not decompress as {compression}"),
            BatchError::TooLarge { max_bytes } => write!(f, "records decompress to more than {max_bytes} bytes"),
            BatchError::Record => f.write_str("a record does not follow the format"),
            BatchError::Unencodable(compression) => write!(f, "records could not be compressed as {compression}"),
        }
    }
}

impl std::error::Error for BatchError {}
