//! All configs that a topic of Kafka 4.3 can have, with the broker's property that gives the default.

use crate::config::kind::Kind;
use crate::config::property::Property;
use crate::config::table::storage::DURABILITY;
use crate::config::table::topics as broker;

/// A topic config.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TopicProperty {
    /// Name, type, help, class, and the default where there is no broker property.
    pub(crate) property: Property,
    /// The broker's property that holds for topics without a value of their own.
    pub(crate) broker: Option<&'static str>,
}

/// A config whose default is a property of the broker.
const fn over(
    broker: &'static str,
    name: &'static str,
    kind: Kind,
    default: &'static str,
    help: &'static str,
) -> TopicProperty {
    let property = Property::served(name, kind, default, help).while_running();
    TopicProperty { property, broker: Some(broker) }
}

/// A config that only topics have.
const fn only(name: &'static str, kind: Kind, default: &'static str, why: &'static str) -> TopicProperty {
    let property = Property::without_meaning(name, kind, Some(default), why).while_running();
    TopicProperty { property, broker: None }
}

impl TopicProperty {
    /// The same, steering nothing here.
    const fn without_meaning(mut self) -> TopicProperty {
        self.property.class = crate::config::Class::WithoutMeaning;
        self
    }
}

const FOREVER: &str = "9223372036854775807";
const ONE_REPLICA: &str = "kept and shown: every partition has one replica";
const NO_TIERS: &str = "kept and shown: there is no tiered storage";
const OWN_FILES: &str = "kept and shown: files are written another way";

/// Every config, by name.
pub(crate) const TOPIC: &[TopicProperty] = &[
    over("log.cleanup.policy", "cleanup.policy", broker::CLEANUP_POLICY, "delete", broker::LOG_CLEANUP_POLICY.help),
    over(
        "compression.gzip.level",
        "compression.gzip.level",
        broker::GZIP_LEVEL,
        "-1",
        broker::COMPRESSION_GZIP_LEVEL.help,
    ),
    over("compression.lz4.level", "compression.lz4.level", broker::LZ4_LEVEL, "9", broker::COMPRESSION_LZ4_LEVEL.help),
    over("compression.type", "compression.type", broker::COMPRESSION, "producer", broker::COMPRESSION_TYPE.help),
    over(
        "compression.zstd.level",
        "compression.zstd.level",
        broker::ZSTD_LEVEL,
        "3",
        broker::COMPRESSION_ZSTD_LEVEL.help,
    ),
    over(
        "log.cleaner.delete.retention.ms",
        "delete.retention.ms",
        Kind::long(0),
        "86400000",
        broker::LOG_CLEANER_DELETE_RETENTION_MS.help,
    ),
    over("log.segment.delete.delay.ms", "file.delete.delay.ms", Kind::long(0), "60000", OWN_FILES).without_meaning(),
    over(
        "log.flush.interval.messages",
        "flush.messages",
        Kind::long(1),
        FOREVER,
        broker::LOG_FLUSH_INTERVAL_MESSAGES.help,
    ),
    over("log.flush.interval.ms", "flush.ms", Kind::long(0), FOREVER, broker::LOG_FLUSH_INTERVAL_MS.help),
    only("follower.replication.throttled.replicas", Kind::Replicas, "", ONE_REPLICA),
    over("log.index.interval.bytes", "index.interval.bytes", Kind::int(0), "4096", OWN_FILES).without_meaning(),
    only("leader.replication.throttled.replicas", Kind::Replicas, "", ONE_REPLICA),
    over("log.local.retention.bytes", "local.retention.bytes", Kind::long(-2), "-2", NO_TIERS).without_meaning(),
    over("log.local.retention.ms", "local.retention.ms", Kind::long(-2), "-2", NO_TIERS).without_meaning(),
    over(
        "log.cleaner.max.compaction.lag.ms",
        "max.compaction.lag.ms",
        Kind::long(1),
        FOREVER,
        broker::LOG_CLEANER_MAX_COMPACTION_LAG_MS.help,
    ),
    over(
        "message.max.bytes",
        "max.message.bytes",
        Kind::int(0),
        "1048588",
        "the largest record batch, compressed as it comes",
    ),
    over(
        "log.message.timestamp.after.max.ms",
        "message.timestamp.after.max.ms",
        Kind::long(0),
        "3600000",
        broker::LOG_MESSAGE_TIMESTAMP_AFTER_MAX_MS.help,
    ),
    over(
        "log.message.timestamp.before.max.ms",
        "message.timestamp.before.max.ms",
        Kind::long(0),
        FOREVER,
        broker::LOG_MESSAGE_TIMESTAMP_BEFORE_MAX_MS.help,
    ),
    over(
        "log.message.timestamp.type",
        "message.timestamp.type",
        broker::TIMESTAMP_TYPE,
        "CreateTime",
        broker::LOG_MESSAGE_TIMESTAMP_TYPE.help,
    ),
    over(
        "log.cleaner.min.cleanable.ratio",
        "min.cleanable.dirty.ratio",
        broker::RATIO,
        "0.5",
        broker::LOG_CLEANER_MIN_CLEANABLE_RATIO.help,
    ),
    over(
        "log.cleaner.min.compaction.lag.ms",
        "min.compaction.lag.ms",
        Kind::long(0),
        "0",
        broker::LOG_CLEANER_MIN_COMPACTION_LAG_MS.help,
    ),
    over("min.insync.replicas", "min.insync.replicas", Kind::int(1), "1", ONE_REPLICA).without_meaning(),
    over(
        "ottla.durability",
        "ottla.durability",
        DURABILITY,
        "flush",
        "what an acknowledgement of acks=1 or acks=all means: flush (on disk) or os (with the operating system)",
    ),
    over("log.preallocate", "preallocate", Kind::Boolean, "false", OWN_FILES).without_meaning(),
    only("remote.log.copy.disable", Kind::Boolean, "false", NO_TIERS),
    only("remote.log.delete.on.disable", Kind::Boolean, "false", NO_TIERS),
    only("remote.storage.enable", Kind::Boolean, "false", NO_TIERS),
    over("log.retention.bytes", "retention.bytes", Kind::LONG, "-1", broker::LOG_RETENTION_BYTES.help),
    over("log.retention.ms", "retention.ms", Kind::long(-1), "604800000", broker::LOG_RETENTION_MS.help),
    over("log.segment.bytes", "segment.bytes", broker::SEGMENT_BYTES, "1073741824", broker::LOG_SEGMENT_BYTES.help),
    over("log.index.size.max.bytes", "segment.index.bytes", Kind::int(4), "10485760", OWN_FILES).without_meaning(),
    over("log.roll.jitter.ms", "segment.jitter.ms", Kind::long(0), "0", broker::LOG_ROLL_JITTER_MS.help),
    over("log.roll.ms", "segment.ms", Kind::long(1), "604800000", broker::LOG_ROLL_MS.help),
    over("unclean.leader.election.enable", "unclean.leader.election.enable", Kind::Boolean, "false", ONE_REPLICA)
        .without_meaning(),
];

/// The config of that name.
pub(crate) fn find(name: &str) -> Option<&'static TopicProperty> {
    TOPIC.iter().find(|config| config.property.name == name)
}
