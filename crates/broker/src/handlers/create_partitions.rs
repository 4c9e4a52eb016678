//! CreatePartitions (key 37), versions 0 to 3: gives topics more partitions (KIP-195).
//!
//! Version 2 has the flexible encoding, 3 allows THROTTLING_QUOTA_EXCEEDED. Records with a key go to other partitions from then
//! on, for the producers' hash counts partitions; members of groups notice by their metadata and rebalance.
//!
//! One request may create 10,000 partitions, and a timeout leaves the creation going on. Not done: internal topics
//! (INVALID_REQUEST).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult,
};
use ottla_storage::{Metadata, MetadataError, PartitionId, Pending, Topic};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};
use crate::{Broker, errors, quotas, topics};

/// What one request may create.
const MOST_PARTITIONS: i64 = 10_000;

/// From here on clients know THROTTLING_QUOTA_EXCEEDED (KIP-599).
const KNOWS_QUOTAS: i16 = 3;

type Failure = (ErrorCode, Cow<'static, str>);
type Creating = Pending<Arc<Topic>, MetadataError>;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: CreatePartitionsRequest<'_> = decode_question(&request)?;
    let _in_order = context.hold_order();
    let (wanted, twice) = apart(&message.topics);
    let begun: Vec<_> = begin(&context, &request, &wanted, message.validate_only);
    let deadline = tokio::time::sleep(Duration::from_millis(message.timeout_ms.try_into().unwrap_or(0)));
    tokio::pin!(deadline);
    let mut results = Vec::with_capacity(message.topics.len());
    for (asked, begun) in wanted.iter().zip(begun) {
        let outcome = match begun {
            Err(failure) => Err(failure),
            Ok(None) => Ok(()),
            Ok(Some((creating, before))) => tokio::select! {
                biased;
                created = creating => finish(context.broker(), before, created),
                () = &mut deadline => {
                    Err((ErrorCode::REQUEST_TIMED_OUT, "the partitions are not created yet; their creation goes on".into()))
                }
            },
        };
        results.push(result(&asked.name, outcome));
    }
    let refused = || Err((ErrorCode::INVALID_REQUEST, "the request names this topic more than once".into()));
    results.extend(twice.into_iter().map(|name| result(name, refused())));
    request.respond(&CreatePartitionsResponse { results, ..Default::default() })
}

/// Topics named once, and the names that came more than once.
fn apart<'m, 'a>(topics: &'m [CreatePartitionsTopic<'a>]) -> (Vec<&'m CreatePartitionsTopic<'a>>, Vec<&'m str>) {
    let mut counts: HashMap<&str, usize> = HashMap::with_capacity(topics.len());
    for topic in topics {
        *counts.entry(&topic.name).or_default() += 1;
    }
    let once = topics.iter().filter(|topic| counts.get(&*topic.name) == Some(&1)).collect();
    let twice = topics.iter().filter(|topic| counts.remove(&*topic.name).is_some_and(|count| count > 1));
    (once, twice.map(|topic| &*topic.name).collect())
}

type Begun = Result<Option<(Creating, Arc<Topic>)>, Failure>;

/// Checks all topics and begins their creations; nothing is begun if the client only wants to know.
fn begin(
    context: &Context,
    request: &Request,
    wanted: &[&CreatePartitionsTopic<'_>],
    validate_only: bool,
) -> Vec<Begun> {
    let engine = context.broker().engine();
    let metadata = engine.metadata();
    let mut budget = MOST_PARTITIONS;
    let begin = |asked: &&CreatePartitionsTopic<'_>| {
        let topic = check(context, &metadata, asked)?;
        let more = asked.count - topic.partitions;
        budget -= i64::from(more);
        if budget < 0 {
            let reason = format!("one request may create at most {MOST_PARTITIONS} partitions");
            return Err((ErrorCode::POLICY_VIOLATION, reason.into()));
        }
        // A question counts as well, as in Kafka.
        if !request.may_mutate(more, request.version >= KNOWS_QUOTAS) {
            return Err((ErrorCode::THROTTLING_QUOTA_EXCEEDED, quotas::EXCEEDED.into()));
        }
        Ok((!validate_only).then(|| (engine.create_partitions(topic.id, asked.count), topic.clone())))
    };
    wanted.iter().map(begin).collect()
}

/// Checks one topic in Kafka's order: whether it exists, the count, the assignments.
fn check<'m>(
    context: &Context,
    metadata: &'m Metadata,
    asked: &CreatePartitionsTopic<'_>,
) -> Result<&'m Arc<Topic>, Failure> {
    if !context.authorize(Operation::Alter, Resource::Topic(&asked.name)) {
        return Err((ErrorCode::TOPIC_AUTHORIZATION_FAILED, "not allowed to change this topic".into()));
    }
    let unknown = || (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "there is no such topic".into());
    let topic = metadata.by_name(&asked.name).ok_or_else(unknown)?;
    if topics::is_internal(&topic.name) {
        let reason = format!("{} is an internal topic: its partitions are fixed when it is created", topic.name);
        return Err((ErrorCode::INVALID_REQUEST, reason.into()));
    }
    if asked.count <= topic.partitions {
        return Err(not_more(topic.partitions, asked.count));
    }
    check_assignments(context.broker().identity().node_id, asked, asked.count - topic.partitions)?;
    Ok(topic)
}

fn not_more(partitions: i32, wanted: i32) -> Failure {
    let reason = match wanted == partitions {
        true => format!("the topic has {partitions} partitions already"),
        false => format!("the topic has {partitions} partitions, and {wanted} would not be more: partitions only grow"),
    };
    (ErrorCode::INVALID_PARTITIONS, reason.into())
}

fn check_assignments(node_id: i32, asked: &CreatePartitionsTopic<'_>, more: i32) -> Result<(), Failure> {
    let Some(assignments) = &asked.assignments else { return Ok(()) };
    let invalid = |reason: String| Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, reason.into()));
    if assignments.len() as i64 != i64::from(more) {
        return invalid(format!("{more} partitions are to be added, and {} assigned", assignments.len()));
    }
    match assignments.iter().all(|assignment| assignment.broker_ids == [node_id]) {
        true => Ok(()),
        false => invalid(format!("every partition must be assigned to broker {node_id} alone: there is no other")),
    }
}

fn finish(broker: &Broker, before: Arc<Topic>, created: Result<Arc<Topic>, MetadataError>) -> Result<(), Failure> {
    match created {
        Ok(topic) => {
            tracing::info!(topic = &*topic.name, from = before.partitions, to = topic.partitions, "partitions added");
            // A fetch session may have asked for a partition before it was there.
            let id = |index| PartitionId { topic: topic.id, index };
            broker.fetches.changed(&(before.partitions..topic.partitions).map(id).collect::<Vec<_>>());
            Ok(())
        }
        // Somebody else was faster.
        Err(MetadataError::NotMorePartitions { partitions }) => {
            Err((ErrorCode::INVALID_PARTITIONS, format!("the topic has {partitions} partitions by now").into()))
        }
        Err(error) => Err((errors::of_metadata(&error), errors::message_of_metadata(&error).into())),
    }
}

fn result<'a>(name: &'a str, outcome: Result<(), Failure>) -> CreatePartitionsTopicResult<'a> {
    let (error_code, error_message) = match outcome {
        Ok(()) => (ErrorCode::NONE, None),
        Err((code, reason)) => (code, Some(reason)),
    };
    CreatePartitionsTopicResult { name: Cow::Borrowed(name), error_code, error_message }
}
