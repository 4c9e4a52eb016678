//! A group goes on where it had committed, and begins where it was told to.

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka_matrix::broker::{self, eventually, within_deadline};
use rdkafka_matrix::clients::{committed, new_member, new_topic, next, numbered, produce, value};

#[tokio::test(flavor = "multi_thread")]
async fn commit_resume() {
    let (topic, group) = (new_topic(1, &[]).await, broker::name("group"));
    produce(&topic, 0, &numbered("record", 20)).await;
    let first = new_member(&group, &topic, "earliest");
    for number in 0..10 {
        assert_eq!(value(&next(&first).await), format!("record-{number}"));
    }
    let mut half = TopicPartitionList::new();
    half.add_partition_offset(&topic, 0, Offset::Offset(10)).unwrap();
    half.find_partition(&topic, 0).unwrap().set_metadata("half way");
    first.commit(&half, CommitMode::Sync).unwrap();
    drop(first);

    assert_eq!(committed(&group, &topic), (Offset::Offset(10), "half way".to_string()));
    let resumed = next(&new_member(&group, &topic, "earliest")).await;
    assert_eq!((resumed.offset(), value(&resumed)), (10, "record-10".to_string()));
}

#[tokio::test]
async fn commit_resume_earliest() {
    let topic = new_topic(1, &[]).await;
    produce(&topic, 0, &["old"]).await;
    assert_eq!(next(&new_member(&broker::name("group"), &topic, "earliest")).await.offset(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn commit_resume_latest() {
    let topic = new_topic(1, &[]).await;
    produce(&topic, 0, &numbered("old", 5)).await;
    let member = new_member(&broker::name("group"), &topic, "latest");
    let first = tokio::spawn(async move { next(&member).await });
    // Nobody tells when a member has asked where the end is, so new records come until it has one.
    eventually("a new record", async || {
        produce(&topic, 0, &["new"]).await;
        first.is_finished()
    })
    .await;
    assert_eq!(value(&first.await.unwrap()), "new");
}

#[tokio::test]
async fn commit_resume_none() {
    let topic = new_topic(1, &[]).await;
    produce(&topic, 0, &["old"]).await;
    let member = new_member(&broker::name("group"), &topic, "error");
    let told = within_deadline("an error", member.recv()).await.map(|record| value(&record));
    assert_eq!(told, Err(KafkaError::MessageConsumption(RDKafkaErrorCode::AutoOffsetReset)));
}
