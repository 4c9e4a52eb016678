//! What comes in and what goes out.
use crate::answer::{Answer, GroupState};
use crate::group_config::GroupConfigs;
use crate::request::{Request, TopicId};
use crate::topics::Topics;
use crate::waits::Culprit;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The time, twice: deadlines are monotonic, stored times are wall time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// Milliseconds since some fixed moment of this process; never runs backwards.
    pub monotonic_ms: u64,
    /// Milliseconds since 1970.
    pub wall_ms: i64,
}

/// The shell's name for a request that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientInfo {
    /// The client's own name (`client.id`), empty if it has none.
    pub client_id: String,
    /// The client's address as Kafka writes it: a slash and the IP address, without the port.
    pub host: String,
    /// Name and version of the client library, if it said so (ApiVersions >= 3).
    pub software: Option<(String, String)>,
    /// The shell's number of the connection, if it shall count where it is lost ([`Event::ConnectionLost`]).
    pub connection: Option<u64>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and nearly all are requests")]
pub enum Event {
    /// A client asks.
    Request {
        /// Under which the answer will come.
        ticket: Ticket,
        /// Who asks.
        client: ClientInfo,
        /// What it wants.
        request: Request,
    },
    /// Time has passed.
    Tick,
    /// The connection of a request that is not yet answered was closed. A ticket that is not parked is ignored.
    Cancelled {
        /// Which.
        ticket: Ticket,
    },
    /// A topic was deleted: its commits go too. Ignored by a coordinator that has not loaded yet: tell it again then.
    TopicDeleted {
        /// Its name.
        name: String,
        /// Its id: commits that were made for another id stay.
        topic_id: Option<TopicId>,
    },
    /// Topics came or went, or have more partitions: all that there are now. To be told before [`crate::Coordinator::loaded`] for
    /// the first time, and before any request that follows from a change.
    TopicsChanged(Arc<Topics>),
    /// It is time to look for commits that have expired (`offsets.retention.check.interval.ms`). Ignored by a coordinator that has
    /// not loaded yet.
    ExpireOffsets,
    /// A partition's log begins later now. Ignored by a coordinator that has not loaded yet: tell it again then.
    LogStartMoved(LogStartMoved),
    /// Groups have other configs of their own: those of all that have any. To be told before [`crate::Coordinator::loaded`] for the
    /// first time, and before any request that follows from a change.
    GroupConfigsChanged(Arc<GroupConfigs>),
    /// A transaction has ended, and its marker is in this partition of `__consumer_offsets`, durably. Ignored by a coordinator that has
    /// not loaded yet: it reads the marker.
    TransactionEnded {
        /// Of the producer with this id.
        producer_id: i64,
        /// Whether it committed.
        commits: bool,
    },
    /// A connection was closed by its peer, or broke. Not to be told of those that the broker itself closes.
    ConnectionLost {
        /// Its number ([`ClientInfo::connection`]).
        connection: u64,
    },
}

/// Records at the beginning of a partition's log were removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStartMoved {
    /// The topic's name.
    pub topic: String,
    /// The topic's id: commits that were made for another id are not concerned.
    pub topic_id: Option<TopicId>,
    /// Partition number.
    pub partition: i32,
    /// The former log start offset.
    pub from: i64,
    /// The log start offset.
    pub to: i64,
    /// Why.
    pub cause: LogStartCause,
}

/// Why a log start moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStartCause {
    /// A client asked for it (DeleteRecords).
    DeleteRecords,
    /// `retention.ms` or `retention.bytes`.
    Retention,
}

/// A transactional producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Producer {
    /// Its id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
}

/// What the shell must do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Append to this partition of `__consumer_offsets`.
    Append(Record),
    /// Append to this partition of `__consumer_offsets`, in a transaction of this producer.
    AppendInTransaction(Producer, Record),
    /// Answer a request once every earlier append is durable.
    Reply(Ticket, Answer),
    /// Something worth telling, for logs and the group's timeline. It has happened once every earlier append is durable. May be
    /// dropped.
    Event(GroupEvent),
}

/// A record of `__consumer_offsets`, in Kafka's published format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Key with its version.
    pub key: Vec<u8>,
    /// Value with its version, `None` for a tombstone.
    pub value: Option<Vec<u8>>,
}

/// A transition of a group, or a moment worth remembering, with its cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupEvent {
    /// The group; empty if it concerns all groups of the coordinator.
    pub group_id: String,
    /// Wall time in milliseconds.
    pub at_ms: i64,
    /// What.
    pub kind: GroupEventKind,
}

