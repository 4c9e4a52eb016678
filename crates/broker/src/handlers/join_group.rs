//! JoinGroup (key 11), versions 0 to 9.
//!
//! Version 1 adds the rebalance timeout, 2 the throttle time, 4 the required member id (KIP-394), 5 static members
//! (KIP-345), 6 the flexible encoding, 7 the protocol type in the answer (KIP-559), 8 the member's reason (KIP-800),
//! 9 `skip_assignment` (KIP-814).
//!
//! Larger requests, and more protocols in one, than any client has are refused.

use ottla_groups::{GroupError, JoinGroup, JoinGroupAnswer, Protocol, Request as Asked};
use ottla_protocol::messages::{JoinGroupRequest, JoinGroupResponse, JoinGroupResponseMember};
use ottla_protocol::{ErrorCode, Str};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::{client_info, code_or_none, decode_up_to, expect_answer};
use crate::request::{Handled, Request};

/// The largest body, in bytes. What members say about themselves is kept, written and told to their leader.
const MAX_BODY_BYTES: usize = 8 << 20;
/// How many protocols a member may support; each is compared with every other member's.
const MAX_PROTOCOLS: usize = 256;

pub(crate) async fn handle(context: Context, mut request: Request) -> Handled {
    let version = request.version;
    let message: JoinGroupRequest<'_> = decode_up_to(&request, MAX_BODY_BYTES)?;
    if !context.authorize(Operation::Read, Resource::Group(&message.group_id)) {
        return request.respond(&refused(ErrorCode::GROUP_AUTHORIZATION_FAILED, version));
    }
    if message.protocols.len() > MAX_PROTOCOLS {
        return request.respond(&refused(ErrorCode::INVALID_REQUEST, version));
    }
    let broker = context.broker();
    let join = join(message, version, [broker.random_u64(), broker.random_u64()]);
    // A join may wait for minutes; its bytes need not.
    request.body = Default::default();
    let group_id = join.group_id.clone();
    let awaited = broker.groups.submit_as(client_info(&context), &group_id, Asked::JoinGroup(join));
    match expect_answer!(awaited, JoinGroup) {
        Ok(answer) => {
            if answer.error == Some(GroupError::InconsistentGroupProtocol) {
                let client_id = context.client_id();
                tracing::info!(
                    group = group_id,
                    client_id,
                    "a member cannot join: the others use another protocol or other assignors"
                );
            }
            request.respond(&response(answer, version))
        }
        Err(code) => request.respond(&refused(code, version)),
    }
}

fn join(message: JoinGroupRequest<'_>, version: i16, random: [u64; 2]) -> JoinGroup {
    let protocols = message.protocols.into_iter();
    JoinGroup {
        group_id: message.group_id.into_owned(),
        member_id: message.member_id.into_owned(),
        group_instance_id: message.group_instance_id.map(|id| id.into_owned()),
        session_timeout_ms: message.session_timeout_ms,
        // Version 0 has one timeout for both.
        rebalance_timeout_ms: if version == 0 { message.session_timeout_ms } else { message.rebalance_timeout_ms },
        protocol_type: message.protocol_type.into_owned(),
        protocols: protocols
            .map(|protocol| Protocol { name: protocol.name.into_owned(), metadata: protocol.metadata.into_owned() })
            .collect(),
        reason: message.reason.map(|reason| reason.into_owned()),
        require_known_member_id: version >= 4,
        supports_skip_assignment: version >= 9,
        random,
    }
}

fn response(answer: JoinGroupAnswer, version: i16) -> JoinGroupResponse<'static> {
    let members = answer.members.into_iter().map(|member| JoinGroupResponseMember {
        member_id: member.member_id.into(),
        group_instance_id: member.group_instance_id.map(Into::into),
        metadata: member.metadata.into(),
    });
    let protocol_name = answer.protocol_name.map(Into::into).or_else(|| no_protocol(version));
    JoinGroupResponse {
        error_code: code_or_none(answer.error),
        generation_id: answer.generation_id,
        protocol_type: answer.protocol_type.map(Into::into),
        protocol_name,
        leader: answer.leader.into(),
        skip_assignment: answer.skip_assignment,
        member_id: answer.member_id.into(),
        members: members.collect(),
        ..Default::default()
    }
}

/// Before version 7 a missing protocol is an empty string.
fn no_protocol(version: i16) -> Option<Str<'static>> {
    (version < 7).then(Str::default)
}

fn refused(error_code: ErrorCode, version: i16) -> JoinGroupResponse<'static> {
    let protocol_name = no_protocol(version);
    JoinGroupResponse { error_code, generation_id: -1, protocol_name, ..Default::default() }
}
