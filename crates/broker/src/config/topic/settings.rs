//! What holds for one topic, typed, for the paths that are taken for every batch.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ottla_protocol::records::Encoding;
use ottla_storage::{Durability, Topic, TopicId};

use super::effective;
use super::log::durability;
use crate::config::BrokerConfig;

/// Whose clock stamps a topic's records (`message.timestamp.type`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's, when it appends.
    LogAppendTime,
}

/// What the produce path needs to know about a topic. A stored value that this version cannot read counts as unset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicSettings {
    /// `max.message.bytes`: the largest batch.
    pub max_message_bytes: usize,
    /// `segment.bytes`.
    pub segment_bytes: usize,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far behind the broker's clock a timestamp may lie.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how far ahead of the broker's clock a timestamp may lie.
    pub timestamp_after_max_ms: i64,
    /// `compression.type` and the level of its codec; `None` keeps what the producer sent.
    pub stored_as: Option<Encoding>,
    /// `cleanup.policy` has `compact`: every record needs a key.
    pub compacted: bool,
    /// `ottla.durability`: what an acknowledgement of producers means.
    pub durability: Durability,
}

impl TopicSettings {
    /// Works out what holds for a topic. [`BrokerConfig::topic`] remembers the answer.
    pub fn of(topic: &Topic, config: &BrokerConfig) -> TopicSettings {
        let text = |name| effective(name, &topic.configs, config);
        let level = |name| text(name).parse().unwrap_or_default();
        TopicSettings {
            max_message_bytes: text("max.message.bytes").parse().unwrap_or(0),
            segment_bytes: text("segment.bytes").parse().unwrap_or(usize::MAX),
            timestamp_type: match &*text("message.timestamp.type") {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            timestamp_before_max_ms: text("message.timestamp.before.max.ms").parse().unwrap_or(i64::MAX),
            timestamp_after_max_ms: text("message.timestamp.after.max.ms").parse().unwrap_or(i64::MAX),
            stored_as: match &*text("compression.type") {
                "uncompressed" => Some(Encoding::None),
                "gzip" => Some(Encoding::Gzip(level("compression.gzip.level"))),
                "snappy" => Some(Encoding::Snappy),
                "lz4" => Some(Encoding::Lz4(level("compression.lz4.level"))),
                "zstd" => Some(Encoding::Zstd(level("compression.zstd.level"))),
                _ => None,
            },
            compacted: text("cleanup.policy").split(',').any(|policy| policy == "compact"),
            durability: durability(&text("ottla.durability")),
        }
    }
}

/// Remembers what holds for each topic. An entry counts for exactly one state of its topic: the engine replaces a topic
/// whole when something changes.
#[derive(Debug, Default)]
pub struct TopicSettingsCache {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    by_id: HashMap<TopicId, (Arc<Topic>, Arc<TopicSettings>)>,
    /// At which size to look for topics that are gone.
    prune_at: usize,
}

impl TopicSettingsCache {
    /// What holds for the topic.
    pub fn get(&self, topic: &Arc<Topic>, config: &BrokerConfig) -> Arc<TopicSettings> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((state, settings)) = known.by_id.get(&topic.id)
            && Arc::ptr_eq(state, topic)
        {
            return settings.clone();
        }
        let settings = Arc::new(TopicSettings::of(topic, config));
        known.insert(topic.clone(), settings.clone());
        settings
    }
}

impl Known {
    const SMALLEST_PRUNE: usize = 64;

    fn insert(&mut self, topic: Arc<Topic>, settings: Arc<TopicSettings>) {
        if self.by_id.len() >= self.prune_at.max(Self::SMALLEST_PRUNE) {
            // A topic that nobody else holds any more is deleted or was replaced.
            self.by_id.retain(|_, (topic, _)| Arc::strong_count(topic) > 1);
            self.prune_at = self.by_id.len() * 2;
        }
        self.by_id.insert(topic.id, (topic, settings));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn topic(id: u8, configs: &[(&str, &str)]) -> Topic {
        let configs: BTreeMap<_, _> =
            configs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Topic { id: TopicId([id; 16]), name: "t".into(), partitions: 1, configs }
    }

    #[test]
    fn a_topic_takes_its_own_value_then_the_brokers_then_the_default() {
        let config = BrokerConfig::of(&[
            ("message.max.bytes", "5000"),
            ("log.message.timestamp.type", "LogAppendTime"),
            ("compression.type", "zstd"),
        ]);
        let of = |configs: &[_]| TopicSettings::of(&topic(1, configs), &config);
        let plain = of(&[]);
        assert_eq!((plain.max_message_bytes, plain.timestamp_type), (5000, TimestampType::LogAppendTime));
        assert_eq!((plain.stored_as, plain.compacted), (Some(Encoding::Zstd(3)), false));
        assert_eq!((plain.timestamp_before_max_ms, plain.timestamp_after_max_ms), (i64::MAX, 3_600_000));
        let own = of(&[
            ("max.message.bytes", "77"),
            ("message.timestamp.type", "CreateTime"),
            ("compression.type", "producer"),
            ("cleanup.policy", "compact,delete"),
        ]);
        assert_eq!((own.max_message_bytes, own.timestamp_type), (77, TimestampType::CreateTime));
        assert_eq!((own.stored_as, own.compacted), (None, true));
        let broken = of(&[("max.message.bytes", "many")]);
        assert_eq!(broken.max_message_bytes, 5000);
    }

    #[test]
    fn a_codec_comes_with_its_level() {
        let config = BrokerConfig::of(&[("compression.type", "gzip"), ("compression.gzip.level", "7")]);
        let of = |configs: &[_]| TopicSettings::of(&topic(1, configs), &config).stored_as;
        assert_eq!(of(&[]), Some(Encoding::Gzip(7)));
        assert_eq!(of(&[("compression.gzip.level", "-1")]), Some(Encoding::Gzip(-1)));
        assert_eq!(of(&[("compression.type", "uncompressed")]), Some(Encoding::None));
        assert_eq!(of(&[("compression.type", "snappy")]), Some(Encoding::Snappy));
        assert_eq!(of(&[("compression.type", "lz4")]), Some(Encoding::Lz4(9)));
        assert_eq!(of(&[("compression.type", "lz4"), ("compression.lz4.level", "12")]), Some(Encoding::Lz4(12)));
        assert_eq!(of(&[("compression.type", "zstd"), ("compression.zstd.level", "-5")]), Some(Encoding::Zstd(-5)));
    }

    #[test]
    fn the_cache_follows_changes_and_forgets_deleted_topics() {
        let config = BrokerConfig::default();
        let cache = TopicSettingsCache::default();
        let first = Arc::new(topic(1, &[]));
        let settings = cache.get(&first, &config);
        assert!(Arc::ptr_eq(&settings, &cache.get(&first, &config)));
        let changed = Arc::new(topic(1, &[("max.message.bytes", "10")]));
        assert_eq!(cache.get(&changed, &config).max_message_bytes, 10);
        for id in 2..=200 {
            cache.get(&Arc::new(topic(id, &[])), &config);
        }
        let known = cache.known.lock().expect("not poisoned").by_id.len();
        assert!(known <= 2 * Known::SMALLEST_PRUNE, "{known} entries of topics that are gone");
        assert_eq!(cache.get(&changed, &config).max_message_bytes, 10);
    }
}
