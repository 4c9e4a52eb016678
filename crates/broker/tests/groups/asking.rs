//! What the tests of this folder ask for again and again.

use std::time::Duration;

use ottla_protocol::messages::*;
use ottla_protocol::{ErrorCode, Uuid};
use ottla_storage::Topic;

use crate::client::Client;

pub(crate) const JOIN_VERSIONS: std::ops::RangeInclusive<i16> = 0..=9;
/// JoinGroup, SyncGroup, Heartbeat and LeaveGroup of the same age: the version of JoinGroup, as far as the others go.
pub(crate) const SYNC_MAX: i16 = 5;
pub(crate) const HEARTBEAT_MAX: i16 = 4;
pub(crate) const LEAVE_MAX: i16 = 5;

/// A subscription to one topic, as consumers write it.
pub(crate) fn subscription(topic: &str) -> Vec<u8> {
    let mut bytes = vec![0, 1, 0, 0, 0, 1, 0, topic.len() as u8];
    bytes.extend_from_slice(topic.as_bytes());
    bytes.extend_from_slice(&[0xff; 4]);
    bytes.extend_from_slice(&[0; 4]);
    bytes
}

pub(crate) fn join_request<'a>(group: &'a str, member_id: &'a str) -> JoinGroupRequest<'a> {
    JoinGroupRequest {
        group_id: group.into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        member_id: member_id.into(),
        protocol_type: "consumer".into(),
        protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata: subscription("t").into() }],
        ..Default::default()
    }
}

/// A member id that a join can use: from version 4 on the broker gives it out first.
pub(crate) async fn member_id(client: &mut Client, group: &str, version: i16) -> String {
    if version < 4 {
        return String::new();
    }
    let asked = client.call(&join_request(group, ""), version).await;
    assert_eq!(asked.error_code, ErrorCode::MEMBER_ID_REQUIRED, "version {version}");
    asked.member_id.into_owned()
}

/// Joins a group that waits for nobody.
pub(crate) async fn join(client: &mut Client, group: &str, version: i16) -> JoinGroupResponse<'static> {
    let member_id = member_id(client, group, version).await;
    let joined = client.call(&join_request(group, &member_id), version).await;
    assert_eq!(joined.error_code, ErrorCode::NONE, "version {version}");
    joined
}

/// A member alone in its generation, with everything assigned to it.
pub(crate) async fn join_alone(client: &mut Client, group: &str, version: i16) -> JoinGroupResponse<'static> {
    let joined = join(client, group, version).await;
    let given = [(joined.member_id.as_ref(), "all")];
    let synced = sync(client, group, &joined, &given, version.min(SYNC_MAX)).await;
    assert_eq!((synced.error_code, synced.assignment.as_ref()), (ErrorCode::NONE, &b"all"[..]), "version {version}");
    joined
}

pub(crate) fn sync_request<'a>(
    group: &'a str,
    joined: &'a JoinGroupResponse<'_>,
    given: &[(&'a str, &'a str)],
    version: i16,
) -> SyncGroupRequest<'a> {
    let assignments = given.iter().map(|&(member_id, assignment)| SyncGroupRequestAssignment {
        member_id: member_id.into(),
        assignment: assignment.as_bytes().into(),
    });
    SyncGroupRequest {
        group_id: group.into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.as_ref().into(),
        protocol_type: (version >= 5).then_some("consumer".into()),
        protocol_name: (version >= 5).then_some("range".into()),
        assignments: assignments.collect(),
        ..Default::default()
    }
}

pub(crate) async fn sync(
    client: &mut Client,
    group: &str,
    joined: &JoinGroupResponse<'_>,
    given: &[(&str, &str)],
    version: i16,
) -> SyncGroupResponse<'static> {
    client.call(&sync_request(group, joined, given, version), version).await
}

