//! ListConfigResources (key 74): what has configs of its own. Version 0: client metrics only (KIP-714); 1: any kind (KIP-1142).

use crate::{ErrorCode, Str};

/// The kind of resource that version 0 means.
pub const CLIENT_METRICS_RESOURCE: i8 = 16;

messages! {
    api ListConfigResources<'a>, versions 0..=1, flexible 0;

    /// Asks for kinds of resources; none: all kinds.
    request ListConfigResourcesRequest {
        /// 2: topic; 4: broker; 8: broker logger; 16: client metrics; 32: group.
        resource_types: Vec<i8> [1..],
    }

    /// The resources.
    response ListConfigResourcesResponse<'a> {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
        config_resources: Vec<ListedConfigResource<'a>> [0..],
    }

    /// One resource.
    part ListedConfigResource<'a> {
        resource_name: Str<'a> [0..],
        resource_type: i8 [1.., default CLIENT_METRICS_RESOURCE],
    }
}
