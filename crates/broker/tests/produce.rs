//! Produce over real sockets: acknowledgements, refusals, duplicates.

mod client;

use client::{TestBroker, WALL_MS, batch, fetch_partition, fetch_request, produce_request, values};
use ottla_protocol::messages::{PartitionProduceResponse, ProduceResponse};
use ottla_protocol::records::{BatchBuilder, Compression, Encoding, batches};
use ottla_protocol::{ErrorCode, Uuid};

fn only(response: ProduceResponse<'static>) -> PartitionProduceResponse<'static> {
    response.responses.into_iter().next().expect("a topic").partition_responses.into_iter().next().expect("a partition")
}

#[tokio::test]
async fn round_trip_in_every_version() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    for version in 3..=13 {
        let records = batch(&["a", "b"]);
        let mut request = produce_request("t", 0, &records, if version % 2 == 0 { 1 } else { -1 });
        request.topic_data[0].topic_id = Uuid(topic.id.0);
        let answer = only(client.call(&request, version).await);
        assert_eq!(answer.error_code, ErrorCode::NONE);
        assert_eq!(answer.base_offset, i64::from(version - 3) * 2);
        assert_eq!(answer.log_append_time_ms, -1);
    }
    for version in 4..=18 {
        let mut request = fetch_request("t", vec![fetch_partition(0, 20)], 0);
        request.topics[0].topic_id = Uuid(topic.id.0);
        let response = client.call(&request, version).await;
        assert_eq!(values(&response), [(0, 20, "a".to_owned()), (0, 21, "b".to_owned())], "version {version}");
        let partition = &response.responses[0].partitions[0];
        assert_eq!((partition.high_watermark, partition.last_stable_offset), (22, 22));
    }
}

