//! CreateTopics (key 19), versions 2 to 7.
//!
//! Version 4 lets partitions and replicas be left to the broker (KIP-464), 5 answers with the new topic's configs (KIP-525)
//! and has the flexible encoding, 6 allows THROTTLING_QUOTA_EXCEEDED, 7 answers with topic ids (KIP-516).
//!
//! A topic is there for all requests once it is answered. As in Kafka, 10,000 partitions is the most for one request, and a
//! timeout leaves the creation going on. Not done: more than one replica (INVALID_REPLICATION_FACTOR), internal topics by
//! clients.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use ottla_protocol::messages::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest,
    CreateTopicsResponse,
};
use ottla_protocol::{ErrorCode, Uuid};
use ottla_storage::{Metadata, MetadataError, NewTopic, Topic};

use super::describe_configs::{OwnConfig, topic_configs};
use crate::context::{Context, Operation, Resource};
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};
use crate::topics::{self, Creating};
use crate::{Broker, config, errors, quotas};

/// What one request may create, as in Kafka.
const MOST_PARTITIONS: i64 = 10_000;
/// From here on clients know THROTTLING_QUOTA_EXCEEDED (KIP-599).
const KNOWS_QUOTAS: i16 = 6;
/// "As the broker sees fit", for partitions and for replicas.
const BROKERS_CHOICE: i32 = -1;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: CreateTopicsRequest<'_> = decode_question(&request)?;
    let broker = context.broker();
    let (topics, twice) = apart(&message.topics);
    let metadata = broker.engine().metadata();
    let excessive = is_excessive(&topics, broker);
    // Everything is begun before the first wait, so that later requests of this connection come after it.
    let begun: Vec<_> = topics
        .iter()
        .map(|topic| match excessive {
            true => Step::Done(refused(&topic.name, Refusal::excessive())),
            false => begin(&context, &request, &metadata, topic, message.validate_only),
        })
        .collect();
    let mut results = finish(&context, begun, message.timeout_ms).await;
    results.extend(twice.into_iter().map(|name| refused(name, Refusal::twice())));
    request.respond(&CreateTopicsResponse { topics: results, ..Default::default() })
}

/// Topics named once, and the names that came more than once.
fn apart<'m, 'a>(topics: &'m [CreatableTopic<'a>]) -> (Vec<&'m CreatableTopic<'a>>, Vec<&'m Cow<'a, str>>) {
    let mut counts: HashMap<&str, usize> = HashMap::with_capacity(topics.len());
    for topic in topics {
        *counts.entry(&topic.name).or_default() += 1;
    }
    let once = topics.iter().filter(|topic| counts.get(&*topic.name) == Some(&1)).collect();
    let mut twice = Vec::new();
    for topic in topics {
        if counts.get(&*topic.name).is_some_and(|count| *count > 1) {
            counts.remove(&*topic.name);
            twice.push(&topic.name);
        }
    }
    (once, twice)
}

fn is_excessive(topics: &[&CreatableTopic<'_>], broker: &Broker) -> bool {
    let default = i64::from(broker.config().settings().num_partitions);
    let partitions = |topic: &&CreatableTopic<'_>| match topic.assignments.len() as i64 {
        0 if topic.num_partitions == BROKERS_CHOICE => default,
        0 => i64::from(topic.num_partitions.max(0)),
        assigned => assigned,
    };
    topics.iter().map(partitions).fold(0i64, i64::saturating_add) > MOST_PARTITIONS
}

/// Why a topic is not created.
struct Refusal {
    code: ErrorCode,
    reason: Cow<'static, str>,
}

impl Refusal {
    fn new(code: ErrorCode, reason: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { code, reason: reason.into() }
    }

    fn excessive() -> Refusal {
        Refusal::new(ErrorCode::POLICY_VIOLATION, "one request may create at most 10000 partitions")
    }

    fn twice() -> Refusal {
        Refusal::new(ErrorCode::INVALID_REQUEST, "the request names this topic more than once")
    }
}

