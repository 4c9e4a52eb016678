//! What the suite needs to know about an engine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::{Durability, Engine, LogConfig, LogConfigs, Metadata, Topic, WallMs};

/// What the engines of the suite are told of time and of topics: both are the cases' to choose. One for each harness; it
/// outlives the engine.
#[derive(Clone, Debug, Default)]
pub struct World {
    now_ms: Arc<AtomicI64>,
}

impl World {
    /// The wall clock for the engine.
    pub fn wall_ms(&self) -> WallMs {
        let now_ms = self.now_ms.clone();
        Arc::new(move || now_ms.load(Ordering::Relaxed))
    }

    /// What holds for the engine's topics: what their own configs say, and `other` where they say nothing.
    pub fn log_configs(&self, other: LogConfig) -> Arc<dyn LogConfigs> {
        Arc::new(OwnConfigs(other))
    }

    /// Sets the clock.
    pub fn set_ms(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::Relaxed);
    }
}

struct OwnConfigs(LogConfig);

impl LogConfigs for OwnConfigs {
    fn log_config(&self, _: &Metadata, topic: &Topic) -> LogConfig {
        let number = |name: &str, other| number(&topic.configs, name).unwrap_or(other);
        let bound = |name: &str, other| number_or_none(&topic.configs, name).unwrap_or(other);
        let policy = topic.configs.get("cleanup.policy").map_or("delete", String::as_str);
        LogConfig {
            segment_bytes: number("segment.bytes", self.0.segment_bytes),
            segment_ms: number("segment.ms", self.0.segment_ms),
            retention_ms: bound("retention.ms", self.0.retention_ms),
            retention_bytes: bound("retention.bytes", self.0.retention_bytes),
            delete: policy.contains("delete"),
            compact: policy.contains("compact"),
            delete_retention_ms: number("delete.retention.ms", self.0.delete_retention_ms),
            min_cleanable_dirty_ratio: match topic.configs.get("min.cleanable.dirty.ratio") {
                Some(ratio) => ratio.parse().unwrap_or(self.0.min_cleanable_dirty_ratio),
                None => self.0.min_cleanable_dirty_ratio,
            },
            durability: match topic.configs.get("ottla.durability") {
                Some(os) if os == "os" => Durability::Os,
                _ => self.0.durability,
            },
            flush_messages: number("flush.messages", self.0.flush_messages),
            flush_ms: bound("flush.ms", self.0.flush_ms),
            ..self.0
        }
    }

    fn cleaner_config(&self, _: &Metadata) -> crate::CleanerConfig {
        crate::CleanerConfig::default()
    }
}

fn number(configs: &BTreeMap<String, String>, name: &str) -> Option<u64> {
    configs.get(name)?.parse().ok()
}

/// -1 stands for none.
fn number_or_none(configs: &BTreeMap<String, String>, name: &str) -> Option<Option<u64>> {
    configs.get(name).map(|value| value.parse().ok())
}

/// One engine under test, with its data.
pub trait Harness {
    /// The engine as it is now.
    fn engine(&self) -> Arc<dyn Engine>;

    /// What the engine was given for its clock and its topics' configs.
    fn world(&self) -> &World;

    /// Ends the engine and opens another one on the same data. With `gracefully` it was closed before; without, it has to end
    /// as if the process had been killed: what is not durable by then is lost or not, as it happens.
    fn reopen(&mut self, gracefully: bool) {
        unreachable!("an engine without durable data was asked to reopen (gracefully: {gracefully})")
    }
}

/// What happens at the marked points of each case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interlude {
    /// Nothing.
    Nothing,
    /// [`Engine::maintain`] with a large budget: checkpoints are taken.
    Maintain,
    /// The engine is closed and opened.
    Reopen,
    /// Maintained, then closed and opened.
    MaintainAndReopen,
    /// Ended without a close, and opened.
    Kill,
    /// Maintained, then ended without a close, and opened.
    MaintainAndKill,
}

impl Interlude {
    /// Whether the engine is maintained.
    pub fn maintains(self) -> bool {
        matches!(self, Self::Maintain | Self::MaintainAndReopen | Self::MaintainAndKill)
    }

    /// Whether the engine is opened again, and if so, whether it is closed before.
    pub fn reopens(self) -> Option<bool> {
        match self {
            Self::Nothing | Self::Maintain => None,
            Self::Reopen | Self::MaintainAndReopen => Some(true),
            Self::Kill | Self::MaintainAndKill => Some(false),
        }
    }
}
