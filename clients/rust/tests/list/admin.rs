//! Topics, configs, records and groups are managed. Left out is what the crate has no call for (to delete single offsets of a
//! group), and the errors of single topics when configs are described or altered, which it does not pass on.

use rdkafka::admin::{AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka_matrix::broker::{self, DEADLINE, eventually};
use rdkafka_matrix::clients::{
    Admin, committed, listed_group, listed_partitions, new_admin, new_client, new_member, new_topic, next, numbered,
    produce, read_all, values,
};

#[tokio::test]
async fn admin_topic() {
    let (admin, topic) = (new_admin(), new_topic(2, &[]).await);
    await_partitions(&admin, &topic, 2).await;
    let added = admin.create_partitions([&NewPartitions::new(&topic, 4)], &AdminOptions::new()).await.unwrap();
    assert_eq!(added, [Ok(topic.clone())]);
    await_partitions(&admin, &topic, 4).await;
    let deleted = admin.delete_topics(&[&topic], &AdminOptions::new()).await.unwrap();
    assert_eq!(deleted, [Ok(topic.clone())]);
    eventually("the end of the topic", async || listed_partitions(&admin, &topic).is_none()).await;
}

async fn await_partitions(admin: &Admin, topic: &str, count: i32) {
    eventually("the topic in the list", async || listed_partitions(admin, topic) == Some(count)).await;
    let described = admin.inner().fetch_metadata(Some(topic), DEADLINE).unwrap();
    let partitions = described.topics()[0].partitions();
    assert_eq!(partitions.len(), count as usize);
    for partition in partitions {
        let leader = [partition.leader()];
        assert_eq!((partition.replicas(), partition.isr(), partition.error()), (&leader[..], &leader[..], None));
    }
}

#[tokio::test]
async fn admin_config() {
    let (admin, topic) = (new_admin(), new_topic(1, &[("retention.ms", "3600000")]).await);
    await_config(&admin, &topic, "retention.ms", "3600000").await;
    // This call replaces all configs of the topic: what it does not name has its default again.
    let change = AlterConfig::new(ResourceSpecifier::Topic(&topic)).set("segment.bytes", "2000000");
    assert!(admin.alter_configs([&change], &AdminOptions::new()).await.unwrap()[0].is_ok());
    await_config(&admin, &topic, "segment.bytes", "2000000").await;
    await_config(&admin, &topic, "retention.ms", "604800000").await;
}

#[tokio::test]
async fn admin_config_wrong() {
    let (admin, topic) = (new_admin(), new_topic(1, &[("retention.ms", "3600000")]).await);
    let soon =
        AlterConfig::new(ResourceSpecifier::Topic(&topic)).set("retention.ms", "soon").set("segment.bytes", "2000000");
    admin.alter_configs([&soon], &AdminOptions::new()).await.unwrap();
    await_config(&admin, &topic, "retention.ms", "3600000").await;
    await_config(&admin, &topic, "segment.bytes", "1073741824").await;
}

async fn await_config(admin: &Admin, topic: &str, name: &str, expected: &str) {
    eventually(&format!("{name}={expected}"), async || {
        let answer = admin.describe_configs([&ResourceSpecifier::Topic(topic)], &AdminOptions::new()).await.unwrap();
        let described = answer[0].as_ref().unwrap();
        described.get(name).and_then(|entry| entry.value.as_deref()) == Some(expected)
    })
    .await;
}

#[tokio::test]
async fn admin_records() {
    let (admin, topic) = (new_admin(), new_topic(1, &[]).await);
    produce(&topic, 0, &numbered("record", 10)).await;
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(&topic, 0, Offset::Offset(4)).unwrap();
    let deleted = admin.delete_records(&before, &AdminOptions::new()).await.unwrap();
    assert_eq!(deleted.find_partition(&topic, 0).unwrap().offset(), Offset::Offset(4));
    assert_eq!(admin.inner().fetch_watermarks(&topic, 0, DEADLINE), Ok((4, 10)));
    let left = read_all(&topic, &[]).await;
    assert_eq!((values(&left), left[0].offset()), (numbered("record", 10).split_off(4), 4));
}

#[tokio::test]
async fn admin_group() {
    let (admin, topic, group) = (new_admin(), new_topic(1, &[]).await, broker::name("group"));
    produce(&topic, 0, &numbered("record", 10)).await;
    let member = new_member(&group, &topic, "earliest");
    next(&member).await;
    assert_eq!(described_group(&admin, &group), ("Stable".to_string(), 1));
    drop(member);
    assert_eq!(described_group(&admin, &group), ("Empty".to_string(), 0));

    set_offset(&group, &topic, 7);
    assert_eq!(committed(&group, &topic).0, Offset::Offset(7));
    assert_eq!(listed_group(&group), Some(("Empty".to_string(), 0)));
    let deleted = admin.delete_groups(&[&group], &AdminOptions::new()).await.unwrap();
    assert_eq!(deleted, [Ok(group.clone())]);
    assert_eq!(listed_group(&group), None);
    let again = admin.delete_groups(&[&group], &AdminOptions::new()).await.unwrap();
    assert_eq!(again, [Err((group.clone(), RDKafkaErrorCode::GroupIdNotFound))]);
    assert_eq!(committed(&group, &topic).0, Offset::Invalid);
}

/// The state of a group, and how many members it has.
fn described_group(admin: &Admin, group: &str) -> (String, usize) {
    let described = admin.inner().fetch_group_list(Some(group), DEADLINE).unwrap();
    let found = &described.groups()[0];
    (found.state().to_string(), found.members().len())
}

/// Commits from outside of the group.
fn set_offset(group: &str, topic: &str, offset: i64) {
    let consumer: StreamConsumer = new_client(&[("group.id", group)]);
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(topic, 0, Offset::Offset(offset)).unwrap();
    consumer.commit(&offsets, CommitMode::Sync).unwrap();
}

#[tokio::test]
async fn admin_errors() {
    use RDKafkaErrorCode::*;
    let (admin, options, topic, unknown) =
        (new_admin(), AdminOptions::new(), new_topic(1, &[]).await, broker::name("unknown"));
    let again = NewTopic::new(&topic, 1, TopicReplication::Fixed(1));
    let wrong = NewTopic::new(&unknown, 1, TopicReplication::Fixed(1)).set("retention.ms", "soon");
    let created = admin.create_topics([&again, &wrong], &options).await.unwrap();
    assert_eq!(created, [Err((topic.clone(), TopicAlreadyExists)), Err((unknown.clone(), InvalidConfig))]);

    let deleted = admin.delete_topics(&[&unknown], &options).await.unwrap();
    assert_eq!(deleted, [Err((unknown.clone(), UnknownTopicOrPartition))]);
    let fewer = admin.create_partitions([&NewPartitions::new(&topic, 1)], &options).await.unwrap();
    assert_eq!(fewer, [Err((topic.clone(), InvalidPartitions))]);
}
