//! DescribeDelegationToken (key 41): which tokens there are (KIP-48). Version 3: who asked for them (KIP-373).

use crate::{Blob, ErrorCode, Str};

messages! {
    api DescribeDelegationToken<'a>, versions 1..=3, flexible 2;

    /// Asks for the tokens of some owners; `None`: of all.
    request DescribeDelegationTokenRequest<'a> {
        owners: Option<Vec<DescribeDelegationTokenOwner<'a>>> [1.., default Some(Vec::new())],
    }

    /// An owner.
    part DescribeDelegationTokenOwner<'a> {
        principal_type: Str<'a> [1..],
        principal_name: Str<'a> [1..],
    }

    /// The tokens.
    response DescribeDelegationTokenResponse<'a> {
        error_code: ErrorCode [1..],
        tokens: Vec<DescribedDelegationToken<'a>> [1..],
        throttle_time_ms: i32 [1..],
    }

    /// One token.
    part DescribedDelegationToken<'a> {
        principal_type: Str<'a> [1..],
        principal_name: Str<'a> [1..],
        token_requester_principal_type: Str<'a> [3..],
        token_requester_principal_name: Str<'a> [3..],
        /// In milliseconds, as the next two.
        issue_timestamp: i64 [1..],
        expiry_timestamp: i64 [1..],
        max_timestamp: i64 [1..],
        token_id: Str<'a> [1..],
        hmac: Blob<'a> [1..],
        renewers: Vec<DescribedDelegationTokenRenewer<'a>> [1..],
    }

    /// Somebody who may renew it.
    part DescribedDelegationTokenRenewer<'a> {
        principal_type: Str<'a> [1..],
        principal_name: Str<'a> [1..],
    }
}
