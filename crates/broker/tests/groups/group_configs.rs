//! Configs of single groups, and what they do to the members there are.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::*;

use crate::asking::*;
use crate::client::{Client, TestBroker};

const GROUP: i8 = 32;
const SESSION_TIMEOUT: &str = "consumer.session.timeout.ms";
const HEARTBEAT_INTERVAL: &str = "consumer.heartbeat.interval.ms";
const GRACE: &str = "ottla.lost.connection.grace.ms";
/// How long a takeover may take before a test counts as hanging; far more than it needs.
const HANGS_AFTER: Duration = Duration::from_secs(30);
/// No member of these tests is silent for that long.
const SESSION_MS: i32 = 300_000;

/// Sets a config, or unsets it.
async fn set(client: &mut Client, group: &str, name: &str, value: Option<&str>) {
    let config = IncrementalAlterableConfig {
        name: name.into(),
        config_operation: i8::from(value.is_none()),
        value: value.map(Into::into),
    };
    let resource =
        IncrementalAlterConfigsResource { resource_type: GROUP, resource_name: group.into(), configs: vec![config] };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    let answer = client.call(&request, 1).await.responses.remove(0);
    assert_eq!((answer.error_code, answer.error_message), (ErrorCode::NONE, None));
}

/// Every config as `name=value source`, and behind it its synonyms in the same way.
async fn shown(client: &mut Client, group: &str) -> Vec<String> {
    let resource =
        DescribeConfigsResource { resource_type: GROUP, resource_name: group.into(), configuration_keys: None };
    let request = DescribeConfigsRequest { resources: vec![resource], include_synonyms: true, ..Default::default() };
    let described = client.call(&request, 4).await.results.remove(0);
    assert_eq!((described.error_code, described.error_message.as_deref()), (ErrorCode::NONE, Some("")));
    let configs = described.configs.iter().map(|config| {
        assert!(!config.read_only && config.config_type == 3, "{config:?}");
        let synonyms = config
            .synonyms
            .iter()
            .map(|of| format!("{}={} {}", of.name, of.value.as_deref().unwrap_or("null"), of.source));
        let value = config.value.as_deref().unwrap_or("null");
        format!("{}={value} {} <- {}", config.name, config.config_source, synonyms.collect::<Vec<_>>().join(", "))
    });
    configs.collect()
}

async fn beat(client: &mut Client, member: &str, epoch: i32) -> ConsumerGroupHeartbeatResponse<'static> {
    let is_joining = epoch == 0;
    let request = ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: member.into(),
        member_epoch: epoch,
        rebalance_timeout_ms: if is_joining { 60_000 } else { -1 },
        subscribed_topic_names: is_joining.then(|| vec!["t".into()]),
        topic_partitions: is_joining.then(Vec::new),
        ..Default::default()
    };
    let answer = client.call(&request, 1).await;
    assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
    answer
}

/// The values and sources are those that Apache Kafka 4.3.1 shows, but for the config of our own.
#[tokio::test]
async fn a_group_shows_its_configs_with_their_sources_whether_it_exists_or_not() {
    let broker = TestBroker::start(&[(GRACE, "9000")]).await;
    let mut client = broker.connect().await;
    let defaults = [
        "consumer.assignment.interval.ms=1000 5 <- group.consumer.assignment.interval.ms=1000 5",
        "consumer.heartbeat.interval.ms=5000 5 <- group.consumer.heartbeat.interval.ms=5000 5",
        "consumer.session.timeout.ms=45000 5 <- group.consumer.session.timeout.ms=45000 5",
        "ottla.lost.connection.grace.ms=9000 4 <- ottla.lost.connection.grace.ms=9000 4, ottla.lost.connection.grace.ms=-1 5",
    ];
    assert_eq!(shown(&mut client, "g").await, defaults);
    set(&mut client, "g", SESSION_TIMEOUT, Some("50000")).await;
    let own = "consumer.session.timeout.ms=50000 8 <- consumer.session.timeout.ms=50000 8, group.consumer.session.timeout.ms=45000 5";
    assert_eq!(shown(&mut client, "g").await[2], own);
    assert_eq!(shown(&mut client, "other").await, defaults);
    set(&mut client, "g", SESSION_TIMEOUT, None).await;
    assert_eq!(shown(&mut client, "g").await, defaults);
}

#[tokio::test]
async fn members_hear_of_a_changed_interval_with_their_next_heartbeat_also_after_a_restart() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let (mut client, mut admin) = (broker.connect().await, broker.connect().await);
    assert_eq!(beat(&mut client, "a", 0).await.heartbeat_interval_ms, 5_000);
    set(&mut admin, "g", HEARTBEAT_INTERVAL, Some("7000")).await;
    assert_eq!(beat(&mut client, "a", 2).await.heartbeat_interval_ms, 7_000);
    let engine = broker.engine.clone();
    drop(broker);
    let broker = TestBroker::over(engine, &[]).await;
    let mut client = broker.connect().await;
    assert_eq!(beat(&mut client, "a", 2).await.heartbeat_interval_ms, 7_000);
    set(&mut client, "g", HEARTBEAT_INTERVAL, None).await;
    assert_eq!(beat(&mut client, "a", 2).await.heartbeat_interval_ms, 5_000);
}

