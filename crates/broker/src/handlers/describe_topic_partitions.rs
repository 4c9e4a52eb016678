//! DescribeTopicPartitions (key 75), version 0: topics and their partitions, a page at a time (KIP-966).
//!
//! Topics come by name, and the next answer begins where the cursor of the last one says. A page has at most as many partitions as the
//! client asks for, as `max.request.partition.size.limit` allows, and one at least. One node leads every partition and is its only replica.

use std::borrow::Cow;
use std::collections::BTreeSet;

use ottla_protocol::messages::{
    DescribeTopicPartitionsCursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use ottla_protocol::{ErrorCode, OptionalStruct, Uuid};
use ottla_storage::{Metadata, Topic};

use crate::context::{Context, Operation, Resource};
use crate::fetch::LEADER_EPOCH;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};
use crate::{operations, topics};

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: DescribeTopicPartitionsRequest<'_> = decode_question(&request)?;
    let metadata = context.broker().engine().metadata();
    let named: BTreeSet<&str> = message.topics.iter().map(|topic| &*topic.name).collect();
    let wanted = if named.is_empty() { all_topics(&context, &metadata) } else { named };
    let cursor = message.cursor.0.as_ref();
    if cursor.is_some_and(|cursor| !is_in_place(cursor, &wanted, !message.topics.is_empty())) {
        let refused = wanted.iter().map(|name| failed(ErrorCode::INVALID_REQUEST, name)).collect();
        return request.respond(&DescribeTopicPartitionsResponse { topics: refused, ..Default::default() });
    }
    let most = context.broker().config().settings().max_described_partitions;
    let mut page = Page {
        node_id: context.broker().identity().node_id,
        left: usize::try_from(message.response_partition_limit).unwrap_or(0).clamp(1, most),
        topics: Vec::new(),
        next: None,
    };
    let first = cursor.map_or("", |cursor| &*cursor.topic_name);
    for name in wanted.into_iter().filter(|name| *name >= first) {
        let from = cursor.filter(|cursor| cursor.topic_name == name).map_or(0, |cursor| cursor.partition_index);
        if !page.add(&context, &metadata, name, from) {
            break;
        }
    }
    let next_cursor = OptionalStruct(page.next);
    request.respond(&DescribeTopicPartitionsResponse { topics: page.topics, next_cursor, ..Default::default() })
}

fn all_topics<'m>(context: &Context, metadata: &'m Metadata) -> BTreeSet<&'m str> {
    let names = metadata.topics().map(|topic| &*topic.name).filter(|name| topics::is_listed(name));
    names.filter(|name| context.authorize(Operation::Describe, Resource::Topic(name))).collect()
}

/// Where all topics were asked for the cursor's may have gone in the meantime.
fn is_in_place(cursor: &DescribeTopicPartitionsCursor<'_>, wanted: &BTreeSet<&str>, are_named: bool) -> bool {
    cursor.partition_index >= 0 && (!are_named || wanted.contains(&*cursor.topic_name))
}

/// One answer as it grows.
struct Page {
    node_id: i32,
    left: usize,
    topics: Vec<DescribeTopicPartitionsResponseTopic<'static>>,
    next: Option<DescribeTopicPartitionsCursor<'static>>,
}

impl Page {
    /// Adds a topic, or what fits of it; false once the page is full.
    fn add(&mut self, context: &Context, metadata: &Metadata, name: &str, from: i32) -> bool {
        if self.left == 0 {
            return self.ends_before(name, 0);
        }
        let topic = match find(context, metadata, name) {
            Ok(topic) => topic,
            Err(code) => {
                self.topics.push(failed(code, name));
                return true;
            }
        };
        let fitting = i32::try_from(self.left).unwrap_or(i32::MAX);
        let end = topic.partitions.min(from.saturating_add(fitting));
        let partitions: Vec<_> = (from..end).map(|index| self.partition(index)).collect();
        self.left -= partitions.len();
        self.topics.push(DescribeTopicPartitionsResponseTopic {
            error_code: ErrorCode::NONE,
            name: Some(Cow::Owned(name.to_owned())),
            topic_id: Uuid(topic.id.0),
            is_internal: topics::is_internal(name),
            partitions,
            topic_authorized_operations: operations::TOPIC,
        });
        end >= topic.partitions || self.ends_before(name, end)
    }

    fn ends_before(&mut self, name: &str, partition_index: i32) -> bool {
        self.next = Some(DescribeTopicPartitionsCursor { topic_name: Cow::Owned(name.to_owned()), partition_index });
        false
    }

    fn partition(&self, index: i32) -> DescribeTopicPartitionsResponsePartition {
        DescribeTopicPartitionsResponsePartition {
            error_code: ErrorCode::NONE,
            partition_index: index,
            leader_id: self.node_id,
            leader_epoch: LEADER_EPOCH,
            replica_nodes: vec![self.node_id],
            isr_nodes: vec![self.node_id],
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            offline_replicas: Vec::new(),
        }
    }
}

fn find<'m>(context: &Context, metadata: &'m Metadata, name: &str) -> Result<&'m Topic, ErrorCode> {
    if !context.authorize(Operation::Describe, Resource::Topic(name)) {
        return Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    }
    match metadata.by_name(name) {
        Some(topic) => Ok(topic),
        None if topics::check_topic_name(name).is_err() => Err(ErrorCode::INVALID_TOPIC_EXCEPTION),
        None => Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    }
}

fn failed(error_code: ErrorCode, name: &str) -> DescribeTopicPartitionsResponseTopic<'static> {
    let mut topic = DescribeTopicPartitionsResponseTopic {
        error_code,
        name: Some(Cow::Owned(name.to_owned())),
        is_internal: topics::is_internal(name),
        ..Default::default()
    };
    if error_code == ErrorCode::UNKNOWN_TOPIC_OR_PARTITION {
        // As in Kafka: what may be done with it, if it were there.
        topic.topic_authorized_operations = operations::TOPIC;
    }
    topic
}
