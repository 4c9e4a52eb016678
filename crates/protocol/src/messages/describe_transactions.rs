//! DescribeTransactions (key 65): how the transactions of some transactional ids stand (KIP-664).

use crate::{ErrorCode, Str};

messages! {
    api DescribeTransactions<'a>, versions 0..=0, flexible 0;

    /// Asks for transactional ids.
    request DescribeTransactionsRequest<'a> {
        transactional_ids: Vec<Str<'a>> [0..],
    }

    /// The transactions.
    response DescribeTransactionsResponse<'a> {
        throttle_time_ms: i32 [0..],
        transaction_states: Vec<DescribedTransaction<'a>> [0..],
    }

    /// One transactional id.
    part DescribedTransaction<'a> {
        error_code: ErrorCode [0..],
        transactional_id: Str<'a> [0..],
        transaction_state: Str<'a> [0..],
        transaction_timeout_ms: i32 [0..],
        transaction_start_time_ms: i64 [0..],
        producer_id: i64 [0..],
        producer_epoch: i16 [0..],
        topics: Vec<DescribedTransactionTopic<'a>> [0..],
    }

    /// The partitions of one topic.
    part DescribedTransactionTopic<'a> {
        topic: Str<'a> [0..],
        partitions: Vec<i32> [0..],
    }
}
