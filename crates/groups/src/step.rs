//! One step of one group: the group, the time, and where its actions go. Every request and every timer is a method of
//! [`Step`], in the file of its subject.
use crate::answer::{Answer, GroupError, GroupState};
use crate::event::{Action, Departure, GroupEvent, GroupEventKind, Now, Producer, Ticket};
use crate::group::Group;
use crate::group_config::GroupConfig;
use crate::planted::planted;
use crate::records::StoredRecord;
use crate::settings::Settings;
use crate::topics::Topics;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// Which member waits under a ticket: group id and member id.
pub(crate) type Parked = BTreeMap<Ticket, (String, String)>;

/// One step of one group.
pub(crate) struct Step<'a> {
    pub(crate) now: Now,
    pub(crate) settings: &'a Settings,
    /// What counts for this group.
    pub(crate) config: GroupConfig,
    /// Over which connection the request came that is handled.
    pub(crate) connection: Option<u64>,
    pub(crate) topics: &'a Topics,
    pub(crate) group: &'a mut Group,
    pub(crate) parked: &'a mut Parked,
    pub(crate) actions: &'a mut Vec<Action>,
}

impl Step<'_> {
    /// Records a change: it is applied here and nowhere else, and answers emitted later wait for it.
    pub(crate) fn record(&mut self, record: StoredRecord) {
        self.actions.push(Action::Append(record.encode()));
        self.group.revision += u64::from(!matches!(record, StoredRecord::Offset(..)));
        self.group.durable.apply(record);
    }

    /// The same for a commit in a producer's transaction.
    pub(crate) fn record_in_transaction(&mut self, producer: Producer, record: StoredRecord) {
        self.actions.push(Action::AppendInTransaction(producer, record.encode()));
        if planted!(self.settings, PendingOffsetCounts) {
            self.group.durable.apply(record.clone());
        }
        self.group.durable.apply_in_transaction(producer.id, record);
    }

    /// Answers a request, parked or not.
    pub(crate) fn reply(&mut self, ticket: Ticket, answer: Answer) {
        self.parked.remove(&ticket);
        self.actions.push(Action::Reply(ticket, answer));
    }

    /// Remembers who waits under a ticket, so that a lost connection can be told to the right member.
    pub(crate) fn park(&mut self, ticket: Ticket, member_id: &str) {
        self.parked.insert(ticket, (self.group.group_id.clone(), member_id.into()));
    }

    pub(crate) fn tell(&mut self, kind: GroupEventKind) {
        if let GroupEventKind::MemberRemoved { member, how: Departure::Left, .. } = &kind {
            self.group.departures.note(self.now.wall_ms, &member.client_id, &member.host);
        }
        let event = GroupEvent { group_id: self.group.group_id.clone(), at_ms: self.now.wall_ms, kind };
        self.actions.push(Action::Event(event));
    }

    /// Enters a state, for a reason.
    pub(crate) fn enter(&mut self, to: GroupState, cause: &str) {
        let from = core::mem::replace(&mut self.group.state, to);
        self.group.state_since_ms = self.now.wall_ms;
        self.group.cause = cause.into();
        let generation_id = self.group.generation_or_epoch();
        self.tell(GroupEventKind::StateChanged { from, to, generation_id, cause: cause.into() });
    }

    /// Whether somebody who names this member and instance may speak for the member.
    pub(crate) fn check_member(&self, member_id: &str, instance: Option<&str>) -> Result<(), GroupError> {
        let roster = &self.group.roster;
        if let Some(instance) = instance {
            match roster.instance(instance) {
                None => return Err(GroupError::UnknownMemberId),
                Some(_) if planted!(self.settings, StaticFenceSkipped) => return Ok(()),
                Some(owner) if owner != member_id => return Err(GroupError::FencedInstanceId),
                Some(_) => {}
            }
        }
        if roster.contains(member_id) { Ok(()) } else { Err(GroupError::UnknownMemberId) }
    }

    /// The same, and the generation must be the one that is recorded.
    pub(crate) fn check_generation(
        &self,
        member_id: &str,
        instance: Option<&str>,
        generation_id: i32,
    ) -> Result<(), GroupError> {
        self.check_member(member_id, instance)?;
        if generation_id == self.group.generation_id() { Ok(()) } else { Err(GroupError::IllegalGeneration) }
    }
}
