//! Random logs, cleaned several times, against what must be left of them by the rules alone.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ottla_protocol::records::{self, BatchBuilder, BatchHeader, Encoding, set_log_append_time};

use super::{Counts, Fate, Filter, Survey};
use crate::conformance::random::Random;

const RETENTION_MS: u64 = 100;

#[derive(Clone, PartialEq, Eq, Debug)]
struct Stored {
    offset: i64,
    timestamp_ms: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: usize,
}

/// A log as it is, and all that was ever appended to it.
#[derive(Default)]
struct Log {
    batches: Vec<Bytes>,
    end_offset: i64,
    clean_end: i64,
    now_ms: i64,
    appended: BTreeMap<i64, Bytes>,
    /// By the base offsets of batches.
    horizons_ms: BTreeMap<i64, i64>,
}

fn records_of(batch: &[u8]) -> Vec<Stored> {
    let Ok(opened) = records::open(batch, 1 << 20) else { return Vec::new() };
    let stored = |record: records::Record<'_>| Stored {
        offset: record.offset,
        timestamp_ms: record.timestamp_ms,
        key: record.key.map(<[u8]>::to_vec),
        value: record.value.map(<[u8]>::to_vec),
        headers: record.headers.len(),
    };
    opened.records().map(|record| stored(record.unwrap())).collect()
}

fn header_of(batch: &[u8]) -> BatchHeader {
    BatchHeader::parse(batch).unwrap()
}

fn is_opaque(batch: &[u8]) -> bool {
    header_of(batch).is_control() || records::open(batch, 1 << 20).is_err()
}

impl Log {
    fn append(&mut self, random: &mut Random) {
        let mut batch = BatchBuilder::new().base_offset(self.end_offset).leader_epoch(0);
        if random.chance(30) {
            batch = batch.producer(random.below(5) as i64, 1, random.below(1000) as i32);
        }
        if random.chance(5) {
            batch = batch.control();
        }
        for _ in 0..=random.below(8) {
            let key = random.below(20).to_string();
            let key = (!random.chance(5)).then_some(key.as_bytes());
            let value = vec![b'v'; random.below(50)];
            let value = (!random.chance(20)).then_some(&value[..]);
            let headers = [("name", Some(&b"value"[..])), ("name", None)];
            let headers = &headers[..random.below(3)];
            batch.push(random.between(1, 1_000), key, value, headers);
        }
        let codecs = [Encoding::None, Encoding::Gzip(-1), Encoding::Snappy, Encoding::Lz4(9), Encoding::Zstd(3)];
        let mut batch = batch.build_compressed(codecs[random.below(codecs.len())]).unwrap().to_vec();
        if random.chance(20) {
            set_log_append_time(&mut batch, self.now_ms).unwrap();
        }
        if random.chance(3) {
            // Says that it is compressed, and is not.
            batch.truncate(records::HEADER_BYTES + 5);
            let length = (batch.len() - 12) as i32;
            batch[8..12].copy_from_slice(&length.to_be_bytes());
            batch[22] |= 4;
        }
        let batch = Bytes::from(batch);
        self.end_offset = header_of(&batch).next_offset();
        self.appended.insert(header_of(&batch).base_offset, batch.clone());
        self.batches.push(batch);
    }

    /// Cleans up to `uncleanable`, or as far as the memory goes.
    fn clean(&mut self, uncleanable: i64, max_bytes: usize) -> Counts {
        let mut survey = Survey::new(self.clean_end, max_bytes);
        let dirty = self.batches.iter().filter(|batch| {
            let header = header_of(batch);
            header.next_offset() > self.clean_end && header.base_offset < uncleanable
        });
        if dirty.clone().all(|batch| survey.add(batch)) {
            survey.read_up_to(uncleanable);
        }
        let mut filter = Filter::new(&survey, self.now_ms, RETENTION_MS);
        let before = std::mem::take(&mut self.batches);
        for batch in before {
            match filter.apply(&batch) {
                Fate::Keep => self.batches.push(batch),
                Fate::Replace(replaced) => {
                    assert_ne!(replaced, batch);
                    self.batches.push(replaced);
                }
                Fate::Remove => {}
            }
        }
        assert!(survey.end_offset() > self.clean_end, "a cleaning comes on");
        self.clean_end = survey.end_offset();
        filter.counts()
    }

