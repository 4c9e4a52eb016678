//! Every codec and level, and batches that are rebuilt with them.

use super::super::*;
use super::*;

/// Every codec; every level of those that have few, and the ends and some between of zstd.
fn encodings() -> Vec<Encoding> {
    let gzip = [-1].into_iter().chain(1..=9).map(Encoding::Gzip);
    let zstd = [-131_072, -7, -1, 0, 1, 3, 12, 19, 20, 22].map(Encoding::Zstd);
    let plain = [Encoding::None, Encoding::Snappy].into_iter();
    plain.chain(gzip).chain((1..=17).map(Encoding::Lz4)).chain(zstd).collect()
}

/// Text that compresses, bytes that do not, and nothing; over and under the blocks of each codec.
fn contents() -> Vec<Vec<u8>> {
    let text: Vec<u8> = (0..15_000u32).flat_map(|number| (number * number).to_string().into_bytes()).collect();
    let mut state = 1u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    let noise: Vec<u8> = (0..70_000).map(|_| noise()).collect();
    vec![Vec::new(), b"x".to_vec(), text[..65_536].to_vec(), text, noise]
}

#[test]
fn every_codec_and_level_opens_again_within_its_bound() {
    for content in contents() {
        for encoding in encodings() {
            let mut compressed = b"before".to_vec();
            encoding.compress(&content, &mut compressed).unwrap();
            let compressed = compressed.strip_prefix(b"before").expect("what was there stays");
            let codec = encoding.compression();
            let opened = codec.decompress(compressed, content.len());
            assert!(opened.as_deref() == Ok(&content), "{encoding:?} of {} bytes", content.len());
            if codec != Compression::None && !content.is_empty() {
                let max_bytes = content.len() - 1;
                assert_eq!(codec.decompress(compressed, max_bytes), Err(BatchError::TooLarge { max_bytes }));
            }
        }
    }
}

#[test]
fn levels_make_a_difference_and_the_defaults_are_kafkas() {
    let text = &contents()[3];
    let size = |encoding: Encoding| {
        let mut compressed = Vec::new();
        encoding.compress(text, &mut compressed).unwrap();
        compressed.len()
    };
    assert!(size(Encoding::Gzip(1)) > size(Encoding::Gzip(9)));
    assert_eq!(size(Encoding::Gzip(-1)), size(Encoding::Gzip(6)));
    assert!(size(Encoding::Zstd(-100)) > size(Encoding::Zstd(1)));
    assert!(size(Encoding::Zstd(1)) > size(Encoding::Zstd(22)));
    assert!(size(Encoding::Lz4(9)) > size(Encoding::Lz4(8)), "the default is the fast compressor");
    assert_eq!(size(Encoding::Lz4(12)), size(Encoding::Lz4(17)));
    for number in 0..=4 {
        let compression = Compression::from_number(number).unwrap();
        assert_eq!(Encoding::of(compression).compression().number(), number);
    }
}

#[test]
fn the_frames_are_those_of_kafkas_java_client() {
    let compress = |encoding: Encoding, content: &[u8]| {
        let mut compressed = Vec::new();
        encoding.compress(content, &mut compressed).unwrap();
        compressed
    };
    assert_eq!(compress(Encoding::Snappy, b"aaa"), b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x05\x03\x08aaa");
    assert_eq!(compress(Encoding::Lz4(9), b"aaa"), b"\x04\x22\x4d\x18\x60\x40\x82\x03\0\0\x80aaa\0\0\0\0");
    // Another reader of the frame checks the checksum of its header.
    use std::io::Read;
    let mut read = Vec::new();
    let frame = compress(Encoding::Lz4(3), &contents()[3]);
    lz4_flex::frame::FrameDecoder::new(&frame[..]).read_to_end(&mut read).unwrap();
    assert!(read == contents()[3]);
}

fn batch() -> BatchBuilder {
    let mut builder = BatchBuilder::new().base_offset(40).leader_epoch(3).producer(9, 1, 100).transactional();
    builder.push(1_000, Some(b"k"), Some(b"one"), &[("h", Some(b"1")), ("h", None)]);
    builder.push_at(45, 900, None, Some(&[b'x'; 5_000]), &[]);
    builder.push(1_100, Some(b""), None, &[]);
    builder
}

#[test]
fn a_rebuilt_batch_has_another_codec_and_the_same_content() {
    let plain = batch().build();
    for encoding in encodings() {
        let compressed = batch().build_compressed(encoding).unwrap();
        let opened = open(&compressed, 10_000).unwrap();
        assert_eq!(opened.header.compression(), Ok(encoding.compression()));
        assert_eq!(opened.rebuild(Encoding::None, |_| true).unwrap(), plain, "{encoding:?}");
        let rebuilt = open(&plain, 0).unwrap().rebuild(encoding, |_| true).unwrap();
        assert_eq!(rebuilt, compressed);
    }
}

#[test]
fn records_can_be_left_out_and_the_others_stay_where_they_are() {
    let compressed = batch().build_compressed(Encoding::Snappy).unwrap();
    let opened = open(&compressed, 10_000).unwrap();
    let rebuilt = opened.rebuild(Encoding::Zstd(3), |record| record.key.is_some_and(|key| key == b"k")).unwrap();
    let left = open(&rebuilt, 10_000).unwrap();
    let expected = BatchHeader {
        record_count: 1,
        max_timestamp_ms: 1_000,
        attributes: TRANSACTIONAL_ZSTD,
        batch_length: left.header.batch_length,
        crc: left.header.crc,
        ..opened.header
    };
    assert_eq!(left.header, expected);
    let seen: Vec<_> = left.records().map(|record| record.unwrap()).collect();
    assert_eq!((seen[0].offset, seen[0].timestamp_ms, seen[0].value), (40, 1_000, Some(&b"one"[..])));
    assert_eq!(seen[0].headers.len(), 2);
    let count = BatchError::Count { record_count: 1, last_offset_delta: 6 };
    assert_eq!(validate(&rebuilt), Err(count), "a producer may not leave gaps; the log may");
}

const TRANSACTIONAL_ZSTD: i16 = 0x10 | 4;

#[test]
fn a_batch_of_which_nothing_is_left_keeps_its_header() {
    let compressed = batch().build_compressed(Encoding::Lz4(9)).unwrap();
    let empty = open(&compressed, 10_000).unwrap().rebuild(Encoding::Zstd(3), |_| false).unwrap();
    assert_eq!(empty.len(), HEADER_BYTES);
    let header = BatchHeader::parse(&empty).unwrap();
    assert_eq!((header.record_count, header.max_timestamp_ms), (0, 1_100));
    assert_eq!((header.base_offset, header.last_offset()), (40, 46));
    assert_eq!((header.producer_id, header.last_sequence()), (9, 106));
    assert_eq!(header.compression(), Ok(Compression::None));
    assert_eq!(open(&empty, 0).unwrap().records().count(), 0);
}

#[test]
fn the_brokers_time_stays_that_of_all_records() {
    let mut stamped = batch().build().to_vec();
    set_log_append_time(&mut stamped, 7).unwrap();
    let rebuilt = open(&stamped, 0).unwrap().rebuild(Encoding::Gzip(1), |record| record.offset != 40).unwrap();
    let opened = open(&rebuilt, 10_000).unwrap();
    assert!(opened.header.has_log_append_time());
    let times: Vec<_> = opened.records().map(|record| record.unwrap().timestamp_ms).collect();
    assert_eq!((times, opened.header.max_timestamp_ms), (vec![7, 7], 7));
}
