//! DescribeGroups and ListGroups: what an administrator sees.
use crate::answer::{DescribedGroup, DescribedMember, GroupState, ListedGroup};
use crate::group::Group;
use crate::request::ListGroups;
use alloc::string::{String, ToString};

/// The types of groups.
const CLASSIC: &str = "classic";
const CONSUMER_TYPE: &str = "consumer";

/// Everything about one group. What the members say is shown only while it is agreed.
pub(crate) fn describe(group: &Group) -> DescribedGroup {
    let stable = group.state == GroupState::Stable;
    let protocol = if stable { group.protocol().unwrap_or_default() } else { "" };
    let members = group.roster.iter().map(|member| DescribedMember {
        metadata: if stable { member.metadata(protocol).to_vec() } else { Default::default() },
        assignment: group.assignment(&member.member_id).to_vec(),
        ..member.describe()
    });
    DescribedGroup {
        group_id: group.group_id.clone(),
        state: group.state,
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        protocol_data: protocol.to_string(),
        members: members.collect(),
    }
}

/// Of which protocol a group is.
pub(crate) fn group_type(group: &Group) -> &'static str {
    if group.is_consumer() { CONSUMER_TYPE } else { CLASSIC }
}

/// The line of one group, unless the filters leave it out.
pub(crate) fn list(group: &Group, request: &ListGroups) -> Option<ListedGroup> {
    let chosen =
        |filter: &[String], name: &str| filter.is_empty() || filter.iter().any(|f| f.eq_ignore_ascii_case(name));
    let group_type = group_type(group);
    if !chosen(&request.states, group.state.name()) || !chosen(&request.types, group_type) {
        return None;
    }
    Some(ListedGroup {
        group_id: group.group_id.clone(),
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        state: group.state,
        group_type,
    })
}
