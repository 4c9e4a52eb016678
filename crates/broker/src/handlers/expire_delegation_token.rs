//! ExpireDelegationToken (key 40), versions 1 and 2 (KIP-48): DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, as in Kafka on a listener without
//! authentication.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{ExpireDelegationTokenRequest, ExpireDelegationTokenResponse};

use crate::context::Context;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

pub(crate) async fn handle(_: Context, request: Request) -> Handled {
    let _: ExpireDelegationTokenRequest<'_> = decode_question(&request)?;
    request.respond(&ExpireDelegationTokenResponse {
        error_code: ErrorCode::DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
        expiry_timestamp_ms: -1,
        ..Default::default()
    })
}
