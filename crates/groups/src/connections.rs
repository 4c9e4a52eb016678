//! Over which connections the members of a group were heard of last, and whose connection is lost
//! (`ottla.lost.connection.grace.ms`). A group without that config remembers nothing here.
//!
//! A member whose connection is closed by its peer or breaks has a grace to be heard of over another one, whatever it says;
//! then it is removed as at the end of its session. So somebody takes over from a process that was killed after the grace. A static
//! member has its session to come back, and so it has here. Only what was heard of since the coordinator was loaded counts.
use crate::event::GroupEventKind;
use crate::planted::planted;
use crate::request::{FetchOffsets, Request};
use crate::step::Step;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

/// What is known of the connections of a group's members.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    /// By member id.
    heard: BTreeMap<String, Heard>,
    /// Who was heard of last over a connection that is not lost.
    members: BTreeMap<u64, BTreeSet<String>>,
}

#[derive(Debug)]
struct Heard {
    connection: u64,
    lost: Option<Lost>,
}

/// A lost connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lost {
    /// Wall time in milliseconds of the loss.
    pub(crate) since_ms: i64,
    /// When the grace is over (monotonic).
    pub(crate) deadline_ms: u64,
}

impl Connections {
    /// A member was heard of.
    fn hear(&mut self, member_id: &str, connection: u64) {
        if self.heard.get(member_id).is_some_and(|heard| heard.connection == connection && heard.lost.is_none()) {
            return;
        }
        self.forget(member_id);
        self.heard.insert(member_id.into(), Heard { connection, lost: None });
        self.members.entry(connection).or_default().insert(member_id.into());
    }

    /// A member is gone.
    pub(crate) fn forget(&mut self, member_id: &str) {
        let Some(heard) = self.heard.remove(member_id) else { return };
        let Some(members) = self.members.get_mut(&heard.connection) else { return };
        members.remove(member_id);
        if members.is_empty() {
            self.members.remove(&heard.connection);
        }
    }

    /// Nobody looks at connections any more.
    pub(crate) fn forget_all(&mut self) {
        *self = Connections::default();
    }

    /// Whether a member was heard of last over this connection.
    pub(crate) fn has(&self, connection: u64) -> bool {
        self.members.contains_key(&connection)
    }

    fn lose(&mut self, connection: u64, lost: Lost) {
        for member_id in self.members.remove(&connection).unwrap_or_default() {
            if let Some(heard) = self.heard.get_mut(&member_id) {
                heard.lost = Some(lost);
            }
        }
    }

    /// The members whose connection is lost.
    pub(crate) fn lost(&self) -> impl Iterator<Item = (&str, Lost)> {
        self.heard.iter().filter_map(|(member_id, heard)| Some((member_id.as_str(), heard.lost?)))
    }

    /// The same of one member.
    pub(crate) fn lost_of(&self, member_id: &str) -> Option<Lost> {
        self.heard.get(member_id)?.lost
    }

    pub(crate) fn shift_deadlines(&mut self, by_ms: u64) {
        for lost in self.heard.values_mut().filter_map(|heard| heard.lost.as_mut()) {
            lost.deadline_ms = lost.deadline_ms.saturating_add(by_ms);
        }
    }
}

impl Request {
    /// The member that speaks, with its group.
    pub(crate) fn speaker(&self) -> Option<(&str, &str)> {
        let (group_id, member_id) = match self {
            Request::JoinGroup(request) => (&request.group_id, &request.member_id),
            Request::SyncGroup(request) => (&request.group_id, &request.member_id),
            Request::Heartbeat(request) => (&request.group_id, &request.member_id),
            Request::CommitOffsets(request) => (&request.group_id, &request.member_id),
            Request::CommitInTransaction(request) => (&request.commit.group_id, &request.commit.member_id),
            Request::ConsumerHeartbeat(request) => (&request.group_id, &request.member_id),
            Request::FetchOffsets(FetchOffsets { group_id, member: Some((member_id, _)), .. }) => (group_id, member_id),
            _ => return None,
        };
        Some((group_id, member_id))
    }
}

impl Step<'_> {
    /// A member speaks: it is there, over the request's connection, whatever it is answered.
    pub(crate) fn hear(&mut self, member_id: &str) {
        let Some(connection) = self.connection.filter(|_| self.config.lost_connection_grace_ms.is_some()) else {
            return;
        };
        let ignores = planted!(self.settings, ReconnectDoesNotCount);
        if ignores && self.group.connections.lost_of(member_id).is_some() {
            return;
        }
        if self.may_be_lost(member_id) {
            self.group.connections.hear(member_id, connection);
        }
    }

    /// A connection is lost: whoever was heard of last over it has until the end of the grace.
    pub(crate) fn connection_lost(&mut self, connection: u64) {
        let Some(grace_ms) = self.config.lost_connection_grace_ms else { return };
        let deadline_ms = self.now.monotonic_ms.saturating_add(grace_ms);
        self.group.connections.lose(connection, Lost { since_ms: self.now.wall_ms, deadline_ms });
        self.group.wake_at(deadline_ms);
    }

    /// The grace of a member is over.
    pub(crate) fn end_grace(&mut self, member_id: &str) {
        let may_be_lost = self.may_be_lost(member_id);
        self.group.connections.forget(member_id);
        if !may_be_lost {
            return;
        }
        let grace_ms = self.config.lost_connection_grace_ms.unwrap_or(0);
        let cause = format!("its connection was lost, and it did not come back within {grace_ms} ms");
        if self.group.pending.remove(member_id).is_some() {
            self.tell(GroupEventKind::MemberIdForgotten { member_id: member_id.into() });
            self.go_on();
        } else if self.group.consumer.members.contains_key(member_id) {
            self.evict_consumer(member_id, &cause);
        } else {
            self.remove_and_go_on(member_id, &cause);
        }
    }

    /// A dynamic member of either protocol, or a client that was given a member id.
    fn may_be_lost(&self, member_id: &str) -> bool {
        let any = planted!(self.settings, GraceForStaticMembers);
        let instance = if let Some(member) = self.group.roster.get(member_id) {
            member.group_instance_id.as_deref()
        } else if let Some(member) = self.group.durable.consumer_member(member_id) {
            member.metadata.as_ref().and_then(|metadata| metadata.group_instance_id.as_deref())
        } else if self.group.pending.contains_key(member_id) {
            None
        } else {
            return false;
        };
        instance.is_none() || any
    }
}
