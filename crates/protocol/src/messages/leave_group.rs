//! LeaveGroup (key 13): members go at once. Version 3: several members, static ones by instance id (KIP-345); 5: reasons.

use crate::{ErrorCode, Str};

messages! {
    api LeaveGroup<'a>, versions 0..=5, flexible 4;

    /// Asks to leave, or to remove others.
    request LeaveGroupRequest<'a> {
        group_id: Str<'a> [0..],
        member_id: Str<'a> [0..=2],
        members: Vec<MemberIdentity<'a>> [3..],
    }

    /// Who leaves; a static member may be named by its instance id alone.
    part MemberIdentity<'a> {
        member_id: Str<'a> [3..],
        group_instance_id: Option<Str<'a>> [3..],
        reason: Option<Str<'a>> [5.., absent dropped],
    }

    /// Whether they left.
    response LeaveGroupResponse<'a> {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode [0..],
        members: Vec<MemberResponse<'a>> [3..],
    }

    /// Whether one left.
    part MemberResponse<'a> {
        member_id: Str<'a> [3..],
        group_instance_id: Option<Str<'a>> [3..],
        error_code: ErrorCode [3..],
    }
}
