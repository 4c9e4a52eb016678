//! The sparse index of a segment: every so many bytes one entry, by offset and by time.
//!
//! ```text
//! offset: i64                 base offset of a batch
//! position: u64               where that batch lies in the segment file
//! max timestamp before: i64   the largest timestamp of all batches before it; i64::MIN where there are none
//! checksum: u64               CRC-64/NVME over the 24 bytes before
//! ```
//!
//! An entry that does not match its checksum, or leads beyond the segment, is passed over: the search then begins earlier,
//! at worst at the segment's first batch. So a lost index costs time, never records.

use std::io;

use super::header::FIRST_BATCH_AT;
use crate::local::fields::{Fields, Malformed, checksum};

/// Size of one entry.
pub(in crate::local) const ENTRY_BYTES: usize = 32;

/// One entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::local) struct IndexEntry {
    pub(in crate::local) offset: i64,
    pub(in crate::local) position: u64,
    pub(in crate::local) max_timestamp_before_ms: i64,
}

impl IndexEntry {
    /// Leads to the first batch.
    pub(super) fn first(base_offset: i64) -> Self {
        Self { offset: base_offset, position: FIRST_BATCH_AT, max_timestamp_before_ms: i64::MIN }
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.offset.to_be_bytes());
        out.extend_from_slice(&self.position.to_be_bytes());
        out.extend_from_slice(&self.max_timestamp_before_ms.to_be_bytes());
        let sum = checksum(&out[start..]);
        out.extend_from_slice(&sum.to_be_bytes());
    }

    pub(in crate::local) fn read(bytes: &[u8; ENTRY_BYTES]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(bytes);
        let entry = Self { offset: fields.i64()?, position: fields.u64()?, max_timestamp_before_ms: fields.i64()? };
        if fields.u64()? == checksum(&bytes[..24]) { Ok(entry) } else { Err(Malformed) }
    }
}

/// Where entry `number` lies in the file.
pub(in crate::local) fn entry_at(number: u32) -> u64 {
    FIRST_BATCH_AT + u64::from(number) * ENTRY_BYTES as u64
}

/// The last of the first `entries` entries for which `is_before` holds, found by halving; `None` where that is the
/// segment's first batch. Unreadable entries count as after, so that the search only begins earlier.
pub(super) fn last_before(
    read_at: impl Fn(&mut [u8], u64) -> io::Result<usize>,
    entries: u32,
    segment_bytes: u64,
    is_before: impl Fn(&IndexEntry) -> bool,
) -> io::Result<Option<IndexEntry>> {
    let (mut low, mut high) = (0, entries);
    let mut found = None;
    while low < high {
        let middle = low + (high - low) / 2;
        let mut bytes = [0; ENTRY_BYTES];
        let length = read_at(&mut bytes, entry_at(middle))?;
        let entry = if length == ENTRY_BYTES { IndexEntry::read(&bytes) } else { Err(Malformed) };
        match entry {
            Ok(entry) if is_before(&entry) && (FIRST_BATCH_AT..segment_bytes).contains(&entry.position) => {
                found = Some(entry);
                low = middle + 1;
            }
            _ => high = middle,
        }
    }
    Ok(found)
}

/// How many entries are read to find one by its position.
const LOOKED_AT: u32 = 32;

