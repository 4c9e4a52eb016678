//! AddPartitionsToTxn (key 24): a transaction will write to these partitions (KIP-98). Version 4: several transactions, or only
//! asked whether they are there, among brokers (KIP-890); 5: ABORTABLE_TRANSACTION.

use crate::{ErrorCode, Str};

messages! {
    api AddPartitionsToTxn<'a>, versions 0..=5, flexible 3;

    /// Adds partitions: to one transaction up to version 3, to several from version 4 on.
    request AddPartitionsToTxnRequest<'a> {
        transactions: Vec<AddPartitionsToTxnTransaction<'a>> [4..],
        v3_and_below_transactional_id: Str<'a> [0..=3],
        v3_and_below_producer_id: i64 [0..=3],
        v3_and_below_producer_epoch: i16 [0..=3],
        v3_and_below_topics: Vec<AddPartitionsToTxnTopic<'a>> [0..=3],
    }

    /// One transaction.
    part AddPartitionsToTxnTransaction<'a> {
        transactional_id: Str<'a> [4..],
        producer_id: i64 [4..],
        producer_epoch: i16 [4..],
        /// Add nothing, only tell whether they belong to it.
        verify_only: bool [4..],
        topics: Vec<AddPartitionsToTxnTopic<'a>> [4..],
    }

    /// The partitions of one topic.
    part AddPartitionsToTxnTopic<'a> {
        name: Str<'a> [0..],
        partitions: Vec<i32> [0..],
    }

    /// Which partitions were added.
    response AddPartitionsToTxnResponse<'a> {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [4..],
        results_by_transaction: Vec<AddPartitionsToTxnResult<'a>> [4..],
        results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult<'a>> [0..=3],
    }

    /// One transaction.
    part AddPartitionsToTxnResult<'a> {
        transactional_id: Str<'a> [4..],
        topic_results: Vec<AddPartitionsToTxnTopicResult<'a>> [4..],
    }

    /// The partitions of one topic.
    part AddPartitionsToTxnTopicResult<'a> {
        name: Str<'a> [0..],
        results_by_partition: Vec<AddPartitionsToTxnPartitionResult> [0..],
    }

    /// One partition.
    part AddPartitionsToTxnPartitionResult {
        partition_index: i32 [0..],
        partition_error_code: ErrorCode [0..],
    }
}
