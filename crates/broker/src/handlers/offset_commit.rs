//! OffsetCommit (key 8), versions 2 to 10.
//!
//! Version 3 adds the throttle time, 5 drops the retention time (KIP-211), 6 adds the leader epoch (KIP-320), 7 static
//! members (KIP-345), 8 the flexible encoding, 9 lets members of the consumer protocol commit (KIP-848), 10 names topics by
//! id (KIP-848).
//!
//! A partition that does not exist is refused here with UNKNOWN_TOPIC_OR_PARTITION (an unknown id with UNKNOWN_TOPIC_ID);
//! a commit whose records would be larger than any client's is refused with INVALID_COMMIT_OFFSET_SIZE; all other rules are
//! the core's.

use std::sync::Arc;

use ottla_groups::{CommitOffsets, CommitPartition, CommitTopic, Request as Asked, Seen, TopicResults};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    OffsetCommitRequest, OffsetCommitRequestTopic, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};
use ottla_storage::{Metadata, PartitionId, TopicId};

use crate::Broker;
use crate::context::{Context, Operation, Resource};
use crate::fetch::ReaderIdentity;
use crate::groups::wire::{code_or_none, expect_answer, outcome};
use crate::request::{Handled, Request};

/// From this version on members of the consumer protocol commit in their epoch.
const MEMBER_EPOCHS: i16 = 9;
/// From this version on topics are named by id.
const BY_ID: i16 = 10;
/// From this version on a generation of a group that does not exist is GROUP_ID_NOT_FOUND, before ILLEGAL_GENERATION.
const MISSING_GROUP_IS_NAMED: i16 = 9;
/// How much the records of one commit may take, in bytes. Each record repeats the names of group and topic, so a small
/// request can ask for large records. Kafka's bound is a mebibyte.
const MAX_RECORD_BYTES: usize = 32 << 20;
/// What a commit's record takes besides its names and metadata, in bytes, roughly.
const RECORD_OVERHEAD_BYTES: usize = 128;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: OffsetCommitRequest<'_> = request.decode()?;
    let topics = if context.authorize(Operation::Read, Resource::Group(&message.group_id)) {
        commit(&context, &message, request.version).await
    } else {
        message.topics.iter().map(|topic| answered(topic, |_| ErrorCode::GROUP_AUTHORIZATION_FAILED)).collect()
    };
    request.respond(&OffsetCommitResponse { topics, ..Default::default() })
}

/// Commits what can be committed; answers for every partition asked, in order.
async fn commit<'a>(
    context: &Context,
    message: &OffsetCommitRequest<'a>,
    version: i16,
) -> Vec<OffsetCommitResponseTopic<'a>> {
    let planned = match Planned::of(context, &message.group_id, &message.topics, version) {
        Ok(planned) => planned,
        Err(code) => return message.topics.iter().map(|topic| answered(topic, |_| code)).collect(),
    };
    let topics = planned.commits(context);
    let codes = if topics.is_empty() { Vec::new() } else { committed(context, message, topics, version).await };
    planned.answer(codes)
}

/// A commit, by what of it can be committed.
pub(super) struct Planned<'m, 'a> {
    asked: &'m [OffsetCommitRequestTopic<'a>],
    accepted: Vec<Result<Accepted, ErrorCode>>,
}

impl<'m, 'a> Planned<'m, 'a> {
    /// Looks at what is asked.
    ///
    /// # Errors
    /// All of it is too large.
    pub(super) fn of(
        context: &Context,
        group_id: &str,
        asked: &'m [OffsetCommitRequestTopic<'a>],
        version: i16,
    ) -> Result<Self, ErrorCode> {
        let metadata = context.broker().engine().metadata();
        let accepted: Vec<_> = asked.iter().map(|topic| accept(context, &metadata, group_id, topic, version)).collect();
        let sizes = accepted.iter().flatten().map(|accepted| accepted.record_bytes);
        let is_too_large = sizes.fold(0, usize::saturating_add) > MAX_RECORD_BYTES;
        if is_too_large { Err(ErrorCode::INVALID_COMMIT_OFFSET_SIZE) } else { Ok(Planned { asked, accepted }) }
    }

    /// What the core is asked to commit.
    pub(super) fn commits(&self, context: &Context) -> Vec<CommitTopic> {
        let who = context.reader_identity();
        let topics = self.asked.iter().zip(&self.accepted);
        let commits =
            topics.filter_map(|(asked, accepted)| accepted.as_ref().ok()?.commit(context.broker(), &who, asked));
        commits.collect()
    }

    /// The answer, with the core's codes for what was committed, in order.
    pub(super) fn answer(&self, codes: Vec<ErrorCode>) -> Vec<OffsetCommitResponseTopic<'a>> {
        let mut codes = codes.into_iter();
        let answers = self.asked.iter().zip(&self.accepted).map(|(asked, accepted)| match accepted {
            Err(code) => answered(asked, |_| *code),
            Ok(accepted) => answered(asked, |partition| {
                if accepted.has(partition) {
                    codes.next().unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR)
                } else {
                    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
                }
            }),
        });
        answers.collect()
    }
}

