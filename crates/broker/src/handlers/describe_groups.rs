//! DescribeGroups (key 15), versions 0 to 6.
//!
//! Version 1 adds the throttle time, 3 the authorized operations (KIP-430), 4 static members (KIP-345), 5 the flexible
//! encoding, 6 an error message and GROUP_ID_NOT_FOUND for a group that does not exist (KIP-1043); before, such a group is
//! `Dead` without an error. A group that is named twice is described once.

use std::borrow::Cow;

use ottla_groups::{DescribedGroup as Described, DescribedMember, GroupError, GroupState, Request as Asked};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedGroupMember};

use crate::context::Context;
use crate::groups::wire::{ask_about_each, decode_question, error_code, expect_answer};
use crate::request::{Handled, Request};

/// From this version on a missing group is an error.
const MISSING_IS_AN_ERROR: i16 = 6;
/// What everybody may do with a group while there are no rights: Kafka's bits of Read (3), Delete (6), Describe (8),
/// DescribeConfigs (10) and AlterConfigs (11).
pub(super) const ALL_GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: DescribeGroupsRequest<'_> = decode_question(&request)?;
    let with_operations = message.include_authorized_operations;
    let asked = ask_about_each(&context, message.groups, Asked::DescribeGroup);
    let mut groups = Vec::with_capacity(asked.len());
    for (group_id, awaited) in asked {
        let described = match awaited {
            None => Err(ErrorCode::GROUP_AUTHORIZATION_FAILED),
            Some(awaited) => expect_answer!(awaited, DescribeGroup),
        };
        let mut group = match described {
            Ok(Ok(described)) => present(described),
            Ok(Err(error)) => absent(group_id, error, request.version),
            Err(code) => DescribedGroup { error_code: code, group_id, ..Default::default() },
        };
        if with_operations && group.error_code == ErrorCode::NONE {
            group.authorized_operations = ALL_GROUP_OPERATIONS;
        }
        groups.push(group);
    }
    request.respond(&DescribeGroupsResponse { groups, ..Default::default() })
}

fn present<'a>(group: Described) -> DescribedGroup<'a> {
    DescribedGroup {
        group_id: group.group_id.into(),
        group_state: group.state.name().into(),
        protocol_type: group.protocol_type.into(),
        protocol_data: group.protocol_data.into(),
        members: group.members.into_iter().map(member).collect(),
        ..Default::default()
    }
}

fn member<'a>(member: DescribedMember) -> DescribedGroupMember<'a> {
    DescribedGroupMember {
        member_id: member.member_id.into(),
        group_instance_id: member.group_instance_id.map(Into::into),
        client_id: member.client_id.into(),
        client_host: member.client_host.into(),
        member_metadata: member.metadata.into(),
        member_assignment: member.assignment.into(),
    }
}

fn absent(group_id: Cow<'_, str>, error: GroupError, version: i16) -> DescribedGroup<'_> {
    let dead = GroupState::Dead.name().into();
    if error == GroupError::GroupIdNotFound && version < MISSING_IS_AN_ERROR {
        return DescribedGroup { group_id, group_state: dead, ..Default::default() };
    }
    let error_message = (error == GroupError::GroupIdNotFound).then(|| format!("Group {group_id} not found.").into());
    DescribedGroup { error_code: error_code(error), error_message, group_id, group_state: dead, ..Default::default() }
}
