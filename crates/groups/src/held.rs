//! Who has which partitions, in names, for events and explanations.
use crate::consumer::read_assignment;
use crate::event::{Assigned, GroupEventKind, Held};
use crate::group::Group;
use crate::member::Member;
use crate::step::Step;
use crate::subscription::CONSUMER;
use crate::topics::Topics;
use crate::waits::Culprit;
use alloc::string::String;
use alloc::vec::Vec;

/// So many partitions one event names.
const MOST_PARTITIONS: usize = 1_000;

impl Group {
    /// What the leader gave to a member, if the members are consumers and what it gave can be read.
    pub(crate) fn classic_held(&self, member_id: &str) -> Held {
        self.readable(self.assignment(member_id))
    }

    /// The same, or while nothing is assigned what it had in the generation before.
    pub(crate) fn held_before(&self, member_id: &str) -> Held {
        match self.assigned_before.get(member_id) {
            Some(assignment) => self.readable(assignment),
            None => self.classic_held(member_id),
        }
    }

    fn readable(&self, assignment: &[u8]) -> Held {
        let are_consumers = self.protocol_type.as_deref() == Some(CONSUMER);
        let partitions = if are_consumers { read_assignment(assignment).unwrap_or_default() } else { Vec::new() };
        by_topic(partitions)
    }

    /// What a member of the consumer protocol has or has not given up yet.
    pub(crate) fn consumer_held(&self, member_id: &str, topics: &Topics) -> Held {
        let member = self.durable.consumer_member(member_id);
        member.map_or_else(Held::new, |member| {
            let has = member.current.assigned.union(&member.current.pending_revocation);
            let mut held: Held = topics.named(&has).map(|(_, name, numbers)| (name.into(), numbers.to_vec())).collect();
            held.sort_unstable();
            held
        })
    }

    /// Who a member of either protocol is; `None` if there is no such member.
    pub(crate) fn culprit(&self, member_id: &str) -> Option<Culprit> {
        let classic = self.roster.get(member_id).map(Member::culprit);
        classic.or_else(|| self.consumer.members.get(member_id).map(|_| self.consumer_culprit(member_id)))
    }

    /// Who a member of the consumer protocol is.
    pub(crate) fn consumer_culprit(&self, member_id: &str) -> Culprit {
        let metadata = self.durable.consumer_member(member_id).and_then(|member| member.metadata.as_ref());
        Culprit {
            member_id: member_id.into(),
            group_instance_id: metadata.and_then(|metadata| metadata.group_instance_id.clone()),
            client_id: metadata.map(|metadata| metadata.client_id.clone()).unwrap_or_default(),
            host: metadata.map(|metadata| metadata.client_host.clone()).unwrap_or_default(),
            software: self.consumer.members.get(member_id).and_then(|live| live.software.clone()),
        }
    }

    /// Keeps what is assigned now, because the record of the next generation has nothing of it.
    pub(crate) fn keep_assignments(&mut self) {
        let Some(metadata) = self.durable.metadata().filter(|metadata| !metadata.is_unassigned()) else { return };
        let assignments = metadata.members.iter().map(|member| (member.member_id.clone(), member.assignment.clone()));
        self.assigned_before = assignments.collect();
    }
}

impl Step<'_> {
    /// The leader has assigned: tells who has other partitions than in the generation before.
    pub(crate) fn tell_assigned(&mut self) {
        let before = core::mem::take(&mut self.group.assigned_before);
        let group = &*self.group;
        let mut changes = Vec::new();
        for member in group.roster.iter() {
            let had = before.get(&member.member_id).map_or(&[][..], Vec::as_slice);
            let (had, has) = (group.readable(had), group.classic_held(&member.member_id));
            if had != has {
                changes.push(Assigned { member: member.culprit(), before: had, after: has });
            }
        }
        let (changes, left_out) = bounded(changes);
        let epoch = group.generation_id();
        if changes.is_empty() {
            return;
        }
        self.tell(GroupEventKind::Assigned { epoch, changes, left_out });
    }

    /// A member of the consumer protocol has other partitions than before.
    pub(crate) fn tell_consumer_assigned(&mut self, member_id: &str, before: Held) {
        let after = self.group.consumer_held(member_id, self.topics);
        if before == after {
            return;
        }
        let member = self.group.consumer_culprit(member_id);
        let epoch = self.group.durable.consumer_member(member_id).map_or(0, |member| member.current.member_epoch);
        let (changes, left_out) = bounded(alloc::vec![Assigned { member, before, after }]);
        self.tell(GroupEventKind::Assigned { epoch, changes, left_out });
    }
}

/// As many of these as one event may name, and how many more there are. A single member that has more than fits keeps the first
/// of its partitions.
fn bounded(mut changes: Vec<Assigned>) -> (Vec<Assigned>, usize) {
    let mut left = MOST_PARTITIONS;
    let count = changes.len();
    let mut kept = 0;
    for change in changes.iter_mut().take(Assigned::MOST_MEMBERS) {
        if left == 0 {
            break;
        }
        kept += 1;
        cut(&mut change.before, &mut left);
        cut(&mut change.after, &mut left);
    }
    changes.truncate(kept);
    (changes, count - kept)
}

fn cut(held: &mut Held, left: &mut usize) {
    for (_, partitions) in held.iter_mut() {
        partitions.truncate(*left);
        *left -= partitions.len();
    }
    held.retain(|(_, partitions)| !partitions.is_empty());
}

fn by_topic(mut partitions: Vec<(String, i32)>) -> Held {
    partitions.sort_unstable();
    partitions.dedup();
    let mut held = Held::new();
    for (topic, partition) in partitions {
        match held.last_mut() {
            Some((last, partitions)) if *last == topic => partitions.push(partition),
            _ => held.push((topic, alloc::vec![partition])),
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(partitions: i32) -> Assigned {
        let member = Culprit {
            member_id: "m".into(),
            group_instance_id: None,
            client_id: String::new(),
            host: String::new(),
            software: None,
        };
        Assigned { member, before: Held::new(), after: alloc::vec![("t".into(), (0..partitions).collect())] }
    }

    #[test]
    fn an_event_has_bounds() {
        let (changes, left_out) = bounded(alloc::vec![change(1); 150]);
        assert_eq!((changes.len(), left_out), (Assigned::MOST_MEMBERS, 50));
        let (changes, left_out) = bounded(alloc::vec![change(600), change(600), change(1)]);
        assert_eq!(left_out, 1);
        let named: usize = changes.iter().flat_map(|change| &change.after).map(|(_, ps)| ps.len()).sum();
        assert_eq!(named, MOST_PARTITIONS);
    }
}
