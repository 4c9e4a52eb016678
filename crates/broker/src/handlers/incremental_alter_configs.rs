//! IncrementalAlterConfigs (key 44), versions 0 and 1: changes single configs of topics, brokers and groups (KIP-339).
//!
//! Version 1 has the flexible encoding. Topics (type 2), this broker and, with the empty name, all brokers (type 4), groups (type 32), its
//! loggers (type 8), subscriptions to client metrics (type 16). What can change while the broker runs is Kafka's own list, as far as the tables have it.

use std::borrow::Cow;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResource, IncrementalAlterConfigsResourceResponse,
    IncrementalAlterConfigsResponse, IncrementalAlterableConfig,
};

use crate::alteration::{Failure, Wish, alter};
use crate::config::change::Operation;
use crate::context::Context;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: IncrementalAlterConfigsRequest<'_> = decode_question(&request)?;
    let wishes: Vec<_> = message.resources.iter().map(wish).collect();
    let results = alter(&context, &wishes, message.validate_only).await;
    let answer = |(wish, result): (&Wish<'_>, Result<(), Failure>)| {
        let (error_code, error_message) = match result {
            Ok(()) => (ErrorCode::NONE, None),
            Err((code, reason)) => (code, Some(Cow::Owned(reason))),
        };
        IncrementalAlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: wish.resource_type,
            resource_name: Cow::Owned(wish.resource_name.to_owned()),
        }
    };
    let responses = wishes.iter().zip(results).map(answer).collect();
    request.respond(&IncrementalAlterConfigsResponse { responses, ..Default::default() })
}

fn wish<'a>(resource: &'a IncrementalAlterConfigsResource<'_>) -> Wish<'a> {
    Wish {
        resource_type: resource.resource_type,
        resource_name: &resource.resource_name,
        keeps_others: true,
        operations: resource.configs.iter().map(operation).collect(),
    }
}

fn operation<'a>(asked: &'a IncrementalAlterableConfig<'_>) -> Result<(&'a str, Operation<'a>), Failure> {
    let name = &*asked.name;
    let value = || {
        let null = || (ErrorCode::INVALID_REQUEST, format!("the config {name} has no value (null); delete it instead"));
        asked.value.as_deref().ok_or_else(null)
    };
    let operation = match asked.config_operation {
        0 => Operation::Set(value()?),
        1 => Operation::Delete,
        2 => Operation::Append(value()?),
        3 => Operation::Subtract(value()?),
        other => {
            let reason = format!("{other} is no operation on a config; 0 sets, 1 deletes, 2 appends, 3 subtracts");
            return Err((ErrorCode::INVALID_REQUEST, reason));
        }
    };
    Ok((name, operation))
}
