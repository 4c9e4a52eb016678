//! Which transactions of a partition were aborted, so that whoever reads committed records can leave theirs out.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A transaction that a marker has aborted in one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AbortedTransaction {
    /// Its producer.
    pub producer_id: i64,
    /// Offset of its first record.
    pub first_offset: i64,
    /// Offset of its marker.
    pub last_offset: i64,
    /// Where the oldest transaction began that was open after it, or the offset after its marker: all that were aborted later
    /// begin here or behind.
    pub last_stable_offset: i64,
}

/// The aborted transactions of a partition, in the order of their markers. A copy costs nothing until one of the two changes.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct AbortedIndex {
    /// None where there never were any: most partitions have none.
    entries: Option<Arc<Vec<AbortedTransaction>>>,
}

impl AbortedIndex {
    /// One that holds these, in the order of their markers.
    pub fn of(entries: Vec<AbortedTransaction>) -> Self {
        Self { entries: (!entries.is_empty()).then(|| Arc::new(entries)) }
    }

    /// All of them.
    pub fn all(&self) -> &[AbortedTransaction] {
        self.entries.as_ref().map_or(&[], |entries| entries)
    }

    /// Adds one, whose marker lies behind all others.
    pub fn push(&mut self, aborted: AbortedTransaction) {
        Arc::make_mut(self.entries.get_or_insert_default()).push(aborted);
    }

    /// Those that touch offsets from `from` on and before `end`. All transactions that begin before `end` must be over.
    pub fn within(&self, from: i64, end: i64) -> Vec<AbortedTransaction> {
        let all = self.all();
        let first = all.partition_point(|aborted| aborted.last_offset < from);
        let mut found = Vec::new();
        for aborted in all.iter().skip(first) {
            if aborted.first_offset < end {
                found.push(*aborted);
            }
            if aborted.last_stable_offset >= end {
                break;
            }
        }
        found
    }

    /// Forgets those that end before an offset: nothing is left of what they wrote.
    pub fn forget_before(&mut self, offset: i64) {
        let count = self.all().partition_point(|aborted| aborted.last_offset < offset);
        match &mut self.entries {
            Some(entries) if count == entries.len() => self.entries = None,
            Some(entries) if count > 0 => drop(Arc::make_mut(entries).drain(..count)),
            _ => {}
        }
    }

    /// Those whose markers lie before an offset.
    pub fn up_to(&self, end_offset: i64) -> Self {
        let count = self.all().partition_point(|aborted| aborted.last_offset < end_offset);
        match self.all().get(..count) {
            Some(some) if count < self.all().len() => Self::of(some.to_vec()),
            _ => self.clone(),
        }
    }

    /// The same, to be asked about single batches.
    pub fn ranges(&self) -> AbortedRanges {
        let range = |aborted: &AbortedTransaction| ((aborted.producer_id, aborted.first_offset), aborted.last_offset);
        AbortedRanges(self.all().iter().map(range).collect())
    }
}

/// Says of batches whether they were aborted.
#[derive(Clone, Default, Debug)]
pub struct AbortedRanges(BTreeMap<(i64, i64), i64>);

impl AbortedRanges {
    /// Whether a transactional batch of that producer at that offset, below the last stable offset, was aborted.
    pub fn covers(&self, producer_id: i64, offset: i64) -> bool {
        let before = self.0.range((producer_id, i64::MIN)..=(producer_id, offset)).next_back();
        before.is_some_and(|(_, last_offset)| offset <= *last_offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aborted(producer_id: i64, first_offset: i64, last_offset: i64, last_stable_offset: i64) -> AbortedTransaction {
        AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset }
    }

    /// Producer 1 from 0 to 5 while 2 is open from 3 on, which ends at 12; then 1 again from 20 to 21.
    fn index() -> AbortedIndex {
        AbortedIndex::of(vec![aborted(1, 0, 5, 3), aborted(2, 3, 12, 13), aborted(1, 20, 21, 22)])
    }

    fn producers(found: &[AbortedTransaction]) -> Vec<(i64, i64)> {
        found.iter().map(|aborted| (aborted.producer_id, aborted.first_offset)).collect()
    }

    #[test]
    fn those_are_found_that_touch_a_range() {
        let within = |from, end| producers(&index().within(from, end));
        assert_eq!(within(0, 3), [(1, 0)]);
        assert_eq!(within(0, 4), [(1, 0), (2, 3)]);
        assert_eq!(within(5, 22), [(1, 0), (2, 3), (1, 20)]);
        assert_eq!(within(6, 20), [(2, 3)]);
        assert_eq!(within(13, 20), []);
        assert_eq!(within(21, 100), [(1, 20)]);
        assert_eq!(within(22, 100), []);
        assert_eq!(AbortedIndex::default().within(0, 100), []);
    }

    #[test]
    fn what_ends_before_an_offset_is_forgotten() {
        let left = |offset| {
            let mut index = index();
            index.forget_before(offset);
            producers(index.all())
        };
        assert_eq!(left(5), [(1, 0), (2, 3), (1, 20)], "the marker is still there");
        assert_eq!(left(6), [(2, 3), (1, 20)]);
        assert_eq!(left(22), []);
        let mut empty = index();
        empty.forget_before(22);
        assert_eq!(empty, AbortedIndex::default());
    }

    #[test]
    fn a_copy_stays_as_it_was() {
        let mut index = index();
        let copy = index.clone();
        index.push(aborted(3, 30, 31, 32));
        assert_eq!((copy.all().len(), index.all().len()), (3, 4));
        assert_eq!(index.up_to(31), copy);
        assert_eq!(index.up_to(32), index);
        assert_eq!(index.up_to(5), AbortedIndex::default());
    }

    #[test]
    fn batches_are_told_from_those_of_committed_transactions() {
        let ranges = index().ranges();
        let covered: Vec<i64> = (0..30).filter(|offset| ranges.covers(1, *offset)).collect();
        assert_eq!(covered, [0, 1, 2, 3, 4, 5, 20, 21]);
        assert!(ranges.covers(2, 3) && !ranges.covers(2, 2) && !ranges.covers(3, 3));
    }
}
