//! Every timer that a group can have, and what it does.
//!
//! Deadlines are plain fields of what they belong to, so renewing a session is one store. A group only keeps a lower
//! bound of its next deadline; whoever wakes it looks through its members and finds out whether anything is really due.
use crate::answer::GroupState;
use crate::group::Group;
use crate::step::Step;
use alloc::string::String;
use alloc::vec::Vec;

/// One timer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The delay of the first rebalance of a group is over.
    Hold,
    /// A rebalance stops waiting for members to join again.
    Rejoin,
    /// Members that have not asked for their assignment are late.
    Sync,
    /// A member has not been heard of for its session timeout, or the join of a new member has been parked too long.
    Session(String),
    /// A member id that was given to a client has not been used for a session timeout.
    Pending(String),
    /// A member of the consumer protocol has not been heard of for its session timeout.
    ConsumerSession(String),
    /// A member of the consumer protocol has not given up in time what it was told to.
    Revocation(String),
    /// A member whose connection was lost was not heard of again for its grace.
    LostConnection(String),
    /// A member of the classic protocol in such a group has not joined again in time.
    ClassicRejoin(String),
    /// It has not asked for its assignment in time.
    ClassicSync(String),
}

impl Group {
    /// Every armed timer with its deadline.
    fn timers(&self) -> impl Iterator<Item = (u64, Timer)> {
        let gathering = self.state == GroupState::PreparingRebalance;
        let hold = self.hold.as_ref().filter(|_| gathering).map(|hold| (hold.until_ms, Timer::Hold));
        let rejoin = self.rejoin_deadline_ms.map(|at| (at, Timer::Rejoin));
        let sync = self.sync_deadline_ms.map(|at| (at, Timer::Sync));
        let session = self.roster.iter().filter_map(|m| Some((m.deadline_ms?, Timer::Session(m.member_id.clone()))));
        let pending = self.pending.iter().map(|(id, pending)| (pending.deadline_ms, Timer::Pending(id.clone())));
        let consumers = self.consumer.members.iter().flat_map(|(id, member)| {
            let session = Some((member.session_deadline_ms, Timer::ConsumerSession(id.into())));
            let revocation = member.revocation_deadline_ms.map(|at| (at, Timer::Revocation(id.into())));
            let rejoin = member.classic.and_then(|classic| classic.rejoin_deadline_ms);
            let sync = member.classic.and_then(|classic| classic.sync_deadline_ms);
            let rejoin = rejoin.map(|at| (at, Timer::ClassicRejoin(id.into())));
            let sync = sync.map(|at| (at, Timer::ClassicSync(id.into())));
            session.into_iter().chain(revocation).chain(rejoin).chain(sync)
        });
        let lost = self.connections.lost().map(|(id, lost)| (lost.deadline_ms, Timer::LostConnection(id.into())));
        hold.into_iter().chain(rejoin).chain(sync).chain(session).chain(pending).chain(consumers).chain(lost)
    }

    /// The timers that are due, earliest first.
    pub(crate) fn due(&self, now_ms: u64) -> Vec<(u64, Timer)> {
        let mut due: Vec<_> = self.timers().filter(|(at, _)| *at <= now_ms).collect();
        due.sort();
        due
    }

    /// Finds out when the next timer really is due.
    pub(crate) fn find_next_wake(&mut self, now_ms: u64) {
        let members = self.roster.iter().filter_map(|member| member.deadline_ms);
        let pending = self.pending.values().map(|pending| pending.deadline_ms);
        let gathering = self.state == GroupState::PreparingRebalance;
        // A hold that is over has done its work.
        let hold =
            self.hold.as_ref().map(|hold| hold.until_ms).filter(|&at| gathering && (self.from_empty || at > now_ms));
        let group = [hold, self.rejoin_deadline_ms, self.sync_deadline_ms];
        let lost = self.connections.lost().map(|(_, lost)| lost.deadline_ms);
        let members = members.chain(self.consumer.deadlines()).chain(lost);
        self.looked_at_ms = now_ms;
        self.wake_at_ms = members.chain(pending).chain(group.into_iter().flatten()).min().unwrap_or(u64::MAX);
    }

