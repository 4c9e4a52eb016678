//! The live part of a group of the consumer protocol: what follows from its records, kept for quick answers, and its clocks.
use crate::assignment::Assignment;
use crate::assignors::Balance;
use crate::consumer::seats::Seats;
use crate::durable::DurableMember;
use crate::event::Now;
use crate::member::Rhythm;
use crate::records::ConsumerMemberMetadata;
use crate::request::TopicId;
use crate::topics::Topics;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What is known of a group beyond its records.
#[derive(Debug, Default)]
pub(crate) struct ConsumerLive {
    pub(crate) members: Seats,
    /// Static members by instance id.
    pub(crate) instances: BTreeMap<String, String>,
    /// Who has each partition, or has not given it up yet.
    pub(crate) owners: BTreeMap<(TopicId, i32), Arc<str>>,
    /// What members read, and how many read just that.
    pub(crate) subscriptions: BTreeMap<Arc<Subscription>, Readers>,
    /// Where the next target assignment can begin, as long as only members come and go.
    pub(crate) balance: Option<Balance>,
}

/// The live part of one member.
#[derive(Debug)]
pub(crate) struct LiveMember {
    pub(crate) id: Arc<str>,
    pub(crate) subscription: Arc<Subscription>,
    pub(crate) session_timeout_ms: u64,
    pub(crate) session_deadline_ms: u64,
    /// Until when it must have given up what it was told to.
    pub(crate) revocation_deadline_ms: Option<u64>,
    /// Wall time of the last sign of life.
    pub(crate) last_seen_ms: i64,
    pub(crate) rhythm: Rhythm,
    /// Since when it has to give up partitions, in wall time.
    pub(crate) revoking_since_ms: i64,
    /// Name and version of the client library.
    pub(crate) software: Option<(String, String)>,
    /// The client's own reason for its last JoinGroup (KIP-800), of a member of the classic protocol.
    pub(crate) reason: Option<String>,
    /// Set for a member of the classic protocol.
    pub(crate) classic: Option<LiveClassic>,
    /// How the last heartbeat looked that there was nothing to do about.
    pub(crate) quiet: Option<Quiet>,
}

/// A heartbeat of a member that has all it shall have. Another one like it needs no look at what is recorded, as long as that is
/// the same.
#[derive(Debug)]
pub(crate) struct Quiet {
    /// [`crate::group::Group::revision`] at that time.
    pub(crate) revision: u64,
    pub(crate) member_epoch: i32,
    pub(crate) client_id: String,
    pub(crate) client_host: String,
    pub(crate) group_instance_id: Option<String>,
}

/// What only a member of the classic protocol is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LiveClassic {
    pub(crate) session_timeout_ms: u64,
    /// Until when it must join again.
    pub(crate) rejoin_deadline_ms: Option<u64>,
    /// Until when it must ask for its assignment.
    pub(crate) sync_deadline_ms: Option<u64>,
    /// Since when one of the two is waited for, in wall time.
    pub(crate) asked_since_ms: i64,
}

impl LiveMember {
    /// One that has just come.
    pub(crate) fn new(member_id: &str, metadata: &ConsumerMemberMetadata, wall_ms: i64) -> Self {
        LiveMember {
            id: member_id.into(),
            subscription: Arc::new(Subscription::of(metadata)),
            session_timeout_ms: u64::MAX,
            session_deadline_ms: u64::MAX,
            revocation_deadline_ms: None,
            last_seen_ms: wall_ms,
            rhythm: Rhythm::default(),
            revoking_since_ms: 0,
            software: None,
            reason: None,
            classic: LiveClassic::of(metadata),
            quiet: None,
        }
    }

    /// The member has shown that it lives. Answers when its session ends (monotonic).
    pub(crate) fn renew_session(&mut self, now: Now, timeout_ms: i32) -> u64 {
        let timeout_ms = u64::try_from(timeout_ms).unwrap_or(0);
        // One of the classic protocol brings its own.
        let timeout_ms = self.classic.map_or(timeout_ms, |classic| classic.session_timeout_ms);
        self.session_timeout_ms = timeout_ms;
        self.session_deadline_ms = now.monotonic_ms.saturating_add(timeout_ms);
        self.rhythm.heard_after(now.wall_ms.saturating_sub(self.last_seen_ms), timeout_ms);
        self.last_seen_ms = now.wall_ms;
        self.session_deadline_ms
    }
}

impl LiveClassic {
    pub(crate) fn of(metadata: &ConsumerMemberMetadata) -> Option<Self> {
        let session_timeout_ms = u64::try_from(metadata.classic.as_ref()?.session_timeout_ms).unwrap_or(0);
        Some(LiveClassic { session_timeout_ms, rejoin_deadline_ms: None, sync_deadline_ms: None, asked_since_ms: 0 })
    }
}

/// What a member reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Subscription {
    /// Ordered.
    pub(crate) names: Vec<String>,
    pub(crate) regex: Option<String>,
}

/// Who reads just that.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    pub(crate) members: usize,
    /// The topics that are meant and there, by name.
    pub(crate) topics: BTreeSet<String>,
}

impl Subscription {
    pub(crate) fn of(metadata: &ConsumerMemberMetadata) -> Self {
        Subscription { names: metadata.subscribed_topic_names.clone(), regex: metadata.subscribed_topic_regex.clone() }
    }

    /// The topics that are meant and there. Of those that were there before, `known` were meant.
    fn resolve(&self, topics: &Topics, before: &Topics, known: &BTreeSet<String>) -> BTreeSet<String> {
        let is_there = |name: &&String| topics.by_name(name).is_some();
        // A regular expression that cannot be compiled was refused when it came, or means nothing.
        let meant = self.regex.as_deref().map(|regex| topics.matching(regex, before).unwrap_or_default());
        let kept = known.iter().filter(|_| self.regex.is_some()).filter(is_there).cloned();
        let named = self.names.iter().filter(is_there).cloned();
        named.chain(kept).chain(meant.unwrap_or_default()).collect()
    }
}

