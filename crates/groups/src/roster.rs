//! Who is in a group right now, with the counts that must not be recounted for every request.
use crate::event::Ticket;
use crate::member::Member;
use crate::request::Protocol;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// The live members of a group.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    members: BTreeMap<String, Member>,
    /// Member id by instance id.
    instances: BTreeMap<String, String>,
    /// How many members support a protocol, by its name.
    supporters: BTreeMap<String, usize>,
    /// How many members wait in a join.
    parked_joins: usize,
    arrivals: u64,
}

impl Roster {
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn parked_joins(&self) -> usize {
        self.parked_joins
    }

    pub(crate) fn contains(&self, member_id: &str) -> bool {
        self.members.contains_key(member_id)
    }

    pub(crate) fn get(&self, member_id: &str) -> Option<&Member> {
        self.members.get(member_id)
    }

    /// For everything but the join ticket and the protocols, which are counted.
    pub(crate) fn get_mut(&mut self, member_id: &str) -> Option<&mut Member> {
        self.members.get_mut(member_id)
    }

    /// Ordered by member id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// See [`Roster::get_mut`].
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members.values_mut()
    }

    /// The ids of the members that `which` chooses, ordered.
    pub(crate) fn ids(&self, mut which: impl FnMut(&Member) -> bool) -> Vec<String> {
        self.members.values().filter(|member| which(member)).map(|member| member.member_id.clone()).collect()
    }

    /// The member id that owns an instance id.
    pub(crate) fn instance(&self, group_instance_id: &str) -> Option<&str> {
        self.instances.get(group_instance_id).map(String::as_str)
    }

    /// Whether all members support the protocol of that name; true of an empty roster.
    pub(crate) fn all_support(&self, protocol: &str) -> bool {
        self.supporters.get(protocol).copied().unwrap_or(0) == self.members.len()
    }

    /// Adds a member that is not there yet.
    pub(crate) fn add(&mut self, mut member: Member) {
        self.remove(&member.member_id.clone());
        member.arrival = self.arrivals;
        self.arrivals += 1;
        self.put(member);
    }

    fn put(&mut self, member: Member) {
        for protocol in &member.protocols {
            *self.supporters.entry(protocol.name.clone()).or_default() += 1;
        }
        self.parked_joins += usize::from(member.join.is_some());
        if let Some(instance) = &member.group_instance_id {
            self.instances.insert(instance.clone(), member.member_id.clone());
        }
        self.members.insert(member.member_id.clone(), member);
    }

    /// Removes a member.
    pub(crate) fn remove(&mut self, member_id: &str) -> Option<Member> {
        let member = self.members.remove(member_id)?;
        for protocol in &member.protocols {
            if let Some(count) = self.supporters.get_mut(&protocol.name) {
                *count -= 1;
                if *count == 0 {
                    self.supporters.remove(&protocol.name);
                }
            }
        }
        self.parked_joins -= usize::from(member.join.is_some());
        if let Some(instance) = &member.group_instance_id
            && self.instances.get(instance).is_some_and(|owner| owner == member_id)
        {
            self.instances.remove(instance);
        }
        Some(member)
    }

    /// Gives a member a new id; its place in the order stays.
    pub(crate) fn rename(&mut self, old_member_id: &str, new_member_id: &str) {
        if let Some(mut member) = self.remove(old_member_id) {
            member.member_id = new_member_id.into();
            self.put(member);
        }
    }

    /// Replaces what a member supports.
    pub(crate) fn set_protocols(&mut self, member_id: &str, protocols: Vec<Protocol>) {
        if let Some(mut member) = self.remove(member_id) {
            member.protocols = protocols;
            self.put(member);
        }
    }

    /// Parks a join of a member, or takes the parked one off; returns the one that was parked before.
    pub(crate) fn set_join(&mut self, member_id: &str, ticket: Option<Ticket>) -> Option<Ticket> {
        let member = self.members.get_mut(member_id)?;
        let before = core::mem::replace(&mut member.join, ticket);
        self.parked_joins += usize::from(ticket.is_some());
        self.parked_joins -= usize::from(before.is_some());
        before
    }

    /// The member that has been there longest of those that `which` chooses.
    pub(crate) fn eldest(&self, mut which: impl FnMut(&Member) -> bool) -> Option<&Member> {
        self.members.values().filter(|member| which(member)).min_by_key(|member| member.arrival)
    }
}
