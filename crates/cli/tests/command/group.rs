//! `ottla group` against a broker that says what a test tells it to: one of ours, and one of Kafka's.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::*;

use crate::fake::{Asked, broker};
use crate::process::{Ended, Ottla};

const STATUS: &str = r#"{"at_ms": 1795788351000, "groups": [{"group": "billing", "type": "classic", "protocol_type": "consumer",
    "state": "Empty", "status": "OK", "members": 0, "idle_members": 0, "partitions": 2, "lag_records": 30, "behind_ms": 5000,
    "trend": null, "note": ""}]}"#;
const WHY: &str = r#"{"at_ms": 1795788351000, "group": "billing", "type": "classic", "protocol_type": "consumer", "state": "Empty",
    "epoch": 17, "since_ms": null, "status": "OK", "text": "billing is Empty: nobody reads.", "cause": null, "waits": [],
    "findings": [], "members": []}"#;
const EVENTS: &str = r#"{"at_ms": 1795788351000, "group": "billing", "events": [{"at_ms": 1795788351000, "event": "member_left",
    "certainty": "known", "text": "worker-1 left"}]}"#;
const LAG: &str = r#"{"at_ms": 1795788351000, "group": "billing", "records": 30, "bytes": 900, "behind_ms": 5000, "partitions": [
    {"topic": "orders", "partition": 0, "committed": 70, "committed_at_ms": null, "metadata": "", "log_start": 0, "end": 100,
     "records": 30, "bytes": 900, "behind_ms": 5000, "member": null},
    {"topic": "orders", "partition": 1, "committed": 100, "committed_at_ms": null, "metadata": "", "log_start": 0, "end": 100,
     "records": 0, "bytes": 0, "behind_ms": 0, "member": null}]}"#;

/// Runs `ottla group` with these words against that broker.
fn group(broker: &str, words: &str) -> Ended {
    let mut arguments = vec!["group", "--bootstrap-server", broker];
    arguments.extend(words.split(' '));
    Ottla::run(&arguments).end()
}

#[track_caller]
fn says(ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    for part in parts {
        assert!(ended.stdout.contains(part), "no {part:?} in:\n{}", ended.stdout);
    }
}

/// A broker of ours that knows the group `billing`; it keeps what it was asked of its own requests.
fn ottla(resets: ErrorCode) -> (String, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = asked.clone();
    let address = broker(
        |_| true,
        move |one| {
            if one.request.key().is_ours() {
                kept.lock().expect("not poisoned").push(format!("{:?}", one.request));
            }
            match &one.request {
                AnyRequest::OttlaGroupExplain(request) => explain(one, request),
                AnyRequest::OttlaGroupReset(request) => reset(one, request, resets),
                _ => kafka_answer(one),
            }
        },
    );
    (address, asked)
}

fn explain(asked: &Asked<'_>, request: &OttlaGroupExplainRequest<'_>) -> Vec<u8> {
    let (code, json) = match (request.group_id.as_ref(), request.view.as_ref()) {
        ("" | "billing", "status") => (ErrorCode::NONE, STATUS),
        ("billing", "why") => (ErrorCode::NONE, WHY),
        ("billing", "timeline" | "events") => (ErrorCode::NONE, EVENTS),
        ("billing", "lag") => (ErrorCode::NONE, LAG),
        _ => (ErrorCode::GROUP_ID_NOT_FOUND, ""),
    };
    asked.answer(&OttlaGroupExplainResponse { error_code: code, json: json.as_bytes().into(), ..Default::default() })
}

fn reset(asked: &Asked<'_>, request: &OttlaGroupResetRequest<'_>, code: ErrorCode) -> Vec<u8> {
    let partition = |one: &OttlaGroupResetPartition| OttlaGroupResetPartitionResult {
        partition_index: one.partition_index,
        from_offset: if one.partition_index == 0 { 70 } else { 100 },
        to_offset: one.offset,
        ..Default::default()
    };
    let topic = |topic: &OttlaGroupResetTopic<'_>| OttlaGroupResetTopicResult {
        name: topic.name.to_string().into(),
        partitions: topic.partitions.iter().map(partition).collect(),
    };
    let topics = request.topics.iter().map(topic).collect();
    asked.answer(&OttlaGroupResetResponse { error_code: code, topics, ..Default::default() })
}

