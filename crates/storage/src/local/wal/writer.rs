//! Writing the log: frames gather in one aligned buffer, which goes to the disk in one call and then to the readers.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::buffer::{FrameBuffer, Parts, Spare};
use super::frame::{FrameHeader, put_frame};
use super::segment::{FIRST_FRAME_AT, SegmentHeader, put_header};
use super::{ATOMIC_RECORDS, CHECKED_RECORDS, RECORDS_HEAD_BYTES, part_head, records_head};
use super::{FRAME_HEADER_BYTES, Slot, WalPosition, slot_path};
use crate::PartitionId;
use crate::local::disk::{BLOCK_BYTES, Disk, DiskFile, OpenHow};
use crate::local::planted::{Planted, planted};

/// How much of a segment is kept back at most: 256 small flushes, of a block each.
const RESERVE_MAX_BYTES: u64 = 1 << 20;

/// Where a writer goes on.
pub(in crate::local) struct WalWriterStart {
    pub(in crate::local) disk: Arc<dyn Disk>,
    /// The folder of the segments.
    pub(in crate::local) folder: PathBuf,
    /// Whether the file system takes direct writes.
    pub(in crate::local) direct: bool,
    /// Where recovery found the end.
    pub(in crate::local) end: WalPosition,
    /// The next segment's number.
    pub(in crate::local) next_number: u64,
    /// Makes this run's incarnations.
    pub(in crate::local) random: u64,
    pub(in crate::local) planted: Planted,
}

/// Writes the log. One thread owns it.
pub(in crate::local) struct WalWriter {
    start: WalWriterStart,
    file: Option<OpenSegment>,
    /// Where the next write goes.
    end: WalPosition,
    /// Where the last write ended: another segment than `end` while a new one has no header on the disk yet.
    written_end: WalPosition,
    durable_sequence: u64,
    /// Written frames are not flushed yet.
    unflushed: bool,
    buffer: FrameBuffer,
    buffered_frames: u64,
    /// What is in the buffer was written, and is there only for who wants parts of it.
    is_written: bool,
    /// What a planted bug keeps for the next write.
    kept: Option<Vec<u8>>,
    /// How much was written in all, and how often it was flushed.
    written_bytes: u64,
    flushes: u64,
}

struct OpenSegment {
    file: Arc<dyn DiskFile>,
    capacity: u64,
}

impl WalWriter {
    pub(in crate::local) fn new(start: WalWriterStart) -> Self {
        let end = start.end;
        Self {
            start,
            file: None,
            end,
            written_end: end,
            durable_sequence: end.next_sequence - 1,
            unflushed: false,
            buffer: FrameBuffer::default(),
            buffered_frames: 0,
            is_written: false,
            kept: None,
            written_bytes: 0,
            flushes: 0,
        }
    }

    /// How much was written since the start.
    pub(in crate::local) fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Where the memory of earlier writes waits.
    pub(in crate::local) fn spare(&self) -> Spare {
        self.buffer.spare()
    }

    /// How often it was flushed since the start.
    pub(in crate::local) fn flushes(&self) -> u64 {
        self.flushes
    }

    /// Whether frames with payloads of `payload_bytes` in all still fit into the open segment.
    pub(in crate::local) fn fits(&self, frames: usize, payload_bytes: usize) -> bool {
        let bytes = self.buffered_bytes() + frames * FRAME_HEADER_BYTES + payload_bytes;
        let padded = bytes.next_multiple_of(BLOCK_BYTES) as u64;
        self.file.as_ref().is_some_and(|open| self.end.offset + padded <= open.capacity)
    }

    /// How much of the open segment is kept back for what must go on while the disk is full.
    pub(in crate::local) fn reserve_bytes(&self) -> usize {
        let capacity = self.file.as_ref().map_or(0, |open| open.capacity);
        (capacity / 8).min(RESERVE_MAX_BYTES) as usize / BLOCK_BYTES * BLOCK_BYTES
    }

    /// How large a segment must be to take such frames.
    pub(in crate::local) fn segment_bytes_for(frames: usize, payload_bytes: usize) -> u64 {
        let bytes = frames * FRAME_HEADER_BYTES + payload_bytes;
        FIRST_FRAME_AT + bytes.next_multiple_of(BLOCK_BYTES) as u64
    }