    /// The offsets that must be left, by the rules.
    fn expected(&mut self) -> BTreeSet<i64> {
        let mut newest = BTreeMap::new();
        for batch in self.appended.values().filter(|batch| !is_opaque(batch)) {
            for record in records_of(batch).into_iter().filter(|record| record.offset < self.clean_end) {
                newest.insert(record.key, record.offset);
            }
        }
        newest.remove(&None);
        let mut left = BTreeSet::new();
        for (base_offset, batch) in self.appended.iter().filter(|(_, batch)| !is_opaque(batch)) {
            let horizon_ms = self.horizons_ms.get(base_offset).copied();
            for record in records_of(batch) {
                let clean = record.offset < self.clean_end;
                let is_newest = newest.get(&record.key) == Some(&record.offset);
                let expired = record.value.is_none() && horizon_ms.is_some_and(|horizon_ms| self.now_ms >= horizon_ms);
                if !clean || (is_newest && !expired) {
                    left.insert(record.offset);
                    if clean && record.value.is_none() {
                        let horizon_ms = self.now_ms + RETENTION_MS as i64;
                        self.horizons_ms.entry(*base_offset).or_insert(horizon_ms);
                    }
                }
            }
        }
        left
    }

    fn check(&mut self) {
        let expected = self.expected();
        let mut left = BTreeSet::new();
        for batch in &self.batches {
            let header = header_of(batch);
            let before = &self.appended[&header.base_offset];
            if is_opaque(before) {
                assert_eq!(batch, before, "what cannot be opened stays as it is");
                continue;
            }
            let records = records_of(batch);
            let originals = records_of(before);
            for record in &records {
                assert!(originals.contains(record), "{record:?} was never appended");
                assert!(left.insert(record.offset), "{record:?} is there twice");
            }
            assert!(!records.is_empty() || header.next_offset() == self.clean_end, "an empty batch at {header:?}");
            let complete = records.len() == originals.len() && !self.horizons_ms.contains_key(&header.base_offset);
            assert!(!complete || batch == before, "nothing had to be changed");
            check_header(&header, &header_of(before), &records);
            let crc = crc_fast::crc32_iscsi(&batch[21..]);
            assert_eq!((header.crc, header.total_bytes()), (crc, batch.len()));
            let horizon = self.horizons_ms.get(&header.base_offset).copied();
            assert_eq!(header.delete_horizon_ms(), horizon, "{header:?}");
        }
        assert_eq!(left, expected);
        assert!(self.batches.windows(2).all(|two| header_of(&two[0]).next_offset() <= header_of(&two[1]).base_offset));
        if self.clean_end == self.end_offset {
            assert_eq!(header_of(self.batches.last().unwrap()).next_offset(), self.end_offset, "the end can be read");
        }
    }
}

fn check_header(now: &BatchHeader, before: &BatchHeader, records: &[Stored]) {
    let (leader_epoch, codec) = (before.partition_leader_epoch, if records.is_empty() { 0 } else { 7 });
    assert_eq!((now.last_offset(), now.partition_leader_epoch), (before.last_offset(), leader_epoch));
    let producer = |header: &BatchHeader| (header.producer_id, header.producer_epoch, header.base_sequence);
    assert_eq!(producer(now), producer(before));
    assert_eq!(now.attributes & (codec | 8), before.attributes & (codec | 8));
    let largest_ms = records.iter().map(|record| record.timestamp_ms).max();
    assert_eq!(now.max_timestamp_ms, largest_ms.unwrap_or(before.max_timestamp_ms));
    assert_eq!(now.record_count, records.len() as i32);
}

#[test]
fn what_is_left_is_what_the_rules_say() {
    let (mut removed, mut unopened, mut limited) = (0, 0, 0);
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let mut log = Log { now_ms: 10_000, ..Log::default() };
        for _ in 0..6 {
            (0..random.between(5, 30)).for_each(|_| log.append(&mut random));
            let starts: Vec<i64> =
                log.appended.range(log.clean_end + 1..).map(|(base_offset, _)| *base_offset).collect();
            let uncleanable = if random.chance(30) { log.end_offset } else { starts[random.below(starts.len())] };
            let max_bytes = if random.chance(40) { 500 + random.below(600) } else { 1 << 20 };
            log.now_ms += random.between(0, 90);
            let counts = log.clean(uncleanable, max_bytes);
            limited += usize::from(log.clean_end < uncleanable);
            removed += counts.records_removed;
            unopened += counts.batches_not_opened;
            log.check();
        }
    }
    assert!(removed > 1_000 && unopened > 50 && limited > 20, "{removed} {unopened} {limited}");
}

