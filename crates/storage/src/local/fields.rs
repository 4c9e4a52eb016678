//! Numbers and texts as bytes in the engine's own files: big-endian, lengths before contents.
//!
//! Reading never trusts a length or a count: nothing is allocated that the bytes at hand do not cover.

/// The bytes end before what they should hold, or hold what was never written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Malformed;

/// Reads fields from the front of a slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_be_bytes)
    }

    /// An offset, a size or the like: never negative.
    pub(super) fn offset(&mut self) -> Result<i64, Malformed> {
        self.i64().and_then(|value| if value < 0 { Err(Malformed) } else { Ok(value) })
    }

    /// Bytes behind their length.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u32()? as usize;
        let (head, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)
    }

    /// How many things follow, each of which takes at least `each_bytes`.
    pub(super) fn count(&mut self, each_bytes: usize) -> Result<usize, Malformed> {
        let count = self.u32()? as usize;
        if count > self.rest.len() / each_bytes.max(1) { Err(Malformed) } else { Ok(count) }
    }

    /// All that is left.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// That nothing is left.
    pub(super) fn end(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

/// Appends bytes behind their length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends a count. What the engine counts is bounded far below `u32::MAX`.
pub(super) fn put_count(out: &mut Vec<u8>, count: usize) {
    debug_assert!(u32::try_from(count).is_ok(), "a count must fit 32 bits");
    out.extend_from_slice(&(count as u32).to_be_bytes());
}

/// The checksum of the engine's own files: CRC-64/NVME.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes)
}

/// The same of several parts, as if they lay end to end.
pub(super) fn checksum_of<'a>(parts: impl Iterator<Item = &'a [u8]>) -> u64 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme);
    parts.for_each(|part| digest.update(part));
    digest.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_beyond_the_bytes_is_malformed_and_allocates_nothing() {
        for length in [5_u32, 1 << 20, u32::MAX] {
            let mut bytes = length.to_be_bytes().to_vec();
            bytes.extend_from_slice(b"four");
            assert_eq!(Fields::new(&bytes).bytes(), Err(Malformed));
            assert_eq!(Fields::new(&bytes).count(1), Err(Malformed));
        }
        assert_eq!(Fields::new(&[0, 0, 0, 2, 0xff, 0xff]).text(), Err(Malformed));
    }

    #[test]
    fn the_checksum_is_the_published_one() {
        // The check value of CRC-64/NVME in the catalogue of parametrised CRC algorithms.
        assert_eq!(checksum(b"123456789"), 0xae8b_1486_0a79_9888);
    }
}
