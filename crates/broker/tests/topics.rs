//! CreateTopics, DeleteTopics, DeleteRecords, and topics that come to be because a client asked for them.

mod client;

use std::collections::BTreeSet;

use client::{Client, TestBroker, batch};
use ottla_protocol::messages::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreatableTopicResult, CreateTopicsRequest,
    CreateTopicsResponse, DeletableTopicResult, DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
    DeleteTopicState, DeleteTopicsRequest, JoinGroupRequest, JoinGroupRequestProtocol, MetadataRequest,
    MetadataRequestTopic, MetadataResponse, OffsetCommitRequest, OffsetCommitRequestPartition,
    OffsetCommitRequestTopic, OffsetFetchRequest, OffsetFetchRequestTopic, OffsetFetchResponseTopic,
};
use ottla_protocol::{ErrorCode, Uuid};

const TIMEOUT_MS: i32 = 10_000;

fn topic(name: &str, num_partitions: i32, replication_factor: i16) -> CreatableTopic<'_> {
    CreatableTopic { name: name.into(), num_partitions, replication_factor, ..Default::default() }
}

fn with_config<'a>(name: &'a str, config: &'a str, value: Option<&'a str>) -> CreatableTopic<'a> {
    let config = CreatableTopicConfig { name: config.into(), value: value.map(Into::into) };
    CreatableTopic { configs: vec![config], ..topic(name, 1, 1) }
}

fn assigned<'a>(name: &'a str, assignments: &[(i32, &[i32])]) -> CreatableTopic<'a> {
    let assignments = assignments.iter().map(|&(partition_index, brokers)| CreatableReplicaAssignment {
        partition_index,
        broker_ids: brokers.to_vec(),
    });
    CreatableTopic { assignments: assignments.collect(), ..topic(name, -1, -1) }
}

async fn create(
    client: &mut Client,
    topics: Vec<CreatableTopic<'_>>,
    version: i16,
) -> Vec<CreatableTopicResult<'static>> {
    let request = CreateTopicsRequest { topics, timeout_ms: TIMEOUT_MS, validate_only: false };
    client.call(&request, version).await.topics
}

async fn create_one(client: &mut Client, topic: CreatableTopic<'_>) -> (ErrorCode, String) {
    let results = create(client, vec![topic], 7).await;
    let result = results.into_iter().next().expect("one result");
    (result.error_code, result.error_message.unwrap_or_default().into_owned())
}

async fn metadata(client: &mut Client, names: &[&str], create: bool) -> MetadataResponse<'static> {
    let topics = names.iter().map(|&name| MetadataRequestTopic { name: Some(name.into()), ..Default::default() });
    let request =
        MetadataRequest { topics: Some(topics.collect()), allow_auto_topic_creation: create, ..Default::default() };
    client.call(&request, 12).await
}

async fn delete(client: &mut Client, topics: Vec<DeleteTopicState<'_>>) -> Vec<DeletableTopicResult<'static>> {
    let request = DeleteTopicsRequest { topics, timeout_ms: TIMEOUT_MS, ..Default::default() };
    client.call(&request, 6).await.responses
}

fn named(name: &str) -> DeleteTopicState<'_> {
    DeleteTopicState { name: Some(name.into()), ..Default::default() }
}

#[tokio::test]
async fn topics_are_created_in_every_version() {
    let broker = TestBroker::start(&[("num.partitions", "3")]).await;
    let mut client = broker.connect().await;
    for version in 2..=7 {
        let name = format!("by-version-{version}");
        let request = CreateTopicsRequest {
            topics: vec![CreatableTopic {
                configs: vec![CreatableTopicConfig { name: "retention.ms".into(), value: Some("5".into()) }],
                ..topic(&name, -1, -1)
            }],
            timeout_ms: TIMEOUT_MS,
            validate_only: false,
        };
        let response: CreateTopicsResponse<'_> = client.call(&request, version).await;
        let [result] = &response.topics[..] else { panic!("one result") };
        assert_eq!((&*result.name, result.error_code), (&*name, ErrorCode::NONE));
        let made = broker.engine.metadata().by_name(&name).cloned().expect("the topic is there");
        assert_eq!(made.partitions, 3);
        assert_eq!(made.configs.get("retention.ms").map(String::as_str), Some("5"));
        if version >= 5 {
            assert_eq!((result.num_partitions, result.replication_factor), (3, 1));
            let configs = result.configs.as_ref().expect("configs");
            let retention = configs.iter().find(|config| config.name == "retention.ms").expect("retention.ms");
            assert_eq!((retention.value.as_deref(), retention.config_source), (Some("5"), 1));
            let policy = configs.iter().find(|config| config.name == "cleanup.policy").expect("cleanup.policy");
            assert_eq!((policy.value.as_deref(), policy.config_source), (Some("delete"), 5));
        }
        if version >= 7 {
            assert_eq!(result.topic_id, Uuid(made.id.0));
        }
    }
    let ids: BTreeSet<_> = broker.engine.metadata().topics().map(|topic| topic.id).collect();
    assert_eq!(ids.len(), 6, "every topic has an id of its own");
}

