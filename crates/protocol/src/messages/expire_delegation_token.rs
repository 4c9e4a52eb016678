//! ExpireDelegationToken (key 40): a token holds no longer (KIP-48).

use crate::{Blob, ErrorCode};

messages! {
    api ExpireDelegationToken<'a>, versions 1..=2, flexible 2;

    /// Ends a token.
    request ExpireDelegationTokenRequest<'a> {
        hmac: Blob<'a> [1..],
        /// Negative: at once.
        expiry_time_period_ms: i64 [1..],
    }

    /// When it ends.
    response ExpireDelegationTokenResponse {
        error_code: ErrorCode [1..],
        expiry_timestamp_ms: i64 [1..],
        throttle_time_ms: i32 [1..],
    }
}
