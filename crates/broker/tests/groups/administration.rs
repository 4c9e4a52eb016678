//! DescribeGroups, ListGroups, DeleteGroups.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::*;

use crate::asking::*;
use crate::client::{Client, TestBroker};

#[tokio::test]
async fn describing() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let joined = join_alone(&mut client, "used", 9).await;
    assert_eq!(commit(&mut client, "commits", &topic, 0, 5).await, ErrorCode::NONE);
    for version in 0..=6 {
        let request = DescribeGroupsRequest {
            groups: vec!["used".into(), "commits".into(), "nobody".into(), "used".into()],
            include_authorized_operations: version >= 3,
        };
        let groups = client.call(&request, version).await.groups;
        let ids: Vec<_> = groups.iter().map(|group| group.group_id.as_ref()).collect();
        assert_eq!(ids, ["used", "commits", "nobody"], "each once");

        let used = &groups[0];
        assert_eq!((used.error_code, used.group_state.as_ref()), (ErrorCode::NONE, "Stable"));
        assert_eq!((used.protocol_type.as_ref(), used.protocol_data.as_ref()), ("consumer", "range"));
        let expected = DescribedGroupMember {
            member_id: joined.member_id.clone(),
            group_instance_id: None,
            client_id: "test-client".into(),
            client_host: "/127.0.0.1".into(),
            member_metadata: subscription("t").into(),
            member_assignment: b"all".as_slice().into(),
        };
        assert_eq!(used.members, [expected]);
        // Read, Delete, Describe, DescribeConfigs, AlterConfigs, as the reference broker says.
        assert_eq!(used.authorized_operations, if version >= 3 { 3_400 } else { i32::MIN });

        let commits = &groups[1];
        assert_eq!((commits.error_code, commits.group_state.as_ref()), (ErrorCode::NONE, "Empty"));
        assert_eq!((commits.protocol_type.as_ref(), commits.members.len()), ("", 0));

        let missing = &groups[2];
        let (error, message) = match version {
            6 => (ErrorCode::GROUP_ID_NOT_FOUND, Some("Group nobody not found.")),
            _ => (ErrorCode::NONE, None),
        };
        assert_eq!((missing.error_code, missing.error_message.as_deref()), (error, message), "version {version}");
        assert_eq!(missing.group_state, "Dead");
        let operations = if (3..6).contains(&version) { 3_400 } else { i32::MIN };
        assert_eq!(missing.authorized_operations, operations, "version {version}");
    }
}

async fn list(client: &mut Client, states: &[&str], types: &[&str], version: i16) -> Vec<ListedGroup<'static>> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned().into()).collect();
    let request = ListGroupsRequest { states_filter: owned(states), types_filter: owned(types) };
    let answer = client.call(&request, version).await;
    assert_eq!(answer.error_code, ErrorCode::NONE);
    let mut groups = answer.groups;
    groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
    groups
}

#[tokio::test]
async fn listing() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    assert_eq!(list(&mut client, &[], &[], 5).await, [], "before there is any group");
    let topic = broker.topic("t", 1, &[]).await;
    assert_eq!(commit(&mut client, "commits", &topic, 0, 5).await, ErrorCode::NONE);
    join_alone(&mut client, "used", 9).await;
    join(&mut client, "young", 9).await;
    let expected =
        [("commits", "", "Empty"), ("used", "consumer", "Stable"), ("young", "consumer", "CompletingRebalance")];
    for version in 0..=5 {
        let listed = list(&mut client, &[], &[], version).await;
        let told: Vec<_> = listed.iter().map(|group| (group.group_id.as_ref(), group.protocol_type.as_ref())).collect();
        assert_eq!(told, expected.map(|(group, protocol, _)| (group, protocol)), "version {version}");
        for (group, (_, _, state)) in listed.iter().zip(expected) {
            assert_eq!(group.group_state, if version >= 4 { state } else { "" });
            assert_eq!(group.group_type, if version >= 5 { "classic" } else { "" });
        }
    }
    let names = |groups: Vec<ListedGroup<'_>>| groups.iter().map(|g| g.group_id.to_string()).collect::<Vec<_>>();
    for version in [4, 5] {
        assert_eq!(names(list(&mut client, &["sTABLE", "Empty"], &[], version).await), ["commits", "used"]);
        assert_eq!(names(list(&mut client, &["no such state"], &[], version).await), [""; 0]);
    }
    assert_eq!(names(list(&mut client, &["Stable"], &["Classic"], 5).await), ["used"]);
    assert_eq!(names(list(&mut client, &[], &["consumer"], 5).await), [""; 0]);
}

#[tokio::test]
async fn deleting() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    join_alone(&mut client, "used", 9).await;
    for version in 0..=2 {
        assert_eq!(commit(&mut client, "commits", &topic, 0, 5).await, ErrorCode::NONE);
        let names = ["used", "nobody", "commits", "commits"];
        let request = DeleteGroupsRequest { groups_names: names.map(Into::into).to_vec() };
        let deleted = client.call(&request, version).await;
        let results: Vec<_> = deleted.results.iter().map(|r| (r.group_id.as_ref(), r.error_code)).collect();
        let expected = [
            ("used", ErrorCode::NON_EMPTY_GROUP),
            ("nobody", ErrorCode::GROUP_ID_NOT_FOUND),
            ("commits", ErrorCode::NONE),
        ];
        assert_eq!(results, expected, "version {version}");
        assert_eq!(committed(&mut client, "commits").await, Ok(vec![]));
        assert_eq!(describe(&mut client, "commits").await.group_state, "Dead");
    }
    assert_eq!(describe(&mut client, "used").await.group_state, "Stable");
}
