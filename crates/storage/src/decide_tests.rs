use super::*;
use crate::AbortedTransaction;

fn batch(producer_id: i64, producer_epoch: i16, base_sequence: i32, record_count: i32) -> ProducerBatch {
    ProducerBatch {
        producer_id,
        producer_epoch,
        base_sequence,
        record_count,
        max_timestamp_ms: 1_000,
        transactional: false,
        control: false,
        marker: None,
    }
}

/// A partition that only counts: decides, applies what is accepted, answers what the decision was.
#[derive(Default)]
struct Partition {
    producers: ProducerTable,
    end_offset: i64,
}

impl Partition {
    fn send(&mut self, batch: ProducerBatch) -> Decision {
        self.send_as(AppendOrigin::Client, batch).0
    }

    fn send_as(&mut self, origin: AppendOrigin, batch: ProducerBatch) -> (Decision, Option<AbortedTransaction>) {
        let decision = decide(&self.producers, origin, &batch);
        let mut aborted = None;
        if decision == Decision::Accept {
            aborted = self.producers.apply(&batch, self.end_offset, 0);
            self.end_offset += i64::from(batch.record_count);
        }
        (decision, aborted)
    }

    fn accepts(&mut self, batch: ProducerBatch) {
        assert_eq!(self.send(batch), Decision::Accept, "{batch:?}");
    }

    fn knows(&mut self, batch: ProducerBatch, first_offset: i64) {
        let end_offset = first_offset + i64::from(batch.record_count);
        assert_eq!(self.send(batch), Decision::Duplicate { first_offset, end_offset }, "{batch:?}");
    }

    fn misses(&mut self, batch: ProducerBatch, expected: i32) {
        let refusal = Refusal::OutOfOrderSequence { expected, got: batch.base_sequence };
        assert_eq!(self.send(batch), Decision::Refuse(refusal), "{batch:?}");
    }
}

#[test]
fn without_a_producer_id_everything_is_accepted() {
    let mut partition = Partition::default();
    for _ in 0..3 {
        partition.accepts(batch(-1, -1, -1, 2));
        partition.accepts(batch(-2, 0, 7, 1));
    }
    assert!(partition.producers.is_empty());
}

#[test]
fn an_unknown_producer_begins_anywhere() {
    let mut partition = Partition::default();
    partition.accepts(batch(9, 0, 50, 3));
    partition.misses(batch(9, 0, 50, 2), 53);
    partition.misses(batch(9, 0, 60, 1), 53);
    partition.accepts(batch(9, 0, 53, 1));
    partition.accepts(batch(10, 3, 7, 1));
}

#[test]
fn the_last_five_are_remembered_and_no_more() {
    let mut partition = Partition::default();
    for sequence in 0..6 {
        partition.accepts(batch(1, 0, sequence, 1));
    }
    for sequence in 1..6 {
        partition.knows(batch(1, 0, sequence, 1), i64::from(sequence));
    }
    partition.misses(batch(1, 0, 0, 1), 6);
    partition.accepts(batch(1, 0, 6, 1));
}

#[test]
fn a_part_of_a_batch_is_not_its_duplicate() {
    let mut partition = Partition::default();
    partition.accepts(batch(1, 0, 0, 4));
    partition.misses(batch(1, 0, 0, 3), 4);
    partition.misses(batch(1, 0, 1, 3), 4);
    partition.misses(batch(1, 0, 0, 5), 4);
    partition.knows(batch(1, 0, 0, 4), 0);
}

#[test]
fn a_newer_epoch_begins_at_zero_and_ends_the_older() {
    let mut partition = Partition::default();
    partition.accepts(batch(1, 2, 0, 1));
    partition.misses(batch(1, 4, 1, 1), 0);
    partition.accepts(batch(1, 4, 0, 1));
    let fenced = Refusal::InvalidProducerEpoch { current: 4, got: 2 };
    assert_eq!(partition.send(batch(1, 2, 1, 1)), Decision::Refuse(fenced));
    assert_eq!(partition.send(batch(1, 2, 0, 1)), Decision::Refuse(fenced), "also what it sent before");
    partition.knows(batch(1, 4, 0, 1), 1);
    partition.accepts(batch(1, 4, 1, 1));
}

