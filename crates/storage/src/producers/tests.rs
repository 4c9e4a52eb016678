use super::*;
use crate::AppendOrigin;
use crate::decide::Decision;

fn batch(producer_id: i64, base_sequence: i32) -> ProducerBatch {
    ProducerBatch {
        producer_id,
        producer_epoch: 0,
        base_sequence,
        record_count: 1,
        max_timestamp_ms: 0,
        transactional: false,
        control: false,
        marker: None,
    }
}

fn decide(table: &ProducerTable, batch: &ProducerBatch) -> Decision {
    crate::decide::decide(table, AppendOrigin::Client, batch)
}

#[test]
fn the_number_of_producers_is_bounded_and_the_longest_silent_go_first() {
    let mut table = ProducerTable::new();
    let most = MAX_PRODUCERS as i64;
    for id in 0..most {
        table.apply(&batch(id, 0), id, 0);
    }
    assert_eq!(table.len(), MAX_PRODUCERS);
    // The first one speaks again, so it is no longer the one that was silent longest.
    table.apply(&batch(0, 1), most, 0);
    assert_eq!(table.len(), MAX_PRODUCERS);
    table.apply(&batch(most, 0), most + 1, 0);
    assert_eq!(table.len(), MAX_PRODUCERS + 1 - MAX_PRODUCERS / 8);
    let known = |id| matches!(decide(&table, &batch(id, 0)), Decision::Duplicate { .. });
    assert!(known(0) && known(most) && known(most - 1));
    assert!(!known(1) && !known(most / 8) && known(most / 8 + 1));
}

#[test]
fn a_batch_that_does_not_follow_shows_that_its_producer_had_been_forgotten() {
    let mut table = ProducerTable::new();
    table.apply(&batch(7, 0), 10, 0);
    table.apply(&batch(7, 1), 11, 0);
    table.apply(&batch(7, 0), 12, 0);
    assert_eq!(decide(&table, &batch(7, 0)), Decision::Duplicate { first_offset: 12, end_offset: 13 });
    assert_eq!(decide(&table, &batch(7, 1)), Decision::Accept, "what came before counts no more");
}

#[test]
fn producers_with_an_open_transaction_are_not_forgotten() {
    let mut table = ProducerTable::new();
    let open = |id| ProducerBatch { transactional: true, ..batch(id, 0) };
    for id in 0..10 {
        table.apply(&open(id), id, 0);
    }
    let most = MAX_PRODUCERS as i64;
    for id in 10..10 + most {
        table.apply(&batch(id, 0), id, 5);
    }
    assert_eq!(table.len(), MAX_PRODUCERS + 10, "they do not count");
    table.apply(&batch(most + 10, 0), most + 10, 5);
    assert_eq!(table.len(), MAX_PRODUCERS + 11 - MAX_PRODUCERS / 8);
    assert_eq!((table.first_open_offset(), table.open_transactions()), (Some(0), 10));
    assert!(!table.has_before(5), "the others came at 5");
    assert!(table.has_before(6));
    table.forget_before(6);
    assert_eq!((table.len(), table.open_transactions()), (10, 10));
}

#[test]
fn what_is_described_of_a_producer() {
    let mut table = ProducerTable::new();
    table.apply(&ProducerBatch { base_sequence: i32::MAX, max_timestamp_ms: 9, ..batch(3, 0) }, 5, 77);
    table.apply(&ProducerBatch { base_sequence: -1, transactional: true, ..batch(8, 0) }, 6, 77);
    let idempotent = ProducerDescription {
        producer_id: 3,
        producer_epoch: 0,
        last_sequence: i32::MAX,
        last_timestamp_ms: 9,
        coordinator_epoch: -1,
        transaction_start_offset: None,
    };
    let transactional = ProducerDescription {
        producer_id: 8,
        last_sequence: -1,
        last_timestamp_ms: 0,
        transaction_start_offset: Some(6),
        ..idempotent
    };
    assert_eq!(table.describe(), [idempotent, transactional]);
}
