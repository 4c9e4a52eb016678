//! What readers see of transactions.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::*;

use crate::asking::*;
use crate::client::{Client, TestBroker, batch, fetch_partition, fetch_request, values};

#[tokio::test]
async fn an_open_transaction_is_not_read_as_committed_and_its_end_wakes_who_waits() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let (mut client, mut reader) = (broker.connect().await, broker.connect().await);
    let producer = Producer::init(&mut client, "x").await;
    assert_eq!(producer.produce(&mut client, "t", 0, "a", 12).await, ErrorCode::NONE);
    assert_eq!(committed(&mut reader, "t").await, (vec![], 0, vec![]));
    let uncommitted = reader.call(&fetch_request("t", vec![fetch_partition(0, 0)], 0), 12).await;
    assert_eq!(values(&uncommitted), [(0, 0, "a".to_owned())]);
    let parked = reader.send(&committed_request("t", 0, 60_000), 12).await;
    let next = producer.end(&mut client, true, 5).await.expect("it commits");
    assert_eq!((next.id, next.epoch), (producer.id, producer.epoch + 1));
    let told: FetchResponse<'static> = reader.receive(parked, 12).await;
    assert_eq!(read_of(&told), (vec![(0, "a".to_owned()), (1, "marker".to_owned())], 2, vec![]));
}

#[tokio::test]
async fn an_aborted_transaction_is_named_with_its_records() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let producer = Producer::init(&mut client, "x").await;
    client.produce("t", 0, &batch(&["plain"])).await;
    assert_eq!(producer.produce(&mut client, "t", 0, "a", 12).await, ErrorCode::NONE);
    let next = producer.end(&mut client, false, 5).await.expect("it aborts");
    assert_eq!(next.produce(&mut client, "t", 0, "b", 12).await, ErrorCode::NONE);
    next.end(&mut client, true, 5).await.expect("it commits");
    let (records, stable, aborted) = committed(&mut client, "t").await;
    let told: Vec<&str> = records.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!((told, stable), (vec!["plain", "a", "marker", "b", "marker"], 5));
    assert_eq!(aborted, [(producer.id, 1)]);
}

async fn latest(client: &mut Client, isolation_level: i8, timestamp: i64) -> i64 {
    let partitions = vec![ListOffsetsPartition { timestamp, current_leader_epoch: -1, ..Default::default() }];
    let topics = vec![ListOffsetsTopic { name: "t".into(), partitions }];
    let request = ListOffsetsRequest { replica_id: -1, isolation_level, topics, ..Default::default() };
    client.call(&request, 9).await.topics[0].partitions[0].offset
}

#[tokio::test]
async fn offsets_are_listed_up_to_the_last_stable_one() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let producer = Producer::init(&mut client, "x").await;
    assert_eq!(producer.produce(&mut client, "t", 0, "a", 12).await, ErrorCode::NONE);
    assert_eq!((latest(&mut client, 0, -1).await, latest(&mut client, 1, -1).await), (1, 0));
    assert_eq!((latest(&mut client, 0, 0).await, latest(&mut client, 1, 0).await), (0, -1), "by time");
    producer.end(&mut client, true, 5).await.expect("it commits");
    assert_eq!((latest(&mut client, 0, -1).await, latest(&mut client, 1, -1).await), (2, 2));
    assert_eq!(latest(&mut client, 1, 0).await, 0, "by time");
}

#[tokio::test]
async fn several_partitions_end_together_and_a_deleted_topic_is_left_out() {
    let broker = TestBroker::start(&[]).await;
    let gone = broker.topic("gone", 1, &[]).await;
    broker.topic("t", 2, &[]).await;
    let mut client = broker.connect().await;
    let producer = Producer::init(&mut client, "x").await;
    assert_eq!(producer.add(&mut client, "t", &[0, 1]).await, [ErrorCode::NONE; 2]);
    assert_eq!(producer.produce(&mut client, "gone", 0, "a", 12).await, ErrorCode::NONE);
    broker.engine.delete_topic(gone.id).await.expect("is deleted");
    producer.end(&mut client, true, 5).await.expect("it commits");
    let request = fetch_request("t", vec![fetch_partition(0, 0), fetch_partition(1, 0)], 0);
    let told = client.call(&request, 12).await;
    let ends: Vec<_> = told.responses[0].partitions.iter().map(|one| one.high_watermark).collect();
    assert_eq!(ends, [1, 1], "each has a marker, though nothing was written");
}
