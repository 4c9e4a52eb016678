//! Random runs against a model that is too simple to be wrong. A failing run names its seed.

use std::collections::BTreeMap;

use crate::conformance::random::Random;
use crate::conformance::sample::{Codec, Sample, Stored, opened};
use crate::conformance::trial::{AppendAnswer, Trial, to};
use crate::decide::Refusal;
use crate::{Append, AppendError, Bounds, MetadataError, PartitionId, ReadError};

pub(super) fn random_runs_match_the_model(trial: &mut Trial) {
    Run::new(trial, 1, 3).steps(400);
}

pub(super) fn more_random_runs_match_the_model(trial: &mut Trial) {
    Run::new(trial, 2, 4).steps(400);
}

pub(super) fn random_runs_with_one_partition_match_the_model(trial: &mut Trial) {
    Run::new(trial, 3, 1).steps(400);
}

/// What a partition should hold.
#[derive(Default)]
struct Modelled {
    log_start: i64,
    /// Every record that was ever accepted, with its batch's number.
    records: Vec<(usize, Stored)>,
    batches: usize,
    producers: BTreeMap<i64, Vec<Sent>>,
}

/// An accepted batch of a producer.
#[derive(Clone)]
struct Sent {
    epoch: i16,
    sample: Sample,
    first_offset: i64,
    next_sequence: i32,
}

struct Run<'a> {
    trial: &'a mut Trial,
    random: Random,
    seed: u64,
    step: usize,
    slots: Vec<(PartitionId, Modelled)>,
}

impl<'a> Run<'a> {
    fn new(trial: &'a mut Trial, seed: u64, slots: usize) -> Self {
        let slots = (0..slots).map(|_| (trial.partition(), Modelled::default())).collect();
        Self { trial, random: Random::new(seed), seed, step: 0, slots }
    }

    fn steps(mut self, count: usize) {
        for step in 0..count {
            self.step = step;
            let slot = self.random.below(self.slots.len());
            match self.random.below(100) {
                0..25 => self.append_plain(slot),
                25..45 => self.append_next_of_producer(slot),
                45..55 => self.append_duplicate(slot),
                55..60 => self.append_out_of_order(slot),
                60..72 => self.read(slot),
                72..84 => self.find(slot),
                84..89 => self.delete_records(slot),
                89..92 => self.replace_topic(slot),
                92..95 => self.trial.interlude(),
                _ => self.check_all(slot),
            }
        }
        (0..self.slots.len()).for_each(|slot| self.check_all(slot));
        self.trial.interlude();
        (0..self.slots.len()).for_each(|slot| self.check_all(slot));
    }

    fn context(&self) -> String {
        format!("seed {}, step {}", self.seed, self.step)
    }

    fn sample(&mut self) -> Sample {
        let count = self.random.between(1, 4);
        let size = if self.random.chance(10) { 5_000 } else { self.random.below(40) };
        let values: Vec<_> = (0..count).map(|n| format!("{}.{n}{}", self.step, "x".repeat(size))).collect();
        let times: Vec<_> = (0..count).map(|_| self.random.between(0, 60)).collect();
        let sample = Sample::of(&values).times(&times);
        if self.random.chance(25) { sample.compressed(Codec::ALL[self.random.below(Codec::ALL.len())]) } else { sample }
    }

    fn append_plain(&mut self, slot: usize) {
        let sample = self.sample();
        let context = self.context();
        let (partition, model) = &mut self.slots[slot];
        let end = model.end();
        let expected_end = self.random.chance(50).then(|| end + self.random.between(-1, 1));
        let answer = self.trial.append_with(Append { expected_end, ..to(*partition, &sample) });
        if expected_end.is_none_or(|expected| expected == end) {
            model.accepted(&sample, &answer, &context);
        } else {
            assert_eq!(answer, Err(AppendError::UnexpectedEnd { end_offset: end }), "{context}");
        }
    }

