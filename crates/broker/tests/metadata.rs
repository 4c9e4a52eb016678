//! Metadata and ListOffsets over real sockets.

mod client;

use client::{Client, TestBroker, WALL_MS, batch};
use ottla_protocol::messages::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic, MetadataRequest, MetadataRequestTopic,
    MetadataResponse, OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
};
use ottla_protocol::records::BatchBuilder;
use ottla_protocol::{ErrorCode, Uuid};
use ottla_storage::PartitionId;

fn by_name(name: &str) -> MetadataRequestTopic<'_> {
    MetadataRequestTopic { topic_id: Uuid::ZERO, name: Some(name.into()) }
}

fn request<'a>(topics: Option<Vec<MetadataRequestTopic<'a>>>, create: bool) -> MetadataRequest<'a> {
    MetadataRequest { topics, allow_auto_topic_creation: create, ..Default::default() }
}

fn told<'r>(response: &'r MetadataResponse<'_>) -> Vec<(&'r str, ErrorCode, usize)> {
    let topic = |topic: &'r ottla_protocol::messages::MetadataResponseTopic<'_>| {
        (topic.name.as_deref().unwrap_or("-"), topic.error_code, topic.partitions.len())
    };
    response.topics.iter().map(topic).collect()
}

#[tokio::test]
async fn all_topics_none_or_some() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("b", 2, &[]).await;
    broker.topic("a", 1, &[]).await;
    let mut client = broker.connect().await;
    let all = [("a", ErrorCode::NONE, 1), ("b", ErrorCode::NONE, 2)];
    for version in 0..=13 {
        let empty = client.call(&request(Some(vec![]), false_before(4, version)), version).await;
        assert_eq!(told(&empty), if version == 0 { all.to_vec() } else { vec![] }, "version {version}");
        let node = &empty.brokers[0];
        assert_eq!((node.node_id, &*node.host, node.port), (1, "127.0.0.1", i32::from(broker.port())));
        if version >= 1 {
            let response = client.call(&request(None, false_before(4, version)), version).await;
            assert_eq!(told(&response), all, "version {version}");
            assert_eq!(response.controller_id, 1);
        }
    }
    let twice = client.call(&request(Some(vec![by_name("a"), by_name("b"), by_name("a")]), false), 9).await;
    assert_eq!(told(&twice), all);
}

/// Versions that cannot say "do not create" always allow it.
fn false_before(_since: i16, version: i16) -> bool {
    version < 4
}

#[tokio::test]
async fn topics_are_created_only_where_client_and_broker_want_it() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let unwanted = client.call(&request(Some(vec![by_name("new")]), false), 9).await;
    assert_eq!(told(&unwanted), [("new", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, 0)]);
    let created = client.call(&request(Some(vec![by_name("new"), by_name("a b")]), true), 9).await;
    assert_eq!(told(&created), [("new", ErrorCode::NONE, 1), ("a b", ErrorCode::INVALID_TOPIC_EXCEPTION, 0)]);
    let closed = TestBroker::start(&[("auto.create.topics.enable", "false")]).await;
    let refused = closed.connect().await.call(&request(Some(vec![by_name("new")]), true), 9).await;
    assert_eq!(told(&refused), [("new", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, 0)]);
}

#[tokio::test]
async fn topics_are_found_by_id_since_version_12() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let by_id = |id| MetadataRequestTopic { topic_id: id, name: None };
    let found = client.call(&request(Some(vec![by_id(Uuid(topic.id.0)), by_id(Uuid([9; 16]))]), false), 12).await;
    assert_eq!(told(&found), [("t", ErrorCode::NONE, 1), ("-", ErrorCode::UNKNOWN_TOPIC_ID, 0)]);
    let too_early = client.call(&request(Some(vec![by_id(Uuid(topic.id.0))]), false), 11).await;
    assert_eq!(told(&too_early), [("", ErrorCode::INVALID_REQUEST, 0)]);
}

async fn list(client: &mut Client, timestamp: i64, version: i16) -> (ErrorCode, i64, i64) {
    let partition = ListOffsetsPartition { partition_index: 0, timestamp, ..Default::default() };
    let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![partition] };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let response = client.call(&request, version).await;
    let answer = &response.topics[0].partitions[0];
    (answer.error_code, answer.offset, answer.timestamp)
}

