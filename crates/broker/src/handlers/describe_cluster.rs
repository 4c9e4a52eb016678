//! DescribeCluster (key 60), versions 0 to 2 (KIP-700): this one node.
//!
//! Version 1 asks for brokers or controllers (KIP-919), 2 for fenced brokers as well; none is ever fenced here. Asked for
//! controllers the answer is MISMATCHED_ENDPOINT_TYPE, as from any broker of Kafka.

use std::borrow::Cow;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};
use crate::{advertised, operations};

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: DescribeClusterRequest = decode_question(&request)?;
    let refused = |error_code, reason| DescribeClusterResponse {
        error_code,
        error_message: Some(Cow::Borrowed(reason)),
        ..Default::default()
    };
    match message.endpoint_type {
        BROKERS => {}
        CONTROLLERS => {
            let reason = "this is a broker, and controllers were asked for";
            return request.respond(&refused(ErrorCode::MISMATCHED_ENDPOINT_TYPE, reason));
        }
        _ => {
            let reason = "an endpoint is a broker (1) or a controller (2)";
            return request.respond(&refused(ErrorCode::UNSUPPORTED_ENDPOINT_TYPE, reason));
        }
    }
    let identity = context.broker().identity();
    let (host, port) = advertised::address(&context);
    let broker = DescribeClusterBroker { broker_id: identity.node_id, host: host.into(), port, ..Default::default() };
    let mut response = DescribeClusterResponse {
        cluster_id: Cow::Borrowed(&identity.cluster_id),
        controller_id: identity.node_id,
        brokers: vec![broker],
        ..Default::default()
    };
    let allowed = context.authorize(Operation::Describe, Resource::Cluster);
    if message.include_cluster_authorized_operations && allowed {
        response.cluster_authorized_operations = operations::CLUSTER;
    }
    request.respond(&response)
}
