//! Kafka's properties for a cluster of several machines.

use crate::config::kind::Kind;
use crate::config::property::{Property, Subject};

/// One subject for each reason.
pub(crate) const SUBJECTS: &[Subject] = &[
    Subject { title: "Replication", properties: REPLICAS },
    Subject { title: "Controllers and the quorum", properties: QUORUM },
    Subject { title: "Tiered storage", properties: TIERED },
    Subject { title: "Between brokers", properties: BROKERS },
];

const REPLICAS_WHY: &str = "every partition has one replica";

const REPLICAS: &[Property] = &[
    known("alter.log.dirs.replication.quota.window.num", Kind::int(1), Some("11"), REPLICAS_WHY),
    known("alter.log.dirs.replication.quota.window.size.seconds", Kind::int(1), Some("1"), REPLICAS_WHY),
    known("min.insync.replicas", Kind::int(1), Some("1"), REPLICAS_WHY).while_running(),
    known("num.replica.alter.log.dirs.threads", Kind::INT, None, REPLICAS_WHY),
    known("num.replica.fetchers", Kind::int(1), Some("1"), REPLICAS_WHY).while_running(),
    known("offsets.topic.replication.factor", Kind::short(1), Some("3"), REPLICAS_WHY),
    known("replica.fetch.backoff.ms", Kind::int(0), Some("1000"), REPLICAS_WHY),
    known("replica.fetch.max.bytes", Kind::int(0), Some("1048576"), REPLICAS_WHY),
    known("replica.fetch.min.bytes", Kind::INT, Some("1"), REPLICAS_WHY),
    known("replica.fetch.response.max.bytes", Kind::int(0), Some("10485760"), REPLICAS_WHY),
    known("replica.fetch.wait.max.ms", Kind::INT, Some("500"), REPLICAS_WHY),
    known("replica.high.watermark.checkpoint.interval.ms", Kind::LONG, Some("5000"), REPLICAS_WHY),
    known("replica.lag.time.max.ms", Kind::LONG, Some("30000"), REPLICAS_WHY),
    known("replica.socket.receive.buffer.bytes", Kind::INT, Some("65536"), REPLICAS_WHY),
    known("replica.socket.timeout.ms", Kind::INT, Some("30000"), REPLICAS_WHY),
    known("replication.quota.window.num", Kind::int(1), Some("11"), REPLICAS_WHY),
    known("replication.quota.window.size.seconds", Kind::int(1), Some("1"), REPLICAS_WHY),
    known("transaction.state.log.min.isr", Kind::int(1), Some("2"), REPLICAS_WHY),
    known("transaction.state.log.replication.factor", Kind::short(1), Some("3"), REPLICAS_WHY),
    known("unclean.leader.election.enable", Kind::Boolean, Some("false"), REPLICAS_WHY).while_running(),
    known("unclean.leader.election.interval.ms", Kind::long(1), Some("300000"), REPLICAS_WHY),
];

const QUORUM_WHY: &str = "one process is the whole cluster, so there is no quorum of controllers";

