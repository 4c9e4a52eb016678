//! The local engine: durable state in one folder of one machine.
//!
//! ```text
//! append ─▶ inbox ─▶ flusher ─▶ write-ahead log (one write, one flush) ─▶ tail in memory ─▶ answers, readers
//!                                                                          │
//!                                              background: segment files ◀─┘ ─▶ manifest ─▶ frees the log
//! ```
//!
//! 1. Nothing is answered before it is as durable as was asked for, and nothing is visible before it could be answered.
//! 2. One thread decides and writes the log, in the order of the calls; one other writes segment files and the manifest; one
//!    prepares files of the log; a few read. No caller ever waits for a disk.
//! 3. All input and output goes through [`disk::Disk`].
//! 4. After a failed write or flush nothing is written any more until a restart, which trusts only checksums.
//!
//! The bytes on disk are described in `docs/format.md`.

mod atomic;
mod background;
mod changes;
mod cleaner;
mod counters;
pub mod disk;
mod engine;
mod fields;
mod flusher;
mod group;
mod health;
mod inbox;
pub mod inspect;
mod lookup;
mod manifest;
mod open;
mod options;
mod planted;
mod readers;
mod reserve;
mod retention;
mod segments;
mod sent;
mod shortage;
#[cfg(feature = "simulation")]
pub mod simulation;
mod state;
mod tail;
mod unflushed;
mod wal;

pub use engine::LocalEngine;
pub use options::{LocalOptions, OpenError};
#[cfg(feature = "planted-bugs")]
pub use planted::PlantedBug;
