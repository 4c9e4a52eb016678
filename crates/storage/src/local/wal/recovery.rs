//! Reading the log after a start: from the manifest's position to its end, and telling an end from damage.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::{FrameHeader, NotAFrame, peek_frame, read_frame};
use super::segment::{FIRST_FRAME_AT, HeaderBlock, SegmentHeader, WAL_FORMAT, read_header};
use super::{Entry, FRAME_HEADER_BYTES, Slot, WalPosition, slot_name, slot_path};
use crate::local::disk::{BLOCK_BYTES, Disk, DiskFile, OpenHow};
use crate::local::options::OpenError;
use crate::local::planted::{Planted, planted};

/// How much is read at once.
const WINDOW_BYTES: usize = 256 << 10;

/// How far into a file without a header frames are looked for.
const HEADERLESS_BYTES: u64 = 64 << 10;

/// The log as recovery found it.
#[derive(Debug)]
pub(in crate::local) struct Chain {
    /// Where it ends. The log goes on in a new segment, never here.
    pub(in crate::local) end: WalPosition,
    /// A segment number that no file has.
    pub(in crate::local) next_number: u64,
    /// The segments since the manifest's position.
    pub(in crate::local) in_use: Vec<(u64, Slot)>,
    /// Files that hold nothing needed.
    pub(in crate::local) free: Vec<Slot>,
    /// From which byte of the last segment on nothing calls its frames durable, if there are such.
    unsaid: Option<u64>,
}

impl Chain {
    /// Flushes the last segment, before anything refers to it: after a kill, what was written without a flush was read all the
    /// same, and the next segment will say that it is durable. All segments before were flushed when the log went on.
    ///
    /// What nothing calls durable is written again first, as it is: where a flush has failed, the system may have forgotten that
    /// it is not on the medium, go on to show it from its cache, and say that the next flush is well.
    ///
    /// # Errors
    /// What the system refuses.
    pub(in crate::local) fn make_durable(
        &self,
        disk: &dyn Disk,
        folder: &Path,
        planted: Planted,
    ) -> Result<(), OpenError> {
        let last = self.in_use.last().filter(|_| !planted!(planted, EndNotFlushed));
        let Some((_, slot)) = last else { return Ok(()) };
        let path = slot_path(folder, slot.name);
        let flushed = disk.open(&path, OpenHow::WRITE).and_then(|file| {
            if !planted!(planted, CacheBelieved) {
                write_again(&*file, self.unsure())?;
            }
            file.sync()
        });
        flushed.map_err(|error| OpenError::io(path, "flush", &error))
    }

    /// Which bytes of the last segment nothing calls durable. The header came with the first frame; where it stands alone, because no
    /// frame is left, the next segment builds on it all the same.
    fn unsure(&self) -> std::ops::Range<u64> {
        let end = self.end.offset;
        match self.unsaid.unwrap_or(end) {
            first if first <= FIRST_FRAME_AT => 0..end,
            first => first / BLOCK_BYTES as u64 * BLOCK_BYTES as u64..end,
        }
    }
}

struct FoundSlot {
    slot: Slot,
    header: HeaderBlock,
}

