//! What a client can ask of the coordinator: our own types, so that a new protocol version touches a handler of the
//! broker and never the state machine. Differences between versions that change behaviour are plain flags.
use crate::assignment::Assignment;
use crate::event::Producer;
use crate::records::FormerOffset;
use alloc::string::String;
use alloc::vec::Vec;

/// A topic's id.
pub type TopicId = [u8; 16];

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// JoinGroup.
    JoinGroup(JoinGroup),
    /// SyncGroup.
    SyncGroup(SyncGroup),
    /// Heartbeat.
    Heartbeat(Heartbeat),
    /// LeaveGroup.
    LeaveGroup(LeaveGroup),
    /// OffsetCommit.
    CommitOffsets(CommitOffsets),
    /// TxnOffsetCommit: a commit that counts once the producer's transaction has committed.
    CommitInTransaction(CommitInTransaction),
    /// OffsetFetch of one group.
    FetchOffsets(FetchOffsets),
    /// OffsetDelete.
    DeleteOffsets(DeleteOffsets),
    /// DescribeGroups, one group of it.
    DescribeGroup(DescribeGroup),
    /// ListGroups; every coordinator lists its own.
    ListGroups(ListGroups),
    /// DeleteGroups, one group of it.
    DeleteGroup(DeleteGroup),
    /// ConsumerGroupHeartbeat.
    ConsumerHeartbeat(ConsumerHeartbeat),
    /// ConsumerGroupDescribe, one group of it.
    DescribeConsumerGroup(DescribeGroup),
    /// OttlaGroupExplain: a picture of one group, or of all of this coordinator.
    ExplainGroups(ExplainGroups),
    /// OttlaGroupReset.
    ResetOffsets(ResetOffsets),
}

/// A member wants to join, or to join again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinGroup {
    /// The group.
    pub group_id: String,
    /// The member id, empty for a member that has none yet.
    pub member_id: String,
    /// `group.instance.id` of a static member (JoinGroup >= 5).
    pub group_instance_id: Option<String>,
    /// After how long without a heartbeat the member is evicted.
    pub session_timeout_ms: i32,
    /// How long a rebalance waits for this member. JoinGroup 0 has none: pass the session timeout.
    pub rebalance_timeout_ms: i32,
    /// `consumer`, `connect`, `sr`, …
    pub protocol_type: String,
    /// The member's assignors in order of preference.
    pub protocols: Vec<Protocol>,
    /// Why the member joins, for people (JoinGroup >= 8, KIP-800).
    pub reason: Option<String>,
    /// JoinGroup >= 4: a new dynamic member first gets its id with [`crate::GroupError::MemberIdRequired`] (KIP-394).
    pub require_known_member_id: bool,
    /// JoinGroup >= 9: the client understands `skip_assignment` (KIP-814).
    pub supports_skip_assignment: bool,
    /// 128 random bits, drawn by the shell for this request: the end of a new member id.
    pub random: [u64; 2],
}

impl JoinGroup {
    /// The client's own reason, if it gives one.
    pub(crate) fn said_reason(&self) -> Option<String> {
        self.reason.clone().filter(|reason| !reason.is_empty())
    }
}

/// One assignor that a member supports, and what the member tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protocol {
    /// Name, for instance `range`.
    pub name: String,
    /// Opaque; for protocol type `consumer` the subscription.
    pub metadata: Vec<u8>,
}

/// A member asks for its assignment; the leader brings everybody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncGroup {
    /// The group.
    pub group_id: String,
    /// The generation that the member joined.
    pub generation_id: i32,
    /// The member.
    pub member_id: String,
    /// `group.instance.id` (SyncGroup >= 3).
    pub group_instance_id: Option<String>,
    /// What the client believes the protocol type to be (SyncGroup >= 5).
    pub protocol_type: Option<String>,
    /// What the client believes the chosen protocol to be (SyncGroup >= 5).
    pub protocol_name: Option<String>,
    /// By member id; empty unless the sender leads.
    pub assignments: Vec<MemberAssignment>,
}

/// What the leader gives to one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberAssignment {
    /// The member.
    pub member_id: String,
    /// Opaque.
    pub assignment: Vec<u8>,
}

/// A member says that it lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// The group.
    pub group_id: String,
    /// The generation the member is in.
    pub generation_id: i32,
    /// The member.
    pub member_id: String,
    /// `group.instance.id` (Heartbeat >= 3).
    pub group_instance_id: Option<String>,
}

/// A member of the consumer protocol (KIP-848) joins, lives or leaves, and says what it has. What is left out is as it was.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConsumerHeartbeat {
    /// The group.
    pub group_id: String,
    /// The member; it makes its own id.
    pub member_id: String,
    /// ConsumerGroupHeartbeat 0: a member that joins may leave its id to the broker.
    pub may_lack_member_id: bool,
    /// The epoch that it has reached; 0 to join, -1 to leave, -2 for a static member that will come back.
    pub member_epoch: i32,
    /// `group.instance.id`.
    pub group_instance_id: Option<String>,
    /// `client.rack`.
    pub rack_id: Option<String>,
    /// How long it may take to give up partitions (`max.poll.interval.ms`).
    pub rebalance_timeout_ms: Option<i32>,
    /// The topics that it reads.
    pub subscribed_topic_names: Option<Vec<String>>,
    /// The topics that it reads, as a regular expression; empty for none (ConsumerGroupHeartbeat >= 1).
    pub subscribed_topic_regex: Option<String>,
    /// The assignor that it prefers.
    pub server_assignor: Option<String>,
    /// What it has.
    pub owned: Option<Assignment>,
    /// 128 random bits, drawn by the shell for this request: a member id for who has none.
    pub random: [u64; 2],
}

