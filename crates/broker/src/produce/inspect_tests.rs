//! What is refused by its records, and how a batch is stored that had to be opened.

use ottla_protocol::records::{BatchBuilder, BatchHeader, Compression};

use super::*;

const NOW_MS: i64 = 1_700_000_000_000;

fn topic() -> TopicSettings {
    super::super::default_topic()
}

/// Three records; the second has no key and is 600 ms old.
fn builder() -> BatchBuilder {
    let mut builder = BatchBuilder::new().producer(9, 1, 100);
    builder.push(NOW_MS, Some(b"key"), Some(&[b'v'; 500]), &[("h", Some(b"1"))]);
    builder.push(NOW_MS - 600, None, Some(b"value"), &[]);
    builder.push(NOW_MS, Some(b"key"), None, &[]);
    builder
}

fn refused(batch: &Bytes, topic: &TopicSettings) -> (ErrorCode, Vec<i32>) {
    let rejection = inspect(batch, topic, NOW_MS).expect_err("is refused");
    (rejection.error, rejection.records.iter().map(|(index, _)| *index).collect())
}

#[test]
fn the_records_at_fault_are_named() {
    let batch = builder().build();
    assert_eq!(inspect(&batch, &topic(), NOW_MS).as_ref(), Ok(&batch));
    let compacted = TopicSettings { compacted: true, ..topic() };
    assert_eq!(refused(&batch, &compacted), (ErrorCode::INVALID_RECORD, vec![1]));
    let limited =
        |before, after| TopicSettings { timestamp_before_max_ms: before, timestamp_after_max_ms: after, ..topic() };
    assert_eq!(refused(&batch, &limited(599, 0)), (ErrorCode::INVALID_TIMESTAMP, vec![1]));
    assert!(inspect(&batch, &limited(600, 0), NOW_MS).is_ok());
    assert_eq!(inspect(&batch, &limited(i64::MAX, 0), NOW_MS - 1).expect_err("too new").records.len(), 2);
    let stamping = TopicSettings { timestamp_type: TimestampType::LogAppendTime, ..limited(0, 0) };
    assert!(inspect(&batch, &stamping, NOW_MS - 1).is_ok(), "the producer's clock is not asked");
}

#[test]
fn one_wrong_timestamp_decides_for_the_batch() {
    let mut builder = BatchBuilder::new();
    builder.push(NOW_MS, None, None, &[]);
    builder.push(NOW_MS - 2, Some(b"key"), None, &[]);
    builder.push(NO_TIMESTAMP, Some(b"key"), None, &[]);
    let topic = TopicSettings { compacted: true, timestamp_before_max_ms: 1, ..topic() };
    assert_eq!(refused(&builder.build(), &topic), (ErrorCode::INVALID_TIMESTAMP, vec![0, 1]));
}

#[test]
fn many_records_at_fault_are_counted_and_some_named() {
    let mut builder = BatchBuilder::new();
    (0..600).for_each(|_| builder.push(NOW_MS, None, None, &[]));
    let rejection =
        inspect(&builder.build(), &TopicSettings { compacted: true, ..topic() }, NOW_MS).expect_err("no keys");
    assert_eq!(rejection.records.len(), NAMED_RECORDS);
    assert!(rejection.message.is_some_and(|message| message.contains("600 records")));
}

#[test]
fn offsets_that_do_not_count_up_are_refused() {
    let mut builder = BatchBuilder::new();
    builder.push_at(0, NOW_MS, None, None, &[]);
    builder.push_at(2, NOW_MS, None, None, &[]);
    assert_eq!(refused(&builder.build(), &topic()), (ErrorCode::INVALID_RECORD, vec![1]));
}

#[test]
fn a_batch_is_stored_with_its_topics_codec() {
    let codecs = [Encoding::None, Encoding::Gzip(6), Encoding::Snappy, Encoding::Lz4(9), Encoding::Zstd(3)];
    let plain = builder().build();
    for came in codecs {
        let batch = builder().build_compressed(came).expect("compresses");
        for wanted in codecs {
            let topic = TopicSettings { stored_as: Some(wanted), ..topic() };
            let stored = inspect(&batch, &topic, NOW_MS).expect("is good");
            let header = records::validate(&stored).expect("a batch with the right checksum");
            assert_eq!(header.compression(), Ok(wanted.compression()));
            let opened = records::open(&stored, 10_000).expect("opens");
            assert_eq!(opened.rebuild(Encoding::None, |_| true).as_ref(), Ok(&plain), "{came:?} as {wanted:?}");
            if came.compression() == wanted.compression() {
                assert_eq!(stored.as_ptr(), batch.as_ptr(), "kept as it came");
            }
        }
    }
}

