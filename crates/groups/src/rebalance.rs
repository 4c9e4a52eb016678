//! The rebalance: it begins for a reason, waits for the members to join again, and ends in a new generation.
use crate::answer::{Answer, GroupError, GroupState};
use crate::coordinator::PULSE_MS;
use crate::event::{Departure, GroupEventKind, Ticket};
use crate::group::{Hold, HoldKind};
use crate::join::refused;
use crate::planted::planted;
use crate::records::StoredRecord;
use crate::selection::choose_protocol;
use crate::settings::Settings;
use crate::step::Step;
use crate::subscription::{CONSUMER, Subscribed};
use alloc::string::String;
use alloc::vec::Vec;

impl Step<'_> {
    /// Something changed: begins a rebalance, or lets the one that runs go on if nobody is missing any more.
    pub(crate) fn rebalance_or_go_on(&mut self, cause: &str) {
        match self.group.state {
            GroupState::CompletingRebalance
                if planted!(self.settings, LeaderLostInSync)
                    && self.group.leader.as_ref().is_some_and(|leader| !self.group.roster.contains(leader)) => {}
            GroupState::Empty | GroupState::CompletingRebalance | GroupState::Stable => self.begin_rebalance(cause),
            GroupState::PreparingRebalance => self.go_on(),
            GroupState::Dead | GroupState::Assigning | GroupState::Reconciling => {}
        }
    }

    /// Begins a rebalance: from now on every member is asked to join again.
    pub(crate) fn begin_rebalance(&mut self, cause: &str) {
        self.refuse_parked_syncs();
        self.group.sync_deadline_ms = None;
        for member in self.group.roster.iter_mut() {
            member.owes_sync = false;
        }
        self.group.from_empty = self.group.state == GroupState::Empty;
        self.enter(GroupState::PreparingRebalance, cause);
        if self.group.from_empty {
            self.hold_first_rebalance();
        } else {
            self.wait_for_members(0);
        }
        self.go_on();
    }

    /// The members that wait for an assignment must join again instead.
    fn refuse_parked_syncs(&mut self) {
        for member_id in self.group.roster.ids(|member| member.sync.is_some()) {
            let ticket = self.group.roster.get_mut(&member_id).and_then(|member| member.sync.take());
            self.group.renew_session(self.now, &member_id);
            if let Some(ticket) = ticket {
                self.reply(ticket, Answer::SyncGroup(Err(GroupError::RebalanceInProgress)));
            }
        }
    }

    fn wait_for_members(&mut self, at_least_ms: u64) {
        let timeout_ms = self.group.rebalance_timeout_ms().max(at_least_ms);
        let deadline_ms = self.now.monotonic_ms.saturating_add(timeout_ms);
        self.group.rejoin_deadline_ms = Some(deadline_ms);
        self.group.wake_at(deadline_ms);
    }

    /// An empty group gives more members a chance to come, so that they do not rebalance one by one.
    fn hold_first_rebalance(&mut self) {
        let now_ms = self.now.monotonic_ms;
        let timeout_ms = self.group.rebalance_timeout_ms();
        let hold = match self.settings.initial_rebalance_delay_ms {
            Some(delay_ms) => {
                let delay_ms = u64::try_from(delay_ms).unwrap_or(0);
                let remaining_ms = timeout_ms.saturating_sub(delay_ms);
                let kind = HoldKind::Fixed { delay_ms, remaining_ms, somebody_joined: false };
                Hold { until_ms: now_ms.saturating_add(delay_ms), kind }
            }
            None => {
                let bound_ms = now_ms.saturating_add(timeout_ms.min(Settings::JOIN_STORM_MAX_MS));
                // Those that have been given a member id are as good as here.
                let coming = self.group.pending.len() as u64;
                let until_ms = now_ms.saturating_add(coming.saturating_mul(Settings::JOIN_STORM_STEP_MS));
                Hold { until_ms: until_ms.min(bound_ms), kind: HoldKind::Adaptive { bound_ms } }
            }
        };
        if hold.until_ms > now_ms {
            self.group.wake_at(hold.until_ms);
        }
        self.group.hold = Some(hold);
    }

    /// One more client has come while the first rebalance of a group is on its way. `joined` if it is a member already,
    /// not if it has only been given a member id.
    pub(crate) fn hold_longer(&mut self, joined: bool) {
        let now_ms = self.now.monotonic_ms;
        let gathering = self.group.state == GroupState::PreparingRebalance && self.group.from_empty;
        let Some(hold) = &mut self.group.hold else { return };
        match &mut hold.kind {
            HoldKind::Fixed { somebody_joined, .. } => *somebody_joined |= joined && gathering,
            HoldKind::Adaptive { bound_ms } => {
                let until_ms = hold.until_ms.max(now_ms).saturating_add(Settings::JOIN_STORM_STEP_MS);
                hold.until_ms = until_ms.min(*bound_ms).max(hold.until_ms);
                let until_ms = hold.until_ms;
                if until_ms > now_ms {
                    self.group.wake_at(until_ms);
                }
            }
        }
    }

    /// Ends the rebalance's wait if nothing is waited for any more.
    pub(crate) fn go_on(&mut self) {
        if self.group.state != GroupState::PreparingRebalance {
            return;
        }
        let held = self.group.hold.as_ref().is_some_and(|hold| hold.until_ms > self.now.monotonic_ms);
        if held {
            return;
        }
        if self.group.from_empty {
            self.end_hold();
        } else if self.group.all_have_joined() {
            self.end_waiting("everybody has joined");
        }
    }

    /// The delay of the first rebalance is over, unless it is Kafka's and somebody has joined meanwhile.
    pub(crate) fn end_hold(&mut self) {
        let now_ms = self.now.monotonic_ms;
        if let Some(hold) = &mut self.group.hold
            && let HoldKind::Fixed { delay_ms, remaining_ms, somebody_joined: somebody_joined @ true } = &mut hold.kind
            && *remaining_ms > 0
        {
            *somebody_joined = false;
            let next_ms = (*delay_ms).min(*remaining_ms);
            *remaining_ms = remaining_ms.saturating_sub(*delay_ms);
            hold.until_ms = now_ms.saturating_add(next_ms);
            let until_ms = hold.until_ms;
            return self.group.wake_at(until_ms);
        }
        self.end_waiting("the first members have gathered");
    }

    /// Goes on with those who have joined. Dynamic members that have not are removed; static ones keep their place, and
    /// their share, until their session ends.
    pub(crate) fn end_waiting(&mut self, cause: &str) {
        for member_id in self.group.roster.ids(|member| member.join.is_none() && !member.is_static()) {
            self.remove_member(&member_id, Departure::Removed, "it did not join again in time");
        }
        if !self.group.roster.is_empty() && self.group.roster.parked_joins() == 0 {
            // Only absent static members are left: their sessions decide. A client may ask for a rebalance that waits for
            // nobody; without a least time this one would end and begin again for ever, at the same moment.
            self.group.from_empty = false;
            return self.wait_for_members(PULSE_MS);
        }
        self.group.rejoin_deadline_ms = None;
        self.elect_leader();
        if self.group.roster.is_empty() {
            self.record_empty(cause)
        } else {
            self.begin_generation(cause)
        }
        self.group.from_empty = false;
    }

    /// The leader stays if it has joined again; otherwise the one follows that has been there longest.
    fn elect_leader(&mut self) {
        let roster = &self.group.roster;
        let leader = self.group.leader.as_deref().and_then(|leader| roster.get(leader));
        if leader.is_none_or(|leader| leader.join.is_none()) {
            let next = roster.eldest(|member| member.join.is_some());
            self.group.leader = next.map(|member| member.member_id.clone());
        }
    }

    pub(crate) fn next_generation_id(&self) -> i32 {
        let bump = if planted!(self.settings, GenerationNotBumped) { 0 } else { 1 };
        // After two thousand million rebalances it begins again, as a new group would.
        self.group.generation_id().checked_add(bump).unwrap_or(1)
    }

    pub(crate) fn record_empty(&mut self, cause: &str) {
        self.group.hold = None;
        self.group.subscribed = Subscribed::Nothing;
        let metadata = self.group.record(self.next_generation_id(), None, self.now.wall_ms, |_| Vec::new());
        self.record(StoredRecord::Group(self.group.group_id.clone(), Some(metadata)));
        self.enter(GroupState::Empty, cause);
    }

    /// Records the generation first, without assignments, so that its number is never used for another one; then tells it.
    fn begin_generation(&mut self, cause: &str) {
        let protocol = choose_protocol(&self.group.roster, self.group.leader.as_deref()).unwrap_or_default();
        self.group.subscribed = self.subscribed(&protocol);
        let generation_id = self.next_generation_id();
        self.group.keep_assignments();
        let metadata = self.group.record(generation_id, Some(protocol), self.now.wall_ms, |_| Vec::new());
        let before = self.actions.len();
        self.record(StoredRecord::Group(self.group.group_id.clone(), Some(metadata)));
        self.enter(GroupState::CompletingRebalance, cause);
        for member_id in self.group.roster.ids(|_| true) {
            self.tell_generation(&member_id);
        }
        if planted!(self.settings, JoinReplyBeforeAppend)
            && let Some(late) = self.actions.get_mut(before..)
        {
            late.rotate_left(1);
        }
        self.wait_for_syncs();
    }

    /// A member that is told of a generation must ask for its assignment in time, or it does not know what it owns.
    pub(crate) fn expect_sync(&mut self, member_id: &str) {
        if let Some(member) = self.group.roster.get_mut(member_id) {
            member.owes_sync = true;
        }
        if self.group.sync_deadline_ms.is_none() {
            self.wait_for_syncs();
        }
    }

    fn wait_for_syncs(&mut self) {
        let deadline_ms = self.now.monotonic_ms.saturating_add(self.group.rebalance_timeout_ms());
        self.group.sync_deadline_ms = Some(deadline_ms);
        self.group.wake_at(deadline_ms);
    }

    fn tell_generation(&mut self, member_id: &str) {
        let ticket = self.group.roster.set_join(member_id, None);
        if let Some(member) = self.group.roster.get_mut(member_id) {
            member.is_new = false;
            member.owes_sync = true;
        }
        // An absent static member gets no new session by the others' rebalance.
        if let Some(ticket) = ticket {
            self.group.renew_session(self.now, member_id);
            let answer = self.joined(member_id);
            self.reply(ticket, answer);
        }
    }

    /// What the members read, if they are consumers.
    pub(crate) fn subscribed(&self, protocol: &str) -> Subscribed {
        if self.group.protocol_type.as_deref() != Some(CONSUMER) {
            return Subscribed::Nothing;
        }
        Subscribed::read(self.group.roster.iter().map(|member| member.metadata(protocol)))
    }

    /// Removes a member and answers what it waits for. The group does not react yet.
    pub(crate) fn remove_member(&mut self, member_id: &str, how: Departure, cause: &str) -> bool {
        let Some(member) = self.group.roster.remove(member_id) else { return false };
        self.group.connections.forget(member_id);
        if let Some(ticket) = member.join {
            self.reply(ticket, refused(GroupError::UnknownMemberId, member_id));
        }
        if let Some(ticket) = member.sync {
            self.reply(ticket, Answer::SyncGroup(Err(GroupError::UnknownMemberId)));
        }
        if self.group.leads(member_id) && !planted!(self.settings, LeaderLostInSync) {
            self.group.leader = self.group.roster.eldest(|_| true).map(|member| member.member_id.clone());
        }
        let held = self.group.held_before(member_id);
        let event = GroupEventKind::MemberRemoved { member: member.culprit(), how, cause: cause.into(), held };
        self.tell(event);
        true
    }

    /// Removes a member, and the group reacts.
    pub(crate) fn remove_and_go_on(&mut self, member_id: &str, cause: &str) {
        if self.remove_member(member_id, Departure::Removed, cause) {
            self.rebalance_or_go_on(&alloc::format!("member {member_id} is gone: {cause}"));
        }
    }

    /// The connection of a parked request was lost. The member's session runs from now on; if its client never heard
    /// of its member id, nobody can come back as that member.
    pub(crate) fn cancelled(&mut self, ticket: Ticket, member_id: &str) {
        let Some(member) = self.group.roster.get_mut(member_id) else { return };
        if member.sync == Some(ticket) {
            member.sync = None;
            return self.group.renew_session(self.now, member_id);
        }
        if member.join != Some(ticket) {
            return;
        }
        let can_return = member.knows_id || member.is_static();
        member.is_new = false;
        self.group.roster.set_join(member_id, None);
        if can_return {
            self.group.renew_session(self.now, member_id);
        } else {
            self.remove_and_go_on(&String::from(member_id), "its connection was lost before it knew its member id");
        }
    }
}
