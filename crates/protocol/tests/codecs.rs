//! Compressed batches of random records, from a seed: for every codec and level they open to what went in, and the
//! `kafka-protocol` crate reads what we write and the other way round. Its gzip is left out, because it would bring another
//! deflate into the tests than the broker is built with; there the system under test meets `flate2` alone.
//!
//! `OTTLA_CODEC_ROUNDS` sets another count, `OTTLA_HOSTILE_SEED` another seed.
#![allow(clippy::unwrap_used)]

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::records as oracle;
use ottla_protocol::records::{BatchBuilder, Compression, Encoding, open, validate};
use ottla_protocol::sample::Generator;

#[expect(clippy::disallowed_methods, reason = "the settings of a test")]
fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect(name))
}

/// A record before it is in a batch.
#[derive(Clone, Debug, PartialEq)]
struct Plain {
    timestamp_ms: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Bytes that compress well, badly or not at all; now and then longer than the codecs' blocks.
fn bytes(generator: &mut Generator) -> Vec<u8> {
    let length = match generator.below(40) {
        0 => generator.below(200_000),
        1..=4 => generator.below(5_000),
        _ => generator.below(100),
    };
    match generator.below(3) {
        0 => vec![generator.bits() as u8; length],
        1 => (0..length).map(|at| b"key value key valve "[at % 20]).collect(),
        _ => (0..length).map(|_| generator.bits() as u8).collect(),
    }
}

fn nullable(generator: &mut Generator) -> Option<Vec<u8>> {
    (generator.below(4) > 0).then(|| bytes(generator))
}

fn records(generator: &mut Generator) -> Vec<Plain> {
    let most = if generator.below(4) == 0 { 300 } else { 10 };
    let count = 1 + generator.below(most);
    let mut now_ms = 1_700_000_000_000;
    let mut record = || {
        now_ms += generator.below(20_000) as i64 - 5_000;
        // Names differ, because the oracle keeps headers in a map.
        let headers = (0..generator.below(4)).map(|number| (format!("h{number}"), nullable(generator))).collect();
        Plain { timestamp_ms: now_ms, key: nullable(generator), value: nullable(generator), headers }
    };
    (0..count).map(|_| record()).collect()
}

fn encoding(generator: &mut Generator) -> Encoding {
    match generator.below(12) {
        0 => Encoding::None,
        1 | 2 => Encoding::Snappy,
        3 | 4 => Encoding::Gzip(generator.below(10) as i32),
        5..=7 => Encoding::Lz4(1 + generator.below(17) as i32),
        8 => Encoding::Zstd(-(generator.below(131_073) as i32)),
        9 => Encoding::Zstd(20 + generator.below(3) as i32),
        _ => Encoding::Zstd(generator.below(16) as i32),
    }
}

fn build(records: &[Plain], encoding: Encoding) -> Bytes {
    let mut builder = BatchBuilder::new().leader_epoch(0);
    for record in records {
        let headers: Vec<_> = record.headers.iter().map(|(name, value)| (&**name, value.as_deref())).collect();
        builder.push(record.timestamp_ms, record.key.as_deref(), record.value.as_deref(), &headers);
    }
    builder.build_compressed(encoding).unwrap()
}

fn read(batch: &[u8]) -> Vec<Plain> {
    let opened = open(batch, 64 << 20).unwrap();
    let plain = |record: ottla_protocol::records::Record<'_>| Plain {
        timestamp_ms: record.timestamp_ms,
        key: record.key.map(<[u8]>::to_vec),
        value: record.value.map(<[u8]>::to_vec),
        headers: record
            .headers
            .iter()
            .map(|(name, value)| (String::from_utf8(name.to_vec()).unwrap(), value.map(<[u8]>::to_vec)))
            .collect(),
    };
    opened.records().map(|record| plain(record.unwrap())).collect()
}

fn read_by_oracle(batch: &Bytes) -> Vec<Plain> {
    let set = oracle::RecordBatchDecoder::decode(&mut batch.clone()).unwrap();
    let plain = |record: oracle::Record| Plain {
        timestamp_ms: record.timestamp,
        key: record.key.map(|key| key.to_vec()),
        value: record.value.map(|value| value.to_vec()),
        headers: record
            .headers
            .into_iter()
            .map(|(name, value)| (name.to_string(), value.map(|value| value.to_vec())))
            .collect(),
    };
    set.records.into_iter().map(plain).collect()
}

