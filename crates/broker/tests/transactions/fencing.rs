//! Who may write to a transaction, and who not any more.

use std::sync::atomic::Ordering;

use ottla_protocol::ErrorCode;

use crate::asking::*;
use crate::client::{TestBroker, produce_request};

#[tokio::test]
async fn a_second_process_aborts_and_fences_the_first() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let first = Producer::init(&mut client, "x").await;
    assert_eq!(first.produce(&mut client, "t", 0, "a", 12).await, ErrorCode::NONE);
    assert_eq!(init(&mut client, "x", 60_000).await, (ErrorCode::CONCURRENT_TRANSACTIONS, -1, -1));
    until(&mut client, "x", "CompleteAbort").await;
    let second = Producer::init(&mut client, "x").await;
    assert_eq!((second.id, second.epoch), (first.id, 2));
    for version in [11, 12] {
        assert_eq!(first.produce(&mut client, "t", 1, "b", version).await, ErrorCode::INVALID_PRODUCER_EPOCH);
    }
    assert_eq!(first.end(&mut client, true, 5).await, Err(ErrorCode::PRODUCER_FENCED));
    assert_eq!(first.end(&mut client, true, 1).await, Err(ErrorCode::INVALID_PRODUCER_EPOCH));
    assert_eq!(first.commit(&mut client, "g", "t", 1, 5).await, ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(second.produce(&mut client, "t", 0, "c", 12).await, ErrorCode::NONE);
    second.end(&mut client, true, 5).await.expect("it commits");
    let (_, stable, aborted) = committed(&mut client, "t").await;
    assert_eq!((stable, aborted), (4, vec![(first.id, 0)]));
}

#[tokio::test]
async fn without_implicit_adding_partitions_must_be_added_first() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let producer = Producer::init(&mut client, "x").await;
    assert_eq!(producer.produce(&mut client, "t", 0, "a", 10).await, ErrorCode::INVALID_TXN_STATE);
    assert_eq!(producer.produce(&mut client, "t", 0, "a", 11).await, ErrorCode::TRANSACTION_ABORTABLE);
    let codes = [ErrorCode::OPERATION_NOT_ATTEMPTED, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION];
    assert_eq!(producer.add(&mut client, "t", &[0, 1]).await, codes);
    assert_eq!(producer.add(&mut client, "__transaction_state", &[0]).await, [ErrorCode::INVALID_TOPIC_EXCEPTION]);
    assert_eq!(producer.add(&mut client, "t", &[0]).await, [ErrorCode::NONE]);
    assert_eq!(producer.produce(&mut client, "t", 0, "a", 11).await, ErrorCode::NONE);
    let same = producer.end(&mut client, true, 4).await.expect("it commits");
    assert_eq!(same, producer, "the epoch stays");
    assert_eq!(producer.end(&mut client, true, 4).await, Ok(producer), "asked again");
    assert_eq!(producer.end(&mut client, false, 4).await, Err(ErrorCode::INVALID_TXN_STATE));
    assert_eq!(committed(&mut client, "t").await.1, 2);
}

#[tokio::test]
async fn strangers_write_to_no_transaction() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let nobody = Producer { transactional_id: "nobody", id: 7, epoch: 0 };
    let unknown = ErrorCode::INVALID_PRODUCER_ID_MAPPING;
    assert_eq!(nobody.produce(&mut client, "t", 0, "a", 12).await, unknown, "there is no log yet");
    assert_eq!(nobody.end(&mut client, true, 5).await, Err(unknown));
    let producer = Producer::init(&mut client, "x").await;
    assert_eq!(nobody.end(&mut client, true, 5).await, Err(unknown));
    assert_eq!(nobody.produce(&mut client, "t", 0, "a", 12).await, unknown);
    assert_eq!(Producer { id: 99, ..producer }.produce(&mut client, "t", 0, "a", 12).await, unknown);
    let batch = producer.batch(0, &["a"]);
    let nameless = client.call(&produce_request("t", 0, &batch, -1), 12).await;
    let code = nameless.responses[0].partition_responses[0].error_code;
    assert_eq!(code, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    assert_eq!(committed(&mut client, "t").await.1, 0);
}

#[tokio::test]
async fn who_takes_too_long_is_aborted_and_fenced() {
    let interval = ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "1");
    let broker = TestBroker::start(&[interval]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let (_, id, epoch) = init(&mut client, "x", 20).await;
    let slow = Producer { transactional_id: "x", id, epoch };
    assert_eq!(slow.produce(&mut client, "t", 0, "a", 12).await, ErrorCode::NONE);
    broker.clock.monotonic_ms.fetch_add(21, Ordering::Relaxed);
    until(&mut client, "x", "CompleteAbort").await;
    assert_eq!(slow.produce(&mut client, "t", 1, "b", 12).await, ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(committed(&mut client, "t").await.2, [(id, 0)]);
}
