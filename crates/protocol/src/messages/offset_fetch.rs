//! OffsetFetch (key 9): read commits. Version 2: all partitions of a group; 7: only stable ones; 8: several groups
//! (KIP-709); 9: member epochs (KIP-848); 10: topic ids in place of names.

use crate::{ErrorCode, Str, Uuid};

messages! {
    api OffsetFetch<'a>, versions 1..=10, flexible 6;

    /// Asks for commits: of one group up to version 7, of several from 8 on.
    request OffsetFetchRequest<'a> {
        group_id: Str<'a> [1..=7],
        /// `None`: all topics with commits.
        topics: Option<Vec<OffsetFetchRequestTopic<'a>>> [1..=7, null 2..=7, default Some(Vec::new())],
        groups: Vec<OffsetFetchRequestGroup<'a>> [8..],
        /// Whether to refuse while a transaction has undecided commits.
        require_stable: bool [7..],
    }

    /// The partitions of one topic (up to version 7).
    part OffsetFetchRequestTopic<'a> {
        name: Str<'a> [1..=7],
        partition_indexes: Vec<i32> [1..=7],
    }

    /// One group.
    part OffsetFetchRequestGroup<'a> {
        group_id: Str<'a> [8..],
        member_id: Option<Str<'a>> [9.., absent dropped],
        member_epoch: i32 [9.., default -1, absent dropped],
        /// `None`: all topics with commits.
        topics: Option<Vec<OffsetFetchRequestTopics<'a>>> [8.., default Some(Vec::new())],
    }

    /// The partitions of one topic (from version 8 on).
    part OffsetFetchRequestTopics<'a> {
        name: Str<'a> [8..=9, absent dropped],
        topic_id: Uuid [10.., absent dropped],
        partition_indexes: Vec<i32> [8..],
    }

    /// The commits.
    response OffsetFetchResponse<'a> {
        throttle_time_ms: i32 [3..],
        topics: Vec<OffsetFetchResponseTopic<'a>> [1..=7],
        error_code: ErrorCode [2..=7],
        groups: Vec<OffsetFetchResponseGroup<'a>> [8..],
    }

    /// The partitions of one topic (up to version 7).
    part OffsetFetchResponseTopic<'a> {
        name: Str<'a> [1..=7],
        partitions: Vec<OffsetFetchResponsePartition<'a>> [1..=7],
    }

    /// One commit; offset -1 without an error where there is none (up to version 7).
    part OffsetFetchResponsePartition<'a> {
        partition_index: i32 [1..=7],
        committed_offset: i64 [1..=7],
        committed_leader_epoch: i32 [5..=7, default -1],
        metadata: Option<Str<'a>> [1..=7, default Some(Str::default())],
        error_code: ErrorCode [1..=7],
    }

    /// One group.
    part OffsetFetchResponseGroup<'a> {
        group_id: Str<'a> [8..],
        topics: Vec<OffsetFetchResponseTopics<'a>> [8..],
        error_code: ErrorCode [8..],
    }

    /// The partitions of one topic (from version 8 on).
    part OffsetFetchResponseTopics<'a> {
        name: Str<'a> [8..=9],
        topic_id: Uuid [10..],
        partitions: Vec<OffsetFetchResponsePartitions<'a>> [8..],
    }

    /// One commit; offset -1 without an error where there is none (from version 8 on).
    part OffsetFetchResponsePartitions<'a> {
        partition_index: i32 [8..],
        committed_offset: i64 [8..],
        committed_leader_epoch: i32 [8.., default -1],
        metadata: Option<Str<'a>> [8.., default Some(Str::default())],
        error_code: ErrorCode [8..],
    }
}
