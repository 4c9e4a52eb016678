//! ListPartitionReassignments (key 46), version 0: which partitions are being moved (KIP-455). On one node none ever is, and as in Kafka
//! nothing is said about topics that do not exist.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let _: ListPartitionReassignmentsRequest<'_> = decode_question(&request)?;
    let error_code = match context.authorize(Operation::Describe, Resource::Cluster) {
        true => ErrorCode::NONE,
        false => ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
    };
    let response = ListPartitionReassignmentsResponse { error_code, error_message: None, ..Default::default() };
    request.respond(&response)
}
