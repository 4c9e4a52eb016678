//! ConsumerGroupDescribe (key 69), versions 0 and 1 (KIP-848).
//!
//! Version 1 adds each member's protocol. A group that is named twice is described once; one that does not exist, or is of the
//! classic protocol, is GROUP_ID_NOT_FOUND with a sentence, and no name at all is INVALID_GROUP_ID.

use ottla_groups::{DescribedConsumer, DescribedConsumerGroup, GroupError, NamedPartitions, Request as Asked};
use ottla_protocol::messages::{
    ConsumerGroupDescribeAssignment, ConsumerGroupDescribeGroup, ConsumerGroupDescribeMember,
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupDescribeTopicPartitions,
};
use ottla_protocol::{ErrorCode, Uuid};

use super::describe_groups::ALL_GROUP_OPERATIONS;
use crate::context::Context;
use crate::groups::wire::{ask_about_each, decode_question, error_code, expect_answer};
use crate::request::{Handled, Request};

/// The types of members, by the protocol that they use.
const CLASSIC: i8 = 0;
const CONSUMER: i8 = 1;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: ConsumerGroupDescribeRequest<'_> = decode_question(&request)?;
    let with_operations = message.include_authorized_operations;
    let asked = ask_about_each(&context, message.group_ids, Asked::DescribeConsumerGroup);
    let mut groups = Vec::with_capacity(asked.len());
    for (group_id, awaited) in asked {
        let described = match awaited {
            None => Err(ErrorCode::GROUP_AUTHORIZATION_FAILED),
            Some(awaited) => expect_answer!(awaited, DescribeConsumerGroup),
        };
        let mut group = match described {
            Ok(Ok(described)) => present(described),
            Ok(Err(error)) => absent(&group_id, error),
            Err(code) => ConsumerGroupDescribeGroup { error_code: code, ..Default::default() },
        };
        group.group_id = group_id;
        if with_operations && group.error_code == ErrorCode::NONE {
            group.authorized_operations = ALL_GROUP_OPERATIONS;
        }
        groups.push(group);
    }
    request.respond(&ConsumerGroupDescribeResponse { groups, ..Default::default() })
}

fn absent<'a>(group_id: &str, error: GroupError) -> ConsumerGroupDescribeGroup<'a> {
    let missing = error == GroupError::GroupIdNotFound;
    let error_message = missing.then(|| format!("There is no consumer group {group_id}.").into());
    ConsumerGroupDescribeGroup { error_code: error_code(error), error_message, ..Default::default() }
}

fn present<'a>(group: DescribedConsumerGroup) -> ConsumerGroupDescribeGroup<'a> {
    ConsumerGroupDescribeGroup {
        group_state: group.state.name().into(),
        group_epoch: group.epoch,
        assignment_epoch: group.target_epoch,
        assignor_name: group.assignor.into(),
        members: group.members.into_iter().map(member).collect(),
        ..Default::default()
    }
}

fn member<'a>(member: DescribedConsumer) -> ConsumerGroupDescribeMember<'a> {
    let metadata = member.metadata;
    ConsumerGroupDescribeMember {
        member_id: member.member_id.into(),
        instance_id: metadata.group_instance_id.map(Into::into),
        rack_id: metadata.rack_id.map(Into::into),
        member_epoch: member.member_epoch,
        client_id: metadata.client_id.into(),
        client_host: metadata.client_host.into(),
        subscribed_topic_names: metadata.subscribed_topic_names.into_iter().map(Into::into).collect(),
        // Kafka tells an empty one where there is none.
        subscribed_topic_regex: Some(metadata.subscribed_topic_regex.unwrap_or_default().into()),
        assignment: assignment(member.assigned),
        target_assignment: assignment(member.target),
        member_type: if metadata.classic.is_some() { CLASSIC } else { CONSUMER },
    }
}

fn assignment<'a>(partitions: Vec<NamedPartitions>) -> ConsumerGroupDescribeAssignment<'a> {
    let topics = partitions.into_iter().map(|(topic_id, name, partitions)| ConsumerGroupDescribeTopicPartitions {
        topic_id: Uuid(topic_id),
        topic_name: name.into(),
        partitions,
    });
    ConsumerGroupDescribeAssignment { topic_partitions: topics.collect() }
}
