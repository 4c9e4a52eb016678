//! DeleteRecords (key 21): move the log start offset forward (KIP-107).

use crate::{ErrorCode, Str};

messages! {
    api DeleteRecords<'a>, versions 0..=2, flexible 2;

    /// Deletes the records before an offset.
    request DeleteRecordsRequest<'a> {
        topics: Vec<DeleteRecordsTopic<'a>> [0..],
        timeout_ms: i32 [0..],
    }

    /// The partitions of one topic.
    part DeleteRecordsTopic<'a> {
        name: Str<'a> [0..],
        partitions: Vec<DeleteRecordsPartition> [0..],
    }

    /// One partition.
    part DeleteRecordsPartition {
        partition_index: i32 [0..],
        /// The new log start offset; -1: the high watermark.
        offset: i64 [0..],
    }

    /// Where the logs start now.
    response DeleteRecordsResponse<'a> {
        throttle_time_ms: i32 [0..],
        topics: Vec<DeleteRecordsTopicResult<'a>> [0..],
    }

    /// The partitions of one topic.
    part DeleteRecordsTopicResult<'a> {
        name: Str<'a> [0..],
        partitions: Vec<DeleteRecordsPartitionResult> [0..],
    }

    /// One partition.
    part DeleteRecordsPartitionResult {
        partition_index: i32 [0..],
        /// The new log start offset; -1 with an error.
        low_watermark: i64 [0..],
        error_code: ErrorCode [0..],
    }
}
