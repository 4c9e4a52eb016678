//! One file of the write-ahead log: a header block, then frames. Files are taken again and again; what a file holds is said
//! by its header, not by its name.
//!
//! ```text
//! magic: 8 bytes "OTTLAWAL"
//! format: u32
//! reserved: u32 = 0
//! number: u64        grows with every segment of this data folder
//! incarnation: u64   random; in every frame of the segment
//! previous: u64      incarnation of the segment before, 0 for the first
//! first: u64         sequence number of the first frame; all before it was durable when this was written
//! checksum: u64      CRC-64/NVME over all before
//! zeros up to 4096
//! ```

use super::buffer::FrameBuffer;
use crate::local::disk::BLOCK_BYTES;
use crate::local::fields::{Fields, Malformed, checksum};

/// The format of the write-ahead log that this version writes, and the newest it reads.
/// Since 3 there are atomic records.
pub(in crate::local) const WAL_FORMAT: u32 = 3;

/// Where the first frame of a segment lies.
pub(in crate::local) const FIRST_FRAME_AT: u64 = BLOCK_BYTES as u64;

const MAGIC: &[u8; 8] = b"OTTLAWAL";
const HEADER_BYTES: usize = 56;

/// What a segment's header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::local) struct SegmentHeader {
    pub(in crate::local) number: u64,
    pub(in crate::local) incarnation: u64,
    pub(in crate::local) previous: u64,
    pub(in crate::local) first: u64,
}

/// What the first block of a file is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::local) enum HeaderBlock {
    /// A header.
    Segment(SegmentHeader),
    /// Zeros: a file that was never used.
    Unused,
    /// A header of a later version.
    Newer(u32),
    /// None of these: torn or damaged.
    Invalid,
}

/// Appends the header block.
pub(in crate::local) fn put_header(buffer: &mut FrameBuffer, header: SegmentHeader) {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + 8);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&WAL_FORMAT.to_be_bytes());
    bytes.extend_from_slice(&0_u32.to_be_bytes());
    for number in [header.number, header.incarnation, header.previous, header.first] {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum.to_be_bytes());
    buffer.extend(&bytes);
    buffer.pad_to_block();
}

/// Reads the first block of a file.
pub(in crate::local) fn read_header(block: &[u8]) -> HeaderBlock {
    if block.iter().all(|byte| *byte == 0) {
        return HeaderBlock::Unused;
    }
    read_valid(block).unwrap_or(HeaderBlock::Invalid)
}

fn read_valid(block: &[u8]) -> Result<HeaderBlock, Malformed> {
    let mut fields = Fields::new(block);
    if &fields.array::<8>()? != MAGIC {
        return Err(Malformed);
    }
    let format = fields.u32()?;
    if format > WAL_FORMAT {
        return Ok(HeaderBlock::Newer(format));
    }
    fields.u32()?;
    let (number, incarnation, previous, first) = (fields.u64()?, fields.u64()?, fields.u64()?, fields.u64()?);
    let covered = block.len() - fields.rest().len();
    if fields.u64()? != checksum(&block[..covered]) || first == 0 || format == 0 {
        return Err(Malformed);
    }
    Ok(HeaderBlock::Segment(SegmentHeader { number, incarnation, previous, first }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: SegmentHeader = SegmentHeader { number: 3, incarnation: 4, previous: 5, first: 6 };

    fn block() -> Vec<u8> {
        let mut buffer = FrameBuffer::default();
        put_header(&mut buffer, HEADER);
        buffer.as_slice().to_vec()
    }

    #[test]
    fn comes_back_as_it_was() {
        assert_eq!(block().len(), BLOCK_BYTES);
        assert_eq!(read_header(&block()), HeaderBlock::Segment(HEADER));
        assert_eq!(read_header(&[0; BLOCK_BYTES]), HeaderBlock::Unused);
    }

    #[test]
    fn any_flipped_bit_is_seen() {
        for bit in 0..(HEADER_BYTES * 8) {
            let mut bytes = block();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(read_header(&bytes), HeaderBlock::Segment(_)), "bit {bit}");
        }
    }

    #[test]
    fn a_later_format_is_told_from_damage() {
        let mut bytes = block();
        bytes[8..12].copy_from_slice(&(WAL_FORMAT + 1).to_be_bytes());
        assert_eq!(read_header(&bytes), HeaderBlock::Newer(WAL_FORMAT + 1));
    }

    #[test]
    fn earlier_formats_are_read() {
        for format in 1..=WAL_FORMAT {
            let mut bytes = block();
            bytes[8..12].copy_from_slice(&format.to_be_bytes());
            let sum = checksum(&bytes[..HEADER_BYTES - 8]);
            bytes[HEADER_BYTES - 8..HEADER_BYTES].copy_from_slice(&sum.to_be_bytes());
            assert_eq!(read_header(&bytes), HeaderBlock::Segment(HEADER), "format {format}");
        }
    }

    #[test]
    fn short_blocks_are_invalid() {
        for length in 1..HEADER_BYTES {
            assert_eq!(read_header(&block()[..length]), HeaderBlock::Invalid);
        }
    }
}
