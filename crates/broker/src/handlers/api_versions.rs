//! ApiVersions (key 18), versions 0 to 4: what is served.
//!
//! Version 1 adds the throttle time, 2 nothing, 3 the client's software name and version and the features (KIP-511), 4 nothing
//! that we tell. The answer's header is always version 0.
//!
//! Of the features that Kafka finalizes only `group.version` is told (KIP-848): clients switch behaviour on them, and what we do
//! not serve we do not tell.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};

use crate::context::{Context, Software};
use crate::dispatch::{APIS, Api};
use crate::features::{FEATURES, Feature};
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

const FIRST_VERSION_WITH_SOFTWARE: i16 = 3;

/// How the names of Ottla's own clients begin: only they are told of its own requests.
const OUR_CLIENTS: &str = "ottla";

/// Before this version a level of 0 cannot be told, so a feature that may be off is left out of what is supported.
const LEVEL_ZERO: i16 = 4;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: ApiVersionsRequest<'_> = decode_question(&request)?;
    let mut response = ApiVersionsResponse::default();
    if request.version >= FIRST_VERSION_WITH_SOFTWARE {
        if is_software_text(&message.client_software_name) && is_software_text(&message.client_software_version) {
            context.set_software(Software {
                name: message.client_software_name.into_owned(),
                version: message.client_software_version.into_owned(),
            });
        } else {
            response.error_code = ErrorCode::INVALID_REQUEST;
            return request.respond(&response);
        }
    }
    let with_ours = context.software().is_some_and(|software| software.name.starts_with(OUR_CLIENTS));
    let apis = APIS.iter().filter(|api| with_ours || !api.key.is_ours());
    response.api_keys = apis.map(told).collect();
    if request.version >= LEVEL_ZERO {
        let supported =
            |&Feature { name, level }| SupportedFeatureKey { name: name.into(), min_version: 0, max_version: level };
        response.supported_features = FEATURES.iter().map(supported).collect();
    }
    if request.version >= FIRST_VERSION_WITH_SOFTWARE {
        let finalized = |&Feature { name, level }| FinalizedFeatureKey {
            name: name.into(),
            max_version_level: level,
            min_version_level: level,
        };
        response.finalized_features = FEATURES.iter().map(finalized).collect();
        response.finalized_features_epoch = 1;
    }
    request.respond(&response)
}

fn told(api: &Api) -> ApiVersion {
    ApiVersion { api_key: api.key.code(), min_version: api.advertised_from, max_version: api.served.max }
}

/// KIP-511's rule, `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`: the texts end in metrics and logs.
fn is_software_text(text: &str) -> bool {
    let bytes = text.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    ends.iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
        && bytes.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

/// Answers a version above ours: error 35 in version 0, listing ApiVersions alone, so that the client asks again in a
/// version that both know.
pub(crate) fn refuse_version(request: &Request) -> Handled {
    let api_keys = APIS.iter().filter(|api| api.key == request.key).map(told).collect();
    request.respond_in(
        0,
        &ApiVersionsResponse { error_code: ErrorCode::UNSUPPORTED_VERSION, api_keys, ..Default::default() },
    )
}

#[cfg(test)]
mod tests {
    use super::is_software_text;

    #[test]
    fn software_texts_are_checked() {
        for good in ["librdkafka", "a", "apache-kafka-java", "4.3.1"] {
            assert!(is_software_text(good), "{good}");
        }
        for bad in ["", "-a", "a.", "a b", "ä", "a\n"] {
            assert!(!is_software_text(bad), "{bad}");
        }
    }
}
