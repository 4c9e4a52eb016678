//! DescribeConfigs (key 32): properties of topics and brokers. Version 1: where each value comes from (KIP-226); 3: types
//! and documentation.

use crate::{ErrorCode, Str};

messages! {
    api DescribeConfigs<'a>, versions 1..=4, flexible 4;

    /// Asks for properties.
    request DescribeConfigsRequest<'a> {
        resources: Vec<DescribeConfigsResource<'a>> [1..],
        include_synonyms: bool [1..],
        include_documentation: bool [3..],
    }

    /// A topic or broker.
    part DescribeConfigsResource<'a> {
        /// 2: topic; 4: broker; 8: broker logger; 16: client metrics; 32: group.
        resource_type: i8 [1..],
        resource_name: Str<'a> [1..],
        /// `None`: all.
        configuration_keys: Option<Vec<Str<'a>>> [1.., default Some(Vec::new())],
    }

    /// The properties.
    response DescribeConfigsResponse<'a> {
        throttle_time_ms: i32 [1..],
        results: Vec<DescribeConfigsResult<'a>> [1..],
    }

    /// One topic or broker.
    part DescribeConfigsResult<'a> {
        error_code: ErrorCode [1..],
        error_message: Option<Str<'a>> [1.., default Some(Str::default())],
        resource_type: i8 [1..],
        resource_name: Str<'a> [1..],
        configs: Vec<DescribeConfigsResourceResult<'a>> [1..],
    }

    /// One property.
    part DescribeConfigsResourceResult<'a> {
        name: Str<'a> [1..],
        value: Option<Str<'a>> [1.., default Some(Str::default())],
        read_only: bool [1..],
        /// 1: topic; 2: this broker, dynamic; 3: all brokers, dynamic; 4: this broker, static; 5: default; 8: group.
        config_source: i8 [1.., default -1],
        is_sensitive: bool [1..],
        synonyms: Vec<DescribeConfigsSynonym<'a>> [1..],
        /// 1: boolean; 2: string; 3: int; 4: short; 5: long; 6: double; 7: list; 8: class; 9: password.
        config_type: i8 [3..],
        documentation: Option<Str<'a>> [3.., default Some(Str::default())],
    }

    /// A value that would hold if the ones before it were not set.
    part DescribeConfigsSynonym<'a> {
        name: Str<'a> [1..],
        value: Option<Str<'a>> [1.., default Some(Str::default())],
        source: i8 [1..],
    }
}
