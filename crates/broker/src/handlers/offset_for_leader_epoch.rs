//! OffsetForLeaderEpoch (key 23), versions 2 to 4: where the records of a leader epoch end (KIP-320).
//!
//! Version 3 says which replica asks, 4 has the flexible encoding. One node leads every partition for ever, so there is one
//! epoch, 0, from the log start to the high watermark. A consumer that comes back asks whether its log was truncated; it never
//! is.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    EpochEnd, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
};
use ottla_storage::{PartitionId, Topic};

use crate::context::{Context, Operation, Resource};
use crate::errors;
use crate::fetch::{LEADER_EPOCH, check_leader_epoch};
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

/// No epoch, and what is asked by one that does not know any.
const NONE: i32 = -1;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: OffsetForLeaderEpochRequest<'_> = decode_question(&request)?;
    let metadata = context.broker().engine().metadata();
    let mut topics = Vec::with_capacity(message.topics.len());
    for asked in &message.topics {
        let topic = match context.authorize(Operation::Describe, Resource::Topic(&asked.topic)) {
            true => metadata.by_name(&asked.topic).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            false => Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED),
        };
        let answer = |partition: &OffsetForLeaderPartition| {
            let end = topic.and_then(|topic| end_of_epoch(&context, topic, partition));
            let (error_code, (leader_epoch, end_offset)) = match end {
                Ok(end) => (ErrorCode::NONE, end),
                Err(code) => (code, (NONE, -1)),
            };
            EpochEnd { error_code, partition: partition.partition, leader_epoch, end_offset }
        };
        let partitions = asked.partitions.iter().map(answer).collect();
        topics.push(OffsetForLeaderTopicResult { topic: asked.topic.clone(), partitions });
    }
    request.respond(&OffsetForLeaderEpochResponse { throttle_time_ms: 0, topics })
}

/// The largest epoch up to the one asked for, and where it ends. As in Kafka, an epoch before all others ends where they begin.
fn end_of_epoch(context: &Context, topic: &Topic, asked: &OffsetForLeaderPartition) -> Result<(i32, i64), ErrorCode> {
    let partition = PartitionId { topic: topic.id, index: asked.partition };
    let bounds = context.broker().engine().bounds(partition).map_err(|error| errors::of_read(&error))?;
    check_leader_epoch(asked.current_leader_epoch)?;
    Ok(match asked.leader_epoch {
        LEADER_EPOCH => (LEADER_EPOCH, bounds.high_watermark),
        NONE | LEADER_EPOCH.. => (NONE, -1),
        before => (before, bounds.log_start_offset),
    })
}