    fn append_next_of_producer(&mut self, slot: usize) {
        let producer = self.random.between(0, 2);
        let bump = self.random.chance(15);
        let sample = self.sample();
        let model = &self.slots[slot].1;
        let (epoch, sequence) = match model.producers.get(&producer).and_then(|sent| sent.last()) {
            Some(last) if bump => (last.epoch + 1, 0),
            Some(last) => (last.epoch, last.next_sequence),
            None => (0, self.random.between(0, 9) as i32),
        };
        let sample = sample.by_producer(producer, epoch, sequence);
        let answer = self.trial.append(self.slots[slot].0, &sample);
        let context = self.context();
        let model = &mut self.slots[slot].1;
        let first_offset = model.accepted(&sample, &answer, &context);
        let next_sequence = sequence + sample.len() as i32;
        let sent = model.producers.entry(producer).or_default();
        sent.retain(|old| old.epoch == epoch);
        sent.push(Sent { epoch, sample, first_offset, next_sequence });
    }

    fn append_duplicate(&mut self, slot: usize) {
        let producer = self.random.between(0, 2);
        let back = 1 + self.random.below(7);
        let (partition, model) = &self.slots[slot];
        let Some(sent) = model.producers.get(&producer) else { return };
        let Some(again) = sent.len().checked_sub(back).map(|at| sent[at].clone()) else { return };
        let next = sent.last().map_or(0, |last| last.next_sequence);
        let answer = self.trial.append(*partition, &again.sample);
        if back <= 5 {
            let appended = answer.unwrap_or_else(|why| panic!("{}: {why:?}", self.context()));
            let expected = (again.first_offset, again.first_offset + again.sample.len(), model.log_start, true);
            let got = (appended.first_offset, appended.end_offset, appended.log_start_offset, appended.duplicate);
            assert_eq!(got, expected, "{}", self.context());
        } else {
            let got = again.next_sequence - again.sample.len() as i32;
            let refusal = Refusal::OutOfOrderSequence { expected: next, got };
            assert_eq!(answer, Err(AppendError::Refused(refusal)), "{}", self.context());
        }
    }

    fn append_out_of_order(&mut self, slot: usize) {
        let producer = self.random.between(0, 2);
        let gap = 1 + self.random.below(9) as i32;
        let sample = self.sample();
        let (partition, model) = &self.slots[slot];
        let Some(last) = model.producers.get(&producer).and_then(|sent| sent.last()) else { return };
        let (expected, got) = (last.next_sequence, last.next_sequence + gap);
        let answer = self.trial.append(*partition, &sample.by_producer(producer, last.epoch, got));
        let refusal = Refusal::OutOfOrderSequence { expected, got };
        assert_eq!(answer, Err(AppendError::Refused(refusal)), "{}", self.context());
    }

    fn read(&mut self, slot: usize) {
        let (partition, model) = &self.slots[slot];
        let offset = self.random.between(model.log_start - 2, model.end() + 2);
        let max_bytes = self.random.below(3_000);
        let answer = self.trial.read(*partition, offset, max_bytes);
        if !(model.log_start..=model.end()).contains(&offset) {
            assert_eq!(answer.err(), Some(ReadError::OffsetOutOfRange(model.bounds())), "{}", self.context());
            return;
        }
        let outcome = answer.unwrap_or_else(|why| panic!("{}: {why:?}", self.context()));
        assert_eq!(outcome.bounds, model.bounds(), "{}", self.context());
        let found: Vec<_> = outcome.batches.iter().flat_map(opened).collect();
        let bytes: usize = outcome.batches.iter().map(|blob| blob.len()).sum();
        let expected = model.batch_of_and_later(offset);
        assert!(expected.starts_with(&found), "{}: read from {offset}", self.context());
        assert_eq!(found.is_empty(), offset == model.end(), "{}", self.context());
        let first_batch = model.batch_len(offset);
        assert!(bytes <= max_bytes || found.len() == first_batch, "{}: {bytes} bytes of {max_bytes}", self.context());
    }

