//! Members with a `group.instance.id`.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::*;

use crate::asking::*;
use crate::client::TestBroker;

fn static_join<'a>(group: &'a str, member_id: &'a str, instance: &'a str) -> JoinGroupRequest<'a> {
    JoinGroupRequest { group_instance_id: Some(instance.into()), ..join_request(group, member_id) }
}

#[tokio::test]
async fn a_new_process_takes_its_place_without_a_rebalance() {
    let broker = TestBroker::start(&[]).await;
    for version in 5..=9 {
        let group = format!("group-{version}");
        let (mut old, mut new) = (broker.connect().await, broker.connect().await);
        let before = old.call(&static_join(&group, "", "i1"), version).await;
        assert_eq!((before.error_code, before.generation_id), (ErrorCode::NONE, 1), "nobody asks for its id first");
        assert!(before.member_id.starts_with("i1-"), "{}", before.member_id);
        assert_eq!(before.members[0].group_instance_id.as_deref(), Some("i1"));
        let given = [(before.member_id.as_ref(), "all")];
        assert_eq!(sync(&mut old, &group, &before, &given, 5).await.error_code, ErrorCode::NONE);

        let after = new.call(&static_join(&group, "", "i1"), version).await;
        assert_eq!((after.error_code, after.generation_id), (ErrorCode::NONE, 1));
        assert_ne!(after.member_id, before.member_id);
        // A leader that must not assign again is told so, or, if it cannot understand that, is told of another leader.
        assert_eq!(after.skip_assignment, version >= 9);
        assert_eq!(after.leader == after.member_id, version >= 9);
        let synced = sync(&mut new, &group, &after, &[], 5).await;
        assert_eq!((synced.error_code, synced.assignment.as_ref()), (ErrorCode::NONE, &b"all"[..]));

        let beat = HeartbeatRequest {
            group_id: group.as_str().into(),
            generation_id: 1,
            member_id: before.member_id.clone(),
            group_instance_id: Some("i1".into()),
        };
        assert_eq!(old.call(&beat, 4).await.error_code, ErrorCode::FENCED_INSTANCE_ID);
        let beat = HeartbeatRequest { member_id: after.member_id.clone(), ..beat };
        assert_eq!(new.call(&beat, 4).await.error_code, ErrorCode::NONE);
        let member = &describe(&mut new, &group).await.members[0];
        assert_eq!((&member.member_id, member.group_instance_id.as_deref()), (&after.member_id, Some("i1")));
    }
}

#[tokio::test]
async fn an_old_process_may_not_commit_any_more() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let before = client.call(&static_join("g", "", "i1"), 9).await;
    let given = [(before.member_id.as_ref(), "all")];
    assert_eq!(sync(&mut client, "g", &before, &given, 5).await.error_code, ErrorCode::NONE);
    let mut request = commit_request("g", &topic, 0, 5);
    request.generation_id_or_member_epoch = 1;
    request.member_id = before.member_id.clone();
    request.group_instance_id = Some("i1".into());
    for version in 7..=10 {
        assert_eq!(codes(&client.call(&request, version).await), [ErrorCode::NONE]);
    }
    let after = client.call(&static_join("g", "", "i1"), 9).await;
    for version in 7..=10 {
        assert_eq!(codes(&client.call(&request, version).await), [ErrorCode::FENCED_INSTANCE_ID]);
    }
    request.member_id = after.member_id;
    assert_eq!(codes(&client.call(&request, 9).await), [ErrorCode::NONE]);
}

#[tokio::test]
async fn an_administrator_removes_them_by_their_instance_alone() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let joined = client.call(&static_join("g", "", "i1"), 9).await;
    let given = [(joined.member_id.as_ref(), "all")];
    assert_eq!(sync(&mut client, "g", &joined, &given, 5).await.error_code, ErrorCode::NONE);
    let identity = |member: &'static str, instance: &'static str| MemberIdentity {
        member_id: member.into(),
        group_instance_id: Some(instance.into()),
        reason: None,
    };
    let request = LeaveGroupRequest {
        group_id: "g".into(),
        members: vec![identity("", "i2"), identity("wrong", "i1"), identity("", "i1")],
        ..Default::default()
    };
    for version in [3, 4, 5] {
        let left = client.call(&request, version).await;
        let codes: Vec<_> = left.members.iter().map(|member| member.error_code).collect();
        let (unknown, fenced) = (ErrorCode::UNKNOWN_MEMBER_ID, ErrorCode::FENCED_INSTANCE_ID);
        let expected = if version == 3 { [unknown, fenced, ErrorCode::NONE] } else { [unknown; 3] };
        assert_eq!((left.error_code, codes), (ErrorCode::NONE, expected.to_vec()));
        let instances: Vec<_> = left.members.iter().map(|member| member.group_instance_id.as_deref()).collect();
        assert_eq!(instances, [Some("i2"), Some("i1"), Some("i1")]);
    }
    assert_eq!(describe(&mut client, "g").await.group_state, "Empty");
}
