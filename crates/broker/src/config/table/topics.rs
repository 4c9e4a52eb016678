//! Topics, and what holds for a topic that does not say otherwise.

use crate::config::kind::Kind;
use crate::config::property::{Coarser, Property, declare};

/// What a topic's `compression.type` may be.
pub(crate) const COMPRESSION: Kind = Kind::Choice(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]);
/// What a topic's `message.timestamp.type` may be.
pub(crate) const TIMESTAMP_TYPE: Kind = Kind::Choice(&["CreateTime", "LogAppendTime"]);
/// Levels of gzip.
pub(crate) const GZIP_LEVEL: Kind = Kind::IntOr { min: 1, max: 9, or: -1 };
/// Levels of lz4.
pub(crate) const LZ4_LEVEL: Kind = Kind::Int { min: 1, max: 17 };
/// Levels of zstd.
pub(crate) const ZSTD_LEVEL: Kind = Kind::Int { min: -131_072, max: 22 };
/// What a topic's `cleanup.policy` may be.
pub(crate) const CLEANUP_POLICY: Kind = Kind::ListOf(&["compact", "delete"]);
/// Size of a segment file.
pub(crate) const SEGMENT_BYTES: Kind = Kind::int(1 << 20);
/// A share of a whole.
pub(crate) const RATIO: Kind = Kind::Double { min: 0.0, max: 1.0 };

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;