const QUORUM: &[Property] = &[
    known("auto.leader.rebalance.enable", Kind::Boolean, Some("true"), QUORUM_WHY),
    known("broker.heartbeat.interval.ms", Kind::INT, Some("2000"), QUORUM_WHY),
    known("broker.id", Kind::INT, Some("-1"), QUORUM_WHY),
    known("broker.rack", Kind::Text, None, QUORUM_WHY),
    known("broker.session.timeout.ms", Kind::INT, Some("9000"), QUORUM_WHY),
    known("controlled.shutdown.enable", Kind::Boolean, Some("true"), QUORUM_WHY),
    known("controller.performance.always.log.threshold.ms", Kind::long(0), Some("2000"), QUORUM_WHY),
    known("controller.performance.sample.period.ms", Kind::long(100), Some("60000"), QUORUM_WHY),
    known("controller.quorum.append.linger.ms", Kind::int(0), Some("25"), QUORUM_WHY),
    known("controller.quorum.auto.join.enable", Kind::Boolean, Some("false"), QUORUM_WHY),
    known("controller.quorum.bootstrap.servers", Kind::List, Some(""), QUORUM_WHY),
    known("controller.quorum.election.backoff.max.ms", Kind::int(0), Some("1000"), QUORUM_WHY),
    known("controller.quorum.election.timeout.ms", Kind::int(0), Some("1000"), QUORUM_WHY),
    known("controller.quorum.fetch.max.bytes", Kind::int(1), Some("1048576"), QUORUM_WHY),
    known("controller.quorum.fetch.snapshot.max.bytes", Kind::int(1), Some("1048576"), QUORUM_WHY),
    known("controller.quorum.fetch.timeout.ms", Kind::int(0), Some("2000"), QUORUM_WHY),
    known("controller.quorum.request.timeout.ms", Kind::int(0), Some("2000"), QUORUM_WHY),
    known("controller.quorum.retry.backoff.ms", Kind::int(0), Some("20"), QUORUM_WHY),
    known("controller.quorum.voters", Kind::List, Some(""), QUORUM_WHY),
    known("controller.socket.timeout.ms", Kind::INT, Some("30000"), QUORUM_WHY),
    known("early.start.listeners", Kind::List, None, QUORUM_WHY),
    known("initial.broker.registration.timeout.ms", Kind::INT, Some("60000"), QUORUM_WHY),
    known("internal.metadata.delete.delay.millis", Kind::LONG, Some("60000"), QUORUM_WHY),
    known("internal.metadata.log.segment.bytes", Kind::INT, None, QUORUM_WHY),
    known("internal.metadata.max.batch.size.in.bytes", Kind::INT, Some("8388608"), QUORUM_WHY),
    known("leader.imbalance.check.interval.seconds", Kind::long(1), Some("300"), QUORUM_WHY),
    known("metadata.log.dir", Kind::Text, None, QUORUM_WHY),
    known("metadata.log.max.record.bytes.between.snapshots", Kind::long(1), Some("20971520"), QUORUM_WHY),
    known("metadata.log.max.snapshot.interval.ms", Kind::long(0), Some("3600000"), QUORUM_WHY),
    known("metadata.log.segment.bytes", Kind::int(8388608), Some("1073741824"), QUORUM_WHY),
    known("metadata.log.segment.ms", Kind::LONG, Some("604800000"), QUORUM_WHY),
    known("metadata.max.idle.interval.ms", Kind::int(0), Some("500"), QUORUM_WHY),
    known("metadata.max.retention.bytes", Kind::LONG, Some("104857600"), QUORUM_WHY),
    known("metadata.max.retention.ms", Kind::LONG, Some("604800000"), QUORUM_WHY),
    known("node.id", Kind::int(0), None, QUORUM_WHY),
    known("process.roles", Kind::ListOf(&["broker", "controller"]), None, QUORUM_WHY),
    known("server.max.startup.time.ms", Kind::long(0), Some("9223372036854775807"), QUORUM_WHY),
    known("unstable.api.versions.enable", Kind::Boolean, Some("false"), QUORUM_WHY),
    known("unstable.feature.versions.enable", Kind::Boolean, Some("false"), QUORUM_WHY),
];

const TIERED_WHY: &str = "there is no tiered storage";