    /// The number that the next segment will have.
    pub(in crate::local) fn next_number(&self) -> u64 {
        self.start.next_number
    }

    /// How many bytes wait for the next write.
    pub(in crate::local) fn buffered_bytes(&self) -> usize {
        if self.is_written { self.kept.as_ref().map_or(0, Vec::len) } else { self.buffer.len() }
    }

    /// Whether frames wait for the next write.
    pub(in crate::local) fn has_frames(&self) -> bool {
        self.buffered_frames > 0
    }

    /// Whether written frames are not flushed yet.
    pub(in crate::local) fn is_unflushed(&self) -> bool {
        self.unflushed
    }

    /// Where the log ends on the disk.
    pub(in crate::local) fn position(&self) -> WalPosition {
        self.written_end
    }

    /// Goes on in a new segment. Nothing may wait to be written, and all that was written must be flushed. On an error the
    /// log is as it was.
    pub(in crate::local) fn open_segment(&mut self, slot: &Slot) -> io::Result<()> {
        self.begin();
        let keeps_tail = planted!(self.start.planted, TailBlockRewritten);
        debug_assert!((self.buffer.len() == 0 || keeps_tail) && !self.unflushed, "the segment before must be complete");
        let path = slot_path(&self.start.folder, slot.name);
        let file = self.start.disk.open(&path, OpenHow::WRITE.direct(self.start.direct))?;
        let number = self.start.next_number;
        let incarnation = incarnation(self.start.random, number);
        let previous = self.end.incarnation;
        if planted!(self.start.planted, TailBlockRewritten) {
            self.buffer.clear();
        }
        let header = SegmentHeader { number, incarnation, previous, first: self.end.next_sequence };
        put_header(&mut self.buffer, header);
        self.start.next_number += 1;
        self.end = WalPosition { number, incarnation, offset: 0, next_sequence: self.end.next_sequence };
        self.file = Some(OpenSegment { file, capacity: slot.bytes });
        Ok(())
    }

    /// Adds a frame to the next write.
    pub(in crate::local) fn put(&mut self, kind: u16, payload: &[&[u8]]) {
        self.put_finished(kind, payload, |_| {});
    }

    /// Adds batches of a partition to the next write, changed by `set_offsets` where they lie then. Answers where that is,
    /// for [`WalWriter::take_written`].
    pub(in crate::local) fn put_records(
        &mut self,
        partition: PartitionId,
        batches: &[u8],
        set_offsets: impl FnOnce(&mut [u8]),
    ) -> Range<usize> {
        let head = records_head(partition);
        self.put_finished(CHECKED_RECORDS, &[&head, batches], |payload| {
            set_offsets(payload.get_mut(RECORDS_HEAD_BYTES..).unwrap_or_default());
        });
        let end = self.buffer.len();
        end - batches.len()..end
    }

    /// Adds batches of several partitions in one frame, changed by `set_offsets`, which is told the number of the part. Answers
    /// where they are, for [`WalWriter::take_written`].
    pub(in crate::local) fn put_atomic(
        &mut self,
        parts: &[(PartitionId, &[u8])],
        mut set_offsets: impl FnMut(usize, &mut [u8]),
    ) -> Vec<Range<usize>> {
        let count = (parts.len() as u32).to_be_bytes();
        let heads: Vec<_> = parts.iter().map(|(partition, batches)| part_head(*partition, batches)).collect();
        let mut payload: Vec<&[u8]> = vec![&count];
        let mut places = Vec::new();
        let mut length = count.len();
        for (head, (_, batches)) in heads.iter().zip(parts) {
            payload.extend([&head[..], batches]);
            let start = length + head.len();
            length = start + batches.len();
            places.push(start..length);
        }
        self.put_finished(ATOMIC_RECORDS, &payload, |payload| {
            for (number, place) in places.iter().enumerate() {
                set_offsets(number, payload.get_mut(place.clone()).unwrap_or_default());
            }
        });
        let start = self.buffer.len() - length;
        places.into_iter().map(|place| start + place.start..start + place.end).collect()
    }