fn build_by_oracle(records: &[Plain], compression: oracle::Compression) -> Bytes {
    let record = |(offset, plain): (usize, &Plain)| oracle::Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: oracle::TimestampType::Creation,
        offset: offset as i64,
        sequence: -1 + offset as i32,
        timestamp: plain.timestamp_ms,
        key: plain.key.clone().map(Bytes::from),
        value: plain.value.clone().map(Bytes::from),
        headers: plain
            .headers
            .iter()
            .map(|(name, value)| (name.clone().into(), value.clone().map(Bytes::from)))
            .collect(),
    };
    let records: Vec<_> = records.iter().enumerate().map(record).collect();
    let mut encoded = BytesMut::new();
    let options = oracle::RecordEncodeOptions { version: 2, compression };
    oracle::RecordBatchEncoder::encode(&mut encoded, &records, &options).unwrap();
    encoded.copy_to_bytes(encoded.remaining())
}

#[test]
fn random_records_open_to_what_went_in_also_by_the_oracle() {
    let mut generator = Generator::new(setting("OTTLA_HOSTILE_SEED", 20_261_126));
    for round in 0..setting("OTTLA_CODEC_ROUNDS", 300) {
        let records = records(&mut generator);
        let encoding = encoding(&mut generator);
        let batch = build(&records, encoding);
        let header = validate(&batch).unwrap_or_else(|error| panic!("round {round}, {encoding:?}: {error}"));
        assert_eq!(header.compression(), Ok(encoding.compression()));
        assert!(read(&batch) == records, "round {round}, {encoding:?}");
        if encoding.compression() != Compression::Gzip {
            assert!(read_by_oracle(&batch) == records, "round {round}, {encoding:?}, read by the oracle");
        }
    }
}

#[test]
fn what_the_oracle_compresses_opens() {
    let mut generator = Generator::new(setting("OTTLA_HOSTILE_SEED", 20_261_126));
    let codecs = [
        (oracle::Compression::None, Compression::None),
        (oracle::Compression::Snappy, Compression::Snappy),
        (oracle::Compression::Lz4, Compression::Lz4),
        (oracle::Compression::Zstd, Compression::Zstd),
    ];
    for round in 0..setting("OTTLA_CODEC_ROUNDS", 100) {
        let records = records(&mut generator);
        let (by_oracle, codec) = codecs[generator.below(codecs.len())];
        let batch = build_by_oracle(&records, by_oracle);
        let opened = open(&batch, 64 << 20).unwrap_or_else(|error| panic!("round {round}, {codec}: {error}"));
        assert_eq!(opened.header.compression(), Ok(codec));
        assert!(read(&batch) == records, "round {round}, {codec}");
        let again = opened.rebuild(encoding(&mut generator), |_| true).unwrap();
        assert!(read(&again) == records, "round {round}, {codec} compressed again");
    }
}

/// Compressed bytes with a few bits turned or a piece missing: opened to no more than the bound, or refused.
#[test]
fn damaged_codecs_stay_within_the_bound() {
    let mut generator = Generator::new(setting("OTTLA_HOSTILE_SEED", 20_261_126));
    let (mut refused, rounds) = (0, setting("OTTLA_CODEC_ROUNDS", 300));
    for _ in 0..rounds {
        let records = records(&mut generator);
        let encoding = [Encoding::Snappy, Encoding::Gzip(1), Encoding::Lz4(9), Encoding::Zstd(1)][generator.below(4)];
        let mut batch = build(&records, encoding).to_vec();
        for _ in 0..=generator.below(3) {
            let at = 61 + generator.below(batch.len() - 61);
            batch[at] ^= 1 << generator.below(8);
        }
        let max_bytes = [1_000, 100_000, 1 << 20][generator.below(3)];
        match open(&batch, max_bytes) {
            Ok(opened) => {
                assert!(opened.record_bytes().len() <= max_bytes);
                refused += u64::from(opened.records().any(|record| record.is_err()));
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > rounds / 2, "only {refused} of {rounds} were found out");
}
