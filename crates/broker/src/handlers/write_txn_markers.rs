//! WriteTxnMarkers (key 27), versions 1 and 2: an administrator ends a transaction that hangs in a partition (KIP-98, KIP-664).
//!
//! Version 2 tells the transaction's version (KIP-1228), which changes nothing here. The transaction coordinator is not asked, as in
//! Kafka: its tools look for transactions that it does not know. The coordinator's epoch never moves here, so a
//! marker that says another than 0 is written with 0, lest it fences the coordinator.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    WritableTxnMarker, WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
    WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};
use ottla_protocol::records::EndMarker;
use ottla_storage::{Append, AppendOrigin, Durability, PartitionId};

use crate::context::{Context, Operation, Resource};
use crate::errors;
use crate::groups::GroupMarkers;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};
use crate::topics::{OFFSETS_TOPIC, is_internal};
use crate::transactions::COORDINATOR_EPOCH;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: WriteTxnMarkersRequest<'_> = decode_question(&request)?;
    // Whoever comes after finds the markers written.
    let hold = context.hold_order();
    let mut markers = Vec::with_capacity(message.markers.len());
    for marker in &message.markers {
        let mut topics = Vec::with_capacity(marker.topics.len());
        for topic in &marker.topics {
            let mut partitions = Vec::with_capacity(topic.partition_indexes.len());
            for &partition_index in &topic.partition_indexes {
                let written = write(&context, marker, &topic.name, partition_index).await;
                let error_code = written.err().unwrap_or(ErrorCode::NONE);
                partitions.push(WritableTxnMarkerPartitionResult { partition_index, error_code });
            }
            topics.push(WritableTxnMarkerTopicResult { name: topic.name.clone(), partitions });
        }
        markers.push(WritableTxnMarkerResult { producer_id: marker.producer_id, topics });
    }
    drop(hold);
    request.respond(&WriteTxnMarkersResponse { markers })
}

async fn write(context: &Context, marker: &WritableTxnMarker<'_>, name: &str, index: i32) -> Result<(), ErrorCode> {
    if !context.authorize(Operation::Alter, Resource::Cluster) {
        return Err(ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    }
    let broker = context.broker();
    let metadata = broker.engine().metadata();
    let topic = metadata.by_name(name).filter(|topic| (0..topic.partitions).contains(&index));
    let topic = topic.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    if marker.producer_id < 0 || marker.producer_epoch < 0 {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    let (producer_id, commits) = (marker.producer_id, marker.transaction_result);
    let batch = EndMarker { is_commit: commits, coordinator_epoch: COORDINATOR_EPOCH };
    let batch = batch.batch(producer_id, marker.producer_epoch, broker.wall_ms());
    let partition = PartitionId { topic: topic.id, index };
    let (partitions, appends) = match name {
        OFFSETS_TOPIC => (vec![index], Vec::new()),
        _ if is_internal(name) => return Err(ErrorCode::INVALID_TOPIC_EXCEPTION),
        _ => (
            Vec::new(),
            vec![Append {
                partition,
                batches: batch.clone(),
                expected_end: None,
                depends_on: None,
                durability: Durability::Flush,
                origin: AppendOrigin::Coordinator,
            }],
        ),
    };
    let markers = GroupMarkers { partitions: &partitions, marker: batch, producer_id, commits };
    let ended = broker.groups.end_transaction(&markers, appends);
    let ended = ended.map_err(|_| ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)?.settled().await;
    ended.map_err(|error| errors::of_append(&error))
}
