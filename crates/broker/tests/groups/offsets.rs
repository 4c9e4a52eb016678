//! Committed offsets over the wire: commit, fetch, delete, in all versions.

use ottla_protocol::messages::*;
use ottla_protocol::{ErrorCode, Uuid};
use ottla_storage::Topic;

use crate::asking::*;
use crate::client::{Client, TestBroker};

/// A partition's commit as every version tells it: offset, leader epoch, metadata, error.
type Told = (i32, i64, i32, String, ErrorCode);

const COMMIT_VERSIONS: std::ops::RangeInclusive<i16> = 2..=10;
const FETCH_VERSIONS: std::ops::RangeInclusive<i16> = 1..=10;

/// The commits of these partitions of one topic, in any version; `None` for all that there are.
async fn fetch(
    client: &mut Client,
    group: &str,
    topic: &Topic,
    partitions: Option<&[i32]>,
    version: i16,
) -> Vec<(String, Uuid, Vec<Told>)> {
    let name = || topic.name.to_string().into();
    let mut request = OffsetFetchRequest::default();
    if version < 8 {
        request.group_id = group.into();
        let topics =
            |indexes: &[i32]| vec![OffsetFetchRequestTopic { name: name(), partition_indexes: indexes.into() }];
        request.topics = partitions.map(topics);
    } else {
        let id = Uuid(topic.id.0);
        let topics = |indexes: &[i32]| {
            vec![OffsetFetchRequestTopics { name: name(), topic_id: id, partition_indexes: indexes.into() }]
        };
        let topics = partitions.map(topics);
        request.groups = vec![OffsetFetchRequestGroup { group_id: group.into(), topics, ..Default::default() }];
    }
    let mut response = client.call(&request, version).await;
    assert_eq!(response.error_code, ErrorCode::NONE);
    if version < 8 {
        let of = |topic: OffsetFetchResponseTopic<'_>| {
            let told = topic.partitions.into_iter().map(|p| {
                let metadata = p.metadata.unwrap_or_default().into_owned();
                (p.partition_index, p.committed_offset, p.committed_leader_epoch, metadata, p.error_code)
            });
            (topic.name.into_owned(), Uuid::ZERO, told.collect())
        };
        return response.topics.into_iter().map(of).collect();
    }
    assert_eq!((response.groups.len(), response.groups[0].group_id.as_ref()), (1, group));
    let answered = response.groups.remove(0);
    assert_eq!(answered.error_code, ErrorCode::NONE);
    answered.topics.into_iter().map(told_by_group).collect()
}

fn told_by_group(topic: OffsetFetchResponseTopics<'_>) -> (String, Uuid, Vec<Told>) {
    let told = topic.partitions.into_iter().map(|p| {
        let metadata = p.metadata.unwrap_or_default().into_owned();
        (p.partition_index, p.committed_offset, p.committed_leader_epoch, metadata, p.error_code)
    });
    (topic.name.into_owned(), topic.topic_id, told.collect())
}

fn nothing(partition: i32) -> Told {
    (partition, -1, -1, String::new(), ErrorCode::NONE)
}

#[tokio::test]
async fn every_version_commits_and_every_version_fetches() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 3, &[]).await;
    let mut client = broker.connect().await;
    for version in COMMIT_VERSIONS {
        let group = format!("group-{version}");
        let mut request = commit_request(&group, &topic, 1, 100 + i64::from(version));
        request.topics[0].partitions[0].committed_metadata = Some("note".into());
        request.topics[0].partitions[0].committed_leader_epoch = 3;
        let answer = client.call(&request, version).await;
        let named = (answer.topics[0].name.as_ref(), answer.topics[0].topic_id);
        let expected = if version < 10 { ("t", Uuid::ZERO) } else { ("", Uuid(topic.id.0)) };
        assert_eq!((codes(&answer), named), (vec![ErrorCode::NONE], expected), "version {version}");
        for asked in FETCH_VERSIONS {
            let epoch = if version >= 6 && asked >= 5 { 3 } else { -1 };
            let told = (1, 100 + i64::from(version), epoch, "note".to_owned(), ErrorCode::NONE);
            let (name, id) = if asked < 10 { ("t".to_owned(), Uuid::ZERO) } else { (String::new(), Uuid(topic.id.0)) };
            let expected = vec![(name.clone(), id, vec![told.clone(), nothing(0), nothing(2)])];
            let fetched = fetch(&mut client, &group, &topic, Some(&[1, 0, 2, 1]), asked).await;
            assert_eq!(fetched, expected, "committed in {version}, fetched in {asked}");
            if asked >= 2 {
                let all = fetch(&mut client, &group, &topic, None, asked).await;
                assert_eq!(all, vec![(name, id, vec![told])], "committed in {version}, all fetched in {asked}");
            }
        }
    }
}