#[test]
fn sequence_numbers_begin_anew_after_the_largest() {
    let mut partition = Partition::default();
    partition.accepts(batch(1, 0, i32::MAX - 1, 2));
    partition.misses(batch(1, 0, 1, 1), 0);
    partition.accepts(batch(1, 0, 0, 1));
    partition.knows(batch(1, 0, i32::MAX - 1, 2), 0);

    let mut within = Partition::default();
    within.accepts(batch(1, 0, i32::MAX - 1, 5));
    within.misses(batch(1, 0, 2, 1), 3);
    within.accepts(batch(1, 0, 3, 1));
    within.knows(batch(1, 0, i32::MAX - 1, 5), 0);
}

#[test]
fn what_clients_may_not_send() {
    let mut partition = Partition::default();
    let wrong = [
        ProducerBatch { control: true, ..batch(-1, -1, -1, 1) },
        ProducerBatch { transactional: true, ..batch(-1, -1, -1, 1) },
        batch(1, 0, -1, 1),
        batch(1, -1, 0, 1),
        batch(1, 0, 0, 0),
        batch(-1, -1, -1, 0),
        batch(1, 0, 0, i32::MIN),
    ];
    for batch in wrong {
        assert!(matches!(partition.send(batch), Decision::Refuse(Refusal::InvalidBatch(_))), "{batch:?}");
    }
}

#[test]
fn what_coordinators_may_not_send() {
    let mut partition = Partition::default();
    let wrong = [
        ProducerBatch { marker: None, ..marker(1, 0, true, 0) },
        ProducerBatch { producer_id: -1, ..marker(1, 0, true, 0) },
        ProducerBatch { producer_epoch: -1, ..marker(1, 0, true, 0) },
        ProducerBatch { record_count: 2, ..marker(1, 0, true, 0) },
        ProducerBatch { transactional: true, ..batch(1, 0, 0, 1) },
    ];
    for batch in wrong {
        let (decision, _) = partition.send_as(AppendOrigin::Coordinator, batch);
        assert!(matches!(decision, Decision::Refuse(Refusal::InvalidBatch(_))), "{batch:?}: {decision:?}");
    }
}

#[test]
fn several_batches_only_without_a_producer_id() {
    let producers = ProducerTable::new();
    let plain = batch(-1, -1, -1, 1);
    assert_eq!(decide_append(&producers, AppendOrigin::Client, &[plain, plain]), Decision::Accept);
    assert_eq!(decide_append(&producers, AppendOrigin::Client, &[batch(1, 0, 0, 1)]), Decision::Accept);
    let control = ProducerBatch { control: true, ..plain };
    for wrong in [&[] as &[_], &[plain, batch(1, 0, 0, 1)], &[batch(1, 0, 0, 1), batch(1, 0, 1, 1)], &[plain, control]]
    {
        let decision = decide_append(&producers, AppendOrigin::Client, wrong);
        assert!(matches!(decision, Decision::Refuse(Refusal::InvalidBatch(_))), "{wrong:?}: {decision:?}");
    }
}

#[test]
fn a_coordinator_sends_several_batches_of_different_producers() {
    let producers = ProducerTable::new();
    let decided = |batches: &[_]| decide_append(&producers, AppendOrigin::Coordinator, batches);
    let plain = batch(-1, -1, -1, 1);
    assert_eq!(decided(&[plain, marker(1, 0, true, 0), marker(2, 0, false, 0), plain]), Decision::Accept);
    let twice = decided(&[marker(1, 0, true, 0), marker(1, 1, true, 0)]);
    assert!(matches!(twice, Decision::Refuse(Refusal::InvalidBatch(_))), "{twice:?}");
}

fn marker(producer_id: i64, producer_epoch: i16, is_commit: bool, coordinator_epoch: i32) -> ProducerBatch {
    let marker = Some(EndMarker { is_commit, coordinator_epoch });
    let (transactional, control) = (true, true);
    ProducerBatch { transactional, control, marker, ..batch(producer_id, producer_epoch, -1, 1) }
}

fn transactional(producer_id: i64, producer_epoch: i16, base_sequence: i32) -> ProducerBatch {
    ProducerBatch { transactional: true, ..batch(producer_id, producer_epoch, base_sequence, 1) }
}

impl Partition {
    /// Ends a transaction; answers what was aborted.
    fn ends(&mut self, marker: ProducerBatch) -> Option<AbortedTransaction> {
        let (decision, aborted) = self.send_as(AppendOrigin::Coordinator, marker);
        assert_eq!(decision, Decision::Accept, "{marker:?}");
        aborted
    }

    fn open_from(&self) -> Option<i64> {
        self.producers.first_open_offset()
    }
}

