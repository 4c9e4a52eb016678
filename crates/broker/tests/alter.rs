//! IncrementalAlterConfigs, AlterConfigs and CreatePartitions over real sockets.

mod client;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use client::{Client, TestBroker, batch, fetch_partition, fetch_request, values};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResource, AlterableConfig, CreatePartitionsAssignment, CreatePartitionsRequest,
    CreatePartitionsTopic, DescribeConfigsRequest, DescribeConfigsResource, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResource, IncrementalAlterableConfig, ListConfigResourcesRequest, MetadataRequest,
    MetadataRequestTopic,
};
use ottla_storage::conformance::Twin;
use ottla_storage::memory::MemoryEngine;
use ottla_storage::{ConfigChange, Engine, MetadataError, Pending};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

type Change<'a> = (&'a str, i8, Option<&'a str>);

fn resource<'a>(kind: i8, name: &'a str, changes: &[Change<'a>]) -> IncrementalAlterConfigsResource<'a> {
    let config = |&(name, config_operation, value): &Change<'a>| IncrementalAlterableConfig {
        name: name.into(),
        config_operation,
        value: value.map(Into::into),
    };
    IncrementalAlterConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configs: changes.iter().map(config).collect(),
    }
}

/// Code and reason for one resource.
async fn alter(client: &mut Client, kind: i8, name: &str, changes: &[Change<'_>]) -> (ErrorCode, String) {
    let request =
        IncrementalAlterConfigsRequest { resources: vec![resource(kind, name, changes)], validate_only: false };
    let mut responses = client.call(&request, 1).await.responses;
    let response = responses.pop().expect("one result");
    assert_eq!((response.resource_type, &*response.resource_name), (kind, name));
    (response.error_code, response.error_message.unwrap_or_default().into_owned())
}

#[track_caller]
fn done(outcome: (ErrorCode, String)) {
    assert_eq!(outcome, (ErrorCode::NONE, String::new()));
}

/// Value and source of each config asked for, and its synonyms as `name=value source`.
async fn describe(
    client: &mut Client,
    kind: i8,
    name: &str,
    keys: &[&str],
) -> BTreeMap<String, (String, i8, Vec<String>)> {
    let resource = DescribeConfigsResource {
        resource_type: kind,
        resource_name: name.into(),
        configuration_keys: Some(keys.iter().map(|&key| key.into()).collect()),
    };
    let request = DescribeConfigsRequest { resources: vec![resource], include_synonyms: true, ..Default::default() };
    let mut results = client.call(&request, 4).await.results;
    let configs = results.pop().expect("one result").configs.into_iter();
    let shown = |value: Option<std::borrow::Cow<'_, str>>| value.as_deref().unwrap_or("null").to_owned();
    let described = configs.map(|config| {
        let synonyms = config.synonyms.into_iter();
        let synonyms = synonyms.map(|synonym| format!("{}={} {}", synonym.name, shown(synonym.value), synonym.source));
        (config.name.to_string(), (shown(config.value), config.config_source, synonyms.collect()))
    });
    described.collect()
}

async fn value(client: &mut Client, kind: i8, name: &str, key: &str) -> (String, i8) {
    let (value, source, _) = describe(client, kind, name, &[key]).await.remove(key).expect("it is described");
    (value, source)
}

#[tokio::test]
async fn a_topics_configs_change_one_by_one() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    broker.topic("t", 1, &[("retention.ms", "5"), ("cleanup.policy", "delete")]).await;
    done(
        alter(&mut client, TOPIC, "t", &[("segment.ms", SET, Some("7")), ("cleanup.policy", APPEND, Some("compact"))])
            .await,
    );
    assert_eq!(value(&mut client, TOPIC, "t", "cleanup.policy").await, ("delete,compact".to_owned(), 1));
    assert_eq!(value(&mut client, TOPIC, "t", "segment.ms").await, ("7".to_owned(), 1));
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms").await, ("5".to_owned(), 1), "untouched");
    done(
        alter(&mut client, TOPIC, "t", &[("retention.ms", DELETE, None), ("cleanup.policy", SUBTRACT, Some("delete"))])
            .await,
    );
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms").await, ("604800000".to_owned(), 5));
    assert_eq!(value(&mut client, TOPIC, "t", "cleanup.policy").await, ("compact".to_owned(), 1));
    done(alter(&mut client, TOPIC, "t", &[]).await);
}

