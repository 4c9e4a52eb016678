//! ListPartitionReassignments (key 46): which partitions are on their way to other brokers (KIP-455).

use crate::{ErrorCode, Str};

messages! {
    api ListPartitionReassignments<'a>, versions 0..=0, flexible 0;

    /// Asks for moves.
    request ListPartitionReassignmentsRequest<'a> {
        timeout_ms: i32 [0.., default 60_000],
        /// `None`: all.
        topics: Option<Vec<ListPartitionReassignmentsTopics<'a>>> [0..],
    }

    /// The partitions of one topic.
    part ListPartitionReassignmentsTopics<'a> {
        name: Str<'a> [0..],
        partition_indexes: Vec<i32> [0..],
    }

    /// The moves under way.
    response ListPartitionReassignmentsResponse<'a> {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0.., default Some(Str::default())],
        topics: Vec<OngoingTopicReassignment<'a>> [0..],
    }

    /// The partitions of one topic.
    part OngoingTopicReassignment<'a> {
        name: Str<'a> [0..],
        partitions: Vec<OngoingPartitionReassignment> [0..],
    }

    /// One partition.
    part OngoingPartitionReassignment {
        partition_index: i32 [0..],
        replicas: Vec<i32> [0..],
        adding_replicas: Vec<i32> [0..],
        removing_replicas: Vec<i32> [0..],
    }
}
