//! RenewDelegationToken (key 39): a token holds longer (KIP-48).

use crate::{Blob, ErrorCode};

messages! {
    api RenewDelegationToken<'a>, versions 1..=2, flexible 2;

    /// Renews a token.
    request RenewDelegationTokenRequest<'a> {
        hmac: Blob<'a> [1..],
        renew_period_ms: i64 [1..],
    }

    /// How long it holds now.
    response RenewDelegationTokenResponse {
        error_code: ErrorCode [1..],
        expiry_timestamp_ms: i64 [1..],
        throttle_time_ms: i32 [1..],
    }
}