/// What a broker of Kafka's answers: the group `billing` without members, one with a member, and a topic from 10 to 100.
fn kafka_answer(asked: &Asked<'_>) -> Vec<u8> {
    match &asked.request {
        AnyRequest::Metadata(_) => asked.metadata(&[("orders", 2)]),
        AnyRequest::ListOffsets(request) => list_offsets(asked, request),
        AnyRequest::ListGroups(_) => {
            let group = |id: &'static str, state: &'static str| ListedGroup {
                group_id: id.into(),
                protocol_type: "consumer".into(),
                group_state: state.into(),
                group_type: "classic".into(),
            };
            let groups = vec![group("billing", "Empty"), group("emails", "Stable")];
            asked.answer(&ListGroupsResponse { groups, ..Default::default() })
        }
        AnyRequest::ConsumerGroupDescribe(_) => {
            let none = ConsumerGroupDescribeGroup { error_code: ErrorCode::GROUP_ID_NOT_FOUND, ..Default::default() };
            asked.answer(&ConsumerGroupDescribeResponse { groups: vec![none], ..Default::default() })
        }
        AnyRequest::DescribeGroups(request) => describe(asked, &request.groups[0]),
        AnyRequest::OffsetFetch(_) => commits(asked),
        other => panic!("{other:?}"),
    }
}

fn list_offsets(asked: &Asked<'_>, request: &ListOffsetsRequest<'_>) -> Vec<u8> {
    let partition = |one: &ListOffsetsPartition| ListOffsetsPartitionResponse {
        partition_index: one.partition_index,
        offset: match one.timestamp {
            -1 => 100,
            -2 => 10,
            _ => 40,
        },
        timestamp: one.timestamp,
        ..Default::default()
    };
    let topic = |topic: &ListOffsetsTopic<'_>| ListOffsetsTopicResponse {
        name: topic.name.to_string().into(),
        partitions: topic.partitions.iter().map(partition).collect(),
    };
    let topics = request.topics.iter().map(topic).collect();
    asked.answer(&ListOffsetsResponse { topics, ..Default::default() })
}

fn describe(asked: &Asked<'_>, group: &str) -> Vec<u8> {
    let assigned = ConsumerProtocolTopicPartitions { topic: "orders".into(), partitions: vec![0, 1] };
    let assignment = ConsumerProtocolAssignment { assigned_partitions: vec![assigned], user_data: None };
    let member = DescribedGroupMember {
        member_id: "worker-1-c0ffee".into(),
        client_id: "worker-1".into(),
        client_host: "/10.0.3.5".into(),
        member_assignment: assignment.to_bytes(0).expect("bytes").into(),
        ..Default::default()
    };
    let (code, state, members) = match group {
        "billing" => (ErrorCode::NONE, "Empty", Vec::new()),
        "emails" => (ErrorCode::NONE, "Stable", vec![member]),
        _ => (ErrorCode::GROUP_ID_NOT_FOUND, "Dead", Vec::new()),
    };
    let group = DescribedGroup {
        error_code: code,
        group_id: group.to_owned().into(),
        group_state: state.into(),
        protocol_type: "consumer".into(),
        members,
        ..Default::default()
    };
    asked.answer(&DescribeGroupsResponse { groups: vec![group], ..Default::default() })
}

fn commits(asked: &Asked<'_>) -> Vec<u8> {
    let commit = OffsetFetchResponsePartitions { partition_index: 0, committed_offset: 70, ..Default::default() };
    let topic = OffsetFetchResponseTopics { name: "orders".into(), partitions: vec![commit], ..Default::default() };
    let group = OffsetFetchResponseGroup { topics: vec![topic], ..Default::default() };
    asked.answer(&OffsetFetchResponse { groups: vec![group], ..Default::default() })
}

/// A broker that has none of our requests; it keeps the commits and deletions.
fn kafka() -> (String, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = asked.clone();
    let keep = move |said: String| kept.lock().expect("not poisoned").push(said);
    let address = broker(
        |api| !api.is_ours(),
        move |one| match &one.request {
            AnyRequest::OffsetCommit(request) => {
                for commit in &request.topics[0].partitions {
                    keep(format!("{} {}", commit.partition_index, commit.committed_offset));
                }
                one.answer(&OffsetCommitResponse::default())
            }
            AnyRequest::OffsetDelete(request) => {
                keep(format!("delete {}", request.topics[0].partitions[0].partition_index));
                one.answer(&OffsetDeleteResponse::default())
            }
            _ => kafka_answer(one),
        },
    );
    (address, asked)
}

