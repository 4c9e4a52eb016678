//! Ends over an engine that fails: nobody hears of an end that may not be there, and the coordinators go on from their logs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ottla_protocol::ErrorCode;
use ottla_storage::conformance::Twin;
use ottla_storage::memory::MemoryEngine;
use ottla_storage::{Append, AppendError, AppendOrigin, Appended, Engine, Pending, Unavailable};

use crate::asking::*;
use crate::client::TestBroker;

/// The next appends fail: atomic ones before they are written or after, those of coordinators before.
#[derive(Default)]
struct Failing {
    memory: MemoryEngine,
    unwritten: AtomicUsize,
    unknown: AtomicUsize,
    of_coordinators: AtomicUsize,
}

fn one_less(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1)).is_ok()
}

impl Twin for Failing {
    fn behind(&self) -> &dyn Engine {
        &self.memory
    }

    fn append(&self, appends: Vec<Append>) -> Pending<Vec<Result<Appended, AppendError>>, Unavailable> {
        let of_coordinator = appends.iter().any(|append| append.origin == AppendOrigin::Coordinator);
        if of_coordinator && one_less(&self.of_coordinators) {
            let why = Unavailable { reason: "the test says so".into(), retriable: true };
            return Pending::ready(Err(why));
        }
        self.memory.append(appends)
    }

    fn append_atomically(&self, appends: Vec<Append>) -> Pending<Vec<Appended>, AppendError> {
        let why = Unavailable { reason: "the test says so".into(), retriable: true };
        if one_less(&self.unwritten) {
            return Pending::ready(Err(AppendError::Unavailable(why)));
        }
        let appended = self.memory.append_atomically(appends);
        if one_less(&self.unknown) { Pending::ready(Err(AppendError::Unknown(why))) } else { appended }
    }
}

async fn begun(engine: &Arc<Failing>) -> (TestBroker, crate::client::Client, Producer) {
    let broker = TestBroker::over(engine.clone(), &[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let producer = Producer::init(&mut client, "x").await;
    assert_eq!(producer.produce(&mut client, "t", 0, "a", 12).await, ErrorCode::NONE);
    assert_eq!(producer.commit(&mut client, "g", "t", 5, 5).await, ErrorCode::NONE);
    (broker, client, producer)
}

/// Ends as a client does, which finds the coordinator again and asks again.
async fn end_at_last(client: &mut crate::client::Client, producer: Producer) -> Producer {
    loop {
        match producer.end(client, true, 5).await {
            Ok(next) => return next,
            Err(ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE) => tokio::task::yield_now().await,
            Err(code) => panic!("{code}"),
        }
    }
}

#[tokio::test]
async fn an_end_that_was_not_written_is_done_when_asked_again() {
    let engine = Arc::new(Failing::default());
    let (_broker, mut client, producer) = begun(&engine).await;
    engine.unwritten.store(1, Ordering::SeqCst);
    assert_eq!(producer.end(&mut client, true, 5).await, Err(ErrorCode::NOT_COORDINATOR));
    assert_eq!(commit_of(&mut client, "g", "t", false).await, (ErrorCode::NONE, -1));
    assert_eq!(committed(&mut client, "t").await.1, 0);
    let next = end_at_last(&mut client, producer).await;
    assert_eq!(next.epoch, producer.epoch + 1);
    assert_eq!(commit_of(&mut client, "g", "t", true).await, (ErrorCode::NONE, 5));
    assert_eq!(committed(&mut client, "t").await.1, 2);
}

#[tokio::test]
async fn an_end_whose_fate_was_unknown_is_found_in_the_log() {
    let engine = Arc::new(Failing::default());
    let (_broker, mut client, producer) = begun(&engine).await;
    engine.unknown.store(1, Ordering::SeqCst);
    assert_eq!(producer.end(&mut client, true, 5).await, Err(ErrorCode::NOT_COORDINATOR));
    let next = end_at_last(&mut client, producer).await;
    assert_eq!(next.epoch, producer.epoch + 1);
    assert_eq!(commit_of(&mut client, "g", "t", true).await, (ErrorCode::NONE, 5));
    assert_eq!(committed(&mut client, "t").await.1, 2, "one marker");
    assert_eq!(next.commit(&mut client, "g", "t", 6, 5).await, ErrorCode::NONE);
    next.end(&mut client, true, 5).await.expect("it commits");
    assert_eq!(commit_of(&mut client, "g", "t", true).await, (ErrorCode::NONE, 6));
}

/// Asks again as long as the coordinator reads its log.
async fn at_last<F: Future<Output = ErrorCode>>(mut ask: impl FnMut() -> F) {
    loop {
        match ask().await {
            ErrorCode::NONE => return,
            ErrorCode::NOT_ENOUGH_REPLICAS | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => tokio::task::yield_now().await,
            code => panic!("{code}"),
        }
    }
}

#[tokio::test]
async fn a_batch_is_refused_whose_partition_could_not_be_added() {
    let engine = Arc::new(Failing::default());
    let (_broker, mut client, producer) = begun(&engine).await;
    let producer = end_at_last(&mut client, producer).await;
    engine.of_coordinators.store(1, Ordering::SeqCst);
    assert_eq!(producer.produce(&mut client, "t", 0, "b", 12).await, ErrorCode::NOT_ENOUGH_REPLICAS);
    let client = tokio::sync::Mutex::new(client);
    at_last(|| async { producer.produce(&mut *client.lock().await, "t", 0, "b", 12).await }).await;
    let mut client = client.into_inner();
    end_at_last(&mut client, producer).await;
    assert_eq!(committed(&mut client, "t").await.1, 4, "two records and two markers, and nothing open");
}

#[tokio::test]
async fn offsets_are_refused_whose_group_could_not_be_added() {
    let engine = Arc::new(Failing::default());
    let (_broker, mut client, producer) = begun(&engine).await;
    let producer = end_at_last(&mut client, producer).await;
    engine.of_coordinators.store(1, Ordering::SeqCst);
    assert_eq!(producer.commit(&mut client, "g", "t", 7, 5).await, ErrorCode::NOT_COORDINATOR);
    assert_eq!(commit_of(&mut client, "g", "t", true).await, (ErrorCode::NONE, 5), "nothing is pending");
}
