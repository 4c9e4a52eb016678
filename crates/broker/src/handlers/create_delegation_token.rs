//! CreateDelegationToken (key 38), versions 1 to 3: a token for somebody who has authenticated (KIP-48). Nobody has: as in Kafka on a
//! listener without authentication, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, with the names of who asks and for whom.

use std::borrow::Cow;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{CreateDelegationTokenRequest, CreateDelegationTokenResponse};

use crate::context::Context;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

const NEVER: i64 = -1;
const FIRST_VERSION_WITH_REQUESTER: i16 = 3;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: CreateDelegationTokenRequest<'_> = decode_question(&request)?;
    let principal = context.principal();
    let asker = || (Cow::Borrowed(principal.kind), Cow::Borrowed(&*principal.name));
    let owner = match (message.owner_principal_type, message.owner_principal_name) {
        (Some(kind), Some(name)) if !kind.is_empty() && !name.is_empty() => (kind, name),
        _ => asker(),
    };
    let requester = if request.version >= FIRST_VERSION_WITH_REQUESTER { asker() } else { Default::default() };
    request.respond(&CreateDelegationTokenResponse {
        error_code: ErrorCode::DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
        principal_type: owner.0,
        principal_name: owner.1,
        token_requester_principal_type: requester.0,
        token_requester_principal_name: requester.1,
        issue_timestamp_ms: NEVER,
        expiry_timestamp_ms: NEVER,
        max_timestamp_ms: NEVER,
        ..Default::default()
    })
}
