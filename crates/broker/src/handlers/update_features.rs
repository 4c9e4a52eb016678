//! UpdateFeatures (key 57), versions 0 to 2: changes the levels of features (KIP-584).
//!
//! Version 1 names the kind of change and may only check, 2 has one answer for all. The levels belong to this version of the broker: who asks
//! for what is in force has it, every other level is INVALID_UPDATE_VERSION with the reason. As in Kafka one such feature refuses all.

use std::borrow::Cow;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    FeatureUpdateKey, UpdatableFeatureResult, UpdateFeaturesRequest, UpdateFeaturesResponse,
};

use crate::context::{Context, Operation, Resource};
use crate::features;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

/// Upwards; downwards if nothing is lost; downwards.
const UPGRADE_TYPES: std::ops::RangeInclusive<i8> = 1..=3;
/// The last version that answers for each feature.
const LAST_VERSION_WITH_RESULTS: i16 = 1;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: UpdateFeaturesRequest<'_> = decode_question(&request)?;
    let checked = match context.authorize(Operation::Alter, Resource::Cluster) {
        true => message.feature_updates.iter().try_for_each(|update| {
            let reason = |reason| format!("no feature is changed, because of {}: {reason}", update.feature);
            check(update).map_err(|why| (ErrorCode::INVALID_UPDATE_VERSION, reason(why)))
        }),
        false => Err((ErrorCode::CLUSTER_AUTHORIZATION_FAILED, "not allowed to change features".to_owned())),
    };
    let mut response = UpdateFeaturesResponse { error_message: None, ..Default::default() };
    match checked {
        Err((code, reason)) => {
            (response.error_code, response.error_message) = (code, Some(Cow::Owned(reason)));
        }
        Ok(()) if request.version <= LAST_VERSION_WITH_RESULTS => {
            response.results = message.feature_updates.iter().map(done).collect();
        }
        Ok(()) => {}
    }
    request.respond(&response)
}

fn check(update: &FeatureUpdateKey<'_>) -> Result<(), String> {
    let level = update.max_version_level;
    let Some(known) = features::find(&update.feature) else {
        return Err("this broker knows no such feature".to_owned());
    };
    if !UPGRADE_TYPES.contains(&update.upgrade_type) {
        return Err(format!(
            "a change is an upgrade (1), a safe (2) or an unsafe downgrade (3), not {}",
            update.upgrade_type
        ));
    }
    match level {
        ..0 => Err(format!("a level is at least 0, not {level}")),
        _ if level == known.level => Ok(()),
        _ if level > known.level => Err(format!("level {level} is not served, only up to {}", known.level)),
        _ => Err(format!("level {} belongs to this version of the broker and cannot be lowered", known.level)),
    }
}

fn done(update: &FeatureUpdateKey<'_>) -> UpdatableFeatureResult<'static> {
    UpdatableFeatureResult {
        feature: Cow::Owned(update.feature.to_string()),
        error_code: ErrorCode::NONE,
        error_message: None,
    }
}