#[tokio::test]
async fn offsets_are_listed_as_the_reference_does() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let none = ErrorCode::NONE;
    assert_eq!(list(&mut client, -1, 11).await, (none, 0, -1));
    assert_eq!(list(&mut client, -3, 11).await, (none, -1, -1));
    for timestamp_ms in [1_000, 3_000, 2_000] {
        let mut builder = BatchBuilder::new();
        builder.push(timestamp_ms, None, Some(b"v"), &[]);
        client.produce("t", 0, &builder.build()).await;
    }
    let wanted = [(-1, 3, -1), (-2, 0, -1), (-3, 1, 3_000), (-4, 0, -1), (-5, -1, -1), (-6, -1, -1)];
    for (asked, offset, timestamp) in wanted {
        assert_eq!(list(&mut client, asked, 11).await, (none, offset, timestamp), "{asked}");
    }
    assert_eq!(list(&mut client, 2_000, 1).await, (none, 1, 3_000));
    assert_eq!(list(&mut client, 3_001, 1).await, (none, -1, -1));
    for (asked, version) in [(-3, 6), (-4, 7), (-5, 8), (-6, 10), (-7, 11), (i64::MIN, 11)] {
        assert_eq!(list(&mut client, asked, version).await, (ErrorCode::UNSUPPORTED_VERSION, -1, -1), "{asked}");
    }
    client.produce("t", 0, &batch(&["now"])).await;
    assert_eq!(list(&mut client, WALL_MS, 7).await, (none, 3, WALL_MS));
}

#[tokio::test]
async fn a_partition_named_twice_is_refused_once() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 2, &[]).await;
    let mut client = broker.connect().await;
    let asked = |name: &'static str, partitions: &[i32]| ListOffsetsTopic {
        name: name.into(),
        partitions: partitions
            .iter()
            .map(|&partition_index| ListOffsetsPartition { partition_index, timestamp: -1, ..Default::default() })
            .collect(),
    };
    let topics = vec![asked("t", &[0, 1, 0]), asked("u", &[4, 4]), asked("t", &[0])];
    let response = client.call(&ListOffsetsRequest { replica_id: -1, topics, ..Default::default() }, 9).await;
    let answers = response.topics.iter().map(|topic| {
        topic.partitions.iter().map(|partition| (partition.partition_index, partition.error_code)).collect::<Vec<_>>()
    });
    let twice = ErrorCode::INVALID_REQUEST;
    let expected = [vec![(0, twice), (1, ErrorCode::NONE)], vec![(4, twice)], vec![]];
    assert_eq!(answers.collect::<Vec<_>>(), expected);
}

/// Each line as Apache Kafka 4.3.1 answers a log of five records that begins at offset 2.
#[tokio::test]
async fn the_only_epoch_ends_where_the_log_ends() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 2, &[]).await;
    let mut client = broker.connect().await;
    client.produce("t", 0, &batch(&["a", "b", "c", "d", "e"])).await;
    broker.engine.delete_records(PartitionId { topic: topic.id, index: 0 }, 2).await.expect("it moves");
    let none = ErrorCode::NONE;
    let cases = [
        ((0, -1, 0), (none, 0, 5)),
        ((0, 0, 0), (none, 0, 5)),
        ((1, -1, 0), (none, 0, 0)),
        ((0, -1, -1), (none, -1, -1)),
        ((0, -1, 5), (none, -1, -1)),
        ((0, -1, i32::MAX), (none, -1, -1)),
        ((0, -1, -5), (none, -5, 2)),
        ((0, 5, 0), (ErrorCode::UNKNOWN_LEADER_EPOCH, -1, -1)),
        ((0, -2, 0), (ErrorCode::FENCED_LEADER_EPOCH, -1, -1)),
        ((7, 5, 0), (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, -1, -1)),
    ];
    for ((partition, current_leader_epoch, leader_epoch), expected) in cases {
        for version in 2..=4 {
            let asked = OffsetForLeaderPartition { partition, current_leader_epoch, leader_epoch };
            let topics = vec![OffsetForLeaderTopic { topic: "t".into(), partitions: vec![asked] }];
            let response = client.call(&OffsetForLeaderEpochRequest { topics, ..Default::default() }, version).await;
            let answer = &response.topics[0].partitions[0];
            let told = (answer.error_code, answer.leader_epoch, answer.end_offset);
            assert_eq!((answer.partition, told), (partition, expected), "{current_leader_epoch} {leader_epoch}");
        }
    }
}

#[tokio::test]
async fn what_comes_after_a_request_is_not_looked_at() {
    // As librdkafka asks for all topics: version 13, and three bytes more than the request has.
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let body = b"\0\x03\0\x0d\0\0\0\x05\0\x03me!\0\0\0\0\0\x01\0\0";
    client.write(&(body.len() as u32).to_be_bytes()).await;
    client.write(body).await;
    let answer: MetadataResponse<'_> = client.receive(5, 13).await;
    assert_eq!(answer.topics.len(), 1);
}
