//! Joining, syncing, living and leaving.

use std::sync::atomic::Ordering;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::*;

use crate::asking::*;
use crate::client::TestBroker;

/// From one member to two and back, in the words of one version.
#[tokio::test]
async fn two_members_share_in_every_version() {
    let broker = TestBroker::start(&[]).await;
    for version in JOIN_VERSIONS {
        let group = format!("group-{version}");
        let (mut first, mut second) = (broker.connect().await, broker.connect().await);
        let alone = join_alone(&mut first, &group, version).await;
        assert_eq!((alone.generation_id, alone.members.len()), (1, 1));
        assert_eq!(alone.leader, alone.member_id);
        assert_eq!(alone.protocol_name.as_deref(), Some("range"));
        assert_eq!(alone.protocol_type.as_deref(), (version >= 7).then_some("consumer"));
        assert_eq!(heartbeat(&mut first, &group, &alone, version).await, ErrorCode::NONE);

        let newcomer = member_id(&mut second, &group, version).await;
        let parked = second.send(&join_request(&group, &newcomer), version).await;
        until(&mut first, &group, "PreparingRebalance", 2).await;
        assert_eq!(heartbeat(&mut first, &group, &alone, version).await, ErrorCode::REBALANCE_IN_PROGRESS);
        let leader = first.call(&join_request(&group, &alone.member_id), version).await;
        let follower: JoinGroupResponse<'static> = second.receive(parked, version).await;
        assert_eq!((leader.error_code, leader.generation_id), (ErrorCode::NONE, 2));
        assert_eq!((follower.error_code, follower.generation_id), (ErrorCode::NONE, 2));
        assert_eq!((&leader.leader, &follower.leader), (&alone.member_id, &alone.member_id));
        let mut names: Vec<_> = leader.members.iter().map(|member| &member.member_id).collect();
        names.sort();
        let mut expected = vec![&leader.member_id, &follower.member_id];
        expected.sort();
        assert_eq!(names, expected);
        assert!(leader.members.iter().all(|member| member.metadata == subscription("t")));
        assert!(follower.members.is_empty(), "only the leader is told of the members");

        let version_of_sync = version.min(SYNC_MAX);
        let parked = second.send(&sync_request(&group, &follower, &[], version_of_sync), version_of_sync).await;
        let given = [(leader.member_id.as_ref(), "one"), (follower.member_id.as_ref(), "two")];
        let mine = sync(&mut first, &group, &leader, &given, version_of_sync).await;
        let yours: SyncGroupResponse<'static> = second.receive(parked, version_of_sync).await;
        assert_eq!((mine.error_code, mine.assignment.as_ref()), (ErrorCode::NONE, &b"one"[..]));
        assert_eq!((yours.error_code, yours.assignment.as_ref()), (ErrorCode::NONE, &b"two"[..]));
        assert_eq!(yours.protocol_name.as_deref(), (version >= 5).then_some("range"));
        assert_eq!(heartbeat(&mut second, &group, &follower, version).await, ErrorCode::NONE);

        let left = leave(&mut second, &group, &follower.member_id, version).await;
        assert_eq!(left, (ErrorCode::NONE, (version >= 3).then_some(ErrorCode::NONE)));
        assert_eq!(heartbeat(&mut second, &group, &follower, version).await, ErrorCode::UNKNOWN_MEMBER_ID);
        assert_eq!(heartbeat(&mut first, &group, &leader, version).await, ErrorCode::REBALANCE_IN_PROGRESS);
        let last = first.call(&join_request(&group, &alone.member_id), version).await;
        assert_eq!((last.error_code, last.generation_id, last.members.len()), (ErrorCode::NONE, 3, 1));
        assert_eq!(heartbeat(&mut first, &group, &leader, version).await, ErrorCode::ILLEGAL_GENERATION);
    }
}

#[tokio::test]
async fn a_new_member_must_use_its_id_from_version_4_on() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for version in JOIN_VERSIONS {
        let group = format!("group-{version}");
        let asked = client.call(&join_request(&group, ""), version).await;
        let (error, generation) = if version < 4 { (ErrorCode::NONE, 1) } else { (ErrorCode::MEMBER_ID_REQUIRED, -1) };
        assert_eq!((asked.error_code, asked.generation_id), (error, generation), "version {version}");
        assert!(asked.member_id.starts_with("test-client-"), "{}", asked.member_id);
        let members = describe(&mut client, &group).await.members.len();
        assert_eq!(members, usize::from(version < 4), "a client that only got an id is no member yet");
    }
}

