//! What administrators ask of a cluster, on one node: DescribeTopicPartitions, ListConfigResources, DescribeLogDirs,
//! AlterReplicaLogDirs, ElectLeaders, AlterPartitionReassignments, ListPartitionReassignments, DescribeQuorum, UpdateFeatures.

mod client;

use std::sync::Arc;

use client::{Client, TestBroker, WALL_MS, batch};
use ottla_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
    ApiVersionsRequest, DescribableLogDirTopic, DescribeLogDirsRequest, DescribeLogDirsResult, DescribeQuorumRequest,
    DescribeQuorumRequestPartition, DescribeQuorumRequestTopic, DescribeTopicPartitionsCursor,
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse, DescribeTopicPartitionsTopic, ElectLeadersRequest,
    ElectLeadersTopicPartitions, FeatureUpdateKey, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResource,
    IncrementalAlterableConfig, ListConfigResourcesRequest, ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsTopics, ReassignablePartition, ReassignableTopic, UpdateFeaturesRequest,
};
use ottla_protocol::{ErrorCode, OptionalStruct, Uuid};
use ottla_storage::Engine;
use ottla_storage::local::disk::SystemDisk;
use ottla_storage::local::{LocalEngine, LocalOptions};

const UNKNOWN: ErrorCode = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;

type Page = (Vec<(String, ErrorCode, Vec<i32>)>, Option<(String, i32)>);

async fn describe(client: &mut Client, topics: &[&str], limit: i32, cursor: Option<(&str, i32)>) -> Page {
    seen(&ask(client, topics, limit, cursor).await)
}

async fn ask(
    client: &mut Client,
    topics: &[&str],
    limit: i32,
    cursor: Option<(&str, i32)>,
) -> DescribeTopicPartitionsResponse<'static> {
    let topics = topics.iter().map(|&name| DescribeTopicPartitionsTopic { name: name.into() }).collect();
    let cursor = cursor
        .map(|(topic, partition_index)| DescribeTopicPartitionsCursor { topic_name: topic.into(), partition_index });
    let request =
        DescribeTopicPartitionsRequest { topics, response_partition_limit: limit, cursor: OptionalStruct(cursor) };
    client.call(&request, 0).await
}

fn seen(response: &DescribeTopicPartitionsResponse<'_>) -> Page {
    let topics = response.topics.iter().map(|topic| {
        let indexes = topic.partitions.iter().map(|partition| partition.partition_index).collect();
        (topic.name.as_deref().unwrap_or_default().to_owned(), topic.error_code, indexes)
    });
    let next = response.next_cursor.0.as_ref();
    (topics.collect(), next.map(|cursor| (cursor.topic_name.to_string(), cursor.partition_index)))
}

fn whole(name: &str, partitions: &[i32]) -> (String, ErrorCode, Vec<i32>) {
    (name.to_owned(), ErrorCode::NONE, partitions.to_vec())
}

fn refused(name: &str, code: ErrorCode) -> (String, ErrorCode, Vec<i32>) {
    (name.to_owned(), code, Vec::new())
}

#[tokio::test]
async fn topics_are_described_page_by_page() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    let a = broker.topic("a", 3, &[]).await;
    broker.topic("b", 2, &[]).await;
    let response = ask(&mut client, &["a"], 2_000, None).await;
    let topic = &response.topics[0];
    assert_eq!((topic.topic_id, topic.is_internal, topic.topic_authorized_operations), (Uuid(a.id.0), false, 3576));
    let partition = &topic.partitions[0];
    assert_eq!((partition.leader_id, partition.leader_epoch, &*partition.isr_nodes), (1, 0, &[1][..]));
    assert_eq!((&partition.eligible_leader_replicas, &partition.last_known_elr), (&Some(vec![]), &Some(vec![])));

    assert_eq!(
        describe(&mut client, &["b", "a"], 3, None).await,
        (vec![whole("a", &[0, 1, 2])], Some(("b".into(), 0)))
    );
    let rest = (vec![whole("a", &[1, 2]), whole("b", &[0, 1])], None);
    assert_eq!(describe(&mut client, &["b", "a"], 4, Some(("a", 1))).await, rest);
    assert_eq!(describe(&mut client, &["b", "a"], 9, Some(("b", 0))).await, (vec![whole("b", &[0, 1])], None));
    assert_eq!(
        describe(&mut client, &["a", "b"], 1, Some(("a", 2))).await,
        (vec![whole("a", &[2])], Some(("b".into(), 0)))
    );
    for limit in [1, 0, -1] {
        assert_eq!(describe(&mut client, &["a"], limit, None).await, (vec![whole("a", &[0])], Some(("a".into(), 1))));
    }
    assert_eq!(describe(&mut client, &["a", "a"], 3, None).await, (vec![whole("a", &[0, 1, 2])], None));
    assert_eq!(
        describe(&mut client, &[], 4, None).await,
        (vec![whole("a", &[0, 1, 2]), whole("b", &[0])], Some(("b".into(), 1)))
    );
    assert_eq!(describe(&mut client, &[], 4, Some(("aa", 7))).await, (vec![whole("b", &[0, 1])], None));
    assert_eq!(describe(&mut client, &["a"], 9, Some(("a", 9))).await, (vec![whole("a", &[])], None));
}

