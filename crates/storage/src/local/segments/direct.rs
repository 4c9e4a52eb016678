//! Large pieces of a segment go to the disk past the page cache.
//!
//! What is written here lies in the memory of the tail, and consumers that keep up have read it from there. Putting all of it
//! into the page cache as well costs more than everything else that a produced byte costs: a page to find, to fill and to
//! write back for every 4 KiB, and other files' pages to make room. What is read later comes into the cache with its first reader.
//!
//! A direct write covers whole blocks. So it begins with the block that the segment ended in, whose front is written again as
//! it was, and ends with zeros up to the next block, which do not count. A write of that block that tears leaves its front
//! right: old and new are the same there.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use super::SegmentName;
use crate::PartitionId;
use crate::local::disk::{AlignedBuffer, BLOCK_BYTES, Disk, DiskFile, OpenHow, read_exact_at};
use crate::local::tail::LogBatch;

/// From here on a piece is written directly. Smaller ones gather in the page cache until they are flushed.
pub(super) const DIRECT_MIN_BYTES: u64 = 32 << 10;

/// How many segments' last blocks are remembered: up to 4 MiB. The next piece of any other must read its block from the disk.
const REMEMBERED: usize = 1024;

/// How much memory is kept between writes.
const KEPT_BYTES: usize = 2 << 20;

/// Where a segment ended, and what its last block holds before that.
struct End {
    partition: PartitionId,
    name: SegmentName,
    bytes: u64,
    block: Vec<u8>,
}

/// Writes pieces directly, where the file system takes that.
pub(super) struct DirectPieces {
    works: bool,
    buffer: AlignedBuffer,
    /// The most recently written last.
    ends: VecDeque<End>,
}

impl DirectPieces {
    /// `works` says whether the file system takes direct writes.
    pub(super) fn new(works: bool) -> Self {
        Self { works, buffer: AlignedBuffer::new(), ends: VecDeque::new() }
    }

    /// Whether a piece of that size should be written so.
    pub(super) fn suits(&self, bytes: u64) -> bool {
        self.works && bytes >= DIRECT_MIN_BYTES
    }

    /// Writes batches behind the first `start` bytes of a segment, which is open as `log` too. Answers false where the file
    /// system does not take it after all.
    pub(super) fn write(
        &mut self,
        disk: &dyn Disk,
        (path, log): (&Path, &dyn DiskFile),
        (partition, name): (PartitionId, SegmentName),
        start: u64,
        piece: &[LogBatch],
    ) -> io::Result<bool> {
        self.begin_with_last_block((partition, name), log, start)?;
        self.buffer.reserve(piece.iter().map(|batch| batch.bytes.len()).sum::<usize>() + BLOCK_BYTES);
        piece.iter().for_each(|batch| self.buffer.extend(&batch.bytes));
        let in_block = (start % BLOCK_BYTES as u64) as usize;
        let end = self.buffer.len();
        let bytes = start + (end - in_block) as u64;
        let block = self.buffer.as_slice().get(end - end % BLOCK_BYTES..end).unwrap_or_default().to_vec();
        self.buffer.pad_to_block();
        let written = disk
            .open(path, OpenHow::WRITE.direct(true))
            .and_then(|file| file.write_at(self.buffer.as_slice(), start - in_block as u64, false));
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BYTES);
        match written {
            Ok(()) => {
                self.remember(End { partition, name, bytes, block });
                Ok(true)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => {
                self.works = false;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Forgets segments whose files are gone.
    pub(super) fn forget(&mut self, goes: impl Fn(PartitionId, SegmentName) -> bool) {
        self.ends.retain(|end| !goes(end.partition, end.name));
    }

    fn begin_with_last_block(
        &mut self,
        segment: (PartitionId, SegmentName),
        log: &dyn DiskFile,
        start: u64,
    ) -> io::Result<()> {
        let in_block = (start % BLOCK_BYTES as u64) as usize;
        let remembered = self.ends.iter().position(|end| (end.partition, end.name) == segment);
        let remembered = remembered.and_then(|at| self.ends.remove(at)).filter(|end| end.bytes == start);
        match remembered {
            Some(end) => self.buffer.extend(&end.block),
            None => {
                let mut block = vec![0; in_block];
                read_exact_at(log, &mut block, start - in_block as u64)?;
                self.buffer.extend(&block);
            }
        }
        Ok(())
    }

    fn remember(&mut self, end: End) {
        if self.ends.len() == REMEMBERED {
            self.ends.pop_front();
        }
        self.ends.push_back(end);
    }
}
