//! UpdateFeatures (key 57): changes the levels of features (KIP-584). Version 1: kinds of changes, and only checking; 2: one answer
//! for all.

use crate::{ErrorCode, Str};

messages! {
    api UpdateFeatures<'a>, versions 0..=2, flexible 0;

    /// Changes levels.
    request UpdateFeaturesRequest<'a> {
        timeout_ms: i32 [0.., default 60_000],
        feature_updates: Vec<FeatureUpdateKey<'a>> [0..],
        /// Only check.
        validate_only: bool [1..],
    }

    /// One feature.
    part FeatureUpdateKey<'a> {
        feature: Str<'a> [0..],
        /// Below 1: the feature shall not be in force.
        max_version_level: i16 [0..],
        allow_downgrade: bool [0..=0],
        /// 1: only upwards; 2: also downwards, if nothing is lost; 3: also if something is.
        upgrade_type: i8 [1.., default 1],
    }

    /// Which levels are in force now.
    response UpdateFeaturesResponse<'a> {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0.., default Some(Str::default())],
        results: Vec<UpdatableFeatureResult<'a>> [0..=1],
    }

    /// One feature.
    part UpdatableFeatureResult<'a> {
        feature: Str<'a> [0..],
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0.., default Some(Str::default())],
    }
}
