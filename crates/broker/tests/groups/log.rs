//! What is in `__consumer_offsets`: where, in which bytes, and what a coordinator makes of it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::*;
use ottla_protocol::records;
use ottla_storage::local::disk::SystemDisk;
use ottla_storage::local::{LocalEngine, LocalOptions};
use ottla_storage::memory::{MemoryEngine, MemoryOptions};
use ottla_storage::{Engine, Isolation, LogConfig, NewTopic, PartitionId, Read, TopicId};

use crate::asking::*;
use crate::client::{Client, TestBroker, WALL_MS, fetch_partition, fetch_request};
use crate::twin::{OFFSETS_TOPIC, Plan, Twin};

const LISTENER: (&str, &str) = ("listeners", "PLAINTEXT://127.0.0.1:0");

/// A broker over an engine that there may have been others over before.
pub(crate) async fn broker_over(engine: &Arc<Twin>) -> TestBroker {
    TestBroker::over(engine.clone(), &[LISTENER]).await
}

/// Keys and values of one partition of the log, fetched as any consumer would.
async fn log_of(client: &mut Client, partition: i32) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let request = fetch_request(OFFSETS_TOPIC, vec![fetch_partition(partition, 0)], 0);
    let response = client.call(&request, 11).await;
    let mut found = Vec::new();
    for part in response.responses.iter().flat_map(|topic| &topic.partitions) {
        assert_eq!(part.error_code, ErrorCode::NONE);
        let bytes: Vec<u8> = part.records.iter().flat_map(|chunks| chunks.concat()).collect();
        for batch in records::batches(&bytes) {
            let batch = batch.expect("whole batches").bytes;
            records::validate(batch).expect("a valid batch");
            let opened = records::open(batch, 1 << 20).expect("a readable batch");
            for record in opened.records() {
                let record = record.expect("a readable record");
                found.push((record.key.expect("a key").to_vec(), record.value.map(<[u8]>::to_vec)));
            }
        }
    }
    found
}

/// Observed on Apache Kafka 4.3.1 with its 50 partitions. Two of the hashes are negative, one has no absolute value.
#[tokio::test]
async fn groups_lie_where_kafka_puts_them() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let placed = [("test-group", 12), ("größe-😀", 21), ("hash-a", 4), ("hash-b", 3), ("polygenelubricants", 0)];
    for (group, _) in placed {
        assert_eq!(commit(&mut client, group, &topic, 0, 5).await, ErrorCode::NONE);
    }
    let offsets = broker.engine.metadata().by_name(OFFSETS_TOPIC).expect("there are commits").clone();
    assert_eq!(offsets.partitions, 50);
    for index in 0..50 {
        let end = broker.engine.bounds(PartitionId { topic: offsets.id, index }).expect("it exists").high_watermark;
        assert_eq!(end, i64::from(placed.iter().any(|&(_, partition)| partition == index)), "partition {index}");
    }
    for (group, partition) in placed {
        let (key, _) = &log_of(&mut client, partition).await[0];
        assert!(key.windows(group.len()).any(|window| window == group.as_bytes()), "{group} in {partition}");
    }
}

fn put_string(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u16).to_be_bytes());
    bytes.extend(text.as_bytes());
}

fn offset_key(group: &str, topic: &str, partition: i32) -> Vec<u8> {
    let mut key = vec![0, 1];
    put_string(&mut key, group);
    put_string(&mut key, topic);
    key.extend(partition.to_be_bytes());
    key
}

