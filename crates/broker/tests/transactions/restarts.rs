//! What a broker knows of transactions after a restart.

use std::sync::Arc;

use ottla_protocol::ErrorCode;
use ottla_storage::Engine;
use ottla_storage::conformance::Twin;
use ottla_storage::memory::MemoryEngine;

use crate::asking::*;
use crate::client::TestBroker;

/// An engine that outlives its brokers: what they close stays open.
#[derive(Default)]
struct Lasting(MemoryEngine);

impl Twin for Lasting {
    fn behind(&self) -> &dyn Engine {
        &self.0
    }

    fn close(&self) -> ottla_storage::Pending<(), ottla_storage::Unavailable> {
        ottla_storage::Pending::ready(Ok(()))
    }
}

#[tokio::test]
async fn an_open_transaction_goes_on_and_an_ended_one_stays_ended() {
    let engine: Arc<dyn Engine> = Arc::new(Lasting::default());
    let properties = [("listeners", "PLAINTEXT://127.0.0.1:0")];
    let broker = TestBroker::over(engine.clone(), &properties).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let producer = Producer::init(&mut client, "x").await;
    assert_eq!(producer.produce(&mut client, "t", 0, "a", 12).await, ErrorCode::NONE);
    assert_eq!(producer.commit(&mut client, "g", "t", 5, 5).await, ErrorCode::NONE);
    broker.running.shutdown().await.expect("it stops in order");

    let broker = TestBroker::over(engine.clone(), &properties).await;
    let mut client = broker.connect().await;
    let (state, epoch, partitions) = described(&mut client, "x").await;
    let names: Vec<&str> = partitions.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((state.as_str(), epoch, names), ("Ongoing", 0, vec!["__consumer_offsets", "t"]));
    assert_eq!(commit_of(&mut client, "g", "t", true).await.0, ErrorCode::UNSTABLE_OFFSET_COMMIT);
    let next = producer.end(&mut client, true, 5).await.expect("it commits");
    assert_eq!(commit_of(&mut client, "g", "t", true).await, (ErrorCode::NONE, 5));
    broker.running.shutdown().await.expect("it stops in order");

    let broker = TestBroker::over(engine, &properties).await;
    let mut client = broker.connect().await;
    assert_eq!(producer.end(&mut client, true, 5).await, Ok(next), "asked again");
    assert_eq!(commit_of(&mut client, "g", "t", true).await, (ErrorCode::NONE, 5));
    assert_eq!(next.produce(&mut client, "t", 0, "b", 12).await, ErrorCode::NONE);
    assert_eq!(next.commit(&mut client, "g", "t", 6, 5).await, ErrorCode::NONE);
    next.end(&mut client, true, 5).await.expect("it commits");
    assert_eq!(commit_of(&mut client, "g", "t", true).await, (ErrorCode::NONE, 6));
    assert_eq!(committed(&mut client, "t").await.1, 4);
}
