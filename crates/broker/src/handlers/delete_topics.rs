//! DeleteTopics (key 20), versions 1 to 6.
//!
//! Version 3 can say TOPIC_DELETION_DISABLED, 4 has the flexible encoding, 5 error messages, 6 topics by id (KIP-516).
//!
//! A topic is gone with its records and its committed offsets once it is answered; a timeout leaves the deletion going on.
//! Internal topics are refused, unlike Kafka: the groups live in one.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_protocol::messages::{DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse};
use ottla_protocol::{ErrorCode, Uuid};
use ottla_storage::{Metadata, MetadataError, Topic, TopicId};
use tokio::task::JoinHandle;

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};
use crate::{Broker, errors, quotas, topics};

/// From here on topics come as states, by name or by id.
const BY_STATES: i16 = 6;
/// From here on there is a code of its own for a broker that does not delete.
const TELLS_DISABLED: i16 = 3;
/// From here on clients know THROTTLING_QUOTA_EXCEEDED (KIP-599).
const KNOWS_QUOTAS: i16 = 5;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: DeleteTopicsRequest<'_> = decode_question(&request)?;
    let asked: Vec<DeleteTopicState<'_>> = match request.version >= BY_STATES {
        true => message.topics,
        false => message.topic_names.into_iter().map(by_name).collect(),
    };
    let begun = begin_all(&context, &request, &asked);
    let deadline = tokio::time::sleep(Duration::from_millis(message.timeout_ms.try_into().unwrap_or(0)));
    tokio::pin!(deadline);
    let mut responses = Vec::with_capacity(begun.len());
    for (mut result, deleting) in begun {
        if let Some(deleting) = deleting {
            let outcome = tokio::select! {
                biased;
                outcome = deleting => Some(outcome),
                () = &mut deadline => None,
            };
            result.error_code = match outcome {
                Some(Ok(Ok(()))) => ErrorCode::NONE,
                Some(Ok(Err(error))) => errors::of_metadata(&error),
                Some(Err(_)) => ErrorCode::UNKNOWN_SERVER_ERROR,
                None => ErrorCode::REQUEST_TIMED_OUT,
            };
        }
        responses.push(result);
    }
    request.respond(&DeleteTopicsResponse { responses, ..Default::default() })
}

fn by_name(name: Cow<'_, str>) -> DeleteTopicState<'_> {
    DeleteTopicState { name: Some(name), ..Default::default() }
}

type Deleting = JoinHandle<Result<(), MetadataError>>;

/// Begins every deletion that nothing speaks against. All of it happens before the first wait.
fn begin_all<'a>(
    context: &Context,
    request: &Request,
    asked: &'a [DeleteTopicState<'_>],
) -> Vec<(DeletableTopicResult<'a>, Option<Deleting>)> {
    let broker = context.broker();
    let metadata = broker.engine().metadata();
    let found: Vec<Found> = asked.iter().map(|state| find(context, &metadata, state)).collect();
    let mut counts: HashMap<TopicId, usize> = HashMap::new();
    for topic in found.iter().filter_map(|found| found.as_ref().ok()) {
        *counts.entry(topic.id).or_default() += 1;
    }
    let begin = |(state, found): (&'a DeleteTopicState<'_>, Found)| match found {
        Err(refusal) => Some((refused(state, None, refusal), None)),
        // A topic that is named more than once is answered once.
        Ok(topic) => counts.remove(&topic.id).map(|count| match refusal(context, request, &topic, count) {
            Some(refusal) => (refused(state, Some(&topic), refusal), None),
            None => (result(state, Some(&topic)), Some(delete(broker, topic))),
        }),
    };
    asked.iter().zip(found).filter_map(begin).collect()
}

type Refusal = (ErrorCode, &'static str);
type Found = Result<Arc<Topic>, Refusal>;

fn find(context: &Context, metadata: &Metadata, state: &DeleteTopicState<'_>) -> Found {
    let by_id = !state.topic_id.is_zero();
    let topic = match &state.name {
        Some(_) if by_id => {
            return Err((ErrorCode::INVALID_REQUEST, "a topic is named by its name or by its id, not by both"));
        }
        Some(name) => metadata.by_name(name),
        None if by_id => metadata.by_id(TopicId(state.topic_id.0)),
        None => return Err((ErrorCode::INVALID_REQUEST, "a topic is named neither by its name nor by its id")),
    };
    let unknown = match by_id {
        true => (ErrorCode::UNKNOWN_TOPIC_ID, "there is no topic of this id"),
        false => (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "there is no topic of this name"),
    };
    let topic = topic.ok_or(unknown)?;
    // Who may not see a topic is not told by its id that it exists.
    match context.authorize(Operation::Describe, Resource::Topic(&topic.name)) {
        false if by_id => Err((ErrorCode::TOPIC_AUTHORIZATION_FAILED, "not allowed to delete this topic")),
        _ => Ok(topic.clone()),
    }
}

fn refusal(context: &Context, request: &Request, topic: &Topic, count: usize) -> Option<Refusal> {
    if count > 1 {
        return Some((ErrorCode::INVALID_REQUEST, "the request names this topic more than once"));
    }
    if !context.authorize(Operation::Delete, Resource::Topic(&topic.name)) {
        return Some((ErrorCode::TOPIC_AUTHORIZATION_FAILED, "not allowed to delete this topic"));
    }
    if !context.broker().config().settings().delete_topic_enable {
        let code = if request.version < TELLS_DISABLED {
            ErrorCode::INVALID_REQUEST
        } else {
            ErrorCode::TOPIC_DELETION_DISABLED
        };
        return Some((code, "this broker does not delete topics (delete.topic.enable=false)"));
    }
    if topics::is_reserved(&topic.name) {
        return Some((ErrorCode::INVALID_TOPIC_EXCEPTION, "this is an internal topic: it cannot be deleted"));
    }
    let may = request.may_mutate(topic.partitions, request.version >= KNOWS_QUOTAS);
    (!may).then_some((ErrorCode::THROTTLING_QUOTA_EXCEEDED, quotas::EXCEEDED))
}

/// Deletes on a task of its own: whoever must hear of it hears of it, also when the client is gone meanwhile.
fn delete(broker: &Arc<Broker>, topic: Arc<Topic>) -> Deleting {
    let deleted = broker.engine().delete_topic(topic.id);
    let broker = broker.clone();
    tokio::spawn(async move {
        deleted.await?;
        broker.topic_deleted(&topic);
        Ok(())
    })
}

fn result<'a>(state: &'a DeleteTopicState<'_>, topic: Option<&Topic>) -> DeletableTopicResult<'a> {
    let name = match topic {
        Some(topic) => Some(Cow::Owned(topic.name.to_string())),
        None => state.name.as_deref().map(Cow::Borrowed),
    };
    let topic_id = topic.map_or(state.topic_id, |topic| Uuid(topic.id.0));
    DeletableTopicResult { name, topic_id, ..Default::default() }
}

fn refused<'a>(
    state: &'a DeleteTopicState<'_>,
    topic: Option<&Topic>,
    (error_code, reason): Refusal,
) -> DeletableTopicResult<'a> {
    DeletableTopicResult { error_code, error_message: Some(Cow::Borrowed(reason)), ..result(state, topic) }
}
