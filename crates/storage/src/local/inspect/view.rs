//! A bounded view that moves over a file. What a file says of its own lengths decides how far the view moves, never how
//! much memory it takes.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use crc_fast::{CrcAlgorithm, Digest};

use crate::local::disk::DiskFile;

/// How much of a file is in memory at once.
const WINDOW_BYTES: usize = 256 << 10;

/// How many times its size may be summed up for one file. Intact files need once; one made to be slow could ask for a sum
/// over all that is left at every byte.
const SUMS_PER_BYTE: u64 = 8;

/// A file, and the piece of it that was read last.
pub(super) struct View {
    file: Arc<dyn DiskFile>,
    end: u64,
    bytes: Vec<u8>,
    start: u64,
    /// How many bytes may still be summed up.
    sums_left: u64,
}

impl View {
    /// Of the first `end` bytes of a file, or of all where it is shorter.
    pub(super) fn new(file: Arc<dyn DiskFile>, end: u64) -> io::Result<Self> {
        let end = end.min(file.size()?);
        Ok(Self { file, end, bytes: Vec::new(), start: 0, sums_left: end.saturating_mul(SUMS_PER_BYTE) })
    }

    /// Another view of the same file, up to another end.
    pub(super) fn up_to(&self, end: u64) -> io::Result<Self> {
        Self::new(self.file.clone(), end)
    }

    /// Where it ends.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Up to `length` bytes from a position on, at most a window; fewer where the file ends.
    pub(super) fn at(&mut self, position: u64, length: usize) -> io::Result<&[u8]> {
        let left = usize::try_from(self.end.saturating_sub(position)).unwrap_or(usize::MAX);
        let length = length.min(left).min(WINDOW_BYTES);
        let covered = position >= self.start && position + length as u64 <= self.start + self.bytes.len() as u64;
        if !covered {
            self.bytes.resize(WINDOW_BYTES.min(left), 0);
            self.start = position;
            let read = self.file.read_at(&mut self.bytes, position)?;
            self.bytes.truncate(read);
        }
        let from = (position - self.start) as usize;
        Ok(self.bytes.get(from..(from + length).min(self.bytes.len())).unwrap_or_default())
    }

    /// The CRC-32C of a range; `None` where the file ends before, or too much was summed up already.
    pub(super) fn crc_32c(&mut self, range: Range<u64>) -> io::Result<Option<u32>> {
        Ok(self.sum(CrcAlgorithm::Crc32Iscsi, [range])?.map(|sum| sum as u32))
    }

    /// The CRC-64/NVME of ranges, as if they lay end to end; `None` as for the other.
    pub(super) fn crc_64(&mut self, ranges: impl IntoIterator<Item = Range<u64>>) -> io::Result<Option<u64>> {
        self.sum(CrcAlgorithm::Crc64Nvme, ranges)
    }

    fn sum(
        &mut self,
        algorithm: CrcAlgorithm,
        ranges: impl IntoIterator<Item = Range<u64>>,
    ) -> io::Result<Option<u64>> {
        let mut digest = Digest::new(algorithm);
        for range in ranges {
            if !self.add(&mut digest, range)? {
                return Ok(None);
            }
        }
        Ok(Some(digest.finalize()))
    }

    fn add(&mut self, digest: &mut Digest, range: Range<u64>) -> io::Result<bool> {
        let length = range.end.saturating_sub(range.start);
        if range.end > self.end || length > self.sums_left {
            return Ok(false);
        }
        self.sums_left -= length;
        let mut position = range.start;
        while position < range.end {
            let wanted = usize::try_from(range.end - position).unwrap_or(usize::MAX);
            let bytes = self.at(position, wanted)?;
            if bytes.is_empty() {
                return Ok(false);
            }
            digest.update(bytes);
            position += bytes.len() as u64;
        }
        Ok(true)
    }

    /// A range as a whole, where it has at most `max_bytes` and the file has it.
    pub(super) fn whole(&mut self, range: Range<u64>, max_bytes: usize) -> io::Result<Option<Vec<u8>>> {
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        if range.end > self.end || length > max_bytes {
            return Ok(None);
        }
        let mut bytes = vec![0; length];
        let read = self.file.read_at(&mut bytes, range.start)?;
        Ok((read == length).then_some(bytes))
    }
}
