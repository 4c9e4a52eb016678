//! JoinGroup (key 11): become a member, and learn the generation. Version 1: rebalance timeout; 4: member id required
//! (KIP-394); 5: static members (KIP-345); 7: protocol type in the answer; 8: a reason; 9: leaders may skip the assignment.

use crate::{Blob, ErrorCode, Str};

messages! {
    api JoinGroup<'a>, versions 0..=9, flexible 6;

    /// Asks for membership.
    request JoinGroupRequest<'a> {
        group_id: Str<'a> [0..],
        session_timeout_ms: i32 [0..],
        /// How long other members wait for this one; in version 0 the session timeout serves for both.
        rebalance_timeout_ms: i32 [1.., default -1, absent dropped],
        /// Empty for a new member.
        member_id: Str<'a> [0..],
        group_instance_id: Option<Str<'a>> [5..],
        /// `consumer`, `connect`, ...
        protocol_type: Str<'a> [0..],
        /// Assignors the member knows, the preferred one first.
        protocols: Vec<JoinGroupRequestProtocol<'a>> [0..],
        reason: Option<Str<'a>> [8.., absent dropped],
    }

    /// An assignor and the member's subscription in its form.
    part JoinGroupRequestProtocol<'a> {
        name: Str<'a> [0..],
        metadata: Blob<'a> [0..],
    }

    /// The generation; only the leader gets the list of members.
    response JoinGroupResponse<'a> {
        throttle_time_ms: i32 [2..],
        error_code: ErrorCode [0..],
        generation_id: i32 [0.., default -1],
        protocol_type: Option<Str<'a>> [7..],
        protocol_name: Option<Str<'a>> [0.., null 7.., default Some(Str::default())],
        leader: Str<'a> [0..],
        skip_assignment: bool [9..],
        member_id: Str<'a> [0..],
        members: Vec<JoinGroupResponseMember<'a>> [0..],
    }

    /// A member, for the leader.
    part JoinGroupResponseMember<'a> {
        member_id: Str<'a> [0..],
        group_instance_id: Option<Str<'a>> [5..],
        metadata: Blob<'a> [0..],
    }
}
