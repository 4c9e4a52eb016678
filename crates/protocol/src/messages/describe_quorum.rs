//! DescribeQuorum (key 55): who keeps the cluster's metadata, and how far each is (KIP-595). Version 1: when each fetched last
//! (KIP-836); 2: directories and addresses of the controllers (KIP-853).

use crate::{ErrorCode, Str, Uuid};

messages! {
    api DescribeQuorum<'a>, versions 0..=2, flexible 0;

    /// Asks for partitions.
    request DescribeQuorumRequest<'a> {
        topics: Vec<DescribeQuorumRequestTopic<'a>> [0..],
    }

    /// The partitions of one topic.
    part DescribeQuorumRequestTopic<'a> {
        topic_name: Str<'a> [0..],
        partitions: Vec<DescribeQuorumRequestPartition> [0..],
    }

    /// One partition.
    part DescribeQuorumRequestPartition {
        partition_index: i32 [0..],
    }

    /// The quorum.
    response DescribeQuorumResponse<'a> {
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [2.., default Some(Str::default())],
        topics: Vec<DescribeQuorumTopic<'a>> [0..],
        nodes: Vec<DescribeQuorumNode<'a>> [2..],
    }

    /// The partitions of one topic.
    part DescribeQuorumTopic<'a> {
        topic_name: Str<'a> [0..],
        partitions: Vec<DescribeQuorumPartition<'a>> [0..],
    }

    /// One partition.
    part DescribeQuorumPartition<'a> {
        partition_index: i32 [0..],
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [2.., default Some(Str::default())],
        leader_id: i32 [0..],
        leader_epoch: i32 [0..],
        high_watermark: i64 [0..],
        current_voters: Vec<DescribeQuorumReplica> [0..],
        observers: Vec<DescribeQuorumReplica> [0..],
    }

    /// How far one replica is.
    part DescribeQuorumReplica {
        replica_id: i32 [0..],
        replica_directory_id: Uuid [2..],
        log_end_offset: i64 [0..],
        /// In milliseconds; -1: unknown.
        last_fetch_timestamp: i64 [1.., default -1],
        /// In milliseconds; -1: unknown.
        last_caught_up_timestamp: i64 [1.., default -1],
    }

    /// One controller.
    part DescribeQuorumNode<'a> {
        node_id: i32 [2..],
        listeners: Vec<DescribeQuorumListener<'a>> [2..],
    }

    /// An address of it.
    part DescribeQuorumListener<'a> {
        name: Str<'a> [2..],
        host: Str<'a> [2..],
        port: u16 [2..],
    }
}
