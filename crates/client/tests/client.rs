//! The client against a broker that says what a test tells it to, and against things that are no broker.

mod fake;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fake::{broker, listener};
use ottla_client::{Admin, ClientError, GroupReset, OffsetQuery, PartitionOffset, Settings};
use ottla_protocol::messages::*;
use ottla_protocol::{ApiKey, ErrorCode};

/// Runs it with a client of that broker.
fn with<T>(address: &str, settings: Settings, run: impl AsyncFnOnce(&mut Admin) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut admin = Admin::connect(address, settings).await.expect("a connection");
        run(&mut admin).await
    })
}

fn refused_connection(address: &str, settings: Settings) -> ClientError {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(Admin::connect(address, settings)).expect_err("no broker")
}

fn quick() -> Settings {
    Settings { retry_backoff: Duration::from_millis(1), ..Settings::default() }
}

fn explained(code: ErrorCode, json: &str) -> OttlaGroupExplainResponse<'_> {
    OttlaGroupExplainResponse {
        error_code: code,
        error_message: Some("the broker's sentence".into()),
        json: json.as_bytes().into(),
        ..Default::default()
    }
}

#[test]
fn a_view_is_the_brokers_json_unchanged() {
    let address = broker(
        |_| true,
        |asked| match &asked.request {
            AnyRequest::OttlaGroupExplain(request) => {
                let json = format!("{{ \"{}\": [\"{}\", {}] }}", request.group_id, request.view, request.since_ms);
                asked.answer(&explained(ErrorCode::NONE, &json))
            }
            other => panic!("{other:?}"),
        },
    );
    let json = with(&address, quick(), async |admin| admin.explain("billing", "events", 7).await);
    assert_eq!(json.expect("an answer"), r#"{ "billing": ["events", 7] }"#);
    let all = with(&address, quick(), async |admin| admin.explain("", "status", -1).await);
    assert_eq!(all.expect("an answer"), r#"{ "": ["status", -1] }"#);
}

#[test]
fn a_coordinator_that_loads_is_asked_again_and_a_refusal_is_not() {
    let codes = [ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, ErrorCode::NOT_COORDINATOR, ErrorCode::NONE];
    let asked_times = AtomicUsize::new(0);
    let address = broker(
        |_| true,
        move |asked| {
            let code = codes.get(asked_times.fetch_add(1, Ordering::Relaxed)).copied();
            asked.answer(&explained(code.unwrap_or(ErrorCode::GROUP_ID_NOT_FOUND), "{}"))
        },
    );
    with(&address, quick(), async |admin| {
        assert_eq!(admin.explain("billing", "why", -1).await.expect("the third answer"), "{}");
        let error = admin.explain("billing", "why", -1).await.expect_err("the fourth answer");
        assert_eq!(error.code(), Some(ErrorCode::GROUP_ID_NOT_FOUND));
        assert_eq!(error.to_string(), "the broker's sentence (GROUP_ID_NOT_FOUND)");
    });
}

#[test]
fn trying_again_ends_with_the_requests_time() {
    let address = broker(|_| true, |asked| asked.answer(&explained(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS, "")));
    let settings = Settings { request_timeout: Duration::from_millis(500), ..quick() };
    let error = with(&address, settings, async |admin| admin.explain("billing", "why", -1).await);
    assert_eq!(error.expect_err("a refusal").code(), Some(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
}

#[test]
fn a_broker_that_does_not_answer_is_given_up_and_asked_on_a_new_connection() {
    let first = Mutex::new(true);
    let address = broker(
        |_| true,
        move |asked| match std::mem::take(&mut *first.lock().expect("not poisoned")) {
            true => Vec::new(),
            false => asked.answer(&explained(ErrorCode::NONE, "later")),
        },
    );
    let settings = Settings { request_timeout: Duration::from_millis(500), ..quick() };
    with(&address, settings, async |admin| {
        let error = admin.explain("", "status", -1).await.expect_err("no answer");
        assert!(matches!(error, ClientError::Timeout { api: ApiKey::OttlaGroupExplain, .. }), "{error}");
        assert_eq!(admin.explain("", "status", -1).await.expect("an answer"), "later");
    });
}

#[test]
fn what_a_broker_does_not_serve_is_not_asked() {
    let address = broker(|api| !api.is_ours(), |asked| panic!("asked {:?}", asked.request));
    with(&address, quick(), async |admin| {
        assert!(!admin.serves(ApiKey::OttlaGroupExplain) && admin.serves(ApiKey::ListGroups));
        let error = admin.explain("billing", "why", -1).await.expect_err("not served");
        assert_eq!(error.to_string(), format!("{address} does not serve OttlaGroupExplain"));
    });
}

#[test]
fn the_handshake_falls_back_to_version_0() {
    // Declares one API, in the layout of version 0, to any version that is asked.
    let address = listener(|mut stream, _| {
        for _ in 0..2 {
            let mut size = [0; 4];
            stream.read_exact(&mut size).expect("a size");
            let mut frame = vec![0; u32::from_be_bytes(size) as usize];
            stream.read_exact(&mut frame).expect("a request");
            let code = if frame[3] == 0 { 0u8 } else { 35 };
            let mut answer = vec![0, 0, 0, 16];
            answer.extend_from_slice(&frame[4..8]);
            answer.extend_from_slice(&[0, code, 0, 0, 0, 1, 0, 16, 0, 0, 0, 5]);
            stream.write_all(&answer).expect("sent");
        }
    });
    with(&address, quick(), async |admin| {
        assert!(admin.serves(ApiKey::ListGroups) && !admin.serves(ApiKey::Metadata));
    });
}

#[test]
fn the_second_address_is_tried_when_nobody_is_at_the_first() {
    let address = broker(|_| true, |asked| asked.answer(&explained(ErrorCode::NONE, "{}")));
    let list = format!("127.0.0.1:1, {address}");
    with(&list, quick(), async |admin| assert_eq!(admin.bootstrap(), address));
    let error = refused_connection("127.0.0.1:1", quick());
    assert!(error.is_unreachable() && error.to_string().starts_with("cannot connect to 127.0.0.1:1: "), "{error}");
}

#[test]
fn who_is_silent_or_no_broker_is_not_waited_for() {
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let settings = Settings { connect_timeout: Duration::from_millis(50), ..quick() };
    let error = refused_connection(&silent.local_addr().expect("an address").to_string(), settings);
    assert!(error.is_unreachable() && error.to_string().ends_with("no answer within 0.05 s"), "{error}");

    let web = listener(|mut stream, _| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("sent"));
    let error = refused_connection(&web, quick());
    assert!(matches!(error, ClientError::NotKafka { .. }), "{error}");
    let closing = listener(|stream, _| drop(stream));
    let error = refused_connection(&closing, quick());
    assert!(matches!(error, ClientError::Broken { api: ApiKey::ApiVersions, .. }), "{error}");
    // An answer to another request.
    let confused = listener(|mut stream, _| stream.write_all(&[0, 0, 0, 6, 0, 0, 0, 9, 0, 0]).expect("sent"));
    let error = refused_connection(&confused, quick());
    assert!(matches!(error, ClientError::NotKafka { .. }), "{error}");
}

#[test]
fn a_reset_names_each_partition_and_tells_what_became_of_it() {
    let address = broker(
        |_| true,
        |asked| {
            let AnyRequest::OttlaGroupReset(request) = &asked.request else { panic!("{:?}", asked.request) };
            assert!(request.online && request.validate_only && !request.undo);
            let result = |one: &OttlaGroupResetPartition| OttlaGroupResetPartitionResult {
                partition_index: one.partition_index,
                from_offset: -1,
                to_offset: one.offset,
                ..Default::default()
            };
            let topic = |topic: &OttlaGroupResetTopic<'_>| OttlaGroupResetTopicResult {
                name: topic.name.to_string().into(),
                partitions: topic.partitions.iter().map(result).collect(),
            };
            let topics = request.topics.iter().map(topic).collect();
            asked.answer(&OttlaGroupResetResponse { topics, ..Default::default() })
        },
    );
    let offset = |topic: &str, partition, offset| PartitionOffset { topic: topic.to_owned(), partition, offset };
    let reset = GroupReset {
        group: "billing".to_owned(),
        online: true,
        validate_only: true,
        undo: false,
        offsets: vec![offset("orders", 0, 5), offset("bills", 1, -1), offset("orders", 1, 6)],
    };
    let outcome = with(&address, quick(), async |admin| admin.reset_group(&reset).await).expect("an answer");
    assert!(outcome.is_done());
    let told: Vec<_> = outcome.partitions.iter().map(|one| (&*one.topic, one.partition, one.from, one.to)).collect();
    assert_eq!(told, [("bills", 1, None, None), ("orders", 0, None, Some(5)), ("orders", 1, None, Some(6))]);
}

#[test]
fn offsets_come_from_leaders_and_unknown_partitions_are_named() {
    let address = broker(
        |_| true,
        |asked| match &asked.request {
            AnyRequest::Metadata(_) => asked.metadata(&[("orders", 2)]),
            AnyRequest::ListOffsets(request) => {
                let partition = |one: &ListOffsetsPartition| ListOffsetsPartitionResponse {
                    partition_index: one.partition_index,
                    offset: one.timestamp * 10,
                    ..Default::default()
                };
                let topic = |topic: &ListOffsetsTopic<'_>| ListOffsetsTopicResponse {
                    name: topic.name.to_string().into(),
                    partitions: topic.partitions.iter().map(partition).collect(),
                };
                let topics = request.topics.iter().map(topic).collect();
                asked.answer(&ListOffsetsResponse { topics, ..Default::default() })
            }
            other => panic!("{other:?}"),
        },
    );
    let query = |partition, timestamp| OffsetQuery { topic: "orders".to_owned(), partition, timestamp };
    with(&address, quick(), async |admin| {
        let found = admin.list_offsets(&[query(0, 7), query(1, -1)]).await.expect("an answer");
        assert_eq!(found.iter().map(|one| one.offset).collect::<Vec<_>>(), [Some(70), None]);
        let error = admin.list_offsets(&[query(2, 7)]).await.expect_err("no such partition");
        assert_eq!(error.to_string(), "there is no partition orders/2");
    });
}

#[test]
fn groups_are_described_in_their_own_protocol() {
    let address = broker(
        |_| true,
        |asked| match &asked.request {
            AnyRequest::ConsumerGroupDescribe(request) => {
                let found = request.group_ids[0] == "new";
                let code = if found { ErrorCode::NONE } else { ErrorCode::GROUP_ID_NOT_FOUND };
                let group = ConsumerGroupDescribeGroup {
                    error_code: code,
                    group_id: "new".into(),
                    group_epoch: 4,
                    ..Default::default()
                };
                asked.answer(&ConsumerGroupDescribeResponse { groups: vec![group], ..Default::default() })
            }
            AnyRequest::DescribeGroups(request) => {
                let found = request.groups[0] == "old";
                let code = if found { ErrorCode::NONE } else { ErrorCode::GROUP_ID_NOT_FOUND };
                asked.answer(&DescribeGroupsResponse { groups: vec![classic_group(code)], ..Default::default() })
            }
            other => panic!("{other:?}"),
        },
    );
    with(&address, quick(), async |admin| {
        let new = admin.describe_group("new").await.expect("a group");
        assert_eq!((new.group_type, new.epoch), ("consumer", Some(4)));
        let old = admin.describe_group("old").await.expect("a group");
        assert_eq!((old.group_type, old.epoch, old.members.len()), ("classic", None, 1));
        assert_eq!((&*old.members[0].host, &old.members[0].partitions["orders"]), ("10.0.3.5", &vec![0, 2]));
        let none = admin.describe_group("none").await.expect_err("no group");
        assert_eq!(none.code(), Some(ErrorCode::GROUP_ID_NOT_FOUND));
    });
}

fn classic_group(code: ErrorCode) -> DescribedGroup<'static> {
    let assigned = ConsumerProtocolTopicPartitions { topic: "orders".into(), partitions: vec![2, 0] };
    let assignment = ConsumerProtocolAssignment { assigned_partitions: vec![assigned], user_data: None };
    let member = DescribedGroupMember {
        client_host: "/10.0.3.5".into(),
        member_assignment: assignment.to_bytes(0).expect("bytes").into(),
        ..Default::default()
    };
    DescribedGroup {
        error_code: code,
        group_state: "Stable".into(),
        protocol_type: "consumer".into(),
        members: vec![member],
        ..Default::default()
    }
}

#[test]
fn commits_are_read_and_those_that_are_refused_named() {
    let address = broker(
        |_| true,
        |asked| match &asked.request {
            AnyRequest::OffsetFetch(_) => {
                assert_eq!(asked.version, 9, "with names of topics");
                let one = |index, offset| OffsetFetchResponsePartitions {
                    partition_index: index,
                    committed_offset: offset,
                    ..Default::default()
                };
                let topic = OffsetFetchResponseTopics {
                    name: "orders".into(),
                    partitions: vec![one(0, 5), one(1, -1)],
                    ..Default::default()
                };
                let group = OffsetFetchResponseGroup { topics: vec![topic], ..Default::default() };
                asked.answer(&OffsetFetchResponse { groups: vec![group], ..Default::default() })
            }
            AnyRequest::OffsetCommit(_) => {
                let one = |index, code| OffsetCommitResponsePartition { partition_index: index, error_code: code };
                let topic = OffsetCommitResponseTopic {
                    name: "orders".into(),
                    partitions: vec![one(0, ErrorCode::NONE), one(1, ErrorCode::UNKNOWN_MEMBER_ID)],
                    ..Default::default()
                };
                asked.answer(&OffsetCommitResponse { topics: vec![topic], ..Default::default() })
            }
            other => panic!("{other:?}"),
        },
    );
    with(&address, quick(), async |admin| {
        let commits = admin.committed_offsets("billing").await.expect("an answer");
        assert_eq!(commits.iter().map(|one| (one.partition, one.offset)).collect::<Vec<_>>(), [(0, 5)]);
        let offset = |partition| PartitionOffset { topic: "orders".to_owned(), partition, offset: 1 };
        let refused = admin.commit_offsets("billing", &[offset(0), offset(1)]).await.expect("an answer");
        let codes: Vec<_> = refused.iter().map(|one| (one.partition, one.code)).collect();
        assert_eq!(codes, [(1, ErrorCode::UNKNOWN_MEMBER_ID)]);
    });
}
