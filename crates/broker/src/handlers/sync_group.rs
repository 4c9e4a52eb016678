//! SyncGroup (key 14), versions 0 to 5.
//!
//! Version 1 adds the throttle time, 3 static members (KIP-345), 4 the flexible encoding, 5 protocol type and name, which
//! are then required (KIP-559).
//!
//! Larger requests than any client has close the connection.

use ottla_groups::{MemberAssignment, Request as Asked, SyncGroup};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::{decode_up_to, expect_answer, outcome};
use crate::request::{Handled, Request};

/// The largest body, in bytes: the assignments of a whole group.
const MAX_BODY_BYTES: usize = 32 << 20;

pub(crate) async fn handle(context: Context, mut request: Request) -> Handled {
    let message: SyncGroupRequest<'_> = decode_up_to(&request, MAX_BODY_BYTES)?;
    if !context.authorize(Operation::Read, Resource::Group(&message.group_id)) {
        return request.respond(&refused(ErrorCode::GROUP_AUTHORIZATION_FAILED));
    }
    if request.version >= 5 && (message.protocol_type.is_none() || message.protocol_name.is_none()) {
        return request.respond(&refused(ErrorCode::INCONSISTENT_GROUP_PROTOCOL));
    }
    let sync = sync(message);
    // A sync may wait for minutes; its bytes need not.
    request.body = Default::default();
    let group_id = sync.group_id.clone();
    let awaited = context.broker().groups.submit_over(context.member_connection(), &group_id, Asked::SyncGroup(sync));
    match expect_answer!(awaited, SyncGroup).and_then(outcome) {
        Ok(member) => request.respond(&SyncGroupResponse {
            protocol_type: member.protocol_type.map(Into::into),
            protocol_name: member.protocol_name.map(Into::into),
            assignment: member.assignment.into(),
            ..Default::default()
        }),
        Err(code) => request.respond(&refused(code)),
    }
}

fn sync(message: SyncGroupRequest<'_>) -> SyncGroup {
    let assignments = message.assignments.into_iter().map(|given| MemberAssignment {
        member_id: given.member_id.into_owned(),
        assignment: given.assignment.into_owned(),
    });
    SyncGroup {
        group_id: message.group_id.into_owned(),
        generation_id: message.generation_id,
        member_id: message.member_id.into_owned(),
        group_instance_id: message.group_instance_id.map(|id| id.into_owned()),
        protocol_type: message.protocol_type.map(|name| name.into_owned()),
        protocol_name: message.protocol_name.map(|name| name.into_owned()),
        assignments: assignments.collect(),
    }
}

fn refused(error_code: ErrorCode) -> SyncGroupResponse<'static> {
    SyncGroupResponse { error_code, ..Default::default() }
}
