//! The group's epoch, and the target assignment that is made for it.
use crate::answer::GroupState;
use crate::assignment::Assignment;
use crate::assignors::{Assignor, Balance, Candidate, Subject, assign, load};
use crate::consumer::live::{LiveMember, Subscription};
use crate::durable::DurableMember;
use crate::records::{GroupEpoch, MemberState, StoredRecord};
use crate::request::TopicId;
use crate::step::Step;
use crate::topics::Topics;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
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
        let metadata_hash = self.metadata_hash();
        let epoch = self.group.epoch().saturating_add(1);
        self.record(StoredRecord::GroupEpoch(self.group.group_id.clone(), Some(GroupEpoch { epoch, metadata_hash })));
        let to = self.group.consumer_state();
        self.enter(to, cause);
    }

    /// Of the topics that members read, as they are now.
    pub(super) fn metadata_hash(&self) -> i64 {
        hash(&self.group.consumer.topics(), self.topics)
    }

    /// Topics came or went, or have more partitions.
    pub(crate) fn topics_changed(&mut self, before: &Topics) {
        if self.group.durable.consumer().is_none() {
            return;
        }
        self.group.consumer.resolve(self.topics, before);
        let after = self.metadata_hash();
        let before = self.group.durable.consumer().map(|consumer| consumer.epoch.metadata_hash);
        if before != Some(after) && !self.group.consumer.members.is_empty() {
            self.next_epoch("the topics that it reads have changed");
        }
    }

    /// After a log that ends in the middle of a change, what counts as the target assignment may be none of these members: then it is
    /// made anew.
    pub(super) fn complete_loaded_target(&mut self) {
        let is_another = || self.group.epoch() == 0 || !assign(self.assignor(), &self.subject()).is_empty();
        if self.is_target_made() && is_another() {
            let assignor = self.assignor().name();
            self.next_epoch(&format!(
                "its members shall not have what {assignor} gives them: a change was cut off, or group.consumer.assignors was altered"
            ));
        }
    }

    /// A group of the classic protocol was taken over with what its members had. That may not be everything, or may be what is not
    /// there any more: then the target assignment is made anew. Else all keep what they have.
    pub(super) fn complete_inherited_target(&mut self, cause: &str) {
        if self.is_target_made() && (self.group.epoch() == 0 || !self.subject().is_shared_out()) {
            self.next_epoch(cause);
        }
    }

    fn is_target_made(&self) -> bool {
        let consumer = self.group.durable.consumer();
        consumer.is_some_and(|consumer| consumer.target_epoch == consumer.epoch.epoch && !consumer.members.is_empty())
    }

    /// Makes the target assignment for the group's epoch, if there is none yet.
    pub(super) fn make_target(&mut self) {
        let Some(consumer) = self.group.durable.consumer() else { return };
        let epoch = consumer.epoch.epoch;
        if consumer.target_epoch == epoch {
            return;
        }
        let balance = self.group.consumer.balance.take().filter(|balance| self.is_balance(balance));
        let (balance, changes) = match balance {
            Some(mut balance) => {
                let changes = balance.settle(|member_id| self.target(member_id));
                (Some(balance), changes)
            }
            None => (None, self.assigned_anew()),
        };
        for (member_id, target) in changes {
            self.record(StoredRecord::Target(self.group.group_id.clone(), member_id, Some(target)));
        }
        self.record(StoredRecord::TargetEpoch(self.group.group_id.clone(), Some(epoch)));
        self.group.consumer.balance = balance.or_else(|| self.balance());
        // Also where the simulation looks for bugs, which is built without debug assertions.
        if cfg!(any(debug_assertions, feature = "planted-bugs")) {
            assert!(assign(self.assignor(), &self.subject()).is_empty(), "another look changes nothing");
        }
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

    fn target(&self, member_id: &str) -> Assignment {
        self.group.durable.consumer_member(member_id).map(|member| member.target.clone()).unwrap_or_default()
    }

    fn assigned_anew(&self) -> Vec<(String, Assignment)> {
        let changes = assign(self.assignor(), &self.subject());
        let ids: Vec<&String> = self.seats().map(|(member_id, ..)| member_id).collect();
        changes.into_iter().filter_map(|(at, target)| Some(((*ids.get(at)?).clone(), target))).collect()
    }

    /// Every member in the order of their ids, with what is kept in memory of it alone.
    fn seats(&self) -> impl Iterator<Item = (&String, &DurableMember, Option<&LiveMember>)> {
        let durable = self.group.durable.consumer().into_iter().flat_map(|consumer| &consumer.members);
        let mut live = self.group.consumer.members.iter().peekable();
        durable.map(move |(member_id, member)| {
            while live.next_if(|(seated, _)| *seated < member_id.as_str()).is_some() {}
            (member_id, member, live.next_if(|(seated, _)| *seated == member_id.as_str()).map(|(_, live)| live))
        })
    }

    /// Whether the next target assignment can be made from this one and who came and went.
    fn is_balance(&self, balance: &Balance) -> bool {
        self.can_be_balanced() && balance.is_of(&self.shapes(&self.group.consumer.topics()))
    }

    fn can_be_balanced(&self) -> bool {
        self.assignor() == Assignor::Uniform && self.group.consumer.subscriptions.len() == 1
    }

    /// Where the next target assignment can begin.
    fn balance(&self) -> Option<Balance> {
        if !self.can_be_balanced() {
            return None;
        }
        let by_load = self.seats().map(|(_, member, live)| Some((load(member.target.len()), live?.id.clone())));
        Some(Balance::new(self.shapes(&self.group.consumer.topics()), by_load.collect::<Option<_>>()?))
    }

    /// What most members prefer; the first of the broker's, where nobody prefers anything.
    pub(crate) fn assignor(&self) -> Assignor {
        let favourite = self.group.durable.consumer().and_then(|consumer| consumer.tally.favourite());
        favourite.or_else(|| self.settings.consumer_assignors.first().copied()).unwrap_or(Assignor::Uniform)
    }

    /// The topics of these names with how many partitions they have.
    fn shapes(&self, names: &BTreeSet<&str>) -> Vec<(TopicId, u32)> {
        let shapes = names.iter().filter_map(|name| self.topics.by_name(name));
        shapes.map(|shape| (shape.topic_id, u32::try_from(shape.partitions).unwrap_or(0))).collect()
    }

    fn subject(&self) -> Subject<'_> {
        let live = &self.group.consumer;
        let read = live.topics();
        let topics = self.shapes(&read);
        let place_of: BTreeMap<&str, usize> = read.iter().enumerate().map(|(place, name)| (*name, place)).collect();
        let mut places: BTreeMap<&Arc<Subscription>, usize> = BTreeMap::new();
        let mut subscriptions = Vec::with_capacity(live.subscriptions.len());
        for (subscription, readers) in &live.subscriptions {
            places.insert(subscription, subscriptions.len());
            let reads = readers.topics.iter().filter_map(|name| place_of.get(name.as_str()).copied());
            subscriptions.push(reads.collect::<Vec<_>>());
        }
        let candidates = self.seats().map(|(_, member, live)| Candidate {
            instance: member.metadata.as_ref().and_then(|metadata| metadata.group_instance_id.as_deref()),
            target: &member.target,
            subscription: live.and_then(|live| places.get(&live.subscription)).copied().unwrap_or(usize::MAX),
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

    /// Whether a member has yet to hear what it shall have, and waits for nobody: it is told with its next heartbeat.
    pub(crate) fn is_behind(&self, member_id: &str) -> bool {
        let Some(consumer) = self.durable.consumer().filter(|_| self.state == GroupState::Reconciling) else {
            return false;
        };
        consumer.members.get(member_id).is_some_and(|member| match member.current.state {
            MemberState::Stable => member.current.member_epoch != consumer.target_epoch,
            MemberState::UnrevokedPartitions | MemberState::UnreleasedPartitions => false,
        })
    }

    /// The state that follows from what members have and shall have.
    pub(crate) fn consumer_state(&self) -> GroupState {
        let Some(consumer) = self.durable.consumer().filter(|consumer| !consumer.members.is_empty()) else {
            return GroupState::Empty;
        };
        if consumer.target_epoch != consumer.epoch.epoch {
            return GroupState::Assigning;
        }
        let is_stable = consumer.tally.stable_in(consumer.target_epoch) == consumer.members.len();
        if is_stable { GroupState::Stable } else { GroupState::Reconciling }
    }
}
