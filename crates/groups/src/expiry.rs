//! Commits that nobody needs any more expire, by the rules of KIP-211, and with the last one the group.
//!
//! 1. A group with members keeps its commits. Only an ordinary consumer group that is stable says what it reads, so commits of
//!    topics that it is not subscribed to expire, counted as in 2. from when it became stable: in Kafka from the commit alone, which
//!    forgets what a member reads that is away for a moment.
//! 2. A group without members keeps them for the retention, counted from when it lost its last member, or from the commit
//!    where that came later.
//! 3. A group that never had members keeps each for the retention, counted from when it was made.
//! 4. A commit that came with a retention of its own (OffsetCommit 2 to 4) expires by that one instead, wherever it may expire.
use crate::answer::GroupState;
use crate::event::GroupEventKind;
use crate::planted::planted;
use crate::records::CommittedOffset;
use crate::step::Step;
use crate::subscription::CONSUMER;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// So many records at most are written for one look at all groups, which is one batch; what is left comes with the next look.
pub(crate) const MOST_AT_ONCE: usize = 50_000;

impl Step<'_> {
    /// Forgets the commits that have expired, and the group where nothing is left of it.
    pub(crate) fn expire_offsets(&mut self) {
        for (topic, (partitions, last_commit_ms)) in self.expired() {
            if self.actions.len() >= MOST_AT_ONCE {
                return;
            }
            for &partition in &partitions {
                self.forget_offset(&topic, partition);
            }
            self.tell(GroupEventKind::OffsetsExpired { topic, partitions, last_commit_ms });
        }
        self.expire_former_offsets();
        let nobody_comes = self.group.state == GroupState::Empty && self.group.pending.is_empty();
        let is_recorded = self.group.durable.metadata().is_some() || self.group.is_consumer();
        if nobody_comes
            && self.group.durable.offsets().is_empty()
            && self.group.durable.pending().is_empty()
            && is_recorded
        {
            self.forget_group("it has no members and no commits");
        }
    }

    /// By topic: the partitions, and when the newest of their commits was made.
    fn expired(&self) -> BTreeMap<String, (Vec<i32>, i64)> {
        let mut expired = BTreeMap::new();
        for (topic, partitions) in self.group.durable.offsets() {
            let Some(since_ms) = self.unneeded_since(topic) else { continue };
            let is_over = |committed: &CommittedOffset| {
                let retained_ms =
                    committed.commit_timestamp_ms.max(since_ms).saturating_add(self.settings.offsets_retention_ms);
                committed.expire_timestamp_ms.unwrap_or(retained_ms) <= self.now.wall_ms
            };
            // What a transaction is about to replace stays until it has.
            let is_final = |partition: i32| !self.group.durable.pending().has(topic, partition);
            let over = || partitions.iter().filter(|(p, committed)| is_over(committed) && is_final(**p));
            if let Some(last_commit_ms) = over().map(|(_, committed)| committed.commit_timestamp_ms).max() {
                let over = over().map(|(&partition, _)| partition).collect();
                expired.insert(topic.clone(), (over, last_commit_ms));
            }
        }
        expired
    }

    /// Since when, in wall time, nobody needs a topic's commits; `None` while somebody may.
    fn unneeded_since(&self, topic: &str) -> Option<i64> {
        let is_consumer = self.group.protocol_type.as_deref() == Some(CONSUMER);
        match self.group.state {
            _ if !self.group.pending.is_empty() => None,
            GroupState::Empty if self.group.protocol_type.is_some() => Some(self.group.state_since_ms),
            GroupState::Empty => Some(i64::MIN),
            GroupState::Stable if planted!(self.settings, ExpiryWithALiveMember) => Some(i64::MIN),
            GroupState::Stable if is_consumer && !self.group.reads(topic) => Some(self.group.state_since_ms),
            _ => None,
        }
    }
}
