//! What the operator may choose; plain data.
use crate::assignors::Assignor;
use crate::consumer::MigrationPolicy;
use alloc::vec::Vec;

/// Settings of a coordinator. The shell may replace them while running ([`crate::Coordinator::configure`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `group.min.session.timeout.ms`: a join with a shorter session timeout is refused.
    pub min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`: a join with a longer session timeout is refused.
    pub max_session_timeout_ms: i32,
    /// `group.initial.rebalance.delay.ms`. `Some` means what it means in Kafka: an empty group waits so long for more
    /// members, and again as long as more come, within the rebalance timeout. `None` is adaptive: no wait for the first
    /// member, and [`Settings::JOIN_STORM_STEP_MS`] more for each join that comes during that first rebalance.
    pub initial_rebalance_delay_ms: Option<i32>,
    /// `group.max.size`: members a group may have.
    pub max_group_size: i32,
    /// `offset.metadata.max.bytes`: longest metadata string of one committed offset.
    pub max_offset_metadata_bytes: i32,
    /// `offsets.retention.minutes`, in milliseconds: how long commits are kept that nobody needs any more.
    pub offsets_retention_ms: i64,
    /// `group.consumer.session.timeout.ms`: after how long without a heartbeat a member of the consumer protocol is removed.
    pub consumer_session_timeout_ms: i32,
    /// `group.consumer.heartbeat.interval.ms`: how often it shall send one.
    pub consumer_heartbeat_interval_ms: i32,
    /// `group.consumer.max.size`: members that a group of the consumer protocol may have.
    pub consumer_max_group_size: i32,
    /// `group.consumer.assignors`: those that may be asked for, the default first.
    pub consumer_assignors: Vec<Assignor>,
    /// `ottla.lost.connection.grace.ms`: how long after its connection was lost a dynamic member is removed, unless it is heard
    /// of again. `None`: not because of that.
    pub lost_connection_grace_ms: Option<u64>,
    /// `group.consumer.migration.policy`: which ways a group with members may go.
    pub migration_policy: MigrationPolicy,
    /// The bug that this coordinator shall have.
    #[cfg(feature = "planted-bugs")]
    pub bug: Option<crate::PlantedBug>,
}

impl Settings {
    /// What each further join adds to an adaptive initial rebalance, in milliseconds.
    pub const JOIN_STORM_STEP_MS: u64 = 50;
    /// What an adaptive initial rebalance waits at most, in milliseconds: Kafka's own default delay.
    pub const JOIN_STORM_MAX_MS: u64 = 3_000;
    /// How long a new member's join may be parked before it is asked to try again, in milliseconds. Its client does not
    /// know its member id yet and so cannot send heartbeats.
    pub const NEW_MEMBER_JOIN_TIMEOUT_MS: u64 = 300_000;
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            min_session_timeout_ms: 6_000,
            max_session_timeout_ms: 1_800_000,
            initial_rebalance_delay_ms: None,
            max_group_size: i32::MAX,
            max_offset_metadata_bytes: 4096,
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1_000,
            consumer_session_timeout_ms: 45_000,
            consumer_heartbeat_interval_ms: 5_000,
            consumer_max_group_size: i32::MAX,
            consumer_assignors: Assignor::ALL.to_vec(),
            lost_connection_grace_ms: None,
            migration_policy: MigrationPolicy::Bidirectional,
            #[cfg(feature = "planted-bugs")]
            bug: None,
        }
    }
}
