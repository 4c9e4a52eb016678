//! Ranges of segment files that hold just the batches of an answer, so that they can be sent as they lie there.
//!
//! Where a range begins is remembered from the read before it: whoever reads on needs no search. Where it ends is said by
//! the sparse index, so no batch is looked at. What is found that way is at most an index interval and a batch shorter than
//! what was asked for. Short answers do not come as ranges: two more system calls cost more than a small copy.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::chunks::CHUNK_BYTES;
use super::files::{FileId, SegmentFile};
use super::header::{FIRST_BATCH_AT, FileKind};
use super::index::{IndexEntry, last_at_or_before};
use super::{SegmentMeta, SegmentName, SegmentReadError, SegmentReader};
use crate::{PartitionId, Read};

/// The least that is worth a range.
const RANGE_MIN_BYTES: u64 = 32 << 10;
/// The most that one range has, and with it one turn of a reader thread.
const RANGE_MAX_BYTES: usize = 4 << 20;
/// How far is read ahead of a reader that goes through what is not in memory.
const AHEAD_BYTES: u64 = 2 * CHUNK_BYTES;
/// What was read only for such a reader leaves the page cache this far behind it.
const BEHIND_BYTES: u64 = 8 << 20;
/// How many places are remembered, twice.
const PLACES: usize = 1024;

/// Batches in a segment file.
pub(in crate::local) struct SegmentRange {
    pub(in crate::local) file: Arc<SegmentFile>,
    pub(in crate::local) position: u64,
    pub(in crate::local) bytes: usize,
    /// Where reading goes on.
    pub(in crate::local) next_offset: i64,
    /// What its reader will want next.
    pub(in crate::local) ahead: Option<Ahead>,
}

/// What to do for a reader of cold data: bring the next records into the page cache and let go of what lies behind.
pub(in crate::local) struct Ahead {
    file: Arc<SegmentFile>,
    load: (u64, u64),
    unload: (u64, u64),
}

impl Ahead {
    /// Does it, in a thread that may wait. Nothing depends on whether it succeeds: a read of these records will say.
    pub(in crate::local) fn run(&self) {
        if self.unload.0 < self.unload.1 {
            self.file.unload(self.unload.0, self.unload.1 - self.unload.0);
        }
        let _ = self.file.load_ahead(self.load.0, self.load.1);
    }
}

/// Where a reader that reads on will begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    name: SegmentName,
    position: u64,
    cold: Option<Cold>,
}

/// A run through what had to be read from the disk.
#[derive(Clone, Copy, Debug)]
struct Cold {
    loaded_to: u64,
    unloaded_to: u64,
}

/// The places of the newest reads. Bounded: when one half is full, the older half is forgotten.
#[derive(Default)]
pub(super) struct Places(Mutex<[HashMap<(PartitionId, i64), Place>; 2]>);

impl Places {
    fn get(&self, partition: PartitionId, offset: i64) -> Option<Place> {
        let halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        halves.iter().find_map(|half| half.get(&(partition, offset)).copied())
    }

    fn put(&self, partition: PartitionId, offset: i64, place: Place) {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [newer, older] = &mut *halves;
        if newer.len() >= PLACES {
            *older = std::mem::take(newer);
        }
        newer.insert((partition, offset), place);
    }
}

/// What a read wants, and how it may be found.
struct Wanted<'a> {
    partition: PartitionId,
    meta: &'a SegmentMeta,
    max_bytes: usize,
    /// Where a range must have ended.
    end_offset: i64,
}

impl SegmentReader {
    /// Gives back the memory that reads past the page cache have taken: nobody reads.
    pub(in crate::local) fn release_chunks(&self) {
        self.files.release_chunks();
    }

    /// Where the batch of an offset begins, if that is known without looking.
    pub(super) fn known_place(&self, partition: PartitionId, meta: &SegmentMeta, offset: i64) -> Option<u64> {
        self.place(partition, meta, offset).map(|place| place.position)
    }

    fn place(&self, partition: PartitionId, meta: &SegmentMeta, offset: i64) -> Option<Place> {
        if offset == meta.base_offset {
            return Some(Place { name: meta.name(), position: FIRST_BATCH_AT, cold: None });
        }
        let place = self.places.get(partition, offset)?;
        (place.name == meta.name() && place.position < meta.bytes).then_some(place)
    }

    /// Remembers where reading goes on.
    pub(super) fn remember(&self, partition: PartitionId, meta: &SegmentMeta, next_offset: i64, position: u64) {
        self.places.put(partition, next_offset, Place { name: meta.name(), position, cold: None });
    }

    /// The range from a read's offset on and before `end_offset`, if all there is to know for it and the front of what it holds is in memory, and worth it.
    /// Never waits for the disk.
    pub(in crate::local) fn ready_range(
        &self,
        meta: &SegmentMeta,
        read: &Read,
        end_offset: i64,
    ) -> Option<SegmentRange> {
        let Read { partition, offset, max_bytes, .. } = *read;
        let wanted = Wanted { partition, meta, max_bytes, end_offset };
        let place = self.place(partition, meta, offset)?;
        let file = self.files.checked(wanted.file(FileKind::Log)).filter(|file| file.is_sendable())?;
        let end = wanted.end(place.position, || {
            let index = self.files.checked(wanted.file(FileKind::Index)).ok_or(io::ErrorKind::WouldBlock)?;
            Ok(move |bytes: &mut [u8], at| index.disk_file().read_cached_at(bytes, at))
        });
        let (end, next_offset) = end.ok().flatten()?;
        file.is_ready(place.position, end - place.position).then(|| self.range(&wanted, file, place, end, next_offset))
    }

