//! Records arrive as they were sent, whatever codec they take, and once.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka_matrix::clients::{deliver, new_client, new_topic, numbered, read_all, value, values, values_to};

#[tokio::test]
async fn produce_codecs() {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = new_topic(3, &[]).await;
        produce_keyed(&topic, codec).await;
        check_keyed(codec, &read_all(&topic, &[]).await);
    }
}

async fn produce_keyed(topic: &str, codec: &str) {
    let producer: FutureProducer =
        new_client(&[("compression.type", codec), ("acks", "all"), ("partitioner", "murmur2_random")]);
    let pairs: Vec<_> = (0..100).map(|number| (key_of(number), long_value(number))).collect();
    let records = pairs.iter().map(|(key, value)| FutureRecord::to(topic).key(key).payload(value));
    deliver(&producer, records).await.unwrap();
}

fn key_of(number: usize) -> String {
    format!("key-{}", number % 10)
}

/// A value that repeats itself: a batch that does not become smaller is sent as it is.
fn long_value(number: usize) -> String {
    format!("value-{number} ").repeat(20)
}

fn check_keyed(codec: &str, records: &[OwnedMessage]) {
    let (mut keys, mut homes) = (BTreeMap::new(), BTreeMap::new());
    for record in records {
        let key = String::from_utf8(record.key().unwrap().to_vec()).unwrap();
        assert_eq!(*homes.entry(key.clone()).or_insert(record.partition()), record.partition(), "{codec}: {key}");
        assert_eq!(keys.insert(value(record), key), None, "{codec}: a record is there twice");
    }
    let expected: BTreeMap<_, _> = (0..100).map(|number| (long_value(number), key_of(number))).collect();
    assert_eq!(keys, expected, "{codec}");
    let used: BTreeSet<_> = homes.values().collect();
    assert_eq!(used.len(), 3, "{codec}: all partitions are used");
}

#[tokio::test]
async fn produce_idempotent() {
    let topic = new_topic(1, &[]).await;
    // Small batches, so that many of them are on their way at once.
    let producer: FutureProducer = new_client(&[("enable.idempotence", "true"), ("batch.num.messages", "20")]);
    let sent = numbered("record", 1000);
    let deliveries = deliver(&producer, values_to(&topic, 0, &sent)).await.unwrap();
    assert!(deliveries.iter().map(|delivery| delivery.offset).eq(0..1000));
    let records = read_all(&topic, &[]).await;
    assert_eq!(values(&records), sent);
    assert!(records.iter().map(Message::offset).eq(0..1000));
}
