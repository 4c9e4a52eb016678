//! DeleteAcls (key 31), versions 1 to 3: takes rules away (KIP-140). There is no authorizer: SECURITY_DISABLED for each filter, as in a
//! Kafka without one.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{DeleteAclsFilterResult, DeleteAclsRequest, DeleteAclsResponse};

use super::describe_acls::NO_AUTHORIZER;
use crate::context::Context;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

pub(crate) async fn handle(_: Context, request: Request) -> Handled {
    let message: DeleteAclsRequest<'_> = decode_question(&request)?;
    let refused = DeleteAclsFilterResult {
        error_code: ErrorCode::SECURITY_DISABLED,
        error_message: Some(NO_AUTHORIZER.into()),
        ..Default::default()
    };
    request.respond(&DeleteAclsResponse { filter_results: vec![refused; message.filters.len()], ..Default::default() })
}
