//! EndTxn (key 26): commits or aborts a transaction (KIP-98). Version 4: ABORTABLE_TRANSACTION; 5: every end gives the producer
//! another epoch (KIP-890).

use crate::{ErrorCode, Str};

messages! {
    api EndTxn<'a>, versions 0..=5, flexible 3;

    /// Ends a transaction.
    request EndTxnRequest<'a> {
        transactional_id: Str<'a> [0..],
        producer_id: i64 [0..],
        producer_epoch: i16 [0..],
        /// Commit, else abort.
        committed: bool [0..],
    }

    /// Whether it has ended, and what the producer is from now on.
    response EndTxnResponse {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
        producer_id: i64 [5.., default -1],
        producer_epoch: i16 [5.., default -1],
    }
}