#[test]
fn views_are_said_to_people_and_handed_to_programs_unchanged() {
    let (address, _) = ottla(ErrorCode::NONE);
    says(&group(&address, "list"), &["GROUP ", "billing  OK      Empty  0                 2   30      5s\n"]);
    says(&group(&address, "why billing"), &["billing is Empty: nobody reads.\n"]);
    says(&group(&address, "describe billing"), &["billing is Empty (OK): classic protocol, generation 17", "orders/0"]);
    says(&group(&address, "lag billing"), &["billing is 30 records (about 900 B) behind, on 1 of 2 partitions"]);
    says(&group(&address, "events billing --since 1h"), &["left  worker-1 left\n"]);
    for (words, json) in [("list", STATUS), ("why billing", WHY), ("events billing", EVENTS), ("lag billing", LAG)] {
        assert_eq!(group(&address, &format!("{words} -o json")).stdout, format!("{json}\n"));
    }
    let described = group(&address, "describe billing -o json").stdout;
    assert_eq!(described, format!("{{\"why\": {WHY}, \"lag\": {LAG}}}\n"));
    let none = group(&address, "list --state Stable -o json").stdout;
    assert_eq!(none, "{\"at_ms\":1795788351000,\"groups\":[]}\n");
}

#[test]
fn events_ask_for_what_is_wanted() {
    let (address, asked) = ottla(ErrorCode::NONE);
    group(&address, "events billing --since 2026-11-27T10:00:00Z");
    group(&address, "events billing --loud");
    let asked = asked.lock().expect("not poisoned");
    assert!(asked[0].contains("\"timeline\"") && asked[0].contains("since_ms: 1795773600000"), "{}", asked[0]);
    assert!(asked[1].contains("\"events\"") && asked[1].contains("since_ms: -1"), "{}", asked[1]);
}

#[test]
fn a_group_that_does_not_exist_is_named_with_a_near_one() {
    for (address, _) in [ottla(ErrorCode::NONE), kafka()] {
        let ended = group(&address, "lag biling");
        ended.check(1, &["error: there is no group biling\n  did you mean billing?\n  groups: billing, emails"]);
    }
    group(&ottla(ErrorCode::NONE).0, "why biling").check(1, &["did you mean billing?"]);
}