#[tokio::test]
async fn names_must_be_proper_and_free() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let longest = "a".repeat(249);
    assert_eq!(create_one(&mut client, topic(&longest, 1, 1)).await.0, ErrorCode::NONE);
    let too_long = "a".repeat(250);
    for name in ["", ".", "..", "a b", "ä", &too_long] {
        let (code, reason) = create_one(&mut client, topic(name, 1, 1)).await;
        assert_eq!(code, ErrorCode::INVALID_TOPIC_EXCEPTION, "{name}");
        assert!(!reason.is_empty());
    }
    assert_eq!(create_one(&mut client, topic("a.b", 1, 1)).await.0, ErrorCode::NONE);
    assert_eq!(create_one(&mut client, topic("a.b", 1, 1)).await.0, ErrorCode::TOPIC_ALREADY_EXISTS);
    let (code, reason) = create_one(&mut client, topic("a_b", 1, 1)).await;
    assert_eq!(code, ErrorCode::INVALID_TOPIC_EXCEPTION);
    assert!(reason.contains("a.b"), "{reason}");
    for name in ["__consumer_offsets", "__transaction_state", "__cluster_metadata"] {
        assert_eq!(create_one(&mut client, topic(name, 1, 1)).await.0, ErrorCode::INVALID_REQUEST, "{name}");
    }
}

#[tokio::test]
async fn a_name_twice_in_a_request_creates_neither() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let topics = vec![topic("twice", 1, 1), topic("once", 1, 1), topic("twice", 2, 1)];
    let results = create(&mut client, topics, 7).await;
    let results: Vec<_> = results.iter().map(|result| (&*result.name, result.error_code)).collect();
    assert_eq!(results, [("once", ErrorCode::NONE), ("twice", ErrorCode::INVALID_REQUEST)]);
    assert!(broker.engine.metadata().by_name("twice").is_none());
}

#[tokio::test]
async fn partitions_and_replicas_must_be_possible() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for factor in [2, 3, 0, -2, i16::MAX] {
        let (code, _) = create_one(&mut client, topic("t", 1, factor)).await;
        assert_eq!(code, ErrorCode::INVALID_REPLICATION_FACTOR, "{factor}");
    }
    for partitions in [0, -2, i32::MIN] {
        let (code, _) = create_one(&mut client, topic("t", partitions, 1)).await;
        assert_eq!(code, ErrorCode::INVALID_PARTITIONS, "{partitions}");
    }
    assert_eq!(create_one(&mut client, topic("t", 10_001, 1)).await.0, ErrorCode::POLICY_VIOLATION);
    assert_eq!(create_one(&mut client, topic("t", i32::MAX, 1)).await.0, ErrorCode::POLICY_VIOLATION);
    let together = create(&mut client, vec![topic("a", 6_000, 1), topic("b", 6_000, 1)], 7).await;
    assert!(together.iter().all(|result| result.error_code == ErrorCode::POLICY_VIOLATION));
    assert_eq!(broker.engine.metadata().topics().len(), 0);
    assert_eq!(create_one(&mut client, topic("most", 10_000, -1)).await.0, ErrorCode::NONE);
}

#[tokio::test]
async fn assignments_are_of_this_one_broker() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let good = assigned("good", &[(1, &[1]), (0, &[1])]);
    assert_eq!(create_one(&mut client, good).await.0, ErrorCode::NONE);
    assert_eq!(broker.engine.metadata().by_name("good").map(|topic| topic.partitions), Some(2));
    let wrong: [&[(i32, &[i32])]; 8] = [
        &[(0, &[1]), (2, &[1])],
        &[(1, &[1])],
        &[(0, &[1]), (0, &[1])],
        &[(0, &[1, 1])],
        &[(0, &[2])],
        &[(0, &[])],
        &[(-1, &[1])],
        &[(i32::MAX, &[1])],
    ];
    for assignments in wrong {
        let (code, _) = create_one(&mut client, assigned("t", assignments)).await;
        assert_eq!(code, ErrorCode::INVALID_REPLICA_ASSIGNMENT, "{assignments:?}");
    }
    for (partitions, factor) in [(1, -1), (-1, 1)] {
        let both =
            CreatableTopic { num_partitions: partitions, replication_factor: factor, ..assigned("t", &[(0, &[1])]) };
        assert_eq!(create_one(&mut client, both).await.0, ErrorCode::INVALID_REQUEST);
    }
}

