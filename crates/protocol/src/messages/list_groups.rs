//! ListGroups (key 16): all groups of a coordinator. Version 4: filter by state (KIP-518); 5: by type (KIP-848).

use crate::{ErrorCode, Str};

messages! {
    api ListGroups<'a>, versions 0..=5, flexible 3;

    /// Asks for the groups.
    request ListGroupsRequest<'a> {
        /// Empty: any state.
        states_filter: Vec<Str<'a>> [4..],
        /// Empty: any type.
        types_filter: Vec<Str<'a>> [5..],
    }

    /// The groups.
    response ListGroupsResponse<'a> {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode [0..],
        groups: Vec<ListedGroup<'a>> [0..],
    }

    /// One group.
    part ListedGroup<'a> {
        group_id: Str<'a> [0..],
        protocol_type: Str<'a> [0..],
        group_state: Str<'a> [4..],
        /// `classic`, `consumer`, `share`, ...
        group_type: Str<'a> [5..],
    }
}
