//! Going through the files of the write-ahead log one by one, whatever recovery would say of them.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::batches::{BatchWalk, Next, Offsets};
use super::view::View;
use crate::PartitionId;
use crate::local::disk::{BLOCK_BYTES, Disk, OpenHow};
use crate::local::fields::Fields;
use crate::local::wal::{
    ATOMIC_HEAD_BYTES, ATOMIC_RECORDS, BATCH_FRONT_BYTES, CHECKED_RECORDS, COVERED_FROM, Entry, FIRST_FRAME_AT,
    FRAME_HEADER_BYTES, FrameHeader, HeaderBlock, PART_HEAD_BYTES, RECORDS, RECORDS_HEAD_BYTES, SegmentHeader,
    peek_frame, read_header, slot_name,
};

/// A file of the write-ahead log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct WalFile {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) header: HeaderBlock,
}

impl WalFile {
    /// What its header says, where that can be read.
    pub(super) fn segment(&self) -> Option<SegmentHeader> {
        match self.header {
            HeaderBlock::Segment(header) => Some(header),
            _ => None,
        }
    }
}

/// All files of a write-ahead log, in the order in which they were written; those without a header first.
pub(super) fn wal_files(disk: &dyn Disk, folder: &Path) -> io::Result<Vec<WalFile>> {
    let mut files = Vec::new();
    for entry in disk.list(folder)? {
        if entry.is_folder || slot_name(&entry.name).is_none() {
            continue;
        }
        let path = folder.join(&entry.name);
        let file = disk.open(&path, OpenHow::READ)?;
        let mut block = [0; BLOCK_BYTES];
        let length = file.read_at(&mut block, 0)?;
        files.push(WalFile { path, bytes: file.size()?, header: read_header(&block[..length]) });
    }
    files.sort_by_key(|file| file.segment().map_or(0, |header| header.number));
    Ok(files)
}

/// A frame that is whole and matches its checksum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct FrameAt {
    pub(super) position: u64,
    pub(super) header: FrameHeader,
    pub(super) payload: Range<u64>,
}

/// Records of one partition in a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Part {
    pub(super) partition: PartitionId,
    /// Where its batches lie.
    pub(super) batches: Range<u64>,
}

/// A walk over the frames of one file that belong to its present use.
pub(super) struct FrameWalk {
    pub(super) view: View,
    incarnation: u64,
    position: u64,
}

impl FrameWalk {
    pub(super) fn open(disk: &dyn Disk, file: &WalFile, header: SegmentHeader) -> io::Result<Self> {
        let view = View::new(disk.open(&file.path, OpenHow::READ)?, file.bytes)?;
        Ok(Self { view, incarnation: header.incarnation, position: FIRST_FRAME_AT })
    }

    /// The next frame. What lies between two frames is padding, or the remains of a crash, or damage: sequence numbers tell.
    pub(super) fn next(&mut self) -> io::Result<Option<FrameAt>> {
        while self.position < self.view.end() {
            if let Some(frame) = self.look(self.position)? {
                self.position = frame.payload.end;
                return Ok(Some(frame));
            }
            self.position = (self.position + 1).next_multiple_of(BLOCK_BYTES as u64);
        }
        Ok(None)
    }

    /// The batches of a part.
    pub(super) fn batches(&self, part: &Part) -> io::Result<BatchWalk> {
        let Range { start, end } = part.batches;
        let offsets = Offsets { next: 0, end: i64::MAX, gaps: true };
        Ok(BatchWalk::new(self.view.up_to(end)?, start, end, offsets))
    }

    /// What a frame with records holds, by partition; `None` where it belongs to none.
    pub(super) fn parts(&mut self, frame: &FrameAt) -> io::Result<Option<Vec<Part>>> {
        let mut parts = Vec::new();
        let mut at = frame.payload.start;
        let is_atomic = frame.header.kind == ATOMIC_RECORDS;
        if is_atomic {
            at += ATOMIC_HEAD_BYTES as u64;
        }
        while at < frame.payload.end {
            let Some(partition) = self.partition_at(at)? else { return Ok(None) };
            let (start, end) = match is_atomic {
                false => (at + RECORDS_HEAD_BYTES as u64, frame.payload.end),
                true => {
                    let start = at + PART_HEAD_BYTES as u64;
                    let length = Fields::new(self.view.at(start - 4, 4)?).u32().unwrap_or_default();
                    (start, start + u64::from(length))
                }
            };
            if end > frame.payload.end || start > end {
                return Ok(None);
            }
            parts.push(Part { partition, batches: start..end });
            at = end;
        }
        Ok(Some(parts))
    }

    fn partition_at(&mut self, position: u64) -> io::Result<Option<PartitionId>> {
        let head = self.view.at(position, RECORDS_HEAD_BYTES)?;
        Ok(match Entry::read(RECORDS, head) {
            Ok(Entry::Records { partition, .. }) => Some(partition),
            _ => None,
        })
    }

    /// The offset of the first record of a part, and the offset after its last.
    pub(super) fn offsets(&self, part: &Part) -> io::Result<(i64, i64)> {
        let mut batches = self.batches(part)?;
        let mut offsets: Option<(i64, i64)> = None;
        while let Some(next) = batches.next()? {
            if let Next::Batch(batch) = next {
                let first = offsets.map_or(batch.header.base_offset, |(first, _)| first);
                offsets = Some((first, batch.header.next_offset()));
            }
        }
        Ok(offsets.unwrap_or_default())
    }

    fn look(&mut self, position: u64) -> io::Result<Option<FrameAt>> {
        let head = self.view.at(position, FRAME_HEADER_BYTES)?;
        let Ok((header, size)) = peek_frame(head) else { return Ok(None) };
        let stored = Fields::new(head).u64().ok();
        let end = position + size as u64;
        if header.incarnation != self.incarnation {
            return Ok(None);
        }
        let payload = position + FRAME_HEADER_BYTES as u64..end;
        let covered = position + COVERED_FROM as u64..end;
        let is_right = if header.kind == CHECKED_RECORDS {
            self.has_right_records(covered.start, &payload, stored)?
        } else {
            let sum = self.view.crc_64([covered])?;
            sum.is_some() && sum == stored
        };
        Ok(is_right.then_some(FrameAt { position, header, payload }))
    }

    /// Whether a frame matches its checksum, which covers the fronts of batches, and these match their own.
    fn has_right_records(&mut self, covered: u64, payload: &Range<u64>, stored: Option<u64>) -> io::Result<bool> {
        let mut at = payload.start + RECORDS_HEAD_BYTES as u64;
        let mut fronts: Vec<Range<u64>> = std::iter::once(covered..at).collect();
        let mut bodies = Vec::new();
        while at < payload.end {
            let front = self.view.at(at, BATCH_FRONT_BYTES)?;
            let length = Fields::new(front.get(8..).unwrap_or_default()).i32().ok();
            let crc = Fields::new(front.get(17..).unwrap_or_default()).u32().ok();
            let body = at + BATCH_FRONT_BYTES as u64;
            let end = length.and_then(|length| u64::try_from(length).ok()).map_or(0, |length| at + 12 + length);
            if end < body || end > payload.end {
                return Ok(false);
            }
            fronts.push(at..body);
            bodies.push((body..end, crc));
            at = end;
        }
        let sum = self.view.crc_64(fronts)?;
        let mut is_right = sum.is_some() && sum == stored;
        for (body, crc) in bodies {
            is_right = is_right && crc.is_some() && self.view.crc_32c(body)? == crc;
        }
        Ok(is_right)
    }
}