#[test]
fn a_transaction_is_open_from_its_first_batch_to_its_marker() {
    let mut partition = Partition::default();
    partition.accepts(batch(-1, -1, -1, 5));
    partition.accepts(transactional(1, 0, 0));
    partition.accepts(transactional(2, 0, 0));
    partition.accepts(transactional(1, 0, 1));
    assert_eq!(partition.open_from(), Some(5));
    assert_eq!(partition.ends(marker(1, 0, true, 7)), None, "a committed one is in no index");
    assert_eq!(partition.open_from(), Some(6), "that of 2");
    partition.accepts(transactional(1, 0, 2));
    let aborted = AbortedTransaction { producer_id: 2, first_offset: 6, last_offset: 10, last_stable_offset: 9 };
    assert_eq!(partition.ends(marker(2, 0, false, 7)), Some(aborted));
    assert_eq!(partition.open_from(), Some(9));
    let aborted = AbortedTransaction { producer_id: 1, first_offset: 9, last_offset: 11, last_stable_offset: 12 };
    assert_eq!(partition.ends(marker(1, 0, false, 7)), Some(aborted));
    assert_eq!(partition.open_from(), None);
}

#[test]
fn sequence_numbers_go_on_after_a_marker_of_the_same_epoch_only() {
    let mut partition = Partition::default();
    partition.accepts(transactional(1, 0, 0));
    partition.ends(marker(1, 0, true, 7));
    partition.misses(transactional(1, 0, 2), 1);
    partition.knows(transactional(1, 0, 0), 0);
    partition.accepts(transactional(1, 0, 1));
    partition.ends(marker(1, 1, true, 7));
    let fenced = Refusal::InvalidProducerEpoch { current: 1, got: 0 };
    assert_eq!(partition.send(transactional(1, 0, 2)), Decision::Refuse(fenced));
    partition.misses(transactional(1, 1, 2), 0);
    partition.accepts(transactional(1, 1, 0));
}

#[test]
fn a_marker_moves_the_epoch_of_who_has_nothing_open() {
    let mut partition = Partition::default();
    assert_eq!(partition.ends(marker(1, 4, false, 7)), None);
    let fenced = Refusal::InvalidProducerEpoch { current: 4, got: 3 };
    assert_eq!(partition.send(transactional(1, 3, 0)), Decision::Refuse(fenced), "late");
    partition.misses(transactional(1, 4, 5), 0);
    partition.accepts(transactional(1, 4, 0));
}

#[test]
fn older_markers_are_refused() {
    let mut partition = Partition::default();
    partition.accepts(transactional(1, 4, 0));
    let mut refused = |batch| partition.send_as(AppendOrigin::Coordinator, batch).0;
    let older = Refusal::InvalidProducerEpoch { current: 4, got: 3 };
    assert_eq!(refused(marker(1, 3, true, 7)), Decision::Refuse(older));
    partition.ends(marker(1, 4, true, 7));
    let mut refused = |batch| partition.send_as(AppendOrigin::Coordinator, batch).0;
    let replaced = Refusal::CoordinatorFenced { current: 7, got: 6 };
    assert_eq!(refused(marker(1, 4, true, 6)), Decision::Refuse(replaced));
    partition.ends(marker(1, 4, true, 8));
}

#[test]
fn nothing_else_comes_in_the_middle_of_a_transaction() {
    let mut partition = Partition::default();
    partition.accepts(transactional(1, 0, 0));
    let outside = Decision::Refuse(Refusal::TransactionOpen { first_offset: 0 });
    assert_eq!(partition.send(batch(1, 0, 1, 1)), outside);
    assert_eq!(partition.send(batch(1, 1, 0, 1)), outside);
    let without_sequence = batch(1, 0, -1, 1);
    assert_eq!(partition.send_as(AppendOrigin::Coordinator, without_sequence).0, outside);
    partition.accepts(transactional(1, 0, 1));
    partition.ends(marker(1, 0, true, 7));
    partition.accepts(batch(1, 0, 2, 1));
}

#[test]
fn what_a_coordinator_writes_for_a_producer_has_no_sequence() {
    let mut partition = Partition::default();
    let offsets = |epoch| ProducerBatch { base_sequence: -1, ..transactional(1, epoch, 0) };
    for _ in 0..2 {
        assert_eq!(partition.send_as(AppendOrigin::Coordinator, offsets(2)), (Decision::Accept, None));
    }
    assert_eq!(partition.open_from(), Some(0));
    partition.ends(marker(1, 3, true, 7));
    let fenced = Refusal::InvalidProducerEpoch { current: 3, got: 2 };
    assert_eq!(partition.send_as(AppendOrigin::Coordinator, offsets(2)).0, Decision::Refuse(fenced));
}
