//! The first half of a cleaning: which key was seen last where.

use std::collections::BTreeSet;

use ottla_protocol::records::BatchHeader;

use super::key_map::KeyMap;
use super::open;
use crate::AbortedRanges;

/// The newest offset of each key in a part of a log.
pub struct Survey {
    keys: KeyMap,
    start_offset: i64,
    end_offset: i64,
    /// The base offsets of batches whose keys it did not note.
    passed_over: BTreeSet<i64>,
    aborted: AbortedRanges,
}

impl Survey {
    /// One that has read nothing, from `start_offset` on, and takes at most about `max_bytes` (`log.cleaner.dedupe.buffer.size`).
    pub fn new(start_offset: i64, max_bytes: usize) -> Self {
        let (keys, passed_over) = (KeyMap::new(max_bytes), BTreeSet::new());
        Self { keys, start_offset, end_offset: start_offset, passed_over, aborted: AbortedRanges::default() }
    }

    /// The same, of a log in which these transactions were aborted.
    #[must_use]
    pub fn without(mut self, aborted: AbortedRanges) -> Self {
        self.aborted = aborted;
        self
    }

    /// Whether a batch holds records of an aborted transaction.
    pub(super) fn is_aborted(&self, header: &BatchHeader) -> bool {
        let has_records = header.is_transactional() && !header.is_control();
        has_records && self.aborted.covers(header.producer_id, header.base_offset)
    }

    /// Reads the next batch of the log. False where it does not fit: then the survey ends before that batch. A batch that no
    /// empty survey could hold is passed over, which only means that its keys make nothing else go, and that its tombstones stay.
    pub fn add(&mut self, batch: &[u8]) -> bool {
        let Ok(header) = BatchHeader::parse(batch) else { return true };
        let was_empty = self.keys.is_empty();
        let counts = !header.is_control() && !self.is_aborted(&header);
        let fits = !counts || self.add_records(batch);
        if fits || was_empty {
            self.end_offset = self.end_offset.max(header.next_offset());
        }
        if !fits && was_empty {
            self.passed_over.insert(header.base_offset);
        }
        fits || was_empty
    }

    /// Says that everything up to there was read; behind the last batch there may be offsets without records.
    pub fn read_up_to(&mut self, end_offset: i64) {
        self.end_offset = self.end_offset.max(end_offset);
    }

    /// The offset after all that was read: where the cleaning ends.
    pub fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// Whether this is the cleaning that removes whatever a batch's records replace. Earlier ones have done so for what they
    /// noted; what they passed over never makes anything go.
    pub(super) fn has_noted(&self, base_offset: i64) -> bool {
        base_offset >= self.start_offset && !self.passed_over.contains(&base_offset)
    }

    /// Whether a record is the newest of its key, as far as the survey read.
    pub(super) fn is_newest(&self, key: &[u8], offset: i64) -> bool {
        self.keys.get(key).is_none_or(|newest| offset >= newest)
    }

    /// All of a batch's records or none: what lies behind the end must not make anything go.
    fn add_records(&mut self, batch: &[u8]) -> bool {
        // One that cannot be opened says nothing of its keys, so whatever it might replace stays.
        let Ok(opened) = open(batch) else { return true };
        let keyed = || opened.records().flatten().filter_map(|record| Some((record.key?, record.offset)));
        let fits = self.keys.has_room(keyed().map(|(key, _)| key));
        if fits {
            keyed().for_each(|(key, offset)| self.keys.put(key, offset));
        }
        fits
    }
}
