//! Record batches of format 2 (KIP-98), the only one that clients may still send.
//!
//! A batch is a header of 61 bytes and its records, which may be compressed as a whole. The broker keeps batches as they
//! came: it looks at headers ([`BatchHeader`], [`validate`], [`batches`]), sets a few fields in place
//! ([`set_base_offset`], [`set_leader_epoch`], [`set_log_append_time`], [`set_create_time`]) and opens a batch ([`open`]) only when it must.
//! What is written is built ([`BatchBuilder`]; [`EndMarker`] for the ends of transactions) or rebuilt from an open batch
//! ([`OpenBatch::rebuild`]).

mod batch;
mod builder;
mod compression;
mod control;
mod encoding;
mod error;
mod horizon;
mod lz4;
mod open;
mod rebuild;
#[cfg(test)]
mod tests;
mod varint;
mod zstd;

pub use batch::{
    Batch, BatchHeader, Batches, HEADER_BYTES, batches, matches_checksum, set_base_offset, set_create_time,
    set_leader_epoch, set_log_append_time, validate,
};
pub use builder::BatchBuilder;
pub use compression::{Compression, ENCODING_WORKSPACE_BYTES, WORKSPACE_BYTES};
pub use control::EndMarker;
pub use encoding::Encoding;
pub use error::BatchError;
pub use open::{Headers, OpenBatch, Record, Records, open};
pub use rebuild::without_records;