#[tokio::test]
async fn what_was_never_committed_is_no_error() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let unknown = Topic { name: "unknown".into(), id: ottla_storage::TopicId([9; 16]), ..(*topic).clone() };
    let mut client = broker.connect().await;
    assert_eq!(commit(&mut client, "g", &topic, 0, 5).await, ErrorCode::NONE);
    for version in FETCH_VERSIONS {
        for group in ["g", "nobody", ""] {
            let fetched = fetch(&mut client, group, &unknown, Some(&[0, 7]), version).await;
            let expected = if version < 10 {
                vec![("unknown".to_owned(), Uuid::ZERO, vec![nothing(0), nothing(7)])]
            } else {
                let refused = |partition| (partition, -1, -1, String::new(), ErrorCode::UNKNOWN_TOPIC_ID);
                vec![(String::new(), Uuid([9; 16]), vec![refused(0), refused(7)])]
            };
            assert_eq!(fetched, expected, "version {version}, group {group:?}");
        }
        if version >= 2 {
            assert_eq!(fetch(&mut client, "nobody", &topic, None, version).await, vec![]);
        }
    }
    assert_eq!(describe(&mut client, "nobody").await.group_state, "Dead", "asking makes no group");
}

#[tokio::test]
async fn commits_to_what_does_not_exist_are_refused_one_by_one() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 2, &[]).await;
    let mut client = broker.connect().await;
    for version in COMMIT_VERSIONS {
        let group = format!("group-{version}");
        let mut request = commit_request(&group, &topic, 0, 1);
        let mut long = commit_partition(1, 2);
        long.committed_metadata = Some("x".repeat(4_097).into());
        request.topics[0].partitions.extend([commit_partition(2, 2), long, commit_partition(-1, 2)]);
        let unknown = OffsetCommitRequestTopic {
            name: "unknown".into(),
            topic_id: Uuid([9; 16]),
            partitions: vec![commit_partition(0, 3), commit_partition(1, 3)],
        };
        let mut again = request.topics[0].clone();
        again.partitions = vec![commit_partition(1, 4)];
        again.partitions[0].committed_metadata = None;
        request.topics.extend([unknown, again]);
        let unknown_topic =
            if version < 10 { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION } else { ErrorCode::UNKNOWN_TOPIC_ID };
        let unknown_partition = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
        let expected = [
            ErrorCode::NONE,
            unknown_partition,
            ErrorCode::OFFSET_METADATA_TOO_LARGE,
            unknown_partition,
            unknown_topic,
            unknown_topic,
            ErrorCode::NONE,
        ];
        assert_eq!(codes(&client.call(&request, version).await), expected, "version {version}");
        let stored = vec![("t".to_owned(), 0, 1), ("t".to_owned(), 1, 4)];
        assert_eq!(committed(&mut client, &group).await, Ok(stored));
    }
}

