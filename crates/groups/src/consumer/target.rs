//! The group's epoch, and the target assignment that is made for it.
use crate::answer::GroupState;
use crate::assignors::{Assignor, Candidate, Subject, assign};
use crate::consumer::live::Subscription;
use crate::records::{GroupEpoch, StoredRecord};
use crate::step::Step;
use crate::topics::Topics;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// FNV-1a of what members read: names, ids, and numbers of partitions.
fn hash(read: &BTreeSet<&str>, topics: &Topics) -> i64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut mix = |bytes: &[u8]| {
        for &byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for name in read {
        let Some(shape) = topics.by_name(name) else { continue };
        mix(name.as_bytes());
        mix(&shape.topic_id);
        mix(&shape.partitions.to_be_bytes());
    }
    hash as i64
}

impl Step<'_> {
    /// A new epoch, because members or what they read have changed.
    pub(crate) fn next_epoch(&mut self, cause: &str) {
        let metadata_hash = hash(&self.group.consumer.topics(), self.topics);
        let epoch = self.group.epoch().saturating_add(1);
        self.record(StoredRecord::GroupEpoch(self.group.group_id.clone(), Some(GroupEpoch { epoch, metadata_hash })));
        let to = self.group.consumer_state();
        self.enter(to, cause);
    }

    /// Topics came or went, or have more partitions.
    pub(crate) fn topics_changed(&mut self, before: &Topics) {
        if self.group.durable.consumer().is_none() {
            return;
        }
        self.group.consumer.resolve(self.topics, before);
        let after = hash(&self.group.consumer.topics(), self.topics);
        let before = self.group.durable.consumer().map(|consumer| consumer.epoch.metadata_hash);
        if before != Some(after) && !self.group.consumer.members.is_empty() {
            self.next_epoch("the topics that it reads have changed");
        }
    }

    /// The log may end in the middle of a change, so that the target assignment is not one of these members: it is made anew.
    pub(super) fn complete_target(&mut self) {
        let Some(consumer) = self.group.durable.consumer() else { return };
        let is_made = consumer.target_epoch == consumer.epoch.epoch;
        if is_made && !consumer.members.is_empty() && !assign(self.assignor(), &self.subject()).is_empty() {
            self.next_epoch("the log ends in the middle of a change");
        }
    }

    /// Makes the target assignment for the group's epoch, if there is none yet.
    pub(super) fn make_target(&mut self) {
        let Some(consumer) = self.group.durable.consumer() else { return };
        let epoch = consumer.epoch.epoch;
        if consumer.target_epoch == epoch {
            return;
        }
        let assignor = self.assignor();
        let subject = self.subject();
        let ids: Vec<&String> = consumer.members.keys().collect();
        let changes = assign(assignor, &subject);
        let changes: Vec<_> =
            changes.into_iter().filter_map(|(at, target)| Some((ids.get(at)?.to_string(), target))).collect();
        for (member_id, target) in changes {
            self.record(StoredRecord::Target(self.group.group_id.clone(), member_id, Some(target)));
        }
        self.record(StoredRecord::TargetEpoch(self.group.group_id.clone(), Some(epoch)));
        let cause = self.cause_of_target();
        self.settle_state(&cause);
    }

    /// Why members get another assignment: who changes over to it is waited for, and that must not hide why.
    fn cause_of_target(&self) -> String {
        let decided = "who shall have what is decided";
        match self.group.cause.as_str() {
            why if self.group.state == GroupState::Assigning && !why.is_empty() => format!("{why}: {decided}"),
            _ => decided.into(),
        }
    }

    /// What most members prefer; the first of the broker's, where nobody prefers anything.
    pub(crate) fn assignor(&self) -> Assignor {
        let mut votes: BTreeMap<Assignor, usize> = BTreeMap::new();
        for member in self.group.durable.consumer().into_iter().flat_map(|consumer| consumer.members.values()) {
            let wish = member.metadata.as_ref().and_then(|metadata| metadata.server_assignor.as_deref());
            if let Some(assignor) = wish.and_then(Assignor::of) {
                *votes.entry(assignor).or_default() += 1;
            }
        }
        let most = votes.values().copied().max();
        let winner = votes.iter().find(|(_, count)| Some(**count) == most).map(|(assignor, _)| *assignor);
        winner.or_else(|| self.settings.consumer_assignors.first().copied()).unwrap_or(Assignor::Uniform)
    }

    fn subject(&self) -> Subject<'_> {
        let live = &self.group.consumer;
        let read = live.topics();
        let shapes = read.iter().filter_map(|name| self.topics.by_name(name));
        let topics = shapes.map(|shape| (shape.topic_id, u32::try_from(shape.partitions).unwrap_or(0))).collect();
        let place_of: BTreeMap<&str, usize> = read.iter().enumerate().map(|(place, name)| (*name, place)).collect();
        let mut places: BTreeMap<&Arc<Subscription>, usize> = BTreeMap::new();
        let mut subscriptions = Vec::with_capacity(live.subscriptions.len());
        for (subscription, readers) in &live.subscriptions {
            places.insert(subscription, subscriptions.len());
            let reads = readers.topics.iter().filter_map(|name| place_of.get(name.as_str()).copied());
            subscriptions.push(reads.collect::<Vec<_>>());
        }
        let members = self.group.durable.consumer().into_iter().flat_map(|consumer| &consumer.members);
        let candidates = members.map(|(member_id, member)| Candidate {
            instance: member.metadata.as_ref().and_then(|metadata| metadata.group_instance_id.as_deref()),
            target: &member.target,
            subscription: live
                .members
                .get(member_id)
                .and_then(|live| places.get(&live.subscription))
                .copied()
                .unwrap_or(usize::MAX),
        });
        Subject { topics, subscriptions, candidates: candidates.collect() }
    }

    /// Enters the state that the group is in by now, if it is another.
    pub(super) fn settle_state(&mut self, cause: &str) {
        let to = self.group.consumer_state();
        if self.group.state != to {
            self.enter(to, cause);
        }
    }
}

impl crate::group::Group {
    /// The group's epoch, 0 for one that has none.
    pub(crate) fn epoch(&self) -> i32 {
        self.durable.consumer().map_or(0, |consumer| consumer.epoch.epoch)
    }

    /// The state that follows from what members have and shall have.
    pub(crate) fn consumer_state(&self) -> GroupState {
        let Some(consumer) = self.durable.consumer().filter(|consumer| !consumer.members.is_empty()) else {
            return GroupState::Empty;
        };
        if consumer.target_epoch != consumer.epoch.epoch {
            return GroupState::Assigning;
        }
        let is_there = |member: &crate::durable::DurableMember| {
            member.current.state == crate::records::MemberState::Stable
                && member.current.member_epoch == consumer.target_epoch
        };
        if consumer.members.values().all(is_there) { GroupState::Stable } else { GroupState::Reconciling }
    }
}
