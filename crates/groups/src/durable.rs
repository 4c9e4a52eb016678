//! What survives: the part of a group that only records change.
use crate::assignment::Assignment;
use crate::pending_offsets::PendingOffsets;
use crate::records::{
    CommittedOffset, ConsumerMemberMetadata, CurrentAssignment, FormerOffsets, GroupEpoch, GroupMetadata, OffsetKey,
    StoredRecord,
};
use crate::tally::{Counted, Tally};
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::string::String;
use alloc::vec::Vec;

/// The durable part of one group. Nothing but [`DurableGroup::apply`] changes it, on the live path as on replay, so
/// replaying the log gives exactly this.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DurableGroup {
    metadata: Option<GroupMetadata>,
    consumer: Option<DurableConsumer>,
    offsets: BTreeMap<String, BTreeMap<i32, CommittedOffset>>,
    former: Option<FormerOffsets>,
    pending: PendingOffsets,
}

/// What makes a group one of the consumer protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DurableConsumer {
    /// The group's epoch.
    pub epoch: GroupEpoch,
    /// The epoch that the target assignment was made for; 0 before the first.
    pub target_epoch: i32,
    /// By member id.
    pub members: BTreeMap<String, DurableMember>,
    pub(crate) tally: Tally,
}

/// One member of the consumer protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DurableMember {
    /// What it says of itself; `None` if the log holds only what it was given.
    pub metadata: Option<ConsumerMemberMetadata>,
    /// What it shall have.
    pub target: Assignment,
    /// What it has.
    pub current: CurrentAssignment,
}

impl DurableGroup {
    /// Applies one record of this group.
    pub(crate) fn apply(&mut self, record: StoredRecord) {
        match record {
            StoredRecord::Group(_, metadata) => self.metadata = metadata,
            StoredRecord::Offset(key, Some(value)) => {
                self.pending.forget(&key.topic, key.partition);
                self.offsets.entry(key.topic).or_default().insert(key.partition, value);
            }
            StoredRecord::Offset(key, None) => self.forget(&key),
            StoredRecord::GroupEpoch(_, Some(epoch)) => self.consumer.get_or_insert_default().epoch = epoch,
            StoredRecord::GroupEpoch(_, None) => self.consumer = None,
            StoredRecord::TargetEpoch(_, epoch) => {
                if let Some(consumer) = self.consumer_for(epoch.is_some()) {
                    consumer.target_epoch = epoch.unwrap_or_default();
                }
            }
            StoredRecord::ConsumerMember(_, member_id, metadata) => {
                self.change(member_id, metadata.is_some(), |member| member.metadata = metadata);
            }
            StoredRecord::Target(_, member_id, target) => {
                self.change(member_id, target.is_some(), |member| member.target = target.unwrap_or_default());
            }
            StoredRecord::Current(_, member_id, current) => {
                self.change(member_id, current.is_some(), |member| member.current = current.unwrap_or_default());
            }
            StoredRecord::FormerOffsets(_, former) => self.former = former,
            StoredRecord::Unknown { .. } => {}
        }
    }

    /// Applies one record that was written in a transaction: only commits are.
    pub(crate) fn apply_in_transaction(&mut self, producer_id: i64, record: StoredRecord) {
        if let StoredRecord::Offset(key, Some(value)) = record {
            self.pending.add(producer_id, &key.topic, key.partition, value);
        }
    }

    /// Applies the end of a producer's transaction. Answers the commits that count from now on.
    pub(crate) fn end_transaction(&mut self, producer_id: i64, commits: bool) -> Vec<(String, i32, i64)> {
        let ended = self.pending.end(producer_id, commits);
        let done = ended.into_iter().map(|(topic, partition, committed)| {
            let offset = committed.offset;
            self.offsets.entry(topic.clone()).or_default().insert(partition, committed);
            (topic, partition, offset)
        });
        done.collect()
    }

    /// The consumer part. A tombstone makes none: it may come after that of the whole group.
    fn consumer_for(&mut self, is_new_value: bool) -> Option<&mut DurableConsumer> {
        if is_new_value { Some(self.consumer.get_or_insert_default()) } else { self.consumer.as_mut() }
    }

    /// Changes one member, which goes when nothing is left of it.
    fn change(&mut self, member_id: String, is_new_value: bool, change: impl FnOnce(&mut DurableMember)) {
        let Some(consumer) = self.consumer_for(is_new_value) else { return };
        let (mut member, before) = match consumer.members.entry(member_id) {
            Entry::Occupied(entry) => {
                let before = Counted::of(entry.get());
                (entry, before)
            }
            Entry::Vacant(entry) => (entry.insert_entry(DurableMember::default()), Counted::default()),
        };
        change(member.get_mut());
        let after = if *member.get() == DurableMember::default() {
            member.remove();
            Counted::default()
        } else {
            Counted::of(member.get())
        };
        consumer.tally.change(before, after);
    }

    fn forget(&mut self, key: &OffsetKey) {
        self.pending.forget(&key.topic, key.partition);
        if let Some(partitions) = self.offsets.get_mut(&key.topic) {
            partitions.remove(&key.partition);
            if partitions.is_empty() {
                self.offsets.remove(&key.topic);
            }
        }
    }

    /// The last generation of the classic protocol that was recorded.
    pub fn metadata(&self) -> Option<&GroupMetadata> {
        self.metadata.as_ref()
    }

    /// The members of the consumer protocol and what they have; `None` for a group that does not use it.
    pub fn consumer(&self) -> Option<&DurableConsumer> {
        self.consumer.as_ref()
    }

    /// One member of the consumer protocol.
    pub fn consumer_member(&self, member_id: &str) -> Option<&DurableMember> {
        self.consumer.as_ref()?.members.get(member_id)
    }

    /// Commits by topic and partition.
    pub fn offsets(&self) -> &BTreeMap<String, BTreeMap<i32, CommittedOffset>> {
        &self.offsets
    }

    /// The commit of one partition.
    pub fn offset(&self, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.offsets.get(topic)?.get(&partition)
    }

    /// Commits of transactions that have not ended.
    pub fn pending(&self) -> &PendingOffsets {
        &self.pending
    }

    /// What the last reset replaced, as long as it can be taken back.
    pub fn former_offsets(&self) -> Option<&FormerOffsets> {
        self.former.as_ref()
    }

    /// There is nothing: the log does not know the group, or no longer.
    pub fn is_nothing(&self) -> bool {
        self.metadata.is_none()
            && self.consumer.is_none()
            && self.offsets.is_empty()
            && self.former.is_none()
            && self.pending.is_empty()
    }
}