/// A reason, and assignors of which only one is common.
#[tokio::test]
async fn the_protocol_that_all_support_is_chosen() {
    let broker = TestBroker::start(&[]).await;
    let (mut first, mut second) = (broker.connect().await, broker.connect().await);
    let protocol =
        |name: &'static str| JoinGroupRequestProtocol { name: name.into(), metadata: name.as_bytes().into() };
    let id = member_id(&mut first, "g", 9).await;
    let mut request = join_request("g", &id);
    request.protocols = vec![protocol("sticky"), protocol("range")];
    let alone = first.call(&request, 9).await;
    assert_eq!(alone.protocol_name.as_deref(), Some("sticky"));
    assert_eq!(alone.members[0].metadata, "sticky".as_bytes());
    let given =
        SyncGroupRequest { protocol_name: Some("sticky".into()), ..sync_request("g", &alone, &[(&id, "all")], 5) };
    assert_eq!(first.call(&given, 5).await.error_code, ErrorCode::NONE);

    let newcomer = member_id(&mut second, "g", 9).await;
    let mut other = join_request("g", &newcomer);
    other.protocols = vec![protocol("range"), protocol("other")];
    other.reason = Some("a test".into());
    let parked = second.send(&other, 9).await;
    until(&mut first, "g", "PreparingRebalance", 2).await;
    let leader = first.call(&request, 9).await;
    let follower: JoinGroupResponse<'static> = second.receive(parked, 9).await;
    assert_eq!((leader.protocol_name.as_deref(), follower.protocol_name.as_deref()), (Some("range"), Some("range")));
    assert!(leader.members.iter().all(|member| member.metadata == "range".as_bytes()));
}

/// Two groups in each of two partitions of `__consumer_offsets`: what happens in one moves no other.
#[tokio::test]
async fn groups_do_not_disturb_each_other() {
    let broker = TestBroker::start(&[("offsets.topic.num.partitions", "2")]).await;
    let mut clients = Vec::new();
    for group in ["a", "b", "c", "d"] {
        let mut client = broker.connect().await;
        let joined = join_alone(&mut client, group, 9).await;
        clients.push((group, client, joined));
    }
    for (group, mut client, joined) in clients.split_off(2) {
        let left = leave(&mut client, group, &joined.member_id, 5).await;
        assert_eq!(left, (ErrorCode::NONE, Some(ErrorCode::NONE)));
        assert_eq!(describe(&mut client, group).await.group_state, "Empty");
    }
    for (group, client, joined) in &mut clients {
        assert_eq!(heartbeat(client, group, joined, 4).await, ErrorCode::NONE);
        assert_eq!(describe(client, group).await.group_state, "Stable");
    }
}

/// The first member died; nobody heartbeats for it, and the clock passes what the rebalance waits.
#[tokio::test]
async fn a_dead_member_is_removed_when_its_time_is_over() {
    let broker = TestBroker::start(&[("group.min.session.timeout.ms", "1")]).await;
    let (mut dead, mut living) = (broker.connect().await, broker.connect().await);
    let id = member_id(&mut dead, "g", 9).await;
    let impatient = JoinGroupRequest { session_timeout_ms: 40, rebalance_timeout_ms: 60, ..join_request("g", &id) };
    let joined = dead.call(&impatient, 9).await;
    assert_eq!(sync(&mut dead, "g", &joined, &[(&id, "all")], 5).await.error_code, ErrorCode::NONE);
    let newcomer = member_id(&mut living, "g", 9).await;
    let patient = JoinGroupRequest { rebalance_timeout_ms: 60, ..join_request("g", &newcomer) };
    let parked = living.send(&patient, 9).await;
    until(&mut dead, "g", "PreparingRebalance", 2).await;
    broker.clock.monotonic_ms.fetch_add(100, Ordering::Relaxed);
    let alone: JoinGroupResponse<'static> = living.receive(parked, 9).await;
    assert_eq!((alone.error_code, alone.generation_id, alone.members.len()), (ErrorCode::NONE, 2, 1));
    assert_eq!(heartbeat(&mut dead, "g", &joined, 4).await, ErrorCode::UNKNOWN_MEMBER_ID);
}
