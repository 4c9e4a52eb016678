use ottla_protocol::records::EndMarker;

use super::*;
use crate::AppendOrigin;
use crate::decide::{Decision, ProducerBatch};

fn batch(producer_id: i64, producer_epoch: i16, base_sequence: i32, max_timestamp_ms: i64) -> ProducerBatch {
    let (transactional, control, marker) = (false, false, None);
    ProducerBatch {
        producer_id,
        producer_epoch,
        base_sequence,
        record_count: 2,
        max_timestamp_ms,
        transactional,
        control,
        marker,
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

/// Producers with open transactions, one that a marker made known, and one whose transaction is over.
fn open_transactions() -> ProducerTable {
    let mut table = ProducerTable::new();
    let open = |id, epoch| ProducerBatch { transactional: true, ..batch(id, epoch, 0, 7) };
    let commit = |id, epoch| {
        let marker = Some(EndMarker { is_commit: true, coordinator_epoch: 3 });
        ProducerBatch { control: true, marker, record_count: 1, base_sequence: -1, ..open(id, epoch) }
    };
    table.apply(&open(1, 0), 10, 1);
    table.apply(&open(2, 0), 12, 1);
    table.apply(&commit(3, 5), 14, 1);
    table.apply(&commit(1, 1), 15, 1);
    table.apply(&open(4, 0), 16, 1);
    table
}

fn decide(table: &ProducerTable, batch: &ProducerBatch) -> Decision {
    crate::decide::decide(table, AppendOrigin::Client, batch)
}

fn encoded(table: &ProducerTable) -> Vec<u8> {
    let mut bytes = Vec::new();
    table.encode(&mut bytes);
    bytes
}

#[test]
fn comes_back_as_it_was() {
    for table in [table(), open_transactions(), ProducerTable::new()] {
        assert_eq!(ProducerTable::decode(&encoded(&table)), Ok(table));
    }
    assert_eq!(table().len(), 7);
}

#[test]
fn the_bytes_are_these() {
    let mut table = ProducerTable::new();
    table.apply(&ProducerBatch { transactional: true, ..batch(258, 3, 4, 1) }, 6, 5);
    let expected = [
        &[2, 0, 0, 0, 1][..],
        &[0, 0, 0, 0, 0, 0, 1, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 5],
        &[0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff],
        &[0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 6, 1],
        &[0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 6],
    ];
    assert_eq!(encoded(&table), expected.concat());
}

#[test]
fn the_format_before_transactions_is_read() {
    let bytes = [
        &[1, 0, 0, 0, 1][..],
        &[0, 0, 0, 0, 0, 0, 1, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 5, 1],
        &[0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 6],
    ];
    let table = ProducerTable::decode(&bytes.concat()).unwrap();
    assert_eq!(decide(&table, &batch(258, 3, 4, 1)), Decision::Duplicate { first_offset: 6, end_offset: 8 });
    assert_eq!(decide(&table, &batch(258, 3, 6, 1)), Decision::Accept);
    assert_eq!(table.first_open_offset(), None);
    let described = table.describe()[0];
    assert_eq!((described.last_sequence, described.last_timestamp_ms, described.coordinator_epoch), (5, -1, -1));
    for length in 0..bytes.concat().len() {
        assert_eq!(ProducerTable::decode(&bytes.concat()[..length]), Err(SnapshotError::TooShort), "{length} bytes");
    }
    let without_batches = [bytes[0], &bytes[1][..18], &[0; 17]].concat();
    assert!(matches!(ProducerTable::decode(&without_batches), Err(SnapshotError::Invalid(_))));
}

#[test]
fn two_transactions_do_not_begin_at_one_offset() {
    let mut bytes = encoded(&open_transactions());
    let table = ProducerTable::decode(&bytes).unwrap();
    assert_eq!((table.first_open_offset(), table.open_transactions()), (Some(12), 2));
    let last_open = bytes.len() - 16 - 1 - 8;
    bytes[last_open..last_open + 8].copy_from_slice(&12_i64.to_be_bytes());
    assert!(matches!(ProducerTable::decode(&bytes), Err(SnapshotError::Invalid(_))));
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
    assert_eq!(with(0, &[3]), SnapshotError::UnknownFormat(3));
    assert_eq!(with(1, &[255; 4]), SnapshotError::TooShort, "a count beyond the bytes");
    assert!(matches!(with(5, &[255; 8]), SnapshotError::Invalid(_)), "a negative id");
    assert!(matches!(with(5, &9_i64.to_be_bytes()), SnapshotError::Invalid(_)), "ids out of order");
    assert!(matches!(with(13, &[255; 2]), SnapshotError::Invalid(_)), "a negative epoch");
    assert!(matches!(with(31, &[0xff, 0, 0, 0]), SnapshotError::Invalid(_)), "a negative coordinator epoch");
    assert!(matches!(with(35, &[0xff]), SnapshotError::Invalid(_)), "a negative end offset");
    assert!(
        matches!(with(43, &(-2_i64).to_be_bytes()), SnapshotError::Invalid(_)),
        "a transaction that begins below 0"
    );
    assert!(
        matches!(with(43, &(1_i64 << 40).to_be_bytes()), SnapshotError::Invalid(_)),
        "a transaction that begins behind its end"
    );
    assert!(matches!(with(51, &[6]), SnapshotError::Invalid(_)), "six batches");
    assert!(matches!(with(56, &[0; 4]), SnapshotError::Invalid(_)), "no records");
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
