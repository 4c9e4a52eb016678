//! What the coordinator answers.
use crate::assignment::Assignment;
use crate::explain::ExplainedGroup;
use crate::records::ConsumerMemberMetadata;
use crate::request::TopicId;
use alloc::string::String;
use alloc::vec::Vec;

/// Why a request was refused; each is Kafka's error of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupError {
    /// COORDINATOR_LOAD_IN_PROGRESS: the log is still being replayed.
    CoordinatorLoadInProgress,
    /// COORDINATOR_NOT_AVAILABLE: the group is being deleted.
    CoordinatorNotAvailable,
    /// UNKNOWN_MEMBER_ID.
    UnknownMemberId,
    /// ILLEGAL_GENERATION.
    IllegalGeneration,
    /// REBALANCE_IN_PROGRESS.
    RebalanceInProgress,
    /// MEMBER_ID_REQUIRED: join again with the id in the answer.
    MemberIdRequired,
    /// FENCED_INSTANCE_ID: another process has taken this `group.instance.id`.
    FencedInstanceId,
    /// INCONSISTENT_GROUP_PROTOCOL.
    InconsistentGroupProtocol,
    /// GROUP_MAX_SIZE_REACHED.
    GroupMaxSizeReached,
    /// INVALID_SESSION_TIMEOUT.
    InvalidSessionTimeout,
    /// INVALID_GROUP_ID.
    InvalidGroupId,
    /// NON_EMPTY_GROUP.
    NonEmptyGroup,
    /// GROUP_ID_NOT_FOUND.
    GroupIdNotFound,
    /// GROUP_SUBSCRIBED_TO_TOPIC.
    GroupSubscribedToTopic,
    /// OFFSET_METADATA_TOO_LARGE.
    OffsetMetadataTooLarge,
    /// INVALID_REQUEST: the request contradicts itself.
    InvalidRequest,
    /// FENCED_MEMBER_EPOCH: the member is in another epoch and must join again.
    FencedMemberEpoch,
    /// STALE_MEMBER_EPOCH: the member has reached another epoch by now; it will hear of it with its next heartbeat.
    StaleMemberEpoch,
    /// UNRELEASED_INSTANCE_ID: another process has this `group.instance.id` and has not left.
    UnreleasedInstanceId,
    /// UNSUPPORTED_ASSIGNOR.
    UnsupportedAssignor,
    /// INVALID_REGULAR_EXPRESSION.
    InvalidRegularExpression,
    /// UNSTABLE_OFFSET_COMMIT: a transaction that has not ended committed too; ask again.
    UnstableOffsetCommit,
    /// UNSUPPORTED_VERSION: the request's version cannot say what this kind of group needs.
    UnsupportedVersion,
}

/// Why a request was refused, with a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The error.
    pub error: GroupError,
    /// What was wrong with it, if there is more to say.
    pub message: Option<String>,
}

impl Refusal {
    pub(crate) fn new(error: GroupError, message: &str) -> Self {
        Refusal { error, message: Some(message.into()) }
    }
}

impl From<GroupError> for Refusal {
    fn from(error: GroupError) -> Self {
        Refusal { error, message: None }
    }
}

/// One answer, of the kind of its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// JoinGroup.
    JoinGroup(JoinGroupAnswer),
    /// SyncGroup.
    SyncGroup(Result<SyncedMember, GroupError>),
    /// Heartbeat.
    Heartbeat(Result<(), GroupError>),
    /// LeaveGroup: one result per member named, in order. Up to version 2 the only member's result is the answer's.
    LeaveGroup(Result<Vec<LeftMember>, GroupError>),
    /// OffsetCommit: a refusal counts for every partition.
    CommitOffsets(Result<Vec<TopicResults>, GroupError>),
    /// OffsetFetch.
    FetchOffsets(Result<Vec<FetchedTopic>, GroupError>),
    /// OffsetDelete.
    DeleteOffsets(Result<Vec<TopicResults>, GroupError>),
    /// DescribeGroups. [`GroupError::GroupIdNotFound`] becomes the state `Dead` without an error before version 6.
    DescribeGroup(Result<DescribedGroup, GroupError>),
    /// ListGroups.
    ListGroups(Result<Vec<ListedGroup>, GroupError>),
    /// DeleteGroups.
    DeleteGroup(Result<(), GroupError>),
    /// ConsumerGroupHeartbeat.
    ConsumerHeartbeat(Result<ConsumerHeartbeatAnswer, Refusal>),
    /// ConsumerGroupDescribe.
    DescribeConsumerGroup(Result<DescribedConsumerGroup, GroupError>),
    /// OttlaGroupExplain.
    ExplainGroups(Result<Vec<ExplainedGroup>, GroupError>),
    /// OttlaGroupReset: one result for each partition, in order.
    ResetOffsets(Result<Vec<ResetResult>, Refusal>),
}

/// Answer to ConsumerGroupHeartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerHeartbeatAnswer {
    /// The member.
    pub member_id: String,
    /// The epoch that it has reached.
    pub member_epoch: i32,
    /// When to come again.
    pub heartbeat_interval_ms: i32,
    /// What it may read from now on; `None` if that has not changed.
    pub assignment: Option<Assignment>,
}

