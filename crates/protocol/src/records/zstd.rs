//! Zstandard frames, within a bound.
//!
//! The decoder holds back the last window of its output and tells only what lies before it. So that the bound is seen in
//! time, frames are decoded one block at a time with the smallest window that allows full blocks, and nothing is taken out
//! before the end: matches may then still reach back as far as the frame's real window says.

use std::io::Read;

use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::{BatchError, Compression};

const MAGIC: u32 = 0xfd2f_b528;
const SKIPPABLE_MAGIC: u32 = 0x184d_2a50;
const DESCRIPTOR_AT: usize = 4;
const WINDOW_AT: usize = 5;
const START_BYTES: usize = 6;
const SINGLE_SEGMENT: u8 = 1 << 5;
const BLOCK_MAX_BYTES: usize = 128 * 1024;
/// The window descriptor of 128 KiB.
const BLOCK_WINDOW: u8 = 7 << 3;

const UNDECODABLE: BatchError = BatchError::Undecodable(Compression::Zstd);

pub(super) fn decompress(compressed: &[u8], max_bytes: usize) -> Result<Vec<u8>, BatchError> {
    let mut rest = compressed;
    let mut bytes = Vec::new();
    while !rest.is_empty() {
        let magic = u32::from_le_bytes(*rest.first_chunk().ok_or(UNDECODABLE)?);
        let read = if magic == MAGIC {
            decompress_frame(rest, max_bytes - bytes.len(), &mut bytes)
                .map_err(|error| if error == UNDECODABLE { error } else { BatchError::TooLarge { max_bytes } })?
        } else if magic & !0xf == SKIPPABLE_MAGIC {
            let size = rest.get(4..8).and_then(|size| size.first_chunk()).ok_or(UNDECODABLE)?;
            8usize.saturating_add(u32::from_le_bytes(*size) as usize)
        } else {
            return Err(UNDECODABLE);
        };
        rest = rest.get(read..).ok_or(UNDECODABLE)?;
    }
    Ok(bytes)
}

/// Appends the content of the frame at the start of `input`; returns how long the frame is.
fn decompress_frame(input: &[u8], max_bytes: usize, bytes: &mut Vec<u8>) -> Result<usize, BatchError> {
    let too_large = BatchError::TooLarge { max_bytes };
    let mut start: [u8; START_BYTES] = *input.first_chunk().ok_or(UNDECODABLE)?;
    let single_segment = start[DESCRIPTOR_AT] & SINGLE_SEGMENT != 0;
    if !single_segment && start[WINDOW_AT] > BLOCK_WINDOW {
        start[WINDOW_AT] = BLOCK_WINDOW;
    }
    let mut source = start.as_slice().chain(&input[START_BYTES..]);
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(max_bytes.max(BLOCK_MAX_BYTES) as u64);
    decoder.init(&mut source).map_err(|error| match error {
        // Only of a frame in a single segment, whose window is its content.
        FrameDecoderError::WindowSizeTooBig { .. } => too_large,
        _ => UNDECODABLE,
    })?;
    if decoder.content_size() > max_bytes as u64 {
        return Err(too_large);
    }
    loop {
        let one_block = BlockDecodingStrategy::UptoBlocks(1);
        let finished = decoder.decode_blocks(&mut source, one_block).map_err(|_| UNDECODABLE)?;
        // Only what lies before the held window, so the true size is larger yet.
        if decoder.can_collect() > max_bytes {
            return Err(too_large);
        }
        if finished {
            break;
        }
    }
    let content = decoder.collect().unwrap_or_default();
    if bytes.is_empty() {
        *bytes = content;
    } else {
        bytes.extend_from_slice(&content);
    }
    usize::try_from(decoder.bytes_read_from_source()).map_err(|_| UNDECODABLE)
}
