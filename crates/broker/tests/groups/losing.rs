//! Connections that close while their request waits for other members.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::*;

use crate::asking::*;
use crate::client::TestBroker;

/// Nobody can come back as a member whose id nobody was told.
#[tokio::test]
async fn a_join_whose_client_does_not_know_its_id_is_forgotten() {
    let broker = TestBroker::start(&[]).await;
    for version in 0..4 {
        let group = format!("group-{version}");
        let (mut first, mut second) = (broker.connect().await, broker.connect().await);
        let alone = join_alone(&mut first, &group, version).await;
        second.send(&join_request(&group, ""), version).await;
        until(&mut first, &group, "PreparingRebalance", 2).await;
        drop(second);
        until(&mut first, &group, "PreparingRebalance", 1).await;
        let again = first.call(&join_request(&group, &alone.member_id), version).await;
        assert_eq!((again.generation_id, again.members.len()), (2, 1), "version {version}");
    }
}

#[tokio::test]
async fn a_join_whose_client_knows_its_id_can_be_sent_again() {
    let broker = TestBroker::start(&[]).await;
    for version in 4..=9 {
        let group = format!("group-{version}");
        let (mut first, mut second) = (broker.connect().await, broker.connect().await);
        let alone = join_alone(&mut first, &group, version).await;
        let id = member_id(&mut second, &group, version).await;
        second.send(&join_request(&group, &id), version).await;
        until(&mut first, &group, "PreparingRebalance", 2).await;
        drop(second);
        let mut back = broker.connect().await;
        let parked = back.send(&join_request(&group, &id), version).await;
        // The answer to the leader comes only when both wait, so it also tells that the lost connection does not count.
        let leader = first.call(&join_request(&group, &alone.member_id), version).await;
        let follower: JoinGroupResponse<'static> = back.receive(parked, version).await;
        assert_eq!((leader.generation_id, leader.members.len()), (2, 2), "version {version}");
        assert_eq!((follower.generation_id, follower.member_id.as_ref()), (2, id.as_str()));
    }
}

#[tokio::test]
async fn a_sync_can_be_sent_again() {
    let broker = TestBroker::start(&[]).await;
    let (mut first, mut second) = (broker.connect().await, broker.connect().await);
    let alone = join_alone(&mut first, "g", 9).await;
    let id = member_id(&mut second, "g", 9).await;
    let parked = second.send(&join_request("g", &id), 9).await;
    until(&mut first, "g", "PreparingRebalance", 2).await;
    let leader = first.call(&join_request("g", &alone.member_id), 9).await;
    let follower: JoinGroupResponse<'static> = second.receive(parked, 9).await;
    second.send(&sync_request("g", &follower, &[], 5), 5).await;
    drop(second);
    let mut back = broker.connect().await;
    let parked = back.send(&sync_request("g", &follower, &[], 5), 5).await;
    let given = [(leader.member_id.as_ref(), "one"), (id.as_str(), "two")];
    assert_eq!(sync(&mut first, "g", &leader, &given, 5).await.assignment, "one".as_bytes());
    let synced: SyncGroupResponse<'static> = back.receive(parked, 5).await;
    assert_eq!((synced.error_code, synced.assignment.as_ref()), (ErrorCode::NONE, &b"two"[..]));
}