    fn put_finished(&mut self, kind: u16, payload: &[&[u8]], finish: impl FnOnce(&mut [u8])) {
        self.begin();
        let sequence = self.end.next_sequence + self.buffered_frames;
        let header = FrameHeader { incarnation: self.end.incarnation, sequence, durable: self.durable_sequence, kind };
        put_frame(&mut self.buffer, header, payload, finish);
        self.buffered_frames += 1;
    }

    /// Parts of what was written last. To be asked for once, before anything is added.
    pub(in crate::local) fn take_written(&mut self, parts: impl Iterator<Item = Range<usize>>) -> Parts {
        debug_assert!(self.is_written, "what is asked for must have been written");
        self.buffer.take_parts(parts)
    }

    /// Says how much is about to be added.
    pub(in crate::local) fn expect(&mut self, frames: usize, payload_bytes: usize) {
        self.begin();
        self.buffer.expect(frames * FRAME_HEADER_BYTES + payload_bytes + BLOCK_BYTES);
    }

    /// Makes room for the next write.
    fn begin(&mut self) {
        if std::mem::take(&mut self.is_written) {
            self.buffer.clear();
            if let Some(kept) = self.kept.take() {
                self.buffer.extend(&kept);
            }
        }
    }

    /// Writes all that waits, in one call, and flushes it where `flush` holds. After an error nothing may be written any
    /// more: what is on the disk is not known.
    pub(in crate::local) fn write(&mut self, flush: bool) -> io::Result<()> {
        self.begin();
        let Some(open) = &self.file else {
            return Err(io::Error::other("no segment of the write-ahead log is open"));
        };
        let (frames_bytes, never_flushes) = (self.buffer.len(), planted!(self.start.planted, AckBeforeFlush));
        self.buffer.pad_to_block();
        // A header is always flushed: the segment is known by it, whatever durability its first records ask for.
        let flush = (flush || self.end.offset == 0) && !never_flushes;
        // Earlier writes that were not flushed need a flush of the whole file; otherwise one durable write is cheaper.
        let covers_own_only = planted!(self.start.planted, FlushesOwnWriteOnly);
        let durable_write = flush && (!self.unflushed || covers_own_only);
        let block_bytes = BLOCK_BYTES as u64;
        let at = self.end.offset / block_bytes * block_bytes;
        open.file.write_at(self.buffer.as_slice(), at, durable_write)?;
        if flush && self.unflushed && !covers_own_only {
            open.file.sync()?;
        }
        self.written_bytes += self.buffer.len() as u64;
        self.flushes += u64::from(flush);
        self.end.offset = at + self.buffer.len() as u64;
        self.end.next_sequence += self.buffered_frames;
        self.written_end = self.end;
        self.unflushed = !flush;
        if flush || never_flushes {
            self.durable_sequence = self.end.next_sequence - 1;
            self.unflushed = false;
        }
        let keeps_tail = planted!(self.start.planted, TailBlockRewritten);
        let last_block = frames_bytes / BLOCK_BYTES * BLOCK_BYTES;
        self.kept = keeps_tail.then(|| self.buffer.as_slice()[last_block..frames_bytes].to_vec());
        (self.buffered_frames, self.is_written) = (0, true);
        if keeps_tail {
            self.end.offset = at + frames_bytes as u64;
            self.written_end = self.end;
        }
        Ok(())
    }

    /// Flushes what was written without a flush. After an error nothing may be written any more.
    pub(in crate::local) fn settle(&mut self) -> io::Result<()> {
        if let (true, Some(open)) = (self.unflushed, &self.file) {
            open.file.sync()?;
            self.flushes += 1;
        }
        self.unflushed = false;
        self.durable_sequence = self.end.next_sequence - 1;
        Ok(())
    }

    /// Closes the file; the next write needs a new segment.
    pub(in crate::local) fn close(&mut self) {
        self.file = None;
        self.buffer.clear();
    }
}

/// An incarnation that no other segment has: one step of SplitMix64 over the run's random bits and the segment's number;
/// never 0, which stands for "none".
fn incarnation(random: u64, number: u64) -> u64 {
    let mut mixed = random.wrapping_add(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)).max(1)
}
