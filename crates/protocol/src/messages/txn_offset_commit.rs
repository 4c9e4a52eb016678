//! TxnOffsetCommit (key 28): commits offsets of a group in a transaction (KIP-98). Version 2: leader epochs; 3: who commits
//! (KIP-447); 4: ABORTABLE_TRANSACTION; 5: needs no AddOffsetsToTxn before it (KIP-890).

use crate::{ErrorCode, Str};

messages! {
    api TxnOffsetCommit<'a>, versions 0..=5, flexible 3;

    /// Commits offsets, once the transaction is committed.
    request TxnOffsetCommitRequest<'a> {
        transactional_id: Str<'a> [0..],
        group_id: Str<'a> [0..],
        producer_id: i64 [0..],
        producer_epoch: i16 [0..],
        generation_id: i32 [3.., default -1],
        member_id: Str<'a> [3..],
        group_instance_id: Option<Str<'a>> [3..],
        topics: Vec<TxnOffsetCommitRequestTopic<'a>> [0..],
    }

    /// The partitions of one topic.
    part TxnOffsetCommitRequestTopic<'a> {
        name: Str<'a> [0..],
        partitions: Vec<TxnOffsetCommitRequestPartition<'a>> [0..],
    }

    /// One offset: of the next record to read.
    part TxnOffsetCommitRequestPartition<'a> {
        partition_index: i32 [0..],
        committed_offset: i64 [0..],
        committed_leader_epoch: i32 [2.., default -1, absent dropped],
        committed_metadata: Option<Str<'a>> [0.., default Some(Str::default())],
    }

    /// Which commits are part of the transaction.
    response TxnOffsetCommitResponse<'a> {
        throttle_time_ms: i32 [0..],
        topics: Vec<TxnOffsetCommitResponseTopic<'a>> [0..],
    }

    /// The partitions of one topic.
    part TxnOffsetCommitResponseTopic<'a> {
        name: Str<'a> [0..],
        partitions: Vec<TxnOffsetCommitResponsePartition> [0..],
    }

    /// One partition.
    part TxnOffsetCommitResponsePartition {
        partition_index: i32 [0..],
        error_code: ErrorCode [0..],
    }
}
