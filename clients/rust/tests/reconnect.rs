//! The broker is killed under its clients. This is a program of its own, because `cargo test` runs one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use rdkafka::producer::FutureProducer;
use rdkafka_matrix::broker;
use rdkafka_matrix::clients::{deliver, new_client, new_member, next, read_all, value, values, values_to};
use rdkafka_matrix::members::Group;
use rdkafka_matrix::observer::Observer;
use tokio::sync::oneshot::{self, error::TryRecvError};

#[tokio::test(flavor = "multi_thread")]
async fn reconnect() {
    let group = Group::new(&[("heartbeat.interval.ms", "200")]).await;
    let observer = Arc::new(Observer::default());
    let member = group.join(&observer, "member");
    let (stop, stopped) = oneshot::channel();
    let producing = tokio::spawn(produce_until(stopped, group.topic.clone()));
    observer.await_count(20).await;
    broker::restart().await;
    observer.await_count(observer.count() + 20).await;
    stop.send(()).expect("the producer has ended by itself");
    let acknowledged = producing.await.unwrap();
    observer.await_processed(&acknowledged).await;
    member.leave().await;

    let mut there = BTreeMap::<String, usize>::new();
    for value in values(&read_all(&group.topic, &[]).await) {
        *there.entry(value).or_default() += 1;
    }
    for value in acknowledged {
        assert_eq!(there.get(&value), Some(&1), "how often {value} is there");
    }
    group.send(&["afterwards".to_string()]).await;
    assert_eq!(value(&next(&new_member(&group.name, &group.topic, "earliest")).await), "afterwards");
}

/// Sends one record after the other, and returns those that were acknowledged.
async fn produce_until(mut stopped: oneshot::Receiver<()>, topic: String) -> Vec<String> {
    let producer: FutureProducer = new_client(&[("enable.idempotence", "true")]);
    let mut acknowledged = Vec::new();
    while stopped.try_recv() == Err(TryRecvError::Empty) {
        let value = format!("record-{}", acknowledged.len());
        deliver(&producer, values_to(&topic, 0, &[&value])).await.unwrap();
        acknowledged.push(value);
    }
    acknowledged
}