/// The bytes that the reference broker writes for the same commits; only times and ids differ.
#[tokio::test]
async fn commits_are_written_as_kafka_writes_them() {
    let broker = TestBroker::start(&[("offsets.topic.num.partitions", "1")]).await;
    let topic = broker.topic("t1", 1, &[]).await;
    let mut client = broker.connect().await;
    let mut request = commit_request("simple", &topic, 0, 7);
    request.topics[0].partitions[0].committed_metadata = Some("meta".into());
    assert_eq!(codes(&client.call(&request, 8).await), [ErrorCode::NONE]);
    request.retention_time_ms = 60_000;
    assert_eq!(codes(&client.call(&request, 2).await), [ErrorCode::NONE]);
    let delete = DeleteGroupsRequest { groups_names: vec!["simple".into()] };
    assert_eq!(client.call(&delete, 2).await.results[0].error_code, ErrorCode::NONE);

    // Version 4: offset, leader epoch, metadata, time, and one tagged field: the topic's id.
    let mut lasting = vec![0, 4, 0, 0, 0, 0, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff, 5];
    lasting.extend(b"meta");
    lasting.extend(WALL_MS.to_be_bytes());
    lasting.extend([1, 0, 16]);
    lasting.extend(topic.id.0);
    // Version 1: the only one with an expiry.
    let mut expiring = vec![0, 1, 0, 0, 0, 0, 0, 0, 0, 7];
    put_string(&mut expiring, "meta");
    expiring.extend(WALL_MS.to_be_bytes());
    expiring.extend((WALL_MS + 60_000).to_be_bytes());
    let key = offset_key("simple", "t1", 0);
    let mut group_key = vec![0, 2];
    put_string(&mut group_key, "simple");
    let expected = [(key.clone(), Some(lasting)), (key.clone(), Some(expiring)), (key, None), (group_key, None)];
    assert_eq!(log_of(&mut client, 0).await, expected);
}

#[tokio::test]
async fn a_generation_is_written_as_kafka_writes_it() {
    let broker = TestBroker::start(&[("offsets.topic.num.partitions", "1")]).await;
    let mut client = broker.connect().await;
    let joined = join_alone(&mut client, "g", 9).await;
    let mut value = vec![0, 3];
    put_string(&mut value, "consumer");
    value.extend(1i32.to_be_bytes());
    put_string(&mut value, "range");
    put_string(&mut value, &joined.leader);
    value.extend(WALL_MS.to_be_bytes());
    value.extend(1i32.to_be_bytes());
    put_string(&mut value, &joined.member_id);
    value.extend([0xff, 0xff]);
    put_string(&mut value, "test-client");
    put_string(&mut value, "/127.0.0.1");
    value.extend(60_000i32.to_be_bytes());
    value.extend(10_000i32.to_be_bytes());
    for bytes in [subscription("t"), b"all".to_vec()] {
        value.extend((bytes.len() as i32).to_be_bytes());
        value.extend(bytes);
    }
    let mut key = vec![0, 2];
    put_string(&mut key, "g");
    assert_eq!(log_of(&mut client, 0).await.last(), Some(&(key, Some(value))));
}

/// A member, its assignment, its commit and a group of commits alone; told by the next broker as by this one.
async fn state_survives(engine: Arc<dyn Engine>, reopen: impl FnOnce(Arc<dyn Engine>) -> Arc<dyn Engine>) {
    let broker = TestBroker::over(engine, &[LISTENER]).await;
    let topic = broker.topic("t", 2, &[]).await;
    let mut client = broker.connect().await;
    let joined = join_alone(&mut client, "used", 9).await;
    let mut request = commit_request("used", &topic, 1, 41);
    request.generation_id_or_member_epoch = 1;
    request.member_id = joined.member_id.clone();
    for offset in 41..60 {
        request.topics[0].partitions[0].committed_offset = offset;
        assert_eq!(codes(&client.call(&request, 9).await), [ErrorCode::NONE]);
    }
    assert_eq!(commit(&mut client, "outside", &topic, 0, 7).await, ErrorCode::NONE);
    let before = describe(&mut client, "used").await;
    let TestBroker { running, engine, .. } = broker;
    assert_eq!(running.group_count(), 2);
    running.shutdown().await.expect("it stops in order");

    let broker = TestBroker::over(reopen(engine), &[LISTENER]).await;
    assert_eq!(broker.running.group_count(), 2, "loaded before it is ready");
    let mut client = broker.connect().await;
    assert_eq!(heartbeat(&mut client, "used", &joined, 4).await, ErrorCode::NONE);
    assert_eq!(describe(&mut client, "used").await, before);
    assert_eq!(committed(&mut client, "used").await, Ok(vec![("t".to_owned(), 1, 59)]));
    assert_eq!(committed(&mut client, "outside").await, Ok(vec![("t".to_owned(), 0, 7)]));
    let synced = sync(&mut client, "used", &joined, &[], 5).await;
    assert_eq!((synced.error_code, synced.assignment.as_ref()), (ErrorCode::NONE, &b"all"[..]));
    assert_eq!(codes(&client.call(&request, 9).await), [ErrorCode::NONE]);
    let again = client.call(&join_request("used", &joined.member_id), 9).await;
    assert_eq!((again.error_code, again.generation_id), (ErrorCode::NONE, 2), "no generation is used twice");
}