/// A producer must not reach the records of others by claiming offsets outside of its batch.
#[test]
fn a_record_outside_of_its_batch_makes_nothing_go() {
    let mut honest = BatchBuilder::new().base_offset(10);
    honest.push(1, Some(b"k"), Some(b"kept"), &[]);
    let mut hostile = BatchBuilder::new();
    hostile.push(1, Some(b"other"), Some(b"x"), &[]);
    hostile.push_at(1_000, 1, Some(b"k"), Some(b"y"), &[]);
    let mut hostile = hostile.build().to_vec();
    hostile[23..27].copy_from_slice(&1_i32.to_be_bytes());
    let mut survey = Survey::new(0, 1 << 20);
    assert!(survey.add(&hostile) && survey.add(&honest.build()));
    assert!(survey.is_newest(b"k", 10));
    let mut filter = Filter::new(&survey, 0, 0);
    assert_eq!(filter.apply(&hostile), Fate::Keep);
    assert_eq!(filter.counts().batches_not_opened, 1);
}

/// A log must not be stuck for ever behind one batch.
#[test]
fn a_batch_that_no_survey_could_hold_is_passed_over() {
    let mut large = BatchBuilder::new();
    (0..100_u32).for_each(|number| large.push(1, Some(&number.to_be_bytes()), Some(b"v"), &[]));
    let mut small = BatchBuilder::new().base_offset(100);
    small.push(1, Some(&7_u32.to_be_bytes()), Some(b"newer"), &[]);
    let (large, small) = (large.build(), small.build());
    let mut survey = Survey::new(0, 1_000);
    assert!(survey.add(&large) && survey.add(&small) && !survey.add(&large));
    assert_eq!(survey.end_offset(), 101);
    let mut filter = Filter::new(&survey, 0, 0);
    assert!(matches!(filter.apply(&large), Fate::Replace(_)), "what is known to be old goes all the same");
    assert_eq!((filter.counts().records_kept, filter.counts().records_removed), (99, 1));
}

/// What a tombstone deletes must not come back because the tombstone went first.
#[test]
fn a_tombstone_whose_key_was_passed_over_stays() {
    let mut old = BatchBuilder::new();
    old.push(1, Some(&7_u32.to_be_bytes()), Some(b"deleted"), &[]);
    let mut large = BatchBuilder::new().base_offset(1);
    (0..100_u32).for_each(|number| large.push(1, Some(&number.to_be_bytes()), None, &[]));
    let (old, large) = (old.build(), large.build());
    let mut survey = Survey::new(0, 1_000);
    assert!(survey.add(&old) && !survey.add(&large));
    let mut survey = Survey::new(survey.end_offset(), 1_000);
    assert!(survey.add(&large));
    let mut filter = Filter::new(&survey, 10, 0);
    assert_eq!((filter.apply(&old), filter.apply(&large)), (Fate::Keep, Fate::Keep));
    let later = Survey::new(survey.end_offset(), 1 << 20);
    let mut filter = Filter::new(&later, 1_000, 0);
    assert_eq!(
        (filter.apply(&old), filter.apply(&large)),
        (Fate::Keep, Fate::Keep),
        "nor a later one, with more memory"
    );
}

/// Readers must come to the end of a log also where its last records went.
#[test]
fn of_the_last_batch_the_header_stays_until_another_is_cleaned() {
    let mut batch = BatchBuilder::new().base_offset(5).producer(3, 0, 8);
    batch.push(1_000, Some(b"k"), None, &[]);
    batch.push(1_001, None, Some(b"without a key"), &[]);
    let batch = batch.build_compressed(Encoding::Gzip(-1)).unwrap();
    let mut survey = Survey::new(0, 1_000);
    assert!(survey.add(&batch));
    let Fate::Replace(seen) = Filter::new(&survey, 10, 20).apply(&batch) else { panic!("the tombstone stays") };
    assert_eq!((header_of(&seen).delete_horizon_ms(), records_of(&seen).len()), (Some(30), 1));
    assert_eq!(Filter::new(&survey, 29, 0).apply(&seen), Fate::Keep);
    let Fate::Replace(empty) = Filter::new(&survey, 30, 0).apply(&seen) else { panic!("the header stays") };
    assert_eq!(empty.len(), records::HEADER_BYTES);
    check_header(&header_of(&empty), &header_of(&seen), &[]);
    assert_eq!(Filter::new(&survey, 31, 0).apply(&empty), Fate::Keep);
    survey.read_up_to(8);
    assert_eq!(Filter::new(&survey, 31, 0).apply(&empty), Fate::Remove);
}
