//! Reading segment files into memory. Any thread may; each call reads one bounded chunk.
//!
//! What is given out has been checked against its checksum. What is only passed over on the way to it must not hide records either,
//! by a header that says too little of what the batch holds:
//!
//! 1. Offsets go on from batch to batch without a gap, in a segment as it was written. So a wrong header is seen by what follows,
//!    and no more than that: damage in a batch does not keep anybody from those behind it.
//! 2. Compaction leaves gaps. Where one lies just at the offset that is wanted, the batch before it is checked as a whole.
//! 3. Timestamps follow no rule, so a look-up by time checks all that it passes over.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::records::{BatchHeader, matches_checksum};

use super::SegmentMeta;
use super::files::{FileId, OpenFiles, SegmentFile};
use super::header::{FIRST_BATCH_AT, FileKind};
use super::index::{IndexEntry, last_before};
use super::ranges::Places;
use crate::PartitionId;
use crate::batches::LEADER_EPOCH;
use crate::local::disk::read_exact_at;
use crate::local::fields::Fields;

/// How much one read fetches from the disk at most, but for a single batch that is larger.
const CHUNK_BYTES: usize = 4 << 20;

/// How much is read to look at batch headers.
const SCAN_BYTES: usize = 256 << 10;

/// How much is read to find one batch behind an index entry.
const HEADERS_BYTES: usize = 64 << 10;

/// Size of a record batch's header (magic 2).
const BATCH_HEADER_BYTES: usize = 61;

/// Why a segment could not be read.
#[derive(Debug)]
pub(in crate::local) enum SegmentReadError {
    /// The file is gone: its records were deleted in the meantime.
    Gone,
    /// The system refused.
    Io(PathBuf, io::Error),
    /// What it holds is not what was written. A sentence.
    Corrupt(String),
}

/// Reads segments.
#[derive(Clone)]
pub(in crate::local) struct SegmentReader {
    pub(super) files: Arc<OpenFiles>,
    pub(super) places: Arc<Places>,
}

/// What a batch's header says, as far as reading needs it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct BatchHead {
    size: usize,
    base_offset: i64,
    last_offset: i64,
    max_timestamp_ms: i64,
}

impl SegmentReader {
    pub(in crate::local) fn new(files: Arc<OpenFiles>) -> Self {
        Self { files, places: Arc::default() }
    }

    /// The file that a segment's batches lie in.
    pub(in crate::local) fn log_path(&self, partition: PartitionId, meta: &SegmentMeta) -> PathBuf {
        self.files.path(FileId { partition, name: meta.name(), kind: FileKind::Log })
    }

    /// Reads batches from the first that ends after `offset` on; see [`crate::Read`] for the limits. `None` where the segment
    /// has none: what lay there was compacted away.
    pub(in crate::local) fn read(
        &self,
        partition: PartitionId,
        meta: &SegmentMeta,
        offset: i64,
        max_bytes: usize,
        at_least_one_batch: bool,
    ) -> Result<Option<Batches>, SegmentReadError> {
        let mut scan = self.open(partition, meta)?;
        match self.known_place(partition, meta, offset) {
            Some(position) => scan.begin(position, offset),
            None => scan.begin_at(&scan.indexed(|entry| entry.offset <= offset)?),
        }
        let wanted = max_bytes.clamp(SCAN_BYTES, CHUNK_BYTES);
        let Some(first) = scan.find_offset(wanted, offset)? else {
            return Ok(None);
        };
        if first.size > max_bytes && !at_least_one_batch {
            return Ok(Some(Batches::default()));
        }
        scan.load(first.size.max(max_bytes.min(CHUNK_BYTES)))?;
        let batches = scan.whole_batches(max_bytes)?;
        if let Some(next_offset) = batches.next_offset {
            self.remember(partition, meta, next_offset, batches.end);
        }
        Ok(Some(batches))
    }

