//! ListOffsets (key 2): offsets by timestamp, or by one of the special timestamps below. Version 2: isolation level; 4:
//! leader epochs; 7: the largest timestamp; 8, 9, 11: tiered storage (KIP-405, KIP-1005, KIP-1023); 10: a timeout.

use crate::{ErrorCode, Str};

/// Timestamp that asks for the end of the log.
pub const LATEST_TIMESTAMP: i64 = -1;
/// Timestamp that asks for the start of the log.
pub const EARLIEST_TIMESTAMP: i64 = -2;
/// Timestamp that asks for the record with the largest timestamp (version 7).
pub const MAX_TIMESTAMP: i64 = -3;
/// Timestamp that asks for the start of what lies on the broker's own disk (version 8).
pub const EARLIEST_LOCAL_TIMESTAMP: i64 = -4;
/// Timestamp that asks for the end of what lies in tiered storage (version 9).
pub const LATEST_TIERED_TIMESTAMP: i64 = -5;
/// Timestamp that asks for the first offset that is not yet in tiered storage (version 11).
pub const EARLIEST_PENDING_UPLOAD_TIMESTAMP: i64 = -6;

messages! {
    api ListOffsets<'a>, versions 1..=11, flexible 6;

    /// Asks for offsets.
    request ListOffsetsRequest<'a> {
        /// -1 for consumers.
        replica_id: i32 [1..],
        /// 1: the end of the log is the last stable offset.
        isolation_level: i8 [2..],
        topics: Vec<ListOffsetsTopic<'a>> [1..],
        timeout_ms: i32 [10.., absent dropped],
    }

    /// The partitions of one topic.
    part ListOffsetsTopic<'a> {
        name: Str<'a> [1..],
        partitions: Vec<ListOffsetsPartition> [1..],
    }

    /// One question.
    part ListOffsetsPartition {
        partition_index: i32 [1..],
        current_leader_epoch: i32 [4.., default -1, absent dropped],
        /// In ms, or one of the special timestamps.
        timestamp: i64 [1..],
    }

    /// The offsets.
    response ListOffsetsResponse<'a> {
        throttle_time_ms: i32 [2..],
        topics: Vec<ListOffsetsTopicResponse<'a>> [1..],
    }

    /// The partitions of one topic.
    part ListOffsetsTopicResponse<'a> {
        name: Str<'a> [1..],
        partitions: Vec<ListOffsetsPartitionResponse> [1..],
    }

    /// One answer; -1 in all fields where there is no such record.
    part ListOffsetsPartitionResponse {
        partition_index: i32 [1..],
        error_code: ErrorCode [1..],
        timestamp: i64 [1.., default -1],
        offset: i64 [1.., default -1],
        leader_epoch: i32 [4.., default -1],
    }
}