/// Takes one entry.
pub(in crate::local) type Apply<'a> = &'a mut dyn FnMut(Entry<'_>) -> Result<(), NotApplied>;

/// Why an entry could not be taken.
#[derive(Debug)]
pub(in crate::local) enum NotApplied {
    /// It does not fit the state: a clause.
    Wrong(String),
    /// Something else failed on the way.
    Failed(OpenError),
}

/// Reads the log from a position and hands every entry to `apply`, in order.
///
/// # Errors
/// [`OpenError::Damaged`] where acknowledged frames cannot be read, and [`OpenError::NewerFormat`].
pub(in crate::local) fn replay(
    disk: &dyn Disk,
    folder: &Path,
    from: WalPosition,
    planted: Planted,
    apply: Apply<'_>,
) -> Result<Chain, OpenError> {
    let found = survey(disk, folder)?;
    let mut reader =
        LogReader { disk, folder, found: &found, end: from, current: None, unsaid: VecDeque::new(), planted };
    reader.find_start()?;
    let mut in_use: Vec<(u64, Slot)> = Vec::new();
    loop {
        in_use.extend(reader.current.map(|slot| (reader.end.number, slot)));
        let successor = reader.successor();
        let limit = successor.map_or(u64::MAX, |(_, header)| header.first);
        reader.read_segment(limit, apply)?;
        let Some((slot, header)) = successor else { break };
        if reader.end.next_sequence != header.first {
            return Err(reader.lost(header.first - 1));
        }
        let (number, incarnation) = (header.number, header.incarnation);
        reader.end = WalPosition { number, incarnation, offset: FIRST_FRAME_AT, ..reader.end };
        reader.current = Some(slot);
        // Its header says that everything before it is durable.
        reader.unsaid.clear();
    }
    reader.refuse_later_claims()?;
    let (end, unsaid) = (reader.end, reader.unsaid.front().map(|(_, first)| *first));
    let used = |slot: &Slot| in_use.iter().any(|(_, used)| used.name == slot.name);
    let free = found.iter().map(|found| found.slot).filter(|slot| !used(slot) && slot.bytes > FIRST_FRAME_AT).collect();
    let numbers = found.iter().filter_map(|found| found.header.segment()).map(|header| header.number);
    let next_number = numbers.max().unwrap_or(0).max(end.number) + 1;
    Ok(Chain { end, next_number, in_use, free, unsaid })
}

/// All files of the log with what their first blocks say.
fn survey(disk: &dyn Disk, folder: &Path) -> Result<Vec<FoundSlot>, OpenError> {
    let entries = disk.list(folder).map_err(|error| OpenError::io(folder, "list", &error))?;
    let mut found = Vec::new();
    for name in entries.iter().filter_map(|entry| slot_name(&entry.name)) {
        let path = slot_path(folder, name);
        let mut block = [0; BLOCK_BYTES];
        let read = disk.open(&path, OpenHow::READ).and_then(|file| {
            let length = file.read_at(&mut block, 0)?;
            Ok((file.size()?, length))
        });
        let (bytes, length) = read.map_err(|error| OpenError::io(&path, "read", &error))?;
        let header = read_header(&block[..length]);
        if let HeaderBlock::Newer(format) = header {
            return Err(OpenError::NewerFormat { path, found: format, supported: WAL_FORMAT });
        }
        // A direct write cannot end in part of a block.
        let bytes = bytes / BLOCK_BYTES as u64 * BLOCK_BYTES as u64;
        found.push(FoundSlot { slot: Slot { name, bytes }, header });
    }
    Ok(found)
}

struct LogReader<'a> {
    disk: &'a dyn Disk,
    folder: &'a Path,
    found: &'a [FoundSlot],
    /// Up to here all was read.
    end: WalPosition,
    /// The file of the segment that `end` names.
    current: Option<Slot>,
    /// Frames that nothing after them calls durable: sequence number, place in the current segment.
    unsaid: VecDeque<(u64, u64)>,
    planted: Planted,
}

