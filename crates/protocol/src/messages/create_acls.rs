//! CreateAcls (key 30): adds rules of who may do what (KIP-140). Version 1: patterns of names (KIP-290); 3: users as resources.

use super::describe_acls::LITERAL_PATTERN;
use crate::{ErrorCode, Str};

messages! {
    api CreateAcls<'a>, versions 1..=3, flexible 2;

    /// Adds rules.
    request CreateAclsRequest<'a> {
        creations: Vec<AclCreation<'a>> [1..],
    }

    /// One rule.
    part AclCreation<'a> {
        resource_type: i8 [1..],
        resource_name: Str<'a> [1..],
        resource_pattern_type: i8 [1.., default LITERAL_PATTERN],
        principal: Str<'a> [1..],
        host: Str<'a> [1..],
        operation: i8 [1..],
        permission_type: i8 [1..],
    }

    /// Which rules were added, in the order of the request.
    response CreateAclsResponse<'a> {
        throttle_time_ms: i32 [1..],
        results: Vec<AclCreationResult<'a>> [1..],
    }

    /// Whether one rule was added.
    part AclCreationResult<'a> {
        error_code: ErrorCode [1..],
        error_message: Option<Str<'a>> [1.., default Some(Str::default())],
    }
}
