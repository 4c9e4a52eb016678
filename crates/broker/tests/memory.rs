//! What large requests and slow readers may take of the broker's memory, over real sockets.

mod client;

use std::io::ErrorKind;

use client::{Client, TestBroker, batch, fetch_partition, fetch_request, produce_request, values};
use ottla_protocol::messages::{
    FetchPartition, FetchResponse, ForgottenTopic, JoinGroupRequest, JoinGroupRequestProtocol, MetadataRequest,
    ProduceResponse,
};
use ottla_protocol::{ErrorCode, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const MEBIBYTE: usize = 1 << 20;
const FOREVER_MS: i32 = 600_000;

fn is_open(client: &Client) -> bool {
    matches!(client.stream.try_read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

async fn produce_value(client: &mut Client, partition: i32, bytes: usize) {
    let response = client.produce("t", partition, &batch(&[&"x".repeat(bytes)])).await;
    assert_eq!(response.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
}

#[tokio::test]
async fn announced_requests_that_do_not_come_hold_nobody_up() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut announcers = Vec::new();
    for _ in 0..100 {
        let mut announcer = broker.connect().await;
        announcer.write(&(100 * MEBIBYTE as i32).to_be_bytes()).await;
        announcers.push(announcer);
    }
    let mut producer = broker.connect().await;
    produce_value(&mut producer, 0, 20_000).await;
    assert!(announcers.iter().all(is_open), "nobody had to be closed for that");
}

#[tokio::test]
async fn a_large_request_is_charged_while_it_arrives_and_no_longer() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let records = batch(&[&"x".repeat(MEBIBYTE / 2)]);
    let request = frame::encode_request_frame(1, 9, None, &produce_request("t", 0, &records, -1)).expect("is written");
    let request = request.concat();
    let (begin, end) = request.split_at(100_000);
    client.write(begin).await;
    // Ends only if what has arrived is charged: all of it, and nothing that has not.
    while broker.running.broker().request_memory_bytes() != begin.len() - 4 {
        tokio::task::yield_now().await;
    }
    client.write(end).await;
    let _: ProduceResponse<'_> = client.receive(1, 9).await;
    assert_eq!(broker.running.broker().request_memory_bytes(), 0);
}

#[tokio::test]
async fn requests_that_wait_keep_nothing_of_their_bodies() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let mut fetch = fetch_request("t", vec![fetch_partition(0, 0)], FOREVER_MS);
    let partitions = (0..100_000).collect();
    fetch.forgotten_topics_data = vec![ForgottenTopic { topic: "t".into(), partitions, ..Default::default() }];
    client.send(&fetch, 11).await;
    while broker.running.broker().parked_fetch_partitions() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(broker.running.broker().request_memory_bytes(), 0);
}

#[tokio::test]
async fn only_producers_may_send_very_large_requests() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let mut fetch = fetch_request("t", vec![fetch_partition(0, 0)], FOREVER_MS);
    let partitions = (0..3_000_000).collect();
    fetch.forgotten_topics_data = vec![ForgottenTopic { topic: "t".into(), partitions, ..Default::default() }];
    client.send(&fetch, 11).await;
    client.expect_close().await;
    assert_eq!(broker.running.broker().request_memory_bytes(), 0);
}

/// A broker whose topic `t` has 2 MiB in each of 12 partitions, and who produced them.
async fn filled_with_24_mebibytes() -> (TestBroker, Client) {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 12, &[]).await;
    let mut producer = broker.connect().await;
    for partition in 0..12 {
        for _ in 0..4 {
            produce_value(&mut producer, partition, MEBIBYTE / 2).await;
        }
    }
    (broker, producer)
}

/// A fetch of all that 12 partitions have, 24 MB.
fn all_of_12_partitions<'a>() -> ottla_protocol::messages::FetchRequest<'a> {
    let whole = |partition| FetchPartition { partition_max_bytes: 5 << 20, ..fetch_partition(partition, 0) };
    fetch_request("t", (0..12).map(whole).collect(), 0)
}

#[tokio::test]
async fn answers_to_slow_readers_are_bounded_all_together() {
    let (broker, mut producer) = filled_with_24_mebibytes().await;
    let mut readers = Vec::new();
    let mut answered_bytes = 0;
    for _ in 0..40 {
        let mut reader = broker.connect().await;
        reader.send(&all_of_12_partitions(), 11).await;
        let size = reader.stream.read_u32().await.expect("an answer begins") as usize;
        assert!(size > MEBIBYTE / 2, "everybody gets a batch");
        answered_bytes += size;
        readers.push(reader);
    }
    // 40 times 24 MiB were asked for.
    assert!(answered_bytes < 200 * MEBIBYTE, "{answered_bytes} bytes wait for slow readers");
    assert!(broker.running.broker().answer_memory_bytes() <= answered_bytes);
    drop(readers);
    while broker.running.broker().answer_memory_bytes() > 0 {
        tokio::task::yield_now().await;
    }
    let whole: FetchResponse<'_> = producer.call(&all_of_12_partitions(), 11).await;
    assert_eq!(values(&whole).len(), 48, "what was given back is there for others");
}

#[tokio::test]
async fn what_is_short_for_answers_does_not_wait_for_more() {
    let (broker, mut producer) = filled_with_24_mebibytes().await;
    let mut readers = Vec::new();
    for _ in 0..40 {
        let mut reader = broker.connect().await;
        reader.send(&all_of_12_partitions(), 11).await;
        reader.stream.read_u32().await.expect("an answer begins");
        readers.push(reader);
    }
    let mut patient = all_of_12_partitions();
    (patient.min_bytes, patient.max_wait_ms) = (20 << 20, FOREVER_MS);
    let first: FetchResponse<'_> = producer.call(&patient, 11).await;
    assert!(!values(&first).is_empty());
}

#[tokio::test]
async fn a_client_that_closes_only_its_own_direction_is_answered() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let records = batch(&["a"]);
    let mut frames = Vec::new();
    for id in 0..100 {
        let request = produce_request("t", 0, &records, -1);
        frames.extend(frame::encode_request_frame(id, 9, None, &request).expect("is written").concat());
    }
    let at_end = fetch_request("t", vec![fetch_partition(0, 100)], FOREVER_MS);
    frames.extend(frame::encode_request_frame(100, 11, None, &at_end).expect("is written").concat());
    client.write(&frames).await;
    client.stream.shutdown().await.expect("half of it closes");
    for id in 0..100 {
        let response: ProduceResponse<'_> = client.receive(id, 9).await;
        assert_eq!(response.responses[0].partition_responses[0].base_offset, i64::from(id));
    }
    let fetched: FetchResponse<'_> = client.receive(100, 11).await;
    assert!(values(&fetched).is_empty(), "nobody waits for a client that may be gone");
    client.expect_close().await;
}

#[tokio::test]
async fn a_client_that_closed_its_direction_does_not_wait_for_other_clients() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let join = JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: 30_000,
        rebalance_timeout_ms: 30_000,
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata: Default::default() }],
        ..Default::default()
    };
    let mut other = broker.connect().await;
    assert_eq!(other.call(&join, 3).await.error_code, ErrorCode::NONE);
    client.send(&MetadataRequest::default(), 9).await;
    // Waits for the other member, for the whole rebalance timeout.
    client.send(&join, 3).await;
    client.stream.shutdown().await.expect("half of it closes");
    client.receive_frame().await;
    client.expect_close().await;
}