#[test]
fn a_batch_with_the_codec_keeps_its_level() {
    let batch = builder().build_compressed(Encoding::Gzip(1)).expect("compresses");
    let topic = TopicSettings { stored_as: Some(Encoding::Gzip(9)), ..topic() };
    assert_eq!(inspect(&batch, &topic, NOW_MS), Ok(batch));
}

#[test]
fn the_brokers_time_goes_over_a_batch_compressed_again() {
    let topic =
        TopicSettings { stored_as: Some(Encoding::Snappy), timestamp_type: TimestampType::LogAppendTime, ..topic() };
    let stored = inspect(&builder().build(), &topic, NOW_MS + 5).expect("is good");
    let header = records::validate(&stored).expect("a batch with the right checksum");
    assert_eq!(header.compression(), Ok(Compression::Snappy));
    assert!(header.has_log_append_time());
    let opened = records::open(&stored, 10_000).expect("opens");
    assert!(opened.records().all(|record| record.is_ok_and(|record| record.timestamp_ms == NOW_MS + 5)));
}

#[test]
fn the_largest_timestamp_is_that_of_the_records() {
    let mut claims_more = builder().build().to_vec();
    records::set_create_time(&mut claims_more, NOW_MS + 50).expect("a header");
    let batch = Bytes::from(claims_more);
    for stored_as in [None, Some(Encoding::Zstd(3))] {
        let stored = inspect(&batch, &TopicSettings { stored_as, ..topic() }, NOW_MS).expect("is good");
        let header = records::validate(&stored).expect("a batch with the right checksum");
        assert_eq!(header.max_timestamp_ms, NOW_MS);
    }
    let header = BatchHeader::parse(&batch).expect("a header");
    assert_eq!(header.max_timestamp_ms, NOW_MS + 50, "the request's own bytes are left alone");
}

#[test]
fn what_is_stored_has_to_fit() {
    let plain = builder().build();
    let zipped = builder().build_compressed(Encoding::Gzip(9)).expect("compresses");
    let topic =
        |stored_as, max_message_bytes| TopicSettings { stored_as: Some(stored_as), max_message_bytes, ..topic() };
    let too_large = ErrorCode::MESSAGE_TOO_LARGE;
    assert_eq!(refused(&zipped, &topic(Encoding::None, plain.len() - 1)).0, too_large);
    assert!(inspect(&zipped, &topic(Encoding::None, plain.len()), NOW_MS).is_ok());
    assert_eq!(refused(&plain, &topic(Encoding::Gzip(9), zipped.len() - 1)).0, too_large);
    assert!(inspect(&plain, &topic(Encoding::Gzip(9), zipped.len()), NOW_MS).is_ok());
}

#[test]
fn records_that_cannot_be_read_are_refused() {
    let mut builder = BatchBuilder::new();
    builder.push(NOW_MS, None, Some(b"value"), &[]);
    let good = builder.build();
    // Each is one byte: length, attributes, two deltas, no key, a value of five bytes, no headers. Zigzag doubles.
    const LENGTH_AT: usize = HEADER_BYTES;
    const KEY_AT: usize = LENGTH_AT + 4;
    const VALUE_AT: usize = KEY_AT + 1;
    const HEADERS_AT: usize = VALUE_AT + 6;
    assert_eq!((good[LENGTH_AT], good[KEY_AT], good[VALUE_AT], good[HEADERS_AT]), (22, 1, 10, 0));
    let (minus_two, one, too_long) = (3, 2, 100);
    for (at, byte) in [
        (LENGTH_AT, minus_two),
        (LENGTH_AT, too_long),
        (KEY_AT, minus_two),
        (VALUE_AT, minus_two),
        (VALUE_AT, too_long),
        (HEADERS_AT, minus_two),
        (HEADERS_AT, one),
    ] {
        let mut bad = good.to_vec();
        bad[at] = byte;
        assert_eq!(refused(&bad.into(), &topic()), (ErrorCode::INVALID_RECORD, vec![]), "{byte} at {at}");
    }
    for count in [0i32, 2] {
        let mut bad = good.to_vec();
        bad[57..61].copy_from_slice(&count.to_be_bytes());
        assert_eq!(refused(&bad.into(), &topic()), (ErrorCode::INVALID_RECORD, vec![]), "{count} records announced");
    }
    let mut garbage = good.to_vec();
    garbage[22] = 1;
    assert_eq!(refused(&garbage.into(), &topic()), (ErrorCode::INVALID_RECORD, vec![]), "does not decompress");
}
