//! One frame of the write-ahead log.
//!
//! ```text
//! checksum: u64      CRC-64/NVME over what follows
//! incarnation: u64   of the segment; a frame of an earlier use of the file has another
//! sequence: u64      dense over the whole log, from 1
//! durable: u64       the last sequence number that was on the medium when this frame was written
//! length: u32        of the payload
//! kind: u16          what the payload is, see `Entry`
//! reserved: u16 = 0
//! payload
//! ```
//!
//! All numbers are big-endian. Of record batches the checksum covers the front alone, up to and with their own checksum, which
//! covers the rest: all of it is summed up once when it comes, and not twice.

use ottla_protocol::records;

use super::buffer::FrameBuffer;
use super::entry::{CHECKED_RECORDS, RECORDS_HEAD_BYTES};
use crate::local::fields::{Fields, checksum_of};

/// Size of a frame without its payload.
pub(in crate::local) const FRAME_HEADER_BYTES: usize = 8 + 8 + 8 + 8 + 4 + 2 + 2;

/// Where a frame's checksum begins to cover it.
pub(in crate::local) const COVERED_FROM: usize = 8;

/// What of a record batch its own checksum does not cover, with that checksum: base offset, length, leader epoch, magic, CRC-32C.
pub(in crate::local) const BATCH_FRONT_BYTES: usize = 8 + 4 + 4 + 1 + 4;

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

/// Appends a frame whose payload is the parts one after the other; `finish` may change the payload before it is summed up.
pub(in crate::local) fn put_frame(
    buffer: &mut FrameBuffer,
    header: FrameHeader,
    payload: &[&[u8]],
    finish: impl FnOnce(&mut [u8]),
) {
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
    let frame = buffer.slice_mut(start);
    finish(&mut frame[FRAME_HEADER_BYTES..]);
    let sum = batches_in(frame, header.kind).map(|batches| sum_of(frame, &batches));
    debug_assert!(sum.is_some(), "only whole batches are appended");
    frame[..COVERED_FROM].copy_from_slice(&sum.unwrap_or_default().to_be_bytes());
}

/// The batches of a frame that leaves it to them to cover what they cover; of other frames none. `None` where it should hold
/// batches and holds something else.
fn batches_in(frame: &[u8], kind: u16) -> Option<Vec<&[u8]>> {
    if kind != CHECKED_RECORDS {
        return Some(Vec::new());
    }
    let batches = frame.get(FRAME_HEADER_BYTES + RECORDS_HEAD_BYTES..)?;
    records::batches(batches).map(|batch| batch.ok().map(|batch| batch.bytes)).collect()
}

/// What the checksum of a frame that ends with these batches should be.
fn sum_of(frame: &[u8], batches: &[&[u8]]) -> u64 {
    let own_bytes: usize = batches.iter().map(|batch| batch.len()).sum();
    let before = frame.get(COVERED_FROM..frame.len() - own_bytes);
    checksum_of(before.into_iter().chain(batches.iter().filter_map(|batch| batch.get(..BATCH_FRONT_BYTES))))
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
    let batches = batches_in(frame, header.kind).ok_or(NotAFrame::Invalid)?;
    let is_right = Fields::new(frame).u64() == Ok(sum_of(frame, &batches));
    if !is_right || !batches.into_iter().all(records::matches_checksum) {
        return Err(NotAFrame::Invalid);
    }
    Ok((header, &frame[FRAME_HEADER_BYTES..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: FrameHeader = FrameHeader { incarnation: 0x1122_3344_5566_7788, sequence: 9, durable: 7, kind: 3 };

    fn frame() -> Vec<u8> {
        let mut buffer = FrameBuffer::default();
        put_frame(&mut buffer, HEADER, &[b"one ", b"", b"frame"], |_| {});
        buffer.as_slice().to_vec()
    }

    /// A frame of two batches.
    fn records() -> Vec<u8> {
        let batch = |value: &[u8]| {
            let mut builder = records::BatchBuilder::new();
            builder.push(1_000, None, Some(value), &[]);
            builder.build()
        };
        let mut buffer = FrameBuffer::default();
        let header = FrameHeader { kind: CHECKED_RECORDS, ..HEADER };
        let parts: [&[u8]; 3] = [&[7; RECORDS_HEAD_BYTES], &batch(b"the first"), &batch(b"and the second")];
        put_frame(&mut buffer, header, &parts, |payload| payload[RECORDS_HEAD_BYTES] = 1);
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
        for good in [frame(), records()] {
            assert!(read_frame(&good).is_ok());
            for bit in 0..good.len() * 8 {
                let mut bytes = good.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert!(read_frame(&bytes).is_err(), "bit {bit}");
            }
        }
    }

    #[test]
    fn a_frame_cut_anywhere_is_seen() {
        for good in [frame(), records()] {
            for length in 0..good.len() {
                assert!(matches!(read_frame(&good[..length]), Err(NotAFrame::Short(_))), "{length} bytes");
            }
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