#[tokio::test]
async fn alter_configs_replaces_everything() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    broker.topic("t", 1, &[("retention.ms", "5"), ("segment.ms", "6")]).await;
    let request = |value: Option<&'static str>, validate_only| AlterConfigsRequest {
        resources: vec![AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: "t".into(),
            configs: vec![AlterableConfig { name: "retention.ms".into(), value: value.map(Into::into) }],
        }],
        validate_only,
    };
    for version in 0..=2 {
        let response = client.call(&request(Some("9"), true), version).await;
        assert_eq!((response.responses[0].error_code, &response.responses[0].error_message), (ErrorCode::NONE, &None));
    }
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms").await, ("5".to_owned(), 1), "it was only asked");
    client.call(&request(Some("9"), false), 2).await;
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms").await, ("9".to_owned(), 1));
    assert_eq!(value(&mut client, TOPIC, "t", "segment.ms").await, ("604800000".to_owned(), 5), "not named, so unset");
    let refused = client.call(&request(None, false), 2).await;
    assert_eq!(refused.responses[0].error_code, ErrorCode::INVALID_REQUEST);
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms").await, ("9".to_owned(), 1));
}

#[tokio::test]
async fn what_cannot_be_is_refused_for_its_resource_alone() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    broker.topic("t", 1, &[]).await;
    let cases: &[(i8, &str, Change<'_>, ErrorCode)] = &[
        (TOPIC, "unknown", ("retention.ms", SET, Some("1")), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (TOPIC, "", ("retention.ms", SET, Some("1")), ErrorCode::INVALID_REQUEST),
        (TOPIC, "bad name", ("retention.ms", SET, Some("1")), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (TOPIC, "t", ("retention.mss", SET, Some("1")), ErrorCode::INVALID_CONFIG),
        (TOPIC, "t", ("retention.ms", SET, Some("x")), ErrorCode::INVALID_CONFIG),
        (TOPIC, "t", ("retention.ms", APPEND, Some("1")), ErrorCode::INVALID_CONFIG),
        (TOPIC, "t", ("retention.ms", SET, None), ErrorCode::INVALID_REQUEST),
        (TOPIC, "t", ("cleanup.policy", APPEND, None), ErrorCode::INVALID_REQUEST),
        (TOPIC, "t", ("retention.ms", 4, Some("1")), ErrorCode::INVALID_REQUEST),
        (BROKER, "2", ("log.retention.ms", SET, Some("1")), ErrorCode::INVALID_REQUEST),
        (BROKER, "x", ("log.retention.ms", SET, Some("1")), ErrorCode::INVALID_REQUEST),
        (BROKER, "1", ("num.partitions", SET, Some("1")), ErrorCode::INVALID_REQUEST),
        (BROKER, "", ("max.connections", SET, Some("0")), ErrorCode::INVALID_REQUEST),
        (BROKER, "", ("max.connections.per.ip", SET, Some("0")), ErrorCode::INVALID_REQUEST),
        (BROKER, "", ("max.connections.per.ip.overrides", SET, Some("a:1")), ErrorCode::INVALID_REQUEST),
        (BROKER, "", ("max.connection.creation.rate", SET, Some("0")), ErrorCode::INVALID_REQUEST),
        (BROKER, "", ("log.retention.ms", SET, Some("x")), ErrorCode::INVALID_REQUEST),
        (BROKER, "1", ("log.retention.mss", SET, Some("1")), ErrorCode::INVALID_CONFIG),
        (GROUP, "", ("consumer.session.timeout.ms", SET, Some("50000")), ErrorCode::INVALID_REQUEST),
        (GROUP, "g", ("consumer.session.timeout.ms", SET, Some("44999")), ErrorCode::INVALID_CONFIG),
        (GROUP, "g", ("consumer.session.timeout.ms", SET, Some("60001")), ErrorCode::INVALID_CONFIG),
        (GROUP, "g", ("consumer.session.timeout.ms", SET, Some("x")), ErrorCode::INVALID_CONFIG),
        (GROUP, "g", ("consumer.session.timeout.ms", SET, None), ErrorCode::INVALID_REQUEST),
        (GROUP, "g", ("consumer.session.timeout.ms", APPEND, Some("1")), ErrorCode::INVALID_CONFIG),
        (GROUP, "g", ("consumer.heartbeat.interval.ms", SET, Some("4999")), ErrorCode::INVALID_CONFIG),
        (GROUP, "g", ("consumer.assignment.interval.ms", SET, Some("15001")), ErrorCode::INVALID_CONFIG),
        (GROUP, "g", ("ottla.lost.connection.grace.ms", SET, Some("0")), ErrorCode::INVALID_CONFIG),
        (GROUP, "g", ("bogus", SET, Some("1")), ErrorCode::INVALID_CONFIG),
        (99, "x", ("a", SET, Some("b")), ErrorCode::INVALID_REQUEST),
    ];
    for (kind, name, change, expected) in cases {
        let (code, reason) = alter(&mut client, *kind, name, &[*change]).await;
        assert_eq!(code, *expected, "{kind} {name} {change:?}: {reason}");
        assert!(!reason.is_empty(), "{kind} {name} {change:?}");
    }
    let set = |name| resource(TOPIC, name, &[("retention.ms", SET, Some("3"))]);
    let resources = vec![set("unknown"), set("t")];
    let both = client.call(&IncrementalAlterConfigsRequest { resources, validate_only: false }, 0).await;
    let codes: Vec<_> = both.responses.iter().map(|response| response.error_code).collect();
    assert_eq!(codes, [ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, ErrorCode::NONE]);
    let resources = vec![set("t"), resource(TOPIC, "t", &[("segment.ms", SET, Some("3"))])];
    let twice = client.call(&IncrementalAlterConfigsRequest { resources, validate_only: false }, 1).await;
    assert!(twice.responses.iter().all(|response| response.error_code == ErrorCode::INVALID_REQUEST));
    assert_eq!(value(&mut client, TOPIC, "t", "segment.ms").await.1, 5);
}

#[tokio::test]
async fn a_brokers_configs_hold_at_once_and_show_their_source() {
    let broker = TestBroker::start(&[("message.max.bytes", "100000"), ("log.retention.hours", "2")]).await;
    let mut client = broker.connect().await;
    broker.topic("t", 1, &[]).await;
    let accepts = async |client: &mut Client| {
        let response = client.produce("t", 0, &batch(&["a record of more than eighty bytes with its header"])).await;
        response.responses[0].partition_responses[0].error_code
    };
    assert_eq!(accepts(&mut client).await, ErrorCode::NONE);
    done(
        alter(&mut client, BROKER, "", &[("message.max.bytes", SET, Some("80")), ("log.retention.ms", SET, Some("7"))])
            .await,
    );
    assert_eq!(
        accepts(&mut client).await,
        ErrorCode::MESSAGE_TOO_LARGE,
        "at once, also where settings were remembered"
    );
    done(alter(&mut client, BROKER, "1", &[("message.max.bytes", SET, Some("90000"))]).await);
    assert_eq!(accepts(&mut client).await, ErrorCode::NONE);
    // The order as Apache Kafka shows it.
    let described = describe(&mut client, TOPIC, "t", &["max.message.bytes", "retention.ms"]).await;
    let words = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
    let max = words(&[
        "message.max.bytes=90000 2",
        "message.max.bytes=80 3",
        "message.max.bytes=100000 4",
        "message.max.bytes=1048588 5",
    ]);
    assert_eq!(described["max.message.bytes"], ("90000".to_owned(), 2, max.clone()));
    let retention = words(&["log.retention.ms=7 3", "log.retention.hours=2 4", "log.retention.hours=168 5"]);
    assert_eq!(described["retention.ms"], ("7".to_owned(), 3, retention));
    let described = describe(&mut client, BROKER, "1", &["message.max.bytes"]).await;
    assert_eq!(described["message.max.bytes"], ("90000".to_owned(), 2, max));
    let described = describe(&mut client, BROKER, "", &[]).await;
    assert_eq!(described.keys().collect::<Vec<_>>(), ["log.retention.ms", "message.max.bytes"]);
    assert_eq!(described["message.max.bytes"], ("80".to_owned(), 3, words(&["message.max.bytes=80 3"])));
    done(alter(&mut client, BROKER, "1", &[("message.max.bytes", DELETE, None)]).await);
    assert_eq!(accepts(&mut client).await, ErrorCode::MESSAGE_TOO_LARGE);
    done(alter(&mut client, TOPIC, "t", &[("max.message.bytes", SET, Some("70000"))]).await);
    assert_eq!(accepts(&mut client).await, ErrorCode::NONE, "the topic's own value wins");
}

#[tokio::test]
async fn a_brokers_configs_are_there_after_a_restart() {
    let first = TestBroker::start(&[]).await;
    let mut client = first.connect().await;
    done(alter(&mut client, BROKER, "1", &[("message.max.bytes", SET, Some("4321"))]).await);
    let second = TestBroker::over(first.engine.clone(), &[]).await;
    let mut client = second.connect().await;
    assert_eq!(value(&mut client, BROKER, "1", "message.max.bytes").await, ("4321".to_owned(), 2));
}

/// An engine in which somebody else is always a little faster, once.
struct Faster {
    memory: MemoryEngine,
    first: Mutex<Option<(&'static str, &'static str)>>,
}

impl Twin for Faster {
    fn behind(&self) -> &dyn Engine {
        &self.memory
    }

    fn alter_configs(&self, change: ConfigChange) -> Pending<(), MetadataError> {
        if let Some((name, value)) = self.first.lock().expect("not poisoned").take() {
            let mut after = change.before.clone();
            after.insert(name.to_owned(), value.to_owned());
            self.memory.alter_configs(ConfigChange { after, ..change.clone() }).wait().expect("it is faster");
        }
        self.memory.alter_configs(change)
    }
}

#[tokio::test]
async fn who_is_slower_changes_what_the_faster_one_left() {
    let faster = |first| Arc::new(Faster { memory: MemoryEngine::new(), first: Mutex::new(Some(first)) });
    let listeners = ("listeners", "PLAINTEXT://127.0.0.1:0");
    for (first, expected) in [("retention.ms", "7"), ("segment.ms", "7"), ("cleanup.policy", "compact")].iter().zip([
        [("retention.ms", "9"), ("cleanup.policy", "delete,compact")],
        [("retention.ms", "9"), ("segment.ms", "7")],
        [("retention.ms", "9"), ("cleanup.policy", "compact")],
    ]) {
        let broker = TestBroker::over(faster(*first), &[listeners]).await;
        let mut client = broker.connect().await;
        broker.topic("t", 1, &[]).await;
        let changes = [("retention.ms", SET, Some("9")), ("cleanup.policy", APPEND, Some("compact"))];
        done(alter(&mut client, TOPIC, "t", &changes).await);
        for (name, value) in expected {
            let shown = self::value(&mut client, TOPIC, "t", name).await;
            assert_eq!(shown, (value.to_owned(), 1), "{first:?}: {name}");
        }
    }
}

fn more<'a>(name: &'a str, count: i32, assignments: Option<&[&[i32]]>) -> CreatePartitionsTopic<'a> {
    let assignment = |brokers: &&[i32]| CreatePartitionsAssignment { broker_ids: brokers.to_vec() };
    let assignments = assignments.map(|all| all.iter().map(assignment).collect());
    CreatePartitionsTopic { name: name.into(), count, assignments }
}

