//! Records of any size come back as they were sent, with what they carry beside their value.

use std::time::{SystemTime, UNIX_EPOCH};

use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Headers, Message, OwnedHeaders, OwnedMessage, Timestamp};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka_matrix::broker::DEADLINE;
use rdkafka_matrix::clients::{Settings, deliver, new_client, new_topic, numbered, read_all, values_to};

#[tokio::test]
async fn large_messages() {
    let (topic, value) = (new_topic(1, &[]).await, noise(900_000));
    send_value(&topic, &value, &[]).await.unwrap();
    assert_same_value(&read_all(&topic, &[]).await, &value);
}

#[tokio::test]
async fn large_messages_too_large() {
    let topic = new_topic(1, &[("max.message.bytes", "100000")]).await;
    let refused = send_value(&topic, &noise(200_000), &[]).await;
    assert_eq!(refused, Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge)));
}

#[tokio::test]
async fn large_messages_larger_than_a_fetch() {
    let (topic, value) = (new_topic(1, &[("max.message.bytes", "5000000")]).await, noise(4_000_000));
    send_value(&topic, &value, &[("message.max.bytes", "5000000")]).await.unwrap();
    // The last of these bounds the other two from below.
    let small = [("fetch.message.max.bytes", "10000"), ("fetch.max.bytes", "10000"), ("message.max.bytes", "10000")];
    assert_same_value(&read_all(&topic, &small).await, &value);
}

async fn send_value(topic: &str, value: &[u8], settings: Settings<'_>) -> Result<(), KafkaError> {
    let producer: FutureProducer = new_client(settings);
    deliver(&producer, [FutureRecord::<(), _>::to(topic).payload(value)]).await.map(|_| ())
}

/// Says nothing more than that where values differ: they are too large to print.
fn assert_same_value(records: &[OwnedMessage], value: &[u8]) {
    assert_eq!(records.len(), 1);
    assert!(records[0].payload() == Some(value), "the value has changed");
}

/// Bytes without a pattern (xorshift), in which a misplaced piece would show.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..size).map(|_| step()).collect()
}

#[tokio::test]
async fn headers_tombstones() {
    let topic = new_topic(1, &[]).await;
    let records: Vec<(Option<&str>, Option<&str>)> = vec![
        (Some("tombstone"), None),
        (None, Some("no key")),
        (None, None),
        (Some("empty value"), Some("")),
        (Some(""), Some("empty key")),
    ];
    let to_send = records.iter().map(|&(key, payload)| FutureRecord { key, payload, ..FutureRecord::to(&topic) });
    deliver(&new_client(&[]), to_send).await.unwrap();
    let back = read_all(&topic, &[]).await;
    let back: Vec<_> = back.iter().map(|record| (text(record.key()), text(record.payload()))).collect();
    assert_eq!(back, records);
}

fn text(bytes: Option<&[u8]>) -> Option<&str> {
    bytes.map(|bytes| std::str::from_utf8(bytes).unwrap())
}

#[tokio::test]
async fn headers_tombstones_headers() {
    let topic = new_topic(1, &[]).await;
    let headers: [Header<&[u8]>; 6] = [
        Header { key: "binary", value: Some(&[0, 255, 10]) },
        Header { key: "empty", value: Some(&[]) },
        Header { key: "null", value: None },
        Header { key: "twice", value: Some(b"1") },
        Header { key: "twice", value: Some(b"2") },
        Header { key: "", value: Some(b"no name") },
    ];
    let owned = headers.iter().cloned().fold(OwnedHeaders::new(), OwnedHeaders::insert);
    deliver(&new_client(&[]), [FutureRecord::<(), _>::to(&topic).payload("v").headers(owned)]).await.unwrap();
    let records = read_all(&topic, &[]).await;
    let back: Vec<_> = records[0].headers().unwrap().iter().collect();
    assert_eq!(back, headers);
}

/// In milliseconds, long ago.
const BEGIN: i64 = 1_700_000_000_000;

#[tokio::test]
async fn timestamps() {
    let topic = new_topic(1, &[]).await;
    let sent = numbered("record", 3);
    let times = || (0..3).map(|number| BEGIN + 1000 * number);
    let records = values_to(&topic, 0, &sent).zip(times()).map(|(record, time)| record.timestamp(time));
    deliver(&new_client(&[]), records).await.unwrap();
    let back = read_all(&topic, &[]).await;
    assert!(back.iter().map(Message::timestamp).eq(times().map(Timestamp::CreateTime)), "{back:?}");

    for (after, expected) in [(0, 0), (1, 1), (1000, 1), (2000, 2)] {
        assert_eq!(offset_by_time(&topic, BEGIN + after), Offset::Offset(expected), "after {after} ms");
    }
    assert_eq!(offset_by_time(&topic, BEGIN + 2001), Offset::End);
}

fn offset_by_time(topic: &str, time: i64) -> Offset {
    let consumer: StreamConsumer = new_client(&[]);
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition_offset(topic, 0, Offset::Offset(time)).unwrap();
    let found = consumer.offsets_for_times(wanted, DEADLINE).unwrap();
    let first = found.find_partition(topic, 0).unwrap();
    first.error().unwrap();
    first.offset()
}

#[tokio::test]
async fn timestamps_log_append_time() {
    let topic = new_topic(1, &[("message.timestamp.type", "LogAppendTime")]).await;
    let before = now();
    deliver(&new_client(&[]), values_to(&topic, 0, &["v"]).map(|record| record.timestamp(BEGIN))).await.unwrap();
    let timestamp = read_all(&topic, &[]).await[0].timestamp();
    let Timestamp::LogAppendTime(time) = timestamp else { panic!("the record has {timestamp:?}") };
    assert!((before..=now()).contains(&time), "{time} is not of now");
}

/// In milliseconds since 1970.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}