    /// The range from a read's offset on and before `end_offset`, its front read if need be; `None` where an answer in memory is
    /// better: it can end at any batch.
    pub(in crate::local) fn loaded_range(
        &self,
        meta: &SegmentMeta,
        read: &Read,
        end_offset: i64,
    ) -> Result<Option<SegmentRange>, SegmentReadError> {
        let Read { partition, offset, max_bytes, .. } = *read;
        let wanted = Wanted { partition, meta, max_bytes, end_offset };
        let Some(mut place) = self.searched(&wanted, offset)? else { return Ok(None) };
        let file = self.checked_log(partition, meta)?;
        if !file.is_sendable() {
            return Ok(None);
        }
        let end = wanted.end(place.position, || {
            let index = self.files.reading(wanted.file(FileKind::Index))?;
            // An index that is damaged leads nowhere by itself: every entry has a checksum.
            let _ = index.check_header()?;
            Ok(move |bytes: &mut [u8], at| index.disk_file().read_at(bytes, at))
        });
        // Without an index there is still the answer in memory.
        let Ok(Some((end, next_offset))) = end else { return Ok(None) };
        let bytes = end - place.position;
        if !file.is_ready(place.position, bytes) {
            let loaded = file.load(place.position, bytes as usize);
            let loaded = loaded.map_err(|error| super::read::io_error(file.path(), error))?;
            let loaded_to = place.position + loaded.len_bytes() as u64;
            place.cold.get_or_insert(Cold { loaded_to, unloaded_to: place.position });
        }
        Ok(Some(self.range(&wanted, file, place, end, next_offset)))
    }

    /// Where `offset` lies, looked for if need be.
    fn searched(&self, wanted: &Wanted<'_>, offset: i64) -> Result<Option<Place>, SegmentReadError> {
        match self.place(wanted.partition, wanted.meta, offset) {
            Some(place) => Ok(Some(place)),
            None => {
                let position = self.position_of(wanted.partition, wanted.meta, offset)?;
                Ok(position.map(|position| Place { name: wanted.meta.name(), position, cold: None }))
            }
        }
    }

    fn range(
        &self,
        wanted: &Wanted<'_>,
        file: Arc<SegmentFile>,
        place: Place,
        end: u64,
        next_offset: i64,
    ) -> SegmentRange {
        let (ahead, cold) = match place.cold.map(|cold| cold.next(wanted.meta, &file, place.position, end)) {
            Some((ahead, cold)) => (ahead, Some(cold)),
            None => (None, None),
        };
        self.places.put(wanted.partition, next_offset, Place { position: end, cold, ..place });
        SegmentRange { file, position: place.position, bytes: (end - place.position) as usize, next_offset, ahead }
    }
}

impl Cold {
    /// What to do for the reader whose range was just found, and how its run goes on.
    fn next(self, meta: &SegmentMeta, file: &Arc<SegmentFile>, position: u64, end: u64) -> (Option<Ahead>, Cold) {
        let loaded_to = self.loaded_to.max(end);
        if loaded_to - end > AHEAD_BYTES / 2 || loaded_to >= meta.bytes {
            return (None, Cold { loaded_to, ..self });
        }
        let load = (loaded_to, meta.bytes.min(loaded_to + AHEAD_BYTES));
        let unload = (self.unloaded_to, position.saturating_sub(BEHIND_BYTES).max(self.unloaded_to));
        let ahead = Ahead { file: file.clone(), load, unload };
        (Some(ahead), Cold { loaded_to: load.1, unloaded_to: unload.1 })
    }
}

impl Wanted<'_> {
    fn file(&self, kind: FileKind) -> FileId {
        FileId { partition: self.partition, name: self.meta.name(), kind }
    }

    /// Where a range that begins at `start` ends, and where reading goes on; `None` where it would be too short.
    fn end<R: Fn(&mut [u8], u64) -> io::Result<usize>>(
        &self,
        start: u64,
        index: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<Option<(u64, i64)>> {
        let meta = self.meta;
        let limit = start + self.max_bytes.min(RANGE_MAX_BYTES) as u64;
        let worth = |end: u64| end >= start + RANGE_MIN_BYTES;
        if meta.bytes <= limit {
            let is_visible = meta.end_offset <= self.end_offset;
            return Ok((worth(meta.bytes) && is_visible).then_some((meta.bytes, meta.end_offset)));
        }
        if !worth(limit) || meta.index_entries == 0 {
            return Ok(None);
        }
        let found = last_at_or_before(index()?, meta.index_entries, meta.indexed_bytes, limit)?;
        let fits = |entry: &IndexEntry| worth(entry.position) && entry.offset <= self.end_offset;
        Ok(found.filter(fits).map(|entry| (entry.position, entry.offset)))
    }
}