    /// The first batch with a record of at least that timestamp, by its header, that ends at or after `from_offset`.
    pub(in crate::local) fn batch_at_or_after(
        &self,
        partition: PartitionId,
        meta: &SegmentMeta,
        timestamp_ms: i64,
        from_offset: i64,
    ) -> Result<Option<Bytes>, SegmentReadError> {
        let mut scan = self.open(partition, meta)?;
        let by_time = scan.indexed(|entry| entry.max_timestamp_before_ms < timestamp_ms)?;
        let by_offset = scan.indexed(|entry| entry.offset <= from_offset)?;
        scan.begin_at(if by_time.position > by_offset.position { &by_time } else { &by_offset });
        let wanted = |head: &BatchHead| head.last_offset >= from_offset && head.max_timestamp_ms >= timestamp_ms;
        let Some(head) = scan.find_checked(wanted)? else { return Ok(None) };
        scan.load(head.size)?;
        Ok(scan.whole_batches(head.size)?.batches.pop())
    }

    /// The largest timestamp of the batches that end at or after `from_offset`, by their headers.
    pub(in crate::local) fn largest_timestamp(
        &self,
        partition: PartitionId,
        meta: &SegmentMeta,
        from_offset: i64,
    ) -> Result<Option<i64>, SegmentReadError> {
        if from_offset <= meta.base_offset {
            return Ok((meta.bytes > FIRST_BATCH_AT).then_some(meta.max_timestamp_ms));
        }
        let mut scan = self.open(partition, meta)?;
        scan.begin_at(&scan.indexed(|entry| entry.offset <= from_offset)?);
        let mut largest = None;
        while let Some(head) = scan.find_checked(|head| head.last_offset >= from_offset)? {
            largest = largest.max(Some(head.max_timestamp_ms));
            scan.pass_checked(&head)?;
        }
        Ok(largest)
    }

    /// Where the batch that holds `offset`, or the next one, begins; `None` at the segment's end.
    pub(super) fn position_of(
        &self,
        partition: PartitionId,
        meta: &SegmentMeta,
        offset: i64,
    ) -> Result<Option<u64>, SegmentReadError> {
        let mut scan = self.open(partition, meta)?;
        scan.begin_at(&scan.indexed(|entry| entry.offset <= offset)?);
        let found = scan.find_offset(HEADERS_BYTES, offset)?;
        Ok(found.map(|_| scan.position))
    }

    fn open(&self, partition: PartitionId, meta: &SegmentMeta) -> Result<Scan<'_>, SegmentReadError> {
        let file = self.checked_log(partition, meta)?;
        let index = FileId { partition, name: meta.name(), kind: FileKind::Index };
        let (files, meta, next_offset) = (&*self.files, *meta, meta.base_offset);
        Ok(Scan { files, file, index, meta, position: FIRST_BATCH_AT, next_offset, chunk: Vec::new(), chunk_at: 0 })
    }

    /// The segment's file, which is the one it should be.
    pub(super) fn checked_log(
        &self,
        partition: PartitionId,
        meta: &SegmentMeta,
    ) -> Result<Arc<SegmentFile>, SegmentReadError> {
        let id = FileId { partition, name: meta.name(), kind: FileKind::Log };
        let file = self.files.reading(id).map_err(|error| io_error(&self.files.path(id), error))?;
        let checked = file.check_header().map_err(|error| io_error(file.path(), error))?;
        let corrupt = |what| SegmentReadError::Corrupt(format!("{} cannot be read: {what}", file.path().display()));
        checked.map_err(corrupt)?;
        Ok(file)
    }
}

pub(in crate::local) fn io_error(path: &Path, error: io::Error) -> SegmentReadError {
    match error.kind() {
        io::ErrorKind::NotFound => SegmentReadError::Gone,
        io::ErrorKind::UnexpectedEof => {
            SegmentReadError::Corrupt(format!("{} is shorter than it was: records in it are lost", path.display()))
        }
        _ => SegmentReadError::Io(path.to_owned(), error),
    }
}

/// Batches read into memory.
#[derive(Default)]
pub(in crate::local) struct Batches {
    pub(in crate::local) batches: Vec<Bytes>,
    /// The offset after the last of them.
    pub(in crate::local) next_offset: Option<i64>,
    /// Where the last of them ends.
    end: u64,
}

impl Batches {
    /// Leaves out batches from an offset on.
    pub(in crate::local) fn leave_out_from(&mut self, offset: i64) {
        let header = |batch: &Bytes| BatchHeader::parse(batch).ok();
        let is_before = |batch: &Bytes| header(batch).is_some_and(|header| header.base_offset < offset);
        self.batches.truncate(self.batches.partition_point(is_before));
        self.next_offset = self.batches.last().and_then(header).map(|header| header.next_offset());
    }
}

