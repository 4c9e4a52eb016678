//! Groups of the consumer protocol (KIP-848) over real sockets.

use ottla_protocol::messages::*;
use ottla_protocol::{ErrorCode, Uuid};

use crate::asking::*;
use crate::client::{Client, TestBroker};

fn joining<'a>(group: &'a str, member_id: &'a str, topic: &'a str) -> ConsumerGroupHeartbeatRequest<'a> {
    ConsumerGroupHeartbeatRequest {
        group_id: group.into(),
        member_id: member_id.into(),
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(vec![topic.into()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    }
}

fn living<'a>(group: &'a str, member_id: &'a str, epoch: i32) -> ConsumerGroupHeartbeatRequest<'a> {
    let (group_id, member_id) = (group.into(), member_id.into());
    ConsumerGroupHeartbeatRequest { group_id, member_id, member_epoch: epoch, ..Default::default() }
}

fn having<'a>(
    group: &'a str,
    member_id: &'a str,
    epoch: i32,
    topic_id: Uuid,
    partitions: &[i32],
) -> ConsumerGroupHeartbeatRequest<'a> {
    let owned = ConsumerGroupHeartbeatRequestTopicPartitions { topic_id, partitions: partitions.to_vec() };
    ConsumerGroupHeartbeatRequest { topic_partitions: Some(vec![owned]), ..living(group, member_id, epoch) }
}

/// Epoch, and the partition numbers that were told.
async fn beat(client: &mut Client, request: &ConsumerGroupHeartbeatRequest<'_>) -> (i32, Option<Vec<i32>>) {
    let answer = client.call(request, 1).await;
    assert_eq!(answer.error_code, ErrorCode::NONE, "{answer:?}");
    let told = answer.assignment.0.map(|told| told.topic_partitions.into_iter().flat_map(|topic| topic.partitions));
    (answer.member_epoch, told.map(Iterator::collect))
}

async fn describe_consumers(client: &mut Client, group: &str) -> ConsumerGroupDescribeGroup<'static> {
    let request = ConsumerGroupDescribeRequest { group_ids: vec![group.into()], ..Default::default() };
    client.call(&request, 1).await.groups.remove(0)
}

#[tokio::test]
async fn two_members_share_a_topic_and_a_restart_keeps_it_so() {
    let broker = TestBroker::start(&[]).await;
    let topic_id = Uuid(broker.topic("t", 4, &[]).await.id.0);
    let mut client = broker.connect().await;
    assert_eq!(beat(&mut client, &joining("g", "a", "t")).await, (2, Some(vec![0, 1, 2, 3])));
    assert_eq!(beat(&mut client, &joining("g", "b", "t")).await, (3, Some(vec![])));
    assert_eq!(beat(&mut client, &living("g", "a", 2)).await, (2, Some(vec![0, 1])));
    assert_eq!(beat(&mut client, &living("g", "b", 3)).await, (3, None));
    assert_eq!(beat(&mut client, &having("g", "a", 2, topic_id, &[0, 1])).await, (3, None));
    assert_eq!(beat(&mut client, &living("g", "b", 3)).await, (3, Some(vec![2, 3])));
    let described = describe_consumers(&mut client, "g").await;
    assert_eq!((described.group_state.as_ref(), described.group_epoch, described.assignment_epoch), ("Stable", 3, 3));
    assert_eq!((described.assignor_name.as_ref(), described.members.len()), ("uniform", 2));
    let member = &described.members[1];
    assert_eq!((member.member_id.as_ref(), member.member_epoch, member.member_type), ("b", 3, 1));
    let assigned = &member.assignment.topic_partitions[0];
    assert_eq!((assigned.topic_name.as_ref(), &assigned.partitions), ("t", &vec![2, 3]));
    assert_eq!(member.target_assignment, member.assignment);

    let engine = broker.engine.clone();
    drop(broker);
    let broker = TestBroker::over(engine, &[]).await;
    let mut client = broker.connect().await;
    assert_eq!(beat(&mut client, &living("g", "a", 3)).await, (3, None));
    assert_eq!(describe_consumers(&mut client, "g").await.group_state, "Stable");
    assert_eq!(beat(&mut client, &living("g", "a", -1)).await, (-1, None));
    assert_eq!(beat(&mut client, &living("g", "b", 3)).await, (4, Some(vec![0, 1, 2, 3])));
}

