//! What compaction leaves of transactions.

use bytes::Bytes;
use ottla_protocol::records::{self, BatchBuilder, BatchHeader, EndMarker, set_base_offset};

use super::{Fate, Filter, Survey};
use crate::{AbortedIndex, AbortedTransaction};

/// A record of a transaction of that producer.
fn record(offset: i64, producer: i64, key: &[u8]) -> Bytes {
    let mut batch = BatchBuilder::new().base_offset(offset).producer(producer, 0, 0).transactional();
    batch.push(1_000, Some(key), Some(b"value"), &[]);
    batch.build()
}

fn plain(offset: i64, key: &[u8]) -> Bytes {
    let mut batch = BatchBuilder::new().base_offset(offset);
    batch.push(1_000, Some(key), Some(b"value"), &[]);
    batch.build()
}

fn marker(offset: i64, producer: i64, is_commit: bool) -> Bytes {
    let mut batch = EndMarker { is_commit, coordinator_epoch: 1 }.batch(producer, 0, 1_000).to_vec();
    set_base_offset(&mut batch, offset).unwrap();
    batch.into()
}

fn aborted(producer_id: i64, first_offset: i64, last_offset: i64) -> AbortedIndex {
    let last_stable_offset = last_offset + 1;
    AbortedIndex::of(vec![AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset }])
}

/// Cleans all of a log, with 20 ms for deletions; answers what is left.
fn clean(log: &[Bytes], index: &AbortedIndex, now_ms: i64) -> Vec<Bytes> {
    let mut survey = Survey::new(0, 1 << 20).without(index.ranges());
    assert!(log.iter().all(|batch| survey.add(batch)));
    let mut filter = Filter::new(&survey, now_ms, 20);
    let kept = |batch: &Bytes| match filter.apply(batch) {
        Fate::Keep => Some(batch.clone()),
        Fate::Replace(replaced) => Some(replaced),
        Fate::Remove => None,
    };
    log.iter().filter_map(kept).collect()
}

fn header(batch: &Bytes) -> BatchHeader {
    BatchHeader::parse(batch).unwrap()
}

/// Base offsets, records and delete horizons.
fn told(log: &[Bytes]) -> Vec<(i64, i32, Option<i64>)> {
    let tell = |header: BatchHeader| (header.base_offset, header.record_count, header.delete_horizon_ms());
    log.iter().map(header).map(tell).collect()
}

#[test]
fn aborted_records_go_and_make_nothing_else_go() {
    let log = [plain(0, b"a"), record(1, 7, b"a"), record(2, 8, b"a"), marker(3, 7, false), plain(4, b"z")];
    let left = clean(&log, &aborted(7, 1, 3), 10);
    assert_eq!(told(&left), [(2, 1, None), (3, 1, Some(30)), (4, 1, None)], "8 is committed");
    let left = clean(&log[..2], &aborted(7, 1, 3), 10);
    assert_eq!(told(&left), [(0, 1, None), (1, 0, None)], "the last batch is emptied");
    assert!(records::matches_checksum(&left[1]));
    assert_eq!(told(&clean(&left, &AbortedIndex::default(), 10)), told(&left));
}

#[test]
fn aborted_records_go_without_being_opened() {
    let mut unreadable = record(1, 7, b"a").to_vec();
    unreadable[22] |= 4;
    let log = [unreadable.into(), marker(2, 7, false), plain(3, b"z")];
    assert_eq!(told(&clean(&log, &aborted(7, 1, 2), 10)), [(2, 1, Some(30)), (3, 1, None)]);
    assert_eq!(told(&clean(&log[..1], &aborted(7, 1, 2), 10)), [(1, 0, None)]);
}

#[test]
fn a_marker_stays_while_records_of_its_transaction_do_and_for_a_time() {
    let log = [record(0, 7, b"a"), record(1, 7, b"b"), marker(2, 7, true), marker(3, 7, true), plain(4, b"a")];
    let none = AbortedIndex::default();
    let left = clean(&log, &none, 10);
    assert_eq!(told(&left), [(1, 1, None), (2, 1, None), (3, 1, Some(30)), (4, 1, None)], "nothing is of the second");
    let left = clean(&[&left[..], &[plain(5, b"b")]].concat(), &none, 29);
    assert_eq!(told(&left), [(2, 1, Some(49)), (3, 1, Some(30)), (4, 1, None), (5, 1, None)]);
    assert_eq!(EndMarker::of(&left[0]), Some(EndMarker { is_commit: true, coordinator_epoch: 1 }));
    let left = clean(&left, &none, 30);
    assert_eq!(told(&left), [(2, 1, Some(49)), (4, 1, None), (5, 1, None)]);
    let left = clean(&left, &none, 49);
    assert_eq!(told(&left), [(4, 1, None), (5, 1, None)]);
}

#[test]
fn a_marker_at_the_end_is_emptied() {
    let log = [plain(0, b"a"), marker(1, 7, true)];
    let left = clean(&clean(&log, &AbortedIndex::default(), 10), &AbortedIndex::default(), 30);
    assert_eq!(told(&left), [(0, 1, None), (1, 0, Some(30))]);
    let left = clean(&[&left[..], &[plain(2, b"z")]].concat(), &AbortedIndex::default(), 30);
    assert_eq!(told(&left), [(0, 1, None), (2, 1, None)]);
}

#[test]
fn other_control_batches_stay() {
    let mut control = BatchBuilder::new().producer(7, 0, -1).control();
    control.push(1_000, Some(&[0, 0, 0, 9]), Some(&[0; 6]), &[]);
    let log = [control.build(), plain(1, b"a")];
    assert_eq!(clean(&log, &AbortedIndex::default(), 10), log);
}
