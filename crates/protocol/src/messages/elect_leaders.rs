//! ElectLeaders (key 43): gives partitions another leader (KIP-183). Version 1: also out of replicas that are not in sync
//! (KIP-460).

use crate::{ErrorCode, Str};

messages! {
    api ElectLeaders<'a>, versions 0..=2, flexible 2;

    /// Elects leaders.
    request ElectLeadersRequest<'a> {
        /// 0: the preferred replica; 1: any, if there is no other way.
        election_type: i8 [1..],
        /// `None`: all.
        topic_partitions: Option<Vec<ElectLeadersTopicPartitions<'a>>> [0.., default Some(Vec::new())],
        timeout_ms: i32 [0.., default 60_000],
    }

    /// The partitions of one topic.
    part ElectLeadersTopicPartitions<'a> {
        topic: Str<'a> [0..],
        partitions: Vec<i32> [0..],
    }

    /// The elections.
    response ElectLeadersResponse<'a> {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [1..],
        replica_election_results: Vec<ReplicaElectionResult<'a>> [0..],
    }

    /// The partitions of one topic.
    part ReplicaElectionResult<'a> {
        topic: Str<'a> [0..],
        partition_result: Vec<ElectLeadersPartitionResult<'a>> [0..],
    }

    /// One partition.
    part ElectLeadersPartitionResult<'a> {
        partition_id: i32 [0..],
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0.., default Some(Str::default())],
    }
}
