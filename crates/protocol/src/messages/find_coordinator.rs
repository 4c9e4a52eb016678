//! FindCoordinator (key 10): which broker looks after a group, a transactional id or a share partition. Version 4: several
//! keys at once (KIP-699); 5: a retriable error for transactions; 6: share partitions (KIP-932).

use crate::{ErrorCode, Str};

messages! {
    api FindCoordinator<'a>, versions 0..=6, flexible 3;

    /// Asks for coordinators.
    request FindCoordinatorRequest<'a> {
        key: Str<'a> [0..=3],
        /// 0: group; 1: transactional id; 2: share partition.
        key_type: i8 [1..],
        coordinator_keys: Vec<Str<'a>> [4..],
    }

    /// The coordinators; up to version 3 there is one, in the fields of the response itself.
    response FindCoordinatorResponse<'a> {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode [0..=3],
        error_message: Option<Str<'a>> [1..=3, default Some(Str::default())],
        node_id: i32 [0..=3],
        host: Str<'a> [0..=3],
        port: i32 [0..=3],
        coordinators: Vec<Coordinator<'a>> [4..],
    }

    /// The coordinator of one key.
    part Coordinator<'a> {
        key: Str<'a> [4..],
        node_id: i32 [4..],
        host: Str<'a> [4..],
        port: i32 [4..],
        error_code: ErrorCode [4..],
        error_message: Option<Str<'a>> [4.., default Some(Str::default())],
    }
}