async fn create(client: &mut Client, topic: CreatePartitionsTopic<'_>) -> (ErrorCode, String) {
    let request = CreatePartitionsRequest { topics: vec![topic], timeout_ms: 10_000, validate_only: false };
    let mut results = client.call(&request, 3).await.results;
    let result = results.pop().expect("one result");
    (result.error_code, result.error_message.unwrap_or_default().into_owned())
}

async fn partitions(client: &mut Client, name: &str) -> usize {
    let topic = MetadataRequestTopic { name: Some(name.into()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
    client.call(&request, 12).await.topics[0].partitions.len()
}

#[tokio::test]
async fn partitions_are_added_and_can_be_used_at_once() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    broker.topic("t", 1, &[("retention.ms", "-1")]).await;
    client.produce("t", 0, &batch(&["old"])).await;
    for version in 0..=3 {
        let topics = vec![more("t", 3, None)];
        let asked = CreatePartitionsRequest { topics, timeout_ms: 10_000, validate_only: true };
        assert_eq!(client.call(&asked, version).await.results[0].error_code, ErrorCode::NONE);
    }
    assert_eq!(partitions(&mut client, "t").await, 1, "it was only asked");
    done(create(&mut client, more("t", 3, None)).await);
    assert_eq!(partitions(&mut client, "t").await, 3);
    done(create(&mut client, more("t", 5, Some(&[&[1], &[1]]))).await);
    let produced = client.produce("t", 4, &batch(&["new"])).await;
    assert_eq!(produced.responses[0].partition_responses[0].error_code, ErrorCode::NONE);
    let fetched = client.call(&fetch_request("t", vec![fetch_partition(0, 0), fetch_partition(4, 0)], 0), 12).await;
    assert_eq!(values(&fetched), [(0, 0, "old".to_owned()), (4, 0, "new".to_owned())]);
    assert_eq!(value(&mut client, TOPIC, "t", "retention.ms").await, ("-1".to_owned(), 1), "configs stay");
}

#[tokio::test]
async fn a_fetch_session_sees_a_partition_that_comes_later() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    broker.topic("t", 1, &[]).await;
    let mut open = fetch_request("t", vec![fetch_partition(0, 0), fetch_partition(1, 0)], 0);
    open.session_epoch = 0;
    let opened = client.call(&open, 12).await;
    let codes: Vec<_> = opened.responses[0].partitions.iter().map(|partition| partition.error_code).collect();
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]);
    done(create(&mut client, more("t", 2, None)).await);
    client.produce("t", 1, &batch(&["new"])).await;
    let mut go_on = fetch_request("t", Vec::new(), 0);
    go_on.topics.clear();
    go_on.session_id = opened.session_id;
    go_on.session_epoch = 1;
    assert_eq!(values(&client.call(&go_on, 12).await), [(1, 0, "new".to_owned())]);
}

