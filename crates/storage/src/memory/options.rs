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
    /// How often logs are looked through for records that are too old or too many (`log.retention.check.interval.ms`), as part
    /// of an append: there is no thread that could do it. 0: only when the engine is maintained.
    pub retention_check_interval_ms: u64,
}

impl Default for MemoryOptions {
    /// Kafka's defaults for all topics, and a clock that stands still in 1970, so that nothing grows old.
    fn default() -> Self {
        let retention_check_interval_ms = 300_000;
        Self { log_configs: Arc::new(LogConfig::default()), wall_ms: Arc::new(|| 0), retention_check_interval_ms }
    }
}

impl fmt::Debug for MemoryOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryOptions").finish_non_exhaustive()
    }
}
