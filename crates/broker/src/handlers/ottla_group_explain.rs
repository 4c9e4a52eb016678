//! OttlaGroupExplain (key 20000), version 0: why a group stands where it stands. Ottla's own; `docs/explain.md`.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{OttlaGroupExplainRequest, OttlaGroupExplainResponse};

use crate::context::{Context, Operation, Resource};
use crate::explain;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: OttlaGroupExplainRequest<'_> = decode_question(&request)?;
    if !context.authorize(Operation::Describe, Resource::Group(&message.group_id)) {
        let error_code = ErrorCode::GROUP_AUTHORIZATION_FAILED;
        return request.respond(&OttlaGroupExplainResponse { error_code, ..Default::default() });
    }
    let view = explain::view(context.broker(), &message.group_id, &message.view, message.since_ms).await;
    request.respond(&match view {
        Ok(json) => OttlaGroupExplainResponse { json: json.to_string().into_bytes().into(), ..Default::default() },
        Err((error_code, sentence)) => {
            OttlaGroupExplainResponse { error_code, error_message: Some(sentence.into()), ..Default::default() }
        }
    })
}
