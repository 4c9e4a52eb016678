//! ListConfigResources (key 74), versions 0 and 1: what has configs (KIP-1142).
//!
//! Version 0 asks for client metrics alone (KIP-714). Topics, this broker and its loggers are always listed, groups and client metrics where
//! configs are set on them.

use std::borrow::Cow;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    CLIENT_METRICS_RESOURCE, ListConfigResourcesRequest, ListConfigResourcesResponse, ListedConfigResource,
};
use ottla_storage::{ConfigResource, Metadata};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::decode_question;
use crate::handlers::describe_configs::{BROKER_LOGGER_RESOURCE, BROKER_RESOURCE, GROUP_RESOURCE, TOPIC_RESOURCE};
use crate::request::{Handled, Request};
use crate::topics;

/// All kinds, in the order of the answer.
const KINDS: [i8; 5] =
    [GROUP_RESOURCE, CLIENT_METRICS_RESOURCE, BROKER_LOGGER_RESOURCE, BROKER_RESOURCE, TOPIC_RESOURCE];
const FIRST_VERSION_WITH_KINDS: i16 = 1;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: ListConfigResourcesRequest = decode_question(&request)?;
    let asked = match message.resource_types {
        _ if request.version < FIRST_VERSION_WITH_KINDS => vec![CLIENT_METRICS_RESOURCE],
        none if none.is_empty() => KINDS.to_vec(),
        asked => asked,
    };
    let mut response = ListConfigResourcesResponse::default();
    if !context.authorize(Operation::DescribeConfigs, Resource::Cluster) {
        response.error_code = ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
    } else if asked.iter().any(|kind| !KINDS.contains(kind)) {
        response.error_code = ErrorCode::UNSUPPORTED_VERSION;
    } else {
        let metadata = context.broker().engine().metadata();
        let kinds = KINDS.into_iter().filter(|kind| asked.contains(kind));
        response.config_resources = kinds.flat_map(|kind| of_kind(&context, &metadata, kind)).collect();
    }
    request.respond(&response)
}

fn of_kind(context: &Context, metadata: &Metadata, kind: i8) -> Vec<ListedConfigResource<'static>> {
    let names: Vec<String> = match kind {
        TOPIC_RESOURCE => {
            let names = metadata.topics().map(|topic| &topic.name).filter(|name| topics::is_listed(name));
            names.map(|name| name.to_string()).collect()
        }
        BROKER_RESOURCE => vec![context.broker().identity().node_id.to_string()],
        GROUP_RESOURCE => {
            let group = |resource: &ConfigResource| match resource {
                ConfigResource::Group(group_id) => Some(group_id.to_string()),
                _ => None,
            };
            metadata.configured().filter_map(|(resource, _)| group(resource)).collect()
        }
        CLIENT_METRICS_RESOURCE => {
            let subscription = |resource: &ConfigResource| match resource {
                ConfigResource::ClientMetrics(name) => Some(name.to_string()),
                _ => None,
            };
            metadata.configured().filter_map(|(resource, _)| subscription(resource)).collect()
        }
        BROKER_LOGGER_RESOURCE => vec![context.broker().identity().node_id.to_string()],
        _ => Vec::new(),
    };
    let listed = |name| ListedConfigResource { resource_name: Cow::Owned(name), resource_type: kind };
    names.into_iter().map(listed).collect()
}
