//! CreateDelegationToken (key 38): a token that stands for somebody who has authenticated (KIP-48). Version 3: on behalf of
//! another owner (KIP-373).

use crate::{Blob, ErrorCode, Str};

messages! {
    api CreateDelegationToken<'a>, versions 1..=3, flexible 2;

    /// Asks for a token.
    request CreateDelegationTokenRequest<'a> {
        /// `None`: of whoever asks.
        owner_principal_type: Option<Str<'a>> [3.., default Some(Str::default())],
        /// `None`: of whoever asks.
        owner_principal_name: Option<Str<'a>> [3.., default Some(Str::default())],
        renewers: Vec<CreatableRenewers<'a>> [1..],
        /// -1: as long as the broker allows.
        max_lifetime_ms: i64 [1..],
    }

    /// Somebody who may renew it.
    part CreatableRenewers<'a> {
        principal_type: Str<'a> [1..],
        principal_name: Str<'a> [1..],
    }

    /// The token.
    response CreateDelegationTokenResponse<'a> {
        error_code: ErrorCode [1..],
        principal_type: Str<'a> [1..],
        principal_name: Str<'a> [1..],
        token_requester_principal_type: Str<'a> [3..],
        token_requester_principal_name: Str<'a> [3..],
        issue_timestamp_ms: i64 [1..],
        expiry_timestamp_ms: i64 [1..],
        max_timestamp_ms: i64 [1..],
        token_id: Str<'a> [1..],
        hmac: Blob<'a> [1..],
        throttle_time_ms: i32 [1..],
    }
}
