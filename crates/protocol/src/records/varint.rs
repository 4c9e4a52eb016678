//! The zigzag variable-length integers inside of records.

use bytes::{BufMut, BytesMut};

use super::BatchError;

/// A cursor over the records of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], BatchError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(BatchError::Record)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, BatchError> {
        let (&byte, rest) = self.rest.split_first().ok_or(BatchError::Record)?;
        self.rest = rest;
        Ok(byte)
    }

    /// A signed integer of at most 64 bits.
    pub(super) fn varlong(&mut self) -> Result<i64, BatchError> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(BatchError::Record);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(BatchError::Record)
    }

    /// A signed integer of at most 32 bits.
    pub(super) fn varint(&mut self) -> Result<i32, BatchError> {
        i32::try_from(self.varlong()?).map_err(|_| BatchError::Record)
    }

    /// Bytes after their length, of which -1 is null.
    pub(super) fn nullable(&mut self) -> Result<Option<&'a [u8]>, BatchError> {
        match self.varint()? {
            -1 => Ok(None),
            length => self.take(usize::try_from(length).map_err(|_| BatchError::Record)?).map(Some),
        }
    }
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub(super) fn put_varlong(buffer: &mut BytesMut, value: i64) {
    let mut bits = zigzag(value);
    while bits >= 0x80 {
        buffer.put_u8(bits as u8 | 0x80);
        bits >>= 7;
    }
    buffer.put_u8(bits as u8);
}

pub(super) fn varlong_bytes(value: i64) -> usize {
    let used_bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    used_bits.div_ceil(7)
}

pub(super) fn put_nullable(buffer: &mut BytesMut, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varlong(buffer, -1),
        Some(bytes) => {
            put_varlong(buffer, bytes.len() as i64);
            buffer.put_slice(bytes);
        }
    }
}

pub(super) fn nullable_bytes(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varlong_bytes(bytes.len() as i64) + bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_read_back_and_take_the_announced_size() {
        for value in [0, 1, -1, 63, 64, -64, -65, 8191, 8192, i64::from(i32::MAX), i64::MIN, i64::MAX] {
            let mut buffer = BytesMut::new();
            put_varlong(&mut buffer, value);
            assert_eq!(buffer.len(), varlong_bytes(value), "{value}");
            assert_eq!(Cursor { rest: &buffer }.varlong(), Ok(value));
        }
    }

    #[test]
    fn endless_and_oversized_integers_are_refused() {
        for bytes in [&[0x80; 11][..], &[0xff; 10], &[0x80], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]]
        {
            assert_eq!(Cursor { rest: bytes }.varlong(), Err(BatchError::Record));
        }
        assert_eq!(Cursor { rest: &[0xff, 0xff, 0xff, 0xff, 0x1f] }.varint(), Err(BatchError::Record));
    }
}
