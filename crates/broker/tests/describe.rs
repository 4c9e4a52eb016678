//! DescribeConfigs, DescribeCluster and InitProducerId.

mod client;

use std::collections::{BTreeMap, BTreeSet};

use client::{Client, TestBroker};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    DescribeClusterRequest, DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResult, InitProducerIdRequest,
};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

async fn describe(
    client: &mut Client,
    resource_type: i8,
    name: &str,
    keys: Option<&[&str]>,
    version: i16,
) -> DescribeConfigsResult<'static> {
    let resource = DescribeConfigsResource {
        resource_type,
        resource_name: name.into(),
        configuration_keys: keys.map(|keys| keys.iter().map(|&key| key.into()).collect()),
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        include_documentation: version >= 3,
    };
    let mut results = client.call(&request, version).await.results;
    results.pop().expect("one result")
}

type Described = BTreeMap<String, DescribeConfigsResourceResult<'static>>;

fn by_name(result: DescribeConfigsResult<'static>) -> Described {
    assert_eq!(result.error_code, ErrorCode::NONE, "{:?}", result.error_message);
    result.configs.into_iter().map(|config| (config.name.to_string(), config)).collect()
}

fn synonyms(config: &DescribeConfigsResourceResult<'_>) -> Vec<(String, String, i8)> {
    let shown = |value: &Option<std::borrow::Cow<'_, str>>| value.as_deref().unwrap_or("null").to_owned();
    config.synonyms.iter().map(|synonym| (synonym.name.to_string(), shown(&synonym.value), synonym.source)).collect()
}

#[tokio::test]
async fn a_topic_shows_all_its_configs_with_their_sources() {
    let broker = TestBroker::start(&[("message.max.bytes", "5000"), ("log.retention.hours", "2")]).await;
    let mut client = broker.connect().await;
    broker.topic("t", 1, &[("max.message.bytes", "77"), ("min.insync.replicas", "2")]).await;
    for version in 1..=4 {
        let configs = by_name(describe(&mut client, TOPIC, "t", None, version).await);
        assert_eq!(configs.len(), 33 + 1, "as many as Kafka 4.3 shows, and ottla.durability");
        let own = &configs["max.message.bytes"];
        assert_eq!((own.value.as_deref(), own.config_source, own.read_only), (Some("77"), 1, false));
        let expected = [
            ("max.message.bytes".to_owned(), "77".to_owned(), 1),
            ("message.max.bytes".to_owned(), "5000".to_owned(), 4),
            ("message.max.bytes".to_owned(), "1048588".to_owned(), 5),
        ];
        assert_eq!(synonyms(own), expected);
        let inherited = &configs["retention.ms"];
        assert_eq!((inherited.value.as_deref(), inherited.config_source), (Some("7200000"), 4));
        let default = &configs["cleanup.policy"];
        assert_eq!((default.value.as_deref(), default.config_source), (Some("delete"), 5));
        assert_eq!(configs["min.insync.replicas"].value.as_deref(), Some("2"));
        if version >= 3 {
            assert_eq!((own.config_type, default.config_type), (3, 7));
            assert!(own.documentation.as_deref().is_some_and(|text| text.ends_with('.')));
        }
    }
}

#[tokio::test]
async fn only_what_was_asked_for_is_shown() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    broker.topic("t", 1, &[]).await;
    let some = describe(&mut client, TOPIC, "t", Some(&["flush.ms", "no.such", "segment.ms"]), 4).await;
    assert_eq!(by_name(some).into_keys().collect::<Vec<_>>(), ["flush.ms", "segment.ms"]);
    let none_named = describe(&mut client, TOPIC, "t", Some(&[]), 4).await;
    assert_eq!(by_name(none_named).len(), 33 + 1, "an empty list means all, as in Kafka");
    let plain = DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: TOPIC,
            resource_name: "t".into(),
            configuration_keys: None,
        }],
        ..Default::default()
    };
    let response = client.call(&plain, 4).await;
    let configs = &response.results[0].configs;
    assert!(configs.iter().all(|config| config.synonyms.is_empty() && config.documentation.is_none()));
}

#[tokio::test]
async fn the_broker_shows_what_it_serves_and_what_was_given() {
    let given = [("num.partitions", "3"), ("log.retention.hours", "2"), ("ssl.key.password", "hunter2")];
    let broker = TestBroker::start(&given).await;
    let mut client = broker.connect().await;
    let configs = by_name(describe(&mut client, BROKER, "1", None, 4).await);
    let partitions = &configs["num.partitions"];
    assert_eq!((partitions.value.as_deref(), partitions.config_source), (Some("3"), 4));
    let expected = [("num.partitions".to_owned(), "3".to_owned(), 4), ("num.partitions".to_owned(), "1".to_owned(), 5)];
    assert_eq!(synonyms(partitions), expected);
    let default = &configs["ottla.durability"];
    assert_eq!((default.value.as_deref(), default.config_source, default.read_only), (Some("flush"), 5, false));
    let secret = &configs["ssl.key.password"];
    assert!(secret.is_sensitive && secret.value.is_none());
    assert_eq!(synonyms(secret), [("ssl.key.password".to_owned(), "null".to_owned(), 4)]);
    assert_eq!(configs["log.retention.hours"].value.as_deref(), Some("2"));
    assert_eq!(configs["group.initial.rebalance.delay.ms"].value, None);
    assert!(!configs.contains_key("process.roles"), "what steers nothing is shown only where it was given");
    let all: BTreeSet<_> = configs.keys().collect();
    assert!(all.len() > 20, "{all:?}");
}