/// A walk over the batches of one segment.
struct Scan<'a> {
    files: &'a OpenFiles,
    file: Arc<SegmentFile>,
    index: FileId,
    meta: SegmentMeta,
    /// Where the next batch begins.
    position: u64,
    /// The offset after the batch before.
    next_offset: i64,
    chunk: Vec<u8>,
    chunk_at: u64,
}

impl Scan<'_> {
    /// The last index entry for which `is_before` holds; the segment's first batch where there is none.
    fn indexed(&self, is_before: impl Fn(&IndexEntry) -> bool) -> Result<IndexEntry, SegmentReadError> {
        let first = IndexEntry::first(self.meta.base_offset);
        if self.meta.index_entries == 0 {
            return Ok(first);
        }
        let found = self.files.reading(self.index).and_then(|index| {
            let read_at = |bytes: &mut [u8], at| index.disk_file().read_at(bytes, at);
            last_before(read_at, self.meta.index_entries, self.meta.bytes, is_before)
        });
        match found {
            Ok(entry) => Ok(entry.unwrap_or(first)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(first),
            Err(error) => Err(io_error(&self.files.path(self.index), error)),
        }
    }

    fn begin(&mut self, position: u64, next_offset: i64) {
        (self.position, self.next_offset) = (position, next_offset);
    }

    fn begin_at(&mut self, entry: &IndexEntry) {
        self.begin(entry.position, entry.offset);
    }

    /// Goes on behind the batch at the position.
    fn pass(&mut self, head: &BatchHead) {
        self.begin(self.position + head.size as u64, head.last_offset + 1);
    }

    /// The same with one that is first read as a whole and checked.
    fn pass_checked(&mut self, head: &BatchHead) -> Result<(), SegmentReadError> {
        if self.ahead().len() < head.size {
            self.load(SCAN_BYTES.max(head.size))?;
        }
        if !self.ahead().get(..head.size).is_some_and(matches_checksum) {
            return Err(self.corrupt());
        }
        self.pass(head);
        Ok(())
    }

    /// Moves to the first batch from here on that ends after an offset; the chunk then begins no later than that batch.
    fn find_offset(&mut self, chunk_bytes: usize, offset: i64) -> Result<Option<BatchHead>, SegmentReadError> {
        let mut before = None;
        while let Some(head) = self.next_head(chunk_bytes)? {
            if head.last_offset >= offset {
                if let Some((position, size)) = before.filter(|_| head.base_offset > offset) {
                    self.check(position, size)?;
                }
                return Ok(Some(head));
            }
            before = Some((self.position, head.size));
            self.pass(&head);
        }
        Ok(None)
    }

    /// The same by anything that a header says; whatever it passes over is checked.
    fn find_checked(&mut self, wanted: impl Fn(&BatchHead) -> bool) -> Result<Option<BatchHead>, SegmentReadError> {
        while let Some(head) = self.next_head(SCAN_BYTES)? {
            if wanted(&head) {
                return Ok(Some(head));
            }
            self.pass_checked(&head)?;
        }
        Ok(None)
    }

    /// The header of the batch at the position; `None` at the segment's end.
    fn next_head(&mut self, chunk_bytes: usize) -> Result<Option<BatchHead>, SegmentReadError> {
        if self.position >= self.meta.bytes {
            return if self.next_offset == self.meta.end_offset { Ok(None) } else { Err(self.corrupt()) };
        }
        if self.ahead().len() < BATCH_HEADER_BYTES {
            self.load(chunk_bytes.max(BATCH_HEADER_BYTES))?;
        }
        self.head().map(Some)
    }

    /// Reads a batch that was passed over, to see whether it is as it was written.
    fn check(&self, position: u64, size: usize) -> Result<(), SegmentReadError> {
        let mut batch = vec![0; size];
        read_exact_at(self.file.disk_file(), &mut batch, position)
            .map_err(|error| io_error(self.file.path(), error))?;
        if matches_checksum(&batch) { Ok(()) } else { Err(self.corrupt_at(position)) }
    }

    /// What of the chunk lies at the position and after.
    fn ahead(&self) -> &[u8] {
        let passed = usize::try_from(self.position.saturating_sub(self.chunk_at)).unwrap_or(usize::MAX);
        self.chunk.get(passed..).unwrap_or_default()
    }

    /// Sees to it that the chunk has `bytes` from the position on, or all up to the end.
    fn load(&mut self, bytes: usize) -> Result<(), SegmentReadError> {
        let left = usize::try_from(self.meta.bytes - self.position).unwrap_or(usize::MAX);
        let bytes = bytes.min(left);
        if self.ahead().len() >= bytes {
            return Ok(());
        }
        self.chunk = vec![0; bytes];
        self.chunk_at = self.position;
        read_exact_at(self.file.disk_file(), &mut self.chunk, self.position)
            .map_err(|error| io_error(self.file.path(), error))
    }

    /// The header of the batch at the position.
    fn head(&self) -> Result<BatchHead, SegmentReadError> {
        let left = self.meta.bytes - self.position;
        let fits = |head: &BatchHead| {
            let goes_on = match self.meta.generation {
                0 => head.base_offset == self.next_offset,
                _ => head.base_offset >= self.next_offset,
            };
            head.size as u64 <= left && goes_on && head.last_offset < self.meta.end_offset
        };
        batch_head(self.ahead()).filter(fits).ok_or_else(|| self.corrupt())
    }

    fn corrupt(&self) -> SegmentReadError {
        self.corrupt_at(self.position)
    }

    fn corrupt_at(&self, position: u64) -> SegmentReadError {
        let path = self.file.path().display();
        SegmentReadError::Corrupt(format!("{path} is damaged at byte {position}: there is no valid record batch"))
    }

    /// The whole batches of the chunk from the position on, each checked: up to `max_bytes`, but at least one.
    fn whole_batches(mut self, max_bytes: usize) -> Result<Batches, SegmentReadError> {
        let (mut sizes, mut next_offset) = (Vec::new(), None);
        let (start, mut total) = (self.position, 0);
        while self.position < self.meta.bytes && self.ahead().len() >= BATCH_HEADER_BYTES {
            let head = self.head()?;
            let past_limit = !sizes.is_empty() && total + head.size > max_bytes;
            if past_limit || head.size > self.ahead().len() {
                break;
            }
            self.pass_checked(&head)?;
            total += head.size;
            sizes.push(head.size);
            next_offset = Some(self.next_offset);
        }
        let mut kept = kept(self.chunk, (start - self.chunk_at) as usize, total);
        let batches = sizes.into_iter().map(|size| kept.split_to(size)).collect();
        Ok(Batches { batches, next_offset, end: self.position })
    }
}

