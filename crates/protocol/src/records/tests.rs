//! Batches: what is checked, changed in place, built and read.

use bytes::{Bytes, BytesMut};

use super::*;
use crate::ErrorCode;

fn batch() -> Bytes {
    let mut builder = BatchBuilder::new().base_offset(40).leader_epoch(3).producer(9, 1, 100);
    builder.push(1_000, Some(b"k"), Some(b"one"), &[("h", Some(b"1")), ("h", None), ("", Some(b""))]);
    builder.push(900, None, Some(b""), &[]);
    builder.push(1_100, Some(b""), None, &[]);
    builder.build()
}

#[test]
fn what_is_built_validates_and_reads_back() {
    let batch = batch();
    let header = validate(&batch).unwrap();
    assert_eq!((header.base_offset, header.last_offset(), header.next_offset()), (40, 42, 43));
    assert_eq!((header.base_timestamp_ms, header.max_timestamp_ms), (1_000, 1_100));
    assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (9, 1, 100));
    assert_eq!((header.partition_leader_epoch, header.record_count, header.last_sequence()), (3, 3, 102));
    assert!(header.has_producer() && !header.is_transactional() && !header.is_control());
    let opened = open(&batch, 0).unwrap();
    let records: Vec<_> = opened.records().map(Result::unwrap).collect();
    let seen: Vec<_> =
        records.iter().map(|record| (record.offset, record.timestamp_ms, record.key, record.value)).collect();
    let bytes = |text: &'static str| Some(text.as_bytes());
    let expected = [(40, 1_000, bytes("k"), bytes("one")), (41, 900, None, bytes("")), (42, 1_100, bytes(""), None)];
    assert_eq!(seen, expected);
    let headers: Vec<_> = records[0].headers.iter().collect();
    let expected: [(&[u8], Option<&[u8]>); 3] = [(b"h", Some(b"1")), (b"h", None), (b"", Some(b""))];
    assert_eq!(headers, expected, "repeated names are kept");
}

#[test]
fn gaps_and_kinds_are_kept() {
    let mut builder = BatchBuilder::new().base_offset(5).transactional().control();
    assert!(builder.is_empty());
    builder.push_at(7, 0, None, None, &[]);
    builder.push(0, None, None, &[]);
    let batch = builder.build();
    let header = BatchHeader::parse(&batch).unwrap();
    assert!(header.is_transactional() && header.is_control());
    let opened = open(&batch, 0).unwrap();
    let offsets: Vec<_> = opened.records().map(|record| record.unwrap().offset).collect();
    assert_eq!(offsets, [7, 8]);
    let count = BatchError::Count { record_count: 2, last_offset_delta: 3 };
    assert_eq!(validate(&batch), Err(count), "a producer may not leave gaps");
}

#[test]
#[should_panic(expected = "does not follow")]
fn offsets_only_grow() {
    let mut builder = BatchBuilder::new();
    builder.push(0, None, None, &[]);
    builder.push_at(0, 0, None, None, &[]);
}

#[test]
fn offset_and_epoch_are_set_outside_of_the_checksum() {
    let mut batch = BytesMut::from(&batch()[..]);
    set_base_offset(&mut batch, i64::MAX - 2).unwrap();
    set_leader_epoch(&mut batch, 12).unwrap();
    let header = validate(&batch).unwrap();
    assert_eq!((header.base_offset, header.partition_leader_epoch), (i64::MAX - 2, 12));
}

#[test]
fn log_append_time_is_that_of_all_records_and_within_the_checksum() {
    let mut batch = BytesMut::from(&batch()[..]);
    set_log_append_time(&mut batch, 5_000).unwrap();
    let header = validate(&batch).unwrap();
    assert!(header.has_log_append_time());
    assert_eq!(header.max_timestamp_ms, 5_000);
    let opened = open(&batch, 0).unwrap();
    assert!(opened.records().all(|record| record.unwrap().timestamp_ms == 5_000));
}

#[test]
fn the_records_own_timestamps_can_count_again() {
    let mut batch = BytesMut::from(&batch()[..]);
    set_log_append_time(&mut batch, 5_000).unwrap();
    set_create_time(&mut batch, 1_100).unwrap();
    let header = validate(&batch).unwrap();
    assert_eq!((header.has_log_append_time(), header.max_timestamp_ms), (false, 1_100));
    let opened = open(&batch, 0).unwrap();
    let times: Vec<_> = opened.records().map(|record| record.unwrap().timestamp_ms).collect();
    assert_eq!(times, [1_000, 900, 1_100]);
}

