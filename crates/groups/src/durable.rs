//! What survives: the part of a group that only records change.
use crate::records::{CommittedOffset, GroupMetadata, OffsetKey, StoredRecord};
use alloc::collections::BTreeMap;
use alloc::string::String;

/// The durable part of one group. Nothing but [`DurableGroup::apply`] changes it, on the live path as on replay, so
/// replaying the log gives exactly this.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DurableGroup {
    metadata: Option<GroupMetadata>,
    offsets: BTreeMap<String, BTreeMap<i32, CommittedOffset>>,
}

impl DurableGroup {
    /// Applies one record of this group.
    pub(crate) fn apply(&mut self, record: StoredRecord) {
        match record {
            StoredRecord::Group(_, metadata) => self.metadata = metadata,
            StoredRecord::Offset(key, Some(value)) => {
                self.offsets.entry(key.topic).or_default().insert(key.partition, value);
            }
            StoredRecord::Offset(key, None) => self.forget(&key),
            StoredRecord::Unknown { .. } => {}
        }
    }

    fn forget(&mut self, key: &OffsetKey) {
        if let Some(partitions) = self.offsets.get_mut(&key.topic) {
            partitions.remove(&key.partition);
            if partitions.is_empty() {
                self.offsets.remove(&key.topic);
            }
        }
    }

    /// The last generation recorded.
    pub fn metadata(&self) -> Option<&GroupMetadata> {
        self.metadata.as_ref()
    }

    /// Commits by topic and partition.
    pub fn offsets(&self) -> &BTreeMap<String, BTreeMap<i32, CommittedOffset>> {
        &self.offsets
    }

    /// The commit of one partition.
    pub fn offset(&self, topic: &str, partition: i32) -> Option<&CommittedOffset> {
        self.offsets.get(topic)?.get(&partition)
    }

    /// There is nothing: the log does not know the group, or no longer.
    pub fn is_nothing(&self) -> bool {
        self.metadata.is_none() && self.offsets.is_empty()
    }
}
