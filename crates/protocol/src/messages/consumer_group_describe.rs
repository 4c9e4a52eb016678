//! ConsumerGroupDescribe (key 69): state and members of groups of the consumer protocol (KIP-848). Version 1: each member's
//! protocol.

use super::metadata::OPERATIONS_UNKNOWN;
use crate::{ErrorCode, Str, Uuid};

messages! {
    api ConsumerGroupDescribe<'a>, versions 0..=1, flexible 0;

    /// Asks for groups.
    request ConsumerGroupDescribeRequest<'a> {
        group_ids: Vec<Str<'a>> [0..],
        include_authorized_operations: bool [0..],
    }

    /// The groups.
    response ConsumerGroupDescribeResponse<'a> {
        throttle_time_ms: i32 [0..],
        groups: Vec<ConsumerGroupDescribeGroup<'a>> [0..],
    }

    /// One group.
    part ConsumerGroupDescribeGroup<'a> {
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0..],
        group_id: Str<'a> [0..],
        /// Kafka's words: `Empty`, `Assigning`, `Reconciling`, `Stable`, `Dead`.
        group_state: Str<'a> [0..],
        group_epoch: i32 [0..],
        assignment_epoch: i32 [0..],
        assignor_name: Str<'a> [0..],
        members: Vec<ConsumerGroupDescribeMember<'a>> [0..],
        authorized_operations: i32 [0.., default OPERATIONS_UNKNOWN],
    }

    /// One member.
    part ConsumerGroupDescribeMember<'a> {
        member_id: Str<'a> [0..],
        instance_id: Option<Str<'a>> [0..],
        rack_id: Option<Str<'a>> [0..],
        member_epoch: i32 [0..],
        client_id: Str<'a> [0..],
        /// Kafka writes a slash before the address.
        client_host: Str<'a> [0..],
        subscribed_topic_names: Vec<Str<'a>> [0..],
        subscribed_topic_regex: Option<Str<'a>> [0..],
        /// What it has.
        assignment: ConsumerGroupDescribeAssignment<'a> [0..],
        /// What it shall have.
        target_assignment: ConsumerGroupDescribeAssignment<'a> [0..],
        /// -1: unknown, 0: classic, 1: consumer.
        member_type: i8 [1.., default -1, absent dropped],
    }

    /// Partitions.
    part ConsumerGroupDescribeAssignment<'a> {
        topic_partitions: Vec<ConsumerGroupDescribeTopicPartitions<'a>> [0..],
    }

    /// Of one topic.
    part ConsumerGroupDescribeTopicPartitions<'a> {
        topic_id: Uuid [0..],
        topic_name: Str<'a> [0..],
        partitions: Vec<i32> [0..],
    }
}
