//! OffsetFetch (key 9), versions 1 to 10.
//!
//! Version 2 adds the group's error and "all topics", 3 the throttle time, 5 the leader epoch (KIP-320), 6 the flexible
//! encoding, 7 `require_stable` (KIP-447), 8 several groups (KIP-709), 9 the member of a group of the consumer protocol
//! (KIP-848), 10 topics by id (KIP-848).
//!
//! A partition without a commit has offset -1 and no error; one that is named twice in a group is answered once. The member of
//! version 9 is looked at where the group is one of the consumer protocol.

use std::collections::{HashMap, HashSet};

use ottla_groups::{FetchOffsets, FetchTopic, FetchedPartition, FetchedTopic, Request as Asked};
use ottla_protocol::messages::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse, OffsetFetchResponseGroup,
    OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use ottla_protocol::{ErrorCode, Uuid};
use ottla_storage::{Metadata, TopicId};

use crate::context::{Context, Operation, Resource};
use crate::groups::Awaited;
use crate::groups::wire::{decode_question, error_code, expect_answer, outcome};
use crate::request::{Handled, Request};

/// From this version on the answer has a group's error; before, each partition carries it.
const GROUP_ERROR: i16 = 2;
/// From this version on the request names several groups.
const BATCHED: i16 = 8;
/// From this version on topics are named by id.
const BY_ID: i16 = 10;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: OffsetFetchRequest<'_> = decode_question(&request)?;
    let version = request.version;
    let require_stable = message.require_stable;
    if version < BATCHED {
        let topics = message.topics.map(|topics| {
            let asked = |name: String, partitions| FetchTopic { name, topic_id: None, partitions };
            topics.into_iter().map(|topic| asked(topic.name.into_owned(), topic.partition_indexes)).collect()
        });
        let asks = Asks { member: None, version, require_stable };
        let question = Question::ask(&context, message.group_id.into_owned(), topics, asks);
        return request.respond(&single(question.answer(&context).await));
    }
    // Every group is asked before the first answer is awaited: later requests of the connection come after.
    let mut named = HashSet::new();
    let groups = message.groups.into_iter().filter(|group| named.insert(group.group_id.clone()));
    let asked: Vec<_> = groups.map(|group| ask_one(&context, group, version, require_stable)).collect();
    let mut groups = Vec::with_capacity(asked.len());
    for question in asked {
        groups.push(one_of_several(question.answer(&context).await));
    }
    request.respond(&OffsetFetchResponse { groups, ..Default::default() })
}

fn ask_one(context: &Context, group: OffsetFetchRequestGroup<'_>, version: i16, require_stable: bool) -> Question {
    let topics = group.topics.map(|topics| {
        let asked = topics.into_iter().map(|topic| FetchTopic {
            name: topic.name.into_owned(),
            topic_id: Some(topic.topic_id.0),
            partitions: topic.partition_indexes,
        });
        asked.collect()
    });
    let member = group.member_id.map(|member_id| (member_id.into_owned(), group.member_epoch));
    Question::ask(context, group.group_id.into_owned(), topics, Asks { member, version, require_stable })
}

/// Who asks, and how.
struct Asks {
    /// Of a group of the consumer protocol: member id and epoch.
    member: Option<(String, i32)>,
    version: i16,
    require_stable: bool,
}

/// The commits of one topic, or why there are none, in no version's form.
struct Commits {
    name: String,
    topic_id: Uuid,
    partitions: Vec<(FetchedPartition, ErrorCode)>,
}

impl Commits {
    fn refused(topic: FetchTopic, error_code: ErrorCode) -> Self {
        let none = |partition| FetchedPartition {
            partition,
            offset: -1,
            leader_epoch: -1,
            metadata: String::new(),
            error: None,
        };
        let partitions = topic.partitions.into_iter().map(|partition| (none(partition), error_code)).collect();
        Commits { name: topic.name, topic_id: Uuid(topic.topic_id.unwrap_or_default()), partitions }
    }

    fn found(topic: FetchedTopic) -> Self {
        let code = |partition: &FetchedPartition| partition.error.map_or(ErrorCode::NONE, error_code);
        let partitions = topic.partitions.into_iter().map(|partition| (code(&partition), partition));
        let partitions = partitions.map(|(code, partition)| (partition, code)).collect();
        Commits { name: topic.name, topic_id: Uuid(topic.topic_id.unwrap_or_default()), partitions }
    }
}

/// One group's question, which is with the core.
struct Question {
    group_id: String,
    version: i16,
    /// All topics with commits were asked for.
    all: bool,
    /// What was asked, for an answer that names every partition.
    asked: Vec<FetchTopic>,
    awaited: Result<Awaited, ErrorCode>,
    /// Topics that the core was not asked about.
    refused: Vec<Commits>,
}

/// A group's answer: its commits, or an error for all of it.
struct Answered {
    group_id: String,
    topics: Vec<Commits>,
    error_code: ErrorCode,
}

