//! CreateTopics (key 19). Version 4: -1 stands for the broker's default (KIP-464); 5: the answer shows the configuration
//! (KIP-525); 7: topic ids.

use crate::{ErrorCode, Str, Uuid};

messages! {
    api CreateTopics<'a>, versions 2..=7, flexible 5;

    /// Creates topics.
    request CreateTopicsRequest<'a> {
        topics: Vec<CreatableTopic<'a>> [2..],
        timeout_ms: i32 [2.., default 60_000],
        /// Only check.
        validate_only: bool [2..],
    }

    /// One topic to create.
    part CreatableTopic<'a> {
        name: Str<'a> [2..],
        /// -1: the broker's default, or as the assignments say.
        num_partitions: i32 [2..],
        /// -1: the broker's default, or as the assignments say.
        replication_factor: i16 [2..],
        assignments: Vec<CreatableReplicaAssignment> [2..],
        configs: Vec<CreatableTopicConfig<'a>> [2..],
    }

    /// The brokers of one partition.
    part CreatableReplicaAssignment {
        partition_index: i32 [2..],
        broker_ids: Vec<i32> [2..],
    }

    /// One property.
    part CreatableTopicConfig<'a> {
        name: Str<'a> [2..],
        value: Option<Str<'a>> [2.., default Some(Str::default())],
    }

    /// Which creations succeeded.
    response CreateTopicsResponse<'a> {
        throttle_time_ms: i32 [2..],
        topics: Vec<CreatableTopicResult<'a>> [2..],
    }

    /// Whether one creation succeeded.
    part CreatableTopicResult<'a> {
        name: Str<'a> [2..],
        topic_id: Uuid [7..],
        error_code: ErrorCode [2..],
        error_message: Option<Str<'a>> [2.., default Some(Str::default())],
        /// Why `configs` is null.
        topic_config_error_code: ErrorCode [5.., tag 0],
        num_partitions: i32 [5.., default -1],
        replication_factor: i16 [5.., default -1],
        configs: Option<Vec<CreatableTopicConfigs<'a>>> [5.., default Some(Vec::new())],
    }

    /// One property in force.
    part CreatableTopicConfigs<'a> {
        name: Str<'a> [5..],
        value: Option<Str<'a>> [5.., default Some(Str::default())],
        read_only: bool [5..],
        /// As in DescribeConfigs.
        config_source: i8 [5.., default -1],
        is_sensitive: bool [5..],
    }
}