enum Step<'a> {
    Done(CreatableTopicResult<'a>),
    UnderWay(&'a str, Creating),
}

fn begin<'a>(
    context: &Context,
    request: &Request,
    metadata: &Metadata,
    topic: &'a CreatableTopic<'_>,
    validate_only: bool,
) -> Step<'a> {
    let broker = context.broker();
    match plan(context, metadata, topic) {
        Err(refusal) => Step::Done(refused(&topic.name, refusal)),
        // A question counts as well, as in Kafka.
        Ok(new) if !request.may_mutate(new.partitions, request.version >= KNOWS_QUOTAS) => {
            Step::Done(refused(&topic.name, Refusal::new(ErrorCode::THROTTLING_QUOTA_EXCEEDED, quotas::EXCEEDED)))
        }
        Ok(new) if validate_only => {
            // Kafka answers a validation with an id of no topic; a zero cannot be mistaken for one.
            let name = Arc::from(&*new.name);
            let made =
                Topic { id: ottla_storage::TopicId([0; 16]), name, partitions: new.partitions, configs: new.configs };
            Step::Done(created(context, &topic.name, &made))
        }
        Ok(new) => Step::UnderWay(&topic.name, broker.creations.begin(broker, new)),
    }
}

/// Checks one topic in Kafka's order: the name, whether it exists, its configs, its partitions.
fn plan(context: &Context, metadata: &Metadata, topic: &CreatableTopic<'_>) -> Result<NewTopic, Refusal> {
    let name = &*topic.name;
    let broker = context.broker();
    let allowed = context.authorize(Operation::Create, Resource::Cluster)
        || context.authorize(Operation::Create, Resource::Topic(name));
    if !allowed {
        return Err(Refusal::new(ErrorCode::TOPIC_AUTHORIZATION_FAILED, "not allowed to create this topic"));
    }
    topics::check_topic_name(name).map_err(|reason| Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, reason))?;
    if metadata.by_name(name).is_some() {
        return Err(exists(name));
    }
    if topics::is_reserved(name) {
        let reason = format!("{name} is an internal topic: only the broker itself creates it");
        return Err(Refusal::new(ErrorCode::INVALID_REQUEST, reason));
    }
    if let Some(other) = topics::colliding(metadata, name) {
        let reason = format!("the topic {} differs only in '.' and '_'", other.name);
        return Err(Refusal::new(ErrorCode::INVALID_TOPIC_EXCEPTION, reason));
    }
    let configs = topic.configs.iter().map(|config| (&*config.name, config.value.as_deref()));
    let configs = config::topic::check(configs, &broker.config())
        .map_err(|reason| Refusal::new(ErrorCode::INVALID_CONFIG, reason))?;
    let partitions = match topic.assignments.is_empty() {
        true => counted_partitions(broker, topic)?,
        false => assigned_partitions(broker, topic)?,
    };
    Ok(NewTopic { name: name.to_owned(), id: broker.new_topic_id(), partitions, configs })
}

fn exists(name: &str) -> Refusal {
    Refusal::new(ErrorCode::TOPIC_ALREADY_EXISTS, format!("the topic {name} exists already"))
}

fn counted_partitions(broker: &Broker, topic: &CreatableTopic<'_>) -> Result<i32, Refusal> {
    if !matches!(i32::from(topic.replication_factor), BROKERS_CHOICE | 1) {
        let reason = format!(
            "a replication factor of {} is not possible: every partition has one replica here (1, or -1)",
            topic.replication_factor
        );
        return Err(Refusal::new(ErrorCode::INVALID_REPLICATION_FACTOR, reason));
    }
    match topic.num_partitions {
        BROKERS_CHOICE => Ok(broker.config().settings().num_partitions),
        count if count > 0 => Ok(count),
        count => {
            let reason = format!("a topic has at least one partition (or -1: as the broker says), not {count}");
            Err(Refusal::new(ErrorCode::INVALID_PARTITIONS, reason))
        }
    }
}

