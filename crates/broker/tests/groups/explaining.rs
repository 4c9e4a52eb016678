//! What groups say about themselves: OttlaGroupExplain and OttlaGroupReset over the wire (`docs/explain.md`).

use std::sync::Arc;

use ottla_protocol::messages::*;
use ottla_protocol::{ApiKey, ErrorCode};
use ottla_storage::memory::MemoryEngine;
use ottla_storage::{Engine, Topic};
use serde_json::{Value, json};

use crate::asking::*;
use crate::client::{Client, TestBroker, batch, fetch_partition, fetch_request};

async fn ask(client: &mut Client, group: &str, view: &str) -> Result<Value, (ErrorCode, String)> {
    let request = OttlaGroupExplainRequest { group_id: group.into(), view: view.into(), since_ms: -1 };
    let answer = client.call(&request, 0).await;
    match answer.error_code {
        ErrorCode::NONE => Ok(serde_json::from_slice(&answer.json).expect("it is JSON")),
        code => Err((code, answer.error_message.unwrap_or_default().into_owned())),
    }
}

async fn explain(client: &mut Client, group: &str, view: &str) -> Value {
    ask(client, group, view).await.expect("there is an answer")
}

/// The names of the events of a view.
async fn names(client: &mut Client, group: &str, view: &str) -> Vec<String> {
    let told = explain(client, group, view).await;
    let events = told["events"].as_array().expect("a list").iter();
    events.map(|event| event["event"].as_str().expect("a name").to_owned()).collect()
}

/// What a leader gives, in the format of consumers, as text that [`sync`] sends: all partitions are below 128.
fn given(topic: &str, partitions: &[u8]) -> String {
    let mut bytes = vec![0, 1, 0, 0, 0, 1, 0, topic.len() as u8];
    bytes.extend(topic.as_bytes());
    bytes.extend([0, 0, 0, partitions.len() as u8]);
    partitions.iter().for_each(|&partition| bytes.extend([0, 0, 0, partition]));
    bytes.extend([0; 4]);
    String::from_utf8(bytes).expect("it is ASCII")
}

/// A member that has all partitions of `t`.
async fn reader_of(client: &mut Client, group: &str, partitions: &[u8]) -> JoinGroupResponse<'static> {
    let joined = join(client, group, 5).await;
    let synced = sync(client, group, &joined, &[(&joined.member_id, &given("t", partitions))], 3).await;
    assert_eq!(synced.error_code, ErrorCode::NONE);
    joined
}

async fn commit(
    client: &mut Client,
    group: &str,
    topic: &Topic,
    joined: &JoinGroupResponse<'_>,
    offset: i64,
) -> ErrorCode {
    let request = OffsetCommitRequest {
        generation_id_or_member_epoch: joined.generation_id,
        member_id: joined.member_id.as_ref().into(),
        ..commit_request(group, topic, 0, offset)
    };
    client.call(&request, 8).await.topics[0].partitions[0].error_code
}

async fn reset(
    client: &mut Client,
    group: &str,
    online: bool,
    undo: bool,
    offset: i64,
) -> OttlaGroupResetResponse<'static> {
    let partitions = vec![OttlaGroupResetPartition { partition_index: 0, offset }];
    let topics = vec![OttlaGroupResetTopic { name: "t".into(), partitions }];
    let topics = if undo { Vec::new() } else { topics };
    let request = OttlaGroupResetRequest { group_id: group.into(), online, undo, topics, ..Default::default() };
    client.call(&request, 0).await
}

const TEN: [&str; 10] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];

#[tokio::test]
async fn only_our_own_clients_are_told() {
    let broker = TestBroker::start(&[]).await;
    for (software, told) in [("ottla-client", true), ("apache-kafka-java", false)] {
        let mut client = broker.connect().await;
        let (name, version) = (software.into(), "1.0".into());
        let request = ApiVersionsRequest { client_software_name: name, client_software_version: version };
        let keys: Vec<i16> = client.call(&request, 3).await.api_keys.iter().map(|api| api.api_key).collect();
        for key in [ApiKey::OttlaGroupExplain, ApiKey::OttlaGroupReset] {
            assert_eq!(keys.contains(&key.code()), told, "{software}");
        }
    }
}

