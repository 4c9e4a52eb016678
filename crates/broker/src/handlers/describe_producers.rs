//! DescribeProducers (key 61), version 0: which producers a partition remembers, and whether a transaction is open (KIP-664).

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    DescribeProducersRequest, DescribeProducersResponse, DescribeProducersResponsePartition,
    DescribeProducersResponseTopic, ProducerState,
};
use ottla_storage::{PartitionId, Topic};

use crate::context::{Context, Operation, Resource};
use crate::errors;
use crate::groups::wire::{decode_question, without_repetitions};
use crate::request::{Handled, Request};

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: DescribeProducersRequest<'_> = decode_question(&request)?;
    let metadata = context.broker().engine().metadata();
    let mut topics = Vec::with_capacity(message.topics.len());
    for asked in message.topics {
        let topic = if context.authorize(Operation::Read, Resource::Topic(&asked.name)) {
            metadata.by_name(&asked.name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        } else {
            Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED)
        };
        let mut partitions = Vec::with_capacity(asked.partition_indexes.len());
        for partition_index in without_repetitions(asked.partition_indexes) {
            let described = match topic {
                Ok(topic) => describe(&context, topic, partition_index).await,
                Err(code) => Err(code),
            };
            let (active_producers, error_code) = match described {
                Ok(producers) => (producers, ErrorCode::NONE),
                Err(code) => (Vec::new(), code),
            };
            partitions.push(DescribeProducersResponsePartition {
                partition_index,
                error_code,
                active_producers,
                ..Default::default()
            });
        }
        topics.push(DescribeProducersResponseTopic { name: asked.name, partitions });
    }
    request.respond(&DescribeProducersResponse { topics, ..Default::default() })
}

async fn describe(context: &Context, topic: &Topic, index: i32) -> Result<Vec<ProducerState>, ErrorCode> {
    let partition = PartitionId { topic: topic.id, index };
    let described = context.broker().engine().describe_producers(partition).await;
    let producers = described.map_err(|error| errors::of_read(&error))?;
    let producers = producers.into_iter().map(|producer| ProducerState {
        producer_id: producer.producer_id,
        producer_epoch: producer.producer_epoch.into(),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp_ms,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.transaction_start_offset.unwrap_or(-1),
    });
    Ok(producers.collect())
}