#[tokio::test]
async fn other_resources_are_refused() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let cases = [
        (TOPIC, "unknown", ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        (TOPIC, "not a name", ErrorCode::INVALID_TOPIC_EXCEPTION),
        (TOPIC, "", ErrorCode::INVALID_TOPIC_EXCEPTION),
        (BROKER, "2", ErrorCode::INVALID_REQUEST),
        (BROKER, "one", ErrorCode::INVALID_REQUEST),
        (8, "2", ErrorCode::INVALID_REQUEST),
        (16, "", ErrorCode::INVALID_REQUEST),
        (32, "", ErrorCode::INVALID_REQUEST),
        (0, "x", ErrorCode::INVALID_REQUEST),
    ];
    for (resource_type, name, expected) in cases {
        let result = describe(&mut client, resource_type, name, None, 4).await;
        assert_eq!(result.error_code, expected, "{resource_type} {name}");
        assert_eq!((result.resource_type, &*result.resource_name), (resource_type, name));
        assert!(result.configs.is_empty());
        assert!(result.error_message.is_some_and(|reason| !reason.is_empty()));
    }
    assert!(by_name(describe(&mut client, BROKER, "", None, 4).await).is_empty());
}

#[tokio::test]
async fn the_cluster_is_this_one_node() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for version in 0..=2 {
        let response = client.call(&DescribeClusterRequest::default(), version).await;
        assert_eq!((response.error_code, &*response.cluster_id), (ErrorCode::NONE, "test-cluster"));
        assert_eq!((response.controller_id, response.endpoint_type), (1, 1));
        let [node] = &response.brokers[..] else { panic!("one broker") };
        assert_eq!((node.broker_id, &*node.host, node.port), (1, "127.0.0.1", i32::from(broker.port())));
        assert_eq!(response.cluster_authorized_operations, i32::MIN);
    }
    let with_operations = DescribeClusterRequest { include_cluster_authorized_operations: true, ..Default::default() };
    assert_eq!(client.call(&with_operations, 2).await.cluster_authorized_operations, 8096, "as Kafka answers");
    for (endpoint_type, expected) in [
        (2, ErrorCode::MISMATCHED_ENDPOINT_TYPE),
        (3, ErrorCode::UNSUPPORTED_ENDPOINT_TYPE),
        (0, ErrorCode::UNSUPPORTED_ENDPOINT_TYPE),
    ] {
        let request = DescribeClusterRequest { endpoint_type, ..Default::default() };
        assert_eq!(client.call(&request, 2).await.error_code, expected);
    }
}

#[tokio::test]
async fn every_idempotent_producer_gets_an_id_of_its_own() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let mut ids = BTreeSet::new();
    for version in 0..=5 {
        let request =
            InitProducerIdRequest { transactional_id: None, transaction_timeout_ms: -1, ..Default::default() };
        let response = client.call(&request, version).await;
        assert_eq!((response.error_code, response.producer_epoch), (ErrorCode::NONE, 0));
        assert!(response.producer_id >= 0 && ids.insert(response.producer_id));
    }
    let again = |producer_id, producer_epoch| InitProducerIdRequest {
        transactional_id: None,
        producer_id,
        producer_epoch,
        ..Default::default()
    };
    let known = client.call(&again(0, 2), 4).await;
    assert_eq!((known.error_code, known.producer_epoch), (ErrorCode::NONE, 0));
    assert!(ids.insert(known.producer_id), "a fresh id, whatever it had");
    for (id, epoch) in [(5, -1), (-1, 3)] {
        assert_eq!(client.call(&again(id, epoch), 4).await.error_code, ErrorCode::INVALID_REQUEST);
    }
}

#[tokio::test]
async fn transactional_ids_that_make_no_sense_are_refused() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for version in 0..=5 {
        for (id, expected) in [("tx", ErrorCode::INVALID_TRANSACTION_TIMEOUT), ("", ErrorCode::INVALID_REQUEST)] {
            let request = InitProducerIdRequest { transactional_id: Some(id.into()), ..Default::default() };
            let response = client.call(&request, version).await;
            assert_eq!((response.error_code, response.producer_id, response.producer_epoch), (expected, -1, -1));
        }
    }
}
