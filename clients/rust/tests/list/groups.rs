//! Members share partitions.

use std::sync::Arc;

use rdkafka_matrix::clients::{Settings, listed_group, numbered};
use rdkafka_matrix::members::{Group, PARTITIONS};
use rdkafka_matrix::observer::Observer;

const CLASSIC: Settings = &[("partition.assignment.strategy", "range"), ("heartbeat.interval.ms", "200")];
const CONSUMER: Settings = &[("group.protocol", "consumer")];
const COOPERATIVE: Settings =
    &[("partition.assignment.strategy", "cooperative-sticky"), ("heartbeat.interval.ms", "200")];

#[tokio::test(flavor = "multi_thread")]
async fn group_classic() {
    let group = Group::new(CLASSIC).await;
    share(&group).await;
    assert_eq!(listed_group(&group.name), Some(("Empty".to_string(), 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn group_consumer() {
    let group = Group::new(CONSUMER).await;
    share(&group).await;
    // The crate describes groups by the request for the classic protocol: one of the other protocol is there, and dead.
    assert_eq!(listed_group(&group.name), Some(("Dead".to_string(), 0)));
}

/// Two members share the partitions, then five, then fewer, while records come.
async fn share(group: &Group) {
    let observer = Arc::new(Observer::default());
    let mut sent = Vec::new();
    send(group, "before", &mut sent).await;
    let [a, b] = ["a", "b"].map(|member| group.join(&observer, member));
    observer.await_shares(&[2, 2]).await;
    send(group, "two", &mut sent).await;
    let [c, d, e] = ["c", "d", "e"].map(|member| group.join(&observer, member));
    observer.await_shares(&[1, 1, 1, 1]).await;
    send(group, "five", &mut sent).await;
    for member in [a, c, e] {
        member.leave().await;
    }
    observer.await_shares(&[2, 2]).await;
    send(group, "rest", &mut sent).await;
    b.leave().await;
    observer.await_shares(&[PARTITIONS]).await;
    observer.await_processed(&sent).await;
    d.leave().await;
}

async fn send(group: &Group, round: &str, sent: &mut Vec<String>) {
    let values = numbered(round, 10 * PARTITIONS);
    group.send(&values).await;
    sent.extend(values);
}

/// The first member gives up what the second gets, once, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn group_cooperative() {
    let group = Group::new(COOPERATIVE).await;
    let observer = Arc::new(Observer::default());
    let a = group.join(&observer, "a");
    observer.await_shares(&[PARTITIONS]).await;
    let b = group.join(&observer, "b");
    observer.await_shares(&[2, 2]).await;
    assert_eq!(observer.given_up("a"), observer.owned("b"));
    let values = numbered("both", PARTITIONS);
    group.send(&values).await;
    observer.await_processed(&values).await;
    b.leave().await;
    observer.await_shares(&[PARTITIONS]).await;
    assert_eq!(observer.given_up("a").len(), 2);
    a.leave().await;
}
