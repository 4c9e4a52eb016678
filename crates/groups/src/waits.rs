//! Every wait as data: its name, its culprit, its deadline, and what happens then.
use alloc::string::String;

/// Something that a group, or one of its members, waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// What kind of wait.
    pub name: WaitName,
    /// For whom, if it is somebody.
    pub culprit: Option<Culprit>,
    /// Wall time in milliseconds since when.
    pub since_ms: i64,
    /// Wall time in milliseconds until when, as far as can be said now.
    pub until_ms: i64,
    /// The same as a monotonic time in milliseconds, which is what the deadline really is.
    pub deadline_ms: u64,
    /// What happens then.
    pub then: WaitOutcome,
}

/// The kinds of waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WaitName {
    /// A rebalance waits for a known member to join again.
    MemberToRejoin,
    /// A rebalance waits for a client that has been given a member id to come back with it.
    PendingMemberToJoin,
    /// The first rebalance of an empty group waits for more members.
    MoreMembers,
    /// All have joined; the group waits for its leader to assign.
    LeaderToAssign,
    /// A member has joined but not asked for its assignment.
    MemberToSync,
    /// A member that is not waited for otherwise owes its next heartbeat.
    Heartbeat,
    /// A new member's join is parked; its client does not know its id yet.
    NewMemberToBeAnswered,
}

/// What happens when a wait ends without the awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WaitOutcome {
    /// The member is removed, and the group rebalances without it.
    MemberRemoved,
    /// The rebalance goes on with those who have joined.
    RebalanceGoesOn,
    /// The given member id is forgotten.
    MemberIdForgotten,
}

/// Who is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Culprit {
    /// Member id.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub group_instance_id: Option<String>,
    /// The client's own name.
    pub client_id: String,
    /// The client's address.
    pub host: String,
}
