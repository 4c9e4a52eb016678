//! Idempotent producers: what was sent twice is stored once. The rules themselves are [`crate::decide`]'s; here is shown
//! that an engine keeps what they need, and asks them in the right order.

use std::thread;

use bytes::Bytes;
use ottla_protocol::records::EndMarker;

use crate::conformance::sample::{Sample, values};
use crate::conformance::trial::{AppendAnswer, Trial, append_one, to};
use crate::decide::Refusal;
use crate::{Append, AppendError, AppendOrigin, Appended, Durability, PartitionId};

const PRODUCER: i64 = 42;

/// A batch of `count` records whose values say producer, epoch and sequence.
fn batch(producer: i64, epoch: i16, sequence: i32, count: i64) -> Sample {
    Sample::of(&values(&format!("{producer}/{epoch}/{sequence}+"), count)).by_producer(producer, epoch, sequence)
}

fn duplicate(answer: &AppendAnswer) -> (i64, i64) {
    match answer {
        Ok(Appended { first_offset, end_offset, duplicate: true, .. }) => (*first_offset, *end_offset),
        other => panic!("not taken for a duplicate: {other:?}"),
    }
}

fn out_of_order(expected: i32, got: i32) -> AppendAnswer {
    Err(AppendError::Refused(Refusal::OutOfOrderSequence { expected, got }))
}

/// Sends batches of one to three records until `sequence` is reached; answers `(sequence, count, first offset)` of each.
fn send_some(trial: &Trial, partition: PartitionId, batches: i64) -> Vec<(i32, i64, i64)> {
    let mut sequence = 0;
    (0..batches)
        .map(|n| {
            let count = n % 3 + 1;
            let sent = (sequence, count, trial.accept(partition, &batch(PRODUCER, 0, sequence, count)));
            sequence += i32::try_from(count).expect("a small number");
            sent
        })
        .collect()
}

pub(super) fn the_last_five_are_answered_as_before(trial: &mut Trial) {
    let partition = trial.partition();
    let sent = send_some(trial, partition, 8);
    for _ in 0..2 {
        trial.interlude();
        for (sequence, count, first_offset) in &sent[3..] {
            let answer = trial.append(partition, &batch(PRODUCER, 0, *sequence, *count));
            assert_eq!(duplicate(&answer), (*first_offset, first_offset + count), "sequence {sequence}");
        }
    }
    let stored: i64 = sent.iter().map(|(_, count, _)| count).sum();
    assert_eq!(trial.bounds(partition).high_watermark, stored, "a duplicate was stored");
    assert_eq!(trial.values(partition).len() as i64, stored);
}

pub(super) fn older_than_five_is_refused(trial: &mut Trial) {
    let partition = trial.partition();
    let sent = send_some(trial, partition, 6);
    trial.interlude();
    let (sequence, count, _) = sent[0];
    let stored = trial.bounds(partition).high_watermark;
    let next = i32::try_from(stored).expect("a small number");
    assert_eq!(trial.append(partition, &batch(PRODUCER, 0, sequence, count)), out_of_order(next, sequence));
    assert_eq!(trial.bounds(partition).high_watermark, stored);
}

pub(super) fn gaps_are_refused(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &batch(PRODUCER, 0, 0, 3));
    trial.interlude();
    assert_eq!(trial.append(partition, &batch(PRODUCER, 0, 4, 1)), out_of_order(3, 4));
    assert_eq!(trial.append(partition, &batch(PRODUCER, 0, 1, 2)), out_of_order(3, 1), "part of a batch");
    assert_eq!(trial.append(partition, &batch(PRODUCER, 0, 0, 2)), out_of_order(3, 0), "part of a batch");
    assert_eq!(trial.accept(partition, &batch(PRODUCER, 0, 3, 1)), 3);
    trial.interlude();
    assert_eq!(trial.accept(partition, &batch(PRODUCER, 0, 4, 1)), 4);
}

pub(super) fn an_unknown_producer_begins_anywhere(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &batch(7, 3, 50, 2));
    trial.interlude();
    assert_eq!(trial.append(partition, &batch(7, 3, 53, 1)), out_of_order(52, 53));
    trial.accept(partition, &batch(7, 3, 52, 1));
}

