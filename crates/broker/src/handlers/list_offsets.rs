//! ListOffsets (key 2), versions 1 to 11: an offset for a timestamp, or for one of the special timestamps.
//!
//! Version 2 adds the isolation level, 4 leader epochs, 6 the flexible encoding, 7 the largest timestamp (-3, KIP-734), 8 the start of
//! the local log (-4), 9 the end of the tiered log (-5), 10 a timeout, 11 the first offset not yet tiered (-6).
//!
//! There is no tiered storage: the local log is the whole log, and the tiered one has no end (offset -1), as on a Kafka node
//! without it. The timeout is not used: nothing here waits for another machine.

use std::collections::{HashMap, HashSet};

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::list_offsets::{
    EARLIEST_LOCAL_TIMESTAMP, EARLIEST_PENDING_UPLOAD_TIMESTAMP, EARLIEST_TIMESTAMP, LATEST_TIERED_TIMESTAMP,
    LATEST_TIMESTAMP, MAX_TIMESTAMP,
};
use ottla_protocol::messages::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
    ListOffsetsTopicResponse,
};
use ottla_storage::{Isolation, OffsetSpec, PartitionId, Topic};

use crate::context::{Context, Operation, Resource};
use crate::errors;
use crate::fetch::check_leader_epoch;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: ListOffsetsRequest<'_> = decode_question(&request)?;
    let isolation = match message.isolation_level {
        0 => Isolation::ReadUncommitted,
        _ => Isolation::ReadCommitted,
    };
    let metadata = context.broker().engine().metadata();
    let mut again = named_again(&message);
    let mut topics = Vec::with_capacity(message.topics.len());
    for asked in &message.topics {
        let topic = if context.authorize(Operation::Describe, Resource::Topic(&asked.name)) {
            metadata.by_name(&asked.name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        } else {
            Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED)
        };
        let mut partitions = Vec::with_capacity(asked.partitions.len());
        for partition in &asked.partitions {
            let answer = match &topic {
                _ if again.contains_key(&(&*asked.name, partition.partition_index)) => {
                    if again.insert((&asked.name, partition.partition_index), true) == Some(true) {
                        continue;
                    }
                    Err(ErrorCode::INVALID_REQUEST)
                }
                Ok(topic) => look_up(&context, topic, partition, isolation, request.version).await,
                Err(error) => Err(*error),
            };
            partitions.push(answer.unwrap_or_else(|error_code| ListOffsetsPartitionResponse {
                partition_index: partition.partition_index,
                error_code,
                ..Default::default()
            }));
        }
        topics.push(ListOffsetsTopicResponse { name: asked.name.clone(), partitions });
    }
    request.respond(&ListOffsetsResponse { throttle_time_ms: 0, topics })
}

/// The partitions that are named more than once, none of them told yet: as in Kafka each is answered once, with an error.
fn named_again<'m>(message: &'m ListOffsetsRequest<'_>) -> HashMap<(&'m str, i32), bool> {
    let named =
        |topic: &'m ListOffsetsTopic<'_>| topic.partitions.iter().map(|asked| (&*topic.name, asked.partition_index));
    let mut seen = HashSet::new();
    message.topics.iter().flat_map(named).filter(|key| !seen.insert(*key)).map(|key| (key, false)).collect()
}

async fn look_up(
    context: &Context,
    topic: &Topic,
    asked: &ListOffsetsPartition,
    isolation: Isolation,
    version: i16,
) -> Result<ListOffsetsPartitionResponse, ErrorCode> {
    if !(0..topic.partitions).contains(&asked.partition_index) {
        return Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    check_leader_epoch(asked.current_leader_epoch)?;
    let mut answer = ListOffsetsPartitionResponse { partition_index: asked.partition_index, ..Default::default() };
    let Some(spec) = spec_of(asked.timestamp, isolation, version)? else { return Ok(answer) };
    let partition = PartitionId { topic: topic.id, index: asked.partition_index };
    let found = context.broker().engine().list_offset(partition, spec).await;
    let found = found.map_err(|error| errors::of_read(&error))?;
    // As in Kafka, who reads committed records alone does not hear of one that it could not read yet.
    let is_visible = match (spec, isolation) {
        (OffsetSpec::MaxTimestamp | OffsetSpec::AtOrAfter { .. }, Isolation::ReadCommitted) => {
            let bounds = context.broker().engine().bounds(partition).map_err(|error| errors::of_read(&error))?;
            found.is_some_and(|found| found.offset < bounds.last_stable_offset)
        }
        _ => true,
    };
    if let Some(found) = found.filter(|_| is_visible) {
        answer.timestamp = found.timestamp_ms;
        answer.offset = found.offset;
        answer.leader_epoch = found.leader_epoch;
    }
    Ok(answer)
}

/// What to look for; `None` for what a log without tiers does not have.
fn spec_of(timestamp: i64, isolation: Isolation, version: i16) -> Result<Option<OffsetSpec>, ErrorCode> {
    let since = match timestamp {
        MAX_TIMESTAMP => 7,
        EARLIEST_LOCAL_TIMESTAMP => 8,
        LATEST_TIERED_TIMESTAMP => 9,
        EARLIEST_PENDING_UPLOAD_TIMESTAMP => 11,
        // Kafka keeps what is below for later.
        ..EARLIEST_PENDING_UPLOAD_TIMESTAMP => i16::MAX,
        _ => 0,
    };
    if version < since {
        return Err(ErrorCode::UNSUPPORTED_VERSION);
    }
    match timestamp {
        LATEST_TIMESTAMP => Ok(Some(OffsetSpec::Latest(isolation))),
        EARLIEST_TIMESTAMP | EARLIEST_LOCAL_TIMESTAMP => Ok(Some(OffsetSpec::Earliest)),
        MAX_TIMESTAMP => Ok(Some(OffsetSpec::MaxTimestamp)),
        LATEST_TIERED_TIMESTAMP | EARLIEST_PENDING_UPLOAD_TIMESTAMP => Ok(None),
        timestamp_ms => Ok(Some(OffsetSpec::AtOrAfter { timestamp_ms })),
    }
}
