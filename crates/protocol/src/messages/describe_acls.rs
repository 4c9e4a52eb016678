//! DescribeAcls (key 29): who may do what (KIP-140). Version 1: patterns of names (KIP-290); 3: users as resources.

use crate::{ErrorCode, Str};

/// A resource's name is meant as it is written.
pub const LITERAL_PATTERN: i8 = 3;

messages! {
    api DescribeAcls<'a>, versions 1..=3, flexible 2;

    /// Asks for rules; a null is no condition.
    request DescribeAclsRequest<'a> {
        resource_type_filter: i8 [1..],
        resource_name_filter: Option<Str<'a>> [1.., default Some(Str::default())],
        pattern_type_filter: i8 [1.., default LITERAL_PATTERN],
        principal_filter: Option<Str<'a>> [1.., default Some(Str::default())],
        host_filter: Option<Str<'a>> [1.., default Some(Str::default())],
        operation: i8 [1..],
        permission_type: i8 [1..],
    }

    /// The rules.
    response DescribeAclsResponse<'a> {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode [1..],
        error_message: Option<Str<'a>> [1.., default Some(Str::default())],
        resources: Vec<DescribeAclsResource<'a>> [1..],
    }

    /// The rules of one resource.
    part DescribeAclsResource<'a> {
        resource_type: i8 [1..],
        resource_name: Str<'a> [1..],
        pattern_type: i8 [1.., default LITERAL_PATTERN],
        acls: Vec<AclDescription<'a>> [1..],
    }

    /// One rule.
    part AclDescription<'a> {
        principal: Str<'a> [1..],
        host: Str<'a> [1..],
        operation: i8 [1..],
        permission_type: i8 [1..],
    }
}
