//! AlterPartitionReassignments (key 45): moves partitions to other brokers (KIP-455). Version 1: whether the number of replicas may
//! change (KIP-860).

use crate::{ErrorCode, Str};

messages! {
    api AlterPartitionReassignments<'a>, versions 0..=1, flexible 0;

    /// Begins and ends moves.
    request AlterPartitionReassignmentsRequest<'a> {
        timeout_ms: i32 [0.., default 60_000],
        allow_replication_factor_change: bool [1.., default true],
        topics: Vec<ReassignableTopic<'a>> [0..],
    }

    /// The partitions of one topic.
    part ReassignableTopic<'a> {
        name: Str<'a> [0..],
        partitions: Vec<ReassignablePartition> [0..],
    }

    /// One partition.
    part ReassignablePartition {
        partition_index: i32 [0..],
        /// The brokers that shall have it; `None`: give up the move that is under way.
        replicas: Option<Vec<i32>> [0..],
    }

    /// Which moves have begun or ended.
    response AlterPartitionReassignmentsResponse<'a> {
        throttle_time_ms: i32 [0..],
        allow_replication_factor_change: bool [1.., default true],
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0.., default Some(Str::default())],
        responses: Vec<ReassignableTopicResponse<'a>> [0..],
    }

    /// The partitions of one topic.
    part ReassignableTopicResponse<'a> {
        name: Str<'a> [0..],
        partitions: Vec<ReassignablePartitionResponse<'a>> [0..],
    }

    /// One partition.
    part ReassignablePartitionResponse<'a> {
        partition_index: i32 [0..],
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0.., default Some(Str::default())],
    }
}