const TIERED: &[Property] = &[
    known("follower.fetch.last.tiered.offset.enable", Kind::Boolean, Some("false"), TIERED_WHY).while_running(),
    known("log.local.retention.bytes", Kind::long(-2), Some("-2"), TIERED_WHY).while_running(),
    known("log.local.retention.ms", Kind::long(-2), Some("-2"), TIERED_WHY).while_running(),
    known("remote.fetch.max.wait.ms", Kind::int(1), Some("500"), TIERED_WHY).while_running(),
    known("remote.list.offsets.request.timeout.ms", Kind::long(1), Some("30000"), TIERED_WHY).while_running(),
    known("remote.log.index.file.cache.total.size.bytes", Kind::long(1), Some("1073741824"), TIERED_WHY)
        .while_running(),
    known("remote.log.index.file.cache.ttl.ms", Kind::long(-1), Some("900000"), TIERED_WHY),
    known("remote.log.manager.copier.thread.pool.size", Kind::int(1), Some("10"), TIERED_WHY).while_running(),
    known("remote.log.manager.copy.max.bytes.per.second", Kind::long(1), Some("9223372036854775807"), TIERED_WHY)
        .while_running(),
    known("remote.log.manager.copy.quota.window.num", Kind::int(1), Some("11"), TIERED_WHY),
    known("remote.log.manager.copy.quota.window.size.seconds", Kind::int(1), Some("1"), TIERED_WHY),
    known("remote.log.manager.expiration.thread.pool.size", Kind::int(1), Some("10"), TIERED_WHY).while_running(),
    known("remote.log.manager.fetch.max.bytes.per.second", Kind::long(1), Some("9223372036854775807"), TIERED_WHY)
        .while_running(),
    known("remote.log.manager.fetch.quota.window.num", Kind::int(1), Some("11"), TIERED_WHY),
    known("remote.log.manager.fetch.quota.window.size.seconds", Kind::int(1), Some("1"), TIERED_WHY),
    known("remote.log.manager.follower.thread.pool.size", Kind::int(1), Some("2"), TIERED_WHY).while_running(),
    known("remote.log.manager.task.interval.ms", Kind::long(1), Some("30000"), TIERED_WHY),
    known("remote.log.manager.task.retry.backoff.max.ms", Kind::long(1), Some("30000"), TIERED_WHY),
    known("remote.log.manager.task.retry.backoff.ms", Kind::long(1), Some("500"), TIERED_WHY),
    known("remote.log.manager.task.retry.jitter", Kind::Double { min: 0.0, max: 0.5 }, Some("0.2"), TIERED_WHY),
    known("remote.log.manager.thread.pool.size", Kind::int(1), Some("2"), TIERED_WHY),
    known("remote.log.metadata.custom.metadata.max.bytes", Kind::int(0), Some("128"), TIERED_WHY),
    known(
        "remote.log.metadata.manager.class.name",
        Kind::Text,
        Some("org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager"),
        TIERED_WHY,
    ),
    known("remote.log.metadata.manager.class.path", Kind::Text, None, TIERED_WHY),
    known("remote.log.metadata.manager.impl.prefix", Kind::Text, Some("rlmm.config."), TIERED_WHY),
    known("remote.log.metadata.manager.listener.name", Kind::Text, None, TIERED_WHY),
    known("remote.log.reader.max.pending.tasks", Kind::int(1), Some("100"), TIERED_WHY),
    known("remote.log.reader.threads", Kind::int(1), Some("10"), TIERED_WHY).while_running(),
    known("remote.log.storage.manager.class.name", Kind::Text, None, TIERED_WHY),
    known("remote.log.storage.manager.class.path", Kind::Text, None, TIERED_WHY),
    known("remote.log.storage.manager.impl.prefix", Kind::Text, Some("rsm.config."), TIERED_WHY),
    known("remote.log.storage.system.enable", Kind::Boolean, Some("false"), TIERED_WHY),
];

const BROKERS_WHY: &str = "brokers do not talk to each other";

const BROKERS: &[Property] = &[
    known("add.partitions.to.txn.retry.backoff.max.ms", Kind::int(0), Some("100"), BROKERS_WHY),
    known("add.partitions.to.txn.retry.backoff.ms", Kind::int(1), Some("20"), BROKERS_WHY),
    known("inter.broker.listener.name", Kind::Text, None, BROKERS_WHY),
    known(
        "security.inter.broker.protocol",
        Kind::Choice(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]),
        Some("PLAINTEXT"),
        BROKERS_WHY,
    ),
    known("transaction.partition.verification.enable", Kind::Boolean, Some("true"), "partitions are always verified")
        .while_running(),
];

const fn known(name: &'static str, kind: Kind, default: Option<&'static str>, why: &'static str) -> Property {
    Property::without_meaning(name, kind, default, why)
}
