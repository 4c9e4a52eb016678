//! Heartbeat: a member says that it lives, and hears whether it must join again.
use crate::answer::{Answer, GroupError, GroupState};
use crate::event::Ticket;
use crate::planted::planted;
use crate::request::Heartbeat;
use crate::step::Step;

impl Step<'_> {
    pub(crate) fn heartbeat(&mut self, ticket: Ticket, request: &Heartbeat) {
        let result = self.beat(request);
        self.reply(ticket, Answer::Heartbeat(result));
    }

    fn beat(&mut self, request: &Heartbeat) -> Result<(), GroupError> {
        if self.group.is_consumer() {
            return self.beat_classic(request);
        }
        let instance = request.group_instance_id.as_deref();
        if planted!(self.settings, HeartbeatRevivesTheEvicted) && !self.group.roster.contains(&request.member_id) {
            return Ok(());
        }
        self.check_generation(&request.member_id, instance, request.generation_id)?;
        if matches!(self.group.state, GroupState::Empty | GroupState::Dead) {
            return Err(GroupError::UnknownMemberId);
        }
        if !planted!(self.settings, HeartbeatDoesNotCount) {
            self.group.renew_session(self.now, &request.member_id);
        }
        match self.group.state {
            GroupState::PreparingRebalance => Err(GroupError::RebalanceInProgress),
            _ => Ok(()),
        }
    }
}
