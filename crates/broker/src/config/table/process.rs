//! Kafka's properties for its threads, files and plug-ins.

use crate::config::kind::Kind;
use crate::config::property::{Property, Subject};

/// One subject for each reason.
pub(crate) const SUBJECTS: &[Subject] = &[
    Subject { title: "Java plug-ins", properties: CLASSES },
    Subject { title: "Threads, queues and metrics", properties: THREADS },
    Subject { title: "Files and flushing", properties: FILES },
];

const CLASSES_WHY: &str = "Java classes cannot be loaded";

const CLASSES: &[Property] = &[
    known("alter.config.policy.class.name", Kind::Class, None, CLASSES_WHY),
    known("client.quota.callback.class", Kind::Class, None, CLASSES_WHY),
    known("config.providers", Kind::List, Some(""), CLASSES_WHY).while_running(),
    known("create.topic.policy.class.name", Kind::Class, None, CLASSES_WHY),
    known("kafka.metrics.polling.interval.secs", Kind::int(1), Some("10"), CLASSES_WHY),
    known("kafka.metrics.reporters", Kind::List, Some(""), CLASSES_WHY),
    known("metric.reporters", Kind::List, Some("org.apache.kafka.common.metrics.JmxReporter"), CLASSES_WHY)
        .while_running(),
    known(
        "principal.builder.class",
        Kind::Class,
        Some("org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"),
        CLASSES_WHY,
    )
    .while_running(),
    known("replica.selector.class", Kind::Text, None, CLASSES_WHY),
    known("security.providers", Kind::Text, None, CLASSES_WHY),
];

const THREADS_WHY: &str = "threads, queues and buffers size themselves";

const THREADS: &[Property] = &[
    known("background.threads", Kind::int(1), Some("10"), THREADS_WHY).while_running(),
    known("delete.records.purgatory.purge.interval.requests", Kind::INT, Some("1"), THREADS_WHY),
    known("fetch.purgatory.purge.interval.requests", Kind::INT, Some("1000"), THREADS_WHY),
    known("group.coordinator.append.linger.ms", Kind::int(-1), Some("-1"), THREADS_WHY),
    known("group.coordinator.background.threads", Kind::int(1), Some("2"), THREADS_WHY),
    known("group.coordinator.cached.buffer.max.bytes", Kind::int(524288), Some("1048588"), THREADS_WHY),
    known("group.coordinator.threads", Kind::int(1), Some("4"), THREADS_WHY),
    known("metrics.num.samples", Kind::int(1), Some("2"), THREADS_WHY),
    known("metrics.recording.level", Kind::Text, Some("INFO"), THREADS_WHY),
    known("metrics.sample.window.ms", Kind::long(1), Some("30000"), THREADS_WHY),
    known("num.io.threads", Kind::int(1), Some("8"), THREADS_WHY).while_running(),
    known("num.network.threads", Kind::int(1), Some("3"), THREADS_WHY).while_running(),
    known("num.recovery.threads.per.data.dir", Kind::int(1), Some("2"), THREADS_WHY).while_running(),
    known("producer.id.expiration.check.interval.ms", Kind::int(1), Some("600000"), THREADS_WHY),
    known("producer.purgatory.purge.interval.requests", Kind::INT, Some("1000"), THREADS_WHY),
    known("queued.max.request.bytes", Kind::LONG, Some("-1"), THREADS_WHY),
    known("queued.max.requests", Kind::int(1), Some("500"), THREADS_WHY),
    known("request.timeout.ms", Kind::INT, Some("30000"), THREADS_WHY),
    known("socket.connection.setup.timeout.max.ms", Kind::LONG, Some("30000"), THREADS_WHY),
    known("socket.connection.setup.timeout.ms", Kind::LONG, Some("10000"), THREADS_WHY),
    known("telemetry.max.bytes", Kind::int(1), Some("1048576"), THREADS_WHY),
];

const FILES_WHY: &str = "files are written and flushed another way, see ottla.durability";

const FILES: &[Property] = &[
    known("cordoned.log.dirs", Kind::List, Some(""), FILES_WHY).while_running(),
    known("log.cleaner.io.buffer.load.factor", Kind::DOUBLE, Some("0.9"), FILES_WHY).while_running(),
    known("log.cleaner.io.buffer.size", Kind::int(0), Some("524288"), FILES_WHY).while_running(),
    known("log.cleaner.threads", Kind::int(0), Some("1"), "one thread compacts").while_running(),
    known("log.dir.failure.timeout.ms", Kind::long(1), Some("30000"), FILES_WHY),
    known("log.flush.offset.checkpoint.interval.ms", Kind::int(0), Some("60000"), FILES_WHY),
    known("log.flush.scheduler.interval.ms", Kind::LONG, Some("9223372036854775807"), FILES_WHY),
    known("log.flush.start.offset.checkpoint.interval.ms", Kind::int(0), Some("60000"), FILES_WHY),
    known("log.index.interval.bytes", Kind::int(0), Some("4096"), FILES_WHY).while_running(),
    known("log.index.size.max.bytes", Kind::int(4), Some("10485760"), FILES_WHY).while_running(),
    known("log.initial.task.delay.ms", Kind::long(0), Some("30000"), FILES_WHY),
    known("log.preallocate", Kind::Boolean, Some("false"), FILES_WHY).while_running(),
    known("log.segment.delete.delay.ms", Kind::long(0), Some("60000"), FILES_WHY).while_running(),
    known("offsets.commit.timeout.ms", Kind::int(1), Some("5000"), FILES_WHY),
    known("offsets.load.buffer.size", Kind::int(1), Some("5242880"), FILES_WHY),
    known("offsets.topic.compression.codec", Kind::INT, Some("0"), FILES_WHY),
    known("transaction.state.log.load.buffer.size", Kind::int(1), Some("5242880"), FILES_WHY),
];

const fn known(name: &'static str, kind: Kind, default: Option<&'static str>, why: &'static str) -> Property {
    Property::without_meaning(name, kind, default, why)
}
