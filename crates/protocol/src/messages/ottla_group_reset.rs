//! OttlaGroupReset (key 20001): sets a group's committed offsets, also under its members, and takes that back. Ottla's own;
//! `docs/explain.md` says what happens.

use crate::{ErrorCode, Str};

messages! {
    api OttlaGroupReset<'a>, versions 0..=0, flexible 0;

    /// Sets offsets, or brings the former ones back.
    request OttlaGroupResetRequest<'a> {
        group_id: Str<'a> [0..],
        /// Also if the group has members: they are fenced, in the same step.
        online: bool [0..],
        /// Only say what would happen.
        validate_only: bool [0..],
        /// Bring back what the last reset replaced; `topics` is empty then.
        undo: bool [0..],
        topics: Vec<OttlaGroupResetTopic<'a>> [0..],
    }

    /// Partitions of one topic.
    part OttlaGroupResetTopic<'a> {
        name: Str<'a> [0..],
        partitions: Vec<OttlaGroupResetPartition> [0..],
    }

    /// One partition.
    part OttlaGroupResetPartition {
        partition_index: i32 [0..],
        /// The next offset to read; -1 takes the commit away.
        offset: i64 [0..],
    }

    /// What has become of it.
    response OttlaGroupResetResponse<'a> {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0..],
        topics: Vec<OttlaGroupResetTopicResult<'a>> [0..],
    }

    /// Partitions of one topic.
    part OttlaGroupResetTopicResult<'a> {
        name: Str<'a> [0..],
        partitions: Vec<OttlaGroupResetPartitionResult<'a>> [0..],
    }

    /// One partition.
    part OttlaGroupResetPartitionResult<'a> {
        partition_index: i32 [0..],
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0..],
        /// The commit before; -1 if there was none.
        from_offset: i64 [0..],
        /// The commit after; -1 if there is none.
        to_offset: i64 [0..],
    }
}
