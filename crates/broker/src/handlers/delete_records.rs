//! DeleteRecords (key 21), versions 0 to 2 (KIP-107): moves where a partition's log starts.
//!
//! Version 2 has the flexible encoding. Offset -1 means the high watermark. As in Kafka, internal topics are refused, and so
//! are topics that are only compacted: the last record of a key would be lost.

use std::borrow::Cow;
use std::time::Duration;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteRecordsTopic, DeleteRecordsTopicResult,
};
use ottla_storage::{PartitionId, Pending, ReadError, TopicId};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};
use crate::{config, errors, topics};

/// The log start of a partition whose log start is not told.
const NO_OFFSET: i64 = -1;

type Moving = Pending<i64, ReadError>;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: DeleteRecordsRequest<'_> = decode_question(&request)?;
    // Every log start is moved before the first wait.
    let begun: Vec<Vec<Result<Moving, ErrorCode>>> =
        message.topics.iter().map(|topic| begin(&context, topic)).collect();
    let deadline = tokio::time::sleep(Duration::from_millis(message.timeout_ms.try_into().unwrap_or(0)));
    tokio::pin!(deadline);
    let mut topics = Vec::with_capacity(message.topics.len());
    for (topic, begun) in message.topics.iter().zip(begun) {
        let mut partitions = Vec::with_capacity(begun.len());
        for (asked, moving) in topic.partitions.iter().zip(begun) {
            let moved = match moving {
                Err(code) => Err(code),
                Ok(moving) => tokio::select! {
                    biased;
                    moved = moving => moved.map_err(|error| errors::of_read(&error)),
                    () = &mut deadline => Err(ErrorCode::REQUEST_TIMED_OUT),
                },
            };
            partitions.push(result(asked, moved));
        }
        topics.push(DeleteRecordsTopicResult { name: Cow::Borrowed(&topic.name), partitions });
    }
    request.respond(&DeleteRecordsResponse { topics, ..Default::default() })
}

fn begin(context: &Context, asked: &DeleteRecordsTopic<'_>) -> Vec<Result<Moving, ErrorCode>> {
    let engine = context.broker().engine();
    let topic = find(context, &asked.name);
    let move_start = |partition: &DeleteRecordsPartition| {
        let partition_id = PartitionId { topic: topic?, index: partition.partition_index };
        Ok(engine.delete_records(partition_id, partition.offset))
    };
    asked.partitions.iter().map(move_start).collect()
}

fn find(context: &Context, name: &str) -> Result<TopicId, ErrorCode> {
    if !context.authorize(Operation::Delete, Resource::Topic(name)) {
        return Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    }
    let broker = context.broker();
    let metadata = broker.engine().metadata();
    let topic = metadata.by_name(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    if topics::is_internal(name) {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    match &*config::topic::effective("cleanup.policy", &topic.configs, &broker.config()) == "compact" {
        true => Err(ErrorCode::POLICY_VIOLATION),
        false => Ok(topic.id),
    }
}

fn result(asked: &DeleteRecordsPartition, moved: Result<i64, ErrorCode>) -> DeleteRecordsPartitionResult {
    let (low_watermark, error_code) = match moved {
        Ok(log_start_offset) => (log_start_offset, ErrorCode::NONE),
        Err(code) => (NO_OFFSET, code),
    };
    DeleteRecordsPartitionResult { partition_index: asked.partition_index, low_watermark, error_code }
}