#[test]
fn nobody_there_and_nobody_of_kafka_are_told_apart() {
    let free =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port").local_addr().expect("an address").to_string();
    group(&free, "list").check(1, &[&format!("error: cannot connect to {free}: "), "start one with `ottla serve`"]);
    let web = crate::fake::listener(|mut stream, _| {
        let _ = io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    group(&web, "list").check(1, &["does not answer as a Kafka broker", "is --bootstrap-server right?"]);
}

#[test]
fn wrong_usage_of_groups_is_exit_code_2() {
    group("localhost", "list").check(2, &["error: --bootstrap-server: \"localhost\" is no address", "localhost:9092"]);
    group("localhost:1", "reset billing --to sideways").check(2, &["sideways is none of earliest, latest"]);
    group("localhost:1", "reset billing").check(2, &["--to <WHERE>"]);
    group("localhost:1", "reset billing --to 5 --partition orders").check(2, &["write topic/number"]);
    group("localhost:1", "events billing --since yesterday").check(2, &["yesterday is no moment"]);
    group("localhost:1", "why").check(2, &["<GROUP>"]);
}

#[test]
fn a_reset_asks_for_what_its_target_is_and_says_how_to_undo_it() {
    let (address, asked) = ottla(ErrorCode::NONE);
    let ended = group(&address, "reset billing --to 2026-11-27T12:00:00Z --partition orders/0");
    says(
        &ended,
        &["billing is Empty; its offsets are set.\n", "orders/0     70  40  30 read again", "ottla group undo billing"],
    );
    let ended = group(&address, "reset billing --to -5 --dry-run --online");
    says(&ended, &["nothing was changed (dry run)", "orders/0     70  65", "orders/1    100  95  5 read again"]);
    let ended = group(&address, "reset billing --to uncommitted --topic orders -o json");
    says(&ended, &["\"applied\":true", "\"to\":null"]);
    let asked = asked.lock().expect("not poisoned");
    let resets: Vec<&String> = asked.iter().filter(|one| one.contains("GroupReset")).collect();
    let first = "online: false, validate_only: false, undo: false, topics: [OttlaGroupResetTopic { name: \"orders\", \
                 partitions: [OttlaGroupResetPartition { partition_index: 0, offset: 40 }] }]";
    assert!(resets[0].contains(first), "{}", resets[0]);
    assert!(
        resets[1].contains("online: true, validate_only: true") && resets[1].contains("offset: 95"),
        "{}",
        resets[1]
    );
    assert!(resets[2].matches("offset: -1").count() == 2, "{}", resets[2]);
}

#[test]
fn a_reset_that_cannot_be_is_refused_before_it_is_asked_for() {
    let (address, asked) = ottla(ErrorCode::NONE);
    group(&address, "reset billing --to 101").check(1, &["nothing was changed", "orders/0: its offsets are 10 to 100"]);
    group(&address, "reset billing --to 50 --partition orders/7").check(1, &["there is no partition orders/7"]);
    assert!(!asked.lock().expect("not poisoned").iter().any(|one| one.contains("GroupReset")));
}

#[test]
fn a_reset_under_members_and_an_undo_without_a_reset_say_what_to_do() {
    let (address, _) = ottla(ErrorCode::NON_EMPTY_GROUP);
    group(&address, "reset billing --to earliest").check(1, &["were not changed: it has members", "add --online"]);
    let refused = group(&address, "reset billing --to earliest -o json");
    assert_eq!(refused.code, Some(1));
    assert!(refused.stdout.contains("\"applied\":false") && refused.stdout.contains("\"error\":\"NON_EMPTY_GROUP\""));
    let (address, asked) = ottla(ErrorCode::INVALID_REQUEST);
    group(&address, "undo billing").check(1, &["the offsets of billing were not changed: INVALID_REQUEST"]);
    assert!(asked.lock().expect("not poisoned").iter().any(|one| one.contains("undo: true, topics: []")));
}

#[test]
fn kafka_brokers_tell_what_their_requests_can() {
    let (address, _) = kafka();
    says(
        &group(&address, "list"),
        &["GROUP    STATE   MEMBERS  PARTITIONS  LAG\n", "emails   Stable  1                 2   30\n"],
    );
    says(&group(&address, "list --type consumer"), &["No group is in such a state"]);
    says(
        &group(&address, "describe emails"),
        &["emails is Stable: classic protocol, 1 member\n", "worker-1  10.0.3.5"],
    );
    says(
        &group(&address, "lag emails"),
        &["emails is 30 records behind, on 1 of 2 partitions.", "orders/1       never  100    -  worker-1\n"],
    );
    for words in ["why emails", "events emails", "undo emails", "reset emails --to latest --online"] {
        group(&address, words).check(1, &["error: only an Ottla broker can tell ", &address]);
    }
}

#[test]
fn kafka_brokers_set_offsets_of_groups_without_members() {
    let (address, asked) = kafka();
    let kept = || std::mem::take(&mut *asked.lock().expect("not poisoned"));
    says(&group(&address, "reset billing --to earliest --topic orders --dry-run"), &["nothing was changed (dry run)"]);
    assert!(kept().is_empty());
    says(&group(&address, "reset billing --to earliest --topic orders"), &["orders/1   never  10   first commit\n"]);
    assert_eq!(kept(), ["0 10", "1 10"]);
    says(&group(&address, "reset billing --to uncommitted"), &["commit taken away"]);
    assert_eq!(kept(), ["delete 0"]);
    group(&address, "reset emails --to latest").check(1, &["it has members", "stop its members first"]);
    assert!(kept().is_empty());
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let (gone, waits) = mpsc::channel::<()>();
    let waits = Mutex::new(waits);
    let address = broker(
        |_| true,
        move |asked| {
            // Nothing is said before the pipe is closed.
            let _ = waits.lock().expect("not poisoned").recv();
            asked.answer(&OttlaGroupExplainResponse { json: STATUS.as_bytes().into(), ..Default::default() })
        },
    );
    let mut child = Command::new(env!("CARGO_BIN_EXE_ottla"))
        .args(["group", "list", "--bootstrap-server", &address])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    gone.send(()).expect("it waits");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
}
