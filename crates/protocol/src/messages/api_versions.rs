//! ApiVersions (key 18): which APIs and versions a broker serves. The response header is always version 0, and a request of
//! a version that is too new is answered in version 0.

use crate::{ErrorCode, Str};

messages! {
    api ApiVersions<'a>, versions 0..=4, flexible 3;

    /// Asks what the broker serves.
    request ApiVersionsRequest<'a> {
        /// The client library, such as `apache-kafka-java`.
        client_software_name: Str<'a> [3.., absent dropped],
        client_software_version: Str<'a> [3.., absent dropped],
    }

    /// What the broker serves.
    response ApiVersionsResponse<'a> {
        error_code: ErrorCode [0..],
        api_keys: Vec<ApiVersion> [0..],
        throttle_time_ms: i32 [1..],
        /// Features (KIP-584) with the levels the broker could run.
        supported_features: Vec<SupportedFeatureKey<'a>> [3.., tag 0],
        /// Grows with each change of the levels; -1: unknown.
        finalized_features_epoch: i64 [3.., tag 1, default -1],
        /// Features with the levels that are in force.
        finalized_features: Vec<FinalizedFeatureKey<'a>> [3.., tag 2],
        zk_migration_ready: bool [3.., tag 3],
    }

    /// One API that is served.
    part ApiVersion {
        api_key: i16 [0..],
        min_version: i16 [0..],
        max_version: i16 [0..],
    }

    /// A feature the broker supports. Level 0 as minimum needs version 4 of the request.
    part SupportedFeatureKey<'a> {
        name: Str<'a> [3..],
        min_version: i16 [3..],
        max_version: i16 [3..],
    }

    /// A feature level in force.
    part FinalizedFeatureKey<'a> {
        name: Str<'a> [3..],
        max_version_level: i16 [3..],
        min_version_level: i16 [3..],
    }
}
