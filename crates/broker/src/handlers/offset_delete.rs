//! OffsetDelete (key 47), version 0 (KIP-496).
//!
//! A partition that does not exist is refused here; which commits may go is the core's rule.

use ottla_groups::{DeleteOffsets, FetchTopic, Request as Asked};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    OffsetDeleteRequest, OffsetDeleteRequestTopic, OffsetDeleteResponse, OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::{code_or_none, decode_question, expect_answer, outcome};
use crate::request::{Handled, Request};

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: OffsetDeleteRequest<'_> = decode_question(&request)?;
    let answer = match delete(&context, &message).await {
        Ok(topics) => OffsetDeleteResponse { topics, ..Default::default() },
        Err(error_code) => OffsetDeleteResponse { error_code, ..Default::default() },
    };
    request.respond(&answer)
}

async fn delete<'a>(
    context: &Context,
    message: &OffsetDeleteRequest<'a>,
) -> Result<Vec<OffsetDeleteResponseTopic<'a>>, ErrorCode> {
    if !context.authorize(Operation::Delete, Resource::Group(&message.group_id)) {
        return Err(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    let metadata = context.broker().engine().metadata();
    let known = |topic: &OffsetDeleteRequestTopic<'_>| {
        if !context.authorize(Operation::Read, Resource::Topic(&topic.name)) {
            return Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        }
        Ok(metadata.by_name(&topic.name).map_or(0, |topic| topic.partitions))
    };
    let counts: Vec<Result<i32, ErrorCode>> = message.topics.iter().map(known).collect();
    let asked = message.topics.iter().zip(&counts);
    let asked = asked.filter_map(|(topic, count)| Some(existing(topic, count.ok()?)));
    let topics = asked.filter(|topic| !topic.partitions.is_empty()).collect();
    let request = Asked::DeleteOffsets(DeleteOffsets { group_id: message.group_id.to_string(), topics });
    let awaited = context.broker().groups.submit(&message.group_id, request);
    let deleted = expect_answer!(awaited, DeleteOffsets).and_then(outcome)?;
    let mut results = deleted.into_iter().flat_map(|topic| topic.partitions);
    let answers = message.topics.iter().zip(&counts).map(|(topic, count)| {
        let partitions = topic.partitions.iter().map(|asked| {
            let error_code = match count {
                Err(code) => *code,
                Ok(count) if !(0..*count).contains(&asked.partition_index) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                Ok(_) => results.next().map_or(ErrorCode::UNKNOWN_SERVER_ERROR, |result| code_or_none(result.error)),
            };
            OffsetDeleteResponsePartition { partition_index: asked.partition_index, error_code }
        });
        OffsetDeleteResponseTopic { name: topic.name.clone(), partitions: partitions.collect() }
    });
    Ok(answers.collect())
}

fn existing(topic: &OffsetDeleteRequestTopic<'_>, count: i32) -> FetchTopic {
    let partitions = topic.partitions.iter().map(|partition| partition.partition_index);
    FetchTopic {
        name: topic.name.to_string(),
        topic_id: None,
        partitions: partitions.filter(|index| (0..count).contains(index)).collect(),
    }
}
