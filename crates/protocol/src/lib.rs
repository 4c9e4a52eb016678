//! Kafka on the wire: messages, record batches, error codes and framing.
//!
//! * [`messages`]: every request and response Ottla speaks, each declared once for all its versions (see the `messages!`
//!   declarations, one file per API). Decoding borrows from the frame; encoding gives a list of [`bytes::Bytes`], so that
//!   record bytes are never copied.
//! * [`frame`]: request and response headers, whole frames with their size prefix, [`frame::decode_body`].
//! * [`records`]: record batches of format 2: header view, validation, in-place changes, building, opening, iterating.
//! * [`ErrorCode`], [`ApiKey`], [`Uuid`]: the small values that appear everywhere.
//!
//! # What a peer may send
//!
//! Nothing a peer sends makes this crate panic. Every length and count is compared with the bytes that are left before
//! anything is allocated, and what decoding may allocate in total is bounded by [`Decoder`]'s budget (8 times the frame).
//!
//! No clock, no randomness, no I/O: bytes in, values out, and back.

#[macro_use]
mod declare;
mod api_key;
mod decoder;
mod encoder;
mod error_code;
mod field;
pub mod frame;
pub mod messages;
pub mod records;
#[cfg(feature = "sample")]
#[doc(hidden)]
pub mod sample;
mod uuid;

/// What the declarations expand to; not for callers.
#[doc(hidden)]
pub mod __private {
    pub use crate::declare::read_tagged_fields;
}

pub use api_key::ApiKey;
pub use declare::{Message, NEVER_FLEXIBLE, Request, VersionRange};
pub use decoder::{DecodeError, DecodeErrorKind, Decoder};
pub use encoder::{EncodeError, Encoder};
pub use error_code::ErrorCode;
pub use field::{Blob, Chunk, Field, Nullable, OptionalStruct, RecordChunks, Str};
pub use uuid::Uuid;
