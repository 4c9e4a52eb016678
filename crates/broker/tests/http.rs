//! `/health` and `/metrics`, as somebody asks who speaks nothing but HTTP.
#![allow(clippy::unwrap_used)]

#[path = "client/mod.rs"]
mod client;

use client::{TestBroker, batch};
use ottla_protocol::messages::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const HTTP: (&str, &str) = ("ottla.http.listen", "127.0.0.1:0");

/// The whole answer: status line, headers, body.
async fn ask(broker: &TestBroker, request: &str) -> String {
    let address = broker.running.http_addresses()[0];
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn get(broker: &TestBroker, path: &str) -> String {
    ask(broker, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await
}

#[tokio::test]
async fn nothing_is_served_unless_it_is_asked_for() {
    let broker = TestBroker::start(&[]).await;
    assert!(broker.running.http_addresses().is_empty());
}

#[tokio::test]
async fn a_broker_that_serves_is_healthy() {
    let broker = TestBroker::start(&[HTTP]).await;
    let answer = get(&broker, "/health").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok\n"), "{answer}");
    assert!(get(&broker, "/elsewhere").await.starts_with("HTTP/1.1 404"));
    let posted =
        ask(&broker, "POST /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await;
    assert!(posted.starts_with("HTTP/1.1 405") && posted.contains("allow: GET, HEAD"), "{posted}");
    let nonsense = ask(&broker, "\u{0}\u{1}\u{2} nonsense\r\n\r\n").await;
    assert!(nonsense.starts_with("HTTP/1.1 400"), "{nonsense}");
}

#[tokio::test]
async fn metrics_have_the_names_of_kafka_exporter() {
    let broker = TestBroker::start(&[HTTP]).await;
    broker.topic("t", 2, &[]).await;
    let mut client = broker.connect().await;
    client.produce("t", 0, &batch(&["a", "b", "c"])).await;
    let partition = OffsetCommitRequestPartition { partition_index: 0, committed_offset: 1, ..Default::default() };
    let topic = OffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    client.call(&request, 8).await;
    let page = get(&broker, "/metrics").await;
    for line in [
        "kafka_brokers 1",
        "kafka_topic_partitions{topic=\"t\"} 2",
        "kafka_topic_partition_current_offset{partition=\"0\",topic=\"t\"} 3",
        "kafka_topic_partition_oldest_offset{partition=\"1\",topic=\"t\"} 0",
        "kafka_consumergroup_current_offset{consumergroup=\"g\",partition=\"0\",topic=\"t\"} 1",
        "kafka_consumergroup_lag{consumergroup=\"g\",partition=\"0\",topic=\"t\"} 2",
        "kafka_consumergroup_lag_sum{consumergroup=\"g\",topic=\"t\"} 2",
        "kafka_consumergroup_members{consumergroup=\"g\"} 0",
    ] {
        assert!(page.lines().any(|there| there == line), "{line} is not in\n{page}");
    }
}
