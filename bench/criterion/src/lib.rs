//! What the benches work on: record batches of an exact size, and a local engine with a topic.

mod batches;
mod engine;

pub use batches::batch_of;
pub use engine::{BenchEngine, append, partition};

/// 1,024 bytes.
pub const KIB: usize = 1 << 10;
/// 1,048,576 bytes.
pub const MIB: usize = 1 << 20;
