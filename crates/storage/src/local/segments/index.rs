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
use crate::local::disk::DiskFile;
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
    file: &dyn DiskFile,
    entries: u32,
    segment_bytes: u64,
    is_before: impl Fn(&IndexEntry) -> bool,
) -> io::Result<Option<IndexEntry>> {
    let (mut low, mut high) = (0, entries);
    let mut found = None;
    while low < high {
        let middle = low + (high - low) / 2;
        let mut bytes = [0; ENTRY_BYTES];
        let length = file.read_at(&mut bytes, entry_at(middle))?;
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
        let find = |offset| last_before(&*file, 100, 1 << 20, |entry| entry.offset <= offset).unwrap();
        assert_eq!(find(-1), None);
        assert_eq!(find(0), Some(entry(0)));
        assert_eq!(find(499), Some(entry(49)));
        assert_eq!(find(5000), Some(entry(99)));
        let zeroed = [0; ENTRY_BYTES];
        file.write_at(&zeroed, entry_at(50), false).unwrap();
        assert!(find(5000).is_some_and(|found| found.offset < 500), "begins before the hole");
        let beyond = last_before(&*file, 100, 64 + 700, |entry| entry.offset <= 5000).unwrap();
        assert!(beyond.is_none_or(|found| found.position < 64 + 700), "never leads beyond the segment");
        assert_eq!(last_before(&*file, 200, 1 << 20, |entry| entry.offset <= 5).unwrap(), Some(entry(0)));
    }
}