#[tokio::test]
async fn who_may_commit() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let joined = join_alone(&mut client, "g", 9).await;
    let member = joined.member_id.as_ref();
    for version in COMMIT_VERSIONS {
        // A generation of a group that nobody knows.
        let missing = if version < 9 { ErrorCode::ILLEGAL_GENERATION } else { ErrorCode::GROUP_ID_NOT_FOUND };
        for (group, generation, member, expected) in [
            ("g", 1, member, ErrorCode::NONE),
            ("g", 0, member, ErrorCode::ILLEGAL_GENERATION),
            ("g", 2, member, ErrorCode::ILLEGAL_GENERATION),
            ("g", 1, "somebody", ErrorCode::UNKNOWN_MEMBER_ID),
            ("g", -1, "", ErrorCode::UNKNOWN_MEMBER_ID),
            ("nobody", 5, "somebody", missing),
            ("outside", -1, "", ErrorCode::NONE),
            ("", -1, "", ErrorCode::NONE),
        ] {
            let mut request = commit_request(group, &topic, 0, i64::from(version));
            request.generation_id_or_member_epoch = generation;
            request.member_id = member.into();
            let answer = codes(&client.call(&request, version).await);
            assert_eq!(answer, [expected], "version {version}, group {group:?}, generation {generation}, {member:?}");
            let stored = if expected.is_none() { Ok(vec![("t".to_owned(), 0, i64::from(version))]) } else { continue };
            assert_eq!(committed(&mut client, group).await, stored);
        }
    }
    assert_eq!(committed(&mut client, "nobody").await, Ok(vec![]));
}

#[tokio::test]
async fn several_groups_in_one_question() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 2, &[]).await;
    let other = broker.topic("u", 1, &[]).await;
    let mut client = broker.connect().await;
    for (group, topic, offset) in [("a", &topic, 1), ("b", &topic, 2), ("b", &other, 3)] {
        assert_eq!(commit(&mut client, group, topic, 0, offset).await, ErrorCode::NONE);
    }
    for version in 8..=10 {
        let named =
            OffsetFetchRequestTopics { name: "t".into(), topic_id: Uuid(topic.id.0), partition_indexes: vec![1, 0] };
        let group =
            |id: &'static str, topics| OffsetFetchRequestGroup { group_id: id.into(), topics, ..Default::default() };
        let groups = vec![group("b", None), group("nobody", None), group("a", Some(vec![named])), group("b", None)];
        let response = client.call(&OffsetFetchRequest { groups, ..Default::default() }, version).await;
        let told: Vec<_> = response.groups.iter().map(|group| (group.group_id.as_ref(), group.topics.len())).collect();
        assert_eq!(told, [("b", 2), ("nobody", 0), ("a", 1)], "in the order asked, each once");
        let offsets = |group: usize| {
            let partitions = response.groups[group].topics.iter().flat_map(|topic| &topic.partitions);
            partitions.map(|p| (p.partition_index, p.committed_offset)).collect::<Vec<_>>()
        };
        assert_eq!((offsets(0), offsets(2)), (vec![(0, 2), (0, 3)], vec![(1, -1), (0, 1)]));
    }
}