impl LogReader<'_> {
    /// Finds the segment that the manifest names.
    fn find_start(&mut self) -> Result<(), OpenError> {
        if self.end.number == 0 {
            return Ok(());
        }
        let named = |found: &&FoundSlot| {
            found
                .header
                .segment()
                .is_some_and(|header| (header.number, header.incarnation) == (self.end.number, self.end.incarnation))
        };
        let Some(start) = self.found.iter().find(named) else {
            let what = format!(
                "segment {} of the write-ahead log, where the manifest's checkpoint ends, is missing, so all that was \
                 acknowledged after that checkpoint is lost",
                self.end.number
            );
            return Err(OpenError::damaged(self.folder, what));
        };
        self.current = Some(start.slot);
        Ok(())
    }

    /// The segment that goes on after the current one.
    fn successor(&self) -> Option<(Slot, SegmentHeader)> {
        let follows = |found: &FoundSlot| {
            let header = found.header.segment()?;
            (header.previous == self.end.incarnation && header.number > self.end.number).then_some((found.slot, header))
        };
        self.found.iter().filter_map(follows).max_by_key(|(_, header)| header.number)
    }

    /// Reads frames of the current segment up to its end or to the frame before `limit`.
    fn read_segment(&mut self, limit: u64, apply: Apply<'_>) -> Result<(), OpenError> {
        let Some(slot) = self.current else { return Ok(()) };
        let mut window = Window::open(self.disk, self.folder, slot)?;
        while self.end.next_sequence < limit {
            let at = self.end.offset;
            let accepted = match window.frame(at)? {
                Some((header, payload)) if self.is_next(header) => {
                    let unreadable = || NotApplied::Wrong(format!("its kind {} cannot be read", header.kind));
                    let applied = Entry::read(header.kind, payload).map_err(|_| unreadable()).and_then(&mut *apply);
                    applied.map_err(|why| match why {
                        NotApplied::Failed(error) => error,
                        NotApplied::Wrong(what) => OpenError::damaged(
                            slot_path(self.folder, slot.name),
                            format!("frame {} at byte {at} cannot be applied: {what}", header.sequence),
                        ),
                    })?;
                    Some((FRAME_HEADER_BYTES + payload.len(), header))
                }
                _ => None,
            };
            match accepted {
                Some((size, header)) => {
                    self.unsaid.push_back((header.sequence, at));
                    while self.unsaid.pop_front_if(|(sequence, _)| *sequence <= header.durable).is_some() {}
                    self.end.offset += size as u64;
                    self.end.next_sequence += 1;
                }
                // The padding of a write: the next one began on the next block.
                None if !at.is_multiple_of(BLOCK_BYTES as u64) && !planted!(self.planted, RecoveryStopsEarly) => {
                    self.end.offset = at.next_multiple_of(BLOCK_BYTES as u64);
                }
                None => break,
            }
        }
        self.end.offset = self.end.offset.next_multiple_of(BLOCK_BYTES as u64);
        Ok(())
    }

    fn is_next(&self, header: FrameHeader) -> bool {
        if planted!(self.planted, StaleFrameAccepted) {
            return header.sequence <= self.end.next_sequence;
        }
        header.incarnation == self.end.incarnation && header.sequence == self.end.next_sequence
    }

    /// Looks for anything that says that frames after the end were durable.
    fn refuse_later_claims(&self) -> Result<(), OpenError> {
        let expected = self.end.next_sequence;
        if planted!(self.planted, DamageTakenForEnd) {
            return Ok(());
        }
        let mut claimed = 0;
        for found in self.found {
            let is_current = self.current.is_some_and(|slot| slot.name == found.slot.name);
            let range = match found.header {
                _ if is_current => self.end.offset..found.slot.bytes,
                HeaderBlock::Segment(header) => {
                    if header.number > self.end.number {
                        claimed = claimed.max(header.first - 1);
                    }
                    continue;
                }
                HeaderBlock::Invalid => 0..found.slot.bytes,
                HeaderBlock::Unused | HeaderBlock::Newer(_) => 0..found.slot.bytes.min(HEADERLESS_BYTES),
            };
            let mut window = Window::open(self.disk, self.folder, found.slot)?;
            claimed = claimed.max(window.highest_claim(range, expected)?);
        }
        if claimed >= expected { Err(self.lost(claimed)) } else { Ok(()) }
    }

    /// The refusal: frames from the end up to `last` were acknowledged and cannot be read.
    fn lost(&self, last: u64) -> OpenError {
        let path = self.current.map_or(self.folder.to_owned(), |slot| slot_path(self.folder, slot.name));
        let first = self.end.next_sequence;
        let what = format!(
            "frame {first} of the write-ahead log, expected at byte {}, cannot be read, and what was written later says \
             that it was durable; lost is what the {} frames from {first} to {last} held, and all after them",
            self.end.offset,
            last.saturating_sub(first) + 1
        );
        OpenError::damaged(path, what)
    }
}

