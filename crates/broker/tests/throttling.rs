//! Quotas as clients feel them: throttle times, silence, refusals; and the limits of connections.

mod client;

use std::time::{Duration, Instant};

use client::{Client, TestBroker, batch, produce_request};
use ottla_protocol::messages::{
    AlterClientQuotasEntry, AlterClientQuotasOp, AlterClientQuotasRequest, ApiVersionsRequest, ClientQuotaEntity,
    CreatableTopic, CreatePartitionsRequest, CreatePartitionsTopic, CreateTopicsRequest, DeleteTopicState,
    DeleteTopicsRequest, FetchPartition, FetchRequest, FetchTopic, MetadataRequest, MetadataRequestTopic,
};
use ottla_protocol::{ErrorCode, RecordChunks};

const TOO_FAST: ErrorCode = ErrorCode::THROTTLING_QUOTA_EXCEEDED;
/// As [`Client`] calls itself.
const CLIENT: (&str, Option<&str>) = ("client-id", Some("test-client"));

async fn set(client: &mut Client, (kind, name): (&str, Option<&str>), key: &str, value: Option<f64>) {
    let entity = vec![ClientQuotaEntity { entity_type: kind.into(), entity_name: name.map(Into::into) }];
    let op = AlterClientQuotasOp { key: key.into(), value: value.unwrap_or_default(), remove: value.is_none() };
    let entries = vec![AlterClientQuotasEntry { entity, ops: vec![op] }];
    let response = client.call(&AlterClientQuotasRequest { entries, validate_only: false }, 1).await;
    assert_eq!(response.entries[0].error_code, ErrorCode::NONE, "{response:?}");
}

/// Answers that come no sooner than the throttle time after the answer that told it.
async fn is_silent_for(client: &mut Client, throttle_time_ms: i32) {
    let told = Instant::now();
    client.call(&ApiVersionsRequest::default(), 0).await;
    // What was sent while the client should have been silent waits; its answer may have been on its way for a moment.
    let least = Duration::from_millis(throttle_time_ms as u64).saturating_sub(Duration::from_millis(20));
    assert!(told.elapsed() >= least, "{throttle_time_ms} ms were told, and it answered after {:?}", told.elapsed());
}

#[tokio::test]
async fn producers_are_told_to_be_silent_and_not_read_from() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let (mut client, mut other) = (broker.connect().await, broker.connect().await);
    set(&mut other, CLIENT, "producer_byte_rate", Some(10_000.0)).await;
    let records = batch(&["x".repeat(1000).as_str()]);
    let mut accepted = 0;
    let throttle_ms = loop {
        let response = client.produce("t", 0, &records).await;
        assert_eq!(response.responses[0].partition_responses[0].error_code, ErrorCode::NONE, "nothing is refused");
        accepted += 1;
        if response.throttle_time_ms > 0 {
            break response.throttle_time_ms;
        }
    };
    assert!((80..=100).contains(&accepted), "{accepted} times some 1,100 bytes are 10 s of it");
    other.call(&ApiVersionsRequest::default(), 0).await;
    is_silent_for(&mut client, throttle_ms).await;
    // Without an answer there is nowhere to tell it.
    client.send(&produce_request("t", 0, &batch(&["x".repeat(4000).as_str()]), 0), 9).await;
    is_silent_for(&mut client, 300).await;
    set(&mut other, CLIENT, "producer_byte_rate", None).await;
    assert_eq!(client.produce("t", 0, &records).await.throttle_time_ms, 0);
    broker.running.shutdown().await.expect("it stops");
}

fn fetch(max_bytes: i32) -> FetchRequest<'static> {
    let partition = FetchPartition { partition: 0, partition_max_bytes: i32::MAX, ..Default::default() };
    let topics = vec![FetchTopic { topic: "t".into(), partitions: vec![partition], ..Default::default() }];
    FetchRequest { max_bytes, topics, session_epoch: -1, ..Default::default() }
}

#[tokio::test]
async fn consumers_are_told_to_be_silent_and_given_what_they_may_have() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    for _ in 0..40 {
        client.produce("t", 0, &batch(&["x".repeat(1000).as_str()])).await;
    }
    set(&mut client, ("client-id", None), "consumer_byte_rate", Some(2_000.0)).await;
    let answer = client.call(&fetch(i32::MAX), 12).await;
    let got = answer.responses[0].partitions[0].records.as_ref().map_or(0, RecordChunks::len_bytes);
    assert!((15_000..=20_000).contains(&got), "10 s of it, not all of {got}");
    assert_eq!(answer.throttle_time_ms, 0);
    let throttle_ms = loop {
        match client.call(&fetch(100), 12).await.throttle_time_ms {
            0 => {}
            throttle_ms => break throttle_ms,
        }
    };
    assert!(throttle_ms < 600, "{throttle_ms}");
    is_silent_for(&mut client, throttle_ms).await;
}

