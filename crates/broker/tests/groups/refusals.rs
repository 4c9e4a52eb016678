//! What is refused, with which code in which version, and what is too large to be looked at.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::*;

use crate::asking::*;
use crate::client::TestBroker;

#[tokio::test]
async fn joins() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let connect = |member_id| JoinGroupRequest { protocol_type: "connect".into(), ..join_request("g", member_id) };
    join_alone(&mut client, "g", 9).await;
    for version in JOIN_VERSIONS {
        let refusals = [
            (join_request("", ""), ErrorCode::INVALID_GROUP_ID),
            (join_request("g", "nobody"), ErrorCode::UNKNOWN_MEMBER_ID),
            (join_request("unknown", "nobody"), ErrorCode::UNKNOWN_MEMBER_ID),
            (JoinGroupRequest { session_timeout_ms: 1, ..join_request("g", "") }, ErrorCode::INVALID_SESSION_TIMEOUT),
            (
                JoinGroupRequest { protocols: Vec::new(), ..join_request("h", "") },
                ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
            ),
            (connect(""), ErrorCode::INCONSISTENT_GROUP_PROTOCOL),
        ];
        for (request, error_code) in refusals {
            let member_id = request.member_id.clone();
            let refused = client.call(&request, version).await;
            assert_eq!((refused.error_code, refused.generation_id), (error_code, -1), "version {version}");
            assert_eq!(refused.protocol_name.as_deref(), (version < 7).then_some(""));
            assert_eq!((refused.member_id, refused.leader.as_ref()), (member_id, ""));
        }
    }
    assert_eq!(describe(&mut client, "g").await.group_state, "Stable");
}

#[tokio::test]
async fn everything_for_a_group_or_member_that_is_not_there() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let nobody = JoinGroupResponse { generation_id: 1, member_id: "nobody".into(), ..Default::default() };
    join_alone(&mut client, "g", 9).await;
    for (group, error_code) in [
        ("", ErrorCode::INVALID_GROUP_ID),
        ("unknown", ErrorCode::UNKNOWN_MEMBER_ID),
        ("g", ErrorCode::UNKNOWN_MEMBER_ID),
    ] {
        for version in 0..=HEARTBEAT_MAX {
            assert_eq!(heartbeat(&mut client, group, &nobody, version).await, error_code);
        }
        for version in 0..=SYNC_MAX {
            let refused = sync(&mut client, group, &nobody, &[("nobody", "x")], version).await;
            assert_eq!((refused.error_code, refused.assignment.len()), (error_code, 0));
        }
        for version in 0..=LEAVE_MAX {
            // From version 3 on each member has a code of its own, but a group without a name is nobody's.
            let whole = version < 3 || group.is_empty();
            let expected = if whole { (error_code, None) } else { (ErrorCode::NONE, Some(error_code)) };
            assert_eq!(leave(&mut client, group, "nobody", version).await, expected);
        }
    }
    assert_eq!(describe(&mut client, "g").await.group_state, "Stable");
}

#[tokio::test]
async fn a_sync_without_a_protocol_or_with_another_one() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let joined = join(&mut client, "g", 9).await;
    let whole = sync_request("g", &joined, &[(joined.member_id.as_ref(), "all")], 5);
    let wrong = [
        SyncGroupRequest { protocol_type: None, ..whole.clone() },
        SyncGroupRequest { protocol_name: None, ..whole.clone() },
        SyncGroupRequest { protocol_type: Some("connect".into()), ..whole.clone() },
        SyncGroupRequest { protocol_name: Some("sticky".into()), ..whole.clone() },
    ];
    for request in wrong {
        assert_eq!(client.call(&request, 5).await.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    }
    assert_eq!(client.call(&whole, 5).await.error_code, ErrorCode::NONE);
}

/// Each record repeats the names of group and topic; a small request may not become gigabytes.
#[tokio::test]
async fn commits_whose_records_would_be_huge() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let group = "g".repeat(32_000);
    let mut request = commit_request(&group, &topic, 0, 1);
    request.topics[0].partitions = vec![commit_partition(0, 1); 1_100];
    for version in [2, 10] {
        let refused = codes(&client.call(&request, version).await);
        assert_eq!(refused, vec![ErrorCode::INVALID_COMMIT_OFFSET_SIZE; 1_100]);
    }
    assert_eq!(committed(&mut client, &group).await, Ok(vec![]));
    request.topics[0].partitions.truncate(2);
    assert_eq!(codes(&client.call(&request, 10).await), [ErrorCode::NONE; 2]);
}

#[tokio::test]
async fn questions_and_joins_that_are_too_large() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let mut request = join_request("g", "");
    request.protocols = vec![request.protocols[0].clone(); 257];
    for version in JOIN_VERSIONS {
        assert_eq!(client.call(&request, version).await.error_code, ErrorCode::INVALID_REQUEST);
    }

    request.protocols.truncate(1);
    request.protocols[0].metadata = vec![0; (8 << 20) + 1].into();
    client.send(&request, 9).await;
    client.expect_close().await;

    let mut client = broker.connect().await;
    let topics = vec![OffsetFetchRequestTopic { name: "t".into(), partition_indexes: vec![0; (1 << 20) + 1] }];
    client.send(&OffsetFetchRequest { group_id: "g".into(), topics: Some(topics), ..Default::default() }, 5).await;
    client.expect_close().await;
}
