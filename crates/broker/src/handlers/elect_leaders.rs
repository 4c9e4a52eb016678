//! ElectLeaders (key 43), versions 0 to 2: another leader for a partition (KIP-183, KIP-460).
//!
//! Version 1 adds elections out of replicas that are not in sync, 2 the flexible encoding. Every partition is led by this node, which is
//! its only replica, so no election is ever needed: ELECTION_NOT_NEEDED, as in Kafka. Asked for all partitions the answer names, as in
//! Kafka, the topics and none of them, because there was nothing to do.

use std::borrow::Cow;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    ElectLeadersPartitionResult, ElectLeadersRequest, ElectLeadersResponse, ReplicaElectionResult,
};
use ottla_storage::{Metadata, PartitionId};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};
use crate::topics;

/// The preferred replica, or, where no replica is in sync, any other.
const ELECTION_TYPES: std::ops::RangeInclusive<i8> = 0..=1;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: ElectLeadersRequest<'_> = decode_question(&request)?;
    let metadata = context.broker().engine().metadata();
    let refusal = match () {
        () if !context.authorize(Operation::Alter, Resource::Cluster) => {
            Some((ErrorCode::CLUSTER_AUTHORIZATION_FAILED, "not allowed to elect leaders".to_owned()))
        }
        () if !ELECTION_TYPES.contains(&message.election_type) => {
            let reason = format!("an election is preferred (0) or unclean (1), not {}", message.election_type);
            Some((ErrorCode::INVALID_REQUEST, reason))
        }
        () => None,
    };
    let outcome = |topic: &str, index| refusal.clone().unwrap_or_else(|| election(&metadata, topic, index));
    let replica_election_results = match &message.topic_partitions {
        None if refusal.is_some() => Vec::new(),
        None => {
            metadata.topics().filter(|topic| topics::is_listed(&topic.name)).map(|topic| nothing_to_do(topic)).collect()
        }
        Some(asked) => {
            let asked = asked.iter().map(|topic| ReplicaElectionResult {
                topic: Cow::Borrowed(&topic.topic),
                partition_result: topic
                    .partitions
                    .iter()
                    .map(|&index| result(index, outcome(&topic.topic, index)))
                    .collect(),
            });
            asked.collect()
        }
    };
    let error_code = refusal.as_ref().map_or(ErrorCode::NONE, |(code, _)| *code);
    request.respond(&ElectLeadersResponse { error_code, replica_election_results, ..Default::default() })
}

fn election(metadata: &Metadata, topic: &str, index: i32) -> (ErrorCode, String) {
    match metadata.by_name(topic) {
        None => (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "there is no such topic".to_owned()),
        Some(topic) if !metadata.has(PartitionId { topic: topic.id, index }) => {
            (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, format!("the topic has {} partitions", topic.partitions))
        }
        Some(_) => (ErrorCode::ELECTION_NOT_NEEDED, "its only replica leads the partition already".to_owned()),
    }
}

fn nothing_to_do(topic: &ottla_storage::Topic) -> ReplicaElectionResult<'static> {
    ReplicaElectionResult { topic: Cow::Owned(topic.name.to_string()), partition_result: Vec::new() }
}

fn result(partition_id: i32, (error_code, reason): (ErrorCode, String)) -> ElectLeadersPartitionResult<'static> {
    ElectLeadersPartitionResult { partition_id, error_code, error_message: Some(Cow::Owned(reason)) }
}