#[tokio::test]
async fn partitions_that_cannot_be_are_refused() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    broker.topic("t", 3, &[]).await;
    broker.topic("__consumer_offsets", 3, &[]).await;
    let assignment = ErrorCode::INVALID_REPLICA_ASSIGNMENT;
    let cases: Vec<(CreatePartitionsTopic<'_>, ErrorCode)> = vec![
        (more("t", 3, None), ErrorCode::INVALID_PARTITIONS),
        (more("t", 2, None), ErrorCode::INVALID_PARTITIONS),
        (more("t", 0, None), ErrorCode::INVALID_PARTITIONS),
        (more("t", -1, None), ErrorCode::INVALID_PARTITIONS),
        (more("t", 10_004, None), ErrorCode::POLICY_VIOLATION),
        (more("t", i32::MAX, None), ErrorCode::POLICY_VIOLATION),
        (more("unknown", 3, None), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (more("", 3, None), ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (more("__consumer_offsets", 6, None), ErrorCode::INVALID_REQUEST),
        (more("t", 5, Some(&[&[1]])), assignment),
        (more("t", 4, Some(&[&[1], &[1]])), assignment),
        (more("t", 4, Some(&[])), assignment),
        (more("t", 4, Some(&[&[2]])), assignment),
        (more("t", 4, Some(&[&[1, 2]])), assignment),
        (more("t", 4, Some(&[&[]])), assignment),
        (more("t", 4, Some(&[&[1, 1]])), assignment),
    ];
    for (topic, expected) in cases {
        let asked = format!("{topic:?}");
        let (code, reason) = create(&mut client, topic).await;
        assert_eq!(code, expected, "{asked}: {reason}");
        assert!(!reason.is_empty(), "{asked}");
    }
    let topics = vec![more("t", 4, None), more("t", 5, None)];
    let twice = CreatePartitionsRequest { topics, timeout_ms: 10_000, validate_only: false };
    let results = client.call(&twice, 3).await.results;
    assert_eq!(results.iter().map(|result| result.error_code).collect::<Vec<_>>(), [ErrorCode::INVALID_REQUEST]);
    assert_eq!(partitions(&mut client, "t").await, 3);
}

#[tokio::test]
async fn subscriptions_to_client_metrics_are_kept_listed_and_gone() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let before = describe(&mut client, CLIENT_METRICS, "latencies", &[]).await;
    assert_eq!(before["interval.ms"], ("300000".to_owned(), 5, vec![]));
    let set =
        [("interval.ms", SET, Some("10000")), ("match", SET, Some("client_id=a.*")), ("metrics", SET, Some("org."))];
    done(alter(&mut client, CLIENT_METRICS, "latencies", &set).await);
    let after = describe(&mut client, CLIENT_METRICS, "latencies", &["match"]).await;
    assert_eq!(after["match"], ("client_id=a.*".to_owned(), 7, vec!["match=client_id=a.* 7".to_owned()]));
    let listed = client.call(&ListConfigResourcesRequest::default(), 0).await.config_resources;
    assert_eq!(listed.iter().map(|one| &*one.resource_name).collect::<Vec<_>>(), ["latencies"]);
    done(alter(&mut client, CLIENT_METRICS, "latencies", &set.map(|(name, _, _)| (name, DELETE, None))).await);
    assert!(client.call(&ListConfigResourcesRequest::default(), 0).await.config_resources.is_empty());
    for (name, change, expected) in [
        ("", ("interval.ms", SET, Some("1000")), ErrorCode::INVALID_REQUEST),
        ("m", ("interval.ms", SET, Some("1")), ErrorCode::INVALID_REQUEST),
        ("m", ("intervall.ms", SET, Some("1000")), ErrorCode::INVALID_REQUEST),
        ("m", ("match", SET, Some("client_id=(")), ErrorCode::INVALID_CONFIG),
        ("m", ("match", SET, Some("client_id=a=b")), ErrorCode::INVALID_CONFIG),
        ("m", ("match", SET, Some("client_id=")), ErrorCode::INVALID_CONFIG),
        ("m", ("match", APPEND, Some("client_id=a")), ErrorCode::INVALID_CONFIG),
        ("m", ("metrics", SET, Some("a,,b")), ErrorCode::INVALID_CONFIG),
        ("m", ("interval.ms", SET, Some("abc")), ErrorCode::INVALID_CONFIG),
    ] {
        assert_eq!(alter(&mut client, CLIENT_METRICS, name, &[change]).await.0, expected, "{change:?}");
    }
}