#[tokio::test]
async fn a_page_has_at_most_what_the_broker_allows() {
    let broker = TestBroker::start(&[("max.request.partition.size.limit", "2")]).await;
    let mut client = broker.connect().await;
    broker.topic("a", 3, &[]).await;
    let page = describe(&mut client, &["a"], i32::MAX, None).await;
    assert_eq!(page, (vec![whole("a", &[0, 1])], Some(("a".into(), 2))));
}

#[tokio::test]
async fn what_cannot_be_described_is_said_topic_by_topic() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    broker.topic("a", 1, &[]).await;
    let (topics, next) = describe(&mut client, &["nope", "a b", "a", ""], 9, None).await;
    let invalid = ErrorCode::INVALID_TOPIC_EXCEPTION;
    let expected = [refused("", invalid), whole("a", &[0]), refused("a b", invalid), refused("nope", UNKNOWN)];
    assert_eq!((topics, next), (expected.to_vec(), None));
    assert!(broker.engine.metadata().by_name("nope").is_none(), "nothing is created");
    for cursor in [("a", -1), ("zzz", 0), ("0", 0)] {
        let page = describe(&mut client, &["a"], 9, Some(cursor)).await;
        assert_eq!(page, (vec![refused("a", ErrorCode::INVALID_REQUEST)], None));
    }
}

async fn resources(client: &mut Client, types: &[i8], version: i16) -> (ErrorCode, Vec<(i8, String)>) {
    let response = client.call(&ListConfigResourcesRequest { resource_types: types.to_vec() }, version).await;
    let listed = response.config_resources.iter();
    (response.error_code, listed.map(|one| (one.resource_type, one.resource_name.to_string())).collect())
}

#[tokio::test]
async fn what_has_configs_is_listed() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    broker.topic("a", 1, &[]).await;
    let config = IncrementalAlterableConfig {
        name: "consumer.session.timeout.ms".into(),
        value: Some("50000".into()),
        ..Default::default()
    };
    let group = IncrementalAlterConfigsResource { resource_type: 32, resource_name: "g".into(), configs: vec![config] };
    client.call(&IncrementalAlterConfigsRequest { resources: vec![group], ..Default::default() }, 1).await;
    let (g, one, a) = ((32, "g".to_owned()), (4, "1".to_owned()), (2, "a".to_owned()));
    let loggers = (8, "1".to_owned());
    assert_eq!(
        resources(&mut client, &[], 1).await,
        (ErrorCode::NONE, vec![g.clone(), loggers.clone(), one.clone(), a.clone()])
    );
    assert_eq!(resources(&mut client, &[2, 32, 2], 1).await, (ErrorCode::NONE, vec![g, a]));
    assert_eq!(resources(&mut client, &[4], 1).await, (ErrorCode::NONE, vec![one]));
    assert_eq!(resources(&mut client, &[8], 1).await, (ErrorCode::NONE, vec![loggers]));
    assert_eq!(resources(&mut client, &[16], 1).await, (ErrorCode::NONE, vec![]));
    assert_eq!(resources(&mut client, &[], 0).await, (ErrorCode::NONE, vec![]), "version 0 means client metrics");
    for unknown in [0, 1, 99] {
        assert_eq!(resources(&mut client, &[2, unknown], 1).await, (ErrorCode::UNSUPPORTED_VERSION, vec![]));
    }
}

async fn log_dir(
    client: &mut Client,
    topics: Option<&[(&str, &[i32])]>,
    version: i16,
) -> DescribeLogDirsResult<'static> {
    let topics = topics.map(|topics| {
        let asked = topics.iter().map(|(topic, partitions)| DescribableLogDirTopic {
            topic: (*topic).to_owned().into(),
            partitions: partitions.to_vec(),
        });
        asked.collect()
    });
    let response = client.call(&DescribeLogDirsRequest { topics }, version).await;
    assert_eq!(response.error_code, ErrorCode::NONE);
    let [result] = &response.results[..] else { panic!("one folder") };
    result.clone()
}

