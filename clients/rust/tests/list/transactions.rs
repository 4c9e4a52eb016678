//! What a transaction wrote is seen as a whole or not at all.

use std::collections::BTreeSet;

use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, Producer};
use rdkafka::topic_partition_list::Offset;
use rdkafka_matrix::broker::{self, DEADLINE};
use rdkafka_matrix::clients::{
    committed, deliver, new_client, new_member, new_reader, new_topic, next, numbered, produce, value, values_to,
};

#[tokio::test]
async fn transactions_isolation() {
    let topic = new_topic(2, &[]).await;
    let producer = new_producer(&broker::name("producer"));
    write_both(&producer, &topic, "committed").await;
    producer.commit_transaction(DEADLINE).unwrap();
    write_both(&producer, &topic, "aborted").await;
    producer.abort_transaction(DEADLINE).unwrap();

    let (kept, dropped) = (numbered("committed", 10), numbered("aborted", 10));
    check_seen(&topic, 2, "read_committed", &kept).await;
    check_seen(&topic, 2, "read_uncommitted", &[kept, dropped].concat()).await;
}

fn new_producer(id: &str) -> FutureProducer {
    let producer: FutureProducer = new_client(&[("transactional.id", id)]);
    producer.init_transactions(DEADLINE).unwrap();
    producer
}

/// Begins a transaction with five records in each of two partitions.
async fn write_both(producer: &FutureProducer, topic: &str, prefix: &str) {
    producer.begin_transaction().unwrap();
    for (partition, half) in numbered(prefix, 10).chunks(5).enumerate() {
        deliver(producer, values_to(topic, partition as i32, half)).await.unwrap();
    }
}

/// Ends each partition with a record of no transaction, and compares all that lies before these, in any order.
async fn check_seen(topic: &str, partitions: i32, isolation: &str, expected: &[String]) {
    let end = broker::name("end");
    for partition in 0..partitions {
        produce(topic, partition, &[&end]).await;
    }
    let consumer = new_reader(topic, &[("isolation.level", isolation)]);
    let (mut seen, mut open) = (Vec::new(), partitions);
    while open > 0 {
        match value(&next(&consumer).await) {
            last if last == end => open -= 1,
            of_another_look if of_another_look.starts_with("end") => {}
            other => seen.push(other),
        }
    }
    assert_eq!(seen.len(), expected.len(), "{isolation} sees {seen:?}");
    assert_eq!(BTreeSet::from_iter(&seen), BTreeSet::from_iter(expected), "{isolation}");
}

#[tokio::test]
async fn transactions_copier() {
    let (source, target, group) = (new_topic(1, &[]).await, new_topic(1, &[]).await, broker::name("group"));
    let sent = numbered("record", 10);
    produce(&source, 0, &sent).await;
    let (consumer, producer) = (new_member(&group, &source, "earliest"), new_producer(&broker::name("copier")));

    copy(&consumer, &producer, &target, &sent).await;
    producer.abort_transaction(DEADLINE).unwrap();
    assert_eq!(committed(&group, &source).0, Offset::Invalid);

    consumer.seek(&source, 0, Offset::Beginning, DEADLINE).unwrap();
    copy(&consumer, &producer, &target, &sent).await;
    producer.commit_transaction(DEADLINE).unwrap();
    assert_eq!(committed(&group, &source).0, Offset::Offset(10));
    check_seen(&target, 1, "read_committed", &sent).await;
}

/// Begins a transaction that takes these records over, with the offsets behind them.
async fn copy(consumer: &StreamConsumer, producer: &FutureProducer, target: &str, expected: &[String]) {
    producer.begin_transaction().unwrap();
    for wanted in expected {
        let record = next(consumer).await;
        assert_eq!(&value(&record), wanted, "at {}", record.offset());
        deliver(producer, values_to(target, 0, &[wanted])).await.unwrap();
    }
    let group = consumer.group_metadata().unwrap();
    producer.send_offsets_to_transaction(&consumer.position().unwrap(), &group, DEADLINE).unwrap();
}

#[tokio::test]
async fn transactions_fencing() {
    let (topic, id) = (new_topic(1, &[]).await, broker::name("producer"));
    let first = new_producer(&id);
    first.begin_transaction().unwrap();
    deliver(&first, values_to(&topic, 0, &["first"])).await.unwrap();

    let second = new_producer(&id);
    second.begin_transaction().unwrap();
    deliver(&second, values_to(&topic, 0, &["second"])).await.unwrap();
    second.commit_transaction(DEADLINE).unwrap();

    assert_fenced(first.commit_transaction(DEADLINE));
    check_seen(&topic, 1, "read_committed", &["second".to_string()]).await;
}

fn assert_fenced(outcome: KafkaResult<()>) {
    let Err(KafkaError::Transaction(why)) = outcome else { panic!("the first producer is told {outcome:?}") };
    assert!(why.is_fatal(), "{why}");
    assert_eq!(why.code(), RDKafkaErrorCode::Fenced);
}
