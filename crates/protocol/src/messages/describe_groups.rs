//! DescribeGroups (key 15): state and members of classic groups. Version 3: allowed operations; 4: static members; 6: an
//! unknown group is an error with a message (before: the state `Dead`).

use super::metadata::OPERATIONS_UNKNOWN;
use crate::{Blob, ErrorCode, Str};

messages! {
    api DescribeGroups<'a>, versions 0..=6, flexible 5;

    /// Asks for groups.
    request DescribeGroupsRequest<'a> {
        groups: Vec<Str<'a>> [0..],
        include_authorized_operations: bool [3..],
    }

    /// The groups.
    response DescribeGroupsResponse<'a> {
        throttle_time_ms: i32 [1..],
        groups: Vec<DescribedGroup<'a>> [0..],
    }

    /// One group.
    part DescribedGroup<'a> {
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [6..],
        group_id: Str<'a> [0..],
        /// Kafka's words: `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Stable`, `Dead`.
        group_state: Str<'a> [0..],
        protocol_type: Str<'a> [0..],
        /// The chosen assignor; empty unless the group is stable.
        protocol_data: Str<'a> [0..],
        members: Vec<DescribedGroupMember<'a>> [0..],
        authorized_operations: i32 [3.., default OPERATIONS_UNKNOWN],
    }

    /// One member.
    part DescribedGroupMember<'a> {
        member_id: Str<'a> [0..],
        group_instance_id: Option<Str<'a>> [4..],
        client_id: Str<'a> [0..],
        /// Kafka writes a slash before the address.
        client_host: Str<'a> [0..],
        member_metadata: Blob<'a> [0..],
        member_assignment: Blob<'a> [0..],
    }
}