#[tokio::test]
async fn groups_survive_the_broker() {
    state_survives(Arc::new(Twin::default()), |engine| engine).await;
}

#[tokio::test]
async fn groups_survive_the_broker_on_disk() {
    static STARTS: AtomicU64 = AtomicU64::new(1);
    let folder = tempfile::tempdir().expect("a folder");
    let open = || -> Arc<dyn Engine> {
        let random = STARTS.fetch_add(1, Ordering::Relaxed);
        let mut options = LocalOptions::new(folder.path(), random, Arc::new(|| 0));
        options.wal_segment_bytes = 1 << 20;
        Arc::new(LocalEngine::open(options, Arc::new(SystemDisk)).expect("it opens"))
    };
    let first = open();
    state_survives(first, |closed| {
        drop(closed);
        open()
    })
    .await;
}

/// How many records the log of all groups has.
fn count_of_records(engine: &dyn Engine) -> usize {
    let topic = engine.metadata().by_name(OFFSETS_TOPIC).expect("there are groups").clone();
    let mut count = 0;
    for index in 0..topic.partitions {
        let partition = PartitionId { topic: topic.id, index };
        let end = engine.bounds(partition).expect("it exists").high_watermark;
        let mut offset = 0;
        while offset < end {
            let isolation = Isolation::ReadUncommitted;
            let read = Read {
                partition,
                offset,
                max_bytes: 1 << 20,
                at_least_one_batch: true,
                isolation,
                may_name_file: false,
            };
            let outcome = engine.read(read).wait().expect("it can be read");
            for batch in outcome.batches.iter().flat_map(|bytes| records::batches(bytes)) {
                let header = batch.expect("a batch").header;
                count += header.record_count as usize;
                offset = header.next_offset();
            }
        }
    }
    count
}

/// Compacts, and sees that most records are gone.
fn compact(engine: &Arc<dyn Engine>) {
    let engine = engine.clone();
    let compacting = std::thread::spawn(move || {
        let before = count_of_records(&*engine);
        engine.maintain(usize::MAX).wait().expect("it can be maintained");
        let after = count_of_records(&*engine);
        assert!(after < before / 2, "{after} of {before} records are left");
    });
    compacting.join().expect("it compacts");
}

/// Each batch in a segment of its own, and all worth cleaning.
fn compacts_everything() -> Arc<LogConfig> {
    let config = LogConfig { segment_bytes: 1, compact: true, min_cleanable_dirty_ratio: 0.0, ..LogConfig::default() };
    Arc::new(config)
}

#[tokio::test]
async fn groups_survive_compaction() {
    let options = MemoryOptions { log_configs: compacts_everything(), ..MemoryOptions::default() };
    state_survives(Arc::new(Twin::over(MemoryEngine::with(options))), |engine| {
        compact(&engine);
        engine
    })
    .await;
}

#[tokio::test]
async fn groups_survive_compaction_on_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |random| -> Arc<dyn Engine> {
        let mut options = LocalOptions::new(folder.path(), random, Arc::new(|| 0));
        options.wal_segment_bytes = 1 << 20;
        options.log_configs = compacts_everything();
        Arc::new(LocalEngine::open(options, Arc::new(SystemDisk)).expect("it opens"))
    };
    let first = open(1);
    state_survives(first, |closed| {
        drop(closed);
        let engine = open(2);
        compact(&engine);
        engine
    })
    .await;
}

