//! ListTransactions (key 66): all transactional ids of a coordinator (KIP-664). Version 1: by how long they run (KIP-994); 2: by a
//! pattern of names (KIP-1152).

use crate::{ErrorCode, Str};

messages! {
    api ListTransactions<'a>, versions 0..=2, flexible 0;

    /// Asks for transactions.
    request ListTransactionsRequest<'a> {
        /// Empty: any state.
        state_filters: Vec<Str<'a>> [0..],
        /// Empty: any producer.
        producer_id_filters: Vec<i64> [0..],
        /// Only those that run longer than so many milliseconds; negative: all.
        duration_filter: i64 [1.., default -1],
        /// A regular expression; `None` or empty: any.
        transactional_id_pattern: Option<Str<'a>> [2..],
    }

    /// The transactions.
    response ListTransactionsResponse<'a> {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
        /// States of the request that do not exist.
        unknown_state_filters: Vec<Str<'a>> [0..],
        transaction_states: Vec<ListedTransaction<'a>> [0..],
    }

    /// One transactional id.
    part ListedTransaction<'a> {
        transactional_id: Str<'a> [0..],
        producer_id: i64 [0..],
        transaction_state: Str<'a> [0..],
    }
}