declare! { TOPICS:
    AUTO_CREATE_TOPICS_ENABLE = Property::served(
        "auto.create.topics.enable",
        Kind::Boolean,
        "true",
        "whether a topic is created when a client asks for one that does not exist",
    );
    DELETE_TOPIC_ENABLE =
        Property::served("delete.topic.enable", Kind::Boolean, "true", "whether clients may delete topics");
    NUM_PARTITIONS = Property::served(
        "num.partitions",
        Kind::Int { min: 1, max: 10_000 },
        "1",
        "partitions of a topic that is created without saying how many",
    );
    DEFAULT_REPLICATION_FACTOR = Property::served(
        "default.replication.factor",
        Kind::INT,
        "1",
        "replicas of a topic that is created without saying how many; only 1 is possible",
    )
    .more("A topic that asks for another number is refused with INVALID_REPLICATION_FACTOR.");
    MESSAGE_MAX_BYTES = Property::served(
        "message.max.bytes",
        Kind::int(0),
        "1048588",
        "the largest record batch, compressed as it comes; a topic's max.message.bytes wins",
    )
    .while_running();
    LOG_MESSAGE_TIMESTAMP_TYPE = Property::served(
        "log.message.timestamp.type",
        TIMESTAMP_TYPE,
        "CreateTime",
        "whose clock stamps a record: CreateTime (the producer's) or LogAppendTime (the broker's)",
    )
    .while_running();
    LOG_MESSAGE_TIMESTAMP_BEFORE_MAX_MS = Property::served(
        "log.message.timestamp.before.max.ms",
        Kind::long(0),
        "9223372036854775807",
        "how far in the past a producer's timestamp may lie, in milliseconds",
    )
    .while_running();
    LOG_MESSAGE_TIMESTAMP_AFTER_MAX_MS = Property::served(
        "log.message.timestamp.after.max.ms",
        Kind::long(0),
        "3600000",
        "how far in the future a producer's timestamp may lie, in milliseconds",
    )
    .while_running();
    COMPRESSION_TYPE = Property::served(
        "compression.type",
        COMPRESSION,
        "producer",
        "how records are stored compressed; producer keeps what the producer sent",
    )
    .more(
        "A batch that comes in another codec is opened and compressed again, which costs CPU for all its bytes; one that comes \
         in this codec is kept as it is, whatever its level.",
    )
    .while_running();
    COMPRESSION_GZIP_LEVEL =
        Property::served("compression.gzip.level", GZIP_LEVEL, "-1", "how hard gzip tries; -1 is its own default").while_running();
    COMPRESSION_LZ4_LEVEL = Property::served("compression.lz4.level", LZ4_LEVEL, "9", "how hard lz4 tries")
        .more("9 is the fast compressor, as in Kafka; every other level searches longer, and those from 12 on are alike.")
        .while_running();
    COMPRESSION_ZSTD_LEVEL = Property::served("compression.zstd.level", ZSTD_LEVEL, "3", "how hard zstd tries")
        .more("Matches reach back at most 4 MiB, also at the highest levels.")
        .while_running();
    LOG_SEGMENT_BYTES = Property::served(
        "log.segment.bytes",
        SEGMENT_BYTES,
        "1073741824",
        "size at which a partition's log goes on in a new file",
    )
    .while_running();
    LOG_ROLL_MS = Property::served(
        "log.roll.ms",
        Kind::long(1),
        "604800000",
        "age at which a partition's log goes on in a new file, in milliseconds",
    )
    .coarser(&[Coarser { name: "log.roll.hours", factor: HOUR_MS }])
    .while_running();
    LOG_ROLL_HOURS = Property::served("log.roll.hours", Kind::int(1), "168", "log.roll.ms in hours, where log.roll.ms is not set");
    LOG_ROLL_JITTER_MS = Property::served(
        "log.roll.jitter.ms",
        Kind::long(0),
        "0",
        "by how much log.roll.ms varies from segment to segment, in milliseconds",
    )
    .coarser(&[Coarser { name: "log.roll.jitter.hours", factor: HOUR_MS }])
    .while_running();
    LOG_ROLL_JITTER_HOURS =
        Property::served("log.roll.jitter.hours", Kind::int(0), "0", "log.roll.jitter.ms in hours, where log.roll.jitter.ms is not set");
    LOG_RETENTION_MS = Property::served(
        "log.retention.ms",
        Kind::LONG,
        "604800000",
        "how long a record is kept, in milliseconds",
    )
    .more("-1 keeps records for ever. Whole segments go, once their newest record is that old.")
    .coarser(&[
        Coarser { name: "log.retention.minutes", factor: MINUTE_MS },
        Coarser { name: "log.retention.hours", factor: HOUR_MS },
    ])
    .while_running();
    LOG_RETENTION_MINUTES =
        Property::unset("log.retention.minutes", Kind::INT, "log.retention.ms in minutes, where log.retention.ms is not set");
    LOG_RETENTION_HOURS = Property::served(
        "log.retention.hours",
        Kind::INT,
        "168",
        "log.retention.ms in hours, where neither log.retention.ms nor log.retention.minutes is set",
    );
    LOG_RETENTION_BYTES = Property::served(
        "log.retention.bytes",
        Kind::LONG,
        "-1",
        "how many bytes of a partition are kept; -1 sets no bound",
    )
    .more("Whole segments go, as long as at least that much stays.")
    .while_running();
    LOG_RETENTION_CHECK_INTERVAL_MS = Property::served(
        "log.retention.check.interval.ms",
        Kind::long(1),
        "300000",
        "how often the broker looks for records to remove, in milliseconds",
    );
    LOG_FLUSH_INTERVAL_MESSAGES = Property::served(
        "log.flush.interval.messages",
        Kind::long(1),
        "9223372036854775807",
        "with ottla.durability=os: after how many messages of a partition they are flushed at the latest",
    )
    .more("With ottla.durability=flush every acknowledged record is flushed, whatever this says.")
    .while_running();
    LOG_FLUSH_INTERVAL_MS = Property::unset(
        "log.flush.interval.ms",
        Kind::LONG,
        "with ottla.durability=os: after how many milliseconds a message is flushed at the latest",
    )
    .more("Unset, messages are flushed when there is need. With ottla.durability=flush every acknowledged record is flushed, whatever this says.")
    .while_running();
    LOG_CLEANUP_POLICY = Property::served(
        "log.cleanup.policy",
        CLEANUP_POLICY,
        "delete",
        "how old records go: delete (by age and size), compact (the last of every key stays), or both",
    )
    .while_running();
    LOG_CLEANER_ENABLE = Property::served(
        "log.cleaner.enable",
        Kind::Boolean,
        "true",
        "whether compacted topics are compacted",
    );
    LOG_CLEANER_BACKOFF_MS = Property::served(
        "log.cleaner.backoff.ms",
        Kind::long(0),
        "15000",
        "how often the cleaner looks whether there is something to compact, in milliseconds",
    )
    .while_running();
    LOG_CLEANER_DEDUPE_BUFFER_SIZE = Property::served(
        "log.cleaner.dedupe.buffer.size",
        Kind::Long { min: 1 << 20, max: i64::MAX },
        "134217728",
        "how much memory one cleaning may take for the keys of a log, in bytes",
    )
    .more("A key takes its own length and about 48 bytes. A log with more keys is compacted in several rounds.")
    .while_running();
    LOG_CLEANER_IO_MAX_BYTES_PER_SECOND = Property::served(
        "log.cleaner.io.max.bytes.per.second",
        Kind::DOUBLE,
        "1.7976931348623157E308",
        "how many bytes the cleaner may read and write in a second",
    )
    .while_running();
    LOG_CLEANER_DELETE_RETENTION_MS = Property::served(
        "log.cleaner.delete.retention.ms",
        Kind::long(0),
        "86400000",
        "how long a compacted topic keeps the marks of deleted keys, in milliseconds",
    )
    .while_running();
    LOG_CLEANER_MIN_COMPACTION_LAG_MS = Property::served(
        "log.cleaner.min.compaction.lag.ms",
        Kind::long(0),
        "0",
        "how long a record stays at least before compaction may remove it, in milliseconds",
    )
    .while_running();
    LOG_CLEANER_MAX_COMPACTION_LAG_MS = Property::served(
        "log.cleaner.max.compaction.lag.ms",
        Kind::long(1),
        "9223372036854775807",
        "after how long at the latest a record is compacted, in milliseconds",
    )
    .while_running();
    LOG_CLEANER_MIN_CLEANABLE_RATIO = Property::served(
        "log.cleaner.min.cleanable.ratio",
        RATIO,
        "0.5",
        "which share of a log must be new before it is compacted",
    )
    .while_running();
}
