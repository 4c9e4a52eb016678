//! DescribeLogDirs (key 35), versions 1 to 5: what lies in the data folder (KIP-113).
//!
//! Version 2 has the flexible encoding, 3 an error of the whole, 4 the size of the volume (KIP-827), 5 whether new partitions are kept
//! out (KIP-1066). All data lies in one folder. A partition's size is that of its record batches, wherever they lie at the moment.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeLogDirsResult,
    DescribeLogDirsTopic,
};
use ottla_storage::{DataFolder, Engine, PartitionId, Topic};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};
use crate::{errors, topics};

/// What stands for the folder where all data is in memory.
const IN_MEMORY: &str = "memory";
/// Nobody knows how large the volume is.
const UNKNOWN_BYTES: i64 = -1;

/// The partitions that are asked for, by topic.
type Asked<'a> = BTreeMap<&'a str, BTreeSet<i32>>;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: DescribeLogDirsRequest<'_> = decode_question(&request)?;
    if !context.authorize(Operation::Describe, Resource::Cluster) {
        let error_code = ErrorCode::CLUSTER_AUTHORIZATION_FAILED;
        return request.respond(&DescribeLogDirsResponse { error_code, ..Default::default() });
    }
    let asked = message.topics.as_ref().map(|topics| {
        let mut asked = Asked::new();
        for topic in topics {
            asked.entry(&topic.topic).or_default().extend(&topic.partitions);
        }
        asked
    });
    let engine = context.broker().engine();
    let result = match engine.data_folder().await {
        Ok(folder) => {
            let volume = folder.as_ref().and_then(|folder| folder.volume);
            let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
            DescribeLogDirsResult {
                log_dir: Cow::Owned(name_of(folder.as_ref())),
                topics: described(&**engine, asked.as_ref()),
                total_bytes: volume.map_or(UNKNOWN_BYTES, |volume| bytes(volume.total_bytes)),
                usable_bytes: volume.map_or(UNKNOWN_BYTES, |volume| bytes(volume.usable_bytes)),
                ..Default::default()
            }
        }
        Err(error) => DescribeLogDirsResult { error_code: errors::of_read(&error), ..Default::default() },
    };
    request.respond(&DescribeLogDirsResponse { results: vec![result], ..Default::default() })
}

/// What clients are told of as the log directory.
pub(super) fn name_of(folder: Option<&DataFolder>) -> String {
    folder.map_or_else(|| IN_MEMORY.to_owned(), |folder| folder.path.to_string_lossy().into_owned())
}

/// Topics of which there is something to tell; what does not exist is left out.
fn described(engine: &dyn Engine, asked: Option<&Asked<'_>>) -> Vec<DescribeLogDirsTopic<'static>> {
    let metadata = engine.metadata();
    let describe = |topic: &Topic, indexes: Vec<i32>| DescribeLogDirsTopic {
        name: Cow::Owned(topic.name.to_string()),
        partitions: indexes.into_iter().filter_map(|index| partition(engine, topic, index)).collect(),
    };
    let described: Vec<_> = match asked {
        None => {
            let listed = metadata.topics().filter(|topic| topics::is_listed(&topic.name));
            listed.map(|topic| describe(topic, (0..topic.partitions).collect())).collect()
        }
        Some(asked) => {
            let known = asked.iter().filter_map(|(name, indexes)| Some((metadata.by_name(name)?, indexes)));
            known.map(|(topic, indexes)| describe(topic, indexes.iter().copied().collect())).collect()
        }
    };
    described.into_iter().filter(|topic| !topic.partitions.is_empty()).collect()
}

fn partition(engine: &dyn Engine, topic: &Topic, index: i32) -> Option<DescribeLogDirsPartition> {
    let id = PartitionId { topic: topic.id, index };
    let bounds = engine.bounds(id).ok()?;
    let size_bytes = engine.bytes_from(id, bounds.log_start_offset).ok()?;
    let partition_size = i64::try_from(size_bytes).unwrap_or(i64::MAX);
    Some(DescribeLogDirsPartition { partition_index: index, partition_size, offset_lag: 0, is_future_key: false })
}