/// A topic that exists and may be read.
struct Accepted {
    name: Arc<str>,
    topic_id: [u8; 16],
    partition_count: i32,
    /// What the records of its commits take, roughly.
    record_bytes: usize,
}

impl Accepted {
    fn has(&self, partition: i32) -> bool {
        (0..self.partition_count).contains(&partition)
    }

    /// The commits to those of its partitions that exist, if there are any.
    fn commit(
        &self,
        broker: &Broker,
        who: &ReaderIdentity,
        asked: &OffsetCommitRequestTopic<'_>,
    ) -> Option<CommitTopic> {
        let existing = asked.partitions.iter().filter(|asked| self.has(asked.partition_index));
        let partitions = existing.map(|asked| CommitPartition {
            partition: asked.partition_index,
            offset: asked.committed_offset,
            leader_epoch: asked.committed_leader_epoch,
            metadata: asked.committed_metadata.as_deref().unwrap_or_default().to_owned(),
            seen: seen(broker, who, PartitionId { topic: TopicId(self.topic_id), index: asked.partition_index }),
        });
        let partitions: Vec<_> = partitions.collect();
        let some = !partitions.is_empty();
        some.then(|| CommitTopic { name: self.name.to_string(), topic_id: Some(self.topic_id), partitions })
    }
}

/// What is known of a partition as it is committed to, for the group's story.
fn seen(broker: &Broker, who: &ReaderIdentity, partition: PartitionId) -> Seen {
    let bounds = broker.engine().bounds(partition).ok();
    Seen {
        log_start: bounds.map(|bounds| bounds.log_start_offset),
        log_end: bounds.map(|bounds| bounds.last_stable_offset),
        read: broker.fetches.watch.ranges(partition, who),
    }
}

fn accept(
    context: &Context,
    metadata: &Metadata,
    group_id: &str,
    asked: &OffsetCommitRequestTopic<'_>,
    version: i16,
) -> Result<Accepted, ErrorCode> {
    let topic = if version >= BY_ID {
        metadata.by_id(TopicId(asked.topic_id.0)).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?
    } else {
        metadata.by_name(&asked.name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?
    };
    if !context.authorize(Operation::Read, Resource::Topic(&topic.name)) {
        return Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    }
    let names_bytes = group_id.len() + topic.name.len() + RECORD_OVERHEAD_BYTES;
    let metadata_bytes = asked.partitions.iter().map(|asked| asked.committed_metadata.as_deref().map_or(0, str::len));
    let record_bytes = asked.partitions.len().saturating_mul(names_bytes) + metadata_bytes.sum::<usize>();
    Ok(Accepted { name: topic.name.clone(), topic_id: topic.id.0, partition_count: topic.partitions, record_bytes })
}

/// Hands the commit to the core; one code for each partition, in order.
async fn committed(
    context: &Context,
    message: &OffsetCommitRequest<'_>,
    topics: Vec<CommitTopic>,
    version: i16,
) -> Vec<ErrorCode> {
    let count = topics.iter().map(|topic| topic.partitions.len()).sum();
    let commit = CommitOffsets {
        group_id: message.group_id.to_string(),
        member_id: message.member_id.to_string(),
        group_instance_id: message.group_instance_id.as_ref().map(|id| id.to_string()),
        generation_id: message.generation_id_or_member_epoch,
        knows_epochs: version >= MEMBER_EPOCHS,
        retention_time_ms: (message.retention_time_ms >= 0).then_some(message.retention_time_ms),
        topics,
    };
    let groups = &context.broker().groups;
    let awaited = groups.submit_over(context.member_connection(), &message.group_id, Asked::CommitOffsets(commit));
    match expect_answer!(awaited, CommitOffsets).and_then(outcome) {
        Ok(topics) => codes_of(topics),
        Err(ErrorCode::GROUP_ID_NOT_FOUND) if version < MISSING_GROUP_IS_NAMED => {
            vec![ErrorCode::ILLEGAL_GENERATION; count]
        }
        Err(code) => vec![code; count],
    }
}

/// One code for each partition, in order.
pub(super) fn codes_of(topics: Vec<TopicResults>) -> Vec<ErrorCode> {
    let partitions = topics.into_iter().flat_map(|topic| topic.partitions);
    partitions.map(|partition| code_or_none(partition.error)).collect()
}

pub(super) fn answered<'a>(
    asked: &OffsetCommitRequestTopic<'a>,
    mut code: impl FnMut(i32) -> ErrorCode,
) -> OffsetCommitResponseTopic<'a> {
    let partitions = asked.partitions.iter().map(|partition| OffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: code(partition.partition_index),
    });
    OffsetCommitResponseTopic { name: asked.name.clone(), topic_id: asked.topic_id, partitions: partitions.collect() }
}