pub(super) fn a_new_epoch_begins_at_zero(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &batch(PRODUCER, 0, 0, 3));
    trial.interlude();
    assert_eq!(trial.append(partition, &batch(PRODUCER, 1, 3, 1)), out_of_order(0, 3));
    trial.accept(partition, &batch(PRODUCER, 1, 0, 1));
    trial.interlude();
    let fenced = AppendError::Refused(Refusal::InvalidProducerEpoch { current: 1, got: 0 });
    assert_eq!(trial.append(partition, &batch(PRODUCER, 0, 3, 1)), Err(fenced.clone()));
    assert_eq!(trial.append(partition, &batch(PRODUCER, 0, 0, 3)), Err(fenced), "also what was accepted before");
    assert_eq!(duplicate(&trial.append(partition, &batch(PRODUCER, 1, 0, 1))), (3, 4));
    trial.accept(partition, &batch(PRODUCER, 1, 1, 1));
}

pub(super) fn sequence_numbers_wrap_around(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &batch(1, 0, i32::MAX - 1, 4));
    trial.accept(partition, &batch(2, 0, i32::MAX, 1));
    trial.interlude();
    assert_eq!(duplicate(&trial.append(partition, &batch(1, 0, i32::MAX - 1, 4))), (0, 4));
    assert_eq!(trial.append(partition, &batch(1, 0, 3, 1)), out_of_order(2, 3));
    trial.accept(partition, &batch(1, 0, 2, 1));
    assert_eq!(trial.append(partition, &batch(2, 0, 1, 1)), out_of_order(0, 1));
    trial.accept(partition, &batch(2, 0, 0, 1));
}

pub(super) fn partitions_know_their_own_producers(trial: &mut Trial) {
    let topic = trial.topic("two", 2);
    let [zero, one] = [0, 1].map(|index| PartitionId { topic: topic.id, index });
    trial.accept(zero, &batch(PRODUCER, 0, 0, 2));
    trial.interlude();
    trial.accept(one, &batch(PRODUCER, 0, 0, 2));
    trial.accept(one, &batch(43, 0, 0, 1));
    trial.interlude();
    assert_eq!(trial.append(zero, &batch(PRODUCER, 0, 3, 1)), out_of_order(2, 3));
    trial.accept(zero, &batch(43, 0, 0, 1));
    assert_eq!(duplicate(&trial.append(one, &batch(PRODUCER, 0, 0, 2))), (0, 2));
    assert_eq!(duplicate(&trial.append(one, &batch(43, 0, 0, 1))), (2, 3));
}

pub(super) fn deleted_records_are_still_duplicates(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &batch(PRODUCER, 0, 0, 2));
    trial.delete_records(partition, -1).expect("not deleted");
    trial.interlude();
    let answer = trial.append(partition, &batch(PRODUCER, 0, 0, 2));
    assert_eq!(duplicate(&answer), (0, 2));
    assert_eq!(answer.map(|appended| appended.log_start_offset), Ok(2));
    assert_eq!(trial.append(partition, &batch(PRODUCER, 0, 3, 1)), out_of_order(2, 3));
    assert_eq!(trial.accept(partition, &batch(PRODUCER, 0, 2, 1)), 2);
}

pub(super) fn refusals_leave_no_trace(trial: &mut Trial) {
    let partition = trial.partition();
    trial.accept(partition, &batch(PRODUCER, 0, 0, 1));
    assert_eq!(trial.append(partition, &batch(PRODUCER, 0, 2, 1)), out_of_order(1, 2));
    let late = Append { expected_end: Some(9), ..to(partition, &batch(PRODUCER, 0, 1, 1)) };
    assert_eq!(trial.append_with(late), Err(AppendError::UnexpectedEnd { end_offset: 1 }));
    trial.interlude();
    assert_eq!(trial.append(partition, &batch(PRODUCER, 0, 2, 1)), out_of_order(1, 2));
    assert_eq!(trial.accept(partition, &batch(PRODUCER, 0, 1, 1)), 1);
    assert_eq!(trial.accept(partition, &batch(PRODUCER, 0, 2, 1)), 2);
    assert_eq!(trial.values(partition).len(), 3);
}

