//! ConsumerGroupDescribe: what an administrator sees.
use crate::answer::{DescribedConsumer, DescribedConsumerGroup, GroupError};
use crate::assignment::Assignment;
use crate::step::Step;
use alloc::string::String;
use alloc::vec::Vec;

impl Step<'_> {
    pub(crate) fn describe_consumer_group(&self) -> Result<DescribedConsumerGroup, GroupError> {
        let consumer = self.group.durable.consumer().ok_or(GroupError::GroupIdNotFound)?;
        let members = consumer.members.iter().map(|(member_id, member)| {
            let metadata = member.metadata.clone().unwrap_or_default();
            DescribedConsumer {
                member_id: member_id.clone(),
                metadata,
                member_epoch: member.current.member_epoch,
                // What it has not given up yet is its own still.
                assigned: self.named(&member.current.assigned.union(&member.current.pending_revocation)),
                target: self.named(&member.target),
            }
        });
        Ok(DescribedConsumerGroup {
            group_id: self.group.group_id.clone(),
            state: self.group.state,
            epoch: consumer.epoch.epoch,
            target_epoch: consumer.target_epoch,
            assignor: self.assignor().name(),
            members: members.collect(),
        })
    }

    /// With names, without topics that are gone.
    pub(super) fn named(&self, partitions: &Assignment) -> Vec<(crate::request::TopicId, String, Vec<i32>)> {
        let topics = partitions.topics().iter();
        let named = topics.filter_map(|(topic_id, partitions)| {
            Some((*topic_id, String::from(self.topics.name(*topic_id)?), partitions.clone()))
        });
        named.collect()
    }
}
