//! Produce (key 0): record batches for partitions. Kafka advertises versions from 0 because librdkafka otherwise stops
//! compressing, but serves from 3 on. Version 7: zstd; 8: per-record errors (KIP-467); 10: the new leader in the answer
//! (KIP-951); 12: implicit transaction membership (KIP-890); 13: topic ids in place of names.

use crate::{Blob, ErrorCode, Str, Uuid};

messages! {
    api Produce<'a>, versions 3..=13, flexible 9;

    /// Appends record batches.
    request ProduceRequest<'a> {
        transactional_id: Option<Str<'a>> [3..],
        /// 0: no answer at all; 1: the leader has it; -1: all in-sync replicas have it.
        acks: i16 [3..],
        timeout_ms: i32 [3..],
        topic_data: Vec<TopicProduceData<'a>> [3..],
    }

    /// The batches for one topic.
    part TopicProduceData<'a> {
        name: Str<'a> [3..=12, absent dropped],
        topic_id: Uuid [13.., absent dropped],
        partition_data: Vec<PartitionProduceData<'a>> [3..],
    }

    /// The batches for one partition.
    part PartitionProduceData<'a> {
        index: i32 [3..],
        /// Borrowed from the frame when decoded: `Bytes::slice_ref` of the frame gives a shared slice without a copy.
        records: Option<Blob<'a>> [3..],
    }

    /// Where the batches went.
    response ProduceResponse<'a> {
        responses: Vec<TopicProduceResponse<'a>> [3..],
        throttle_time_ms: i32 [3..],
        /// Addresses of the leaders named below.
        node_endpoints: Vec<NodeEndpoint<'a>> [10.., tag 0],
    }

    /// The answers for one topic.
    part TopicProduceResponse<'a> {
        name: Str<'a> [3..=12],
        topic_id: Uuid [13..],
        partition_responses: Vec<PartitionProduceResponse<'a>> [3..],
    }

    /// The answer for one partition.
    part PartitionProduceResponse<'a> {
        index: i32 [3..],
        error_code: ErrorCode [3..],
        /// The offset of the first record; -1 with an error.
        base_offset: i64 [3..],
        /// The broker's time for topics with LogAppendTime, else -1.
        log_append_time_ms: i64 [3.., default -1],
        log_start_offset: i64 [5.., default -1],
        /// The records that made the batch fail.
        record_errors: Vec<BatchIndexAndErrorMessage<'a>> [8..],
        error_message: Option<Str<'a>> [8..],
        /// With NOT_LEADER_OR_FOLLOWER: who is.
        current_leader: LeaderIdAndEpoch [10.., tag 0],
    }

    /// One record that was refused.
    part BatchIndexAndErrorMessage<'a> {
        batch_index: i32 [8..],
        batch_index_error_message: Option<Str<'a>> [8..],
    }

    /// A partition's leader; also in fetch responses.
    part LeaderIdAndEpoch {
        leader_id: i32 [0.., default -1],
        leader_epoch: i32 [0.., default -1],
    }

    /// A broker's address; also in fetch responses.
    part NodeEndpoint<'a> {
        node_id: i32 [0..],
        host: Str<'a> [0..],
        port: i32 [0..],
        rack: Option<Str<'a>> [0..],
    }
}