#[tokio::test]
async fn configs_are_checked() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let wrong = [
        ("no.such.config", Some("1"), "unknown topic config"),
        ("retention.mss", Some("1"), "retention.ms?"),
        ("retention.ms", None, "null"),
        ("retention.ms", Some("soon"), "retention.ms=soon"),
        ("min.insync.replicas", Some("0"), "from 1"),
        ("cleanup.policy", Some("Compact"), "compact, delete"),
        ("remote.storage.enable", Some("true"), "tiered"),
    ];
    for (name, value, part) in wrong {
        let (code, reason) = create_one(&mut client, with_config("t", name, value)).await;
        assert_eq!(code, ErrorCode::INVALID_CONFIG, "{name}");
        assert!(reason.contains(part), "{reason}");
    }
    let (code, _) = create_one(&mut client, with_config("kept", "min.insync.replicas", Some("2"))).await;
    assert_eq!(code, ErrorCode::NONE);
    let kept = broker.engine.metadata().by_name("kept").cloned().expect("the topic");
    assert_eq!(kept.configs.get("min.insync.replicas").map(String::as_str), Some("2"));
    // Configs are looked at before partitions, as in Kafka.
    let both = CreatableTopic { replication_factor: 7, ..with_config("t", "no.such.config", Some("1")) };
    assert_eq!(create_one(&mut client, both).await.0, ErrorCode::INVALID_CONFIG);
}

#[tokio::test]
async fn a_validation_creates_nothing() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let request = CreateTopicsRequest {
        topics: vec![topic("checked", 4, 1), topic("wrong", 0, 1)],
        timeout_ms: TIMEOUT_MS,
        validate_only: true,
    };
    let response = client.call(&request, 7).await;
    let results: Vec<_> = response.topics.iter().map(|result| (result.error_code, result.num_partitions)).collect();
    assert_eq!(results, [(ErrorCode::NONE, 4), (ErrorCode::INVALID_PARTITIONS, -1)]);
    assert_eq!(broker.engine.metadata().topics().len(), 0);
}

#[tokio::test]
async fn creations_of_one_name_at_once_are_one_topic() {
    let broker = TestBroker::start(&[]).await;
    let mut clients = Vec::new();
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut client = broker.connect().await;
        let request =
            CreateTopicsRequest { topics: vec![topic("raced", 1, 1)], timeout_ms: TIMEOUT_MS, validate_only: false };
        waiting.push(client.send(&request, 7).await);
        clients.push(client);
    }
    let mut codes = Vec::new();
    for (client, id) in clients.iter_mut().zip(waiting) {
        let response: CreateTopicsResponse<'static> = client.receive(id, 7).await;
        codes.push(response.topics[0].error_code);
    }
    assert_eq!(codes.iter().filter(|code| **code == ErrorCode::NONE).count(), 1);
    assert_eq!(codes.iter().filter(|code| **code == ErrorCode::TOPIC_ALREADY_EXISTS).count(), 19);
}

