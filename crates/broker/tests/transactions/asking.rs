//! The requests of a transactional producer and of who reads after it, as short as the tests need them.

use bytes::Bytes;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::*;
use ottla_protocol::records::BatchBuilder;

use crate::client::{Client, WALL_MS, fetch_partition, fetch_request, produce_request, values};

/// A producer under a transactional id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Producer {
    pub(crate) transactional_id: &'static str,
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

impl Producer {
    /// Initialises the id, which nobody may be using.
    pub(crate) async fn init(client: &mut Client, transactional_id: &'static str) -> Producer {
        let (code, id, epoch) = init(client, transactional_id, 60_000).await;
        assert_eq!(code, ErrorCode::NONE);
        Producer { transactional_id, id, epoch }
    }

    /// A batch of its transaction.
    pub(crate) fn batch(self, sequence: i32, values: &[&str]) -> Bytes {
        let mut builder = BatchBuilder::new().producer(self.id, self.epoch, sequence).transactional();
        for value in values {
            builder.push(WALL_MS, None, Some(value.as_bytes()), &[]);
        }
        builder.build()
    }

    /// Produces one batch to partition 0.
    pub(crate) async fn produce(
        self,
        client: &mut Client,
        topic: &str,
        sequence: i32,
        value: &str,
        version: i16,
    ) -> ErrorCode {
        let batch = self.batch(sequence, &[value]);
        let mut request = produce_request(topic, 0, &batch, -1);
        request.transactional_id = Some(self.transactional_id.into());
        client.call(&request, version).await.responses[0].partition_responses[0].error_code
    }

    /// Ends the transaction; answers the producer as it goes on.
    pub(crate) async fn end(self, client: &mut Client, commits: bool, version: i16) -> Result<Producer, ErrorCode> {
        let response = client.call(&self.end_request(commits), version).await;
        match response.error_code {
            ErrorCode::NONE if version >= 5 => {
                Ok(Producer { id: response.producer_id, epoch: response.producer_epoch, ..self })
            }
            ErrorCode::NONE => Ok(self),
            code => Err(code),
        }
    }

    pub(crate) fn end_request(self, commits: bool) -> EndTxnRequest<'static> {
        EndTxnRequest {
            transactional_id: self.transactional_id.into(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            committed: commits,
        }
    }

    /// Adds partitions of one topic in the old way.
    pub(crate) async fn add(self, client: &mut Client, topic: &str, partitions: &[i32]) -> Vec<ErrorCode> {
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: self.transactional_id.into(),
            v3_and_below_producer_id: self.id,
            v3_and_below_producer_epoch: self.epoch,
            v3_and_below_topics: vec![AddPartitionsToTxnTopic { name: topic.into(), partitions: partitions.into() }],
            ..Default::default()
        };
        let response = client.call(&request, 3).await;
        let results = response.results_by_topic_v3_and_below.iter().flat_map(|topic| &topic.results_by_partition);
        results.map(|result| result.partition_error_code).collect()
    }

    /// Adds a group in the old way.
    pub(crate) async fn add_group(self, client: &mut Client, group_id: &str) -> ErrorCode {
        let request = AddOffsetsToTxnRequest {
            transactional_id: self.transactional_id.into(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            group_id: group_id.into(),
        };
        client.call(&request, 4).await.error_code
    }

    /// Commits an offset of partition 0 in the transaction.
    pub(crate) async fn commit(
        self,
        client: &mut Client,
        group: &str,
        topic: &str,
        offset: i64,
        version: i16,
    ) -> ErrorCode {
        let request = TxnOffsetCommitRequest {
            transactional_id: self.transactional_id.into(),
            group_id: group.into(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            topics: vec![TxnOffsetCommitRequestTopic {
                name: topic.into(),
                partitions: vec![TxnOffsetCommitRequestPartition { committed_offset: offset, ..Default::default() }],
            }],
            ..Default::default()
        };
        client.call(&request, version).await.topics[0].partitions[0].error_code
    }
}

/// InitProducerId of nobody in particular.
pub(crate) async fn init(client: &mut Client, transactional_id: &str, timeout_ms: i32) -> (ErrorCode, i64, i16) {
    let request = InitProducerIdRequest {
        transactional_id: Some(transactional_id.into()),
        transaction_timeout_ms: timeout_ms,
        ..Default::default()
    };
    let response = client.call(&request, 5).await;
    (response.error_code, response.producer_id, response.producer_epoch)
}

/// A fetch of partition 0 that sees only what is committed.
pub(crate) fn committed_request(topic: &str, offset: i64, max_wait_ms: i32) -> FetchRequest<'_> {
    FetchRequest { isolation_level: 1, ..fetch_request(topic, vec![fetch_partition(0, offset)], max_wait_ms) }
}

/// What a fetch says of partition 0: its records with the markers, the last stable offset, and the aborted transactions.
pub(crate) type Read = (Vec<(i64, String)>, i64, Vec<(i64, i64)>);

/// The same of an answer.
pub(crate) fn read_of(response: &FetchResponse<'_>) -> Read {
    let partition = &response.responses[0].partitions[0];
    assert_eq!(partition.error_code, ErrorCode::NONE);
    let records = values(response).into_iter().map(|(_, offset, value)| (offset, printable(&value)));
    let aborted = partition.aborted_transactions.iter().flatten();
    let aborted = aborted.map(|aborted| (aborted.producer_id, aborted.first_offset)).collect();
    (records.collect(), partition.last_stable_offset, aborted)
}

/// Markers have no readable value.
fn printable(value: &str) -> String {
    if value.contains('\0') { "marker".to_owned() } else { value.to_owned() }
}

/// What of partition 0 can be read as committed, at once.
pub(crate) async fn committed(client: &mut Client, topic: &str) -> Read {
    read_of(&client.call(&committed_request(topic, 0, 0), 12).await)
}

/// The commit of a group for partition 0: error and offset.
pub(crate) async fn commit_of(client: &mut Client, group: &str, topic: &str, require_stable: bool) -> (ErrorCode, i64) {
    let request = OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: group.into(),
            topics: Some(vec![OffsetFetchRequestTopics {
                name: topic.into(),
                partition_indexes: vec![0],
                ..Default::default()
            }]),
            ..Default::default()
        }],
        require_stable,
        ..Default::default()
    };
    let response = client.call(&request, 8).await;
    let partition = &response.groups[0].topics[0].partitions[0];
    (partition.error_code, partition.committed_offset)
}

/// State and producer of a transactional id, with the partitions of its transaction.
pub(crate) async fn described(client: &mut Client, id: &str) -> (String, i16, Vec<(String, Vec<i32>)>) {
    let request = DescribeTransactionsRequest { transactional_ids: vec![id.into()] };
    let response = client.call(&request, 0).await;
    let one = &response.transaction_states[0];
    assert_eq!(one.error_code, ErrorCode::NONE);
    let topics = one.topics.iter().map(|topic| (topic.topic.to_string(), topic.partitions.clone()));
    (one.transaction_state.to_string(), one.producer_epoch, topics.collect())
}

/// Waits until a transactional id is in that state. There is nothing to wait on: an end without an asker is answered to nobody.
pub(crate) async fn until(client: &mut Client, id: &str, state: &str) {
    while described(client, id).await.0 != state {
        tokio::task::yield_now().await;
    }
}
