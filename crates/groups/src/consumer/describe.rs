//! ConsumerGroupDescribe: what an administrator sees.
use crate::answer::{DescribedConsumer, DescribedConsumerGroup, GroupError, NamedPartitions};
use crate::assignment::Assignment;
use crate::request::TopicId;
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

    fn named(&self, partitions: &Assignment) -> Vec<NamedPartitions> {
        let owned = |(id, name, numbers): (TopicId, &str, &[i32])| (id, String::from(name), numbers.to_vec());
        self.topics.named(partitions).map(owned).collect()
    }
}