fn assigned_partitions(broker: &Broker, topic: &CreatableTopic<'_>) -> Result<i32, Refusal> {
    let invalid = |reason: String| Refusal::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, reason);
    if topic.num_partitions != BROKERS_CHOICE || i32::from(topic.replication_factor) != BROKERS_CHOICE {
        let reason = "with assignments the numbers of partitions and replicas must be -1";
        return Err(Refusal::new(ErrorCode::INVALID_REQUEST, reason));
    }
    let mut indexes: Vec<i32> = topic.assignments.iter().map(|assigned| assigned.partition_index).collect();
    indexes.sort_unstable();
    if let Some(pair) = indexes.windows(2).find(|pair| pair.first() == pair.last()) {
        return Err(invalid(format!("partition {} is assigned more than once", pair[0])));
    }
    if !indexes.iter().copied().eq(0..topic.assignments.len() as i32) {
        return Err(invalid("the assigned partitions must be 0, 1, 2 and so on without a gap".to_owned()));
    }
    for CreatableReplicaAssignment { partition_index, broker_ids } in &topic.assignments {
        let node_id = broker.identity().node_id;
        if *broker_ids != [node_id] {
            return Err(invalid(format!(
                "partition {partition_index} must be assigned to broker {node_id} alone: there is no other"
            )));
        }
    }
    Ok(topic.assignments.len() as i32)
}

/// Waits for the creations, all together as long as the client wants to.
async fn finish<'a>(context: &Context, begun: Vec<Step<'a>>, timeout_ms: i32) -> Vec<CreatableTopicResult<'a>> {
    let deadline = tokio::time::sleep(Duration::from_millis(timeout_ms.try_into().unwrap_or(0)));
    tokio::pin!(deadline);
    let mut results = Vec::with_capacity(begun.len());
    for step in begun {
        let (name, creating) = match step {
            Step::Done(result) => {
                results.push(result);
                continue;
            }
            Step::UnderWay(name, creating) => (name, creating),
        };
        let outcome = tokio::select! {
            biased;
            outcome = creating.only_ours() => outcome,
            () = &mut deadline => {
                let reason = "the topic is not created yet; its creation goes on";
                results.push(refused(name, Refusal::new(ErrorCode::REQUEST_TIMED_OUT, reason)));
                continue;
            }
        };
        results.push(match outcome {
            Ok(topic) => created(context, name, &topic),
            Err(MetadataError::TopicExists) => refused(name, exists(name)),
            Err(error) => refused(name, Refusal::new(errors::of_metadata(&error), errors::message_of_metadata(&error))),
        });
    }
    results
}

fn refused(name: &str, refusal: Refusal) -> CreatableTopicResult<'_> {
    CreatableTopicResult {
        name: Cow::Borrowed(name),
        error_code: refusal.code,
        error_message: Some(refusal.reason),
        ..Default::default()
    }
}

fn created<'a>(context: &Context, name: &'a str, topic: &Topic) -> CreatableTopicResult<'a> {
    let mut result = CreatableTopicResult {
        name: Cow::Borrowed(name),
        topic_id: Uuid(topic.id.0),
        error_message: None,
        ..Default::default()
    };
    if context.authorize(Operation::DescribeConfigs, Resource::Topic(name)) {
        result.num_partitions = topic.partitions;
        result.replication_factor = 1;
        result.configs = Some(shown_configs(context, &topic.configs));
    } else {
        result.topic_config_error_code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
        result.configs = None;
    }
    result
}

fn shown_configs(context: &Context, configs: &BTreeMap<String, String>) -> Vec<CreatableTopicConfigs<'static>> {
    let shown = |config: OwnConfig<'_>| CreatableTopicConfigs {
        name: Cow::Borrowed(config.property.name),
        value: Some(Cow::Owned(config.value.into_owned())),
        read_only: false,
        config_source: config.source,
        is_sensitive: false,
    };
    topic_configs(configs, &context.broker().config()).map(shown).collect()
}