#[tokio::test]
async fn why_names_the_members_and_what_they_hold() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 2, &[]).await;
    let mut client = broker.connect().await;
    let joined = reader_of(&mut client, "g", &[0, 1]).await;
    let why = explain(&mut client, "g", "why").await;
    assert_eq!((&why["state"], &why["status"], &why["epoch"]), (&json!("Stable"), &json!("OK"), &json!(1)));
    assert_eq!(why["cause"]["text"], "the leader has assigned");
    let member = &why["members"][0];
    assert_eq!(member["member"]["member_id"], joined.member_id.as_ref());
    assert_eq!((&member["member"]["host"], &member["partitions"]), (&json!("127.0.0.1"), &json!({"t": [0, 1]})));
    assert_eq!(why["waits"][0]["name"], "Heartbeat");
    assert_eq!(why["waits"][0]["blocks"], false);
}

#[tokio::test]
async fn lag_is_one_snapshot_and_never_committed_is_not_nothing() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 2, &[]).await;
    let mut client = broker.connect().await;
    client.produce("t", 0, &batch(&TEN)).await;
    let joined = reader_of(&mut client, "g", &[0, 1]).await;
    assert_eq!(commit(&mut client, "g", &topic, &joined, 4).await, ErrorCode::NONE);
    let lag = explain(&mut client, "g", "lag").await;
    assert_eq!(lag["records"], 6);
    assert!(lag["bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{lag}");
    let [first, second] = &lag["partitions"].as_array().expect("a list")[..] else { panic!("two partitions: {lag}") };
    assert_eq!((&first["committed"], &first["end"], &first["records"]), (&json!(4), &json!(10), &json!(6)));
    assert_eq!(first["member"]["member_id"], joined.member_id.as_ref());
    for field in ["committed", "records", "bytes", "behind_ms"] {
        assert_eq!(second[field], Value::Null, "{field} of what was never committed");
    }
    let status = explain(&mut client, "", "status").await;
    assert_eq!((&status["groups"][0]["group"], &status["groups"][0]["lag_records"]), (&json!("g"), &json!(6)));
}

#[tokio::test]
async fn the_timeline_tells_it_all_and_survives_the_broker() {
    let engine: Arc<dyn Engine> = Arc::new(MemoryEngine::new());
    let listener = [("listeners", "PLAINTEXT://127.0.0.1:0")];
    let broker = TestBroker::over(engine.clone(), &listener).await;
    broker.topic("t", 2, &[]).await;
    let mut client = broker.connect().await;
    let joined = reader_of(&mut client, "g", &[0, 1]).await;
    leave(&mut client, "g", &joined.member_id, 5).await;
    let told = [
        "member_joined",
        "state_changed",
        "state_changed",
        "state_changed",
        "assigned",
        "member_left",
        "state_changed",
        "state_changed",
    ];
    assert_eq!(names(&mut client, "g", "timeline").await, told);
    assert_eq!(names(&mut client, "g", "events").await, [""; 0]);
    let TestBroker { running, .. } = broker;
    drop((client, running));
    let broker = TestBroker::over(engine, &listener).await;
    let mut client = broker.connect().await;
    assert_eq!(names(&mut client, "g", "timeline").await[..told.len()], told);
    reader_of(&mut client, "g", &[0]).await;
    let again = names(&mut client, "g", "timeline").await;
    assert!(again.len() > told.len() && again[..told.len()] == told, "{again:?}");
}

