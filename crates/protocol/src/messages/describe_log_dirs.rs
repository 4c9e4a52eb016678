//! DescribeLogDirs (key 35): what lies in a broker's log directories (KIP-113). Version 3: an error of the whole; 4: the volumes'
//! sizes (KIP-827); 5: directories that get no new partitions (KIP-1066).

use crate::{ErrorCode, Str};

messages! {
    api DescribeLogDirs<'a>, versions 1..=5, flexible 2;

    /// Asks for partitions; `None`: all of them.
    request DescribeLogDirsRequest<'a> {
        topics: Option<Vec<DescribableLogDirTopic<'a>>> [1.., default Some(Vec::new())],
    }

    /// The partitions of one topic.
    part DescribableLogDirTopic<'a> {
        topic: Str<'a> [1..],
        partitions: Vec<i32> [1..],
    }

    /// The directories.
    response DescribeLogDirsResponse<'a> {
        throttle_time_ms: i32 [1..],
        error_code: ErrorCode [3..],
        results: Vec<DescribeLogDirsResult<'a>> [1..],
    }

    /// One directory.
    part DescribeLogDirsResult<'a> {
        error_code: ErrorCode [1..],
        /// Absolute.
        log_dir: Str<'a> [1..],
        topics: Vec<DescribeLogDirsTopic<'a>> [1..],
        /// Of the volume; -1: unknown.
        total_bytes: i64 [4.., default -1],
        /// Of the volume; -1: unknown.
        usable_bytes: i64 [4.., default -1],
        is_cordoned: bool [5..],
    }

    /// The partitions of one topic.
    part DescribeLogDirsTopic<'a> {
        name: Str<'a> [1..],
        partitions: Vec<DescribeLogDirsPartition> [1..],
    }

    /// One partition.
    part DescribeLogDirsPartition {
        partition_index: i32 [1..],
        /// Bytes.
        partition_size: i64 [1..],
        /// How far the log lies ahead of the high watermark.
        offset_lag: i64 [1..],
        /// Whether it is on its way into this directory.
        is_future_key: bool [1..],
    }
}
