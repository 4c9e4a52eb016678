//! Every wait as data: its name, its culprit, its deadline, and what happens then.
use crate::answer::GroupState;
use crate::event::Now;
use crate::group::Group;
use alloc::string::String;
use alloc::vec::Vec;

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
    /// The same where nothing is to wait for it: the group does not rebalance.
    IdleMemberIdToBeUsed,
    /// The first rebalance of an empty group waits for more members.
    MoreMembers,
    /// All have joined; the group waits for its leader to assign.
    LeaderToAssign,
    /// A member has joined but not asked for its assignment.
    MemberToSync,
    /// A member that is not waited for otherwise owes its next heartbeat.
    Heartbeat,
    /// A member has not heard yet what it shall have now: it is told with its next heartbeat.
    MemberToHear,
    /// A member was told to give up partitions, which others shall have.
    MemberToRevoke,
    /// A new member's join is parked; its client does not know its id yet.
    NewMemberToBeAnswered,
    /// A member's connection was lost; it may come back over another one.
    LostConnection,
}

impl WaitName {
    /// Whether the group cannot go on before it ends. The others are ordinary.
    pub fn blocks(self) -> bool {
        !matches!(
            self,
            WaitName::Heartbeat
                | WaitName::NewMemberToBeAnswered
                | WaitName::LostConnection
                | WaitName::IdleMemberIdToBeUsed
        )
    }

    /// What the awaited shall do.
    pub fn verb(self) -> &'static str {
        match self {
            WaitName::MemberToRejoin => "join again",
            WaitName::PendingMemberToJoin | WaitName::IdleMemberIdToBeUsed => "join with the id that it was given",
            WaitName::MoreMembers => "come",
            WaitName::LeaderToAssign => "assign",
            WaitName::MemberToSync => "ask for its assignment",
            WaitName::Heartbeat => "send a heartbeat",
            WaitName::MemberToHear => "hear what it shall have",
            WaitName::MemberToRevoke => "give up partitions",
            WaitName::NewMemberToBeAnswered => "hear of its id",
            WaitName::LostConnection => "come back over another connection",
        }
    }
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
    /// Name and version of the client library, if it told and the broker was not restarted since.
    pub software: Option<(String, String)>,
}

/// What is needed to turn a monotonic deadline into a wait.
struct Waits<'a> {
    now: Now,
    group: &'a Group,
    found: Vec<Wait>,
}

/// What a group waits for, the most pressing first.
pub(crate) fn waits(now: Now, group: &Group) -> Vec<Wait> {
    let mut waits = Waits { now, group, found: Vec::new() };
    match group.state {
        _ if group.is_consumer() => waits.for_consumers(),
        GroupState::PreparingRebalance => waits.for_rejoin(),
        GroupState::CompletingRebalance | GroupState::Stable => waits.for_sync(),
        GroupState::Empty | GroupState::Dead | GroupState::Assigning | GroupState::Reconciling => {}
    }
    waits.for_pending();
    waits.for_sessions();
    waits.for_connections();
    waits.found.sort_by_key(|wait| wait.deadline_ms);
    waits.found
}

