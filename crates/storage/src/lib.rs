//! Durable, ordered state behind one small boundary.
//!
//! [`Engine`] is the boundary: partitions of record batches (log), topics and configs (metadata) and producer ids.
//! Consumer groups need nothing of their own: they are records of the internal topic `__consumer_offsets`, written with the
//! end offset that their coordinator expects, which is all that fencing needs.
//!
//! Two engines implement it: [`memory`] (tests, `--storage memory`) and [`local`] (one shared write-ahead log with segment
//! files behind it). One suite, [`conformance`], holds both to the same behaviour, and both accept or refuse a batch by the
//! same pure function, [`decide`](decide::decide).

mod aborted;
mod ageing;
pub mod batches;
mod boundary;
mod clock;
pub mod compaction;
pub mod conformance;
pub mod decide;
mod file_range;
pub mod local;
mod log_config;
pub mod memory;
mod metadata;
mod pending;
pub mod producers;

pub use aborted::{AbortedIndex, AbortedRanges, AbortedTransaction};
pub use boundary::*;
pub use clock::{MonotonicMs, WallMs};
pub use file_range::{FileRange, Held, RangeSource};
pub use log_config::{CleanerConfig, LogConfig, LogConfigs};
pub use metadata::{ConfigChange, ConfigResource, Metadata, Topic};
pub use pending::{Completer, EngineGone, Pending};