/// The last of the first `entries` entries at or before a position, found in one read where the entries lie about evenly;
/// `indexed_bytes` is the position of the last of them. As with [`last_before`], unreadable entries are passed over.
pub(super) fn last_at_or_before(
    read_at: impl Fn(&mut [u8], u64) -> io::Result<usize>,
    entries: u32,
    indexed_bytes: u64,
    position: u64,
) -> io::Result<Option<IndexEntry>> {
    let expected = u128::from(position) * u128::from(entries) / u128::from(indexed_bytes.max(1));
    let expected = u32::try_from(expected).unwrap_or(u32::MAX);
    let first = expected.saturating_sub(LOOKED_AT / 2).min(entries.saturating_sub(LOOKED_AT));
    let count = LOOKED_AT.min(entries - first);
    let mut bytes = [0; LOOKED_AT as usize * ENTRY_BYTES];
    let bytes = bytes.get_mut(..count as usize * ENTRY_BYTES).unwrap_or_default();
    let length = read_at(bytes, entry_at(first))?;
    let (mut found, mut is_past) = (None, first + count == entries);
    let (read, _) = bytes.get(..length).unwrap_or_default().as_chunks::<ENTRY_BYTES>();
    for entry in read.iter().filter_map(|entry| IndexEntry::read(entry).ok()) {
        if entry.position > position {
            is_past = true;
            break;
        }
        found = Some(entry);
    }
    match found.is_some() && is_past {
        true => Ok(found),
        false => last_before(read_at, entries, indexed_bytes.saturating_add(1), |entry| entry.position <= position),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::disk::{Disk, OpenHow, SystemDisk};

    fn entry(number: i64) -> IndexEntry {
        IndexEntry { offset: number * 10, position: 64 + number as u64 * 100, max_timestamp_before_ms: number }
    }

    #[test]
    fn finds_the_last_entry_before_and_passes_over_unreadable_ones() {
        let folder = tempfile::tempdir().unwrap();
        let file = SystemDisk.open(&folder.path().join("x.index"), OpenHow::CREATE_EMPTY).unwrap();
        let mut bytes = vec![0; FIRST_BATCH_AT as usize];
        (0..100).for_each(|number| entry(number).put(&mut bytes));
        file.write_at(&bytes, 0, false).unwrap();
        let read_at = |bytes: &mut [u8], at| file.read_at(bytes, at);
        let find = |offset| last_before(read_at, 100, 1 << 20, |entry| entry.offset <= offset).unwrap();
        assert_eq!(find(-1), None);
        assert_eq!(find(0), Some(entry(0)));
        assert_eq!(find(499), Some(entry(49)));
        assert_eq!(find(5000), Some(entry(99)));
        let zeroed = [0; ENTRY_BYTES];
        file.write_at(&zeroed, entry_at(50), false).unwrap();
        assert!(find(5000).is_some_and(|found| found.offset < 500), "begins before the hole");
        let beyond = last_before(read_at, 100, 64 + 700, |entry| entry.offset <= 5000).unwrap();
        assert!(beyond.is_none_or(|found| found.position < 64 + 700), "never leads beyond the segment");
        assert_eq!(last_before(read_at, 200, 1 << 20, |entry| entry.offset <= 5).unwrap(), Some(entry(0)));
    }
    #[test]
    fn a_position_is_found_wherever_entries_lie() {
        let folder = tempfile::tempdir().unwrap();
        let file = SystemDisk.open(&folder.path().join("x.index"), OpenHow::CREATE_EMPTY).unwrap();
        let reads = std::cell::Cell::new(0);
        let read_at = |bytes: &mut [u8], at| {
            reads.set(reads.get() + 1);
            file.read_at(bytes, at)
        };
        for spread in
            [|number: u64| 64 + number * 100, |number: u64| 64 + number * number, |number: u64| 90_000 + number]
        {
            let entry = |number: u64| IndexEntry {
                offset: number as i64,
                position: spread(number),
                max_timestamp_before_ms: 0,
            };
            let mut bytes = vec![0; FIRST_BATCH_AT as usize];
            (0..300).for_each(|number| entry(number).put(&mut bytes));
            file.write_at(&bytes, 0, false).unwrap();
            for number in 0..300 {
                for (position, expected) in
                    [(spread(number), Some(entry(number))), (spread(number) - 1, number.checked_sub(1).map(entry))]
                {
                    let found = last_at_or_before(read_at, 300, spread(299), position).unwrap();
                    assert_eq!(found, expected, "{position}");
                }
            }
        }
        reads.set(0);
        file.write_at(&[0; ENTRY_BYTES], entry_at(150), false).unwrap();
        let found = last_at_or_before(read_at, 300, 90_299, 90_150).unwrap();
        assert!(found.is_some_and(|found| found.offset < 150), "begins before the hole");
    }
}
