//! What administrators see of transactions, and how they end one that hangs.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::*;
use ottla_protocol::records::BatchBuilder;
use ottla_storage::{Append, AppendOrigin, Durability, PartitionId};

use crate::asking::*;
use crate::client::{Client, TestBroker, WALL_MS};

async fn listed(client: &mut Client, request: ListTransactionsRequest<'_>) -> (ErrorCode, Vec<String>, Vec<String>) {
    let response = client.call(&request, 2).await;
    let found =
        response.transaction_states.iter().map(|one| format!("{} {}", one.transactional_id, one.transaction_state));
    let mut found: Vec<_> = found.collect();
    found.sort();
    (response.error_code, found, response.unknown_state_filters.iter().map(|state| state.to_string()).collect())
}

fn all() -> ListTransactionsRequest<'static> {
    ListTransactionsRequest { duration_filter: -1, ..Default::default() }
}

#[tokio::test]
async fn transactions_are_listed_and_described() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    assert_eq!(listed(&mut client, all()).await, (ErrorCode::NONE, vec![], vec![]), "there is no log yet");
    let (first, second) = (Producer::init(&mut client, "one").await, Producer::init(&mut client, "two").await);
    assert_ne!(first.id, second.id);
    assert_eq!(second.produce(&mut client, "t", 0, "a", 12).await, ErrorCode::NONE);
    let found = vec!["one Empty".to_owned(), "two Ongoing".to_owned()];
    assert_eq!(listed(&mut client, all()).await, (ErrorCode::NONE, found, vec![]));
    let states = vec!["Ongoing".into(), "Sideways".into()];
    let found = listed(&mut client, ListTransactionsRequest { state_filters: states, ..all() }).await;
    assert_eq!(found, (ErrorCode::NONE, vec!["two Ongoing".to_owned()], vec!["Sideways".to_owned()]));
    let pattern =
        |pattern: &'static str| ListTransactionsRequest { transactional_id_pattern: Some(pattern.into()), ..all() };
    assert_eq!(listed(&mut client, pattern("o.*")).await.1, ["one Empty"]);
    assert_eq!(listed(&mut client, pattern("(")).await.0, ErrorCode::INVALID_REGULAR_EXPRESSION);
    let partitions = vec![("t".to_owned(), vec![0])];
    assert_eq!(described(&mut client, "two").await, ("Ongoing".to_owned(), 0, partitions));
    for (id, code) in [("three", ErrorCode::TRANSACTIONAL_ID_NOT_FOUND), ("", ErrorCode::INVALID_REQUEST)] {
        let request = DescribeTransactionsRequest { transactional_ids: vec![id.into()] };
        assert_eq!(client.call(&request, 0).await.transaction_states[0].error_code, code, "{id}");
    }
}

async fn producers(client: &mut Client) -> Vec<ProducerState> {
    let topics = vec![DescribeProducersTopic { name: "t".into(), partition_indexes: vec![0] }];
    let response = client.call(&DescribeProducersRequest { topics }, 0).await;
    response.topics[0].partitions[0].active_producers.clone()
}

#[tokio::test]
async fn a_hanging_transaction_is_found_and_ended() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    // Past the gate: no coordinator knows of it.
    let mut batch = BatchBuilder::new().producer(77, 3, 0).transactional();
    batch.push(WALL_MS, None, Some(b"a"), &[]);
    let append = Append {
        partition: PartitionId { topic: topic.id, index: 0 },
        batches: batch.build(),
        expected_end: None,
        depends_on: None,
        durability: Durability::Flush,
        origin: AppendOrigin::Client,
    };
    broker.engine.append(vec![append]).await.expect("appended")[0].as_ref().expect("appended");
    let hanging = &producers(&mut client).await[0];
    assert_eq!((hanging.producer_id, hanging.producer_epoch, hanging.current_txn_start_offset), (77, 3, 0));
    let marker = |name: &'static str, epoch| WriteTxnMarkersRequest {
        markers: vec![WritableTxnMarker {
            producer_id: 77,
            producer_epoch: epoch,
            topics: vec![WritableTxnMarkerTopic { name: name.into(), partition_indexes: vec![0] }],
            coordinator_epoch: 9,
            ..Default::default()
        }],
    };
    let code = |response: WriteTxnMarkersResponse<'static>| response.markers[0].topics[0].partitions[0].error_code;
    assert_eq!(code(client.call(&marker("t", 2), 1).await), ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(code(client.call(&marker("u", 3), 1).await), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(code(client.call(&marker("t", 3), 1).await), ErrorCode::NONE);
    assert_eq!(producers(&mut client).await[0].current_txn_start_offset, -1);
    assert_eq!(committed(&mut client, "t").await.2, [(77, 0)]);
}

#[tokio::test]
async fn brokers_may_verify_partitions() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 2, &[]).await;
    let mut client = broker.connect().await;
    let producer = Producer::init(&mut client, "x").await;
    assert_eq!(producer.add(&mut client, "t", &[0]).await, [ErrorCode::NONE]);
    let request = AddPartitionsToTxnRequest {
        transactions: vec![AddPartitionsToTxnTransaction {
            transactional_id: "x".into(),
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            verify_only: true,
            topics: vec![AddPartitionsToTxnTopic { name: "t".into(), partitions: vec![0, 1] }],
        }],
        ..Default::default()
    };
    let response = client.call(&request, 5).await;
    let results = response.results_by_transaction[0].topic_results[0].results_by_partition.iter();
    let codes: Vec<_> = results.map(|result| result.partition_error_code).collect();
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::TRANSACTION_ABORTABLE]);
    assert_eq!(described(&mut client, "x").await.2, [("t".to_owned(), vec![0])]);
}
