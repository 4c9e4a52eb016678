//! Offsets of groups that are committed in transactions.

use ottla_protocol::ErrorCode;

use crate::asking::*;
use crate::client::TestBroker;

#[tokio::test]
async fn a_commit_counts_once_its_transaction_is_committed() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let producer = Producer::init(&mut client, "x").await;
    assert_eq!(producer.commit(&mut client, "g", "t", 5, 5).await, ErrorCode::NONE);
    assert_eq!(commit_of(&mut client, "g", "t", false).await, (ErrorCode::NONE, -1));
    assert_eq!(commit_of(&mut client, "g", "t", true).await.0, ErrorCode::UNSTABLE_OFFSET_COMMIT);
    let producer = producer.end(&mut client, true, 5).await.expect("it commits");
    assert_eq!(commit_of(&mut client, "g", "t", true).await, (ErrorCode::NONE, 5));
    assert_eq!(producer.commit(&mut client, "g", "t", 9, 5).await, ErrorCode::NONE);
    producer.end(&mut client, false, 5).await.expect("it aborts");
    assert_eq!(commit_of(&mut client, "g", "t", true).await, (ErrorCode::NONE, 5));
}

#[tokio::test]
async fn before_version_5_the_group_must_be_added_first() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let producer = Producer::init(&mut client, "x").await;
    assert_eq!(producer.commit(&mut client, "g", "t", 5, 3).await, ErrorCode::INVALID_TXN_STATE);
    assert_eq!(producer.commit(&mut client, "g", "t", 5, 4).await, ErrorCode::TRANSACTION_ABORTABLE);
    assert_eq!(producer.add_group(&mut client, "g").await, ErrorCode::NONE);
    assert_eq!(producer.commit(&mut client, "g", "t", 5, 3).await, ErrorCode::NONE);
    assert_eq!(producer.commit(&mut client, "g", "u", 5, 3).await, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    producer.end(&mut client, true, 4).await.expect("it commits");
    assert_eq!(commit_of(&mut client, "g", "t", true).await, (ErrorCode::NONE, 5));
}

#[tokio::test]
async fn several_groups_and_partitions_take_part() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let mut producer = Producer::init(&mut client, "x").await;
    // By their names they lie in the partitions 12, 4, 3 and 1.
    let groups = ["test-group", "hash-a", "hash-b", "hash-d"];
    for round in 1..=5 {
        assert_eq!(producer.produce(&mut client, "t", 0, "a", 12).await, ErrorCode::NONE);
        for group in groups {
            assert_eq!(producer.commit(&mut client, group, "t", round, 5).await, ErrorCode::NONE);
        }
        producer = producer.end(&mut client, true, 5).await.expect("it commits");
        for group in groups {
            assert_eq!(commit_of(&mut client, group, "t", true).await, (ErrorCode::NONE, round));
        }
    }
    assert_eq!(committed(&mut client, "t").await.1, 10);
}