    /// Moves every deadline: the broker itself stood still.
    pub(crate) fn shift_deadlines(&mut self, stall_ms: u64) {
        let later = |at: &mut u64| *at = at.saturating_add(stall_ms);
        self.roster.iter_mut().filter_map(|member| member.deadline_ms.as_mut()).for_each(later);
        self.pending.values_mut().for_each(|pending| later(&mut pending.deadline_ms));
        self.consumer.shift_deadlines(stall_ms);
        self.connections.shift_deadlines(stall_ms);
        self.rejoin_deadline_ms.iter_mut().for_each(later);
        self.sync_deadline_ms.iter_mut().for_each(later);
        if let Some(hold) = &mut self.hold {
            later(&mut hold.until_ms);
            if let crate::group::HoldKind::Adaptive { bound_ms } = &mut hold.kind {
                later(bound_ms);
            }
        }
        self.wake_at_ms = self.wake_at_ms.saturating_add(stall_ms);
    }
}

impl Step<'_> {
    /// Fires what is due. A timer that an earlier one has disarmed or moved does nothing.
    pub(crate) fn fire_due_timers(&mut self) {
        for (_, timer) in self.group.due(self.now.monotonic_ms) {
            self.fire(timer);
        }
    }

    /// When the session of a member of the consumer protocol ends, and its time to give up partitions.
    fn consumer_deadlines(&self, member_id: &str) -> (Option<u64>, Option<u64>) {
        let member = self.group.consumer.members.get(member_id);
        member.map_or((None, None), |member| (Some(member.session_deadline_ms), member.revocation_deadline_ms))
    }

    /// Until when a member of the classic protocol in such a group must join again, and ask for its assignment.
    fn classic_deadlines(&self, member_id: &str) -> (Option<u64>, Option<u64>) {
        let member = self.group.consumer.members.get(member_id).and_then(|member| member.classic);
        member.map_or((None, None), |member| (member.rejoin_deadline_ms, member.sync_deadline_ms))
    }

    fn fire(&mut self, timer: Timer) {
        let now_ms = self.now.monotonic_ms;
        let is_due = |deadline: Option<u64>| deadline.is_some_and(|at| at <= now_ms);
        match timer {
            Timer::Hold => self.go_on(),
            Timer::Rejoin if is_due(self.group.rejoin_deadline_ms) => {
                self.end_waiting("the time to join again is over")
            }
            Timer::Sync if is_due(self.group.sync_deadline_ms) => self.end_sync_wait(),
            Timer::Session(id) if is_due(self.group.roster.get(&id).and_then(|member| member.deadline_ms)) => {
                self.remove_and_go_on(&id, "it was not heard of for its session timeout");
            }
            Timer::Pending(id) if is_due(self.group.pending.get(&id).map(|pending| pending.deadline_ms)) => {
                self.group.pending.remove(&id);
                self.group.connections.forget(&id);
                self.tell(crate::event::GroupEventKind::MemberIdForgotten { member_id: id.clone() });
                self.go_on();
            }
            Timer::ConsumerSession(id) if is_due(self.consumer_deadlines(&id).0) => {
                self.evict_consumer(&id, "it was not heard of for its session timeout");
            }
            Timer::Revocation(id) if is_due(self.consumer_deadlines(&id).1) => {
                self.evict_consumer(&id, "it did not give up its partitions within its rebalance timeout");
            }
            Timer::LostConnection(id) if is_due(self.group.connections.lost_of(&id).map(|lost| lost.deadline_ms)) => {
                self.end_grace(&id);
            }
            Timer::ClassicRejoin(id) if is_due(self.classic_deadlines(&id).0) => {
                self.evict_consumer(&id, "it did not join again within its rebalance timeout");
            }
            Timer::ClassicSync(id) if is_due(self.classic_deadlines(&id).1) => {
                self.evict_consumer(&id, "it did not ask for its assignment within its rebalance timeout");
            }
            Timer::Rejoin | Timer::Sync | Timer::Session(_) | Timer::Pending(_) => {}
            Timer::ConsumerSession(_) | Timer::Revocation(_) | Timer::LostConnection(_) => {}
            Timer::ClassicRejoin(_) | Timer::ClassicSync(_) => {}
        }
    }
}
