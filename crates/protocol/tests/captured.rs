//! Bytes that Apache Kafka wrote (`tests/captured/README.md`): decoded, and encoded again to the same bytes.
#![allow(clippy::unwrap_used)]

#[macro_use]
mod every_message;

use bytes::Bytes;
use ottla_protocol::frame::{decode_response_body, encode_body};
use ottla_protocol::messages::*;
use ottla_protocol::records::{BatchError, Compression, open, validate};
use ottla_protocol::{Encoder, ErrorCode};

struct Line {
    name: &'static str,
    number: i16,
    bytes: Bytes,
}

fn lines() -> Vec<Line> {
    let parse = |line: &'static str| {
        let mut words = line.split(' ');
        let (name, number, hex) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let bytes: Vec<u8> = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        Line { name, number: number.parse().unwrap(), bytes: Bytes::from(bytes) }
    };
    include_str!("captured/reference.txt").lines().map(parse).collect()
}

macro_rules! same_again {
    ($($message:ident)*) => {
        /// Decodes and encodes one line; false for a name it does not know.
        fn encodes_to_the_same_bytes(line: &Line) -> bool {
            match line.name {
                $(stringify!($message) => {
                    let message: $message = decode_response_body(&line.bytes, line.number)
                        .unwrap_or_else(|error| panic!("{} {}: {error}", line.name, line.number));
                    let again = encode_body(Encoder::for_request(), line.number, &message).unwrap().concat();
                    assert_eq!(again, line.bytes, "{} {}: {message:?}", line.name, line.number);
                    true
                })*
                _ => false,
            }
        }
    };
}

every_message!(same_again);

#[test]
fn every_message_encodes_to_the_bytes_it_came_from() {
    let messages: Vec<_> = lines().into_iter().filter(|line| line.name != "Batch").collect();
    for line in &messages {
        assert!(encodes_to_the_same_bytes(line), "unknown message {}", line.name);
    }
    for declared in DECLARED_APIS.iter().filter(|declared| !declared.key.is_ours()) {
        for kind in ["Request", "Response"] {
            let name = format!("{}{kind}", declared.key);
            let newest = messages.iter().filter(|line| line.name == name).map(|line| line.number).max();
            assert_eq!(newest, Some(declared.versions.max), "{name}");
        }
    }
}

/// The declared versions are those that the reference says it serves (Produce is advertised from 0 on).
#[test]
fn the_reference_serves_what_is_declared() {
    let lines = lines();
    let line = lines.iter().find(|line| line.name == "ApiVersionsResponse").unwrap();
    let answer: ApiVersionsResponse = decode_response_body(&line.bytes, line.number).unwrap();
    for declared in DECLARED_APIS.iter().filter(|declared| !declared.key.is_ours()) {
        let served = answer.api_keys.iter().find(|served| served.api_key == declared.key.code()).unwrap();
        let min = if declared.key == ottla_protocol::ApiKey::Produce { 0 } else { declared.versions.min };
        assert_eq!((served.min_version, served.max_version), (min, declared.versions.max), "{}", declared.key);
    }
}

#[test]
fn commits_by_topic_id_read_as_they_were_written() {
    let lines = lines();
    let line = |name: &str| lines.iter().find(|line| line.name == name).unwrap();
    let commit: OffsetCommitRequest = decode_response_body(&line("OffsetCommitRequest").bytes, 10).unwrap();
    assert_eq!(commit.topics[0].partitions[0].committed_offset, 2);
    assert_eq!(commit.topics[0].partitions[0].committed_metadata.as_deref(), Some("where I was"));
    assert_eq!(commit.topics[0].partitions[1].committed_metadata, None);
    assert_eq!(commit.topics[0].name, "");

    let committed: OffsetCommitResponse = decode_response_body(&line("OffsetCommitResponse").bytes, 10).unwrap();
    let unknown = committed.topics.iter().find(|topic| topic.topic_id != commit.topics[0].topic_id).unwrap();
    assert_eq!(unknown.partitions[0].error_code, ErrorCode::UNKNOWN_TOPIC_ID);

    let fetched: OffsetFetchResponse = decode_response_body(&line("OffsetFetchResponse").bytes, 10).unwrap();
    assert_eq!(fetched.groups[0].topics[0].topic_id, commit.topics[0].topic_id);
    assert_eq!(fetched.groups[0].topics[0].partitions[0].committed_offset, 2);
}

#[test]
fn batches_of_every_codec_open_to_the_same_records() {
    let lines = lines();
    let batches: Vec<_> = lines.iter().filter(|line| line.name == "Batch").collect();
    let mut seen = Vec::new();
    let mut contents = Vec::new();
    for line in &batches {
        let header = validate(&line.bytes).unwrap();
        assert_eq!(header.record_count, i32::from(line.number));
        let opened = open(&line.bytes, 1 << 20).unwrap();
        let records: Vec<_> = opened.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), line.number as usize);
        for (place, record) in records.iter().enumerate() {
            assert_eq!(record.offset, place as i64);
            assert_eq!(record.timestamp_ms, 1_700_000_000_000 + place as i64);
            assert_eq!(record.key.is_none(), place % 3 == 0);
            assert_eq!(record.value.is_none(), place % 5 == 4);
            let headers: Vec<_> = record.headers.iter().collect();
            let expected: &[(&[u8], Option<&[u8]>)] =
                if place % 2 == 0 { &[(b"h", Some(b"1")), (b"h", None)] } else { &[] };
            assert_eq!(headers, expected);
        }
        seen.push((header.compression().unwrap(), line.number));
        if line.number == 3_000 {
            contents.push(opened.record_bytes().to_vec());
        }
    }
    for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        assert!(seen.contains(&(compression, 1)) && seen.contains(&(compression, 3_000)), "{compression}");
    }
    assert_eq!(contents.len(), 4);
    assert!(contents.iter().all(|content| *content == contents[0]));
    assert!(contents[0].len() > 64 * 1024, "several blocks");
}

#[test]
fn a_batch_that_opens_larger_than_allowed_is_refused() {
    for line in lines().iter().filter(|line| line.name == "Batch" && line.number == 3_000) {
        let size = open(&line.bytes, 1 << 20).unwrap().record_bytes().len();
        assert_eq!(open(&line.bytes, size).unwrap().record_bytes().len(), size);
        for max_bytes in [0, 1, 1_000, size - 1] {
            assert_eq!(open(&line.bytes, max_bytes).unwrap_err(), BatchError::TooLarge { max_bytes }, "of {size}");
        }
    }
}
