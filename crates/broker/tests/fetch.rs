//! Fetch over real sockets: waiting, sessions, turns, and what a closed connection leaves behind.

mod client;

use client::{Client, TestBroker, batch, fetch_partition, fetch_request, values};
use ottla_protocol::messages::{
    DeleteTopicsRequest, FetchPartition, FetchRequest, FetchResponse, FetchTopic, ForgottenTopic,
};
use ottla_protocol::{ErrorCode, Uuid};
use ottla_storage::{NewTopic, PartitionId, Topic, TopicId};

/// Version 13: topics by id.
const BY_ID: i16 = 13;
const FOREVER_MS: i32 = 600_000;

fn by_id<'a>(topic: &Topic, partitions: &[(i32, i64)]) -> FetchTopic<'a> {
    FetchTopic {
        topic_id: Uuid(topic.id.0),
        partitions: partitions.iter().map(|&(partition, offset)| fetch_partition(partition, offset)).collect(),
        ..Default::default()
    }
}

fn in_session<'a>(session_id: i32, session_epoch: i32, topics: Vec<FetchTopic<'a>>) -> FetchRequest<'a> {
    FetchRequest { session_id, session_epoch, topics, min_bytes: 1, max_bytes: 50 << 20, ..Default::default() }
}

async fn open_session(client: &mut Client, topic: &Topic, partitions: &[(i32, i64)]) -> FetchResponse<'static> {
    let response = client.call(&in_session(0, 0, vec![by_id(topic, partitions)]), BY_ID).await;
    assert_eq!(response.error_code, ErrorCode::NONE);
    response
}

#[tokio::test]
async fn waits_for_records_and_for_enough_of_them() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 2, &[]).await;
    let (mut consumer, mut producer) = (broker.connect().await, broker.connect().await);
    let one_batch = batch(&["a"]).len() as i32;
    let mut request = fetch_request("t", vec![fetch_partition(0, 0), fetch_partition(1, 0)], FOREVER_MS);
    request.min_bytes = 3 * one_batch;
    let id = consumer.send(&request, 11).await;
    for partition in [1, 0, 1] {
        producer.produce("t", partition, &batch(&["a"])).await;
    }
    let response: FetchResponse<'_> = consumer.receive(id, 11).await;
    let found: Vec<_> = values(&response).into_iter().map(|(partition, offset, _)| (partition, offset)).collect();
    assert_eq!(found, [(0, 0), (1, 0), (1, 1)]);
}

#[tokio::test]
async fn answers_empty_when_the_time_is_up() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let response = client.call(&fetch_request("t", vec![fetch_partition(0, 0)], 20), 11).await;
    let partition = &response.responses[0].partitions[0];
    assert_eq!((partition.error_code, partition.high_watermark, partition.log_start_offset), (ErrorCode::NONE, 0, 0));
    assert!(values(&response).is_empty());
}

#[tokio::test]
async fn errors_are_answered_at_once() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    client.produce("t", 0, &batch(&["a"])).await;
    for (offset, wanted) in [(-1, ErrorCode::OFFSET_OUT_OF_RANGE), (2, ErrorCode::OFFSET_OUT_OF_RANGE)] {
        let response = client.call(&fetch_request("t", vec![fetch_partition(0, offset)], FOREVER_MS), 11).await;
        let partition = &response.responses[0].partitions[0];
        assert_eq!((partition.error_code, partition.high_watermark), (wanted, -1));
    }
    let response = client.call(&fetch_request("t", vec![fetch_partition(1, 0)], FOREVER_MS), 11).await;
    assert_eq!(response.responses[0].partitions[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let mut partition = fetch_partition(0, 0);
    partition.current_leader_epoch = 1;
    let response = client.call(&fetch_request("t", vec![partition], FOREVER_MS), 11).await;
    assert_eq!(response.responses[0].partitions[0].error_code, ErrorCode::UNKNOWN_LEADER_EPOCH);
    let mut gone = by_id(&topic, &[(0, 0)]);
    gone.topic_id = Uuid([9; 16]);
    let request = FetchRequest { max_wait_ms: FOREVER_MS, ..in_session(0, -1, vec![gone]) };
    let response = client.call(&request, BY_ID).await;
    assert_eq!(response.responses[0].partitions[0].error_code, ErrorCode::UNKNOWN_TOPIC_ID);
}

#[tokio::test]
async fn the_first_batch_is_sent_above_all_limits_and_the_rest_keeps_them() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 3, &[]).await;
    let mut client = broker.connect().await;
    for partition in 0..3 {
        client.produce("t", partition, &batch(&["a"])).await;
        client.produce("t", partition, &batch(&["b"])).await;
    }
    let mut request = fetch_request("t", (0..3).map(|index| fetch_partition(index, 0)).collect(), 0);
    request.max_bytes = 1;
    let response = client.call(&request, 11).await;
    assert_eq!(values(&response), [(0, 0, "a".to_owned())]);
    assert_eq!(response.responses[0].partitions.len(), 3, "a fetch without a session names every partition");
    request.max_bytes = 50 << 20;
    request.topics[0].partitions[1].partition_max_bytes = 1;
    let found: Vec<_> =
        values(&client.call(&request, 11).await).into_iter().map(|(p, offset, _)| (p, offset)).collect();
    assert_eq!(found, [(0, 0), (0, 1), (2, 0), (2, 1)], "the second partition has no room, and is not the first");
}