fn sizes(result: &DescribeLogDirsResult<'_>) -> Vec<(String, Vec<(i32, i64)>)> {
    let topics = result.topics.iter().map(|topic| {
        let sizes = topic.partitions.iter().map(|one| (one.partition_index, one.partition_size)).collect();
        (topic.name.to_string(), sizes)
    });
    topics.collect()
}

#[tokio::test]
async fn sizes_are_those_of_the_batches() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    broker.topic("a", 2, &[]).await;
    broker.topic("b", 1, &[]).await;
    let records = batch(&["one", "two"]);
    client.produce("a", 1, &records).await;
    let size = records.len() as i64;
    let all = vec![("a".to_owned(), vec![(0, 0), (1, size)]), ("b".to_owned(), vec![(0, 0)])];
    for version in 1..=5 {
        let result = log_dir(&mut client, None, version).await;
        assert_eq!((result.error_code, &*result.log_dir, sizes(&result)), (ErrorCode::NONE, "memory", all.clone()));
        assert_eq!((result.total_bytes, result.usable_bytes, result.is_cordoned), (-1, -1, false));
    }
    let asked: &[(&str, &[i32])] = &[("a", &[1, 9]), ("nope", &[0]), ("a", &[1]), ("b", &[])];
    assert_eq!(sizes(&log_dir(&mut client, Some(asked), 5).await), [("a".to_owned(), vec![(1, size)])]);
    assert_eq!(sizes(&log_dir(&mut client, Some(&[]), 5).await), []);
}

async fn move_to(client: &mut Client, dirs: &[(&str, &str, &[i32])]) -> Vec<(String, Vec<(i32, ErrorCode)>)> {
    let dirs = dirs.iter().map(|(path, topic, partitions)| AlterReplicaLogDir {
        path: (*path).to_owned().into(),
        topics: vec![AlterReplicaLogDirTopic { name: (*topic).to_owned().into(), partitions: partitions.to_vec() }],
    });
    let response = client.call(&AlterReplicaLogDirsRequest { dirs: dirs.collect() }, 2).await;
    let results = response.results.iter().map(|topic| {
        let codes = topic.partitions.iter().map(|one| (one.partition_index, one.error_code)).collect();
        (topic.topic_name.to_string(), codes)
    });
    results.collect()
}

#[tokio::test]
async fn the_one_folder_is_told_with_its_volume_and_no_other_is_moved_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = LocalOptions::new(folder.path(), 1, Arc::new(|| 0));
    let engine: Arc<dyn Engine> = Arc::new(LocalEngine::open(options, Arc::new(SystemDisk)).expect("it opens"));
    let broker = TestBroker::over(engine, &[]).await;
    let mut client = broker.connect().await;
    broker.topic("a", 2, &[]).await;
    let told = log_dir(&mut client, None, 5).await;
    assert_eq!(&*told.log_dir, folder.path().to_str().expect("text"));
    assert!(told.usable_bytes > 0 && told.usable_bytes < told.total_bytes, "{told:?}");
    assert_eq!(log_dir(&mut client, None, 3).await.total_bytes, -1, "version 4 added it");

    let (here, none) = (&*told.log_dir, ErrorCode::NONE);
    let moved = move_to(&mut client, &[(here, "a", &[0, 9]), (here, "nope", &[0])]).await;
    assert_eq!(moved, [("a".to_owned(), vec![(0, none), (9, UNKNOWN)]), ("nope".to_owned(), vec![(0, UNKNOWN)])]);
    let missing = ErrorCode::LOG_DIR_NOT_FOUND;
    for path in ["/nowhere", "", "relative"] {
        assert_eq!(
            move_to(&mut client, &[(path, "a", &[0, 9])]).await,
            [("a".to_owned(), vec![(0, missing), (9, missing)])]
        );
    }
    let last = move_to(&mut client, &[("/nowhere", "a", &[0, 1]), (here, "a", &[0])]).await;
    assert_eq!(last, [("a".to_owned(), vec![(0, none), (1, missing)])]);
    assert_eq!(move_to(&mut client, &[(here, "a", &[])]).await, []);
}

type Elected = (ErrorCode, Vec<(String, Vec<(i32, ErrorCode)>)>);

