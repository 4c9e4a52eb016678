//! WriteTxnMarkers (key 27): among brokers, and for an administrator who ends a hanging transaction (KIP-98, KIP-664). Version 2: the
//! transaction's version (KIP-1228).

use crate::{ErrorCode, Str};

messages! {
    api WriteTxnMarkers<'a>, versions 1..=2, flexible 1;

    /// Writes markers.
    request WriteTxnMarkersRequest<'a> {
        markers: Vec<WritableTxnMarker<'a>> [1..],
    }

    /// The markers of one producer.
    part WritableTxnMarker<'a> {
        producer_id: i64 [1..],
        producer_epoch: i16 [1..],
        /// Commit, else abort.
        transaction_result: bool [1..],
        topics: Vec<WritableTxnMarkerTopic<'a>> [1..],
        coordinator_epoch: i32 [1..],
        transaction_version: i8 [2.., absent dropped],
    }

    /// The partitions of one topic.
    part WritableTxnMarkerTopic<'a> {
        name: Str<'a> [1..],
        partition_indexes: Vec<i32> [1..],
    }

    /// Which markers were written.
    response WriteTxnMarkersResponse<'a> {
        markers: Vec<WritableTxnMarkerResult<'a>> [1..],
    }

    /// Of one producer.
    part WritableTxnMarkerResult<'a> {
        producer_id: i64 [1..],
        topics: Vec<WritableTxnMarkerTopicResult<'a>> [1..],
    }

    /// The partitions of one topic.
    part WritableTxnMarkerTopicResult<'a> {
        name: Str<'a> [1..],
        partitions: Vec<WritableTxnMarkerPartitionResult> [1..],
    }

    /// One partition.
    part WritableTxnMarkerPartitionResult {
        partition_index: i32 [1..],
        error_code: ErrorCode [1..],
    }
}
