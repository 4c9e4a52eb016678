//! Groups, their committed offsets, and producers.

use crate::config::kind::Kind;
use crate::config::property::{Property, declare};

declare! { GROUPS:
    GROUP_MIN_SESSION_TIMEOUT_MS = Property::served(
        "group.min.session.timeout.ms",
        Kind::INT,
        "6000",
        "the shortest session timeout a member of the classic protocol may ask for, in milliseconds",
    );
    GROUP_MAX_SESSION_TIMEOUT_MS = Property::served(
        "group.max.session.timeout.ms",
        Kind::INT,
        "1800000",
        "the longest session timeout a member of the classic protocol may ask for, in milliseconds",
    );
    GROUP_INITIAL_REBALANCE_DELAY_MS = Property::unset(
        "group.initial.rebalance.delay.ms",
        Kind::INT,
        "how long an empty group waits for more members before it begins, in milliseconds; unset adapts",
    )
    .more(
        "Unset, the first member does not wait, and each one that comes meanwhile adds 50 ms. Kafka's own default is \
         3000.",
    );
    GROUP_MAX_SIZE = Property::served(
        "group.max.size",
        Kind::int(1),
        "2147483647",
        "how many members a group of the classic protocol may have",
    );
    GROUP_CONSUMER_SESSION_TIMEOUT_MS = Property::served(
        "group.consumer.session.timeout.ms",
        Kind::int(1),
        "45000",
        "after how long without a heartbeat a member of the consumer protocol is removed, in milliseconds",
    )
    .more("For less than 45 s set group.consumer.min.session.timeout.ms as well.");
    GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS = Property::served(
        "group.consumer.min.session.timeout.ms",
        Kind::int(1),
        "45000",
        "the shortest group.consumer.session.timeout.ms that is accepted, in milliseconds",
    );
    GROUP_CONSUMER_MAX_SESSION_TIMEOUT_MS = Property::served(
        "group.consumer.max.session.timeout.ms",
        Kind::int(1),
        "60000",
        "the longest group.consumer.session.timeout.ms that is accepted, in milliseconds",
    );
    GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS = Property::served(
        "group.consumer.heartbeat.interval.ms",
        Kind::int(1),
        "5000",
        "how often members of the consumer protocol are told to send heartbeats, in milliseconds",
    )
    .more(
        "Members hear of changes with a heartbeat, so a new one has its share after about one interval. For less than 5 s set \
         group.consumer.min.heartbeat.interval.ms as well.",
    );
    GROUP_CONSUMER_MIN_HEARTBEAT_INTERVAL_MS = Property::served(
        "group.consumer.min.heartbeat.interval.ms",
        Kind::int(1),
        "5000",
        "the shortest group.consumer.heartbeat.interval.ms that is accepted, in milliseconds",
    );
    GROUP_CONSUMER_MAX_HEARTBEAT_INTERVAL_MS = Property::served(
        "group.consumer.max.heartbeat.interval.ms",
        Kind::int(1),
        "15000",
        "the longest group.consumer.heartbeat.interval.ms that is accepted, in milliseconds",
    );
    GROUP_CONSUMER_MAX_SIZE = Property::served(
        "group.consumer.max.size",
        Kind::int(1),
        "2147483647",
        "how many members a group of the consumer protocol may have",
    );
    GROUP_CONSUMER_ASSIGNORS = Property::served(
        "group.consumer.assignors",
        Kind::ListOf(&["uniform", "range"]),
        "uniform,range",
        "the assignors that members of the consumer protocol may ask for, the default first",
    );
    OTTLA_LOST_CONNECTION_GRACE_MS = Property::served(
        "ottla.lost.connection.grace.ms",
        Kind::IntOr { min: 1, max: i32::MAX, or: -1 },
        "-1",
        "how long a dynamic member may be away once its connection is lost, in milliseconds; -1: for its session",
    )
    .more(
        "When the connection over which a member was heard of last is closed by its peer or breaks, and no request of that member comes over \
         another one in this time, it is removed as at the end of its session: others take over from a process that was killed. Give it \
         more than the heartbeat interval of clients of the classic protocol, who may come back no sooner, and hear no sooner of others; those of \
         the consumer protocol are told to ask twice in this time, but no more often than once in a millisecond for each member of the group. Static members keep their session.",
    );
    GROUP_CONSUMER_MIGRATION_POLICY = Property::served(
        "group.consumer.migration.policy",
        Kind::ChoiceAnyCase(&["BIDIRECTIONAL", "UPGRADE", "DOWNGRADE", "DISABLED"]),
        "bidirectional",
        "which ways groups with members may change between the classic and the consumer protocol",
    )
    .more(
        "upgrade: the first member of the consumer protocol takes a classic group along. downgrade: when the last one leaves, those \
         of the classic protocol go on with theirs. disabled: members of the two do not come together in a group.",
    );
    OFFSET_METADATA_MAX_BYTES = Property::served(
        "offset.metadata.max.bytes",
        Kind::INT,
        "4096",
        "the longest text a client may store with a committed offset, in bytes",
    );
    OFFSETS_TOPIC_NUM_PARTITIONS = Property::served(
        "offsets.topic.num.partitions",
        Kind::Int { min: 1, max: 10_000 },
        "50",
        "partitions of __consumer_offsets, where groups and their offsets are kept",
    )
    .more("It counts when that topic is created, which is with the first use of a group.");
    OFFSETS_TOPIC_SEGMENT_BYTES = Property::served(
        "offsets.topic.segment.bytes",
        Kind::int(1),
        "104857600",
        "segment.bytes of __consumer_offsets when it is created",
    );
    OFFSETS_RETENTION_MINUTES = Property::served(
        "offsets.retention.minutes",
        Kind::int(1),
        "10080",
        "how long committed offsets are kept once nobody needs them any more, in minutes",
    )
    .more(
        "Counted from when the group lost its last member, or from the commit where that came later or where the group never had \
         members. A stable group of consumers keeps those of the topics that it is subscribed to. With its last commit the group goes.",
    );
    OFFSETS_RETENTION_CHECK_INTERVAL_MS = Property::served(
        "offsets.retention.check.interval.ms",
        Kind::long(1),
        "600000",
        "how often the broker looks for expired offsets, in milliseconds",
    );
    PRODUCER_ID_EXPIRATION_MS = Property::served(
        "producer.id.expiration.ms",
        Kind::int(1),
        "86400000",
        "how long a silent idempotent producer's sequence numbers are remembered, in milliseconds",
    )
    .more(
        "Counted from when its last batch came, and looked at with each checkpoint. A partition remembers at most 65,536 \
         producers; with `ottla.storage=memory` only that counts.",
    );
    TRANSACTION_MAX_TIMEOUT_MS = Property::served(
        "transaction.max.timeout.ms",
        Kind::int(1),
        "900000",
        "the longest time a transaction may take, in milliseconds",
    );
    TRANSACTION_ABORT_INTERVAL_MS = Property::served(
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        Kind::int(1),
        "10000",
        "how often the broker looks for transactions that take too long, in milliseconds",
    );
    TRANSACTIONAL_ID_EXPIRATION_MS = Property::served(
        "transactional.id.expiration.ms",
        Kind::int(1),
        "604800000",
        "how long an unused transactional id is remembered, in milliseconds",
    );
    TRANSACTION_EXPIRY_INTERVAL_MS = Property::served(
        "transaction.remove.expired.transaction.cleanup.interval.ms",
        Kind::int(1),
        "3600000",
        "how often the broker looks for unused transactional ids, in milliseconds",
    );
    TRANSACTION_STATE_LOG_NUM_PARTITIONS = Property::served(
        "transaction.state.log.num.partitions",
        Kind::Int { min: 1, max: 10_000 },
        "50",
        "partitions of __transaction_state, where transactional ids are kept",
    )
    .more("It counts when that topic is created, which is with the first use of a transactional id.");
    TRANSACTION_STATE_LOG_SEGMENT_BYTES = Property::served(
        "transaction.state.log.segment.bytes",
        Kind::int(1),
        "104857600",
        "segment.bytes of __transaction_state when it is created",
    );
}
