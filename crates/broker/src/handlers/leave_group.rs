//! LeaveGroup (key 13), versions 0 to 5.
//!
//! Version 1 adds the throttle time, 3 several members and static ones (KIP-345), 4 the flexible encoding, 5 each member's
//! reason (KIP-800). Up to version 2 the one member's error is the answer's.

use ottla_groups::{LeaveGroup, LeavingMember, LeftMember, Request as Asked};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse, MemberResponse};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::{code_or_none, decode_question, expect_answer, outcome};
use crate::request::{Handled, Request};

/// From this version on the request names several members.
const BATCHED: i16 = 3;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: LeaveGroupRequest<'_> = decode_question(&request)?;
    match leave(&context, message, request.version).await {
        Err(error_code) => request.respond(&LeaveGroupResponse { error_code, ..Default::default() }),
        Ok(left) if request.version < BATCHED => {
            let error_code = code_or_none(left.first().and_then(|member| member.error));
            request.respond(&LeaveGroupResponse { error_code, ..Default::default() })
        }
        Ok(left) => {
            let members = left.into_iter().map(|member| MemberResponse {
                member_id: member.member_id.into(),
                group_instance_id: member.group_instance_id.map(Into::into),
                error_code: code_or_none(member.error),
            });
            request.respond(&LeaveGroupResponse { members: members.collect(), ..Default::default() })
        }
    }
}

async fn leave(context: &Context, message: LeaveGroupRequest<'_>, version: i16) -> Result<Vec<LeftMember>, ErrorCode> {
    if !context.authorize(Operation::Read, Resource::Group(&message.group_id)) {
        return Err(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    let members = if version < BATCHED {
        vec![LeavingMember { member_id: message.member_id.into_owned(), group_instance_id: None, reason: None }]
    } else {
        let members = message.members.into_iter().map(|member| LeavingMember {
            member_id: member.member_id.into_owned(),
            group_instance_id: member.group_instance_id.map(|id| id.into_owned()),
            reason: member.reason.map(|reason| reason.into_owned()),
        });
        members.collect()
    };
    let leave = LeaveGroup { group_id: message.group_id.into_owned(), members };
    let group_id = leave.group_id.clone();
    let awaited = context.broker().groups.submit(&group_id, Asked::LeaveGroup(leave));
    expect_answer!(awaited, LeaveGroup).and_then(outcome)
}
