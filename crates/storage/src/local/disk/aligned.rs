//! A growing buffer that begins on a block boundary, as reading and writing past the page cache demand.
//!
//! Its memory comes from the system page by page, in large pages where there are: the system must look up every page of a
//! direct read or write. And it goes back to the system, instead of to an allocator that keeps it.

use memmap2::MmapMut;

/// The unit of direct writes: file systems and drives of today ask for 512 or 4096 bytes.
pub const BLOCK_BYTES: usize = 4096;

/// From here on large pages are asked for.
const LARGE_PAGE_BYTES: usize = 2 << 20;

/// Bytes that begin at a multiple of [`BLOCK_BYTES`] in memory.
#[derive(Debug, Default)]
pub struct AlignedBuffer {
    storage: Option<MmapMut>,
    length: usize,
}

impl AlignedBuffer {
    /// An empty buffer; memory is taken when it is first used.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes it holds.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Forgets the content and keeps the memory.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// Gives the memory back where it is more than `bytes`; the content must have been cleared.
    pub fn shrink_to(&mut self, bytes: usize) {
        if self.length == 0 && self.capacity() > bytes {
            *self = Self::default();
        }
    }

    /// The content.
    pub fn as_slice(&self) -> &[u8] {
        self.storage.as_ref().map_or(&[], |storage| &storage[..self.length])
    }

    /// The content, for change in place.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        self.storage.as_mut().map_or(&mut [], |storage| &mut storage[..self.length])
    }

    /// Adds bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.grow_by(bytes.len()).copy_from_slice(bytes);
    }

    /// Adds zeros.
    pub fn extend_zeros(&mut self, count: usize) {
        self.grow_by(count).fill(0);
    }

    /// Adds zeros up to the next multiple of [`BLOCK_BYTES`].
    pub fn pad_to_block(&mut self) {
        self.extend_zeros(self.length.next_multiple_of(BLOCK_BYTES) - self.length);
    }

    /// How much memory it has.
    pub fn capacity(&self) -> usize {
        self.storage.as_ref().map_or(0, |storage| storage.len())
    }

    /// Makes room for that many bytes more.
    pub fn reserve(&mut self, more: usize) {
        let (before, wanted) = (self.length, self.length + more);
        if wanted > self.capacity() {
            let unit = if wanted * 2 >= LARGE_PAGE_BYTES { LARGE_PAGE_BYTES } else { 16 * BLOCK_BYTES };
            let mut grown = map(wanted.max(before * 2).next_multiple_of(unit));
            grown[..before].copy_from_slice(self.as_slice());
            self.storage = Some(grown);
        }
    }

    /// Makes it longer, and answers what was added, whatever that holds.
    fn grow_by(&mut self, more: usize) -> &mut [u8] {
        self.reserve(more);
        let before = self.length;
        self.length += more;
        &mut self.as_mut_slice()[before..]
    }
}

/// Memory of its own, zeroed.
fn map(bytes: usize) -> MmapMut {
    // As with any other allocation, there is no going on without.
    let map = MmapMut::map_anon(bytes).unwrap_or_else(|error| panic!("{bytes} bytes of memory: {error}"));
    #[cfg(target_os = "linux")]
    if bytes >= LARGE_PAGE_BYTES {
        // A system without them gives small ones.
        let _ = map.advise(memmap2::Advice::HugePage);
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_aligned_and_keeps_content_while_it_grows() {
        let mut buffer = AlignedBuffer::new();
        let mut expected = Vec::new();
        for round in 1..200_usize {
            let piece = vec![round as u8; round * 37];
            buffer.extend(&piece);
            expected.extend_from_slice(&piece);
            assert_eq!(buffer.as_slice().as_ptr().align_offset(BLOCK_BYTES), 0);
        }
        assert_eq!(buffer.as_slice(), expected);
        buffer.pad_to_block();
        assert_eq!(buffer.len() % BLOCK_BYTES, 0);
        assert!(buffer.as_slice()[expected.len()..].iter().all(|byte| *byte == 0));
    }
}