#[tokio::test]
async fn who_works_too_much_is_silent_for_a_window_at_most() {
    let broker = TestBroker::start(&[("quota.window.size.seconds", "1")]).await;
    let mut client = broker.connect().await;
    set(&mut client, ("user", Some("ANONYMOUS")), "request_percentage", Some(0.00001)).await;
    let throttle_ms = loop {
        let answer = client.call(&MetadataRequest { topics: None, ..Default::default() }, 9).await;
        if answer.throttle_time_ms > 0 {
            break answer.throttle_time_ms;
        }
    };
    assert!(throttle_ms <= 1000, "{throttle_ms}");
    is_silent_for(&mut client, throttle_ms).await;
}

async fn create(client: &mut Client, name: &str, partitions: i32, version: i16) -> (ErrorCode, i32) {
    let topic =
        CreatableTopic { name: name.into(), num_partitions: partitions, replication_factor: 1, ..Default::default() };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only: false };
    let answer = client.call(&request, version).await;
    (answer.topics[0].error_code, answer.throttle_time_ms)
}

#[tokio::test]
async fn partitions_are_created_and_deleted_as_fast_as_allowed() {
    let broker = TestBroker::start(&[("controller.quota.window.num", "2")]).await;
    let mut client = broker.connect().await;
    set(&mut client, CLIENT, "controller_mutation_rate", Some(100.0)).await;
    assert_eq!(create(&mut client, "a", 205, 7).await, (ErrorCode::NONE, 0), "what is saved up may be overdrawn once");
    assert_eq!(create(&mut client, "b", 1, 7).await, (TOO_FAST, 50));
    let topics = vec![CreatePartitionsTopic { name: "a".into(), count: 206, assignments: None }];
    let more = CreatePartitionsRequest { topics, timeout_ms: 10_000, validate_only: false };
    assert_eq!(client.call(&more, 3).await.results[0].error_code, TOO_FAST);
    let topics = vec![DeleteTopicState { name: Some("a".into()), ..Default::default() }];
    let gone = DeleteTopicsRequest { topics, timeout_ms: 10_000, ..Default::default() };
    assert_eq!(client.call(&gone, 6).await.responses[0].error_code, TOO_FAST);
    assert_eq!(create(&mut client, "b", 1, 5).await, (ErrorCode::NONE, 60), "it knows no such error, and waits");
    broker.clock.advance(60);
    assert_eq!(client.call(&more, 3).await.results[0].error_code, ErrorCode::NONE);
    let only_asked = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: "c".into(),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        }],
        timeout_ms: 10_000,
        validate_only: true,
    };
    broker.clock.advance(10);
    assert_eq!(client.call(&only_asked, 7).await.topics[0].error_code, ErrorCode::NONE);
    assert_eq!(client.call(&only_asked, 7).await.topics[0].error_code, TOO_FAST, "a question counts as well");
    let new = MetadataRequestTopic { name: Some("new".into()), ..Default::default() };
    let wanted = MetadataRequest { topics: Some(vec![new]), allow_auto_topic_creation: true, ..Default::default() };
    let answer = client.call(&wanted, 9).await;
    assert_eq!((answer.topics[0].error_code, answer.throttle_time_ms), (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, 0));
    broker.clock.advance(10);
    assert_eq!(client.call(&wanted, 9).await.topics[0].error_code, ErrorCode::NONE);
}

#[tokio::test]
async fn one_address_has_as_many_connections_as_it_may() {
    let broker =
        TestBroker::start(&[("max.connections.per.ip", "9"), ("max.connections.per.ip.overrides", "127.0.0.1:2")])
            .await;
    let (mut first, second) = (broker.connect().await, broker.connect().await);
    first.call(&ApiVersionsRequest::default(), 0).await;
    broker.connect().await.expect_close().await;
    drop(second);
    loop {
        let mut next = broker.connect().await;
        if next.is_answered().await {
            break;
        }
    }
}

