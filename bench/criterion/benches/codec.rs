//! Messages from and to the wire. Record bytes are borrowed on the way in and spliced on the way out, so what is measured is
//! everything around them.

use std::borrow::Cow;
use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use ottla_bench_criterion::{KIB, MIB, batch_of};
use ottla_protocol::frame::{decode_any, encode_request_frame, encode_response_frame, split_request};
use ottla_protocol::messages::{
    FetchResponse, FetchableTopicResponse, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic, PartitionData, PartitionProduceData, ProduceRequest, TopicProduceData,
};
use ottla_protocol::{ApiKey, Chunk, RecordChunks, Uuid};

const PRODUCE_VERSION: i16 = 12;
const FETCH_VERSION: i16 = 17;
const METADATA_VERSION: i16 = 13;

/// The size field, which whoever reads a socket has read already.
const SIZE_BYTES: usize = 4;

fn decode_produce(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode Produce of 1 MiB");
    for (name, partitions) in [("one batch", 1), ("64 partitions", 64)] {
        let frame = produce_frame(partitions);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let (header, body) = split_request(black_box(&frame[SIZE_BYTES..])).expect("a header");
                decode_any(ApiKey::Produce, header.api_version, body).expect("a request")
            });
        });
    }
}

fn produce_frame(partitions: usize) -> Vec<u8> {
    let batch = batch_of(MIB / partitions);
    let data = |index| PartitionProduceData { index, records: Some(Cow::Borrowed(&batch)) };
    let partition_data = (0..partitions as i32).map(data).collect();
    let topic = TopicProduceData { name: "bench".into(), partition_data, ..Default::default() };
    let request = ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() };
    encode_request_frame(1, PRODUCE_VERSION, Some("bench"), &request).expect("a frame").concat()
}

fn encode_fetch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode Fetch of 1 MiB in 64 batches");
    for (name, partitions) in [("one partition", 1), ("64 partitions", 64)] {
        let answer = fetch_answer(partitions);
        group.bench_function(name, |bencher| {
            bencher.iter(|| encode_response_frame(1, FETCH_VERSION, black_box(&answer)).expect("a frame"));
        });
    }
}

/// The batches as the tail in memory answers them: each by itself.
fn fetch_answer(partitions: usize) -> FetchResponse<'static> {
    let batch: Bytes = batch_of(16 * KIB);
    let chunks = vec![Chunk::Here(batch); 64 / partitions];
    let data = |partition_index| PartitionData {
        partition_index,
        high_watermark: 1_000,
        last_stable_offset: 1_000,
        log_start_offset: 0,
        records: Some(RecordChunks(chunks.clone())),
        ..Default::default()
    };
    let partitions = (0..partitions as i32).map(data).collect();
    let topic = FetchableTopicResponse { topic_id: Uuid([7; 16]), partitions, ..Default::default() };
    FetchResponse { session_id: 1, responses: vec![topic], ..Default::default() }
}

fn encode_metadata(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode Metadata of 1,000 topics");
    for (name, partitions) in [("1 partition each", 1), ("12 partitions each", 12)] {
        let answer = metadata_answer(partitions);
        group.bench_function(name, |bencher| {
            bencher.iter(|| encode_response_frame(1, METADATA_VERSION, black_box(&answer)).expect("a frame"));
        });
    }
}

fn metadata_answer(partitions: i32) -> MetadataResponse<'static> {
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 1,
        leader_epoch: 0,
        replica_nodes: vec![1],
        isr_nodes: vec![1],
        ..Default::default()
    };
    let topic = |number: u128| MetadataResponseTopic {
        name: Some(format!("a-topic-with-the-number-{number}").into()),
        topic_id: Uuid(number.to_be_bytes()),
        partitions: (0..partitions).map(partition).collect(),
        ..Default::default()
    };
    let broker = MetadataResponseBroker { node_id: 1, host: "localhost".into(), port: 9092, rack: None };
    let (brokers, topics) = (vec![broker], (0..1_000).map(topic).collect());
    MetadataResponse { brokers, topics, controller_id: 1, ..Default::default() }
}

criterion_group!(benches, decode_produce, encode_fetch, encode_metadata);
criterion_main!(benches);
