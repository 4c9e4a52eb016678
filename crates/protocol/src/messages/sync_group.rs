//! SyncGroup (key 14): the leader hands in the assignment, everybody gets their own. Version 3: static members; 5: protocol
//! type and name (KIP-559).

use crate::{Blob, ErrorCode, Str};

messages! {
    api SyncGroup<'a>, versions 0..=5, flexible 4;

    /// Asks for the own assignment.
    request SyncGroupRequest<'a> {
        group_id: Str<'a> [0..],
        generation_id: i32 [0..],
        member_id: Str<'a> [0..],
        group_instance_id: Option<Str<'a>> [3..],
        protocol_type: Option<Str<'a>> [5.., absent dropped],
        protocol_name: Option<Str<'a>> [5.., absent dropped],
        /// Empty except from the leader.
        assignments: Vec<SyncGroupRequestAssignment<'a>> [0..],
    }

    /// What one member gets.
    part SyncGroupRequestAssignment<'a> {
        member_id: Str<'a> [0..],
        assignment: Blob<'a> [0..],
    }

    /// The own assignment.
    response SyncGroupResponse<'a> {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode [0..],
        protocol_type: Option<Str<'a>> [5..],
        protocol_name: Option<Str<'a>> [5..],
        assignment: Blob<'a> [0..],
    }
}
