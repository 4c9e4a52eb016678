//! Metadata (key 3), versions 0 to 13: this node, and topics with their partitions.
//!
//! Version 1 adds null for all topics (in version 0 an empty list means that) and `is_internal`, 2 the cluster id, 3 the throttle
//! time, 4 leaves creation to the client's wish, 5 offline replicas, 7 leader epochs, 8 allowed operations, 9 the flexible
//! encoding, 10 topic ids, 11 drops the cluster's operations, 12 lets a topic be asked for by id alone, 13 an error for all.
//!
//! One node leads every partition and is its only replica, in leader epoch 0. A topic that does not exist is created where
//! the client and `auto.create.topics.enable` want it (see [`crate::topics`]).

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use ottla_protocol::messages::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use ottla_protocol::{ErrorCode, Uuid};
use ottla_storage::{Topic, TopicId};

use crate::context::{Context, Operation, Resource};
use crate::fetch::LEADER_EPOCH;
use crate::groups::wire::decode_question;
use crate::operations;
use crate::request::{Handled, Request};
use crate::{advertised, topics};

/// Version 0 cannot say "all" with a null, so that an empty list says it.
const FIRST_VERSION_WITH_NULL_TOPICS: i16 = 1;
const FIRST_VERSION_WITH_LOOKUP_BY_ID: i16 = 12;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: MetadataRequest<'_> = decode_question(&request)?;
    let described = Described {
        node_id: context.broker().identity().node_id,
        with_operations: message.include_topic_authorized_operations,
    };
    let asked = message
        .topics
        .as_ref()
        .filter(|topics| !(topics.is_empty() && request.version < FIRST_VERSION_WITH_NULL_TOPICS));
    let answers = match asked {
        None => all_topics(&context, &described),
        Some(asked) if !may_be_asked(asked, request.version) => asked
            .iter()
            .map(|topic| no_topic(ErrorCode::INVALID_REQUEST, topic.name.as_deref(), topic.topic_id))
            .collect(),
        Some(asked) => {
            let mut answers = Vec::with_capacity(asked.len());
            let mut seen = HashSet::new();
            for topic in asked.iter().filter(|topic| seen.insert((topic.topic_id, &topic.name))) {
                answers.push(one_topic(&context, &described, &message, &request, topic).await);
            }
            answers
        }
    };
    let (host, port) = advertised::address(&context);
    let identity = context.broker().identity();
    let mut response = MetadataResponse {
        brokers: vec![MetadataResponseBroker { node_id: identity.node_id, host: Cow::Owned(host), port, rack: None }],
        cluster_id: Some(Cow::Borrowed(&identity.cluster_id)),
        controller_id: identity.node_id,
        topics: answers,
        ..Default::default()
    };
    if message.include_cluster_authorized_operations {
        response.cluster_authorized_operations = operations::CLUSTER;
    }
    request.respond(&response)
}

/// Versions 10 and 11 have a field for the id and do not look topics up by it yet; without an id a topic needs a name.
fn may_be_asked(asked: &[MetadataRequestTopic<'_>], version: i16) -> bool {
    asked.iter().all(|topic| match topic.topic_id.is_zero() {
        true => topic.name.is_some(),
        false => version >= FIRST_VERSION_WITH_LOOKUP_BY_ID,
    })
}

/// How topics are described in this answer.
struct Described {
    node_id: i32,
    with_operations: bool,
}

fn all_topics(context: &Context, described: &Described) -> Vec<MetadataResponseTopic<'static>> {
    let metadata = context.broker().engine().metadata();
    let visible =
        metadata.topics().filter(|topic| context.authorize(Operation::Describe, Resource::Topic(&topic.name)));
    let listed = visible.filter(|topic| topics::is_listed(&topic.name));
    listed.map(|topic| described.topic(topic)).collect()
}

async fn one_topic(
    context: &Context,
    described: &Described,
    message: &MetadataRequest<'_>,
    request: &Request,
    asked: &MetadataRequestTopic<'_>,
) -> MetadataResponseTopic<'static> {
    let metadata = context.broker().engine().metadata();
    let by_id = !asked.topic_id.is_zero() && request.version >= FIRST_VERSION_WITH_LOOKUP_BY_ID;
    let name = match &asked.name {
        Some(name) if !by_id => name,
        _ => {
            return match metadata.by_id(TopicId(asked.topic_id.0)) {
                Some(topic) if context.authorize(Operation::Describe, Resource::Topic(&topic.name)) => {
                    described.topic(topic)
                }
                _ => no_topic(ErrorCode::UNKNOWN_TOPIC_ID, None, asked.topic_id),
            };
        }
    };
    if !context.authorize(Operation::Describe, Resource::Topic(name)) {
        return no_topic(ErrorCode::TOPIC_AUTHORIZATION_FAILED, Some(name), Uuid::ZERO);
    }
    if let Some(topic) = metadata.by_name(name) {
        return described.topic(topic);
    }
    if topics::check_topic_name(name).is_err() {
        return described.missing(ErrorCode::INVALID_TOPIC_EXCEPTION, name);
    }
    if !(message.allow_auto_topic_creation && context.broker().config().settings().auto_create_topics) {
        return described.missing(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, name);
    }
    // It asks again, and gets the topic once its quota allows one more.
    let partitions = context.broker().config().settings().num_partitions;
    if request.metered.as_ref().is_some_and(|metered| !metered.may_mutate_unasked(partitions)) {
        return described.missing(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, name);
    }
    let hold = context.hold_order();
    let created = topics::auto_create(context, name).await;
    drop(hold);
    match created {
        Ok(topic) => described.topic(&topic),
        Err(error) => described.missing(error, name),
    }
}

fn no_topic(error_code: ErrorCode, name: Option<&str>, id: Uuid) -> MetadataResponseTopic<'static> {
    let name = name.map(|name| Cow::Owned(name.to_owned()));
    let is_internal = name.as_deref().is_some_and(topics::is_internal);
    MetadataResponseTopic { error_code, name, topic_id: id, is_internal, ..Default::default() }
}

impl Described {
    /// A topic that does not exist; what may be done with it is told all the same.
    fn missing(&self, error: ErrorCode, name: &str) -> MetadataResponseTopic<'static> {
        let mut answer = no_topic(error, Some(name), Uuid::ZERO);
        if self.with_operations {
            answer.topic_authorized_operations = operations::TOPIC;
        }
        answer
    }

    fn topic(&self, topic: &Arc<Topic>) -> MetadataResponseTopic<'static> {
        let partition = |index| MetadataResponsePartition {
            error_code: ErrorCode::NONE,
            partition_index: index,
            leader_id: self.node_id,
            leader_epoch: LEADER_EPOCH,
            replica_nodes: vec![self.node_id],
            isr_nodes: vec![self.node_id],
            offline_replicas: Vec::new(),
        };
        let mut answer = MetadataResponseTopic {
            error_code: ErrorCode::NONE,
            name: Some(Cow::Owned(topic.name.to_string())),
            topic_id: Uuid(topic.id.0),
            is_internal: topics::is_internal(&topic.name),
            partitions: (0..topic.partitions).map(partition).collect(),
            ..Default::default()
        };
        if self.with_operations {
            answer.topic_authorized_operations = operations::TOPIC;
        }
        answer
    }
}