#[tokio::test]
async fn a_jump_that_was_not_read_is_told_loudly() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    for value in TEN {
        client.produce("t", 0, &batch(&[value])).await;
    }
    let joined = reader_of(&mut client, "g", &[0]).await;
    let fetch =
        |offset| fetch_request("t", vec![FetchPartition { partition_max_bytes: 1, ..fetch_partition(0, offset) }], 0);
    client.call(&fetch(0), 11).await;
    commit(&mut client, "g", &topic, &joined, 1).await;
    client.call(&fetch(1), 11).await;
    client.call(&fetch(7), 11).await;
    commit(&mut client, "g", &topic, &joined, 8).await;
    let events = explain(&mut client, "g", "events").await;
    let [moved] = &events["events"].as_array().expect("a list")[..] else { panic!("one event: {events}") };
    assert_eq!((&moved["from"], &moved["to"], &moved["not_read"]), (&json!(2), &json!(7), &json!(5)));
    assert_eq!(
        (&moved["certainty"], &moved["text"]),
        (&json!("inferred"), &json!("t/0 moved from 2 to 7: 5 records not read"))
    );
    assert_eq!(moved["member"]["member_id"], joined.member_id.as_ref());
}

#[tokio::test]
async fn offsets_are_reset_under_the_members() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    client.produce("t", 0, &batch(&TEN)).await;
    let joined = reader_of(&mut client, "g", &[0]).await;
    commit(&mut client, "g", &topic, &joined, 9).await;
    assert_eq!(reset(&mut client, "g", false, false, 2).await.error_code, ErrorCode::NON_EMPTY_GROUP);
    assert_eq!(reset(&mut client, "g", true, false, 11).await.error_code, ErrorCode::OFFSET_OUT_OF_RANGE);
    let done = reset(&mut client, "g", true, false, 2).await;
    let partition = &done.topics[0].partitions[0];
    assert_eq!((done.error_code, partition.from_offset, partition.to_offset), (ErrorCode::NONE, 9, 2));
    assert_eq!(commit(&mut client, "g", &topic, &joined, 10).await, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(heartbeat(&mut client, "g", &joined, 4).await, ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(explain(&mut client, "g", "lag").await["records"], 8);
    assert_eq!(reset(&mut client, "g", true, true, 0).await.error_code, ErrorCode::NONE);
    assert_eq!(explain(&mut client, "g", "lag").await["records"], 1);
    assert_eq!(names(&mut client, "g", "events").await, ["offsets_reset", "offsets_reset"]);
    assert_eq!(reset(&mut client, "g", true, true, 0).await.error_code, ErrorCode::INVALID_REQUEST);
}

#[tokio::test]
async fn questions_about_nothing_are_refused_with_a_sentence() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    reader_of(&mut client, "g", &[0]).await;
    for (group, view, code) in [
        ("nobody", "why", ErrorCode::GROUP_ID_NOT_FOUND),
        ("nobody", "timeline", ErrorCode::GROUP_ID_NOT_FOUND),
        ("g", "everything", ErrorCode::INVALID_REQUEST),
        ("", "why", ErrorCode::INVALID_REQUEST),
    ] {
        let (error, sentence) = ask(&mut client, group, view).await.expect_err("it is refused");
        assert!(error == code && !sentence.is_empty(), "{group} {view}: {error} {sentence}");
    }
    assert_eq!(reset(&mut client, "nobody", true, false, 0).await.error_code, ErrorCode::GROUP_ID_NOT_FOUND);
}

/// The topic that keeps the stories is the broker's own.
#[tokio::test]
async fn nobody_is_told_of_the_topic_of_events() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    reader_of(&mut client, "g", &[0]).await;
    explain(&mut client, "g", "timeline").await;
    assert!(broker.engine.metadata().by_name("__ottla_group_events").is_some());
    let all = client.call(&MetadataRequest { topics: None, ..Default::default() }, 9).await;
    let names: Vec<_> = all.topics.iter().filter_map(|topic| topic.name.as_deref()).collect();
    assert_eq!(names, ["__consumer_offsets", "t"]);
}
