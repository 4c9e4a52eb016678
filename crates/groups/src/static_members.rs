//! Static members (KIP-345, KIP-814): a process that comes back under its `group.instance.id` takes its place again.
use crate::answer::{Answer, GroupError, GroupState};
use crate::event::{ClientInfo, GroupEventKind, Ticket};
use crate::join::refused;
use crate::planted::planted;
use crate::records::StoredRecord;
use crate::request::JoinGroup;
use crate::selection::choose_protocol;
use crate::step::Step;
use crate::subscription::{CONSUMER, Subscribed};
use alloc::format;
use alloc::string::String;

impl Step<'_> {
    /// A new process under a known instance id. It gets a new member id; the old one is fenced from now on.
    pub(crate) fn replace_static(
        &mut self,
        ticket: Ticket,
        client: ClientInfo,
        request: JoinGroup,
        old: String,
        new: String,
    ) {
        let old_leader = self.group.leader.clone().unwrap_or_default();
        let skips = request.supports_skip_assignment;
        let cause = format!("static member {new} takes over{}", crate::join::because(request.reason.as_deref()));
        let reads_other = self.reads_other(&old, &request);
        self.fence(&old, &new, request.group_instance_id.as_deref().unwrap_or_default());
        if let Some(member) = self.group.roster.get_mut(&new) {
            // Another process, and perhaps on another machine: who fetches is told by these.
            (member.client_id, member.client_host) = (client.client_id, client.host);
            member.software = client.software;
        }
        self.park_join(ticket, JoinGroup { member_id: new.clone(), ..request });
        let next = choose_protocol(&self.group.roster, self.group.leader.as_deref());
        match self.group.state {
            GroupState::Stable if next.as_deref() == self.group.protocol() && !reads_other => {
                self.answer_in_place(&old, &new, if skips { None } else { Some(old_leader) });
            }
            // The leader may have assigned to the old member id already, so a running assignment is no use either.
            _ => self.rebalance_or_go_on(&cause),
        }
    }

    /// Whether the new process reads other topics than the one before: then the assignment is not for it. Kafka goes on with it
    /// (KAFKA-12759), so that a topic that it finds by a pattern has no owner until the next rebalance.
    fn reads_other(&self, old: &str, request: &JoinGroup) -> bool {
        if request.protocol_type != CONSUMER {
            return false;
        }
        let protocol = self.group.protocol().unwrap_or_default();
        let before = self.group.roster.get(old).map(|member| member.metadata(protocol));
        let after = request.protocols.iter().find(|said| said.name == protocol).map(|said| said.metadata.as_slice());
        let read = |said: Option<&[u8]>| Subscribed::read(said.into_iter());
        matches!((read(before), read(after)), (Subscribed::Topics(before), Subscribed::Topics(after)) if before != after)
    }

    /// Hands the place in the roster to the new member id, and tells those who still wait under the old one.
    fn fence(&mut self, old: &str, new: &str, instance: &str) {
        let join = self.group.roster.set_join(old, None);
        let sync = self.group.roster.get_mut(old).and_then(|member| member.sync.take());
        if let Some(ticket) = join {
            self.reply(ticket, refused(GroupError::FencedInstanceId, old));
        }
        if let Some(ticket) = sync {
            self.reply(ticket, Answer::SyncGroup(Err(GroupError::FencedInstanceId)));
        }
        self.group.roster.rename(old, new);
        if let Some(member) = self.group.roster.get_mut(new) {
            member.is_new = false;
        }
        if self.group.leads(old) {
            self.group.leader = Some(new.into());
        }
        self.tell(GroupEventKind::StaticMemberReplaced {
            group_instance_id: instance.into(),
            old_member_id: old.into(),
            new_member_id: new.into(),
        });
    }

    /// Nothing changes for the others: the new member id is recorded in the old one's place, and the generation goes on.
    ///
    /// A leader that came back must not assign again. A client that knows `skip_assignment` is told so; to an older one
    /// (`pretend_leader`) somebody else seems to lead, so that it acts as a follower.
    fn answer_in_place(&mut self, old: &str, new: &str, pretend_leader: Option<String>) {
        let protocol = self.group.protocol().map(String::from);
        let timestamp_ms = self.group.durable.metadata().map_or(self.now.wall_ms, |m| m.state_timestamp_ms);
        let loses = planted!(self.settings, StaticRejoinLosesAssignment);
        let metadata = self.group.record(self.group.generation_id(), protocol, timestamp_ms, |member_id| {
            if loses && member_id == new {
                return alloc::vec::Vec::new();
            }
            self.group.assignment(if member_id == new { old } else { member_id }).to_vec()
        });
        self.record(StoredRecord::Group(self.group.group_id.clone(), Some(metadata)));
        self.group.subscribed = self.subscribed(&self.group.protocol().map(String::from).unwrap_or_default());
        let ticket = self.group.roster.set_join(new, None);
        self.group.renew_session(self.now, new);
        self.expect_sync(new);
        let mut answer = self.joined(new);
        if let Answer::JoinGroup(joined) = &mut answer {
            joined.skip_assignment = self.group.leads(new) && pretend_leader.is_none();
            if let Some(leader) = pretend_leader {
                joined.leader = leader;
                joined.members.clear();
            }
        }
        if let Some(ticket) = ticket {
            self.reply(ticket, answer);
        }
    }
}