#[tokio::test]
async fn a_topic_that_is_asked_for_is_created_and_answered_at_once() {
    let broker = TestBroker::start(&[("num.partitions", "2")]).await;
    let mut client = broker.connect().await;
    let mut other = broker.connect().await;
    let first = metadata(&mut client, &["asked"], true).await;
    let second = metadata(&mut other, &["asked"], true).await;
    assert_eq!(first.topics[0].error_code, ErrorCode::NONE);
    assert_eq!(first.topics[0].partitions.len(), 2);
    assert_eq!(first.topics[0].topic_id, second.topics[0].topic_id);
    let not_wanted = metadata(&mut client, &["not-wanted"], false).await;
    assert_eq!(not_wanted.topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let invalid = metadata(&mut client, &["not a name"], true).await;
    assert_eq!(invalid.topics[0].error_code, ErrorCode::INVALID_TOPIC_EXCEPTION);
    metadata(&mut client, &["a.b"], true).await;
    let colliding = metadata(&mut client, &["a_b"], true).await;
    assert_eq!(colliding.topics[0].error_code, ErrorCode::INVALID_TOPIC_EXCEPTION);
    let transactions = metadata(&mut client, &["__transaction_state"], true).await;
    assert_eq!((transactions.topics[0].error_code, transactions.topics[0].partitions.len()), (ErrorCode::NONE, 50));
    assert_eq!(broker.engine.metadata().topics().len(), 3);
}

#[tokio::test]
async fn nothing_is_created_where_that_is_switched_off() {
    let broker = TestBroker::start(&[("auto.create.topics.enable", "false")]).await;
    let mut client = broker.connect().await;
    let refused = metadata(&mut client, &["asked"], true).await;
    assert_eq!(refused.topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(broker.engine.metadata().topics().len(), 0);
}

#[tokio::test]
async fn the_first_group_creates_the_internal_topic() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    assert!(broker.engine.metadata().by_name("__consumer_offsets").is_none());
    let join = JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), ..Default::default() }],
        ..Default::default()
    };
    client.call(&join, 3).await;
    let topic = broker.engine.metadata().by_name("__consumer_offsets").cloned().expect("the internal topic");
    assert_eq!(topic.partitions, 50);
    let configs: Vec<_> = topic.configs.iter().map(|(name, value)| (&**name, &**value)).collect();
    let expected = [("cleanup.policy", "compact"), ("compression.type", "producer"), ("segment.bytes", "104857600")];
    assert_eq!(configs, expected);
    let shown = metadata(&mut client, &["__consumer_offsets"], false).await;
    assert!(shown.topics[0].is_internal);
    assert_eq!(broker.running.topic_count(), 0, "internal topics are not counted");
}

#[tokio::test]
async fn topics_are_deleted_by_name_and_by_id() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    broker.topic("by-name", 1, &[]).await;
    let id = Uuid(broker.topic("by-id", 1, &[]).await.id.0);
    let by_id = DeleteTopicState { name: None, topic_id: id };
    let results = delete(&mut client, vec![named("by-name"), by_id]).await;
    assert!(results.iter().all(|result| result.error_code == ErrorCode::NONE), "{results:?}");
    assert_eq!((results[1].name.as_deref(), results[1].topic_id), (Some("by-id"), id));
    assert_eq!(broker.engine.metadata().topics().len(), 0);
    for version in 1..=5 {
        broker.topic("old", 1, &[]).await;
        let request = DeleteTopicsRequest {
            topic_names: vec!["old".into(), "never".into()],
            timeout_ms: TIMEOUT_MS,
            ..Default::default()
        };
        let response = client.call(&request, version).await;
        let codes: Vec<_> = response.responses.iter().map(|result| result.error_code).collect();
        assert_eq!(codes, [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION], "version {version}");
    }
}

#[tokio::test]
async fn a_deleted_topics_commits_are_gone() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for name in ["doomed", "kept"] {
        broker.topic(name, 1, &[]).await;
        let partition = OffsetCommitRequestPartition { committed_offset: 7, ..Default::default() };
        let topic = OffsetCommitRequestTopic { name: name.into(), partitions: vec![partition], ..Default::default() };
        let commit = OffsetCommitRequest { group_id: "g".into(), topics: vec![topic], ..Default::default() };
        let committed = client.call(&commit, 8).await;
        assert_eq!(committed.topics[0].partitions[0].error_code, ErrorCode::NONE);
    }
    assert_eq!(committed_offsets(&mut client).await, [("doomed".to_owned(), 7), ("kept".to_owned(), 7)]);
    delete(&mut client, vec![named("doomed")]).await;
    assert_eq!(committed_offsets(&mut client).await, [("doomed".to_owned(), -1), ("kept".to_owned(), 7)]);
    broker.topic("doomed", 1, &[]).await;
    assert_eq!(committed_offsets(&mut client).await[0].1, -1, "also for a topic made anew under the name");
}

async fn committed_offsets(client: &mut Client) -> Vec<(String, i64)> {
    let topic = |name: &'static str| OffsetFetchRequestTopic { name: name.into(), partition_indexes: vec![0] };
    let fetch = OffsetFetchRequest {
        group_id: "g".into(),
        topics: Some(vec![topic("doomed"), topic("kept")]),
        ..Default::default()
    };
    let answer = client.call(&fetch, 7).await;
    let offset = |topic: &OffsetFetchResponseTopic<'_>| (topic.name.to_string(), topic.partitions[0].committed_offset);
    answer.topics.iter().map(offset).collect()
}

