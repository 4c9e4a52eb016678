//! OttlaGroupReset (key 20001), version 0: sets a group's committed offsets, also under its members. Ottla's own; `docs/explain.md`.
//!
//! Partitions that do not exist and offsets outside of their logs are refused here, and then nothing is changed; all other rules
//! are the core's.

use ottla_groups::records::FormerOffset;
use ottla_groups::{Answer, Request as Asked, ResetOffsets, ResetResult};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    OttlaGroupResetPartition, OttlaGroupResetPartitionResult, OttlaGroupResetRequest, OttlaGroupResetResponse,
    OttlaGroupResetTopic, OttlaGroupResetTopicResult,
};
use ottla_storage::PartitionId;

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::{decode_question, error_code, without_repetitions};
use crate::request::{Handled, Request};

/// So many partitions one request may name: all is written as one batch.
const MOST_PARTITIONS: usize = 100_000;

/// A code and a sentence.
type Failure = (ErrorCode, String);

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: OttlaGroupResetRequest<'_> = decode_question(&request)?;
    let response = match reset(&context, &message).await {
        Ok(results) => OttlaGroupResetResponse { topics: by_topic(results), ..Default::default() },
        Err((error_code, sentence)) => {
            OttlaGroupResetResponse { error_code, error_message: Some(sentence.into()), ..Default::default() }
        }
    };
    request.respond(&response)
}

async fn reset(context: &Context, message: &OttlaGroupResetRequest<'_>) -> Result<Vec<ResetResult>, Failure> {
    if !context.authorize(Operation::Delete, Resource::Group(&message.group_id)) {
        return Err((ErrorCode::GROUP_AUTHORIZATION_FAILED, "this principal may not reset the group".to_owned()));
    }
    let offsets = if message.undo { Vec::new() } else { wanted(context, message)? };
    let asked = ResetOffsets {
        group_id: message.group_id.to_string(),
        online: message.online,
        validate_only: message.validate_only,
        undo: message.undo,
        offsets,
    };
    let answer = context.broker().groups.submit(&message.group_id, Asked::ResetOffsets(asked)).answer().await;
    let lost = |_| (ErrorCode::NOT_COORDINATOR, "the coordinator reads its log again: try again".to_owned());
    match answer.map_err(lost)? {
        Answer::ResetOffsets(Ok(results)) => Ok(results),
        Answer::ResetOffsets(Err(refusal)) => {
            let missing = || format!("the offsets of group {} cannot be reset", message.group_id);
            Err((error_code(refusal.error), refusal.message.unwrap_or_else(missing)))
        }
        _ => Err((ErrorCode::UNKNOWN_SERVER_ERROR, "the group core answered another question".to_owned())),
    }
}

/// What shall be committed, in the core's terms.
fn wanted(context: &Context, message: &OttlaGroupResetRequest<'_>) -> Result<Vec<FormerOffset>, Failure> {
    let count: usize = message.topics.iter().map(|topic| topic.partitions.len()).sum();
    if count == 0 || count > MOST_PARTITIONS {
        let sentence = format!("a reset names 1 to {MOST_PARTITIONS} partitions, this one {count}");
        return Err((ErrorCode::INVALID_REQUEST, sentence));
    }
    let mut wanted = Vec::with_capacity(count);
    for topic in &message.topics {
        for partition in &topic.partitions {
            wanted.push(checked(context, topic, partition)?);
        }
    }
    let places: Vec<_> = wanted.iter().map(|offset| (offset.topic.clone(), offset.partition)).collect();
    match without_repetitions(places).len() == count {
        true => Ok(wanted),
        false => Err((ErrorCode::INVALID_REQUEST, "the request names a partition more than once".to_owned())),
    }
}

fn checked(
    context: &Context,
    topic: &OttlaGroupResetTopic<'_>,
    partition: &OttlaGroupResetPartition,
) -> Result<FormerOffset, Failure> {
    let (name, index) = (&topic.name, partition.partition_index);
    let metadata = context.broker().engine().metadata();
    let unknown = || (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, format!("there is no partition {name}/{index}"));
    if !context.authorize(Operation::Read, Resource::Topic(name)) {
        return Err((ErrorCode::TOPIC_AUTHORIZATION_FAILED, format!("this principal may not read {name}")));
    }
    let found = metadata.by_name(name).ok_or_else(unknown)?;
    let bounds = context.broker().engine().bounds(PartitionId { topic: found.id, index }).map_err(|_| unknown())?;
    let offset = partition.offset;
    if offset != -1 && !(bounds.log_start_offset..=bounds.high_watermark).contains(&offset) {
        let (start, end) = (bounds.log_start_offset, bounds.high_watermark);
        let sentence = format!("{name}/{index} has offsets {start} to {end}: {offset} is none of them");
        return Err((ErrorCode::OFFSET_OUT_OF_RANGE, sentence));
    }
    Ok(FormerOffset { topic: name.to_string(), topic_id: Some(found.id.0), partition: index, offset })
}

fn by_topic(results: Vec<ResetResult>) -> Vec<OttlaGroupResetTopicResult<'static>> {
    let mut topics: Vec<OttlaGroupResetTopicResult<'static>> = Vec::new();
    for ResetResult { topic, partition, from, to } in results {
        let result = OttlaGroupResetPartitionResult {
            partition_index: partition,
            from_offset: from,
            to_offset: to,
            ..Default::default()
        };
        match topics.last_mut() {
            Some(last) if last.name == topic => last.partitions.push(result),
            _ => topics.push(OttlaGroupResetTopicResult { name: topic.into(), partitions: vec![result] }),
        }
    }
    topics
}