async fn elect(client: &mut Client, election_type: i8, topics: Option<&[(&str, &[i32])]>, version: i16) -> Elected {
    let topic_partitions = topics.map(|topics| {
        let asked = topics.iter().map(|(topic, partitions)| ElectLeadersTopicPartitions {
            topic: (*topic).to_owned().into(),
            partitions: partitions.to_vec(),
        });
        asked.collect()
    });
    let request = ElectLeadersRequest { election_type, topic_partitions, timeout_ms: 5_000 };
    let response = client.call(&request, version).await;
    let results = response.replica_election_results.iter().map(|topic| {
        let codes = topic.partition_result.iter().map(|one| {
            assert!(one.error_message.as_deref().is_some_and(|reason| !reason.is_empty()));
            (one.partition_id, one.error_code)
        });
        (topic.topic.to_string(), codes.collect())
    });
    (response.error_code, results.collect())
}

#[tokio::test]
async fn no_election_is_needed() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    broker.topic("a", 2, &[]).await;
    let needless = ErrorCode::ELECTION_NOT_NEEDED;
    let a = |codes: &[(i32, ErrorCode)]| vec![("a".to_owned(), codes.to_vec())];
    for (version, election_type) in [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1)] {
        let elected = elect(&mut client, election_type, Some(&[("a", &[0, 9, 0])]), version).await;
        assert_eq!(elected, (ErrorCode::NONE, a(&[(0, needless), (9, UNKNOWN), (0, needless)])));
    }
    let unknown = vec![("nope".to_owned(), vec![(0, UNKNOWN)])];
    assert_eq!(elect(&mut client, 1, Some(&[("nope", &[0])]), 2).await, (ErrorCode::NONE, unknown));
    assert_eq!(elect(&mut client, 0, None, 2).await, (ErrorCode::NONE, a(&[])));
    assert_eq!(elect(&mut client, 0, Some(&[]), 2).await, (ErrorCode::NONE, vec![]));
    let invalid = ErrorCode::INVALID_REQUEST;
    assert_eq!(elect(&mut client, 7, Some(&[("a", &[0])]), 2).await, (invalid, a(&[(0, invalid)])));
    assert_eq!(elect(&mut client, -1, None, 2).await, (invalid, vec![]));
}

async fn reassign(
    client: &mut Client,
    topic: &str,
    partitions: &[(i32, Option<&[i32]>)],
    version: i16,
) -> Vec<ErrorCode> {
    let partitions = partitions.iter().map(|(partition_index, replicas)| ReassignablePartition {
        partition_index: *partition_index,
        replicas: replicas.map(<[i32]>::to_vec),
    });
    let topic = ReassignableTopic { name: topic.into(), partitions: partitions.collect() };
    let request = AlterPartitionReassignmentsRequest {
        allow_replication_factor_change: version == 0,
        topics: vec![topic],
        ..Default::default()
    };
    let response = client.call(&request, version).await;
    assert_eq!((response.error_code, response.allow_replication_factor_change), (ErrorCode::NONE, version == 0));
    response.responses[0].partitions.iter().map(|one| one.error_code).collect()
}

#[tokio::test]
async fn partitions_are_on_this_broker_and_stay_there() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    broker.topic("a", 2, &[]).await;
    let (none, invalid) = (ErrorCode::NONE, ErrorCode::INVALID_REPLICA_ASSIGNMENT);
    for version in 0..=1 {
        let wanted: &[(i32, Option<&[i32]>)] =
            &[(0, Some(&[1])), (1, None), (9, Some(&[1])), (9, None), (-1, Some(&[1]))];
        let codes = reassign(&mut client, "a", wanted, version).await;
        assert_eq!(codes, [none, ErrorCode::NO_REASSIGNMENT_IN_PROGRESS, UNKNOWN, UNKNOWN, UNKNOWN]);
        for replicas in [&[][..], &[5], &[1, 5], &[1, 1], &[-1]] {
            assert_eq!(reassign(&mut client, "a", &[(0, Some(replicas))], version).await, [invalid], "{replicas:?}");
        }
        assert_eq!(reassign(&mut client, "nope", &[(0, Some(&[1])), (1, None)], version).await, [UNKNOWN, UNKNOWN]);
    }
    let named = ListPartitionReassignmentsTopics { name: "nope".into(), partition_indexes: vec![0] };
    for topics in [None, Some(vec![named])] {
        let response = client.call(&ListPartitionReassignmentsRequest { topics, ..Default::default() }, 0).await;
        assert_eq!((response.error_code, response.topics), (ErrorCode::NONE, vec![]));
    }
}

