//! A group that outgrows what can be written is given up, and the groups beside it go on.

use std::sync::Arc;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::*;

use crate::asking::*;
use crate::client::TestBroker;
use crate::twin::{Plan, Twin};

/// Nearly the largest join; nine of them do not fit into what may be written at once.
const METADATA_BYTES: usize = (8 << 20) - 1_000;
const MEMBERS: usize = 9;

#[tokio::test]
async fn a_group_too_large_to_be_written_is_given_up() {
    let engine = Arc::new(Twin::default());
    let properties = [("listeners", "PLAINTEXT://127.0.0.1:0"), ("offsets.topic.num.partitions", "1")];
    let broker = TestBroker::over(engine.clone(), &properties).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut neighbour = broker.connect().await;
    assert_eq!(commit(&mut neighbour, "neighbour", &topic, 0, 1).await, ErrorCode::NONE);

    let mut large = join_request("large", "");
    large.protocols[0].metadata = vec![0; METADATA_BYTES].into();
    let mut first = broker.connect().await;
    let alone = first.call(&large, 3).await;
    let given = [(alone.member_id.as_ref(), "all")];
    assert_eq!(sync(&mut first, "large", &alone, &given, 3).await.error_code, ErrorCode::NONE);
    let mut parked = Vec::new();
    for members in 2..=MEMBERS {
        let mut member = broker.connect().await;
        let id = member.send(&large, 3).await;
        until(&mut neighbour, "large", "PreparingRebalance", members).await;
        parked.push((member, id));
    }

    // The neighbour's commit is on its way to the disk when everything is given up.
    engine.plan(Plan::Hold);
    let sent = neighbour.send(&commit_request("neighbour", &topic, 0, 2), 8).await;
    engine.holds(1).await;
    large.member_id = alone.member_id.clone();
    assert_eq!(first.call(&large, 3).await.error_code, ErrorCode::NOT_COORDINATOR);
    for (member, id) in &mut parked {
        let refused: JoinGroupResponse<'static> = member.receive(*id, 3).await;
        assert_eq!(refused.error_code, ErrorCode::NOT_COORDINATOR);
    }
    let answer: OffsetCommitResponse<'static> = neighbour.receive(sent, 8).await;
    assert_eq!(codes(&answer), [ErrorCode::NOT_COORDINATOR]);

    // It reaches the log after all. The next coordinator waits for that, and knows of it.
    let question = neighbour.send(&fetch_all_request("neighbour"), 7).await;
    let found = first.call(&FindCoordinatorRequest { key: "large".into(), ..Default::default() }, 3).await;
    assert_eq!(found.error_code, ErrorCode::NONE);
    engine.release();
    let answer: OffsetFetchResponse<'static> = neighbour.receive(question, 7).await;
    assert_eq!(offsets(&answer), Ok(vec![("t".to_owned(), 0, 2)]));
    assert_eq!(commit(&mut neighbour, "neighbour", &topic, 0, 3).await, ErrorCode::NONE);
    assert_eq!(committed(&mut neighbour, "neighbour").await, Ok(vec![("t".to_owned(), 0, 3)]));
    assert_eq!(heartbeat(&mut first, "large", &alone, 3).await, ErrorCode::NONE, "as it was before");
}
