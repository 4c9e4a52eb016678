//! DescribeAcls (key 29), versions 1 to 3: who may do what (KIP-140). There is no authorizer: SECURITY_DISABLED, as in a Kafka without one.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{DescribeAclsRequest, DescribeAclsResponse};

use crate::context::Context;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

/// Why there is nothing to be told or changed.
pub(super) const NO_AUTHORIZER: &str = "no authorizer is configured: every client may do everything";

pub(crate) async fn handle(_: Context, request: Request) -> Handled {
    let _: DescribeAclsRequest<'_> = decode_question(&request)?;
    request.respond(&DescribeAclsResponse {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some(NO_AUTHORIZER.into()),
        ..Default::default()
    })
}
