//! OffsetFetch (key 9), versions 1 to 10.
//!
//! Version 2 adds the group's error and "all topics", 3 the throttle time, 5 the leader epoch (KIP-320), 6 the flexible
//! encoding, 7 `require_stable` (KIP-447), 8 several groups (KIP-709), 9 the member of a group of the consumer protocol
//! (KIP-848), 10 topics by id (KIP-848).
//!
//! A partition without a commit has offset -1 and no error. Not done: no commit waits for a transaction yet, so
//! `require_stable` changes nothing; the member of version 9 is not looked at, as for any group of the classic protocol.

use ottla_groups::{FetchOffsets, FetchTopic, FetchedPartition, FetchedTopic, Request as Asked};
use ottla_protocol::messages::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use ottla_protocol::{ErrorCode, Uuid};
use ottla_storage::TopicId;

use crate::context::{Context, Operation, Resource};
use crate::groups::Awaited;
use crate::groups::wire::{client_info, expect_answer, outcome};
use crate::request::{Handled, Request};

/// From this version on the request names several groups.
const BATCHED: i16 = 8;
/// From this version on topics are named by id.
const BY_ID: i16 = 10;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: OffsetFetchRequest<'_> = request.decode()?;
    let version = request.version;
    if version < BATCHED {
        return request.respond(&fetch_one(&context, message, version).await);
    }
    // Every group is asked before the first answer is awaited: later requests of the connection come after.
    let require_stable = message.require_stable;
    let asked: Vec<_> =
        message.groups.into_iter().map(|group| AskedGroup::ask(&context, group, version, require_stable)).collect();
    let mut groups = Vec::with_capacity(asked.len());
    for group in asked {
        groups.push(group.answer(&context, version).await);
    }
    request.respond(&OffsetFetchResponse { groups, ..Default::default() })
}

/// Hands one group's question to the core; `None` for the topics asks for all that have commits.
fn ask(
    context: &Context,
    group_id: &str,
    topics: Option<Vec<FetchTopic>>,
    require_stable: bool,
) -> Result<Awaited, ErrorCode> {
    if !context.authorize(Operation::Describe, Resource::Group(group_id)) {
        return Err(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    let fetch = FetchOffsets { group_id: group_id.to_owned(), topics, require_stable };
    Ok(context.broker().groups.submit(group_id, client_info(context), Asked::FetchOffsets(fetch)))
}

async fn commits(asked: Result<Awaited, ErrorCode>) -> Result<Vec<FetchedTopic>, ErrorCode> {
    let awaited = asked?;
    expect_answer!(awaited, FetchOffsets).and_then(outcome)
}

fn topic_id_of(context: &Context, name: &str) -> Option<[u8; 16]> {
    context.broker().engine().metadata().by_name(name).map(|topic| topic.id.0)
}

/// Versions 1 to 7: one group, topics by name.
async fn fetch_one(context: &Context, message: OffsetFetchRequest<'_>, version: i16) -> OffsetFetchResponse<'static> {
    let named = |topics: &[OffsetFetchRequestTopic<'_>]| -> Vec<FetchTopic> {
        let topics = topics.iter().map(|topic| FetchTopic {
            name: topic.name.to_string(),
            topic_id: topic_id_of(context, &topic.name),
            partitions: topic.partition_indexes.clone(),
        });
        topics.collect()
    };
    let topics = message.topics.as_deref().map(named);
    match commits(ask(context, &message.group_id, topics.clone(), message.require_stable)).await {
        Ok(fetched) => {
            OffsetFetchResponse { topics: fetched.into_iter().map(named_topic).collect(), ..Default::default() }
        }
        // Version 1 has no error of its own; there each partition carries it.
        Err(error_code) if version < 2 => {
            let topics = topics.unwrap_or_default().into_iter().map(|topic| refused_topic(topic, error_code));
            OffsetFetchResponse { topics: topics.collect(), ..Default::default() }
        }
        Err(error_code) => OffsetFetchResponse { error_code, ..Default::default() },
    }
}

fn named_topic(topic: FetchedTopic) -> OffsetFetchResponseTopic<'static> {
    let partitions = topic.partitions.into_iter().map(|partition| OffsetFetchResponsePartition {
        partition_index: partition.partition,
        committed_offset: partition.offset,
        committed_leader_epoch: partition.leader_epoch,
        metadata: Some(partition.metadata.into()),
        error_code: ErrorCode::NONE,
    });
    OffsetFetchResponseTopic { name: topic.name.into(), partitions: partitions.collect() }
}

fn refused_topic(topic: FetchTopic, error_code: ErrorCode) -> OffsetFetchResponseTopic<'static> {
    let partitions = topic.partitions.into_iter().map(|partition_index| OffsetFetchResponsePartition {
        partition_index,
        committed_offset: -1,
        error_code,
        ..Default::default()
    });
    OffsetFetchResponseTopic { name: topic.name.into(), partitions: partitions.collect() }
}

/// Versions from 8: one of several groups, whose question is with the core.
struct AskedGroup<'a> {
    group_id: std::borrow::Cow<'a, str>,
    awaited: Result<Awaited, ErrorCode>,
    /// Topics that were named by an id nobody has.
    unknown: Vec<OffsetFetchRequestTopics<'a>>,
}

