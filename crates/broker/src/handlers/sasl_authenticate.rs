//! SaslAuthenticate (key 36), versions 0 to 2: a step of a SASL mechanism (KIP-152). Nobody authenticates here: ILLEGAL_SASL_STATE, as on
//! a listener of Kafka without SASL.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse};

use crate::context::Context;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

pub(crate) async fn handle(_: Context, request: Request) -> Handled {
    let _: SaslAuthenticateRequest<'_> = decode_question(&request)?;
    request.respond(&SaslAuthenticateResponse {
        error_code: ErrorCode::ILLEGAL_SASL_STATE,
        error_message: Some(
            "this listener takes clients without authentication; connect with security.protocol=PLAINTEXT".into(),
        ),
        ..Default::default()
    })
}