/// Lets the clock go on, a millisecond for each question, until the group has so many members.
async fn until_members(broker: &TestBroker, client: &mut Client, group: &str, members: usize) {
    let so = async {
        while describe(client, group).await.members.len() != members {
            broker.clock.monotonic_ms.fetch_add(1, Ordering::Relaxed);
        }
    };
    let waited = tokio::time::timeout(HANGS_AFTER, so).await;
    assert!(waited.is_ok(), "{group} never had {members} members");
    let at_ms = broker.clock.monotonic_ms.load(Ordering::Relaxed);
    assert!(at_ms < SESSION_MS as u64, "it was the session that ended, after {at_ms} ms");
}

/// A member of the classic protocol, alone, whose session is long.
async fn settled(client: &mut Client, group: &str, instance: Option<&str>) -> JoinGroupResponse<'static> {
    let with = |member_id: String| JoinGroupRequest {
        session_timeout_ms: SESSION_MS,
        group_instance_id: instance.map(Into::into),
        member_id: member_id.into(),
        ..join_request(group, "")
    };
    let id = if instance.is_some() { String::new() } else { member_id(client, group, 9).await };
    let joined = client.call(&with(id), 9).await;
    assert_eq!(joined.error_code, ErrorCode::NONE);
    let request = SyncGroupRequest {
        group_instance_id: instance.map(Into::into),
        ..sync_request(group, &joined, &[(&joined.member_id, "all")], 5)
    };
    assert_eq!(client.call(&request, 5).await.error_code, ErrorCode::NONE);
    joined
}

#[tokio::test]
async fn a_killed_member_is_removed_after_the_grace() {
    let broker = TestBroker::start(&[]).await;
    let mut admin = broker.connect().await;
    set(&mut admin, "g", GRACE, Some("10")).await;
    let mut member = broker.connect().await;
    settled(&mut member, "g", None).await;
    drop(member);
    until_members(&broker, &mut admin, "g", 0).await;
}

/// The static one and the group without the config are passed over by the same loss.
#[tokio::test]
async fn neither_static_members_nor_groups_without_the_config_are_concerned() {
    let broker = TestBroker::start(&[(GRACE, "10")]).await;
    let mut admin = broker.connect().await;
    set(&mut admin, "without", GRACE, Some("-1")).await;
    let mut member = broker.connect().await;
    settled(&mut member, "g", None).await;
    settled(&mut member, "static", Some("i")).await;
    settled(&mut member, "without", None).await;
    drop(member);
    until_members(&broker, &mut admin, "g", 0).await;
    for group in ["static", "without"] {
        assert_eq!(describe(&mut admin, group).await.members.len(), 1, "{group}");
    }
}

#[tokio::test]
async fn who_comes_back_over_another_connection_stays() {
    let broker = TestBroker::start(&[(GRACE, "10")]).await;
    let (mut admin, mut first, mut second) = (broker.connect().await, broker.connect().await, broker.connect().await);
    let joined = settled(&mut first, "g", None).await;
    settled(&mut first, "gone", None).await;
    assert_eq!(heartbeat(&mut second, "g", &joined, 9).await, ErrorCode::NONE);
    drop(first);
    // The same loss has removed the member that did not come back.
    until_members(&broker, &mut admin, "gone", 0).await;
    assert_eq!(describe(&mut admin, "g").await.members.len(), 1);
    assert_eq!(heartbeat(&mut second, "g", &joined, 9).await, ErrorCode::NONE);
}

#[tokio::test]
async fn somebody_takes_over_from_a_killed_member_of_the_consumer_protocol() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 4, &[]).await;
    let (mut killed, mut lives) = (broker.connect().await, broker.connect().await);
    set(&mut lives, "g", GRACE, Some("10")).await;
    assert_eq!(beat(&mut killed, "a", 0).await.member_epoch, 2);
    let mut epoch = beat(&mut lives, "b", 0).await.member_epoch;
    drop(killed);
    let takes_over = async {
        loop {
            broker.clock.monotonic_ms.fetch_add(1, Ordering::Relaxed);
            let answer = beat(&mut lives, "b", epoch).await;
            epoch = answer.member_epoch;
            let given = answer.assignment.0.into_iter().flat_map(|given| given.topic_partitions);
            if given.flat_map(|topic| topic.partitions).count() == 4 {
                return;
            }
        }
    };
    assert!(tokio::time::timeout(HANGS_AFTER, takes_over).await.is_ok(), "nobody took over");
    let at_ms = broker.clock.monotonic_ms.load(Ordering::Relaxed);
    assert!(at_ms < 45_000, "it was the session that ended, after {at_ms} ms");
}

#[tokio::test]
async fn the_brokers_own_stop_removes_nobody() {
    let broker = TestBroker::start(&[(GRACE, "1")]).await;
    let mut member = broker.connect().await;
    let joined = settled(&mut member, "g", None).await;
    let engine = broker.engine.clone();
    broker.running.shutdown().await.expect("it stops in order");
    member.expect_close().await;
    let broker = TestBroker::over(engine, &[]).await;
    let mut back = broker.connect().await;
    assert_eq!(heartbeat(&mut back, "g", &joined, 9).await, ErrorCode::NONE);
}
