//! CreateAcls (key 30), versions 1 to 3: adds rules of who may do what (KIP-140). There is no authorizer: SECURITY_DISABLED for each, as in
//! a Kafka without one.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{AclCreationResult, CreateAclsRequest, CreateAclsResponse};

use super::describe_acls::NO_AUTHORIZER;
use crate::context::Context;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

pub(crate) async fn handle(_: Context, request: Request) -> Handled {
    let message: CreateAclsRequest<'_> = decode_question(&request)?;
    let refused =
        AclCreationResult { error_code: ErrorCode::SECURITY_DISABLED, error_message: Some(NO_AUTHORIZER.into()) };
    request.respond(&CreateAclsResponse { results: vec![refused; message.creations.len()], ..Default::default() })
}