impl ConsumerLive {
    /// Whether any member reads that topic, which may not exist.
    pub(crate) fn reads(&self, topic: &str) -> bool {
        let named = |subscription: &Subscription| subscription.names.iter().any(|name| name == topic);
        self.subscriptions.iter().any(|(what, readers)| readers.topics.contains(topic) || named(what))
    }

    /// The names of the topics that members read and that are there.
    pub(crate) fn topics(&self) -> BTreeSet<&str> {
        self.subscriptions.values().flat_map(|readers| readers.topics.iter().map(String::as_str)).collect()
    }

    /// Topics came or went.
    pub(crate) fn resolve(&mut self, topics: &Topics, before: &Topics) {
        for (subscription, readers) in &mut self.subscriptions {
            readers.topics = subscription.resolve(topics, before, &readers.topics);
        }
    }

    /// A member came, or came back.
    pub(crate) fn add(&mut self, member_id: &str, member: LiveMember, instance: Option<&str>, topics: &Topics) {
        if let Some(instance) = instance {
            self.instances.insert(instance.into(), member_id.into());
        }
        self.count_in(member.subscription.clone(), topics);
        if let Some(balance) = &mut self.balance {
            balance.join(member.id.clone());
        }
        self.members.insert(member);
    }

    /// A member reads something else than before.
    pub(crate) fn change_subscription(&mut self, member_id: &str, subscription: Arc<Subscription>, topics: &Topics) {
        let Some(member) = self.members.get_mut(member_id) else { return };
        let before = core::mem::replace(&mut member.subscription, subscription.clone());
        self.count_out(&before);
        self.count_in(subscription, topics);
    }

    /// A member speaks for another instance than before.
    pub(crate) fn move_instance(&mut self, member_id: &str, before: &Option<String>, after: &Option<String>) {
        if let Some(before) = before.as_ref().filter(|id| self.instances.get(*id).is_some_and(|id| id == member_id)) {
            self.instances.remove(before);
        }
        if let Some(after) = after {
            self.instances.insert(after.clone(), member_id.into());
        }
    }

    /// A member is gone, and what it had is free.
    pub(crate) fn remove(&mut self, member_id: &str, durable: &DurableMember) {
        if let Some(member) = self.members.remove(member_id) {
            self.count_out(&member.subscription);
            if let Some(balance) = &mut self.balance {
                balance.leave(member.id, &durable.target);
            }
        }
        let instance = durable.metadata.as_ref().and_then(|metadata| metadata.group_instance_id.as_deref());
        if let Some(instance) = instance.filter(|id| self.instances.get(*id).is_some_and(|owner| owner == member_id)) {
            self.instances.remove(instance);
        }
        self.release(member_id, &durable.current.assigned);
        self.release(member_id, &durable.current.pending_revocation);
        if self.members.is_empty() {
            self.balance = None;
        }
    }

    fn count_in(&mut self, subscription: Arc<Subscription>, topics: &Topics) {
        let new = |subscription: &Arc<Subscription>| {
            let topics = subscription.resolve(topics, &Topics::default(), &BTreeSet::new());
            Readers { members: 0, topics }
        };
        self.subscriptions.entry(subscription).or_insert_with_key(new).members += 1;
    }

    fn count_out(&mut self, subscription: &Arc<Subscription>) {
        let Some(readers) = self.subscriptions.get_mut(subscription) else { return };
        readers.members -= 1;
        if readers.members == 0 {
            self.subscriptions.remove(subscription);
        }
    }

    /// A member gives partitions up.
    pub(crate) fn release(&mut self, member_id: &str, partitions: &Assignment) {
        for partition in partitions.iter() {
            if self.owners.get(&partition).is_some_and(|owner| &**owner == member_id) {
                self.owners.remove(&partition);
            }
        }
    }

    /// A member takes partitions.
    pub(crate) fn take(&mut self, member_id: &str, partitions: &Assignment) {
        let Some(member) = self.members.get(member_id) else { return };
        for partition in partitions.iter() {
            self.owners.insert(partition, member.id.clone());
        }
    }

    /// Whether nobody else has it.
    pub(crate) fn is_free(&self, member_id: &str, topic_id: TopicId, partition: i32) -> bool {
        self.owners.get(&(topic_id, partition)).is_none_or(|owner| &**owner == member_id)
    }

    /// Every deadline.
    pub(crate) fn deadlines(&self) -> impl Iterator<Item = u64> {
        self.members
            .values()
            .flat_map(|member| {
                let classic = member.classic.as_ref();
                let rejoin = classic.and_then(|classic| classic.rejoin_deadline_ms);
                let sync = classic.and_then(|classic| classic.sync_deadline_ms);
                [Some(member.session_deadline_ms), member.revocation_deadline_ms, rejoin, sync]
            })
            .flatten()
    }

    pub(crate) fn shift_deadlines(&mut self, by_ms: u64) {
        for member in self.members.values_mut() {
            member.session_deadline_ms = member.session_deadline_ms.saturating_add(by_ms);
            member.revocation_deadline_ms = member.revocation_deadline_ms.map(|at| at.saturating_add(by_ms));
            if let Some(classic) = &mut member.classic {
                classic.rejoin_deadline_ms = classic.rejoin_deadline_ms.map(|at| at.saturating_add(by_ms));
                classic.sync_deadline_ms = classic.sync_deadline_ms.map(|at| at.saturating_add(by_ms));
            }
        }
    }
}