#[tokio::test]
async fn refusals_are_per_partition() {
    let broker = TestBroker::start(&[]).await;
    let topic = broker.topic("t", 1, &[("max.message.bytes", "1000")]).await;
    let mut client = broker.connect().await;
    let good = batch(&["a"]);
    assert_eq!(only(client.produce("t", 1, &good).await).error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(only(client.produce("u", 0, &good).await).error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(
        only(client.produce("t", 0, &batch(&[&"x".repeat(1000)])).await).error_code,
        ErrorCode::MESSAGE_TOO_LARGE
    );
    let mut flipped = good.to_vec();
    flipped[65] ^= 1;
    let refused = only(client.produce("t", 0, &flipped).await);
    assert_eq!((refused.error_code, refused.base_offset), (ErrorCode::CORRUPT_MESSAGE, -1));
    assert!(refused.error_message.is_some());
    let two_batches = [&good[..], &good[..]].concat();
    assert_eq!(only(client.produce("t", 0, &two_batches).await).error_code, ErrorCode::INVALID_RECORD);
    let wrong_acks = client.call(&produce_request("t", 0, &good, 2), 9).await;
    assert_eq!(only(wrong_acks).error_code, ErrorCode::INVALID_REQUIRED_ACKS);
    let mut by_id = produce_request("", 0, &good, -1);
    by_id.topic_data[0].topic_id = Uuid([9; 16]);
    assert_eq!(only(client.call(&by_id, 13).await).error_code, ErrorCode::UNKNOWN_TOPIC_ID);
    let mut zstd = good.to_vec();
    zstd[22] |= 4;
    let crc = crc_of(&zstd);
    zstd[17..21].copy_from_slice(&crc.to_be_bytes());
    let old = client.call(&produce_request("t", 0, &zstd, -1), 6).await;
    assert_eq!(only(old).error_code, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    let mut request = produce_request("t", 0, &good, -1);
    request.topic_data.extend(produce_request("nowhere", 0, &good, -1).topic_data);
    let mixed = client.call(&request, 9).await;
    let codes: Vec<_> = mixed.responses.iter().map(|topic| topic.partition_responses[0].error_code).collect();
    assert_eq!(codes, [ErrorCode::NONE, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]);
    assert_eq!(
        broker
            .engine
            .bounds(ottla_storage::PartitionId { topic: topic.id, index: 0 })
            .expect("is there")
            .high_watermark,
        1
    );
}

/// CRC-32C, bit by bit.
fn crc_of(batch: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in &batch[21..] {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

#[tokio::test]
async fn without_acknowledgement_nothing_is_answered_and_errors_close() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let records = batch(&["a"]);
    client.send(&produce_request("t", 0, &records, 0), 9).await;
    client.send(&produce_request("t", 0, &records, 0), 9).await;
    let answer = only(client.produce("t", 0, &records).await);
    assert_eq!(answer.base_offset, 2, "the first answer is to the third request");
    client.send(&produce_request("nowhere", 0, &records, 0), 9).await;
    client.expect_close().await;
}

#[tokio::test]
async fn a_retried_batch_is_written_once() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[]).await;
    let mut client = broker.connect().await;
    let numbered = |sequence| {
        let mut builder = BatchBuilder::new().producer(7, 0, sequence);
        builder.push(WALL_MS, None, Some(b"x"), &[]);
        builder.build()
    };
    for sequence in 0..3 {
        assert_eq!(only(client.produce("t", 0, &numbered(sequence)).await).base_offset, i64::from(sequence));
    }
    let again = only(client.produce("t", 0, &numbered(1)).await);
    assert_eq!((again.error_code, again.base_offset), (ErrorCode::NONE, 1));
    let gap = only(client.produce("t", 0, &numbered(9)).await);
    assert_eq!(gap.error_code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    let fetched = client.call(&fetch_request("t", vec![fetch_partition(0, 0)], 0), 11).await;
    assert_eq!(values(&fetched).len(), 3);
}

#[tokio::test]
async fn log_append_time_and_keys_are_the_topics_wish() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("stamped", 1, &[("message.timestamp.type", "LogAppendTime")]).await;
    broker.topic("compacted", 1, &[("cleanup.policy", "compact")]).await;
    let mut client = broker.connect().await;
    assert_eq!(only(client.produce("stamped", 0, &batch(&["a"])).await).log_append_time_ms, WALL_MS);
    let refused = only(client.produce("compacted", 0, &batch(&["a", "b"])).await);
    assert_eq!(refused.error_code, ErrorCode::INVALID_RECORD);
    let named: Vec<_> = refused.record_errors.iter().map(|error| error.batch_index).collect();
    assert_eq!(named, [0, 1]);
}

#[tokio::test]
async fn a_topic_with_a_codec_stores_everything_in_it() {
    let broker = TestBroker::start(&[("compression.type", "lz4")]).await;
    broker.topic("zipped", 1, &[("compression.type", "gzip"), ("compression.gzip.level", "9")]).await;
    broker.topic("as-the-broker-says", 1, &[]).await;
    let mut client = broker.connect().await;
    let mut expected = Vec::new();
    for (place, encoding) in [Encoding::None, Encoding::Zstd(3), Encoding::Gzip(1)].into_iter().enumerate() {
        let value = format!("{place}{}", "-".repeat(1_000));
        let mut builder = BatchBuilder::new().producer(7, 0, place as i32);
        builder.push(WALL_MS, None, Some(value.as_bytes()), &[("h", None)]);
        let records = builder.build_compressed(encoding).expect("compresses");
        for topic in ["zipped", "as-the-broker-says"] {
            assert_eq!(only(client.produce(topic, 0, &records).await).base_offset, place as i64);
        }
        expected.push((0, place as i64, value));
    }
    for (topic, codec) in [("zipped", Compression::Gzip), ("as-the-broker-says", Compression::Lz4)] {
        let fetched = client.call(&fetch_request(topic, vec![fetch_partition(0, 0)], 0), 11).await;
        assert_eq!(values(&fetched), expected);
        let blob = fetched.responses[0].partitions[0].records.as_ref().expect("records").concat();
        let headers: Vec<_> = batches(&blob).map(|batch| batch.expect("whole").header).collect();
        assert!(headers.iter().all(|header| header.compression() == Ok(codec)), "{topic}");
        assert_eq!(headers.iter().map(|header| header.base_sequence).collect::<Vec<_>>(), [0, 1, 2]);
    }
    let mut again = BatchBuilder::new().producer(7, 0, 0);
    again.push(WALL_MS, None, Some(b"x"), &[]);
    assert_eq!(only(client.produce("zipped", 0, &again.build()).await).base_offset, 0, "a duplicate is still known");
}

#[tokio::test]
async fn batches_that_are_compressed_again_keep_their_order_among_others() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[("compression.type", "zstd"), ("compression.zstd.level", "19")]).await;
    let mut client = broker.connect().await;
    let slow = batch(&[&"a long one ".repeat(20_000)]);
    let mut quick = BatchBuilder::new();
    quick.push(WALL_MS, None, Some(b"b"), &[]);
    let quick = quick.build_compressed(Encoding::Zstd(1)).expect("compresses");
    let mut ids = Vec::new();
    for place in 0..20 {
        let records = if place % 2 == 0 { &slow } else { &quick };
        ids.push(client.send(&produce_request("t", 0, records, -1), 9).await);
    }
    for (offset, id) in (0..).zip(ids) {
        let answer = only(client.receive(id, 9).await);
        assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::NONE, offset));
    }
}

#[tokio::test]
async fn a_batch_that_must_be_looked_into_is_not_overtaken() {
    let broker = TestBroker::start(&[]).await;
    broker.topic("t", 1, &[("message.timestamp.before.max.ms", "1000")]).await;
    let mut client = broker.connect().await;
    let records = batch(&["a"]);
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(client.send(&produce_request("t", 0, &records, -1), 9).await);
    }
    for (offset, id) in (0..).zip(ids) {
        let answer = only(client.receive(id, 9).await);
        assert_eq!((answer.error_code, answer.base_offset), (ErrorCode::NONE, offset));
    }
}
