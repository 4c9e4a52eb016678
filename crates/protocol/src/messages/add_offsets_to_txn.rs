//! AddOffsetsToTxn (key 25): a transaction will commit offsets of a group (KIP-98). Version 4: ABORTABLE_TRANSACTION (KIP-890).

use crate::{ErrorCode, Str};

messages! {
    api AddOffsetsToTxn<'a>, versions 0..=4, flexible 3;

    /// Adds a group.
    request AddOffsetsToTxnRequest<'a> {
        transactional_id: Str<'a> [0..],
        producer_id: i64 [0..],
        producer_epoch: i16 [0..],
        group_id: Str<'a> [0..],
    }

    /// Whether it was added.
    response AddOffsetsToTxnResponse {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
    }
}
