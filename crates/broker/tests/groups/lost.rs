//! What a group loses where the log start passes its commit.

use std::sync::Arc;
use std::time::Duration;

use ottla_broker::LostRecords;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic, DeleteTopicsRequest};
use ottla_storage::memory::{MemoryEngine, MemoryOptions};
use ottla_storage::{LogConfig, PartitionId};

use crate::asking::*;
use crate::client::{Client, TestBroker, batch};

async fn delete_records(client: &mut Client, partition_index: i32, offset: i64) {
    let partitions = vec![DeleteRecordsPartition { partition_index, offset }];
    let topics = vec![DeleteRecordsTopic { name: "t".into(), partitions }];
    let response = client.call(&DeleteRecordsRequest { topics, timeout_ms: 10_000 }, 2).await;
    assert_eq!(response.topics[0].partitions[0].error_code, ErrorCode::NONE);
}

/// Waits until so much was counted; more would be a mistake as well.
async fn lost(broker: &TestBroker, moves: u64, records: u64) {
    let expected = LostRecords { moves, records };
    let counted = async {
        while broker.running.broker().lost_records().moves < moves {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), counted).await.expect("it is counted at all");
    assert_eq!(broker.running.broker().lost_records(), expected);
}

#[tokio::test]
async fn a_group_is_told_what_it_never_read_once_for_each_move() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 2, &[]).await;
    let mut client = broker.connect().await;
    for partition in 0..2 {
        client.produce("t", partition, &batch(&["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"])).await;
    }
    for (group, partition, offset) in [("slow", 0, 2), ("fast", 0, 9), ("elsewhere", 1, 0)] {
        client.call(&commit_request(group, &topic, partition, offset), 8).await;
    }
    delete_records(&mut client, 0, 2).await;
    delete_records(&mut client, 0, 5).await;
    lost(&broker, 1, 3).await;
    delete_records(&mut client, 0, 5).await;
    delete_records(&mut client, 0, -1).await;
    lost(&broker, 3, 3 + 5 + 1).await;
    // A topic that goes takes its commits with it: nobody can read it any more, so nobody has lost a place in it.
    let request = DeleteTopicsRequest { topic_names: vec!["t".into()], timeout_ms: 1_000, ..Default::default() };
    assert_eq!(client.call(&request, 5).await.responses[0].error_code, ErrorCode::NONE);
    let again = broker.topic("t", 2, &[]).await;
    client.produce("t", 0, &batch(&["a", "b", "c"])).await;
    client.call(&commit_request("slow", &again, 0, 1), 8).await;
    delete_records(&mut client, 0, 3).await;
    lost(&broker, 4, 9 + 2).await;
}

#[tokio::test]
async fn what_retention_takes_is_counted_as_well() {
    let log_configs =
        LogConfig { segment_bytes: 1, retention_ms: None, retention_bytes: Some(1), ..LogConfig::default() };
    let options = MemoryOptions { log_configs: Arc::new(log_configs), ..MemoryOptions::default() };
    let engine = Arc::new(MemoryEngine::with(options));
    let broker = TestBroker::over(engine, &[]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    client.call(&commit_request("slow", &topic, 0, 2), 8).await;
    for value in ["a", "b", "c", "d", "e", "f"] {
        client.produce("t", 0, &batch(&[value])).await;
    }
    broker.engine.maintain(usize::MAX).await.expect("it can be maintained");
    let bounds = broker.engine.bounds(PartitionId { topic: topic.id, index: 0 }).expect("the partition is there");
    assert!(bounds.log_start_offset > 2, "retention has removed records: {bounds:?}");
    lost(&broker, 1, bounds.log_start_offset as u64 - 2).await;
}