#[test]
fn changes_in_place_need_a_whole_header() {
    let whole = batch();
    for length in 0..HEADER_BYTES {
        let mut short = whole[..length].to_vec();
        assert!(set_base_offset(&mut short, 1).is_err());
        assert!(set_leader_epoch(&mut short, 1).is_err());
        assert!(set_log_append_time(&mut short, 1).is_err());
        assert!(set_create_time(&mut short, 1).is_err());
        assert_eq!(short, whole[..length]);
    }
}

fn check_refused(change: impl FnOnce(&mut Vec<u8>), expected: BatchError, code: ErrorCode) {
    let mut changed = batch().to_vec();
    change(&mut changed);
    assert_eq!(validate(&changed), Err(expected));
    assert_eq!(expected.error_code(), code);
}

#[test]
fn what_a_producer_may_not_send_is_refused() {
    let length = batch().len();
    let set =
        |at: usize, value: &'static [u8]| move |batch: &mut Vec<u8>| batch[at..at + value.len()].copy_from_slice(value);
    check_refused(
        |batch| batch.truncate(60),
        BatchError::Truncated { needed: 61, left: 60 },
        ErrorCode::CORRUPT_MESSAGE,
    );
    check_refused(
        |batch| batch.truncate(length - 1),
        BatchError::Truncated { needed: length as u64, left: length - 1 },
        ErrorCode::CORRUPT_MESSAGE,
    );
    check_refused(|batch| batch.push(0), BatchError::Trailing(1), ErrorCode::INVALID_RECORD);
    check_refused(set(8, &[0, 0, 0, 48]), BatchError::Length(48), ErrorCode::CORRUPT_MESSAGE);
    check_refused(set(8, &[0xff; 4]), BatchError::Length(-1), ErrorCode::CORRUPT_MESSAGE);
    check_refused(set(16, &[1]), BatchError::Magic(1), ErrorCode::INVALID_RECORD);
    check_refused(set(16, &[3]), BatchError::Magic(3), ErrorCode::CORRUPT_MESSAGE);
    check_refused(set(22, &[5]), BatchError::UnknownCompression(5), ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    for (delta, count) in [(2, 2), (3, 3), (-1, 0), (i32::MAX, i32::MIN)] {
        let change = |batch: &mut Vec<u8>| {
            batch[23..27].copy_from_slice(&i32::to_be_bytes(delta));
            batch[57..61].copy_from_slice(&i32::to_be_bytes(count));
        };
        let expected = BatchError::Count { record_count: count, last_offset_delta: delta };
        check_refused(change, expected, ErrorCode::INVALID_RECORD);
    }
    let mut changed = batch().to_vec();
    changed[length - 1] ^= 1;
    assert!(
        matches!(validate(&changed), Err(error @ BatchError::Crc { .. }) if error.error_code() == ErrorCode::CORRUPT_MESSAGE)
    );
}

#[test]
fn batches_are_found_end_to_end_until_one_is_cut_off() {
    let batch = batch();
    let blob = [&batch[..], &batch[..], &batch[..70]].concat();
    let found: Vec<_> = batches(&blob).collect();
    assert_eq!(found.len(), 3);
    assert!(found[..2].iter().all(|found| found.unwrap().bytes == batch));
    assert_eq!(found[2], Err(BatchError::Truncated { needed: batch.len() as u64, left: 70 }));
    assert_eq!(batches(b"").count(), 0);
}

#[test]
fn sequence_numbers_go_round() {
    let mut header = BatchHeader::parse(&batch()).unwrap();
    header.base_sequence = i32::MAX - 1;
    assert_eq!(header.last_sequence(), 0);
    header.base_sequence = i32::MAX - 2;
    assert_eq!(header.last_sequence(), i32::MAX);
}

fn record_errors(records: &[u8], count: i32) -> Vec<Option<BatchError>> {
    let mut bytes = batch()[..HEADER_BYTES].to_vec();
    bytes.extend_from_slice(records);
    let length = bytes.len() as i32 - 12;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[57..61].copy_from_slice(&count.to_be_bytes());
    let opened = open(&bytes, 0).unwrap();
    opened.records().map(Result::err).collect()
}

#[test]
fn malformed_records_end_the_iteration() {
    let bad = Some(BatchError::Record);
    // length, attributes, timestamp delta, offset delta, key, value, headers; zigzag doubles each.
    let good: &[u8] = &[12, 0, 0, 0, 1, 1, 0];
    assert_eq!(record_errors(good, 1), [None]);
    assert_eq!(record_errors(good, 2), [None, bad]);
    assert_eq!(record_errors(good, 0), [bad], "bytes after the last record");
    assert_eq!(record_errors(&[], i32::MAX), [bad]);
    for record in [
        &[13, 0, 0, 0, 1, 1, 0][..],
        &[14, 0, 0, 0, 1, 1, 0, 0],
        &[10, 0, 0, 0, 1, 1],
        &[12, 0, 0, 1, 1, 1, 0],
        &[12, 0, 0, 0, 3, 1, 0],
        &[12, 0, 0, 0, 20, 1, 0],
        &[12, 0, 0, 0, 1, 1, 1],
        &[12, 0, 0, 0, 1, 1, 2],
        &[16, 0, 0, 0, 1, 1, 2, 1, 1],
    ] {
        assert_eq!(record_errors(record, 1), [bad], "{record:?}");
    }
}

/// Text that compresses somewhat, longer than the blocks of every codec.
fn text() -> Vec<u8> {
    (0..40_000u32).flat_map(|number| (number * number).to_string().into_bytes()).collect()
}

fn check_opens(compression: Compression, compressed: &[u8], content: &[u8]) {
    assert_eq!(compression.decompress(compressed, content.len()).as_deref(), Ok(content), "{compression}");
    let max_bytes = content.len() - 1;
    assert_eq!(compression.decompress(compressed, max_bytes), Err(BatchError::TooLarge { max_bytes }), "{compression}");
    // The last bytes may be a checksum of the content, which is passed over: the batch has its own.
    let least_cut = compressed.len() - 6;
    for length in (0..least_cut).step_by(compressed.len() / 50 + 1).chain([least_cut]) {
        let cut_off = compression.decompress(&compressed[..length], content.len());
        assert_ne!(cut_off.as_deref(), Ok(content), "{compression} cut off at {length}");
    }
}

#[test]
fn every_framing_of_lz4_opens() {
    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
    use std::io::Write;
    let text = text();
    for block_size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max4MB] {
        for block_mode in [BlockMode::Independent, BlockMode::Linked] {
            for checksums in [false, true] {
                let info = FrameInfo::new()
                    .block_size(block_size)
                    .block_mode(block_mode)
                    .block_checksums(checksums)
                    .content_checksum(checksums)
                    .content_size(checksums.then_some(text.len() as u64));
                let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
                encoder.write_all(&text).unwrap();
                check_opens(Compression::Lz4, &encoder.finish().unwrap(), &text);
            }
        }
    }
    // A block that is stored as it is, and a dictionary, which is not supported.
    check_opens(Compression::Lz4, b"\x04\x22\x4d\x18\x60\x40\0\x02\0\0\x80hi\0\0\0\0", b"hi");
    let dictionary = Compression::Lz4.decompress(b"\x04\x22\x4d\x18\x61\x40\0\0\0\0\0\0\0\0\0", 10);
    assert_eq!(dictionary, Err(BatchError::Undecodable(Compression::Lz4)));
}

