use super::*;

fn batch(producer_id: i64, producer_epoch: i16, base_sequence: i32, record_count: i32) -> ProducerBatch {
    ProducerBatch {
        producer_id,
        producer_epoch,
        base_sequence,
        record_count,
        max_timestamp_ms: 1_000,
        transactional: false,
        control: false,
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
        let decision = decide(&self.producers, &batch);
        if decision == Decision::Accept {
            self.producers.apply(&batch, self.end_offset, 0);
            self.end_offset += i64::from(batch.record_count);
        }
        decision
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
        ProducerBatch { transactional: true, ..batch(1, 0, 0, 1) },
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
fn several_batches_only_without_a_producer_id() {
    let producers = ProducerTable::new();
    let plain = batch(-1, -1, -1, 1);
    assert_eq!(decide_append(&producers, &[plain, plain]), Decision::Accept);
    assert_eq!(decide_append(&producers, &[batch(1, 0, 0, 1)]), Decision::Accept);
    let control = ProducerBatch { control: true, ..plain };
    for wrong in [&[] as &[_], &[plain, batch(1, 0, 0, 1)], &[batch(1, 0, 0, 1), batch(1, 0, 1, 1)], &[plain, control]]
    {
        let decision = decide_append(&producers, wrong);
        assert!(matches!(decision, Decision::Refuse(Refusal::InvalidBatch(_))), "{wrong:?}: {decision:?}");
    }
}