#[tokio::test]
async fn deletions_that_are_refused() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let id = Uuid(broker.topic("kept", 1, &[]).await.id.0);
    broker.topic("__consumer_offsets", 50, &[]).await;
    let state = |name: Option<&'static str>, topic_id| DeleteTopicState { name: name.map(Into::into), topic_id };
    let cases = [
        (vec![state(None, Uuid([7; 16]))], ErrorCode::UNKNOWN_TOPIC_ID),
        (vec![state(None, Uuid::ZERO)], ErrorCode::INVALID_REQUEST),
        (vec![state(Some("kept"), id)], ErrorCode::INVALID_REQUEST),
        (vec![state(Some("kept"), Uuid::ZERO), state(None, id)], ErrorCode::INVALID_REQUEST),
        (vec![named("kept"), named("kept")], ErrorCode::INVALID_REQUEST),
        (vec![named("__consumer_offsets")], ErrorCode::INVALID_TOPIC_EXCEPTION),
        (vec![named("")], ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    ];
    for (topics, expected) in cases {
        let results = delete(&mut client, topics.clone()).await;
        let codes: Vec<_> = results.iter().map(|result| result.error_code).collect();
        assert_eq!(codes, [expected], "{topics:?}");
    }
    assert_eq!(broker.engine.metadata().topics().len(), 2);
}

#[tokio::test]
async fn a_broker_may_forbid_deletion() {
    let broker = TestBroker::start(&[("delete.topic.enable", "false")]).await;
    let mut client = broker.connect().await;
    broker.topic("kept", 1, &[]).await;
    let results = delete(&mut client, vec![named("kept"), named("unknown")]).await;
    let codes: Vec<_> = results.iter().map(|result| result.error_code).collect();
    assert_eq!(codes, [ErrorCode::TOPIC_DELETION_DISABLED, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]);
    let request =
        DeleteTopicsRequest { topic_names: vec!["kept".into()], timeout_ms: TIMEOUT_MS, ..Default::default() };
    assert_eq!(client.call(&request, 2).await.responses[0].error_code, ErrorCode::INVALID_REQUEST);
    assert!(broker.engine.metadata().by_name("kept").is_some());
}

async fn delete_records(client: &mut Client, topic: &str, partitions: &[(i32, i64)]) -> Vec<(i32, i64, ErrorCode)> {
    let partitions =
        partitions.iter().map(|&(partition_index, offset)| DeleteRecordsPartition { partition_index, offset });
    let topic = DeleteRecordsTopic { name: topic.into(), partitions: partitions.collect() };
    let mut answers = Vec::new();
    for version in 0..=2 {
        let request = DeleteRecordsRequest { topics: vec![topic.clone()], timeout_ms: TIMEOUT_MS };
        let response = client.call(&request, version).await;
        let results = response.topics[0].partitions.iter();
        let results = results.map(|result| (result.partition_index, result.low_watermark, result.error_code));
        answers.push(results.collect::<Vec<_>>());
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "all versions answer the same: {answers:?}");
    answers.pop().unwrap_or_default()
}

#[tokio::test]
async fn records_are_deleted_up_to_an_offset() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    broker.topic("records", 2, &[]).await;
    client.produce("records", 0, &batch(&["a", "b", "c"])).await;
    client.produce("records", 1, &batch(&["a", "b"])).await;
    let moved = delete_records(&mut client, "records", &[(0, 2), (1, -1)]).await;
    assert_eq!(moved, [(0, 2, ErrorCode::NONE), (1, 2, ErrorCode::NONE)]);
    let back = delete_records(&mut client, "records", &[(0, 1), (0, 4), (1, -2), (2, 0), (-1, 0)]).await;
    assert_eq!(
        back,
        [
            (0, 2, ErrorCode::NONE),
            (0, -1, ErrorCode::OFFSET_OUT_OF_RANGE),
            (1, -1, ErrorCode::OFFSET_OUT_OF_RANGE),
            (2, -1, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            (-1, -1, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        ]
    );
}

#[tokio::test]
async fn records_that_may_not_be_deleted() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    broker.topic("compacted", 1, &[("cleanup.policy", "compact")]).await;
    broker.topic("both", 1, &[("cleanup.policy", "compact,delete")]).await;
    broker.topic("__consumer_offsets", 1, &[]).await;
    let cases = [
        ("compacted", (0, -1, ErrorCode::POLICY_VIOLATION)),
        ("both", (0, 0, ErrorCode::NONE)),
        ("__consumer_offsets", (0, -1, ErrorCode::INVALID_TOPIC_EXCEPTION)),
        ("unknown", (0, -1, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)),
    ];
    for (topic, expected) in cases {
        assert_eq!(delete_records(&mut client, topic, &[(0, -1)]).await, [expected], "{topic}");
    }
}
