use ottla_storage::Durability;

use super::*;

fn configs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn broker(name: &str) -> ConfigResource {
    ConfigResource::Broker(name.into())
}

fn topic(pairs: &[(&str, &str)]) -> Topic {
    Topic { id: TopicId([1; 16]), name: "t".into(), partitions: 1, configs: configs(pairs) }
}

#[test]
fn this_broker_comes_before_all_brokers_and_both_before_what_was_given() {
    let given = BrokerConfig::of(&[("message.max.bytes", "1000"), ("log.retention.hours", "2")]);
    let mut metadata = Metadata::default();
    let current = CurrentConfig::new(&given, 1, &metadata);
    let plain = Arc::new(topic(&[]));
    let max = || current.now().topic(&plain).max_message_bytes;
    assert_eq!(max(), 1000);
    metadata.set_configs(broker(""), configs(&[("message.max.bytes", "2000"), ("log.retention.ms", "7")]));
    current.follow(&metadata);
    assert_eq!(max(), 2000, "the cache must not serve what held before");
    assert_eq!(current.now().log_config().retention_ms, Some(7), "not what was given in the coarser unit");
    metadata.set_configs(broker("1"), configs(&[("message.max.bytes", "3000")]));
    metadata.set_configs(broker("2"), configs(&[("message.max.bytes", "4000")]));
    current.follow(&metadata);
    assert_eq!(max(), 3000);
    metadata.set_configs(broker("1"), configs(&[]));
    metadata.set_configs(broker(""), configs(&[]));
    current.follow(&metadata);
    assert_eq!((max(), current.now().log_config().retention_ms), (1000, Some(7_200_000)));
}

#[test]
fn nothing_is_replaced_where_nothing_has_changed() {
    let current = CurrentConfig::new(&BrokerConfig::default(), 1, &Metadata::default());
    let mut metadata = Metadata::default();
    metadata.insert(topic(&[]));
    let plain = Arc::new(topic(&[]));
    let before = current.now().topic(&plain);
    current.follow(&metadata);
    assert!(Arc::ptr_eq(&before, &current.now().topic(&plain)));
}

#[test]
fn stored_values_that_this_version_cannot_use_count_as_unset() {
    let mut metadata = Metadata::default();
    let stored =
        [("message.max.bytes", "many"), ("num.partitions", "9"), ("of.later", "1"), ("log.segment.bytes", "2097152")];
    metadata.set_configs(broker("1"), configs(&stored));
    let now = CurrentConfig::new(&BrokerConfig::default(), 1, &metadata).now();
    assert_eq!(now.topic(&Arc::new(topic(&[]))).max_message_bytes, 1_048_588);
    assert_eq!((now.settings().num_partitions, now.settings().segment_bytes), (1, 2 << 20));
}

#[test]
fn the_engine_hears_of_topics_and_brokers_alike() {
    let logs = TopicLogs::new(BrokerConfig::of(&[("log.roll.hours", "3"), ("log.flush.interval.ms", "9")]), 1);
    let mut metadata = Metadata::default();
    let plain = logs.log_config(&metadata, &topic(&[]));
    assert_eq!((plain.segment_ms, plain.flush_ms, plain.durability), (10_800_000, Some(9), Durability::Flush));
    let defaults = TopicLogs::new(BrokerConfig::default(), 1).log_config(&metadata, &topic(&[]));
    assert_eq!(defaults, LogConfig::default(), "Kafka's defaults on both sides");
    let own = [
        ("segment.bytes", "1048577"),
        ("segment.jitter.ms", "4"),
        ("retention.ms", "-1"),
        ("retention.bytes", "8"),
        ("cleanup.policy", "compact"),
        ("delete.retention.ms", "5"),
        ("min.cleanable.dirty.ratio", "0.25"),
        ("min.compaction.lag.ms", "6"),
        ("max.compaction.lag.ms", "7"),
        ("ottla.durability", "os"),
        ("flush.messages", "8"),
        ("flush.ms", "9223372036854775807"),
        ("segment.ms", "unreadable"),
    ];
    let expected = LogConfig {
        segment_bytes: 1_048_577,
        segment_ms: 10_800_000,
        segment_jitter_ms: 4,
        retention_ms: None,
        retention_bytes: Some(8),
        delete: false,
        compact: true,
        delete_retention_ms: 5,
        min_cleanable_dirty_ratio: 0.25,
        min_compaction_lag_ms: 6,
        max_compaction_lag_ms: 7,
        durability: Durability::Os,
        flush_messages: 8,
        flush_ms: None,
    };
    metadata.insert(topic(&own));
    assert_eq!(logs.log_config(&metadata, &topic(&own)), expected);
    assert_eq!(logs.log_config(&metadata, &topic(&own)), expected, "also from what it remembers");
    metadata.set_configs(broker("1"), configs(&[("log.roll.ms", "11"), ("ottla.durability", "os")]));
    assert_eq!(logs.log_config(&metadata, &topic(&own)), LogConfig { segment_ms: 11, ..expected });
    assert_eq!(logs.log_config(&metadata, &topic(&[])).durability, Durability::Os);
    assert_eq!(logs.log_config(&metadata, &topic(&[("retention.ms", "3")])).retention_ms, Some(3));
}

#[test]
fn the_engine_hears_how_to_compact() {
    let given = [("log.cleaner.backoff.ms", "100"), ("log.cleaner.dedupe.buffer.size", "2097152")];
    let logs = TopicLogs::new(BrokerConfig::of(&given), 1);
    let mut metadata = Metadata::default();
    let cleaner = logs.cleaner_config(&metadata);
    assert_eq!((cleaner.backoff_ms, cleaner.dedupe_buffer_bytes), (100, 2 << 20));
    metadata.set_configs(broker(""), configs(&[("log.cleaner.io.max.bytes.per.second", "3000")]));
    assert_eq!(logs.cleaner_config(&metadata), CleanerConfig { io_max_bytes_per_second: Some(3000), ..cleaner });
    let defaults = TopicLogs::new(BrokerConfig::default(), 1).cleaner_config(&Metadata::default());
    assert_eq!(defaults, CleanerConfig::default(), "Kafka's defaults on both sides");
}
