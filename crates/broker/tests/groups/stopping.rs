//! A broker that stops lets nobody wait, and still answers what it has begun to write.

use std::sync::Arc;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::*;
use tokio::net::TcpStream;

use crate::asking::*;
use crate::log::broker_over;
use crate::twin::{Plan, Twin};

#[tokio::test]
async fn a_parked_join_is_sent_elsewhere() {
    let engine = Arc::new(Twin::default());
    let broker = broker_over(&engine).await;
    let (mut first, mut second) = (broker.connect().await, broker.connect().await);
    let alone = join_alone(&mut first, "g", 9).await;
    let id = member_id(&mut second, "g", 9).await;
    let parked = second.send(&join_request("g", &id), 9).await;
    until(&mut first, "g", "PreparingRebalance", 2).await;
    broker.running.shutdown().await.expect("it stops in order");
    let refused: JoinGroupResponse<'static> = second.receive(parked, 9).await;
    assert_eq!(refused.error_code, ErrorCode::NOT_COORDINATOR);
    second.expect_close().await;

    // Stopping is not leaving.
    let broker = broker_over(&engine).await;
    let mut client = broker.connect().await;
    let described = describe(&mut client, "g").await;
    assert_eq!((described.group_state.as_ref(), &described.members[0].member_id), ("Stable", &alone.member_id));
}

#[tokio::test]
async fn a_commit_that_is_being_written_is_answered() {
    let engine = Arc::new(Twin::default());
    let broker = broker_over(&engine).await;
    let topic = broker.topic("t", 1, &[]).await;
    let (mut first, mut second) = (broker.connect().await, broker.connect().await);
    let alone = join_alone(&mut first, "g", 9).await;
    let id = member_id(&mut second, "g", 9).await;
    let parked = second.send(&join_request("g", &id), 9).await;
    until(&mut first, "g", "PreparingRebalance", 2).await;
    engine.plan(Plan::Hold);
    let mut request = commit_request("g", &topic, 0, 2);
    request.generation_id_or_member_epoch = 1;
    request.member_id = alone.member_id.clone();
    let sent = first.send(&request, 8).await;
    engine.holds(1).await;
    let port = broker.port();
    let stopping = tokio::spawn(broker.running.shutdown());
    while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {}
    engine.release();
    let answer: OffsetCommitResponse<'static> = first.receive(sent, 8).await;
    assert_eq!(codes(&answer), [ErrorCode::NONE]);
    let refused: JoinGroupResponse<'static> = second.receive(parked, 9).await;
    assert_eq!(refused.error_code, ErrorCode::NOT_COORDINATOR);
    stopping.await.expect("no panic").expect("it stops in order");
}
