use super::*;
use crate::decide::{Decision, decide};

fn batch(producer_id: i64, base_sequence: i32) -> ProducerBatch {
    ProducerBatch {
        producer_id,
        producer_epoch: 0,
        base_sequence,
        record_count: 1,
        max_timestamp_ms: 0,
        transactional: false,
        control: false,
    }
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
    let known = |id| matches!(table.find(&batch(id, 0)), Known::Duplicate { .. });
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
