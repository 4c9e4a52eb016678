//! Records that go from their files to sockets, through the whole broker over the local engine.

mod client;

use std::path::Path;
use std::sync::Arc;

use client::{Client, TestBroker, batch, fetch_partition, fetch_request, values};
use ottla_protocol::messages::{FetchPartition, FetchRequest, FetchResponse};
use ottla_storage::local::disk::{Disk, OpenHow, SystemDisk};
use ottla_storage::local::{LocalEngine, LocalOptions};
use ottla_storage::{Engine, Isolation, PartitionId, Read};
use tokio::io::AsyncReadExt;

const MEBIBYTE: usize = 1 << 20;
const PARTITIONS: i32 = 4;
const BATCHES: usize = 40;

/// A broker whose topic `t` has 4 MB in segment files in each of its partitions; `None` where this system cannot say what is
/// in its page cache, so that nothing is ever sent from files.
async fn filled(folder: &Path) -> Option<(TestBroker, Client)> {
    filled_with(12, folder).await
}

/// With so many buffers for what is read past the page cache.
async fn filled_with(read_buffers: usize, folder: &Path) -> Option<(TestBroker, Client)> {
    let probe = SystemDisk.open(&folder.join("probe"), OpenHow::CREATE).expect("a file");
    probe.is_sendable().then_some(())?;
    let mut options = LocalOptions::new(folder.join("data"), 1, Arc::new(|| 0));
    options.tail_bytes = 2 * MEBIBYTE;
    options.read_buffers = read_buffers;
    let engine: Arc<dyn Engine> = Arc::new(LocalEngine::open(options, Arc::new(SystemDisk)).expect("it opens"));
    let broker = TestBroker::over(engine, &[]).await;
    broker.topic("t", PARTITIONS, &[]).await;
    let mut client = broker.connect().await;
    for number in 0..BATCHES {
        for partition in 0..PARTITIONS {
            let value = format!("{partition} {number} {}", "x".repeat(100_000));
            client.produce("t", partition, &batch(&[&value])).await;
        }
    }
    broker.engine.maintain(usize::MAX).await.expect("a checkpoint");
    Some((broker, client))
}

fn all_partitions<'a>() -> FetchRequest<'a> {
    let whole = |partition| FetchPartition { partition_max_bytes: 3 << 20, ..fetch_partition(partition, 0) };
    fetch_request("t", (0..PARTITIONS).map(whole).collect(), 0)
}

/// The file that the first records of a partition are read from.
async fn file_of_first_records(broker: &TestBroker, index: i32) -> String {
    let topic = broker.engine.metadata().by_name("t").expect("the topic").id;
    let (partition, isolation) = (PartitionId { topic, index }, Isolation::ReadUncommitted);
    let (max_bytes, at_least_one_batch, may_name_file) = (MEBIBYTE, true, true);
    let read = Read { partition, offset: 0, max_bytes, at_least_one_batch, isolation, may_name_file };
    broker.engine.read(read).await.expect("records").in_file.expect("they lie in a file").name()
}

#[tokio::test]
async fn what_comes_from_files_is_what_was_produced() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some((broker, mut client)) = filled(folder.path()).await else { return };
    let response: FetchResponse<'_> = client.call(&all_partitions(), 11).await;
    let found = values(&response);
    assert!(found.len() > 20 * PARTITIONS as usize, "{}", found.len());
    for (partition, offset, value) in found {
        assert!(value.starts_with(&format!("{partition} {offset} xxx")), "{partition} {offset}");
    }
    let mut offset = 0;
    while offset < BATCHES as i64 {
        let next: FetchResponse<'_> = client.call(&fetch_request("t", vec![fetch_partition(0, offset)], 0), 11).await;
        for (_, found, value) in values(&next) {
            assert_eq!(found, offset);
            assert!(value.starts_with(&format!("0 {offset} x")));
            offset += 1;
        }
    }
    drop(broker);
}

#[tokio::test]
async fn readers_from_files_hold_no_memory_however_slow_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some((broker, mut client)) = filled(folder.path()).await else { return };
    let mut readers = Vec::new();
    for _ in 0..20 {
        let mut reader = broker.connect().await;
        reader.send(&all_partitions(), 11).await;
        let size = reader.stream.read_u32().await.expect("an answer begins") as usize;
        assert!(size > 10 * MEBIBYTE, "the answer is as large as was asked for: {size}");
        readers.push(reader);
    }
    assert_eq!(broker.running.broker().answer_memory_bytes(), 0);
    let response: FetchResponse<'_> = client.call(&all_partitions(), 11).await;
    assert!(!values(&response).is_empty());
}

#[tokio::test]
async fn a_file_that_became_shorter_ends_the_connection_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some((broker, mut client)) = filled_with(0, folder.path()).await else { return };
    // The answer begins with the other partitions, which are more than sockets hold: this file is not reached before they are read.
    let file = file_of_first_records(&broker, PARTITIONS - 1).await;
    let mut reader = broker.connect().await;
    reader.send(&all_partitions(), 11).await;
    let size = reader.stream.read_u32().await.expect("an answer begins") as usize;
    SystemDisk.open(Path::new(&file), OpenHow::WRITE).expect("the file").truncate(1_000).expect("a shorter one");
    let mut rest = Vec::new();
    let ended = reader.stream.read_to_end(&mut rest).await;
    assert!(ended.is_err() || rest.len() < size, "less than was announced, and no more");
    client.produce("t", 1, &batch(&["others go on"])).await;
}

#[tokio::test]
async fn a_topic_can_be_deleted_while_its_records_are_on_their_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some((broker, _client)) = filled(folder.path()).await else { return };
    let mut reader = broker.connect().await;
    let id = reader.send(&all_partitions(), 11).await;
    // The answer is under way once its size is there; it is far larger than what sockets hold.
    reader.stream.readable().await.expect("an answer");
    let topic = broker.engine.metadata().by_name("t").expect("the topic").id;
    broker.engine.delete_topic(topic).await.expect("it is deleted");
    broker.engine.maintain(usize::MAX).await.expect("and its files");
    let response: FetchResponse<'_> = reader.receive(id, 11).await;
    for (partition, offset, value) in values(&response) {
        assert!(value.starts_with(&format!("{partition} {offset} xxx")), "{partition} {offset}");
    }
}
