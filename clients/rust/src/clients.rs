//! Clients of rust-rdkafka on the broker, and the few things that nearly every test does with them.

use std::collections::BTreeSet;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{ClientConfig, FromClientConfig};
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{Message, OwnedMessage, ToBytes};
use rdkafka::producer::future_producer::Delivery;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::broker::{self, DEADLINE, eventually, within_deadline};

/// Settings of librdkafka, each with its value.
pub type Settings<'a> = &'a [(&'a str, &'a str)];

pub type Admin = AdminClient<DefaultClientContext>;

/// What every client begins with.
pub fn config(settings: Settings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker::bootstrap());
    // The default of 10 s is how long a client may wait for a broker that is back already.
    config.set("reconnect.backoff.max.ms", "500");
    config.extend(settings.iter().map(|(name, value)| (name.to_string(), value.to_string())));
    config
}

pub fn new_client<T: FromClientConfig>(settings: Settings) -> T {
    config(settings).create().unwrap()
}

pub fn new_admin() -> Admin {
    new_client(&[])
}

/// Creates a topic with a new name, and returns the name when the broker shows it: Kafka answers a moment before.
pub async fn new_topic(partitions: i32, configs: Settings<'_>) -> String {
    let name = broker::name("topic");
    let mut topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1));
    topic.config.extend_from_slice(configs);
    let admin = new_admin();
    let created = admin.create_topics([&topic], &AdminOptions::new()).await.unwrap();
    assert_eq!(created, [Ok(name.clone())]);
    eventually("the new topic", async || listed_partitions(&admin, &name) == Some(partitions)).await;
    name
}

/// Hands all records to the producer before it waits for the first acknowledgement.
pub async fn deliver<'a, K, V>(
    producer: &FutureProducer,
    records: impl IntoIterator<Item = FutureRecord<'a, K, V>>,
) -> KafkaResult<Vec<Delivery>>
where
    K: ToBytes + ?Sized + 'a,
    V: ToBytes + ?Sized + 'a,
{
    let waiting = records
        .into_iter()
        .map(|record| producer.send_result(record).map_err(|(why, _)| why))
        .collect::<KafkaResult<Vec<_>>>()?;
    let mut deliveries = Vec::new();
    for delivery in waiting {
        let outcome = within_deadline("an acknowledgement", delivery).await.unwrap();
        deliveries.push(outcome.map_err(|(why, _)| why)?);
    }
    Ok(deliveries)
}

/// Writes the values to one partition with a producer of its own, and waits for all.
pub async fn produce(topic: &str, partition: i32, values: &[impl AsRef<str>]) {
    deliver(&new_client(&[]), values_to(topic, partition, values)).await.unwrap();
}

pub fn values_to<'a>(
    topic: &'a str,
    partition: i32,
    values: &'a [impl AsRef<str>],
) -> impl Iterator<Item = FutureRecord<'a, str, str>> {
    values.iter().map(move |value| FutureRecord::to(topic).partition(partition).payload(value.as_ref()))
}

pub fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number}")).collect()
}

/// Reads a topic from its beginning to its end, record by record.
pub async fn read_all(topic: &str, settings: Settings<'_>) -> Vec<OwnedMessage> {
    let consumer = new_reader(topic, &[settings, &[("enable.partition.eof", "true")]].concat());
    let mut open: BTreeSet<i32> = (0..listed_partitions(&new_admin(), topic).unwrap()).collect();
    let mut records = Vec::new();
    while !open.is_empty() {
        match within_deadline("a record", consumer.recv()).await {
            Ok(record) => records.push(record.detach()),
            Err(KafkaError::PartitionEOF(partition)) => assert!(open.remove(&partition)),
            Err(why) => panic!("after {} records: {why}", records.len()),
        }
    }
    records
}

/// A consumer at the beginning of all partitions. Its group is only a name, which librdkafka asks for.
pub fn new_reader(topic: &str, settings: Settings) -> StreamConsumer {
    let nobody = broker::name("reader");
    // The broker is asked at the end of a partition before a reader knows that there is nothing more, and waits so long.
    let wait = ("fetch.wait.max.ms", "20");
    let own = [("group.id", nobody.as_str()), ("enable.auto.commit", "false"), wait];
    let consumer: StreamConsumer = new_client(&[&own, settings].concat());
    let mut everything = TopicPartitionList::new();
    everything.add_partition_range(topic, 0, listed_partitions(&new_admin(), topic).unwrap() - 1);
    everything.set_all_offsets(Offset::Beginning).unwrap();
    consumer.assign(&everything).unwrap();
    consumer
}

/// How many partitions the topic has in the list of all topics.
pub fn listed_partitions(admin: &Admin, topic: &str) -> Option<i32> {
    let everything = admin.inner().fetch_metadata(None, DEADLINE).unwrap();
    let found = everything.topics().iter().find(|listed| listed.name() == topic);
    found.map(|listed| listed.partitions().len().try_into().unwrap())
}

/// A member of a group that commits nothing by itself.
pub fn new_member(group: &str, topic: &str, reset: &str) -> StreamConsumer {
    let consumer: StreamConsumer = new_client(&[
        ("group.id", group),
        ("auto.offset.reset", reset),
        ("enable.auto.commit", "false"),
        ("heartbeat.interval.ms", "200"),
    ]);
    consumer.subscribe(&[topic]).unwrap();
    consumer
}

/// The next record of a consumer.
pub async fn next(consumer: &StreamConsumer) -> OwnedMessage {
    within_deadline("a record", consumer.recv()).await.unwrap().detach()
}

pub fn value(record: &impl Message) -> String {
    String::from_utf8(record.payload().unwrap().to_vec()).unwrap()
}

pub fn values(records: &[OwnedMessage]) -> Vec<String> {
    records.iter().map(value).collect()
}

/// What a group has committed for the first partition of a topic, with the metadata; `Offset::Invalid` without a commit.
pub fn committed(group: &str, topic: &str) -> (Offset, String) {
    let consumer: StreamConsumer = new_client(&[("group.id", group)]);
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition(topic, 0);
    let offsets = consumer.committed_offsets(wanted, DEADLINE).unwrap();
    let first = offsets.find_partition(topic, 0).unwrap();
    first.error().unwrap();
    (first.offset(), first.metadata().to_string())
}

/// The state of a group in the list of all groups, and how many members it has.
pub fn listed_group(group: &str) -> Option<(String, usize)> {
    let everything = new_admin().inner().fetch_group_list(None, DEADLINE).unwrap();
    let found = everything.groups().iter().find(|listed| listed.name() == group);
    found.map(|listed| (listed.state().to_string(), listed.members().len()))
}