    fn find(&mut self, slot: usize) {
        let timestamp_ms = self.random.between(-1, 62);
        let (partition, model) = &self.slots[slot];
        let at = |record: &Stored| (record.offset, record.timestamp_ms);
        let mut alive = model.alive();
        let expected = alive.find(|record| record.timestamp_ms >= timestamp_ms).map(at);
        assert_eq!(self.trial.at_or_after(*partition, timestamp_ms), expected, "{}: {timestamp_ms}", self.context());
        let largest = model.alive().map(|record| record.timestamp_ms).max();
        let expected = model.alive().find(|record| Some(record.timestamp_ms) == largest).map(at);
        assert_eq!(self.trial.largest(*partition), expected, "{}", self.context());
    }

    fn delete_records(&mut self, slot: usize) {
        let (partition, model) = &self.slots[slot];
        let before = self.random.between(model.log_start - 3, model.end() + 2);
        let wanted = if before == -1 { model.end() } else { before };
        let answer = self.trial.delete_records(*partition, before);
        if !(0..=model.end()).contains(&wanted) {
            assert_eq!(answer, Err(ReadError::OffsetOutOfRange(model.bounds())), "{}", self.context());
            return;
        }
        let log_start = model.log_start.max(wanted);
        assert_eq!(answer, Ok(log_start), "{}: before {before}", self.context());
        self.slots[slot].1.log_start = log_start;
    }

    fn replace_topic(&mut self, slot: usize) {
        let old = self.slots[slot].0.topic;
        let name = self.trial.engine().metadata().by_id(old).expect("the topic is gone").name.clone();
        let early = self.trial.new_topic(&name, 1);
        assert_eq!(self.trial.engine().create_topic(early).wait(), Err(MetadataError::TopicExists));
        self.trial.engine().delete_topic(old).wait().expect("not deleted");
        let topic = self.trial.topic(&name, 1);
        self.slots[slot] = (PartitionId { topic: topic.id, index: 0 }, Modelled::default());
    }

    fn check_all(&mut self, slot: usize) {
        let (partition, model) = &self.slots[slot];
        assert_eq!(self.trial.bounds(*partition), model.bounds(), "{}", self.context());
        let found = self.trial.records_from(*partition, model.log_start);
        assert!(found.iter().eq(model.alive()), "{}: the records are not those of the model", self.context());
    }
}

impl Modelled {
    fn end(&self) -> i64 {
        self.records.len() as i64
    }

    fn bounds(&self) -> Bounds {
        let end = self.end();
        Bounds { log_start_offset: self.log_start, high_watermark: end, last_stable_offset: end }
    }

    fn alive(&self) -> impl Iterator<Item = &Stored> {
        self.records.iter().skip(self.log_start as usize).map(|(_, record)| record)
    }

    /// The records from the first of the batch that holds `offset`.
    fn batch_of_and_later(&self, offset: i64) -> Vec<Stored> {
        let Some((batch, _)) = self.records.get(offset as usize) else { return Vec::new() };
        let records = self.records.iter().skip_while(|(other, _)| other < batch);
        records.map(|(_, record)| record.clone()).collect()
    }

    fn batch_len(&self, offset: i64) -> usize {
        let batch = self.records.get(offset as usize).map(|(batch, _)| *batch);
        self.records.iter().filter(|(other, _)| Some(*other) == batch).count()
    }

    /// Checks the answer to a new batch and adds its records; answers its first offset.
    fn accepted(&mut self, sample: &Sample, answer: &AppendAnswer, context: &str) -> i64 {
        let first_offset = self.end();
        let appended = answer.as_ref().unwrap_or_else(|why| panic!("{context}: {why:?}"));
        let expected = (first_offset, first_offset + sample.len(), self.log_start, false);
        let got = (appended.first_offset, appended.end_offset, appended.log_start_offset, appended.duplicate);
        assert_eq!(got, expected, "{context}");
        self.batches += 1;
        let records = sample.stored_at(first_offset).into_iter().map(|record| (self.batches, record));
        self.records.extend(records);
        first_offset
    }
}
