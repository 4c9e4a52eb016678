//! What the memory engine is told when it is made.

use std::fmt;
use std::sync::Arc;

use crate::{LogConfig, LogConfigs, WallMs};

/// How the memory engine works.
#[derive(Clone)]
pub struct MemoryOptions {
    /// What holds for each topic's log.
    pub log_configs: Arc<dyn LogConfigs>,
    /// The clock that records grow old by.
    pub wall_ms: WallMs,
}

impl Default for MemoryOptions {
    /// Kafka's defaults for all topics, and a clock that stands still in 1970, so that nothing grows old.
    fn default() -> Self {
        Self { log_configs: Arc::new(LogConfig::default()), wall_ms: Arc::new(|| 0) }
    }
}

impl fmt::Debug for MemoryOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryOptions").finish_non_exhaustive()
    }
}