#[tokio::test]
async fn a_session_answers_only_what_is_new() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 3, &[]).await;
    let mut client = broker.connect().await;
    let opened = open_session(&mut client, &topic, &[(0, 0), (1, 0), (2, 0)]).await;
    assert_ne!(opened.session_id, 0);
    assert_eq!(opened.responses[0].partitions.len(), 3);
    let nothing = client.call(&in_session(opened.session_id, 1, vec![]), BY_ID).await;
    assert!(nothing.responses.is_empty());
    client.produce("t", 1, &batch(&["a"])).await;
    let news = client.call(&in_session(opened.session_id, 2, vec![]), BY_ID).await;
    assert_eq!(values(&news), [(1, 0, "a".to_owned())]);
    assert_eq!(news.responses[0].partitions.len(), 1);
    let again = client.call(&in_session(opened.session_id, 3, vec![]), BY_ID).await;
    assert_eq!(values(&again), [(1, 0, "a".to_owned())], "the client did not go on, so it gets the same again");
    let went_on = client.call(&in_session(opened.session_id, 4, vec![by_id(&topic, &[(1, 1)])]), BY_ID).await;
    assert!(went_on.responses.is_empty());
    let partition = PartitionId { topic: topic.id, index: 1 };
    broker.engine.delete_records(partition, 1).await.expect("are deleted");
    let moved = client.call(&in_session(opened.session_id, 5, vec![]), BY_ID).await;
    let told = &moved.responses[0].partitions[0];
    assert_eq!(
        (told.partition_index, told.log_start_offset, told.high_watermark),
        (1, 1, 1),
        "a new log start is news"
    );
    assert!(client.call(&in_session(opened.session_id, 6, vec![]), BY_ID).await.responses.is_empty());
}

#[tokio::test]
async fn a_parked_session_is_woken_by_an_append() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 2, &[]).await;
    let (mut consumer, mut producer) = (broker.connect().await, broker.connect().await);
    let opened = open_session(&mut consumer, &topic, &[(0, 0), (1, 0)]).await;
    let request = FetchRequest { max_wait_ms: FOREVER_MS, ..in_session(opened.session_id, 1, vec![]) };
    let id = consumer.send(&request, BY_ID).await;
    producer.produce("t", 1, &batch(&["a"])).await;
    let response: FetchResponse<'_> = consumer.receive(id, BY_ID).await;
    assert_eq!(values(&response), [(1, 0, "a".to_owned())]);
}

#[tokio::test]
async fn an_unchanged_session_of_1000_partitions_is_answered_in_under_100_bytes() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 1000, &[]).await;
    let mut client = broker.connect().await;
    let all: Vec<_> = (0..1000).map(|index| (index, 0)).collect();
    let opened = open_session(&mut client, &topic, &all).await;
    assert_eq!(opened.responses[0].partitions.len(), 1000);
    client.send(&in_session(opened.session_id, 1, vec![]), 17).await;
    let frame = client.receive_frame().await;
    assert!(frame.len() + 4 < 100, "{} bytes", frame.len() + 4);
    client.produce("t", 999, &batch(&["a"])).await;
    let news = client.call(&in_session(opened.session_id, 2, vec![]), 17).await;
    assert_eq!(values(&news), [(999, 0, "a".to_owned())]);
}

