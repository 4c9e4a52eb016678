//! One frame of the write-ahead log.
//!
//! ```text
//! checksum: u64      CRC-64/NVME over all that follows
//! incarnation: u64   of the segment; a frame of an earlier use of the file has another
//! sequence: u64      dense over the whole log, from 1
//! durable: u64       the last sequence number that was on the medium when this frame was written
//! length: u32        of the payload
//! kind: u16          what the payload is, see `Entry`
//! reserved: u16 = 0
//! payload
//! ```
//!
//! All numbers are big-endian.

use crate::local::disk::AlignedBuffer;
use crate::local::fields::{Fields, checksum};

/// Size of a frame without its payload.
pub(in crate::local) const FRAME_HEADER_BYTES: usize = 8 + 8 + 8 + 8 + 4 + 2 + 2;

/// What stands before a payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::local) struct FrameHeader {
    pub(in crate::local) incarnation: u64,
    pub(in crate::local) sequence: u64,
    pub(in crate::local) durable: u64,
    pub(in crate::local) kind: u16,
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::local) enum NotAFrame {
    /// The header says the frame has this many bytes in all, and there are fewer.
    Short(usize),
    /// The checksum does not match, or the header was never written so.
    Invalid,
}

/// Appends a frame whose payload is the parts one after the other.
pub(in crate::local) fn put_frame(buffer: &mut AlignedBuffer, header: FrameHeader, payload: &[&[u8]]) {
    let start = buffer.len();
    let length: usize = payload.iter().map(|part| part.len()).sum();
    debug_assert!(u32::try_from(length).is_ok(), "the engine refuses larger appends");
    let mut head = [0; FRAME_HEADER_BYTES];
    head[8..16].copy_from_slice(&header.incarnation.to_be_bytes());
    head[16..24].copy_from_slice(&header.sequence.to_be_bytes());
    head[24..32].copy_from_slice(&header.durable.to_be_bytes());
    head[32..36].copy_from_slice(&(length as u32).to_be_bytes());
    head[36..38].copy_from_slice(&header.kind.to_be_bytes());
    buffer.extend(&head);
    for part in payload {
        buffer.extend(part);
    }
    let frame = &mut buffer.as_mut_slice()[start..];
    let sum = checksum(&frame[8..]);
    frame[..8].copy_from_slice(&sum.to_be_bytes());
}

/// Reads the header alone, without the checksum: answers it and the size of the whole frame.
pub(in crate::local) fn peek_frame(bytes: &[u8]) -> Result<(FrameHeader, usize), NotAFrame> {
    let mut fields = Fields::new(bytes);
    let mut read = || {
        fields.u64()?;
        let (incarnation, sequence, durable) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let (length, kind, reserved) = (fields.u32()?, fields.u16()?, fields.u16()?);
        Ok((FrameHeader { incarnation, sequence, durable, kind }, length as usize, reserved))
    };
    let (header, length, reserved) =
        read().map_err(|_: crate::local::fields::Malformed| NotAFrame::Short(FRAME_HEADER_BYTES))?;
    if reserved != 0 || header.sequence == 0 || header.durable >= header.sequence {
        return Err(NotAFrame::Invalid);
    }
    Ok((header, FRAME_HEADER_BYTES + length))
}

/// Reads a whole frame from the front of `bytes`: its header, its payload.
pub(in crate::local) fn read_frame(bytes: &[u8]) -> Result<(FrameHeader, &[u8]), NotAFrame> {
    let (header, size) = peek_frame(bytes)?;
    let frame = bytes.get(..size).ok_or(NotAFrame::Short(size))?;
    if Fields::new(frame).u64() != Ok(checksum(&frame[8..])) {
        return Err(NotAFrame::Invalid);
    }
    Ok((header, &frame[FRAME_HEADER_BYTES..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: FrameHeader = FrameHeader { incarnation: 0x1122_3344_5566_7788, sequence: 9, durable: 7, kind: 3 };

    fn frame() -> Vec<u8> {
        let mut buffer = AlignedBuffer::new();
        put_frame(&mut buffer, HEADER, &[b"one ", b"", b"frame"]);
        buffer.as_slice().to_vec()
    }

    #[test]
    fn comes_back_as_it_was() {
        let mut bytes = frame();
        bytes.extend_from_slice(b"what follows");
        assert_eq!(read_frame(&bytes), Ok((HEADER, &b"one frame"[..])));
    }

    #[test]
    fn any_flipped_bit_is_seen() {
        let good = frame();
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(read_frame(&bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_frame_cut_anywhere_is_seen() {
        let good = frame();
        for length in 0..good.len() {
            assert!(matches!(read_frame(&good[..length]), Err(NotAFrame::Short(_))), "{length} bytes");
        }
    }

    #[test]
    fn garbage_is_not_a_frame() {
        let mut state = 7_u64;
        for length in 0..2000 {
            let bytes: Vec<u8> = (0..length)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 56) as u8
                })
                .collect();
            assert!(read_frame(&bytes).is_err());
        }
        assert!(read_frame(&[0; 8192]).is_err());
        assert!(read_frame(&[0xff; 8192]).is_err());
    }
}
