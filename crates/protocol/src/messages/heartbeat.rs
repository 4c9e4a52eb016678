//! Heartbeat (key 12): the member is alive, and learns of a rebalance. Version 3: static members.

use crate::{ErrorCode, Str};

messages! {
    api Heartbeat<'a>, versions 0..=4, flexible 4;

    /// Shows that a member is alive.
    request HeartbeatRequest<'a> {
        group_id: Str<'a> [0..],
        generation_id: i32 [0..],
        member_id: Str<'a> [0..],
        group_instance_id: Option<Str<'a>> [3..],
    }

    /// Whether the generation still stands.
    response HeartbeatResponse {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode [0..],
    }
}
