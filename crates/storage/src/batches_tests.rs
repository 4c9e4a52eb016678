use ottla_protocol::records::BatchBuilder;

use super::*;

fn batch(timestamps_ms: &[i64]) -> Vec<u8> {
    let mut builder = BatchBuilder::new().producer(7, 2, 40);
    for timestamp_ms in timestamps_ms {
        builder.push(*timestamp_ms, None, Some(b"value"), &[]);
    }
    builder.build().to_vec()
}

fn first_at_or_after(batch: &[u8], timestamp_ms: i64, from_offset: i64) -> Option<FoundOffset> {
    LookUp::default().first_at_or_after(batch, timestamp_ms, from_offset)
}

fn first_largest(batch: &[u8], from_offset: i64) -> Option<FoundOffset> {
    LookUp::default().first_largest(batch, from_offset)
}

fn found(offset: i64, timestamp_ms: i64) -> Option<FoundOffset> {
    Some(FoundOffset { offset, timestamp_ms, leader_epoch: LEADER_EPOCH })
}

#[test]
fn splits_and_sets_offsets() {
    let mut bytes = [batch(&[10, 30, 20]), batch(&[40])].concat();
    let spans = split(&bytes).unwrap();
    assert_eq!(spans.len(), 2);
    assert_eq!((spans[0].start, spans[1].range().end), (0, bytes.len()));
    assert_eq!(spans[0].len_bytes, spans[1].start);
    assert_eq!((spans[0].record_count, spans[0].max_timestamp_ms), (3, 30));
    let producer = ProducerBatch {
        producer_id: 7,
        producer_epoch: 2,
        base_sequence: 40,
        record_count: 1,
        max_timestamp_ms: 40,
        transactional: false,
        control: false,
        marker: None,
    };
    assert_eq!(spans[1].producer, producer);

    assert_eq!(set_offsets(&mut bytes, &spans, 100), 104);
    let spans = split(&bytes).unwrap();
    assert_eq!((spans[0].base_offset, spans[0].end_offset()), (100, 103));
    assert_eq!((spans[1].base_offset, spans[1].end_offset()), (103, 104));
    assert!(bytes[..spans[0].len_bytes][12..16] == [0; 4]);
    records::validate(&bytes[spans[1].range()]).unwrap();
}

#[test]
fn what_is_not_whole_batches_is_refused() {
    let whole = batch(&[1, 2]);
    let mut wrong: Vec<Vec<u8>> = (0..whole.len()).map(|len| whole[..len].to_vec()).collect();
    wrong.push([&whole[..], b"x"].concat());
    for (at, value) in [(8, i32::MAX), (8, -1), (8, 0), (23, -1), (23, i32::MAX), (23, i32::MIN)] {
        let mut changed = whole.clone();
        changed[at..at + 4].copy_from_slice(&value.to_be_bytes());
        wrong.push(changed);
    }
    for bytes in wrong {
        assert!(split(&bytes).is_err(), "{} bytes: {bytes:?}", bytes.len());
    }
    assert!(split(&[whole.clone(), whole].concat()).is_ok());
}

#[test]
fn looks_into_a_batch_by_time() {
    let mut bytes = batch(&[10, 30, 20, 30]);
    let spans = split(&bytes).unwrap();
    set_offsets(&mut bytes, &spans, 50);
    assert_eq!(first_at_or_after(&bytes, 5, 0), found(50, 10));
    assert_eq!(first_at_or_after(&bytes, 11, 0), found(51, 30));
    assert_eq!(first_at_or_after(&bytes, 11, 52), found(52, 20));
    assert_eq!(first_at_or_after(&bytes, 21, 52), found(53, 30));
    assert_eq!(first_at_or_after(&bytes, 31, 0), None);
    assert_eq!(first_at_or_after(&bytes, 5, 54), None);
    assert_eq!(first_largest(&bytes, 0), found(51, 30));
    assert_eq!(first_largest(&bytes, 52), found(53, 30));
    assert_eq!(first_largest(&bytes, 54), None);
}

#[test]
fn a_batch_that_cannot_be_opened_stands_for_its_first_offset() {
    let mut bytes = batch(&[10, 30]);
    let spans = split(&bytes).unwrap();
    set_offsets(&mut bytes, &spans, 50);
    bytes[22] |= 1; // gzip, which it is not
    assert_eq!(first_at_or_after(&bytes, 30, 0), found(50, 30));
    assert_eq!(first_at_or_after(&bytes, 30, 51), found(51, 30));
    assert_eq!(first_at_or_after(&bytes, 31, 0), None);
    assert_eq!(first_largest(&bytes, 51), found(51, 30));
    assert_eq!(first_largest(&bytes, 52), None);
}