#[tokio::test]
async fn what_is_refused_says_why() {
    let broker = TestBroker::start(&[("group.consumer.max.size", "1")]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let nobody = ConsumerGroupHeartbeatRequest { member_id: "".into(), ..joining("g", "", "t") };
    let cases = [
        (nobody, ErrorCode::INVALID_REQUEST, "MemberId"),
        (living("g", "a", 1), ErrorCode::GROUP_ID_NOT_FOUND, "no group g"),
        (
            ConsumerGroupHeartbeatRequest { server_assignor: Some("none".into()), ..joining("g", "a", "t") },
            ErrorCode::UNSUPPORTED_ASSIGNOR,
            "uniform, range",
        ),
        (
            ConsumerGroupHeartbeatRequest { subscribed_topic_regex: Some("(".into()), ..joining("g", "a", "t") },
            ErrorCode::INVALID_REGULAR_EXPRESSION,
            "(",
        ),
    ];
    for (request, code, words) in cases {
        let answer = client.call(&request, 1).await;
        assert_eq!(answer.error_code, code, "{request:?}");
        assert!(answer.error_message.as_deref().unwrap_or_default().contains(words), "{answer:?}");
        assert_eq!((answer.member_id, answer.member_epoch, answer.assignment.0), (None, 0, None));
    }
    let named = client.call(&joining("g", "", "t"), 0).await;
    assert_eq!((named.error_code, named.member_id.map(|id| id.len())), (ErrorCode::NONE, Some(22)));
    assert_eq!(client.call(&joining("g", "b", "t"), 1).await.error_code, ErrorCode::GROUP_MAX_SIZE_REACHED);
}

#[tokio::test]
async fn commits_and_fetches_need_the_members_epoch() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    beat(&mut client, &joining("g", "a", "t")).await;
    let codes =
        [(9, 2, ErrorCode::NONE), (9, 1, ErrorCode::STALE_MEMBER_EPOCH), (8, 2, ErrorCode::UNSUPPORTED_VERSION)];
    for (version, epoch, code) in codes {
        let mut request = commit_request("g", &topic, 0, 5);
        request.member_id = "a".into();
        request.generation_id_or_member_epoch = epoch;
        let answer = client.call(&request, version).await;
        assert_eq!(answer.topics[0].partitions[0].error_code, code, "version {version}, epoch {epoch}");
    }
    for (member, epoch, code) in [
        (Some("a"), 2, ErrorCode::NONE),
        (Some("a"), 1, ErrorCode::STALE_MEMBER_EPOCH),
        (Some("b"), 2, ErrorCode::UNKNOWN_MEMBER_ID),
        (None, -1, ErrorCode::NONE),
    ] {
        let group = OffsetFetchRequestGroup {
            group_id: "g".into(),
            member_id: member.map(Into::into),
            member_epoch: epoch,
            topics: None,
        };
        let answer = client.call(&OffsetFetchRequest { groups: vec![group], ..Default::default() }, 9).await;
        assert_eq!(answer.groups[0].error_code, code, "{member:?} in epoch {epoch}");
    }
}

#[tokio::test]
async fn a_group_changes_its_protocol_while_nobody_is_in_it_and_keeps_its_commits() {
    let broker = TestBroker::start(&[("group.consumer.migration.policy", "disabled")]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let committed = client.call(&commit_request("g", &topic, 0, 5), 9).await;
    assert_eq!(committed.topics[0].partitions[0].error_code, ErrorCode::NONE);
    beat(&mut client, &joining("g", "a", "t")).await;
    let asked = client.call(&join_request("g", ""), 9).await;
    assert_eq!(asked.error_code, ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    assert_eq!(describe(&mut client, "g").await.group_state, "Dead", "to the old request it is no group");
    for (types, states, found) in [("consumer", "stable", 1), ("consumer", "Reconciling", 0), ("classic", "Stable", 0)]
    {
        let request = ListGroupsRequest { types_filter: vec![types.into()], states_filter: vec![states.into()] };
        assert_eq!(client.call(&request, 5).await.groups.len(), found, "{types} {states}");
    }
    let left = LeaveGroupRequest {
        group_id: "g".into(),
        members: vec![MemberIdentity { member_id: "a".into(), ..Default::default() }],
        ..Default::default()
    };
    assert_eq!(client.call(&left, 5).await.members[0].error_code, ErrorCode::NONE, "an administrator may remove it");
    let joined = join_alone(&mut client, "g", 9).await;
    assert_eq!(client.call(&joining("g", "a", "t"), 1).await.error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    let missing = describe_consumers(&mut client, "g").await;
    assert_eq!(missing.error_code, ErrorCode::GROUP_ID_NOT_FOUND);
    let left = LeaveGroupRequest {
        members: vec![MemberIdentity { member_id: joined.member_id.clone(), ..Default::default() }],
        ..left
    };
    client.call(&left, 5).await;
    beat(&mut client, &joining("g", "a", "t")).await;
    let group = OffsetFetchRequestGroup { group_id: "g".into(), topics: None, ..Default::default() };
    let answer = client.call(&OffsetFetchRequest { groups: vec![group], ..Default::default() }, 9).await;
    assert_eq!(answer.groups[0].topics[0].partitions[0].committed_offset, 5);
}

#[tokio::test]
async fn a_topic_that_appears_is_heard_of_with_the_next_heartbeat() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let by_regex = ConsumerGroupHeartbeatRequest {
        subscribed_topic_names: None,
        subscribed_topic_regex: Some("t[0-9]".into()),
        ..joining("g", "a", "t")
    };
    assert_eq!(beat(&mut client, &by_regex).await, (2, Some(vec![])));
    broker.topic("t1", 2, &[]).await;
    broker.topic("other", 2, &[]).await;
    assert_eq!(beat(&mut client, &living("g", "a", 2)).await, (3, Some(vec![0, 1])));
}

/// The assignment of these partitions of a topic, as leaders write it.
fn embedded(topic: &str, partitions: &[i32]) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0, 0, 0, 1, 0, topic.len() as u8];
    bytes.extend_from_slice(topic.as_bytes());
    bytes.extend((partitions.len() as i32).to_be_bytes());
    bytes.extend(partitions.iter().flat_map(|partition| partition.to_be_bytes()));
    bytes.extend([0xff; 4]);
    bytes
}