#[tokio::test]
async fn session_mistakes_have_their_own_errors() {
    let broker = TestBroker::start(&[("max.incremental.fetch.session.cache.slots", "1")]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let opened = open_session(&mut client, &topic, &[(0, 0)]).await;
    let id = opened.session_id;
    assert_eq!(open_session(&mut client, &topic, &[(0, 0)]).await.session_id, 0, "the cache is full");
    let unknown = client.call(&in_session(id ^ 1, 1, vec![]), BY_ID).await;
    assert_eq!((unknown.error_code, unknown.session_id), (ErrorCode::FETCH_SESSION_ID_NOT_FOUND, 0));
    let skipped = client.call(&in_session(id, 2, vec![]), BY_ID).await;
    assert_eq!(skipped.error_code, ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    let by_name = client.call(&in_session(id, 1, vec![]), 12).await;
    assert_eq!(by_name.error_code, ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR);
    let forget = ForgottenTopic { topic_id: Uuid(topic.id.0), partitions: vec![0], ..Default::default() };
    let request = FetchRequest { forgotten_topics_data: vec![forget], ..in_session(id, 1, vec![]) };
    assert_eq!(client.call(&request, BY_ID).await.session_id, 0, "a session without partitions ends");
    assert_ne!(open_session(&mut client, &topic, &[(0, 0)]).await.session_id, 0);
}

#[tokio::test]
async fn partitions_of_a_session_take_turns() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 3, &[]).await;
    let mut client = broker.connect().await;
    for partition in 0..3 {
        for _ in 0..3 {
            client.produce("t", partition, &batch(&["a"])).await;
        }
    }
    let mut offsets = [0i64; 3];
    let (mut session_id, mut turns) = (0, Vec::new());
    let mut topics = vec![by_id(&topic, &[(0, 0), (1, 0), (2, 0)])];
    for epoch in 0..9 {
        let request = FetchRequest { max_bytes: 1, ..in_session(session_id, epoch, std::mem::take(&mut topics)) };
        let response = client.call(&request, BY_ID).await;
        session_id = response.session_id;
        for (partition, offset, _) in values(&response) {
            assert_eq!(offset, offsets[partition as usize]);
            offsets[partition as usize] += 1;
            turns.push(partition);
            topics.push(by_id(&topic, &[(partition, offset + 1)]));
        }
    }
    assert_eq!(turns, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
}

#[tokio::test]
async fn a_closed_connection_takes_its_parked_fetch_along() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    client.send(&fetch_request("t", vec![fetch_partition(0, 0)], FOREVER_MS), 11).await;
    while broker.running.broker().parked_fetch_partitions() == 0 {
        tokio::task::yield_now().await;
    }
    drop(client);
    // Ends only if the broker notices the end of the connection by itself.
    while broker.running.broker().parked_fetch_partitions() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_session_learns_that_its_topic_is_gone_and_that_it_came_back() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let (mut consumer, mut admin) = (broker.connect().await, broker.connect().await);
    let by_name = 12;
    let opened = consumer.call(&in_named_session(0, 0, vec![fetch_partition(0, 0)], 0), by_name).await;
    let session_id = opened.session_id;
    let parked = consumer.send(&in_named_session(session_id, 1, vec![], FOREVER_MS), by_name).await;
    let delete = DeleteTopicsRequest { topic_names: vec!["t".into()], timeout_ms: 1_000, ..Default::default() };
    assert_eq!(admin.call(&delete, 5).await.responses[0].error_code, ErrorCode::NONE);
    let gone: FetchResponse<'_> = consumer.receive(parked, by_name).await;
    assert_eq!(gone.responses[0].partitions[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let id = TopicId([0x77; 16]);
    let anew = NewTopic { name: "t".to_owned(), id, partitions: 1, configs: Default::default() };
    broker.engine.create_topic(anew).await.expect("the name is free");
    let back = consumer.call(&in_named_session(session_id, 2, vec![], 0), by_name).await;
    assert_eq!(back.responses[0].partitions[0].error_code, ErrorCode::NONE);
    let parked = consumer.send(&in_named_session(session_id, 3, vec![], FOREVER_MS), by_name).await;
    admin.produce("t", 0, &batch(&["a"])).await;
    let news: FetchResponse<'_> = consumer.receive(parked, by_name).await;
    assert_eq!(values(&news), [(0, 0, "a".to_owned())]);
}

fn in_named_session<'a>(
    session_id: i32,
    session_epoch: i32,
    partitions: Vec<FetchPartition>,
    max_wait_ms: i32,
) -> FetchRequest<'a> {
    let mut request = fetch_request("t", partitions, max_wait_ms);
    request.topics.retain(|topic| !topic.partitions.is_empty());
    FetchRequest { session_id, session_epoch, ..request }
}
