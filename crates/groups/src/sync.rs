//! SyncGroup: the leader brings the assignment, everybody fetches theirs.
use crate::answer::{Answer, GroupError, GroupState, SyncedMember};
use crate::event::Ticket;
use crate::planted::planted;
use crate::records::StoredRecord;
use crate::request::{MemberAssignment, SyncGroup};
use crate::step::Step;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

impl Step<'_> {
    pub(crate) fn sync(&mut self, ticket: Ticket, request: SyncGroup) {
        if let Err(error) = self.may_sync(&request) {
            return self.reply(ticket, Answer::SyncGroup(Err(error)));
        }
        let member_id = request.member_id;
        if let Some(member) = self.group.roster.get_mut(&member_id) {
            member.owes_sync = false;
            member.knows_id = true;
        }
        let leads = self.group.leads(&member_id);
        let second = planted!(self.settings, TwoOwnersInOneGeneration) && leads && !request.assignments.is_empty();
        if self.group.state == GroupState::Stable && !second {
            self.group.renew_session(self.now, &member_id);
            self.reply_synced(ticket, &member_id);
            return self.stop_waiting_for_syncs();
        }
        self.park_sync(ticket, &member_id);
        if leads {
            self.assign(&request.assignments);
        }
        self.stop_waiting_for_syncs();
    }

    fn may_sync(&self, request: &SyncGroup) -> Result<(), GroupError> {
        let instance = request.group_instance_id.as_deref();
        self.check_generation(&request.member_id, instance, request.generation_id)?;
        let differs = |claimed: &Option<String>, real: Option<&str>| {
            claimed.as_deref().is_some_and(|claimed| real.is_some_and(|real| claimed != real))
        };
        if differs(&request.protocol_type, self.group.protocol_type.as_deref())
            || differs(&request.protocol_name, self.group.protocol())
        {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        match self.group.state {
            GroupState::Empty | GroupState::Dead | GroupState::Assigning | GroupState::Reconciling => {
                Err(GroupError::UnknownMemberId)
            }
            GroupState::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            GroupState::CompletingRebalance | GroupState::Stable => Ok(()),
        }
    }

    fn park_sync(&mut self, ticket: Ticket, member_id: &str) {
        self.park(ticket, member_id);
        let Some(member) = self.group.roster.get_mut(member_id) else { return };
        member.last_seen_ms = self.now.wall_ms;
        member.deadline_ms = None;
        // Its client has given up on a sync that is still parked.
        if let Some(earlier) = member.sync.replace(ticket) {
            self.reply(earlier, Answer::SyncGroup(Err(GroupError::RebalanceInProgress)));
        }
    }

    /// Records what the leader decided, for the members there are; then everybody who waits may have it.
    fn assign(&mut self, assignments: &[MemberAssignment]) {
        let given: BTreeMap<&str, &[u8]> =
            assignments.iter().map(|given| (given.member_id.as_str(), given.assignment.as_slice())).collect();
        let generation_id = self.group.generation_id();
        let protocol = self.group.protocol().map(String::from);
        let metadata = self.group.record(generation_id, protocol, self.now.wall_ms, |member_id| {
            given.get(member_id).map_or_else(Vec::new, |assignment| assignment.to_vec())
        });
        let before = self.actions.len();
        self.record(StoredRecord::Group(self.group.group_id.clone(), Some(metadata)));
        self.group.hold = None;
        self.enter(GroupState::Stable, "the leader has assigned");
        for member_id in self.group.roster.ids(|member| member.sync.is_some()) {
            let ticket = self.group.roster.get_mut(&member_id).and_then(|member| member.sync.take());
            self.group.renew_session(self.now, &member_id);
            if let Some(ticket) = ticket {
                self.reply_synced(ticket, &member_id);
            }
        }
        if planted!(self.settings, SyncReplyBeforeAppend)
            && let Some(late) = self.actions.get_mut(before..)
        {
            late.rotate_left(1);
        }
    }

    fn reply_synced(&mut self, ticket: Ticket, member_id: &str) {
        let mut whose = member_id;
        if planted!(self.settings, SyncAnswersForAnother) {
            let next = self.group.roster.iter().find(|member| member.member_id.as_str() > member_id);
            whose = next.map_or(member_id, |member| &member.member_id);
        }
        let answer = SyncedMember {
            protocol_type: self.group.protocol_type.clone(),
            protocol_name: self.group.protocol().map(String::from),
            assignment: self.group.assignment(whose).to_vec(),
        };
        self.reply(ticket, Answer::SyncGroup(Ok(answer)));
    }

    /// Nobody owes a sync any more: nobody can be late with it.
    fn stop_waiting_for_syncs(&mut self) {
        if self.group.sync_deadline_ms.is_some() && !self.group.roster.iter().any(|member| member.owes_sync) {
            self.group.sync_deadline_ms = None;
        }
    }

    /// Those who did not sync in time cannot know what they own: they are removed.
    pub(crate) fn end_sync_wait(&mut self) {
        self.group.sync_deadline_ms = None;
        if planted!(self.settings, SyncTimeoutForgotten) {
            return;
        }
        let late = self.group.roster.ids(|member| member.owes_sync);
        for member_id in &late {
            self.remove_member(member_id, "it did not ask for its assignment in time");
        }
        if !late.is_empty() {
            let cause = alloc::format!("{} did not ask for their assignment in time", late.join(", "));
            self.rebalance_or_go_on(&cause);
        }
    }
}
