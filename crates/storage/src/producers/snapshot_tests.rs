use super::*;
use crate::decide::{Decision, ProducerBatch, decide};

fn batch(producer_id: i64, producer_epoch: i16, base_sequence: i32, max_timestamp_ms: i64) -> ProducerBatch {
    let (transactional, control) = (false, false);
    ProducerBatch {
        producer_id,
        producer_epoch,
        base_sequence,
        record_count: 2,
        max_timestamp_ms,
        transactional,
        control,
    }
}

/// Producers with one to seven batches, the first of them in a second epoch.
fn table() -> ProducerTable {
    let mut table = ProducerTable::new();
    let mut offset = 0;
    table.apply(&batch(0, 0, 0, 1), 1_000, 1);
    for producer in 0..7 {
        for sequence in 0..=producer {
            offset += 2;
            table.apply(&batch(producer as i64, 1, sequence * 2, 1), 2_000 + offset, 100 + i64::from(producer));
        }
    }
    table
}

fn encoded(table: &ProducerTable) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.encode(&mut bytes);
    bytes
}

#[test]
fn comes_back_as_it_was() {
    for table in [table(), ProducerTable::new()] {
        assert_eq!(ProducerTable::decode(&encoded(&table)), Ok(table));
    }
    assert_eq!(table().len(), 7);
}

#[test]
fn the_bytes_are_these() {
    let mut table = ProducerTable::new();
    table.apply(&batch(258, 3, 4, 1), 6, 5);
    let expected = [
        &[1, 0, 0, 0, 1][..],
        &[0, 0, 0, 0, 0, 0, 1, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 5, 1],
        &[0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 6],
    ];
    assert_eq!(encoded(&table), expected.concat());
}

#[test]
fn any_other_length_is_refused() {
    let bytes = encoded(&table());
    for len in 0..bytes.len() {
        assert_eq!(ProducerTable::decode(&bytes[..len]), Err(SnapshotError::TooShort), "{len} bytes");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(ProducerTable::decode(&longer), Err(SnapshotError::TooLong));
}

#[test]
fn wrong_values_are_refused() {
    let bytes = encoded(&table());
    let with = |at: usize, value: &[u8]| {
        let mut changed = bytes.clone();
        changed[at..at + value.len()].copy_from_slice(value);
        ProducerTable::decode(&changed).expect_err("was accepted")
    };
    assert_eq!(with(0, &[2]), SnapshotError::UnknownFormat(2));
    assert_eq!(with(1, &[255; 4]), SnapshotError::TooShort, "a count beyond the bytes");
    assert!(matches!(with(5, &[255; 8]), SnapshotError::Invalid(_)), "a negative id");
    assert!(matches!(with(5, &9_i64.to_be_bytes()), SnapshotError::Invalid(_)), "ids out of order");
    assert!(matches!(with(13, &[255; 2]), SnapshotError::Invalid(_)), "a negative epoch");
    assert!(matches!(with(23, &[0]), SnapshotError::Invalid(_)), "no batches");
    assert!(matches!(with(23, &[6]), SnapshotError::Invalid(_)), "six batches");
    assert!(matches!(with(28, &[0; 4]), SnapshotError::Invalid(_)), "no records");
}

#[test]
fn a_batch_noted_twice_counts_once() {
    let mut table = table();
    let before = table.clone();
    for sequence in 2..7 {
        let offset = before.producers[&6].batches.all()[sequence - 2].first_offset;
        table.apply(&batch(6, 1, i32::try_from(sequence).unwrap() * 2, 1), offset, 106);
    }
    assert_eq!(table, before);
}

#[test]
fn a_decoded_table_decides_as_before() {
    let table = ProducerTable::decode(&encoded(&table())).unwrap();
    let duplicate = Decision::Duplicate { first_offset: 2_056, end_offset: 2_058 };
    assert_eq!(decide(&table, &batch(6, 1, 12, 0)), duplicate);
    assert_eq!(decide(&table, &batch(6, 1, 14, 0)), Decision::Accept);
    assert!(matches!(decide(&table, &batch(6, 1, 16, 0)), Decision::Refuse(_)));
}

#[test]
fn forgets_by_the_time_at_which_the_last_batch_came() {
    let mut table = table();
    assert!(!table.has_before(100) && table.has_before(101));
    assert_eq!(table.forget_before(100), 0);
    assert_eq!(table.forget_before(103), 3);
    assert_eq!(table.len(), 4);
    assert_eq!(decide(&table, &batch(0, 0, 77, 0)), Decision::Accept, "forgotten producers begin anywhere");
}