fn quorum_of(topics: &[(&str, &[i32])]) -> DescribeQuorumRequest<'static> {
    let topics = topics.iter().map(|(topic, partitions)| DescribeQuorumRequestTopic {
        topic_name: (*topic).to_owned().into(),
        partitions: partitions
            .iter()
            .map(|&partition_index| DescribeQuorumRequestPartition { partition_index })
            .collect(),
    });
    DescribeQuorumRequest { topics: topics.collect() }
}

#[tokio::test]
async fn the_quorum_is_this_node() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for version in 0..=2 {
        let response = client.call(&quorum_of(&[("__cluster_metadata", &[0])]), version).await;
        let partition = &response.topics[0].partitions[0];
        assert_eq!(
            (response.error_code, partition.error_code, partition.leader_id),
            (ErrorCode::NONE, ErrorCode::NONE, 1)
        );
        assert_eq!((partition.current_voters.len(), partition.observers.len()), (1, 0));
        let voter = &partition.current_voters[0];
        let heard_ms = if version == 0 { -1 } else { WALL_MS };
        assert_eq!(
            (voter.replica_id, voter.last_fetch_timestamp, voter.last_caught_up_timestamp),
            (1, heard_ms, heard_ms)
        );
        if version == 2 {
            let [node] = &response.nodes[..] else { panic!("one node") };
            assert_eq!((node.node_id, i32::from(node.listeners[0].port)), (1, i32::from(broker.port())));
        }
    }
    let metadata = "__cluster_metadata";
    let others: [&[(&str, &[i32])]; 4] =
        [&[(metadata, &[1])], &[("a", &[0])], &[(metadata, &[0, 0])], &[(metadata, &[0]), ("a", &[0])]];
    for other in others {
        let response = client.call(&quorum_of(other), 2).await;
        let codes: Vec<_> =
            response.topics.iter().flat_map(|topic| &topic.partitions).map(|one| one.error_code).collect();
        assert!(!codes.is_empty() && codes.iter().all(|code| *code == UNKNOWN), "{other:?}: {codes:?}");
    }
    assert_eq!(client.call(&quorum_of(&[]), 2).await.topics, []);
}

async fn update(client: &mut Client, updates: &[(&str, i16, i8)], version: i16) -> (ErrorCode, String, usize) {
    let feature_updates = updates.iter().map(|(feature, max_version_level, upgrade_type)| FeatureUpdateKey {
        feature: (*feature).to_owned().into(),
        max_version_level: *max_version_level,
        upgrade_type: if version == 0 { 1 } else { *upgrade_type },
        allow_downgrade: version == 0 && *upgrade_type > 1,
    });
    let request = UpdateFeaturesRequest { feature_updates: feature_updates.collect(), ..Default::default() };
    let response = client.call(&request, version).await;
    (response.error_code, response.error_message.unwrap_or_default().into_owned(), response.results.len())
}

#[tokio::test]
async fn the_levels_of_features_stay_what_they_are() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    for version in 0..=2 {
        let results = usize::from(version < 2);
        for kind in 1..=3 {
            assert_eq!(
                update(&mut client, &[("group.version", 1, kind)], version).await,
                (ErrorCode::NONE, String::new(), results)
            );
        }
        for (feature, level) in
            [("group.version", 2), ("group.version", 0), ("group.version", -1), ("nope", 1), ("", 0)]
        {
            let wanted = [("group.version", 1, 1), (feature, level, 2)];
            let (code, reason, results) = update(&mut client, &wanted, version).await;
            assert_eq!((code, results), (ErrorCode::INVALID_UPDATE_VERSION, 0), "{feature} {level}");
            assert!(reason.contains(feature), "{reason}");
        }
    }
    let (code, reason, _) = update(&mut client, &[("group.version", 1, 7)], 1).await;
    assert_eq!(code, ErrorCode::INVALID_UPDATE_VERSION, "{reason}");
    assert_eq!(update(&mut client, &[], 2).await, (ErrorCode::NONE, String::new(), 0));
    let told = ApiVersionsRequest { client_software_name: "test".into(), client_software_version: "1".into() };
    let told = client.call(&told, 4).await;
    let levels: Vec<_> = told.finalized_features.iter().map(|one| (&*one.name, one.max_version_level)).collect();
    assert_eq!(levels, [("group.version", 1), ("transaction.version", 2)]);
}
