//! Fetch (key 1): records of partitions, waiting for them if asked to. Version 7: sessions (KIP-227); 9: leader epochs
//! (KIP-320); 11: the nearest replica (KIP-392); 12: diverging epochs; 13: topic ids in place of names; 15: the replica's
//! state as a tag; 16: addresses of new leaders (KIP-951); 17, 18: fields of replicas only.

use super::produce::{LeaderIdAndEpoch, NodeEndpoint};
use crate::{ErrorCode, RecordChunks, Str, Uuid};

messages! {
    api Fetch<'a>, versions 4..=18, flexible 12;

    /// Asks for records.
    request FetchRequest<'a> {
        cluster_id: Option<Str<'a>> [12.., tag 0, absent dropped],
        /// -1 for consumers.
        replica_id: i32 [4..=14, default -1],
        replica_state: ReplicaState [15.., tag 1],
        /// How long to wait for `min_bytes`.
        max_wait_ms: i32 [4..],
        min_bytes: i32 [4..],
        max_bytes: i32 [4.., default i32::MAX, absent dropped],
        /// 0: everything below the high watermark; 1: only below the last stable offset.
        isolation_level: i8 [4.., absent dropped],
        /// 0: none yet.
        session_id: i32 [7.., absent dropped],
        /// 0: a new session with all partitions; -1: no session; else the next of this one.
        session_epoch: i32 [7.., default -1, absent dropped],
        topics: Vec<FetchTopic<'a>> [4..],
        /// Partitions to take out of the session.
        forgotten_topics_data: Vec<ForgottenTopic<'a>> [7..],
        rack_id: Str<'a> [11.., absent dropped],
    }

    /// Who a replica is; consumers leave it at its default.
    part ReplicaState {
        replica_id: i32 [15.., default -1],
        replica_epoch: i64 [15.., default -1],
    }

    /// The partitions of one topic.
    part FetchTopic<'a> {
        topic: Str<'a> [4..=12, absent dropped],
        topic_id: Uuid [13.., absent dropped],
        partitions: Vec<FetchPartition> [4..],
    }

    /// From where, and how much.
    part FetchPartition {
        partition: i32 [4..],
        current_leader_epoch: i32 [9.., default -1, absent dropped],
        fetch_offset: i64 [4..],
        last_fetched_epoch: i32 [12.., default -1],
        /// The replica's own log start; -1 for consumers.
        log_start_offset: i64 [5.., default -1, absent dropped],
        partition_max_bytes: i32 [4..],
        replica_directory_id: Uuid [17.., tag 0, absent dropped],
        /// A replica's own; consumers leave it at its default.
        high_watermark: i64 [18.., tag 1, default i64::MAX, absent dropped],
    }

    /// Partitions that leave the session.
    part ForgottenTopic<'a> {
        topic: Str<'a> [7..=12, absent dropped],
        topic_id: Uuid [13.., absent dropped],
        partitions: Vec<i32> [7..],
    }

    /// Records, as they lie in the log.
    response FetchResponse<'a> {
        throttle_time_ms: i32 [4..],
        /// Of the whole request, such as an unknown session.
        error_code: ErrorCode [7..],
        session_id: i32 [7..],
        responses: Vec<FetchableTopicResponse<'a>> [4..],
        /// Addresses of the leaders named below.
        node_endpoints: Vec<NodeEndpoint<'a>> [16.., tag 0],
    }

    /// The partitions of one topic.
    part FetchableTopicResponse<'a> {
        topic: Str<'a> [4..=12],
        topic_id: Uuid [13..],
        partitions: Vec<PartitionData> [4..],
    }

    /// One partition's records and watermarks.
    part PartitionData {
        partition_index: i32 [4..],
        error_code: ErrorCode [4..],
        high_watermark: i64 [4..],
        last_stable_offset: i64 [4.., default -1],
        log_start_offset: i64 [5.., default -1],
        diverging_epoch: EpochEndOffset [12.., tag 0],
        current_leader: LeaderIdAndEpoch [12.., tag 1],
        snapshot_id: SnapshotId [12.., tag 2],
        /// For isolation level 1, else null.
        aborted_transactions: Option<Vec<AbortedTransaction>> [4.., default Some(Vec::new())],
        preferred_read_replica: i32 [11.., default -1],
        /// Sent as they are. Clients expect empty rather than null where there is nothing.
        records: Option<RecordChunks> [4..],
    }

    /// Where the fetcher's log parts from the leader's.
    part EpochEndOffset {
        epoch: i32 [12.., default -1],
        end_offset: i64 [12.., default -1],
    }

    /// A snapshot to fetch instead (only in a metadata quorum).
    part SnapshotId {
        end_offset: i64 [0.., default -1],
        epoch: i32 [0.., default -1],
    }

    /// Records of this producer from this offset on, up to its abort marker, do not count.
    part AbortedTransaction {
        producer_id: i64 [4..],
        first_offset: i64 [4..],
    }
}
