//! AlterReplicaLogDirs (key 34): moves partitions to another log directory of the same broker (KIP-113).

use crate::{ErrorCode, Str};

messages! {
    api AlterReplicaLogDirs<'a>, versions 1..=2, flexible 2;

    /// Which directory each partition shall lie in.
    request AlterReplicaLogDirsRequest<'a> {
        dirs: Vec<AlterReplicaLogDir<'a>> [1..],
    }

    /// What one directory shall have.
    part AlterReplicaLogDir<'a> {
        /// Absolute.
        path: Str<'a> [1..],
        topics: Vec<AlterReplicaLogDirTopic<'a>> [1..],
    }

    /// The partitions of one topic.
    part AlterReplicaLogDirTopic<'a> {
        name: Str<'a> [1..],
        partitions: Vec<i32> [1..],
    }

    /// Which moves have begun.
    response AlterReplicaLogDirsResponse<'a> {
        throttle_time_ms: i32 [1..],
        results: Vec<AlterReplicaLogDirTopicResult<'a>> [1..],
    }

    /// The partitions of one topic.
    part AlterReplicaLogDirTopicResult<'a> {
        topic_name: Str<'a> [1..],
        partitions: Vec<AlterReplicaLogDirPartitionResult> [1..],
    }

    /// Whether one move has begun.
    part AlterReplicaLogDirPartitionResult {
        partition_index: i32 [1..],
        error_code: ErrorCode [1..],
    }
}
