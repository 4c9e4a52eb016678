//! DescribeTopicPartitions (key 75): topics and their partitions, a page at a time (KIP-966).

use super::metadata::OPERATIONS_UNKNOWN;
use crate::{ErrorCode, OptionalStruct, Str, Uuid};

messages! {
    api DescribeTopicPartitions<'a>, versions 0..=0, flexible 0;

    /// Asks for topics; none: all.
    request DescribeTopicPartitionsRequest<'a> {
        topics: Vec<DescribeTopicPartitionsTopic<'a>> [0..],
        /// The most partitions of one answer.
        response_partition_limit: i32 [0.., default 2_000],
        /// Where the answer shall begin.
        cursor: OptionalStruct<DescribeTopicPartitionsCursor<'a>> [0..],
    }

    /// One topic.
    part DescribeTopicPartitionsTopic<'a> {
        name: Str<'a> [0..],
    }

    /// A partition, in the order of names and numbers.
    part DescribeTopicPartitionsCursor<'a> {
        topic_name: Str<'a> [0..],
        partition_index: i32 [0..],
    }

    /// The topics.
    response DescribeTopicPartitionsResponse<'a> {
        throttle_time_ms: i32 [0..],
        topics: Vec<DescribeTopicPartitionsResponseTopic<'a>> [0..],
        /// Where the next answer begins; null: this was the last one.
        next_cursor: OptionalStruct<DescribeTopicPartitionsCursor<'a>> [0..],
    }

    /// One topic.
    part DescribeTopicPartitionsResponseTopic<'a> {
        error_code: ErrorCode [0..],
        name: Option<Str<'a>> [0.., default Some(Str::default())],
        topic_id: Uuid [0..],
        is_internal: bool [0..],
        partitions: Vec<DescribeTopicPartitionsResponsePartition> [0..],
        topic_authorized_operations: i32 [0.., default OPERATIONS_UNKNOWN],
    }

    /// One partition.
    part DescribeTopicPartitionsResponsePartition {
        error_code: ErrorCode [0..],
        partition_index: i32 [0..],
        leader_id: i32 [0..],
        leader_epoch: i32 [0.., default -1],
        replica_nodes: Vec<i32> [0..],
        isr_nodes: Vec<i32> [0..],
        /// Replicas that have all committed records though they are not in sync.
        eligible_leader_replicas: Option<Vec<i32>> [0..],
        last_known_elr: Option<Vec<i32>> [0..],
        offline_replicas: Vec<i32> [0..],
    }
}