/// What happened to a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupEventKind {
    /// The state changed.
    StateChanged {
        /// Before.
        from: GroupState,
        /// After.
        to: GroupState,
        /// The generation, or of the consumer protocol the group's epoch, after the change.
        generation_id: i32,
        /// Why, in words: who joined, left or was late.
        cause: String,
    },
    /// A member joined; or it joined again, and the group rebalances for that.
    MemberJoined {
        /// Who.
        member: Culprit,
        /// The client's own reason (KIP-800).
        reason: Option<String>,
        /// It was a member before.
        again: bool,
    },
    /// A member left, or was removed because it was late.
    MemberRemoved {
        /// Who.
        member: Culprit,
        /// Whether it went by itself.
        how: Departure,
        /// Why, in words.
        cause: String,
        /// What it had.
        held: Held,
    },
    /// A static member of the consumer protocol left and will come back; it keeps its place as long as its session lasts.
    MemberAway {
        /// Who.
        member: Culprit,
        /// What it has.
        held: Held,
    },
    /// Members have other partitions than before.
    Assigned {
        /// The generation or epoch.
        epoch: i32,
        /// Those whose partitions changed, [`Assigned::MOST_MEMBERS`] at most.
        changes: Vec<Assigned>,
        /// How many more there are.
        left_out: usize,
    },
    /// A group's commit moved over records that were not read, or back.
    OffsetsMoved(OffsetsMoved),
    /// Commits were set by an administrator ([`crate::ResetOffsets`]).
    OffsetsReset {
        /// Under members, which were fenced.
        online: bool,
        /// It took an earlier reset back.
        undo: bool,
        /// What changed.
        changes: Vec<OffsetChange>,
    },
    /// Commits were deleted: by a client, or with their topic.
    OffsetsDeleted {
        /// The topic's name.
        topic: String,
        /// Partition numbers, ascending.
        partitions: Vec<i32>,
        /// Why, in words.
        cause: String,
    },
    /// The group was read from the log, with members.
    Loaded {
        /// How many.
        members: usize,
    },
    /// A process took over a `group.instance.id`; the old member id is fenced.
    StaticMemberReplaced {
        /// Whose.
        group_instance_id: String,
        /// Before.
        old_member_id: String,
        /// After.
        new_member_id: String,
    },
    /// A member id that was given to a client was never used.
    MemberIdForgotten {
        /// Which.
        member_id: String,
    },
    /// Records are gone that the group had not read: its commit lies before where the log begins now.
    RecordsLost {
        /// The topic's name.
        topic: String,
        /// Partition number.
        partition: i32,
        /// The first offset that was lost with this move: the commit, or where the log began before.
        from: i64,
        /// Where the log begins now.
        to: i64,
        /// How many offsets lie between; as many records, unless the log is compacted.
        records: i64,
        /// Why they are gone.
        cause: LogStartCause,
    },
    /// Commits that nobody needed any more are gone.
    OffsetsExpired {
        /// The topic's name.
        topic: String,
        /// Partition numbers, ascending.
        partitions: Vec<i32>,
        /// When the newest of them was made, in wall time.
        last_commit_ms: i64,
    },
    /// The broker itself stood still; every deadline was moved.
    Stalled {
        /// By how much.
        stall_ms: u64,
    },
    /// A record of the log could not be read and was skipped.
    RecordSkipped {
        /// What was wrong, in words.
        problem: String,
    },
    /// The group goes on with the other protocol, with its members.
    ProtocolMigrated {
        /// `classic` or `consumer`.
        from: &'static str,
        /// The other one.
        to: &'static str,
        /// Why, in words: who joined or left.
        cause: String,
    },
}

/// Whether a member went by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Departure {
    /// It said so.
    Left,
    /// It was late, lost, in the way, or an administrator removed it.
    Removed,
}

/// Partitions by the names of their topics; both ascending.
pub type Held = Vec<(String, Vec<i32>)>;

/// What a member had and has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    /// Who.
    pub member: Culprit,
    /// What it had.
    pub before: Held,
    /// What it has.
    pub after: Held,
}

impl Assigned {
    /// So many members one event names.
    pub const MOST_MEMBERS: usize = 100;
}

/// A group's commit moved otherwise than by reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetsMoved {
    /// The topic's name.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// Where it was; `None` if the group had not committed before.
    pub from: Option<i64>,
    /// Where it went.
    pub to: i64,
    /// Offsets in between that were not read. What is read again is `from - to`, where that is positive.
    pub not_read: i64,
    /// The member that committed it, if it was one.
    pub member: Option<Culprit>,
    /// It was concluded from what a client with the same name and address fetched; else the commits alone say it.
    pub is_inferred: bool,
}

/// A commit that was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetChange {
    /// The topic's name.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// The commit before.
    pub from: Option<i64>,
    /// The commit after.
    pub to: Option<i64>,
}
