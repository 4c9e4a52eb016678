//! OffsetForLeaderEpoch (key 23): where the records of a leader epoch end. Version 2: the epoch that the client believes in
//! (KIP-320); 3: which replica asks.

use crate::{ErrorCode, Str};

messages! {
    api OffsetForLeaderEpoch<'a>, versions 2..=4, flexible 4;

    /// Asks for the ends of epochs.
    request OffsetForLeaderEpochRequest<'a> {
        /// -1 for consumers.
        replica_id: i32 [3.., default -2, absent dropped],
        topics: Vec<OffsetForLeaderTopic<'a>> [2..],
    }

    /// The partitions of one topic.
    part OffsetForLeaderTopic<'a> {
        topic: Str<'a> [2..],
        partitions: Vec<OffsetForLeaderPartition> [2..],
    }

    /// One question.
    part OffsetForLeaderPartition {
        partition: i32 [2..],
        /// The epoch that the client believes to be the current one; -1: it does not say.
        current_leader_epoch: i32 [2.., default -1],
        /// The epoch whose end is wanted.
        leader_epoch: i32 [2..],
    }

    /// The ends of epochs.
    response OffsetForLeaderEpochResponse<'a> {
        throttle_time_ms: i32 [2..],
        topics: Vec<OffsetForLeaderTopicResult<'a>> [2..],
    }

    /// The partitions of one topic.
    part OffsetForLeaderTopicResult<'a> {
        topic: Str<'a> [2..],
        partitions: Vec<EpochEnd> [2..],
    }

    /// One answer; -1 in both where there was no such epoch.
    part EpochEnd {
        error_code: ErrorCode [2..],
        partition: i32 [2..],
        /// The largest epoch up to the one asked for that has records.
        leader_epoch: i32 [2.., default -1],
        /// The offset after its last record.
        end_offset: i64 [2.., default -1],
    }
}
