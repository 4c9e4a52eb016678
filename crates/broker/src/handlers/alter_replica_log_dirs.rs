//! AlterReplicaLogDirs (key 34), versions 1 and 2: moves partitions between log directories (KIP-113).
//!
//! Version 2 has the flexible encoding. All data lies in one folder, so who names that one has what he wants, and every other one is
//! LOG_DIR_NOT_FOUND. A partition that is named twice goes, as in Kafka, where it was named last.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
};
use ottla_storage::PartitionId;

use super::describe_log_dirs::name_of;
use crate::context::{Context, Operation, Resource};
use crate::errors;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: AlterReplicaLogDirsRequest<'_> = decode_question(&request)?;
    let mut wanted: BTreeMap<&str, BTreeMap<i32, &str>> = BTreeMap::new();
    for dir in &message.dirs {
        for topic in &dir.topics {
            let indexes = topic.partitions.iter().map(|index| (*index, &*dir.path));
            wanted.entry(&topic.name).or_default().extend(indexes);
        }
    }
    let folder = match context.authorize(Operation::Alter, Resource::Cluster) {
        true => context.broker().engine().data_folder().await.map_err(|error| errors::of_read(&error)),
        false => Err(ErrorCode::CLUSTER_AUTHORIZATION_FAILED),
    };
    let folder = folder.map(|folder| name_of(folder.as_ref()));
    let metadata = context.broker().engine().metadata();
    let outcome = |name: &str, index: i32, path: &str| match &folder {
        Err(code) => *code,
        Ok(folder) if folder != path => ErrorCode::LOG_DIR_NOT_FOUND,
        Ok(_) => match metadata.by_name(name) {
            Some(topic) if metadata.has(PartitionId { topic: topic.id, index }) => ErrorCode::NONE,
            _ => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        },
    };
    let answer = |(name, partitions): (&&str, &BTreeMap<i32, &str>)| AlterReplicaLogDirTopicResult {
        topic_name: Cow::Owned((*name).to_owned()),
        partitions: partitions
            .iter()
            .map(|(index, path)| AlterReplicaLogDirPartitionResult {
                partition_index: *index,
                error_code: outcome(name, *index, path),
            })
            .collect(),
    };
    let results = wanted.iter().filter(|(_, partitions)| !partitions.is_empty()).map(answer).collect();
    request.respond(&AlterReplicaLogDirsResponse { results, ..Default::default() })
}