/// Writes what a file holds over itself.
fn write_again(file: &dyn DiskFile, range: std::ops::Range<u64>) -> io::Result<()> {
    let mut offset = range.start;
    while offset < range.end {
        let mut piece = vec![0; WINDOW_BYTES.min((range.end - offset) as usize)];
        let length = file.read_at(&mut piece, offset)?;
        if length == 0 {
            break;
        }
        file.write_at(&piece[..length], offset, false)?;
        offset += length as u64;
    }
    Ok(())
}

impl HeaderBlock {
    fn segment(&self) -> Option<SegmentHeader> {
        match self {
            HeaderBlock::Segment(header) => Some(*header),
            _ => None,
        }
    }
}

/// A moving view of one file.
struct Window {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    size: u64,
    bytes: Vec<u8>,
    start: u64,
}

impl Window {
    fn open(disk: &dyn Disk, folder: &Path, slot: Slot) -> Result<Self, OpenError> {
        let path = slot_path(folder, slot.name);
        let file = disk.open(&path, OpenHow::READ).map_err(|error| OpenError::io(&path, "open", &error))?;
        Ok(Self { file, path, size: slot.bytes, bytes: Vec::new(), start: 0 })
    }

    /// The frame at an offset, where there is a valid one.
    fn frame(&mut self, offset: u64) -> Result<Option<(FrameHeader, &[u8])>, OpenError> {
        let Ok((_, size)) = peek_frame(self.view(offset, FRAME_HEADER_BYTES)?) else {
            return Ok(None);
        };
        if offset + size as u64 > self.size {
            return Ok(None);
        }
        match read_frame(self.view(offset, size)?) {
            Ok(frame) => Ok(Some(frame)),
            Err(NotAFrame::Short(_) | NotAFrame::Invalid) => Ok(None),
        }
    }

    /// The highest sequence number, from `expected` on, that a frame at the start of a block in that range calls durable.
    fn highest_claim(&mut self, range: std::ops::Range<u64>, expected: u64) -> Result<u64, OpenError> {
        let mut highest = 0;
        for offset in range.step_by(BLOCK_BYTES) {
            let peeked = peek_frame(self.view(offset, FRAME_HEADER_BYTES)?);
            // Frames of earlier uses of the file say less, so that their checksums need not be computed.
            if peeked.is_ok_and(|(header, _)| header.durable >= expected)
                && let Some((header, _)) = self.frame(offset)?
            {
                highest = highest.max(header.durable);
            }
        }
        Ok(highest)
    }

    /// Up to `length` bytes at an offset; fewer where the file ends.
    fn view(&mut self, offset: u64, length: usize) -> Result<&[u8], OpenError> {
        let length = length.min(usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX));
        let covered = offset >= self.start && offset + length as u64 <= self.start + self.bytes.len() as u64;
        if !covered {
            self.load(offset, length).map_err(|error| OpenError::io(&self.path, "read", &error))?;
        }
        let from = (offset - self.start) as usize;
        Ok(self.bytes.get(from..(from + length).min(self.bytes.len())).unwrap_or_default())
    }

    fn load(&mut self, offset: u64, length: usize) -> io::Result<()> {
        let wanted = length.max(WINDOW_BYTES).min(self.size.saturating_sub(offset) as usize);
        self.bytes.resize(wanted, 0);
        self.start = offset;
        let read = self.file.read_at(&mut self.bytes, offset)?;
        self.bytes.truncate(read);
        Ok(())
    }
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod tests;
