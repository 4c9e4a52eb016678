//! The LZ4 frame format, over the block decoder of `lz4_flex`. Its own frame reader allocates by what the frame's header
//! claims (up to 8 MiB for a batch of a few bytes); this one by what the blocks can hold. Checksums inside of the frame are
//! passed over: the batch has one that covers everything.
//!
//! Frames are written over the block compressors of the C library, which has Kafka's levels: independent blocks of 64 KiB
//! without checksums, as Kafka's Java client writes them.

use lz4::block::{CompressionMode, compress_bound, compress_to_buffer};

use super::{BatchError, Compression};

const MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();
/// Matches reach back this far, also across blocks.
const WINDOW_BYTES: usize = 64 * 1024;
/// No block grows by more than this: a byte of a length stands for at most 255 bytes.
const MAX_RATIO: usize = 255;

/// Blocks of 64 KiB that stand alone, no checksums, no size; the last byte is the checksum of the two before it.
const WRITTEN_HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
const WRITTEN_BLOCK_BYTES: usize = 64 * 1024;
const NOT_COMPRESSED: u32 = 1 << 31;
const END: [u8; 4] = [0; 4];

const UNDECODABLE: BatchError = BatchError::Undecodable(Compression::Lz4);

struct Frame<'a> {
    blocks: &'a [u8],
    block_max_bytes: usize,
    independent: bool,
    block_checksums: bool,
}

pub(super) fn decompress(compressed: &[u8], max_bytes: usize) -> Result<Vec<u8>, BatchError> {
    let frame = parse_header(compressed)?;
    let mut rest = frame.blocks;
    let mut bytes = Vec::new();
    loop {
        let (size, after) = rest.split_first_chunk::<4>().ok_or(UNDECODABLE)?;
        let size = u32::from_le_bytes(*size);
        if size == 0 {
            return Ok(bytes);
        }
        let (block, after) = after.split_at_checked((size & !NOT_COMPRESSED) as usize).ok_or(UNDECODABLE)?;
        if block.len() > frame.block_max_bytes {
            return Err(UNDECODABLE);
        }
        if size & NOT_COMPRESSED != 0 {
            if block.len() > max_bytes - bytes.len() {
                return Err(BatchError::TooLarge { max_bytes });
            }
            bytes.extend_from_slice(block);
        } else {
            decompress_block(&frame, block, max_bytes, &mut bytes)?;
        }
        let checksum_bytes = if frame.block_checksums { 4 } else { 0 };
        rest = after.get(checksum_bytes..).ok_or(UNDECODABLE)?;
    }
}

fn parse_header(compressed: &[u8]) -> Result<Frame<'_>, BatchError> {
    let (magic, rest) = compressed.split_first_chunk::<4>().ok_or(UNDECODABLE)?;
    let ([flags, descriptor], rest) = rest.split_first_chunk::<2>().ok_or(UNDECODABLE)?;
    let has = |bit: u8| flags >> bit & 1 == 1;
    let has_dictionary = has(0);
    if *magic != MAGIC || flags >> 6 != 1 || has_dictionary {
        return Err(UNDECODABLE);
    }
    let block_max_bytes = match descriptor >> 4 & 7 {
        size @ 4..=7 => 1usize << (8 + 2 * size),
        _ => return Err(UNDECODABLE),
    };
    let content_size_bytes = if has(3) { 8 } else { 0 };
    let header_checksum_bytes = 1;
    let blocks = rest.get(content_size_bytes + header_checksum_bytes..).ok_or(UNDECODABLE)?;
    Ok(Frame { blocks, block_max_bytes, independent: has(5), block_checksums: has(4) })
}

fn decompress_block(frame: &Frame<'_>, block: &[u8], max_bytes: usize, bytes: &mut Vec<u8>) -> Result<(), BatchError> {
    let start = bytes.len();
    let left = max_bytes - start;
    let most = frame.block_max_bytes.min(block.len().saturating_mul(MAX_RATIO));
    let room = most.min(left);
    bytes.resize(start + room, 0);
    let (before, place) = bytes.split_at_mut(start);
    let written = if frame.independent {
        lz4_flex::block::decompress_into(block, place)
    } else {
        let window = &before[start.saturating_sub(WINDOW_BYTES)..];
        lz4_flex::block::decompress_into_with_dict(block, place, window)
    };
    match written {
        Ok(written) => {
            bytes.truncate(start + written);
            Ok(())
        }
        Err(lz4_flex::block::DecompressError::OutputTooSmall { .. }) if room < most => {
            Err(BatchError::TooLarge { max_bytes })
        }
        Err(_) => Err(UNDECODABLE),
    }
}

/// Appends `content`, compressed, to `to`; without a level by the fast compressor.
pub(super) fn compress(content: &[u8], level: Option<i32>, to: &mut Vec<u8>) -> Option<()> {
    let mode = level.map(|level| CompressionMode::HIGHCOMPRESSION(level.max(1)));
    let mut place = vec![0; compress_bound(WRITTEN_BLOCK_BYTES.min(content.len())).ok()?];
    to.extend_from_slice(&WRITTEN_HEADER);
    for block in content.chunks(WRITTEN_BLOCK_BYTES) {
        let written = compress_to_buffer(block, mode, false, &mut place).ok()?;
        let (block, flag) = match place.get(..written) {
            Some(compressed) if written < block.len() => (compressed, 0),
            _ => (block, NOT_COMPRESSED),
        };
        to.extend_from_slice(&(u32::try_from(block.len()).ok()? | flag).to_le_bytes());
        to.extend_from_slice(block);
    }
    to.extend_from_slice(&END);
    Some(())
}