/// Everything about one group of the consumer protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedConsumerGroup {
    /// The group.
    pub group_id: String,
    /// Its state.
    pub state: GroupState,
    /// Its epoch.
    pub epoch: i32,
    /// The epoch of its target assignment.
    pub target_epoch: i32,
    /// The assignor that it uses.
    pub assignor: &'static str,
    /// Its members, by id.
    pub members: Vec<DescribedConsumer>,
}

/// Partitions of one topic: its id, its name, the numbers.
pub type NamedPartitions = (TopicId, String, Vec<i32>);

/// Everything about one member of the consumer protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedConsumer {
    /// The member.
    pub member_id: String,
    /// What it says of itself.
    pub metadata: ConsumerMemberMetadata,
    /// The epoch that it has reached.
    pub member_epoch: i32,
    /// What it has.
    pub assigned: Vec<NamedPartitions>,
    /// What it shall have.
    pub target: Vec<NamedPartitions>,
}

/// Answer to JoinGroup. With an error, only `member_id` has a meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinGroupAnswer {
    /// Why it was refused.
    pub error: Option<GroupError>,
    /// The generation joined, -1 with an error.
    pub generation_id: i32,
    /// The group's protocol type.
    pub protocol_type: Option<String>,
    /// The protocol chosen. Before version 7 a missing one is sent as an empty string.
    pub protocol_name: Option<String>,
    /// Member id of the leader, empty with an error.
    pub leader: String,
    /// The receiver leads but shall not assign: the assignment has not changed (KIP-814).
    pub skip_assignment: bool,
    /// The receiver's member id.
    pub member_id: String,
    /// For the leader, all members.
    pub members: Vec<JoinedMember>,
}

/// A member as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinedMember {
    /// Member id.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub group_instance_id: Option<String>,
    /// What the member says under the chosen protocol.
    pub metadata: Vec<u8>,
}

/// Answer to SyncGroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncedMember {
    /// The group's protocol type.
    pub protocol_type: Option<String>,
    /// The protocol chosen.
    pub protocol_name: Option<String>,
    /// What the leader gave to this member.
    pub assignment: Vec<u8>,
}

/// What became of one member that was to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftMember {
    /// As in the request.
    pub member_id: String,
    /// As in the request.
    pub group_instance_id: Option<String>,
    /// Why it could not leave.
    pub error: Option<GroupError>,
}

/// Results of one topic, in the order of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicResults {
    /// The topic's name.
    pub name: String,
    /// Per partition.
    pub partitions: Vec<PartitionResult>,
}

/// Result of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionResult {
    /// Partition number.
    pub partition: i32,
    /// Why it was refused.
    pub error: Option<GroupError>,
}

/// Committed offsets of one topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedTopic {
    /// The topic's name.
    pub name: String,
    /// The id that the commits were made for, or else that of the request.
    pub topic_id: Option<TopicId>,
    /// Per partition.
    pub partitions: Vec<FetchedPartition>,
}

/// Committed offset of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedPartition {
    /// Partition number.
    pub partition: i32,
    /// The offset, -1 if there is no commit; that is not an error.
    pub offset: i64,
    /// Leader epoch that was committed, or -1.
    pub leader_epoch: i32,
    /// Free text of the client.
    pub metadata: String,
    /// Why it is not answered.
    pub error: Option<GroupError>,
}

/// What a reset did to one partition, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetResult {
    /// The topic's name.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// The commit before, -1 if there was none.
    pub from: i64,
    /// The commit after, -1 if there is none.
    pub to: i64,
}

/// State of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupState {
    /// No members; there may be commits.
    Empty,
    /// Waiting for members to join.
    PreparingRebalance,
    /// Waiting for the leader's assignment.
    CompletingRebalance,
    /// Everybody may have its assignment.
    Stable,
    /// Of the consumer protocol: who shall have what is not decided yet.
    Assigning,
    /// Of the consumer protocol: members are on their way to what they shall have.
    Reconciling,
    /// Gone.
    Dead,
}

impl GroupState {
    /// The name that goes over the wire.
    pub fn name(self) -> &'static str {
        match self {
            GroupState::Empty => "Empty",
            GroupState::PreparingRebalance => "PreparingRebalance",
            GroupState::CompletingRebalance => "CompletingRebalance",
            GroupState::Stable => "Stable",
            GroupState::Assigning => "Assigning",
            GroupState::Reconciling => "Reconciling",
            GroupState::Dead => "Dead",
        }
    }
}

/// Everything about one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedGroup {
    /// The group.
    pub group_id: String,
    /// Its state.
    pub state: GroupState,
    /// Its protocol type, empty for a group that has only commits.
    pub protocol_type: String,
    /// The chosen protocol while stable, otherwise empty.
    pub protocol_data: String,
    /// Its members.
    pub members: Vec<DescribedMember>,
}

/// Everything about one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedMember {
    /// Member id.
    pub member_id: String,
    /// `group.instance.id` of a static member (DescribeGroups >= 4).
    pub group_instance_id: Option<String>,
    /// The client's own name.
    pub client_id: String,
    /// The client's address.
    pub client_host: String,
    /// What the member says under the chosen protocol; empty unless stable.
    pub metadata: Vec<u8>,
    /// What it was given; empty unless stable.
    pub assignment: Vec<u8>,
}

/// One line of ListGroups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedGroup {
    /// The group.
    pub group_id: String,
    /// Its protocol type, empty for a group that has only commits.
    pub protocol_type: String,
    /// Its state.
    pub state: GroupState,
    /// Its type, `classic` or `consumer`.
    pub group_type: &'static str,
}
