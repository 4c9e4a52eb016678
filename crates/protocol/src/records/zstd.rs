//! Zstandard frames, by the C library, within a bound.
//!
//! Frames are decompressed in one step into one buffer, so that the library allocates no window of the size that a frame's
//! header claims. The buffer is as large as the frames' blocks can make it, and no larger than the bound: the library stops
//! where it ends.

use zstd_safe::{CCtx, CParameter, DCtx};

use super::{BatchError, Compression};

/// What the library answers when the buffer is full; the numbers of its errors are fixed.
const BUFFER_FULL: usize = 70;
/// How far matches reach back at most, as a power of two: 4 MiB; every decoder has to allow 8 (RFC 8878). The levels that
/// would reach further are held to it, because the size of their tables follows from it.
const WINDOW_LOG_MAX: u32 = 22;
const FIRST_LEVEL_BEYOND: i32 = 17;

const UNDECODABLE: BatchError = BatchError::Undecodable(Compression::Zstd);

pub(super) fn decompress(compressed: &[u8], max_bytes: usize) -> Result<Vec<u8>, BatchError> {
    decompress_by(&mut DCtx::try_create().ok_or(UNDECODABLE)?, compressed, max_bytes)
}

fn decompress_by(context: &mut DCtx<'_>, compressed: &[u8], max_bytes: usize) -> Result<Vec<u8>, BatchError> {
    let most = zstd_safe::decompress_bound(compressed).map_err(|_| UNDECODABLE)?;
    let room = usize::try_from(most).unwrap_or(usize::MAX).min(max_bytes);
    let mut bytes = Vec::with_capacity(room);
    match context.decompress(&mut bytes, compressed) {
        Ok(_) => Ok(bytes),
        Err(error) if error.wrapping_neg() == BUFFER_FULL && most > max_bytes as u64 => {
            Err(BatchError::TooLarge { max_bytes })
        }
        Err(_) => Err(UNDECODABLE),
    }
}

/// Appends `content`, compressed, to `to`.
pub(super) fn compress(content: &[u8], level: i32, to: &mut Vec<u8>) -> Option<()> {
    compress_by(&mut CCtx::try_create()?, content, level, to)
}

fn compress_by(context: &mut CCtx<'_>, content: &[u8], level: i32, to: &mut Vec<u8>) -> Option<()> {
    context.set_parameter(CParameter::CompressionLevel(level)).ok()?;
    if level >= FIRST_LEVEL_BEYOND {
        context.set_parameter(CParameter::WindowLog(WINDOW_LOG_MAX)).ok()?;
    }
    let mut compressed = Vec::with_capacity(zstd_safe::compress_bound(content.len()));
    context.compress2(&mut compressed, content).ok()?;
    to.extend_from_slice(&compressed);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::{ENCODING_WORKSPACE_BYTES, WORKSPACE_BYTES};
    use super::*;

    /// The library's own memory, which the allocator of `tests/hostile.rs` does not see.
    #[test]
    fn the_librarys_own_memory_is_bounded() {
        for (level, content_bytes) in
            [(1, 1 << 20), (3, 9 << 20), (16, 9 << 20), (19, 9 << 20), (22, 1 << 20), (22, 9 << 20)]
        {
            // The sizes of all tables follow from that of the content, not from what is in it.
            let content = vec![0; content_bytes];
            let (mut encoder, mut decoder, mut frame) = (CCtx::create(), DCtx::create(), Vec::new());
            compress_by(&mut encoder, &content, level, &mut frame).unwrap();
            let encoding = encoder.sizeof();
            assert!(encoding < ENCODING_WORKSPACE_BYTES, "{encoding} bytes for {content_bytes} at level {level}");
            let content_again = decompress_by(&mut decoder, &frame, content.len());
            assert!(content_again.as_deref() == Ok(&content));
            assert!(decoder.sizeof() < WORKSPACE_BYTES / 4, "{} bytes to decompress", decoder.sizeof());
        }
    }

    #[test]
    fn a_window_that_is_only_claimed_costs_nothing() {
        // One raw block of a byte, in a frame whose window descriptor says 1 TiB and more.
        let frame = b"\x28\xb5\x2f\xfd\0\xff\x09\0\0x";
        let mut decoder = DCtx::create();
        let before = decoder.sizeof();
        let _ = decompress_by(&mut decoder, frame, 1 << 20);
        assert!(decoder.sizeof() <= before);
    }
}
