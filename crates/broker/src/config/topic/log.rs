//! What holds for a topic's log, in the engine's own terms.

use ottla_storage::{Durability, LogConfig, Topic};

use super::inherited;
use super::table::{TOPIC, find};
use crate::config::kind::split_list;
use crate::config::{BrokerConfig, Values};

/// What holds for the log of a topic without configs of its own.
pub(in crate::config) fn inherited_log_config(values: &Values) -> LogConfig {
    let mut config = LogConfig::default();
    for known in TOPIC {
        set(&mut config, known.property.name, &inherited(known, values).0);
    }
    config
}

/// What holds for the log of this topic. A value of its own that this version cannot use counts as unset.
pub(crate) fn log_config(topic: &Topic, config: &BrokerConfig) -> LogConfig {
    let mut log = config.log_config();
    for (name, value) in &topic.configs {
        if find(name).is_some_and(|known| known.property.kind.check(value).is_ok()) {
            set(&mut log, name, value);
        }
    }
    log
}

/// Takes over one checked value; topic configs that the engine does not know change nothing.
fn set(config: &mut LogConfig, name: &str, value: &str) {
    let number = value.parse::<i64>().ok();
    // A negative number stands for "no limit".
    let limit = number.and_then(|number| u64::try_from(number).ok());
    let count = |field: &mut u64| *field = limit.unwrap_or(*field);
    match name {
        "segment.bytes" => count(&mut config.segment_bytes),
        "segment.ms" => count(&mut config.segment_ms),
        "segment.jitter.ms" => count(&mut config.segment_jitter_ms),
        "retention.ms" => config.retention_ms = limit,
        "retention.bytes" => config.retention_bytes = limit,
        "cleanup.policy" => {
            config.delete = split_list(value).any(|policy| policy == "delete");
            config.compact = split_list(value).any(|policy| policy == "compact");
        }
        "delete.retention.ms" => count(&mut config.delete_retention_ms),
        "min.cleanable.dirty.ratio" => {
            config.min_cleanable_dirty_ratio = value.parse().unwrap_or(config.min_cleanable_dirty_ratio);
        }
        "min.compaction.lag.ms" => count(&mut config.min_compaction_lag_ms),
        "max.compaction.lag.ms" => count(&mut config.max_compaction_lag_ms),
        "ottla.durability" => config.durability = durability(value),
        "flush.messages" => count(&mut config.flush_messages),
        // Kafka's default is the largest number there is: never by time alone.
        "flush.ms" => config.flush_ms = limit.filter(|ms| *ms < i64::MAX as u64),
        _ => {}
    }
}

/// What a checked `ottla.durability` means.
pub(in crate::config) fn durability(value: &str) -> Durability {
    match value {
        "os" => Durability::Os,
        _ => Durability::Flush,
    }
}
