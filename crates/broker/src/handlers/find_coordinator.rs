//! FindCoordinator (key 10), versions 0 to 6.
//!
//! Version 1 adds the key type and an error message, 4 several keys at once (KIP-699), 5 nothing here (transactions,
//! KIP-890), 6 the key type of share groups (KIP-932).
//!
//! This one broker coordinates every group and every transactional id, so the answer is always itself. Not done: key type 2
//! (share groups) is refused with INVALID_REQUEST.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};

use crate::advertised;
use crate::context::{Context, Operation, Resource};
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
/// From this version on the request carries several keys.
const BATCHED: i16 = 4;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: FindCoordinatorRequest<'_> = decode_question(&request)?;
    let key_type = message.key_type;
    if request.version >= BATCHED {
        let coordinators = message.coordinator_keys.into_iter();
        let coordinators = coordinators.map(|key| find(&context, key_type, key)).collect();
        return request.respond(&FindCoordinatorResponse { coordinators, ..Default::default() });
    }
    let found = find(&context, key_type, message.key);
    // Up to version 3 Kafka says NONE where there is no error.
    let error_message = if found.error_code.is_none() { Some("NONE".into()) } else { found.error_message };
    request.respond(&FindCoordinatorResponse {
        error_code: found.error_code,
        error_message,
        node_id: found.node_id,
        host: found.host,
        port: found.port,
        ..Default::default()
    })
}

fn find<'a>(context: &Context, key_type: i8, key: std::borrow::Cow<'a, str>) -> Coordinator<'a> {
    let error = match key_type {
        GROUP if !context.authorize(Operation::Describe, Resource::Group(&key)) => {
            Some((ErrorCode::GROUP_AUTHORIZATION_FAILED, "not authorized to describe this group"))
        }
        TRANSACTION if !context.authorize(Operation::Describe, Resource::TransactionalId(&key)) => {
            Some((ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "not authorized to describe this transactional id"))
        }
        GROUP | TRANSACTION => None,
        _ => Some((ErrorCode::INVALID_REQUEST, "this broker coordinates groups (0) and transactions (1) only")),
    };
    if let Some((error_code, sentence)) = error {
        let error_message = Some(sentence.into());
        return Coordinator { key, node_id: -1, port: -1, error_code, error_message, ..Default::default() };
    }
    let (host, port) = advertised::address(context);
    let node_id = context.broker().identity().node_id;
    Coordinator { key, node_id, host: host.into(), port, ..Default::default() }
}
