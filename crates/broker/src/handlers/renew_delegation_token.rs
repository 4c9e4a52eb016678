//! RenewDelegationToken (key 39), versions 1 and 2 (KIP-48): DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, as in Kafka on a listener without
//! authentication.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{RenewDelegationTokenRequest, RenewDelegationTokenResponse};

use crate::context::Context;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

pub(crate) async fn handle(_: Context, request: Request) -> Handled {
    let _: RenewDelegationTokenRequest<'_> = decode_question(&request)?;
    request.respond(&RenewDelegationTokenResponse {
        error_code: ErrorCode::DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
        expiry_timestamp_ms: -1,
        ..Default::default()
    })
}
