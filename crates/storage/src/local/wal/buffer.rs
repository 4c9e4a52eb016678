//! Where frames gather for one write, in memory that readers may share once it is written.
//!
//! What a large write holds of records stays where it is: the newest records in memory are parts of it, so they are copied
//! once on their way, from the request to here. When nobody has a part of it any more, the memory serves a later write: memory
//! that is new to the process costs as much as the copy.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::local::disk::AlignedBuffer;

/// How much memory waits for later writes. Readers let go of many writes at a time, when these are in segment files.
const SPARE_MAX_BYTES: usize = 24 << 20;

/// From here on a buffer is as large as it must be, in large pages.
const SIZED_FREELY_BYTES: usize = 1 << 20;

/// Smaller buffers suit whatever fits into them.
const SMALL_BYTES: usize = 64 << 10;

/// Whether a buffer has room for so much, and would be half full with it.
fn suits(buffer: &AlignedBuffer, bytes: usize) -> bool {
    buffer.capacity() >= bytes && (buffer.capacity() <= 2 * bytes || buffer.capacity() <= SMALL_BYTES)
}

/// Bytes that begin at a block in memory.
#[derive(Debug, Default)]
pub(in crate::local) struct FrameBuffer {
    buffer: AlignedBuffer,
    spare: Spare,
}

/// Buffers that nobody uses.
#[derive(Clone, Debug, Default)]
pub(in crate::local) struct Spare(Arc<Mutex<SpareBuffers>>);

#[derive(Debug, Default)]
struct SpareBuffers {
    buffers: Vec<AlignedBuffer>,
    /// One was taken or put back since it was last looked whether any is needed.
    is_used: bool,
}

/// Parts of a write.
#[derive(Debug, Default)]
pub(in crate::local) struct Parts {
    pub(in crate::local) parts: Vec<Bytes>,
    /// How much memory they keep besides their own bytes.
    pub(in crate::local) besides_bytes: usize,
}

/// A write that readers share.
struct Shared {
    buffer: AlignedBuffer,
    spare: Spare,
}

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.buffer.as_slice()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.spare.put(std::mem::take(&mut self.buffer));
    }
}

impl Spare {
    /// One that suits so much; an empty one where there is none.
    fn take(&self, bytes: usize) -> AlignedBuffer {
        let mut spare = self.lock();
        spare.is_used = true;
        let suiting = spare.buffers.iter().position(|buffer| suits(buffer, bytes));
        suiting.map(|place| spare.buffers.remove(place)).unwrap_or_default()
    }

    fn put(&self, mut buffer: AlignedBuffer) {
        buffer.clear();
        let mut spare = self.lock();
        spare.is_used = true;
        if buffer.capacity() == 0 {
            return;
        }
        spare.buffers.push(buffer);
        // What has waited for long is of a size that is not wanted any more.
        let mut too_much = spare.bytes().saturating_sub(SPARE_MAX_BYTES);
        while too_much > 0 && !spare.buffers.is_empty() {
            too_much = too_much.saturating_sub(spare.buffers.remove(0).capacity());
        }
    }

    /// Whether there is none.
    pub(in crate::local) fn is_empty(&self) -> bool {
        self.lock().buffers.is_empty()
    }

    /// Gives the memory back to the system, if none was taken or put back since this was last called.
    pub(in crate::local) fn release_unused(&self) {
        let mut spare = self.lock();
        let is_used = std::mem::take(&mut spare.is_used);
        let released = if is_used { Vec::new() } else { std::mem::take(&mut spare.buffers) };
        drop(spare);
        drop(released);
    }

    fn lock(&self) -> MutexGuard<'_, SpareBuffers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpareBuffers {
    fn bytes(&self) -> usize {
        self.buffers.iter().map(AlignedBuffer::capacity).sum()
    }
}

impl FrameBuffer {
    /// Where its memory waits.
    pub(in crate::local) fn spare(&self) -> Spare {
        self.spare.clone()
    }

    /// How many bytes it holds.
    pub(in crate::local) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// The content.
    pub(in crate::local) fn as_slice(&self) -> &[u8] {
        self.buffer.as_slice()
    }