impl Waits<'_> {
    fn add(&mut self, name: WaitName, culprit: Option<Culprit>, since_ms: i64, deadline_ms: u64, then: WaitOutcome) {
        let left_ms = i128::from(deadline_ms) - i128::from(self.now.monotonic_ms) + i128::from(self.now.wall_ms);
        let until_ms = i64::try_from(left_ms).unwrap_or(i64::MAX);
        self.found.push(Wait { name, culprit, since_ms, until_ms, deadline_ms, then });
    }

    fn for_rejoin(&mut self) {
        let since_ms = self.group.state_since_ms;
        if let Some(hold) = &self.group.hold
            && (self.group.from_empty || hold.until_ms > self.now.monotonic_ms)
        {
            self.add(WaitName::MoreMembers, None, since_ms, hold.until_ms, WaitOutcome::RebalanceGoesOn);
        }
        let Some(rejoin) = self.group.rejoin_deadline_ms else { return };
        for member in self.group.roster.iter().filter(|member| member.join.is_none()) {
            let deadline_ms = member.deadline_ms.map_or(rejoin, |session| session.min(rejoin));
            // A static member that is late keeps its place until its session ends.
            let stays = member.is_static() && deadline_ms == rejoin;
            let then = if stays { WaitOutcome::RebalanceGoesOn } else { WaitOutcome::MemberRemoved };
            self.add(WaitName::MemberToRejoin, Some(member.culprit()), since_ms, deadline_ms, then);
        }
    }

    fn for_sync(&mut self) {
        let Some(sync) = self.group.sync_deadline_ms else { return };
        for member in self.group.roster.iter().filter(|member| member.owes_sync) {
            let assigns = self.group.state == GroupState::CompletingRebalance && self.group.leads(&member.member_id);
            let name = if assigns { WaitName::LeaderToAssign } else { WaitName::MemberToSync };
            let deadline_ms = member.deadline_ms.map_or(sync, |session| session.min(sync));
            let since_ms = self.group.state_since_ms;
            self.add(name, Some(member.culprit()), since_ms, deadline_ms, WaitOutcome::MemberRemoved);
        }
    }

    fn for_consumers(&mut self) {
        for (member_id, live) in self.group.consumer.members.iter() {
            let culprit = Some(self.group.consumer_culprit(member_id));
            let then = WaitOutcome::MemberRemoved;
            if let Some(deadline_ms) = live.revocation_deadline_ms {
                self.add(WaitName::MemberToRevoke, culprit.clone(), live.revoking_since_ms, deadline_ms, then);
            }
            if let Some(classic) = &live.classic {
                let rejoin = classic.rejoin_deadline_ms.map(|at| (WaitName::MemberToRejoin, at));
                let sync = classic.sync_deadline_ms.map(|at| (WaitName::MemberToSync, at));
                for (name, deadline_ms) in rejoin.into_iter().chain(sync) {
                    self.add(name, culprit.clone(), classic.asked_since_ms, deadline_ms, then);
                }
            }
            let name = if self.group.is_behind(member_id) { WaitName::MemberToHear } else { WaitName::Heartbeat };
            self.add(name, culprit, live.last_seen_ms, live.session_deadline_ms, then);
        }
    }

    fn for_pending(&mut self) {
        let name = match self.group.state {
            // The first rebalance of a group goes on without them.
            GroupState::PreparingRebalance if !self.group.from_empty => WaitName::PendingMemberToJoin,
            _ => WaitName::IdleMemberIdToBeUsed,
        };
        for (member_id, pending) in &self.group.pending {
            let culprit = Some(pending.culprit(member_id));
            self.add(name, culprit, pending.since_ms, pending.deadline_ms, WaitOutcome::MemberIdForgotten);
        }
    }

    fn for_sessions(&mut self) {
        for member in self.group.roster.iter() {
            let Some(deadline_ms) = member.deadline_ms else { continue };
            let name = if member.is_new { WaitName::NewMemberToBeAnswered } else { WaitName::Heartbeat };
            let (culprit, since_ms) = (Some(member.culprit()), member.last_seen_ms);
            self.add(name, culprit, since_ms, deadline_ms, WaitOutcome::MemberRemoved);
        }
    }

    fn for_connections(&mut self) {
        for (member_id, lost) in self.group.connections.lost() {
            let (culprit, then) = match self.group.pending.get(member_id) {
                Some(pending) => (Some(pending.culprit(member_id)), WaitOutcome::MemberIdForgotten),
                None => (self.group.culprit(member_id), WaitOutcome::MemberRemoved),
            };
            if culprit.is_some() {
                self.add(WaitName::LostConnection, culprit, lost.since_ms, lost.deadline_ms, then);
            }
        }
    }
}
