//! Kafka's properties for what a later version will serve: checked, kept and shown, but without effect so far.

use crate::config::kind::Kind;
use crate::config::property::{Property, Subject};

/// One subject for each reason.
pub(crate) const SUBJECTS: &[Subject] = &[
    Subject { title: "Transactions", properties: TRANSACTIONS },
    Subject { title: "Consumer groups of KIP-848", properties: CONSUMER },
    Subject { title: "Share groups", properties: SHARE },
    Subject { title: "Streams groups", properties: STREAMS },
];

const TWO_PHASE_WHY: &str = "a commit in two phases is not served yet";

const TRANSACTIONS: &[Property] =
    &[later("transaction.two.phase.commit.enable", Kind::Boolean, Some("false"), TWO_PHASE_WHY)];

const ASSIGNMENT_WHY: &str = "a target assignment is made with the heartbeat that needs it, without an interval";

const CONSUMER: &[Property] = &[
    later("group.consumer.assignment.interval.ms", Kind::int(0), Some("1000"), ASSIGNMENT_WHY).while_running(),
    later("group.consumer.max.assignment.interval.ms", Kind::int(0), Some("15000"), ASSIGNMENT_WHY),
    later("group.consumer.min.assignment.interval.ms", Kind::int(0), Some("0"), ASSIGNMENT_WHY),
    later(
        "group.consumer.regex.refresh.interval.ms",
        Kind::int(10000),
        Some("600000"),
        "regular expressions are resolved with every change of topics",
    ),
    later(
        "group.coordinator.rebalance.protocols",
        Kind::ListOf(&["consumer", "classic", "share", "streams"]),
        Some("classic,consumer,streams"),
        "both the classic and the consumer protocol are always served",
    ),
];

const SHARE_WHY: &str = "share groups are not served yet";