#[tokio::test]
async fn connections_above_all_that_may_be_wait_for_one_to_go() {
    let broker = TestBroker::start(&[("max.connections", "2")]).await;
    let (mut first, mut second) = (broker.connect().await, broker.connect().await);
    first.call(&ApiVersionsRequest::default(), 0).await;
    second.call(&ApiVersionsRequest::default(), 0).await;
    let mut third = broker.connect().await;
    let id = third.send(&ApiVersionsRequest::default(), 0).await;
    // Whatever the others do meanwhile, it is not served.
    for _ in 0..20 {
        first.call(&MetadataRequest::default(), 9).await;
    }
    let mut byte = [0; 1];
    let nothing = third.stream.try_read(&mut byte).expect_err("it waits");
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    drop(second);
    third.receive::<ottla_protocol::messages::ApiVersionsResponse>(id, 0).await;
}

#[tokio::test]
async fn connections_of_an_address_come_as_fast_as_its_quota_says() {
    let broker = TestBroker::start(&[("quota.window.num", "2")]).await;
    let mut first = broker.connect().await;
    set(&mut first, ("ip", Some("127.0.0.1")), "connection_creation_rate", Some(5.0)).await;
    let mut fast = Vec::new();
    for _ in 0..5 {
        fast.push(broker.connect().await);
    }
    for client in &mut fast {
        client.call(&ApiVersionsRequest::default(), 0).await;
    }
    let began = Instant::now();
    broker.connect().await.expect_close().await;
    assert!(began.elapsed() >= Duration::from_millis(180), "it is closed when its time is over");
    broker.clock.advance(3000);
    broker.connect().await.call(&ApiVersionsRequest::default(), 0).await;
}

#[tokio::test]
async fn connections_come_as_fast_as_the_broker_wants() {
    let broker = TestBroker::start(&[("max.connection.creation.rate", "2"), ("quota.window.num", "2")]).await;
    let mut first = broker.connect().await;
    first.call(&ApiVersionsRequest::default(), 0).await;
    let mut others = [broker.connect().await, broker.connect().await, broker.connect().await];
    let id = others[2].send(&ApiVersionsRequest::default(), 0).await;
    others[0].call(&ApiVersionsRequest::default(), 0).await;
    others[1].call(&ApiVersionsRequest::default(), 0).await;
    let mut byte = [0; 1];
    assert!(others[2].stream.try_read(&mut byte).is_err(), "it waits");
    broker.clock.advance(3000);
    others[2].receive::<ottla_protocol::messages::ApiVersionsResponse>(id, 0).await;
}

/// Silent for hours.
async fn silenced(broker: &TestBroker) -> Client {
    let mut client = broker.connect().await;
    set(&mut client, CLIENT, "producer_byte_rate", Some(1.0)).await;
    let throttle_ms = client.produce("t", 0, &batch(&["x".repeat(5000).as_str()])).await.throttle_time_ms;
    assert!(throttle_ms > 3_600_000, "{throttle_ms}");
    client
}

#[tokio::test]
async fn a_silenced_client_that_goes_gives_its_place_back() {
    let broker = TestBroker::start(&[("max.connections.per.ip", "1")]).await;
    broker.topic("t", 1, &[]).await;
    drop(silenced(&broker).await);
    while !broker.connect().await.is_answered().await {}
}

#[tokio::test]
async fn a_silenced_client_is_as_idle_as_any_other() {
    let broker = TestBroker::start(&[("connections.max.idle.ms", "100")]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = silenced(&broker).await;
    client.send(&ApiVersionsRequest::default(), 0).await;
    client.expect_close().await;
}

#[tokio::test]
async fn what_was_sent_before_the_silence_is_done_after_it_also_when_the_client_has_gone() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let (mut client, mut other) = (broker.connect().await, broker.connect().await);
    set(&mut other, CLIENT, "producer_byte_rate", Some(1000.0)).await;
    // The first silences the client for a moment; more than may be in flight follow, and nobody waits for an answer.
    client.send(&produce_request("t", 0, &batch(&["x".repeat(10_000).as_str()]), 0), 9).await;
    let small = batch(&["y"]);
    for _ in 0..200 {
        client.send(&produce_request("t", 0, &small, 0), 9).await;
    }
    drop(client);
    set(&mut other, CLIENT, "producer_byte_rate", None).await;
    let partition =
        broker.engine.metadata().by_name("t").map(|topic| ottla_storage::PartitionId { topic: topic.id, index: 0 });
    let partition = partition.expect("it is there");
    while broker.engine.bounds(partition).expect("it is there").high_watermark < 201 {
        tokio::task::yield_now().await;
        other.call(&ApiVersionsRequest::default(), 0).await;
    }
}