/// A part of a chunk, for whoever holds it as long as they like: a small part does not keep a large chunk in memory.
fn kept(chunk: Vec<u8>, start: usize, length: usize) -> Bytes {
    if length < chunk.len() / 2 {
        return Bytes::copy_from_slice(&chunk[start..start + length]);
    }
    Bytes::from(chunk).slice(start..start + length)
}

fn batch_head(bytes: &[u8]) -> Option<BatchHead> {
    let mut fields = Fields::new(bytes);
    let base_offset = fields.offset().ok()?;
    let length = usize::try_from(fields.i32().ok()?).ok()?;
    let leader_epoch = fields.i32().ok()?;
    let magic = fields.u8().ok()?;
    fields.array::<6>().ok()?;
    let last_offset_delta = fields.u32().ok()?;
    fields.i64().ok()?;
    let max_timestamp_ms = fields.i64().ok()?;
    let size = length.checked_add(12)?;
    let valid = magic == 2
        && leader_epoch == LEADER_EPOCH
        && size >= BATCH_HEADER_BYTES
        && last_offset_delta <= i32::MAX as u32;
    let last_offset = base_offset.checked_add(i64::from(last_offset_delta))?;
    valid.then_some(BatchHead { size, base_offset, last_offset, max_timestamp_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_part_lets_go_of_its_chunk() {
        for (length, start) in [(1, 0), (1, 999), (499, 0), (500, 500), (1000, 0)] {
            let chunk: Vec<u8> = (0..1000).map(|at| at as u8).collect();
            let expected = chunk[start..start + length].to_vec();
            let kept = kept(chunk, start, length);
            assert_eq!(kept, expected);
            let held = kept.try_into_mut().expect("nobody else has it").capacity();
            assert!(held <= 2 * length, "{length} bytes keep {held} in memory");
        }
    }
}
