//! LeaveGroup: members go, or are removed by an administrator who knows their instance id.
use crate::answer::{Answer, GroupError, LeftMember};
use crate::event::{Departure, Ticket};
use crate::join::because;
use crate::planted::planted;
use crate::request::{LeaveGroup, LeavingMember};
use crate::step::Step;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The answer for a group that does not exist.
pub(crate) fn left_nothing(request: LeaveGroup) -> Answer {
    let error = Some(GroupError::UnknownMemberId);
    let left = |m: LeavingMember| LeftMember { member_id: m.member_id, group_instance_id: m.group_instance_id, error };
    Answer::LeaveGroup(Ok(request.members.into_iter().map(left).collect()))
}

impl Step<'_> {
    /// All leave first, then the group reacts once.
    pub(crate) fn leave(&mut self, ticket: Ticket, request: LeaveGroup) {
        let mut left = Vec::with_capacity(request.members.len());
        let mut gone = Vec::new();
        for member in request.members {
            let error = match self.leave_one(&member) {
                Ok(member_id) => {
                    gone.push(member_id);
                    None
                }
                Err(error) => Some(error),
            };
            let LeavingMember { member_id, group_instance_id, .. } = member;
            left.push(LeftMember { member_id, group_instance_id, error });
        }
        if !gone.is_empty() && !planted!(self.settings, LeaveDoesNotRebalance) {
            self.rebalance_or_go_on_if_used(&format!("{} left", gone.join(", ")));
        }
        self.reply(ticket, Answer::LeaveGroup(Ok(left)));
    }

    /// A group that had only clients on their way to become members does not rebalance when one of them turns back.
    fn rebalance_or_go_on_if_used(&mut self, cause: &str) {
        if self.group.state != crate::answer::GroupState::Empty {
            self.rebalance_or_go_on(cause);
        }
    }

    fn leave_one(&mut self, leaving: &LeavingMember) -> Result<String, GroupError> {
        let instance = leaving.group_instance_id.as_deref();
        if self.group.pending.remove(&leaving.member_id).is_some() {
            return Ok(leaving.member_id.clone());
        }
        let member_id = if leaving.member_id.is_empty() {
            let owner = instance.and_then(|instance| self.group.roster.instance(instance));
            String::from(owner.ok_or(GroupError::UnknownMemberId)?)
        } else {
            self.check_member(&leaving.member_id, instance)?;
            leaving.member_id.clone()
        };
        let (how, what) = departure(!leaving.member_id.is_empty());
        self.remove_member(&member_id, how, &format!("{what}{}", because(leaving.reason.as_deref())));
        Ok(member_id)
    }
}

/// How one is told that goes by LeaveGroup. A member names itself; who names only an instance is an administrator.
pub(crate) fn departure(says_goodbye: bool) -> (Departure, &'static str) {
    if says_goodbye { (Departure::Left, "it left") } else { (Departure::Removed, "it was removed") }
}