pub(super) fn duplicates_in_flight_share_the_original(trial: &mut Trial) {
    let partition = trial.partition();
    let engine = trial.engine();
    for sequence in 0..20 {
        let sample = batch(PRODUCER, 0, sequence, 1);
        let original = engine.append(vec![to(partition, &sample)]);
        let again = engine.append(vec![to(partition, &sample), to(partition, &sample)]);
        let again = again.wait().expect("the call failed");
        let expected = (i64::from(sequence), i64::from(sequence) + 1);
        assert_eq!(duplicate(&again[0]), expected);
        assert_eq!(duplicate(&again[1]), expected);
        assert_eq!(trial.bounds(partition).high_watermark, expected.1, "answered before the original was there");
        let original = original.wait().expect("the call failed");
        assert!(matches!(original[0], Ok(Appended { duplicate: false, .. })), "{original:?}");
    }
    assert_eq!(trial.values(partition).len(), 20);
}

pub(super) fn a_checkpoint_between_original_and_duplicate(trial: &mut Trial) {
    let partition = trial.partition();
    for sequence in 0..10 {
        let engine = trial.engine();
        let sample = batch(PRODUCER, 0, sequence, 1);
        let original = engine.append(vec![to(partition, &sample)]);
        let maintained = engine.maintain(usize::MAX);
        let again = engine.append(vec![to(partition, &sample)]).wait().expect("the call failed");
        assert_eq!(duplicate(&again[0]).0, i64::from(sequence));
        assert!(original.wait().expect("the call failed")[0].is_ok());
        maintained.wait().expect("maintain failed");
        drop(engine);
        trial.interlude();
        assert_eq!(duplicate(&trial.append(partition, &sample)).0, i64::from(sequence));
    }
    assert_eq!(trial.values(partition).len(), 10);
}

/// Four threads send the same batches, each in order and again after a while, as a client does that never got its answers.
pub(super) fn duplicates_from_many_threads_are_stored_once(trial: &mut Trial) {
    let partition = trial.partition();
    let engine = trial.engine();
    let send = |sequence: i32| append_one(&*engine, to(partition, &batch(PRODUCER, 0, sequence, 1)));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for sequence in 0..40 {
                    let Ok(appended) = send(sequence) else {
                        // The others are more than five batches ahead: this one is known no more.
                        continue;
                    };
                    assert_eq!(appended.first_offset, i64::from(sequence));
                }
            });
        }
    });
    let expected: Vec<_> = (0..40).flat_map(|sequence| values(&format!("{PRODUCER}/0/{sequence}+"), 1)).collect();
    assert_eq!(trial.values(partition), expected);
}

pub(super) fn clients_send_no_control_batches(trial: &mut Trial) {
    let partition = trial.partition();
    let marker = EndMarker { is_commit: true, coordinator_epoch: 0 }.batch(PRODUCER, 0, 1_000);
    let marker = Append { batches: marker, ..to(partition, &Sample::of(&["x"])) };
    for append in [marker, to(partition, &Sample::of(&["x"]).control())] {
        let answer = trial.append_with(append);
        assert!(matches!(answer, Err(AppendError::Refused(Refusal::InvalidBatch(_)))), "{answer:?}");
    }
    assert_eq!(trial.bounds(partition).high_watermark, 0);
}

pub(super) fn only_one_batch_at_a_time(trial: &mut Trial) {
    let partition = trial.partition();
    let two = [batch(PRODUCER, 0, 0, 1).bytes(), batch(PRODUCER, 0, 1, 1).bytes()].concat();
    let append = |batches| Append {
        partition,
        batches,
        expected_end: None,
        depends_on: None,
        durability: Durability::Flush,
        origin: AppendOrigin::Client,
    };
    let answer = trial.append_with(append(Bytes::from(two)));
    assert!(matches!(answer, Err(AppendError::Refused(Refusal::InvalidBatch(_)))), "{answer:?}");
    trial.interlude();
    assert_eq!(trial.accept(partition, &batch(PRODUCER, 0, 0, 1)), 0);
}
