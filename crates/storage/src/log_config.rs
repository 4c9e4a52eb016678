//! How one topic's log is kept: when it goes on in a new segment, what of it may go, what an acknowledgement promises.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::{Durability, Metadata, Topic, TopicId};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What holds for one topic's log, worked out by the broker from the topic's configs, the dynamic configs of brokers in
/// [`Metadata`], and its static configuration.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LogConfig {
    /// At which size the log goes on in a new segment (`segment.bytes`).
    pub segment_bytes: u64,
    /// After which time the log goes on in a new segment (`segment.ms`): the time from the first record of the segment to the
    /// record that comes.
    pub segment_ms: u64,
    /// How much earlier a segment may end, so that not all do at once (`segment.jitter.ms`).
    pub segment_jitter_ms: u64,
    /// How old records become (`retention.ms`); `None`: as old as they like.
    pub retention_ms: Option<u64>,
    /// How large the log of a partition becomes (`retention.bytes`); `None`: as large as it likes.
    pub retention_bytes: Option<u64>,
    /// Whether records that are too old or too many are deleted (`cleanup.policy` with `delete`).
    pub delete: bool,
    /// Whether only the last record of each key is kept (`cleanup.policy` with `compact`).
    pub compact: bool,
    /// How long a deletion of a key can be read (`delete.retention.ms`).
    pub delete_retention_ms: u64,
    /// From which part of a log that was not compacted on it is worth compacting (`min.cleanable.dirty.ratio`).
    pub min_cleanable_dirty_ratio: f64,
    /// How long a record is not compacted (`min.compaction.lag.ms`).
    pub min_compaction_lag_ms: u64,
    /// After which time a record is compacted whatever the ratio (`max.compaction.lag.ms`).
    pub max_compaction_lag_ms: u64,
    /// What an acknowledgement of producers promises (`ottla.durability`). An append says by itself what it needs.
    pub durability: Durability,
    /// With [`Durability::Os`]: after how many messages of a partition they are flushed at the latest (`flush.messages`).
    pub flush_messages: u64,
    /// With [`Durability::Os`]: how long after it was written a message is flushed at the latest (`flush.ms`); `None`: when
    /// there is need.
    pub flush_ms: Option<u64>,
}

impl Default for LogConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * DAY_MS,
            segment_jitter_ms: 0,
            retention_ms: Some(7 * DAY_MS),
            retention_bytes: None,
            delete: true,
            compact: false,
            delete_retention_ms: DAY_MS,
            min_cleanable_dirty_ratio: 0.5,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX as u64,
            durability: Durability::Flush,
            flush_messages: i64::MAX as u64,
            flush_ms: None,
        }
    }
}

/// Says what holds for a topic's log. A pure function that the engine asks whenever it needs to know, so that a change of
/// configs counts at once; called from any thread, and must return at once.
pub trait LogConfigs: Send + Sync {
    /// What holds for that topic, with these metadata.
    fn log_config(&self, metadata: &Metadata, topic: &Topic) -> LogConfig;

    /// How all logs are compacted, with these metadata.
    fn cleaner_config(&self, metadata: &Metadata) -> CleanerConfig;
}

/// How logs are compacted (`log.cleaner.*`). One thread does it (`log.cleaner.threads`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CleanerConfig {
    /// How often it is looked whether there is something to clean (`log.cleaner.backoff.ms`).
    pub backoff_ms: u64,
    /// How much memory one cleaning may take for keys (`log.cleaner.dedupe.buffer.size`). A log with more of them is cleaned
    /// in several rounds.
    pub dedupe_buffer_bytes: usize,
    /// How much may be read and written together (`log.cleaner.io.max.bytes.per.second`); `None`: as much as goes.
    pub io_max_bytes_per_second: Option<u64>,
}

impl Default for CleanerConfig {
    /// Kafka's defaults.
    fn default() -> Self {
        Self { backoff_ms: 15_000, dedupe_buffer_bytes: 128 << 20, io_max_bytes_per_second: None }
    }
}

/// Remembers what was said, as long as nothing changes: to ask again for each batch would cost more than the batch.
pub(crate) struct LogConfigCache {
    log_configs: Arc<dyn LogConfigs>,
    /// What was said holds for exactly these.
    metadata: Arc<Metadata>,
    known: BTreeMap<TopicId, LogConfig>,
}

impl LogConfigCache {
    pub(crate) fn new(log_configs: Arc<dyn LogConfigs>) -> Self {
        Self { log_configs, metadata: Arc::default(), known: BTreeMap::new() }
    }

    /// What holds for a topic. For one that is not there any more nothing matters, so it gets the defaults.
    pub(crate) fn get(&mut self, metadata: &Arc<Metadata>, topic: TopicId) -> LogConfig {
        if !Arc::ptr_eq(&self.metadata, metadata) {
            self.metadata = metadata.clone();
            self.known.clear();
        }
        let ask =
            || metadata.by_id(topic).map(|topic| self.log_configs.log_config(metadata, topic)).unwrap_or_default();
        *self.known.entry(topic).or_insert_with(ask)
    }
}

/// The same for all topics.
impl LogConfigs for LogConfig {
    fn log_config(&self, _: &Metadata, _: &Topic) -> LogConfig {
        *self
    }

    fn cleaner_config(&self, _: &Metadata) -> CleanerConfig {
        CleanerConfig::default()
    }
}
