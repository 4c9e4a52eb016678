//! How the logs of topics are kept: compacted, deleted by age or by size, or neither. Each topic's configs say it, and stay so for
//! its whole life.

use ottla_storage::{CleanerConfig, LogConfig, LogConfigs, Metadata, Topic};

use super::model::Configs;
use crate::prng::Prng;

/// How long a segment of a compacted log may wait for its cleaning. The lives of one run are shorter than that; the last calm
/// one is not.
pub(super) const MAX_COMPACTION_LAG_MS: u64 = 600_000;

/// How one topic's log is kept.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(super) struct Policy {
    pub(super) compact: bool,
    pub(super) retention_ms: Option<i64>,
    pub(super) retention_bytes: Option<usize>,
    pub(super) delete_retention_ms: i64,
}

impl Policy {
    /// The policy that configs ask for.
    pub(super) fn of(configs: &Configs) -> Self {
        let number = |name: &str| configs.get(name).and_then(|value| value.parse::<i64>().ok());
        Self {
            compact: configs.get("cleanup.policy").is_some_and(|policy| policy.contains("compact")),
            retention_ms: number("retention.ms"),
            retention_bytes: number("retention.bytes").map(|bytes| bytes as usize),
            delete_retention_ms: number("delete.retention.ms").unwrap_or_default(),
        }
    }

    /// Configs of a new topic.
    pub(super) fn draw(rng: &mut Prng) -> Configs {
        let mut configs = Configs::new();
        let mut set = |name: &str, value: String| drop(configs.insert(name.to_owned(), value));
        let (age_ms, bytes) = (rng.between(500, 12_000).to_string(), rng.between(1_000, 40_000).to_string());
        let kind = rng.between(0, 9);
        if kind >= 5 {
            set("cleanup.policy", if kind == 9 { "compact,delete".into() } else { "compact".into() });
            set("delete.retention.ms", rng.between(0, 6_000).to_string());
        }
        if matches!(kind, 2 | 4 | 9) {
            set("retention.ms", age_ms);
        }
        if matches!(kind, 3 | 4) {
            set("retention.bytes", bytes);
        }
        configs
    }

    /// These configs with others beside the policy.
    pub(super) fn kept_in(before: &Configs) -> Configs {
        const NAMES: [&str; 4] = ["cleanup.policy", "delete.retention.ms", "retention.ms", "retention.bytes"];
        before
            .iter()
            .filter(|(name, _)| NAMES.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// Whether retention looks at the log at all.
    pub(super) fn has_bounds(&self) -> bool {
        self.retention_ms.is_some() || self.retention_bytes.is_some()
    }
}

/// What holds for all topics, besides their policies.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogRules {
    pub(super) segment_bytes: u64,
    pub(super) min_cleanable_dirty_ratio: f64,
    /// How much memory a cleaning may take for keys; little makes it end early.
    pub(super) dedupe_buffer_bytes: usize,
}

impl LogRules {
    /// Whether one cleaning sees to a whole log.
    pub(super) fn finds_all_keys(&self) -> bool {
        self.dedupe_buffer_bytes >= 1 << 20
    }
}

impl LogConfigs for LogRules {
    fn log_config(&self, _: &Metadata, topic: &Topic) -> LogConfig {
        let policy = Policy::of(&topic.configs);
        LogConfig {
            segment_bytes: self.segment_bytes,
            compact: policy.compact,
            delete: !policy.compact || policy.has_bounds(),
            retention_ms: policy.retention_ms.map(|ms| ms as u64),
            retention_bytes: policy.retention_bytes.map(|bytes| bytes as u64),
            delete_retention_ms: policy.delete_retention_ms as u64,
            min_cleanable_dirty_ratio: self.min_cleanable_dirty_ratio,
            max_compaction_lag_ms: MAX_COMPACTION_LAG_MS,
            ..LogConfig::default()
        }
    }

    fn cleaner_config(&self, _: &Metadata) -> CleanerConfig {
        CleanerConfig { dedupe_buffer_bytes: self.dedupe_buffer_bytes, ..CleanerConfig::default() }
    }
}