/// One partition for all groups: who waits in another group is concerned too, and can go on.
async fn append_fails(plan: Plan, found_afterwards: &[(String, i32, i64)]) {
    let engine = Arc::new(Twin::default());
    let one = ("offsets.topic.num.partitions", "1");
    let broker = TestBroker::over(engine.clone(), &[LISTENER, one]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let (mut first, mut second, mut third) = (broker.connect().await, broker.connect().await, broker.connect().await);
    let alone = join_alone(&mut first, "g", 9).await;
    let id = member_id(&mut second, "g", 9).await;
    let parked = second.send(&join_request("g", &id), 9).await;
    until(&mut first, "g", "PreparingRebalance", 2).await;

    engine.plan(plan);
    assert_eq!(commit(&mut third, "outside", &topic, 0, 5).await, ErrorCode::NOT_COORDINATOR);
    let refused: JoinGroupResponse<'static> = second.receive(parked, 9).await;
    assert_eq!(refused.error_code, ErrorCode::NOT_COORDINATOR);
    assert_eq!(committed(&mut third, "outside").await, Ok(found_afterwards.to_vec()));

    assert_eq!(commit(&mut third, "outside", &topic, 0, 6).await, ErrorCode::NONE);
    assert_eq!(committed(&mut third, "outside").await, Ok(vec![("t".to_owned(), 0, 6)]));
    assert_eq!(heartbeat(&mut first, "g", &alone, 4).await, ErrorCode::NONE, "it is still in its generation");
    let parked = second.send(&join_request("g", ""), 3).await;
    until(&mut first, "g", "PreparingRebalance", 2).await;
    let leader = first.call(&join_request("g", &alone.member_id), 9).await;
    let follower: JoinGroupResponse<'static> = second.receive(parked, 3).await;
    assert_eq!((leader.generation_id, follower.generation_id), (2, 2));
}

#[tokio::test]
async fn an_append_that_is_not_written_acknowledges_nothing() {
    append_fails(Plan::FailOnce, &[]).await;
}

#[tokio::test]
async fn an_append_with_an_unknown_end_acknowledges_nothing_and_is_found_out() {
    append_fails(Plan::WriteButFailOnce, &[("t".to_owned(), 0, 5)]).await;
}

/// A generation that could not be written was never told to anybody.
#[tokio::test]
async fn a_join_whose_generation_is_not_written_is_not_answered_with_it() {
    let engine = Arc::new(Twin::default());
    let broker = broker_over(&engine).await;
    let mut client = broker.connect().await;
    let id = member_id(&mut client, "g", 9).await;
    engine.plan(Plan::FailOnce);
    let refused = client.call(&join_request("g", &id), 9).await;
    assert_eq!((refused.error_code, refused.generation_id), (ErrorCode::NOT_COORDINATOR, -1));
    assert_eq!(describe(&mut client, "g").await.group_state, "Dead");
    assert_eq!(join_alone(&mut client, "g", 9).await.generation_id, 1);
}

/// An answer that tells of a commit waits for it: it must not tell of what may still be lost.
#[tokio::test]
async fn nobody_sees_a_commit_before_it_is_durable() {
    let engine = Arc::new(Twin::default());
    let broker = broker_over(&engine).await;
    let topic = broker.topic("t", 1, &[]).await;
    let (mut client, mut other) = (broker.connect().await, broker.connect().await);
    assert_eq!(commit(&mut client, "g", &topic, 0, 1).await, ErrorCode::NONE);
    engine.plan(Plan::Hold);
    let mut sent = Vec::new();
    for asker in [&mut client, &mut other] {
        let first = asker.send(&commit_request("g", &topic, 0, 2), 8).await;
        let question = asker.send(&fetch_all_request("g"), 7).await;
        let list = asker.send(&ListGroupsRequest::default(), 5).await;
        // When this one has come to the engine, the questions before it have come to the coordinator.
        let last = asker.send(&commit_request("g", &topic, 0, 3), 8).await;
        sent.push([first, question, list, last]);
    }
    engine.holds(4).await;
    engine.refuse();
    for (asker, [first, question, list, last]) in [&mut client, &mut other].into_iter().zip(sent) {
        let answer: OffsetCommitResponse<'static> = asker.receive(first, 8).await;
        assert_eq!(codes(&answer), [ErrorCode::NOT_COORDINATOR]);
        let answer: OffsetFetchResponse<'static> = asker.receive(question, 7).await;
        assert_eq!(offsets(&answer), Err(ErrorCode::NOT_COORDINATOR));
        let answer: ListGroupsResponse<'static> = asker.receive(list, 5).await;
        assert_eq!(answer.error_code, ErrorCode::COORDINATOR_NOT_AVAILABLE, "clients ask for the list again");
        let answer: OffsetCommitResponse<'static> = asker.receive(last, 8).await;
        assert_eq!(codes(&answer), [ErrorCode::NOT_COORDINATOR]);
    }
    assert_eq!(committed(&mut client, "g").await, Ok(vec![("t".to_owned(), 0, 1)]));
}

#[tokio::test]
async fn appends_under_way_are_acknowledged_in_order() {
    let engine = Arc::new(Twin::default());
    let broker = broker_over(&engine).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    assert_eq!(commit(&mut client, "g", &topic, 0, 1).await, ErrorCode::NONE);
    engine.plan(Plan::Hold);
    let mut sent = Vec::new();
    for offset in 2..12 {
        sent.push(client.send(&commit_request("g", &topic, 0, offset), 8).await);
    }
    engine.holds(10).await;
    let question = client.send(&fetch_all_request("g"), 7).await;
    engine.release();
    for id in sent {
        let answer: OffsetCommitResponse<'static> = client.receive(id, 8).await;
        assert_eq!(codes(&answer), [ErrorCode::NONE]);
    }
    let answer: OffsetFetchResponse<'static> = client.receive(question, 7).await;
    assert_eq!(offsets(&answer), Ok(vec![("t".to_owned(), 0, 11)]));
}

/// The next coordinator reads the log only when nothing of the one before can come any more.
#[tokio::test]
async fn what_is_under_way_after_a_failure_is_waited_for() {
    let engine = Arc::new(Twin::default());
    let broker = broker_over(&engine).await;
    let topic = broker.topic("t", 1, &[]).await;
    let (mut client, mut other) = (broker.connect().await, broker.connect().await);
    assert_eq!(commit(&mut client, "g", &topic, 0, 1).await, ErrorCode::NONE);
    engine.plan(Plan::Hold);
    let sent = [
        client.send(&commit_request("g", &topic, 0, 2), 8).await,
        client.send(&commit_request("g", &topic, 0, 3), 8).await,
    ];
    engine.holds(2).await;
    engine.lose_one();
    for id in sent {
        let answer: OffsetCommitResponse<'static> = client.receive(id, 8).await;
        assert_eq!(codes(&answer), [ErrorCode::NOT_COORDINATOR]);
    }
    let question = client.send(&fetch_all_request("g"), 7).await;
    // Two round trips, in which a coordinator that does not wait would have read the log.
    for _ in 0..2 {
        assert_eq!(other.call(&FindCoordinatorRequest::default(), 3).await.error_code, ErrorCode::NONE);
    }
    engine.release();
    let answer: OffsetFetchResponse<'static> = client.receive(question, 7).await;
    assert_eq!(offsets(&answer), Ok(vec![("t".to_owned(), 0, 3)]));
}

/// A topic was durably deleted, and the process ended before the commits were: the next one sees to it.
#[tokio::test]
async fn commits_of_a_topic_that_went_unnoticed_are_deleted() {
    let engine = Arc::new(Twin::default());
    let broker = broker_over(&engine).await;
    let mut client = broker.connect().await;
    for name in ["gone", "again", "kept"] {
        let topic = broker.topic(name, 1, &[]).await;
        assert_eq!(commit(&mut client, "g", &topic, 0, 5).await, ErrorCode::NONE);
    }
    broker.running.shutdown().await.expect("it stops in order");
    for name in ["gone", "again"] {
        let id = engine.metadata().by_name(name).expect("it is there").id;
        engine.delete_topic(id).wait().expect("it can be deleted");
    }
    let again = NewTopic { name: "again".into(), id: TopicId([7; 16]), partitions: 1, configs: Default::default() };
    engine.create_topic(again).wait().expect("it can be made anew");
    for _ in 0..2 {
        let broker = broker_over(&engine).await;
        let mut client = broker.connect().await;
        assert_eq!(committed(&mut client, "g").await, Ok(vec![("kept".to_owned(), 0, 5)]));
        broker.running.shutdown().await.expect("it stops in order");
    }
}
