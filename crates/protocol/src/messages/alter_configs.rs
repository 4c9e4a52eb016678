//! AlterConfigs (key 33): replaces all properties of topics and brokers; what is not named is unset (KIP-133).

use crate::{ErrorCode, Str};

messages! {
    api AlterConfigs<'a>, versions 0..=2, flexible 2;

    /// Replaces properties.
    request AlterConfigsRequest<'a> {
        resources: Vec<AlterConfigsResource<'a>> [0..],
        /// Only check.
        validate_only: bool [0..],
    }

    /// A topic or broker.
    part AlterConfigsResource<'a> {
        /// As in DescribeConfigs.
        resource_type: i8 [0..],
        resource_name: Str<'a> [0..],
        configs: Vec<AlterableConfig<'a>> [0..],
    }

    /// One property.
    part AlterableConfig<'a> {
        name: Str<'a> [0..],
        value: Option<Str<'a>> [0.., default Some(Str::default())],
    }

    /// Which resources were changed.
    response AlterConfigsResponse<'a> {
        throttle_time_ms: i32 [0..],
        responses: Vec<AlterConfigsResourceResponse<'a>> [0..],
    }

    /// Whether one resource was changed.
    part AlterConfigsResourceResponse<'a> {
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0.., default Some(Str::default())],
        resource_type: i8 [0..],
        resource_name: Str<'a> [0..],
    }
}
