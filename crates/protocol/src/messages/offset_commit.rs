//! OffsetCommit (key 8): store how far a group has read. Up to version 4 with a retention time; 6: leader epochs; 7: static
//! members; 9: member epochs of the consumer protocol (KIP-848); 10: topic ids in place of names.

use crate::{ErrorCode, Str, Uuid};

messages! {
    api OffsetCommit<'a>, versions 2..=10, flexible 8;

    /// Commits offsets.
    request OffsetCommitRequest<'a> {
        group_id: Str<'a> [2..],
        /// -1 together with an empty member id: a commit from outside the group.
        generation_id_or_member_epoch: i32 [2.., default -1],
        member_id: Str<'a> [2..],
        group_instance_id: Option<Str<'a>> [7..],
        retention_time_ms: i64 [2..=4, default -1, absent dropped],
        topics: Vec<OffsetCommitRequestTopic<'a>> [2..],
    }

    /// The partitions of one topic.
    part OffsetCommitRequestTopic<'a> {
        name: Str<'a> [2..=9, absent dropped],
        topic_id: Uuid [10.., absent dropped],
        partitions: Vec<OffsetCommitRequestPartition<'a>> [2..],
    }

    /// One offset: of the next record to read.
    part OffsetCommitRequestPartition<'a> {
        partition_index: i32 [2..],
        committed_offset: i64 [2..],
        committed_leader_epoch: i32 [6.., default -1, absent dropped],
        committed_metadata: Option<Str<'a>> [2.., default Some(Str::default())],
    }

    /// Which commits succeeded.
    response OffsetCommitResponse<'a> {
        throttle_time_ms: i32 [3..],
        topics: Vec<OffsetCommitResponseTopic<'a>> [2..],
    }

    /// The partitions of one topic.
    part OffsetCommitResponseTopic<'a> {
        name: Str<'a> [2..=9],
        topic_id: Uuid [10..],
        partitions: Vec<OffsetCommitResponsePartition> [2..],
    }

    /// Whether one commit succeeded.
    part OffsetCommitResponsePartition {
        partition_index: i32 [2..],
        error_code: ErrorCode [2..],
    }
}