/// Members leave, or are removed by an administrator. LeaveGroup 0 to 2 name exactly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaveGroup {
    /// The group.
    pub group_id: String,
    /// Who leaves.
    pub members: Vec<LeavingMember>,
}

/// One member that leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeavingMember {
    /// The member id; empty to name a static member by its instance id alone.
    pub member_id: String,
    /// `group.instance.id` (LeaveGroup >= 3).
    pub group_instance_id: Option<String>,
    /// Why, for people (LeaveGroup >= 5, KIP-800).
    pub reason: Option<String>,
}

/// Commits offsets. The shell has already refused the partitions that do not exist or are not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitOffsets {
    /// The group; may be empty for the oldest clients.
    pub group_id: String,
    /// The member, or empty for a commit from outside of group management.
    pub member_id: String,
    /// `group.instance.id` (OffsetCommit >= 7).
    pub group_instance_id: Option<String>,
    /// The member's generation or epoch, or -1 for a commit from outside of group management.
    pub generation_id: i32,
    /// OffsetCommit >= 9: the client knows of member epochs.
    pub knows_epochs: bool,
    /// OffsetCommit 2 to 4: keep the commit so long, instead of `offsets.retention.minutes`.
    pub retention_time_ms: Option<i64>,
    /// What is committed.
    pub topics: Vec<CommitTopic>,
}

/// Commits of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitTopic {
    /// The topic's name.
    pub name: String,
    /// The topic's id, if the shell knows it; stored with the commit, so that a topic that was deleted and created again
    /// does not inherit it.
    pub topic_id: Option<TopicId>,
    /// The partitions.
    pub partitions: Vec<CommitPartition>,
}

/// Commit of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitPartition {
    /// Partition number.
    pub partition: i32,
    /// The next offset to read.
    pub offset: i64,
    /// Leader epoch of the last record read, or -1.
    pub leader_epoch: i32,
    /// Free text of the client.
    pub metadata: String,
    /// For the story of the group.
    pub seen: Seen,
}

/// What the shell knows of a partition at the moment of a commit; nothing where it does not look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// The first offset that can be read.
    pub log_start: Option<i64>,
    /// The offset after the last record that can be read.
    pub log_end: Option<i64>,
    /// Which offsets the committing client was given, as far as can be said by its name and address: ranges from the first offset to
    /// that after the last, ascending. `None` if it was given nothing.
    pub read: Option<Vec<(i64, i64)>>,
}

/// Stores how far a group has read, in a transaction (KIP-98, KIP-447). The shell has seen to it that the producer may write
/// to this coordinator's partition in its transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitInTransaction {
    /// The producer.
    pub producer: Producer,
    /// What it commits. Without member id, instance and generation (TxnOffsetCommit < 3) nobody is asked who it is.
    pub commit: CommitOffsets,
}

/// Asks for committed offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchOffsets {
    /// The group; may be empty for the oldest clients.
    pub group_id: String,
    /// The topics, or `None` for all that have commits.
    pub topics: Option<Vec<FetchTopic>>,
    /// OffsetFetch >= 9: who asks and in which epoch, of a group of the consumer protocol.
    pub member: Option<(String, i32)>,
    /// OffsetFetch >= 7: where a transaction that has not ended committed too, refuse rather than answer what may not be the last.
    pub require_stable: bool,
}

/// Partitions of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchTopic {
    /// The topic's name.
    pub name: String,
    /// The topic's id, if the shell knows it: a commit made for another id does not count.
    pub topic_id: Option<TopicId>,
    /// The partitions.
    pub partitions: Vec<i32>,
}

/// Deletes committed offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteOffsets {
    /// The group.
    pub group_id: String,
    /// Which; `topic_id` is not looked at.
    pub topics: Vec<FetchTopic>,
}

/// Asks for everything about one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeGroup {
    /// The group.
    pub group_id: String,
}

/// Lists groups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListGroups {
    /// Names of states, in any case; empty for all (ListGroups >= 4).
    pub states: Vec<String>,
    /// Names of group types, in any case; empty for all (ListGroups >= 5).
    pub types: Vec<String>,
}

/// Deletes one group with its commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteGroup {
    /// The group.
    pub group_id: String,
}

/// Asks for pictures of groups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExplainGroups {
    /// Which; empty for all of this coordinator.
    pub group_id: String,
}

/// Sets a group's committed offsets. The shell has already refused partitions that do not exist and offsets outside of their logs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ResetOffsets {
    /// The group.
    pub group_id: String,
    /// Also if it has members: they are fenced.
    pub online: bool,
    /// Only say what would happen.
    pub validate_only: bool,
    /// Take the last reset back; `offsets` is not looked at then.
    pub undo: bool,
    /// What shall be committed; -1 takes a commit away.
    pub offsets: Vec<FormerOffset>,
}
