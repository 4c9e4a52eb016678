//! DescribeProducers (key 61): which producers a partition remembers, and whether a transaction is open (KIP-664).

use crate::{ErrorCode, Str};

messages! {
    api DescribeProducers<'a>, versions 0..=0, flexible 0;

    /// Asks for partitions.
    request DescribeProducersRequest<'a> {
        topics: Vec<DescribeProducersTopic<'a>> [0..],
    }

    /// The partitions of one topic.
    part DescribeProducersTopic<'a> {
        name: Str<'a> [0..],
        partition_indexes: Vec<i32> [0..],
    }

    /// The producers.
    response DescribeProducersResponse<'a> {
        throttle_time_ms: i32 [0..],
        topics: Vec<DescribeProducersResponseTopic<'a>> [0..],
    }

    /// The partitions of one topic.
    part DescribeProducersResponseTopic<'a> {
        name: Str<'a> [0..],
        partitions: Vec<DescribeProducersResponsePartition<'a>> [0..],
    }

    /// One partition.
    part DescribeProducersResponsePartition<'a> {
        partition_index: i32 [0..],
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0..],
        active_producers: Vec<ProducerState> [0..],
    }

    /// One producer.
    part ProducerState {
        producer_id: i64 [0..],
        producer_epoch: i32 [0..],
        last_sequence: i32 [0.., default -1],
        /// In milliseconds.
        last_timestamp: i64 [0.., default -1],
        coordinator_epoch: i32 [0..],
        /// -1: none is open.
        current_txn_start_offset: i64 [0.., default -1],
    }
}
