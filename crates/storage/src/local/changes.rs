//! The flusher's decisions about topics and configs. All of them are flushed, whatever records ask for.

use std::sync::Arc;

use super::flusher::Flusher;
use super::group::Group;
use super::planted::planted;
use super::wal::{
    CONFIGS_ALTERED, PARTITIONS_CREATED, TOPIC_CREATED, TOPIC_DELETED, partitions_created, put_resource, put_topic,
};
use crate::{ConfigChange, MetadataError, NewTopic, PartitionId, Topic, TopicId};

impl Flusher {
    pub(super) fn decide_create(&mut self, topic: NewTopic, group: &mut Group) -> Result<Arc<Topic>, MetadataError> {
        let metadata = &self.state.metadata;
        if metadata.by_name(&topic.name).is_some() || metadata.by_id(topic.id).is_some() {
            return Err(MetadataError::TopicExists);
        }
        let NewTopic { name, id, partitions, configs } = topic;
        let topic = Topic { id, name: name.into(), partitions: partitions.max(1), configs };
        let mut payload = Vec::new();
        put_topic(&mut payload, &topic);
        let topic = self.state.create_topic(topic);
        self.change(group, TOPIC_CREATED, &payload);
        group.new_partitions.extend(partitions_of(id, 0..topic.partitions));
        Ok(topic)
    }

    pub(super) fn decide_delete(&mut self, id: TopicId, group: &mut Group) -> Result<(), MetadataError> {
        let topic = self.state.delete_topic(id).ok_or(MetadataError::UnknownTopic)?;
        self.change(group, TOPIC_DELETED, &id.0);
        group.deleted.push(topic);
        Ok(())
    }

    pub(super) fn decide_configs(&mut self, change: ConfigChange, group: &mut Group) -> Result<(), MetadataError> {
        self.state.metadata.check_configs(&change)?;
        let mut payload = Vec::new();
        put_resource(&mut payload, &change.resource, &change.after);
        self.state.alter_configs(change.resource, change.after);
        self.change(group, CONFIGS_ALTERED, &payload);
        Ok(())
    }

    pub(super) fn decide_partitions(
        &mut self,
        id: TopicId,
        total: i32,
        group: &mut Group,
    ) -> Result<Arc<Topic>, MetadataError> {
        let before = self.state.metadata.check_partitions(id, total)?.partitions;
        let topic = self.state.create_partitions(id, total).ok_or(MetadataError::UnknownTopic)?;
        self.change(group, PARTITIONS_CREATED, &partitions_created(id, total));
        group.new_partitions.extend(partitions_of(id, before..total));
        Ok(topic)
    }

    fn change(&mut self, group: &mut Group, kind: u16, payload: &[u8]) {
        self.wal.put(kind, &[payload]);
        group.flush |= !planted!(self.planted, TopicNotFlushed) || kind != TOPIC_CREATED;
        group.metadata_changed = true;
    }
}

fn partitions_of(topic: TopicId, indexes: std::ops::Range<i32>) -> impl Iterator<Item = PartitionId> {
    indexes.map(move |index| PartitionId { topic, index })
}
