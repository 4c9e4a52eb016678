//! What of the log is written and not flushed, and how long it may stay so: `flush.messages` and `flush.ms`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::log_config::LogConfigCache;
use crate::{LogConfigs, Metadata, MonotonicMs, PartitionId};

/// Counts what was accepted with [`Durability::Os`](crate::Durability) since the last flush.
pub(super) struct Unflushed {
    log_configs: LogConfigCache,
    monotonic_ms: MonotonicMs,
    /// By partition, where the topic has a bound.
    messages: BTreeMap<PartitionId, u64>,
    /// When the next flush is due.
    due_ms: Option<u64>,
}

impl Unflushed {
    pub(super) fn new(log_configs: Arc<dyn LogConfigs>, monotonic_ms: MonotonicMs) -> Self {
        Self { log_configs: LogConfigCache::new(log_configs), monotonic_ms, messages: BTreeMap::new(), due_ms: None }
    }

    /// Counts messages; answers whether they must be flushed at once.
    pub(super) fn count(&mut self, metadata: &Arc<Metadata>, partition: PartitionId, messages: u64) -> bool {
        let config = self.log_configs.get(metadata, partition.topic);
        if let Some(flush_ms) = config.flush_ms {
            let due_ms = (self.monotonic_ms)().saturating_add(flush_ms);
            self.due_ms = Some(self.due_ms.map_or(due_ms, |before_ms| before_ms.min(due_ms)));
        }
        if config.flush_messages == i64::MAX as u64 {
            return false;
        }
        let unflushed = self.messages.entry(partition).or_default();
        *unflushed = unflushed.saturating_add(messages);
        *unflushed >= config.flush_messages
    }

    /// All is flushed.
    pub(super) fn clear(&mut self) {
        self.messages.clear();
        self.due_ms = None;
    }

    /// How long it is until a flush is due; `None` where none is.
    pub(super) fn left(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.due_ms?.saturating_sub((self.monotonic_ms)())))
    }

    /// Whether a flush is due.
    pub(super) fn is_due(&self) -> bool {
        self.left().is_some_and(|left| left.is_zero())
    }
}
