//! AlterPartitionReassignments (key 45), versions 0 and 1: moves partitions to other brokers (KIP-455).
//!
//! Version 1 says whether the number of replicas may change (KIP-860), which it cannot here. There is one broker: who wants a partition on
//! that one has it there, any other one is INVALID_REPLICA_ASSIGNMENT. No move is ever under way that could be given up.

use std::borrow::Cow;
use std::collections::HashSet;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartition,
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use ottla_storage::{Metadata, PartitionId};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

type Failure = (ErrorCode, Cow<'static, str>);

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: AlterPartitionReassignmentsRequest<'_> = decode_question(&request)?;
    let allow_replication_factor_change = message.allow_replication_factor_change;
    if !context.authorize(Operation::Alter, Resource::Cluster) {
        return request.respond(&AlterPartitionReassignmentsResponse {
            allow_replication_factor_change,
            error_code: ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
            error_message: Some("not allowed to move partitions".into()),
            ..Default::default()
        });
    }
    let metadata = context.broker().engine().metadata();
    let node_id = context.broker().identity().node_id;
    let responses = message.topics.iter().map(|topic| ReassignableTopicResponse {
        name: Cow::Borrowed(&topic.name),
        partitions: topic
            .partitions
            .iter()
            .map(|asked| result(asked.partition_index, check(&metadata, node_id, &topic.name, asked)))
            .collect(),
    });
    request.respond(&AlterPartitionReassignmentsResponse {
        allow_replication_factor_change,
        error_message: None,
        responses: responses.collect(),
        ..Default::default()
    })
}

fn check(metadata: &Metadata, node_id: i32, topic: &str, asked: &ReassignablePartition) -> Result<(), Failure> {
    let unknown = |reason| (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, reason);
    let topic = metadata.by_name(topic).ok_or_else(|| unknown("there is no such topic".into()))?;
    if !metadata.has(PartitionId { topic: topic.id, index: asked.partition_index }) {
        return Err(unknown(format!("the topic has {} partitions", topic.partitions).into()));
    }
    let Some(replicas) = &asked.replicas else {
        return Err((ErrorCode::NO_REASSIGNMENT_IN_PROGRESS, "the partition is not being moved".into()));
    };
    let invalid = |reason| Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, reason));
    let mut seen = HashSet::with_capacity(replicas.len());
    if replicas.is_empty() {
        invalid("a partition needs a broker".into())
    } else if let Some(other) = replicas.iter().find(|id| **id != node_id) {
        invalid(format!("there is no broker {other}; {node_id} is the only one").into())
    } else if !replicas.iter().all(|id| seen.insert(*id)) {
        invalid(format!("broker {node_id} is named more than once").into())
    } else {
        Ok(())
    }
}

fn result(partition_index: i32, outcome: Result<(), Failure>) -> ReassignablePartitionResponse<'static> {
    let (error_code, error_message) = match outcome {
        Ok(()) => (ErrorCode::NONE, None),
        Err((code, reason)) => (code, Some(reason)),
    };
    ReassignablePartitionResponse { partition_index, error_code, error_message }
}
