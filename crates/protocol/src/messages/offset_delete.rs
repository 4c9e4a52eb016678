//! OffsetDelete (key 47): forget commits of partitions (KIP-496).

use crate::{ErrorCode, NEVER_FLEXIBLE, Str};

messages! {
    api OffsetDelete<'a>, versions 0..=0, flexible NEVER_FLEXIBLE;

    /// Deletes commits.
    request OffsetDeleteRequest<'a> {
        group_id: Str<'a> [0..],
        topics: Vec<OffsetDeleteRequestTopic<'a>> [0..],
    }

    /// The partitions of one topic.
    part OffsetDeleteRequestTopic<'a> {
        name: Str<'a> [0..],
        partitions: Vec<OffsetDeleteRequestPartition> [0..],
    }

    /// One partition.
    part OffsetDeleteRequestPartition {
        partition_index: i32 [0..],
    }

    /// Which deletions succeeded.
    response OffsetDeleteResponse<'a> {
        error_code: ErrorCode [0..],
        throttle_time_ms: i32 [0..],
        topics: Vec<OffsetDeleteResponseTopic<'a>> [0..],
    }

    /// The partitions of one topic.
    part OffsetDeleteResponseTopic<'a> {
        name: Str<'a> [0..],
        partitions: Vec<OffsetDeleteResponsePartition> [0..],
    }

    /// Whether one deletion succeeded.
    part OffsetDeleteResponsePartition {
        partition_index: i32 [0..],
        error_code: ErrorCode [0..],
    }
}