pub(crate) async fn heartbeat(
    client: &mut Client,
    group: &str,
    joined: &JoinGroupResponse<'_>,
    version: i16,
) -> ErrorCode {
    let request = HeartbeatRequest {
        group_id: group.into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.as_ref().into(),
        ..Default::default()
    };
    client.call(&request, version.min(HEARTBEAT_MAX)).await.error_code
}

/// Leaves; answers the error of the request and that of the member.
pub(crate) async fn leave(
    client: &mut Client,
    group: &str,
    member_id: &str,
    version: i16,
) -> (ErrorCode, Option<ErrorCode>) {
    let version = version.min(LEAVE_MAX);
    let mut request = LeaveGroupRequest { group_id: group.into(), ..Default::default() };
    if version < 3 {
        request.member_id = member_id.into();
    } else {
        request.members = vec![MemberIdentity { member_id: member_id.into(), ..Default::default() }];
    }
    let left = client.call(&request, version).await;
    (left.error_code, left.members.first().map(|member| member.error_code))
}

pub(crate) async fn describe(client: &mut Client, group: &str) -> DescribedGroup<'static> {
    let request = DescribeGroupsRequest { groups: vec![group.into()], ..Default::default() };
    client.call(&request, 5).await.groups.remove(0)
}

/// How long anything may take before a test counts as hanging; far more than it needs.
const HANGS_AFTER: Duration = Duration::from_secs(30);

/// Asks until the group is so: another connection's request is on its way.
pub(crate) async fn until(client: &mut Client, group: &str, state: &str, members: usize) {
    let so = async {
        loop {
            let described = describe(client, group).await;
            if described.group_state == state && described.members.len() == members {
                return;
            }
        }
    };
    let waited = tokio::time::timeout(HANGS_AFTER, so).await;
    assert!(waited.is_ok(), "{group} never became {state} with {members} members");
}

/// A commit of one partition from outside of group management.
pub(crate) fn commit_request<'a>(
    group: &'a str,
    topic: &Topic,
    partition: i32,
    offset: i64,
) -> OffsetCommitRequest<'a> {
    OffsetCommitRequest {
        group_id: group.into(),
        topics: vec![OffsetCommitRequestTopic {
            name: topic.name.to_string().into(),
            topic_id: Uuid(topic.id.0),
            partitions: vec![commit_partition(partition, offset)],
        }],
        ..Default::default()
    }
}

pub(crate) fn commit_partition<'a>(partition: i32, offset: i64) -> OffsetCommitRequestPartition<'a> {
    OffsetCommitRequestPartition { partition_index: partition, committed_offset: offset, ..Default::default() }
}

/// The codes of a commit's answer, in order.
pub(crate) fn codes(response: &OffsetCommitResponse<'_>) -> Vec<ErrorCode> {
    response.topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.error_code).collect()
}

pub(crate) async fn commit(client: &mut Client, group: &str, topic: &Topic, partition: i32, offset: i64) -> ErrorCode {
    codes(&client.call(&commit_request(group, topic, partition, offset), 8).await)[0]
}

/// A question for all commits of a group.
pub(crate) fn fetch_all_request(group: &str) -> OffsetFetchRequest<'_> {
    OffsetFetchRequest { group_id: group.into(), topics: None, ..Default::default() }
}

/// All commits of an answer: topic, partition, offset.
pub(crate) fn offsets(response: &OffsetFetchResponse<'_>) -> Result<Vec<(String, i32, i64)>, ErrorCode> {
    if response.error_code != ErrorCode::NONE {
        return Err(response.error_code);
    }
    let partitions = response.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |p| (topic, p)));
    Ok(partitions.map(|(topic, p)| (topic.name.to_string(), p.partition_index, p.committed_offset)).collect())
}

/// All commits of a group: topic, partition, offset.
pub(crate) async fn committed(client: &mut Client, group: &str) -> Result<Vec<(String, i32, i64)>, ErrorCode> {
    offsets(&client.call(&fetch_all_request(group), 7).await)
}