fn delete_request<'a>(group: &'a str, asked: &[(&'a str, &[i32])]) -> OffsetDeleteRequest<'a> {
    let topics = asked.iter().map(|&(name, partitions)| OffsetDeleteRequestTopic {
        name: name.into(),
        partitions: partitions
            .iter()
            .map(|&partition_index| OffsetDeleteRequestPartition { partition_index })
            .collect(),
    });
    OffsetDeleteRequest { group_id: group.into(), topics: topics.collect() }
}

/// The error of the request, and those of the partitions.
async fn delete(client: &mut Client, group: &str, asked: &[(&str, &[i32])]) -> (ErrorCode, Vec<ErrorCode>) {
    let answer = client.call(&delete_request(group, asked), 0).await;
    let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    (answer.error_code, partitions.map(|partition| partition.error_code).collect())
}

#[tokio::test]
async fn deleting_commits() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 2, &[]).await;
    let other = broker.topic("u", 2, &[]).await;
    let mut client = broker.connect().await;
    for (topic, partition) in [(&topic, 0), (&topic, 1), (&other, 0)] {
        assert_eq!(commit(&mut client, "g", topic, partition, 5).await, ErrorCode::NONE);
    }
    let (none, unknown) = (ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(delete(&mut client, "nobody", &[("t", &[0])]).await, (ErrorCode::GROUP_ID_NOT_FOUND, vec![]));
    assert_eq!(delete(&mut client, "nobody", &[("x", &[0])]).await, (ErrorCode::GROUP_ID_NOT_FOUND, vec![]));
    assert_eq!(delete(&mut client, "", &[("t", &[0])]).await, (ErrorCode::INVALID_GROUP_ID, vec![]));
    let deleted = delete(&mut client, "g", &[("x", &[0]), ("t", &[7, 0]), ("u", &[1])]).await;
    assert_eq!(deleted, (none, vec![unknown, unknown, none, none]));
    let left = vec![("t".to_owned(), 1, 5), ("u".to_owned(), 0, 5)];
    assert_eq!(committed(&mut client, "g").await, Ok(left));
    // The last commit goes, the group stays.
    assert_eq!(delete(&mut client, "g", &[("t", &[1]), ("u", &[0])]).await, (none, vec![none, none]));
    assert_eq!(committed(&mut client, "g").await, Ok(vec![]));
    assert_eq!(describe(&mut client, "g").await.group_state, "Empty");
}

#[tokio::test]
async fn commits_in_use_are_not_deleted() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let other = broker.topic("u", 1, &[]).await;
    let mut client = broker.connect().await;
    for topic in [&topic, &other] {
        assert_eq!(commit(&mut client, "g", topic, 0, 5).await, ErrorCode::NONE);
    }
    // The member subscribes to t.
    join_alone(&mut client, "g", 9).await;
    let deleted = delete(&mut client, "g", &[("t", &[0]), ("u", &[0])]).await;
    assert_eq!(deleted, (ErrorCode::NONE, vec![ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC, ErrorCode::NONE]));
    assert_eq!(committed(&mut client, "g").await, Ok(vec![("t".to_owned(), 0, 5)]));

    let id = member_id(&mut client, "c", 9).await;
    let joined = client.call(&JoinGroupRequest { protocol_type: "connect".into(), ..join_request("c", &id) }, 9).await;
    assert_eq!(joined.error_code, ErrorCode::NONE);
    assert_eq!(delete(&mut client, "c", &[("t", &[0])]).await, (ErrorCode::NON_EMPTY_GROUP, vec![]));
}

/// Requests of one connection that do not wait for each other take effect in their order.
#[tokio::test]
async fn pipelined_requests_keep_their_order() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let mut sent = Vec::new();
    for offset in 0..100 {
        // The first one comes before the group's log exists.
        let commit = client.send(&commit_request("g", &topic, 0, offset), 8).await;
        sent.push((commit, client.send(&fetch_all_request("g"), 7).await, offset));
    }
    for (commit, fetch, offset) in sent {
        let answer: OffsetCommitResponse<'static> = client.receive(commit, 8).await;
        assert_eq!(codes(&answer), [ErrorCode::NONE]);
        let answer: OffsetFetchResponse<'static> = client.receive(fetch, 7).await;
        assert_eq!(offsets(&answer), Ok(vec![("t".to_owned(), 0, offset)]));
    }
}

#[tokio::test]
async fn a_deleted_topic_takes_its_commits_along() {
    let broker = TestBroker::start(&[]).await;
    let (topic, other) = (broker.topic("t", 1, &[]).await, broker.topic("u", 1, &[]).await);
    let (mut client, mut administrator) = (broker.connect().await, broker.connect().await);
    for group in ["a", "b"] {
        for topic in [&topic, &other] {
            assert_eq!(commit(&mut client, group, topic, 0, 5).await, ErrorCode::NONE);
        }
    }
    let request = DeleteTopicsRequest { topic_names: vec!["t".into()], timeout_ms: 1_000, ..Default::default() };
    let deleted = administrator.call(&request, 5).await;
    assert_eq!(deleted.responses[0].error_code, ErrorCode::NONE);
    let mut again = (*topic).clone();
    again.id = broker.topic("t", 1, &[("retention.ms", "1")]).await.id;
    for group in ["a", "b"] {
        assert_eq!(committed(&mut client, group).await, Ok(vec![("u".to_owned(), 0, 5)]));
        let fetched = fetch(&mut client, group, &again, Some(&[0]), 9).await;
        assert_eq!(fetched, vec![("t".to_owned(), Uuid::ZERO, vec![nothing(0)])]);
    }
}
