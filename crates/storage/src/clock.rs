//! The clocks that engines are handed: none of them asks the system.

use std::sync::Arc;

/// Milliseconds from any fixed moment on, never going back. Passed in, so that tests can own time.
pub type MonotonicMs = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Milliseconds since 1970, UTC. Passed in, so that tests can own time.
pub type WallMs = Arc<dyn Fn() -> i64 + Send + Sync>;
