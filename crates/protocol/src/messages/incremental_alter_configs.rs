//! IncrementalAlterConfigs (key 44): changes single properties of topics and brokers, and leaves the others (KIP-339).

use crate::{ErrorCode, Str};

messages! {
    api IncrementalAlterConfigs<'a>, versions 0..=1, flexible 1;

    /// Changes properties.
    request IncrementalAlterConfigsRequest<'a> {
        resources: Vec<IncrementalAlterConfigsResource<'a>> [0..],
        /// Only check.
        validate_only: bool [0..],
    }

    /// A topic or broker.
    part IncrementalAlterConfigsResource<'a> {
        /// As in DescribeConfigs.
        resource_type: i8 [0..],
        resource_name: Str<'a> [0..],
        configs: Vec<IncrementalAlterableConfig<'a>> [0..],
    }

    /// One change.
    part IncrementalAlterableConfig<'a> {
        name: Str<'a> [0..],
        /// 0: set; 1: delete; 2: append to a list; 3: subtract from a list.
        config_operation: i8 [0..],
        value: Option<Str<'a>> [0.., default Some(Str::default())],
    }

    /// Which resources were changed.
    response IncrementalAlterConfigsResponse<'a> {
        throttle_time_ms: i32 [0..],
        responses: Vec<IncrementalAlterConfigsResourceResponse<'a>> [0..],
    }

    /// Whether one resource was changed.
    part IncrementalAlterConfigsResourceResponse<'a> {
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0.., default Some(Str::default())],
        resource_type: i8 [0..],
        resource_name: Str<'a> [0..],
    }
}
