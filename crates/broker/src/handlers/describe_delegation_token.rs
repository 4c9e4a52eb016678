//! DescribeDelegationToken (key 41), versions 1 to 3 (KIP-48): DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, as in Kafka on a listener without
//! authentication.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{DescribeDelegationTokenRequest, DescribeDelegationTokenResponse};

use crate::context::Context;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

pub(crate) async fn handle(_: Context, request: Request) -> Handled {
    let _: DescribeDelegationTokenRequest<'_> = decode_question(&request)?;
    let error_code = ErrorCode::DELEGATION_TOKEN_REQUEST_NOT_ALLOWED;
    request.respond(&DescribeDelegationTokenResponse { error_code, ..Default::default() })
}
