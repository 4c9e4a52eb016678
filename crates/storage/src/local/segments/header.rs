//! What stands at the front of a segment file and of an index file, so that neither is taken for another's.
//!
//! ```text
//! magic: 8 bytes     "OTTLALOG" or "OTTLAIDX"
//! format: u32
//! partition: i32
//! topic: 16 bytes
//! base offset: i64
//! generation: u32
//! zeros: 12 bytes
//! checksum: u64      CRC-64/NVME over all before
//! ```

use super::SegmentName;
use crate::PartitionId;
use crate::local::fields::{Fields, Malformed, checksum};

/// Where the first batch lies in a segment file, and the first entry in an index file.
pub(in crate::local) const FIRST_BATCH_AT: u64 = 64;

/// The format of segment and index files that this version writes, and the newest it reads.
const SEGMENT_FORMAT: u32 = 1;

/// Which of the two files it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(in crate::local) enum FileKind {
    Log,
    Index,
}

impl FileKind {
    fn magic(self) -> &'static [u8; 8] {
        match self {
            FileKind::Log => b"OTTLALOG",
            FileKind::Index => b"OTTLAIDX",
        }
    }
}

/// The header of a file.
pub(super) fn header(kind: FileKind, partition: PartitionId, name: SegmentName) -> [u8; FIRST_BATCH_AT as usize] {
    let mut bytes = [0; FIRST_BATCH_AT as usize];
    bytes[..8].copy_from_slice(kind.magic());
    bytes[8..12].copy_from_slice(&SEGMENT_FORMAT.to_be_bytes());
    bytes[12..16].copy_from_slice(&partition.index.to_be_bytes());
    bytes[16..32].copy_from_slice(&partition.topic.0);
    bytes[32..40].copy_from_slice(&name.base_offset.to_be_bytes());
    bytes[40..44].copy_from_slice(&name.generation.to_be_bytes());
    let sum = checksum(&bytes[..56]);
    bytes[56..].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// That bytes are the header of just this file; the clause says what is wrong.
pub(in crate::local) fn check(
    bytes: &[u8; FIRST_BATCH_AT as usize],
    kind: FileKind,
    partition: PartitionId,
    name: SegmentName,
) -> Result<(), &'static str> {
    if *bytes == header(kind, partition, name) {
        return Ok(());
    }
    let format = Fields::new(&bytes[8..]).u32();
    let intact = Fields::new(&bytes[56..]).u64() == Ok(checksum(&bytes[..56])) && &bytes[..8] == kind.magic();
    Err(match (intact, format) {
        (true, Ok(format)) if format > SEGMENT_FORMAT => "it has a newer format than this version reads",
        (true, Ok(_)) => "it belongs to another partition, offset or generation",
        (false, _) | (_, Err(Malformed)) => "its header does not match its checksum",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TopicId;

    const PARTITION: PartitionId = PartitionId { topic: TopicId([3; 16]), index: 7 };
    const NAME: SegmentName = SegmentName { base_offset: 42, generation: 1 };

    #[test]
    fn only_its_own_header_is_accepted() {
        let good = header(FileKind::Log, PARTITION, NAME);
        assert_eq!(check(&good, FileKind::Log, PARTITION, NAME), Ok(()));
        assert_eq!(
            check(&good, FileKind::Log, PARTITION, SegmentName { base_offset: 43, ..NAME }),
            Err("it belongs to another partition, offset or generation")
        );
        assert!(check(&good, FileKind::Log, PARTITION, SegmentName { generation: 0, ..NAME }).is_err());
        assert!(check(&good, FileKind::Index, PARTITION, NAME).is_err());
        for bit in 0..good.len() * 8 {
            let mut bytes = good;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                check(&bytes, FileKind::Log, PARTITION, NAME),
                Err("its header does not match its checksum"),
                "bit {bit}"
            );
        }
    }
}
