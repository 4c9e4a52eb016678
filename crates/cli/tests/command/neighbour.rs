//! A well-behaved client on one connection: it produces, reads back what it produced, and expects everything to be right.

use std::borrow::Cow;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use bytes::Bytes;
use ottla_protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest, CreateTopicsResponse};
use ottla_protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use ottla_protocol::messages::produce::{PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData};
use ottla_protocol::{ErrorCode, Message, frame};

use crate::process::connect;

const TOPIC: &str = "neighbour";

/// The client.
pub(crate) struct Neighbour {
    stream: TcpStream,
    rounds: u64,
}

impl Neighbour {
    /// Connects and makes its topic.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let mut neighbour = Neighbour { stream: connect(address), rounds: 0 };
        let topic = CreatableTopic {
            name: Cow::Borrowed(TOPIC),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        };
        let answer = neighbour.ask(5, &CreateTopicsRequest { topics: vec![topic], ..Default::default() });
        let answer: CreateTopicsResponse<'_> = read(&answer, 5);
        assert_eq!(answer.topics[0].error_code, ErrorCode(0));
        neighbour
    }

    /// How many rounds went well.
    pub(crate) fn rounds(&self) -> u64 {
        self.rounds
    }

    /// One record there and back.
    #[track_caller]
    pub(crate) fn round(&mut self) {
        let value = format!("the neighbour's record number {}", self.rounds);
        self.produce(&batch(value.as_bytes()));
        self.fetch(value.as_bytes());
        self.rounds += 1;
    }

    #[track_caller]
    fn produce(&mut self, batch: &[u8]) {
        let partition = PartitionProduceData { index: 0, records: Some(Cow::Borrowed(batch)) };
        let topic =
            TopicProduceData { name: Cow::Borrowed(TOPIC), partition_data: vec![partition], ..Default::default() };
        let request = ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() };
        let answer = self.ask(9, &request);
        let answer: ProduceResponse<'_> = read(&answer, 9);
        let partition = &answer.responses[0].partition_responses[0];
        assert_eq!((partition.error_code, partition.base_offset), (ErrorCode(0), self.rounds as i64));
    }

    #[track_caller]
    fn fetch(&mut self, value: &[u8]) {
        let partition =
            FetchPartition { fetch_offset: self.rounds as i64, partition_max_bytes: 1 << 20, ..Default::default() };
        let topic = FetchTopic { topic: Cow::Borrowed(TOPIC), partitions: vec![partition], ..Default::default() };
        let request = FetchRequest {
            replica_id: -1,
            max_wait_ms: 30_000,
            min_bytes: 1,
            session_epoch: -1,
            topics: vec![topic],
            ..Default::default()
        };
        let answer = self.ask(11, &request);
        let answer: FetchResponse<'_> = read(&answer, 11);
        let partition = &answer.responses[0].partitions[0];
        assert_eq!((partition.error_code, partition.high_watermark), (ErrorCode(0), self.rounds as i64 + 1));
        let records = partition.records.as_ref().map(|records| records.concat()).unwrap_or_default();
        assert_eq!(records[..8], self.rounds.to_be_bytes(), "the batch begins with its offset");
        let place = records.len() - value.len() - 1;
        assert_eq!(&records[place..place + value.len()], value);
    }

    /// Sends one request and answers the frame that comes back, without its size.
    #[track_caller]
    fn ask<'a, M: Message<'a>>(&mut self, version: i16, request: &M) -> Bytes {
        let frame = frame::encode_request_frame(1, version, Some(TOPIC), request).expect("a proper request").concat();
        self.stream.write_all(&frame).expect("the connection takes a request");
        let mut size = [0; 4];
        self.stream.read_exact(&mut size).expect("an answer");
        let mut answer = vec![0; u32::from_be_bytes(size) as usize];
        self.stream.read_exact(&mut answer).expect("a whole answer");
        Bytes::from(answer)
    }
}

#[track_caller]
fn read<'a, M: Message<'a>>(answer: &'a Bytes, version: i16) -> M {
    frame::decode_response(answer, version).expect("a proper answer").1
}

/// A record batch of format 2 with one record, by hand, so that this client does not share the broker's mistakes.
fn batch(value: &[u8]) -> Vec<u8> {
    // Attributes, time and offset deltas of 0, no key, the value, no headers; lengths are zigzag varints of one byte.
    let mut record = vec![0, 0, 0, 1, 2 * u8::try_from(value.len()).expect("a short value")];
    record.extend_from_slice(value);
    record.push(0);
    assert!(record.len() < 64, "its length must fit in one byte too");

    let mut summed = vec![0, 0, 0, 0, 0, 0];
    summed.extend_from_slice(&1_700_000_000_000_i64.to_be_bytes());
    summed.extend_from_slice(&1_700_000_000_000_i64.to_be_bytes());
    summed.extend_from_slice(&[0xff; 14]);
    summed.extend_from_slice(&[0, 0, 0, 1, 2 * record.len() as u8]);
    summed.extend_from_slice(&record);

    let mut batch = vec![0; 8];
    batch.extend_from_slice(&(summed.len() as u32 + 9).to_be_bytes());
    batch.extend_from_slice(&[0, 0, 0, 0, 2]);
    batch.extend_from_slice(&crc32c(&summed).to_be_bytes());
    batch.extend_from_slice(&summed);
    batch
}

/// CRC-32C, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 })
    })
}

#[test]
fn the_checksum_is_the_one_of_the_standard() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
}