#[test]
fn every_framing_of_zstd_opens() {
    // In a single segment: its size, then one raw block.
    let hello = b"\x28\xb5\x2f\xfd\x20\x05\x29\0\0hello";
    check_opens(Compression::Zstd, hello, b"hello");
    let skipped = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
    check_opens(Compression::Zstd, &[&skipped[..], hello, hello].concat(), b"hellohello");
    let text = text();
    // With the size of the content in its header, and without, as Kafka's Java client writes it.
    let mut context = zstd_safe::CCtx::create();
    for told in [true, false] {
        context.set_parameter(zstd_safe::CParameter::ContentSizeFlag(told)).unwrap();
        let mut frame = Vec::with_capacity(zstd_safe::compress_bound(text.len()));
        context.compress2(&mut frame, &text).unwrap();
        assert_eq!(zstd_safe::get_frame_content_size(&frame).unwrap().is_some(), told);
        check_opens(Compression::Zstd, &frame, &text);
    }
}

#[test]
fn every_framing_of_snappy_and_gzip_opens() {
    use std::io::Write;
    let text = text();
    let raw = snap::raw::Encoder::new().compress_vec(&text).unwrap();
    check_opens(Compression::Snappy, &raw, &text);
    let mut framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for part in text.chunks(32 * 1024) {
        let block = snap::raw::Encoder::new().compress_vec(part).unwrap();
        framed.extend((block.len() as u32).to_be_bytes());
        framed.extend(block);
    }
    check_opens(Compression::Snappy, &framed, &text);

    let mut members = Vec::new();
    for part in text.chunks(100_000) {
        let mut encoder = flate2::write::GzEncoder::new(&mut members, flate2::Compression::fast());
        encoder.write_all(part).unwrap();
    }
    check_opens(Compression::Gzip, &members, &text);
}
