//! SaslHandshake (key 17), versions 0 and 1: agrees on a SASL mechanism. No listener speaks SASL, so that, as on a listener of Kafka
//! without it, the answer is ILLEGAL_SASL_STATE, and the connection goes on as it was.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{SaslHandshakeRequest, SaslHandshakeResponse};

use crate::context::Context;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

pub(crate) async fn handle(_: Context, request: Request) -> Handled {
    let _: SaslHandshakeRequest<'_> = decode_question(&request)?;
    request.respond(&SaslHandshakeResponse { error_code: ErrorCode::ILLEGAL_SASL_STATE, ..Default::default() })
}
