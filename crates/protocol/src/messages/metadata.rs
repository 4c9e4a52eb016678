//! Metadata (key 3): brokers, and topics with their partitions. Version 4: no creation unless asked for; 8: allowed
//! operations (KIP-430); 10: topic ids (KIP-516); 12: lookup by id alone; 13: an error for the whole response.

use crate::{ErrorCode, Str, Uuid};

/// "Not asked for", in fields of allowed operations.
pub const OPERATIONS_UNKNOWN: i32 = i32::MIN;

messages! {
    api Metadata<'a>, versions 0..=13, flexible 9;

    /// Asks for brokers and topics.
    request MetadataRequest<'a> {
        /// `None`: all topics. In version 0, which has no null, an empty list means all.
        topics: Option<Vec<MetadataRequestTopic<'a>>> [0.., null 1.., default Some(Vec::new())],
        allow_auto_topic_creation: bool [4.., default true],
        include_cluster_authorized_operations: bool [8..=10],
        include_topic_authorized_operations: bool [8..],
    }

    /// A topic asked for, by id or by name.
    part MetadataRequestTopic<'a> {
        topic_id: Uuid [10.., absent dropped],
        name: Option<Str<'a>> [0.., null 10.., default Some(Str::default())],
    }

    /// Brokers and topics.
    response MetadataResponse<'a> {
        throttle_time_ms: i32 [3..],
        brokers: Vec<MetadataResponseBroker<'a>> [0..],
        cluster_id: Option<Str<'a>> [2..],
        controller_id: i32 [1.., default -1],
        topics: Vec<MetadataResponseTopic<'a>> [0..],
        cluster_authorized_operations: i32 [8..=10, default OPERATIONS_UNKNOWN],
        error_code: ErrorCode [13..],
    }

    /// A broker's address.
    part MetadataResponseBroker<'a> {
        node_id: i32 [0..],
        host: Str<'a> [0..],
        port: i32 [0..],
        rack: Option<Str<'a>> [1..],
    }

    /// A topic, or why there is none.
    part MetadataResponseTopic<'a> {
        error_code: ErrorCode [0..],
        /// `None` only for an unknown id.
        name: Option<Str<'a>> [0.., null 12.., default Some(Str::default())],
        topic_id: Uuid [10..],
        is_internal: bool [1..],
        partitions: Vec<MetadataResponsePartition> [0..],
        topic_authorized_operations: i32 [8.., default OPERATIONS_UNKNOWN],
    }

    /// A partition and its leader.
    part MetadataResponsePartition {
        error_code: ErrorCode [0..],
        partition_index: i32 [0..],
        leader_id: i32 [0..],
        leader_epoch: i32 [7.., default -1],
        replica_nodes: Vec<i32> [0..],
        isr_nodes: Vec<i32> [0..],
        offline_replicas: Vec<i32> [5..],
    }
}
