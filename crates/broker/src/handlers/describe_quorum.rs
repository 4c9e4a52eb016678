//! DescribeQuorum (key 55), versions 0 to 2: who keeps the cluster's metadata (KIP-595).
//!
//! Version 1 adds when each replica was heard of (KIP-836), 2 directories, addresses and messages (KIP-853). It is this node alone. There
//! is no log of metadata that clients could read, so its offsets are 0; and the node's address is that of the broker.

use std::borrow::Cow;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    DescribeQuorumListener, DescribeQuorumNode, DescribeQuorumPartition, DescribeQuorumReplica, DescribeQuorumRequest,
    DescribeQuorumRequestTopic, DescribeQuorumResponse, DescribeQuorumTopic,
};

use crate::advertised;
use crate::context::{Context, Operation, Resource};
use crate::fetch::LEADER_EPOCH;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};
use crate::topics::METADATA_TOPIC;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: DescribeQuorumRequest<'_> = decode_question(&request)?;
    if !context.authorize(Operation::Describe, Resource::Cluster) {
        let error_code = ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
        return request.respond(&DescribeQuorumResponse { error_code, ..Default::default() });
    }
    let response = match is_the_quorum(&message.topics) {
        true => quorum(&context),
        false => DescribeQuorumResponse { topics: message.topics.iter().map(unknown).collect(), ..Default::default() },
    };
    request.respond(&response)
}

/// As in Kafka the one partition must be asked for, and nothing else.
fn is_the_quorum(topics: &[DescribeQuorumRequestTopic<'_>]) -> bool {
    let [topic] = topics else { return false };
    let [partition] = &topic.partitions[..] else { return false };
    topic.topic_name == METADATA_TOPIC && partition.partition_index == 0
}

fn unknown(topic: &DescribeQuorumRequestTopic<'_>) -> DescribeQuorumTopic<'static> {
    let partition = |index| DescribeQuorumPartition {
        partition_index: index,
        error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        error_message: Some("a quorum has partition 0 of __cluster_metadata alone; ask for that".into()),
        ..Default::default()
    };
    DescribeQuorumTopic {
        topic_name: Cow::Owned(topic.topic_name.to_string()),
        partitions: topic.partitions.iter().map(|asked| partition(asked.partition_index)).collect(),
    }
}

fn quorum(context: &Context) -> DescribeQuorumResponse<'static> {
    let broker = context.broker();
    let (node_id, now_ms) = (broker.identity().node_id, broker.wall_ms());
    let voter = DescribeQuorumReplica {
        replica_id: node_id,
        last_fetch_timestamp: now_ms,
        last_caught_up_timestamp: now_ms,
        ..Default::default()
    };
    let partition = DescribeQuorumPartition {
        leader_id: node_id,
        leader_epoch: LEADER_EPOCH,
        current_voters: vec![voter],
        ..Default::default()
    };
    let (host, port) = advertised::address(context);
    let listener = DescribeQuorumListener {
        name: Cow::Owned(context.listener().name.clone()),
        host: Cow::Owned(host),
        port: u16::try_from(port).unwrap_or_default(),
    };
    DescribeQuorumResponse {
        topics: vec![DescribeQuorumTopic { topic_name: METADATA_TOPIC.into(), partitions: vec![partition] }],
        nodes: vec![DescribeQuorumNode { node_id, listeners: vec![listener] }],
        ..Default::default()
    }
}