impl<'a> AskedGroup<'a> {
    fn ask(context: &Context, group: OffsetFetchRequestGroup<'a>, version: i16, require_stable: bool) -> Self {
        let mut unknown = Vec::new();
        let topics = group.topics.map(|topics| {
            let known = topics.into_iter().filter_map(|topic| match resolve(context, &topic, version) {
                Some(resolved) => Some(resolved),
                None => {
                    unknown.push(topic);
                    None
                }
            });
            known.collect()
        });
        let awaited = ask(context, &group.group_id, topics, require_stable);
        AskedGroup { group_id: group.group_id, awaited, unknown }
    }

    async fn answer(self, context: &Context, version: i16) -> OffsetFetchResponseGroup<'a> {
        match commits(self.awaited).await {
            Ok(fetched) => {
                let known = fetched.into_iter().filter_map(|topic| answered_topic(context, topic, version));
                let topics = known.chain(self.unknown.into_iter().map(unknown_topic)).collect();
                OffsetFetchResponseGroup { group_id: self.group_id, topics, ..Default::default() }
            }
            Err(error_code) => OffsetFetchResponseGroup { group_id: self.group_id, error_code, ..Default::default() },
        }
    }
}

/// A topic in the core's terms; `None` for an id that nobody has.
fn resolve(context: &Context, topic: &OffsetFetchRequestTopics<'_>, version: i16) -> Option<FetchTopic> {
    let partitions = topic.partition_indexes.clone();
    if version < BY_ID {
        let topic_id = topic_id_of(context, &topic.name);
        return Some(FetchTopic { name: topic.name.to_string(), topic_id, partitions });
    }
    let metadata = context.broker().engine().metadata();
    let found = metadata.by_id(TopicId(topic.topic_id.0))?;
    Some(FetchTopic { name: found.name.to_string(), topic_id: Some(found.id.0), partitions })
}

/// A topic's commits on the wire; by id only topics that still exist can be named.
fn answered_topic(context: &Context, topic: FetchedTopic, version: i16) -> Option<OffsetFetchResponseTopics<'static>> {
    let topic_id = match topic.topic_id.or_else(|| topic_id_of(context, &topic.name)) {
        Some(id) => Uuid(id),
        None if version < BY_ID => Uuid::default(),
        None => return None,
    };
    let partitions = topic.partitions.into_iter().map(commit).collect();
    Some(OffsetFetchResponseTopics { name: topic.name.into(), topic_id, partitions })
}

fn commit(partition: FetchedPartition) -> OffsetFetchResponsePartitions<'static> {
    OffsetFetchResponsePartitions {
        partition_index: partition.partition,
        committed_offset: partition.offset,
        committed_leader_epoch: partition.leader_epoch,
        metadata: Some(partition.metadata.into()),
        error_code: ErrorCode::NONE,
    }
}

fn unknown_topic(topic: OffsetFetchRequestTopics<'_>) -> OffsetFetchResponseTopics<'_> {
    let partitions = topic.partition_indexes.into_iter().map(|partition_index| OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        error_code: ErrorCode::UNKNOWN_TOPIC_ID,
        ..Default::default()
    });
    OffsetFetchResponseTopics { name: topic.name, topic_id: topic.topic_id, partitions: partitions.collect() }
}