/// Of a member of the classic protocol: what it is given.
async fn fetch_assignment(client: &mut Client, joined: &JoinGroupResponse<'_>, given: &[u8]) -> Vec<u8> {
    let assignment = SyncGroupRequestAssignment { member_id: joined.member_id.clone(), assignment: given.into() };
    let request = SyncGroupRequest {
        group_id: "g".into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        protocol_type: Some("consumer".into()),
        protocol_name: Some("range".into()),
        assignments: if given.is_empty() { Vec::new() } else { vec![assignment] },
        ..Default::default()
    };
    let synced = client.call(&request, SYNC_MAX).await;
    assert_eq!(synced.error_code, ErrorCode::NONE);
    synced.assignment.to_vec()
}

#[tokio::test]
async fn a_group_with_members_changes_its_protocol_and_back() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 4, &[]).await;
    let mut client = broker.connect().await;
    let joined = join(&mut client, "g", 9).await;
    let all = embedded("t", &[0, 1, 2, 3]);
    assert_eq!(fetch_assignment(&mut client, &joined, &all).await, all);
    // The first member of the consumer protocol takes it along.
    assert_eq!(beat(&mut client, &joining("g", "a", "t")).await, (2, Some(vec![])));
    let types = |described: &ConsumerGroupDescribeGroup<'_>| {
        let types = described.members.iter().map(|member| (member.member_id.to_string(), member.member_type));
        types.collect::<std::collections::BTreeMap<_, _>>()
    };
    let described = describe_consumers(&mut client, "g").await;
    assert_eq!(types(&described), [("a".to_string(), 1), (joined.member_id.to_string(), 0)].into());
    let again = client.call(&join_request("g", &joined.member_id), 9).await;
    assert_eq!((again.error_code, again.generation_id, again.leader.as_ref()), (ErrorCode::NONE, 2, ""));
    assert_eq!(fetch_assignment(&mut client, &again, &[]).await, embedded("t", &[0, 1]));
    assert_eq!(beat(&mut client, &living("g", "a", 2)).await, (2, Some(vec![2, 3])));
    // The last one leaves it to the classic protocol.
    assert_eq!(beat(&mut client, &living("g", "a", -1)).await.0, -1);
    let last = client.call(&join_request("g", &joined.member_id), 9).await;
    assert_eq!((last.error_code, last.generation_id, &last.leader), (ErrorCode::NONE, 3, &joined.member_id));
}

#[tokio::test]
async fn members_of_the_classic_protocol_that_are_alone_in_a_consumer_group_hear_of_topics_as_well() {
    let broker = TestBroker::start(&[("group.consumer.migration.policy", "upgrade")]).await;
    let mut client = broker.connect().await;
    beat(&mut client, &joining("g", "a", "t")).await;
    let joined = join(&mut client, "g", 9).await;
    sync(&mut client, "g", &joined, &[], 5).await;
    beat(&mut client, &living("g", "a", -1)).await;
    let joined = client.call(&join_request("g", &joined.member_id), 9).await;
    assert_eq!(sync(&mut client, "g", &joined, &[], 5).await.error_code, ErrorCode::NONE);
    assert_eq!(heartbeat(&mut client, "g", &joined, 4).await, ErrorCode::NONE);
    broker.topic("t", 1, &[]).await;
    assert_eq!(heartbeat(&mut client, "g", &joined, 4).await, ErrorCode::REBALANCE_IN_PROGRESS);
}
