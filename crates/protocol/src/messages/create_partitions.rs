//! CreatePartitions (key 37): gives topics more partitions (KIP-195). Version 3: creations may be throttled (KIP-599).

use crate::{ErrorCode, Str};

messages! {
    api CreatePartitions<'a>, versions 0..=3, flexible 2;

    /// Adds partitions.
    request CreatePartitionsRequest<'a> {
        topics: Vec<CreatePartitionsTopic<'a>> [0..],
        timeout_ms: i32 [0..],
        /// Only check.
        validate_only: bool [0..],
    }

    /// One topic.
    part CreatePartitionsTopic<'a> {
        name: Str<'a> [0..],
        /// How many partitions it shall have altogether.
        count: i32 [0..],
        /// The brokers of each new partition; `None`: as the broker sees fit.
        assignments: Option<Vec<CreatePartitionsAssignment>> [0.., default Some(Vec::new())],
    }

    /// The brokers of one new partition.
    part CreatePartitionsAssignment {
        broker_ids: Vec<i32> [0..],
    }

    /// Which topics have got their partitions.
    response CreatePartitionsResponse<'a> {
        throttle_time_ms: i32 [0..],
        results: Vec<CreatePartitionsTopicResult<'a>> [0..],
    }

    /// Whether one topic has got its partitions.
    part CreatePartitionsTopicResult<'a> {
        name: Str<'a> [0..],
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0..],
    }
}