#[tokio::test]
async fn levels_of_loggers_are_seen_and_changed() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let level = |described: BTreeMap<String, (String, i8, Vec<String>)>, logger| described[logger].0.clone();
    done(alter(&mut client, LOGGER, "1", &[("ottla_storage", SET, Some("DEBUG"))]).await);
    assert_eq!(level(describe(&mut client, LOGGER, "1", &[]).await, "ottla_storage"), "DEBUG");
    assert_eq!(level(describe(&mut client, LOGGER, "1", &["root"]).await, "root"), "INFO");
    done(alter(&mut client, LOGGER, "1", &[("ottla_storage", DELETE, None)]).await);
    assert_eq!(level(describe(&mut client, LOGGER, "1", &[]).await, "ottla_storage"), "INFO");
    for (name, change, expected) in [
        ("2", ("root", SET, Some("INFO")), ErrorCode::INVALID_REQUEST),
        ("1", ("root", DELETE, None), ErrorCode::INVALID_REQUEST),
        ("1", ("root", APPEND, Some("INFO")), ErrorCode::INVALID_REQUEST),
        ("1", ("root", SET, Some("LOUD")), ErrorCode::INVALID_CONFIG),
        ("1", ("root", SET, Some("info")), ErrorCode::INVALID_CONFIG),
        ("1", ("kafka.Kafka", SET, Some("INFO")), ErrorCode::INVALID_CONFIG),
    ] {
        assert_eq!(alter(&mut client, LOGGER, name, &[change]).await.0, expected, "{change:?}");
    }
    let whole = AlterConfigsResource { resource_type: LOGGER, resource_name: "1".into(), configs: vec![] };
    let refused = client.call(&AlterConfigsRequest { resources: vec![whole], validate_only: false }, 2).await;
    assert_eq!(refused.responses[0].error_code, ErrorCode::INVALID_REQUEST, "they are changed one by one");
}
