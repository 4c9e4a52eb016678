//! Heartbeat (key 12), versions 0 to 4.
//!
//! Version 1 adds the throttle time, 3 static members (KIP-345), 4 the flexible encoding.

use ottla_groups::{Heartbeat, Request as Asked};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::{decode_question, expect_answer, outcome};
use crate::request::{Handled, Request};

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: HeartbeatRequest<'_> = decode_question(&request)?;
    let error_code = beat(&context, message).await.err().unwrap_or(ErrorCode::NONE);
    request.respond(&HeartbeatResponse { error_code, ..Default::default() })
}

async fn beat(context: &Context, message: HeartbeatRequest<'_>) -> Result<(), ErrorCode> {
    if !context.authorize(Operation::Read, Resource::Group(&message.group_id)) {
        return Err(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    let heartbeat = Heartbeat {
        group_id: message.group_id.into_owned(),
        generation_id: message.generation_id,
        member_id: message.member_id.into_owned(),
        group_instance_id: message.group_instance_id.map(|id| id.into_owned()),
    };
    let group_id = heartbeat.group_id.clone();
    let awaited =
        context.broker().groups.submit_over(context.member_connection(), &group_id, Asked::Heartbeat(heartbeat));
    expect_answer!(awaited, Heartbeat).and_then(outcome)
}
