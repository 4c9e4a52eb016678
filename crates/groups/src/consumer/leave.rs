//! Members of the consumer protocol go: for good, for a while, or because they were not heard of.
use super::LEAVE_AND_RETURN;
use super::admission::no_consumer_group;
use crate::answer::{Answer, ConsumerHeartbeatAnswer, GroupError, LeftMember, Refusal};
use crate::event::{Departure, GroupEventKind, Ticket};
use crate::leave::departure;
use crate::planted::planted;
use crate::records::{CurrentAssignment, GroupMetadata, MemberState, StoredRecord};
use crate::request::{ConsumerHeartbeat, JoinGroup, LeaveGroup, LeavingMember};
use crate::step::Step;
use crate::subscription::CONSUMER;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

impl Step<'_> {
    pub(super) fn consumer_leave(&mut self, request: ConsumerHeartbeat) -> Result<ConsumerHeartbeatAnswer, Refusal> {
        if !self.group.is_consumer() {
            return Err(no_consumer_group(&self.group.group_id));
        }
        let member_id = self.who_leaves(&request.member_id, request.group_instance_id.as_deref());
        let member_id = member_id.map_err(|error| {
            let message = format!("Member {} is not a member of group {}.", request.member_id, self.group.group_id);
            Refusal::new(error, &message)
        })?;
        if request.member_epoch == LEAVE_AND_RETURN {
            self.go_away(&member_id);
        } else {
            self.remove_consumer(&member_id, Departure::Left, "it left");
            if !planted!(self.settings, LeaveDoesNotRebalance) {
                self.go_on_without(&format!("member {member_id} left"));
            }
        }
        Ok(ConsumerHeartbeatAnswer {
            member_id,
            member_epoch: request.member_epoch,
            heartbeat_interval_ms: 0,
            assignment: None,
        })
    }

    fn who_leaves(&self, member_id: &str, instance: Option<&str>) -> Result<String, GroupError> {
        let live = &self.group.consumer;
        match instance.map(|instance| live.instances.get(instance)) {
            Some(None) => Err(GroupError::UnknownMemberId),
            Some(Some(owner)) if member_id.is_empty() || owner == member_id => Ok(owner.clone()),
            Some(Some(_)) => Err(GroupError::FencedInstanceId),
            None if live.members.contains_key(member_id) => Ok(member_id.to_string()),
            None => Err(GroupError::UnknownMemberId),
        }
    }

    /// A static member keeps its place and what it had until its session ends; what it was giving up anyway is free.
    fn go_away(&mut self, member_id: &str) {
        let current = self.current(member_id);
        let away = CurrentAssignment {
            member_epoch: LEAVE_AND_RETURN,
            previous_member_epoch: current.member_epoch,
            state: MemberState::Stable,
            assigned: current.assigned.clone(),
            assigned_epochs: current.assigned_epochs.clone(),
            ..CurrentAssignment::nothing()
        };
        self.set_current(member_id, away);
        let member = self.group.consumer_culprit(member_id);
        let held = self.group.consumer_held(member_id, self.topics);
        self.tell(GroupEventKind::MemberAway { member, held });
        if let Some(live) = self.group.consumer.members.get_mut(member_id) {
            live.revocation_deadline_ms = None;
        }
        self.settle_state(&format!("static member {member_id} is away"));
    }

    /// Removes a member and tells of it. The group needs a new epoch then.
    pub(crate) fn remove_consumer(&mut self, member_id: &str, how: Departure, cause: &str) {
        let member = self.group.consumer_culprit(member_id);
        let held = self.group.consumer_held(member_id, self.topics);
        self.forget_consumer(member_id);
        self.tell(GroupEventKind::MemberRemoved { member, how, cause: cause.into(), held });
    }

    /// LeaveGroup: members of the classic protocol say goodbye, and administrators remove those of either.
    pub(crate) fn leave_consumers(&mut self, ticket: Ticket, request: LeaveGroup) {
        let mut left = Vec::with_capacity(request.members.len());
        let mut gone = Vec::new();
        for LeavingMember { member_id, group_instance_id, reason } in request.members {
            let names_itself = !member_id.is_empty();
            let error = match self.who_leaves(&member_id, group_instance_id.as_deref()) {
                Ok(member_id) => {
                    let says_goodbye = names_itself && self.is_classic(&member_id);
                    let (how, what) = departure(says_goodbye);
                    let cause = format!("{what}{}", crate::join::because(reason.as_deref()));
                    self.remove_consumer(&member_id, how, &cause);
                    gone.push(member_id);
                    None
                }
                Err(error) => Some(error),
            };
            left.push(LeftMember { member_id, group_instance_id, error });
        }
        if !gone.is_empty() {
            self.go_on_without(&format!("{} left", gone.join(", ")));
        }
        self.reply(ticket, Answer::LeaveGroup(Ok(left)));
    }

    /// A member of the classic protocol leaves by LeaveGroup itself; one of the consumer protocol by its heartbeat, so that it is
    /// somebody else who asks.
    fn is_classic(&self, member_id: &str) -> bool {
        self.group.consumer.members.get(member_id).is_some_and(|live| live.classic.is_some())
    }

    /// A member's session is over, or it did not give up in time what it was told to.
    pub(crate) fn evict_consumer(&mut self, member_id: &str, cause: &str) {
        self.remove_consumer(member_id, Departure::Removed, cause);
        self.go_on_without(&format!("member {member_id} was removed: {cause}"));
    }

    /// A group of this protocol that has no members may be used with the classic one, by somebody who could join that: it is one
    /// by then. That it had members stays known.
    ///
    /// # Errors
    /// Why it stays as it is.
    pub(crate) fn make_room_for_classic(&mut self, request: &JoinGroup) -> Result<(), GroupError> {
        if !self.group.is_consumer() {
            return Ok(());
        }
        if request.protocol_type.is_empty() || request.protocols.is_empty() {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        if !request.member_id.is_empty() {
            return Err(GroupError::UnknownMemberId);
        }
        self.forget_consumer_group();
        let metadata = GroupMetadata {
            protocol_type: CONSUMER.into(),
            state_timestamp_ms: self.group.state_since_ms,
            ..GroupMetadata::default()
        };
        self.record(StoredRecord::Group(self.group.group_id.clone(), Some(metadata)));
        Ok(())
    }

    /// Nothing of this protocol is left of the group.
    pub(crate) fn forget_consumer_group(&mut self) {
        if self.group.durable.consumer().is_some() {
            self.record(StoredRecord::TargetEpoch(self.group.group_id.clone(), None));
            self.record(StoredRecord::GroupEpoch(self.group.group_id.clone(), None));
        }
    }
}
