//! DeleteGroups (key 42): remove empty groups and their commits (KIP-229).

use crate::{ErrorCode, Str};

messages! {
    api DeleteGroups<'a>, versions 0..=2, flexible 2;

    /// Deletes groups.
    request DeleteGroupsRequest<'a> {
        groups_names: Vec<Str<'a>> [0..],
    }

    /// Which deletions succeeded.
    response DeleteGroupsResponse<'a> {
        throttle_time_ms: i32 [0..],
        results: Vec<DeletableGroupResult<'a>> [0..],
    }

    /// Whether one deletion succeeded.
    part DeletableGroupResult<'a> {
        group_id: Str<'a> [0..],
        error_code: ErrorCode [0..],
    }
}