const SHARE: &[Property] = &[
    later("group.share.assignment.interval.ms", Kind::int(0), Some("1000"), SHARE_WHY).while_running(),
    later("group.share.assignors", Kind::List, Some("simple"), SHARE_WHY),
    later("group.share.delivery.count.limit", Kind::Int { min: 2, max: 10 }, Some("5"), SHARE_WHY),
    later("group.share.heartbeat.interval.ms", Kind::int(1), Some("5000"), SHARE_WHY),
    later("group.share.initialize.retry.interval.ms", Kind::int(1), Some("30000"), SHARE_WHY),
    later("group.share.max.assignment.interval.ms", Kind::int(0), Some("15000"), SHARE_WHY),
    later("group.share.max.delivery.count.limit", Kind::Int { min: 5, max: 25 }, Some("10"), SHARE_WHY),
    later("group.share.max.heartbeat.interval.ms", Kind::int(1), Some("15000"), SHARE_WHY),
    later("group.share.max.partition.max.record.locks", Kind::Int { min: 2000, max: 10000 }, Some("4000"), SHARE_WHY),
    later("group.share.max.record.lock.duration.ms", Kind::Int { min: 30000, max: 3600000 }, Some("60000"), SHARE_WHY),
    later("group.share.max.session.timeout.ms", Kind::int(1), Some("60000"), SHARE_WHY),
    later("group.share.max.share.sessions", Kind::int(1), Some("2000"), SHARE_WHY),
    later("group.share.max.size", Kind::Int { min: 1, max: 1000 }, Some("200"), SHARE_WHY),
    later("group.share.min.assignment.interval.ms", Kind::int(0), Some("0"), SHARE_WHY),
    later("group.share.min.delivery.count.limit", Kind::Int { min: 2, max: 5 }, Some("2"), SHARE_WHY),
    later("group.share.min.heartbeat.interval.ms", Kind::int(1), Some("5000"), SHARE_WHY),
    later("group.share.min.partition.max.record.locks", Kind::Int { min: 100, max: 2000 }, Some("100"), SHARE_WHY),
    later("group.share.min.record.lock.duration.ms", Kind::Int { min: 1000, max: 30000 }, Some("15000"), SHARE_WHY),
    later("group.share.min.session.timeout.ms", Kind::int(1), Some("45000"), SHARE_WHY),
    later("group.share.partition.max.record.locks", Kind::Int { min: 100, max: 10000 }, Some("2000"), SHARE_WHY),
    later(
        "group.share.persister.class.name",
        Kind::Text,
        Some("org.apache.kafka.server.share.persister.DefaultStatePersister"),
        SHARE_WHY,
    ),
    later("group.share.record.lock.duration.ms", Kind::Int { min: 1000, max: 3600000 }, Some("30000"), SHARE_WHY),
    later("group.share.session.timeout.ms", Kind::int(1), Some("45000"), SHARE_WHY),
    later("share.coordinator.append.linger.ms", Kind::int(-1), Some("-1"), SHARE_WHY),
    later("share.coordinator.cached.buffer.max.bytes", Kind::int(524288), Some("1048588"), SHARE_WHY).while_running(),
    later("share.coordinator.cold.partition.snapshot.interval.ms", Kind::int(1), Some("300000"), SHARE_WHY),
    later("share.coordinator.load.buffer.size", Kind::int(1), Some("5242880"), SHARE_WHY),
    later(
        "share.coordinator.snapshot.update.records.per.snapshot",
        Kind::Int { min: 0, max: 500 },
        Some("500"),
        SHARE_WHY,
    ),
    later("share.coordinator.state.topic.compression.codec", Kind::INT, Some("0"), SHARE_WHY),
    later("share.coordinator.state.topic.min.isr", Kind::short(1), Some("2"), SHARE_WHY),
    later("share.coordinator.state.topic.num.partitions", Kind::int(1), Some("50"), SHARE_WHY),
    later("share.coordinator.state.topic.prune.interval.ms", Kind::int(1), Some("300000"), SHARE_WHY),
    later("share.coordinator.state.topic.replication.factor", Kind::short(1), Some("3"), SHARE_WHY),
    later("share.coordinator.state.topic.segment.bytes", Kind::int(1), Some("104857600"), SHARE_WHY),
    later("share.coordinator.threads", Kind::int(1), Some("1"), SHARE_WHY),
    later("share.coordinator.write.timeout.ms", Kind::int(1), Some("5000"), SHARE_WHY),
    later("share.fetch.purgatory.purge.interval.requests", Kind::INT, Some("1000"), SHARE_WHY),
];

const STREAMS_WHY: &str = "streams groups are not served yet";

const STREAMS: &[Property] = &[
    later("group.streams.assignment.interval.ms", Kind::int(0), Some("1000"), STREAMS_WHY).while_running(),
    later("group.streams.heartbeat.interval.ms", Kind::int(1), Some("5000"), STREAMS_WHY),
    later("group.streams.initial.rebalance.delay.ms", Kind::int(0), Some("3000"), STREAMS_WHY),
    later("group.streams.max.assignment.interval.ms", Kind::int(0), Some("15000"), STREAMS_WHY),
    later("group.streams.max.heartbeat.interval.ms", Kind::int(1), Some("15000"), STREAMS_WHY),
    later("group.streams.max.session.timeout.ms", Kind::int(1), Some("60000"), STREAMS_WHY),
    later("group.streams.max.size", Kind::int(1), Some("2147483647"), STREAMS_WHY),
    later("group.streams.max.standby.replicas", Kind::int(0), Some("2"), STREAMS_WHY),
    later("group.streams.min.assignment.interval.ms", Kind::int(0), Some("0"), STREAMS_WHY),
    later("group.streams.min.heartbeat.interval.ms", Kind::int(1), Some("5000"), STREAMS_WHY),
    later("group.streams.min.session.timeout.ms", Kind::int(1), Some("45000"), STREAMS_WHY),
    later("group.streams.num.standby.replicas", Kind::int(0), Some("0"), STREAMS_WHY),
    later("group.streams.session.timeout.ms", Kind::int(1), Some("45000"), STREAMS_WHY),
];

const fn later(name: &'static str, kind: Kind, default: Option<&'static str>, why: &'static str) -> Property {
    Property::without_meaning(name, kind, default, why).not_yet()
}
