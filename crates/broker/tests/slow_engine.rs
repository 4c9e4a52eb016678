//! Topics over an engine that takes its time: who waits for whom, what a timeout leaves, and who hears of a deletion.

mod client;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use client::{TestBroker, fetch_partition, fetch_request};
use ottla_protocol::messages::{
    CreatableTopic, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, FetchResponse, MetadataRequest,
    MetadataRequestTopic, MetadataResponse,
};
use ottla_protocol::{ErrorCode, Uuid};
use ottla_storage::conformance::Twin;
use ottla_storage::memory::MemoryEngine;
use ottla_storage::{Engine, Metadata, MetadataError, NewTopic, Pending, Topic, TopicId};
use tokio::sync::Notify;

type Held = Box<dyn FnOnce(&MemoryEngine) + Send>;

/// Topics are changed only when the test says so; all else happens at once.
#[derive(Default)]
struct SlowEngine {
    memory: MemoryEngine,
    held: Mutex<Vec<Held>>,
    promised: Mutex<BTreeSet<String>>,
    calls: AtomicUsize,
    called: Notify,
}

impl SlowEngine {
    fn count_call(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.called.notify_one();
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Waits for a call after the first `calls`. The whole broker runs on the test's own thread, so that by then its caller
    /// has come to its first wait.
    async fn called_after(&self, calls: usize) {
        while self.calls() <= calls {
            self.called.notified().await;
        }
    }

    fn release(&self) {
        let held = std::mem::take(&mut *self.held.lock().expect("not poisoned"));
        for change in held {
            change(&self.memory);
        }
    }

    fn hold(&self, change: Held) {
        self.held.lock().expect("not poisoned").push(change);
        self.count_call();
    }
}

impl Twin for SlowEngine {
    fn behind(&self) -> &dyn Engine {
        &self.memory
    }

    fn metadata(&self) -> Arc<Metadata> {
        self.count_call();
        self.memory.metadata()
    }

    fn create_topic(&self, topic: NewTopic) -> Pending<Arc<Topic>, MetadataError> {
        if !self.promised.lock().expect("not poisoned").insert(topic.name.clone()) {
            return Pending::ready(Err(MetadataError::TopicExists));
        }
        let (completer, pending) = Pending::waiting();
        self.hold(Box::new(move |memory| completer.complete(memory.create_topic(topic).wait())));
        pending
    }

    fn delete_topic(&self, id: TopicId) -> Pending<(), MetadataError> {
        let (completer, pending) = Pending::waiting();
        self.hold(Box::new(move |memory| completer.complete(memory.delete_topic(id).wait())));
        pending
    }
}

async fn start() -> (TestBroker, Arc<SlowEngine>) {
    let engine = Arc::new(SlowEngine::default());
    let broker = TestBroker::over(engine.clone(), &[]).await;
    (broker, engine)
}

fn ask_for(name: &str) -> MetadataRequest<'_> {
    MetadataRequest {
        topics: Some(vec![MetadataRequestTopic { name: Some(name.into()), ..Default::default() }]),
        allow_auto_topic_creation: true,
        ..Default::default()
    }
}

fn create(name: &str, timeout_ms: i32) -> CreateTopicsRequest<'_> {
    let topic = CreatableTopic { name: name.into(), num_partitions: 1, replication_factor: 1, ..Default::default() };
    CreateTopicsRequest { topics: vec![topic], timeout_ms, validate_only: false }
}

#[tokio::test]
async fn who_asks_for_a_topic_that_is_being_created_gets_that_topic() {
    let (broker, engine) = start().await;
    let mut asking = Vec::new();
    for _ in 0..3 {
        let before = engine.calls();
        let mut client = broker.connect().await;
        let id = client.send(&ask_for("shared"), 12).await;
        engine.called_after(before).await;
        asking.push((client, id));
    }
    let before = engine.calls();
    let mut creator = broker.connect().await;
    let id = creator.send(&create("shared", 60_000), 7).await;
    engine.called_after(before).await;
    engine.release();
    let created: CreateTopicsResponse<'static> = creator.receive(id, 7).await;
    assert_eq!(created.topics[0].error_code, ErrorCode::TOPIC_ALREADY_EXISTS, "somebody else began to create it");
    let topic = engine.memory.metadata().by_name("shared").cloned().expect("the topic");
    for (client, id) in &mut asking {
        let answer: MetadataResponse<'static> = client.receive(*id, 12).await;
        assert_eq!(answer.topics[0].error_code, ErrorCode::NONE);
        assert_eq!(answer.topics[0].topic_id, Uuid(topic.id.0));
    }
}

#[tokio::test]
async fn a_timeout_leaves_the_creation_going_on() {
    let (broker, engine) = start().await;
    let mut client = broker.connect().await;
    let impatient = client.call(&create("slow", 1), 7).await;
    assert_eq!(impatient.topics[0].error_code, ErrorCode::REQUEST_TIMED_OUT);
    assert!(engine.memory.metadata().by_name("slow").is_none());
    engine.release();
    assert!(engine.memory.metadata().by_name("slow").is_some());
    let answer = client.call(&ask_for("slow"), 12).await;
    assert_eq!(answer.topics[0].error_code, ErrorCode::NONE);
}

#[tokio::test]
async fn a_deletion_is_told_to_others_although_its_client_is_gone() {
    let (broker, engine) = start().await;
    let id = TopicId([9; 16]);
    let new = NewTopic { name: "doomed".into(), id, partitions: 1, configs: Default::default() };
    engine.memory.create_topic(new).await.expect("the topic");
    let before = engine.calls();
    let mut reader = broker.connect().await;
    let parked = reader.send(&fetch_request("doomed", vec![fetch_partition(0, 0)], 20_000), 11).await;
    engine.called_after(before).await;
    let before = engine.calls();
    let mut deleter = broker.connect().await;
    let request = DeleteTopicsRequest { topic_names: vec!["doomed".into()], timeout_ms: 60_000, ..Default::default() };
    deleter.send(&request, 5).await;
    // One call looks the topic up, the next one deletes it.
    engine.called_after(before + 1).await;
    drop(deleter);
    engine.release();
    let answer: FetchResponse<'static> = reader.receive(parked, 11).await;
    let codes: Vec<_> = answer.responses.iter().flat_map(|topic| &topic.partitions).map(|p| p.error_code).collect();
    assert_eq!(codes, [ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]);
}
