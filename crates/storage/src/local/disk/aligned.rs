//! A growing buffer that begins on a block boundary, as writing past the page cache demands.

/// The unit of direct writes: file systems and drives of today ask for 512 or 4096 bytes.
pub const BLOCK_BYTES: usize = 4096;

/// Bytes that begin at a multiple of [`BLOCK_BYTES`] in memory.
#[derive(Debug, Default)]
pub struct AlignedBuffer {
    /// Longer than the capacity by one block, so that an aligned start always lies within.
    storage: Vec<u8>,
    start: usize,
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
        if self.length == 0 && self.storage.len() > bytes + 2 * BLOCK_BYTES {
            *self = Self::default();
        }
    }

    /// The content.
    pub fn as_slice(&self) -> &[u8] {
        &self.storage[self.start..self.start + self.length]
    }

    /// The content, for change in place.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.storage[self.start..self.start + self.length]
    }

    /// Adds bytes.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.grow_for(bytes.len());
        let end = self.start + self.length;
        self.storage[end..end + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    /// Adds zeros.
    pub fn extend_zeros(&mut self, count: usize) {
        self.grow_for(count);
        let end = self.start + self.length;
        self.storage[end..end + count].fill(0);
        self.length += count;
    }

    /// Adds zeros up to the next multiple of [`BLOCK_BYTES`].
    pub fn pad_to_block(&mut self) {
        self.extend_zeros(self.length.next_multiple_of(BLOCK_BYTES) - self.length);
    }

    fn grow_for(&mut self, more: usize) {
        let wanted = self.length + more;
        if self.start + wanted <= self.storage.len() {
            return;
        }
        let capacity = wanted.max(self.length * 2).next_multiple_of(16 * BLOCK_BYTES);
        let storage = vec![0; capacity + BLOCK_BYTES];
        // `align_offset` may in theory refuse to answer; an unaligned start is then refused by the kernel, never silent.
        let start = storage.as_ptr().align_offset(BLOCK_BYTES).min(BLOCK_BYTES);
        let mut grown = Self { storage, start, length: self.length };
        grown.as_mut_slice().copy_from_slice(self.as_slice());
        *self = grown;
    }
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