    /// The content from there on, for change in place.
    pub(in crate::local) fn slice_mut(&mut self, start: usize) -> &mut [u8] {
        self.buffer.as_mut_slice().get_mut(start..).unwrap_or_default()
    }

    /// Says how many bytes are about to be added, so that there is room for them and not much more.
    pub(in crate::local) fn expect(&mut self, more: usize) {
        if self.len() == 0 && !suits(&self.buffer, more) {
            self.spare.put(std::mem::take(&mut self.buffer));
            self.buffer = self.spare.take(more);
        }
        // Few sizes, so that what was one write's suits another.
        self.buffer.reserve(if more < SIZED_FREELY_BYTES { more.next_power_of_two() } else { more });
    }

    /// Adds bytes.
    pub(in crate::local) fn extend(&mut self, bytes: &[u8]) {
        self.buffer.extend(bytes);
    }

    /// Adds zeros up to the next block.
    pub(in crate::local) fn pad_to_block(&mut self) {
        self.buffer.pad_to_block();
    }

    /// Forgets the content and keeps the memory.
    pub(in crate::local) fn clear(&mut self) {
        self.buffer.clear();
    }

    /// Empties it, and answers parts of what it held: as they are where it is at least half full, else as copies.
    pub(in crate::local) fn take_parts(&mut self, parts: impl Iterator<Item = Range<usize>>) -> Parts {
        let (used, capacity) = (self.len(), self.buffer.capacity());
        if used < capacity / 2 || used == 0 {
            let whole = self.buffer.as_slice();
            let parts = parts.map(|part| Bytes::copy_from_slice(whole.get(part).unwrap_or_default())).collect();
            self.clear();
            return Parts { parts, besides_bytes: 0 };
        }
        let shared = Shared { buffer: std::mem::take(&mut self.buffer), spare: self.spare.clone() };
        let whole = Bytes::from_owner(shared);
        let parts: Vec<Bytes> = parts.map(|part| whole.slice(part)).collect();
        let besides_bytes = capacity - parts.iter().map(Bytes::len).sum::<usize>();
        Parts { parts, besides_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_shared_and_uses_its_memory_again() {
        let mut buffer = FrameBuffer::default();
        let mut shared = Vec::new();
        let mut places = std::collections::BTreeSet::new();
        for round in 1..200_usize {
            let piece = vec![round as u8; round * 3_001];
            buffer.expect(piece.len());
            buffer.extend(&piece[..round]);
            buffer.extend(&piece[round..]);
            assert_eq!(buffer.as_slice(), piece);
            places.insert(buffer.as_slice().as_ptr().addr());
            buffer.pad_to_block();
            let taken = buffer.take_parts([0..round, round..piece.len()].into_iter());
            assert_eq!(taken.parts.concat(), piece);
            assert_eq!(buffer.len(), 0);
            shared.push((taken.parts, piece));
            if shared.len() > 3 {
                let (parts, piece) = shared.remove(0);
                assert_eq!(parts.concat(), piece, "what came later must not be written over it");
            }
        }
        assert!(places.len() < 100, "{} places", places.len());
    }

    #[test]
    fn a_small_write_is_copied_and_leaves_its_memory_to_the_next() {
        let mut buffer = FrameBuffer::default();
        buffer.expect(1 << 20);
        buffer.extend(b"one");
        buffer.pad_to_block();
        let before = buffer.as_slice().as_ptr();
        let taken = buffer.take_parts(std::iter::once(0..3));
        assert_eq!((taken.parts, taken.besides_bytes), (vec![Bytes::from_static(b"one")], 0));
        buffer.extend(b"two");
        assert_eq!(buffer.as_slice().as_ptr(), before);
    }

    #[test]
    fn what_a_part_keeps_besides_itself_is_told() {
        let mut buffer = FrameBuffer::default();
        buffer.extend(&[1; 60_000]);
        buffer.pad_to_block();
        let taken = buffer.take_parts(std::iter::once(100..50_100));
        assert_eq!(taken.besides_bytes, 65_536 - 50_000);
    }
}
