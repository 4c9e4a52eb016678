//! DeleteAcls (key 31): takes rules away (KIP-140). Version 1: patterns of names (KIP-290); 3: users as resources.

use super::describe_acls::LITERAL_PATTERN;
use crate::{ErrorCode, Str};

messages! {
    api DeleteAcls<'a>, versions 1..=3, flexible 2;

    /// Deletes what one of the filters matches.
    request DeleteAclsRequest<'a> {
        filters: Vec<DeleteAclsFilter<'a>> [1..],
    }

    /// A filter; a null is no condition.
    part DeleteAclsFilter<'a> {
        resource_type_filter: i8 [1..],
        resource_name_filter: Option<Str<'a>> [1.., default Some(Str::default())],
        pattern_type_filter: i8 [1.., default LITERAL_PATTERN],
        principal_filter: Option<Str<'a>> [1.., default Some(Str::default())],
        host_filter: Option<Str<'a>> [1.., default Some(Str::default())],
        operation: i8 [1..],
        permission_type: i8 [1..],
    }

    /// What was deleted, by filter, in the order of the request.
    response DeleteAclsResponse<'a> {
        throttle_time_ms: i32 [1..],
        filter_results: Vec<DeleteAclsFilterResult<'a>> [1..],
    }

    /// What one filter has deleted.
    part DeleteAclsFilterResult<'a> {
        error_code: ErrorCode [1..],
        error_message: Option<Str<'a>> [1.., default Some(Str::default())],
        matching_acls: Vec<DeleteAclsMatchingAcl<'a>> [1..],
    }

    /// One rule.
    part DeleteAclsMatchingAcl<'a> {
        error_code: ErrorCode [1..],
        error_message: Option<Str<'a>> [1.., default Some(Str::default())],
        resource_type: i8 [1..],
        resource_name: Str<'a> [1..],
        pattern_type: i8 [1.., default LITERAL_PATTERN],
        principal: Str<'a> [1..],
        host: Str<'a> [1..],
        operation: i8 [1..],
        permission_type: i8 [1..],
    }
}