impl Question {
    /// Hands the question to the core; no topics ask for all that have commits. From version 10 on only the topics' ids are
    /// looked at, before only their names.
    fn ask(context: &Context, group_id: String, topics: Option<Vec<FetchTopic>>, asks: Asks) -> Self {
        let Asks { member, version, require_stable } = asks;
        let all = topics.is_none();
        let asked = if version < GROUP_ERROR { topics.clone().unwrap_or_default() } else { Vec::new() };
        let mut question =
            Question { group_id, version, all, asked, awaited: Err(ErrorCode::NONE), refused: Vec::new() };
        if !context.authorize(Operation::Describe, Resource::Group(&question.group_id)) {
            question.awaited = Err(ErrorCode::GROUP_AUTHORIZATION_FAILED);
            return question;
        }
        let topics = topics.map(|topics| {
            let metadata = context.broker().engine().metadata();
            let known = once(topics).into_iter().filter_map(|topic| {
                let refuse = |(topic, code)| question.refused.push(Commits::refused(topic, code));
                resolve(context, &metadata, topic, version).map_err(refuse).ok()
            });
            known.collect()
        });
        let fetch = FetchOffsets { group_id: question.group_id.clone(), topics, member, require_stable };
        question.awaited = Ok(context.broker().groups.submit(&question.group_id, Asked::FetchOffsets(fetch)));
        question
    }

    async fn answer(self, context: &Context) -> Answered {
        let Question { group_id, version, all, asked, awaited, refused } = self;
        let fetched = match awaited {
            Ok(awaited) => expect_answer!(awaited, FetchOffsets).and_then(outcome),
            Err(code) => Err(code),
        };
        match fetched {
            Ok(fetched) => {
                let metadata = context.broker().engine().metadata();
                let visible = fetched.into_iter().filter(|topic| !all || may_see(context, &metadata, topic, version));
                let topics = visible.map(Commits::found).chain(refused).collect();
                Answered { group_id, topics, error_code: ErrorCode::NONE }
            }
            Err(error_code) => {
                let topics = asked.into_iter().map(|topic| Commits::refused(topic, error_code)).collect();
                Answered { group_id, topics, error_code }
            }
        }
    }
}

/// Every partition once: an answer must not be larger than what there is to tell.
fn once(topics: Vec<FetchTopic>) -> Vec<FetchTopic> {
    let mut seen: HashMap<(String, Option<[u8; 16]>), HashSet<i32>> = HashMap::new();
    let once = topics.into_iter().map(|mut topic| {
        let seen = seen.entry((topic.name.clone(), topic.topic_id)).or_default();
        topic.partitions.retain(|&partition| seen.insert(partition));
        topic
    });
    once.collect()
}

/// A topic in the core's terms, with name and id; a name that no topic has is no error. What is refused comes back.
fn resolve(
    context: &Context,
    metadata: &Metadata,
    topic: FetchTopic,
    version: i16,
) -> Result<FetchTopic, (FetchTopic, ErrorCode)> {
    let resolved = if version < BY_ID {
        let topic_id = metadata.by_name(&topic.name).map(|topic| topic.id.0);
        FetchTopic { topic_id, ..topic }
    } else {
        match metadata.by_id(TopicId(topic.topic_id.unwrap_or_default())) {
            Some(found) => FetchTopic { name: found.name.to_string(), ..topic },
            None => return Err((topic, ErrorCode::UNKNOWN_TOPIC_ID)),
        }
    };
    if context.authorize(Operation::Describe, Resource::Topic(&resolved.name)) {
        Ok(resolved)
    } else {
        Err((resolved, ErrorCode::TOPIC_AUTHORIZATION_FAILED))
    }
}

/// Whether a topic that was not asked for by name belongs into an answer; by id only topics that exist can be named.
fn may_see(context: &Context, metadata: &Metadata, topic: &FetchedTopic, version: i16) -> bool {
    let exists = || metadata.by_name(&topic.name).is_some_and(|found| Some(found.id.0) == topic.topic_id);
    context.authorize(Operation::Describe, Resource::Topic(&topic.name)) && (version < BY_ID || exists())
}

/// Versions 1 to 7.
fn single(answered: Answered) -> OffsetFetchResponse<'static> {
    let topics = answered.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|(partition, error_code)| OffsetFetchResponsePartition {
            partition_index: partition.partition,
            committed_offset: partition.offset,
            committed_leader_epoch: partition.leader_epoch,
            metadata: Some(partition.metadata.into()),
            error_code,
        });
        OffsetFetchResponseTopic { name: topic.name.into(), partitions: partitions.collect() }
    });
    OffsetFetchResponse { topics: topics.collect(), error_code: answered.error_code, ..Default::default() }
}

/// Versions from 8.
fn one_of_several(answered: Answered) -> OffsetFetchResponseGroup<'static> {
    let topics = answered.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.into_iter().map(|(partition, error_code)| OffsetFetchResponsePartitions {
            partition_index: partition.partition,
            committed_offset: partition.offset,
            committed_leader_epoch: partition.leader_epoch,
            metadata: Some(partition.metadata.into()),
            error_code,
        });
        let (name, topic_id) = (topic.name.into(), topic.topic_id);
        OffsetFetchResponseTopics { name, topic_id, partitions: partitions.collect() }
    });
    let topics = topics.collect();
    OffsetFetchResponseGroup { group_id: answered.group_id.into(), topics, error_code: answered.error_code }
}
