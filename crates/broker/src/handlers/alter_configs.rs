//! AlterConfigs (key 33), versions 0 to 2: replaces all configs of topics, brokers and groups; what is not named is unset (KIP-133).
//!
//! Version 2 has the flexible encoding. Clients ask with IncrementalAlterConfigs since Kafka 2.3. Loggers are only changed by that.

use std::borrow::Cow;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse, AlterableConfig,
};

use crate::alteration::{Failure, Wish, alter};
use crate::config::change::Operation;
use crate::context::Context;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: AlterConfigsRequest<'_> = decode_question(&request)?;
    let wishes: Vec<_> = message.resources.iter().map(wish).collect();
    let results = alter(&context, &wishes, message.validate_only).await;
    let answer = |(wish, result): (&Wish<'_>, Result<(), Failure>)| {
        let (error_code, error_message) = match result {
            Ok(()) => (ErrorCode::NONE, None),
            Err((code, reason)) => (code, Some(Cow::Owned(reason))),
        };
        AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: wish.resource_type,
            resource_name: Cow::Owned(wish.resource_name.to_owned()),
        }
    };
    let responses = wishes.iter().zip(results).map(answer).collect();
    request.respond(&AlterConfigsResponse { responses, ..Default::default() })
}

fn wish<'a>(resource: &'a AlterConfigsResource<'_>) -> Wish<'a> {
    let set = |config: &'a AlterableConfig<'_>| match config.value.as_deref() {
        Some(value) => Ok((&*config.name, Operation::Set(value))),
        None => {
            let reason = format!("the config {} has no value (null); leave it out to unset it", config.name);
            Err((ErrorCode::INVALID_REQUEST, reason))
        }
    };
    Wish {
        resource_type: resource.resource_type,
        resource_name: &resource.resource_name,
        keeps_others: false,
        operations: resource.configs.iter().map(set).collect(),
    }
}
