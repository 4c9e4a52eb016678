//! The manifest: one file with all that a start needs to know besides the write-ahead log's tail.
//!
//! ```text
//! magic: 8 bytes "OTTLAMAN"
//! format: u32
//! length: u32               of the body
//! checksum: u64             CRC-64/NVME over the body
//! body
//!   wal position            number: u64, incarnation: u64, offset: u64, next sequence: u64
//!   next producer id: i64
//!   topics                  count: u32, each: as in the log's frames, then its partitions in the order of the index
//!   partition               log start: i64, end offset: i64, clean end: i64, segments (count: u32), producers (length: u32, snapshot),
//!                           aborted transactions (count: u32; since format 2)
//!   segment                 base offset: i64, end offset: i64, generation: u32, bytes: u64, index entries: u32,
//!                           indexed bytes: u64, first timestamp: i64, max timestamp: i64, created: i64,
//!                           written: i64
//!   aborted transaction     producer id: i64, first offset: i64, last offset: i64, last stable offset: i64
//!   configs                 of all but topics, count: u32, each: as in the log's frames
//! ```
//!
//! It is written to a new file, flushed, and renamed over the old one, so that one of the two is always whole. It says what
//! the state was before the frame with its sequence number, and that all records before are in segment files, flushed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, OpenHow};
use super::fields::{Fields, Malformed, checksum, put_bytes, put_count};
use super::options::OpenError;
use super::planted::{Planted, planted};
use super::segments::SegmentMeta;
use super::shortage::lacks_descriptors;
use super::wal::{WalPosition, put_resource, put_topic, take_resource, take_topic};
use crate::producers::ProducerTable;
use crate::{AbortedIndex, AbortedTransaction, ConfigResource, Topic};

/// The format of the manifest that this version writes, and the newest it reads.
const MANIFEST_FORMAT: u32 = 2;

/// The oldest one, which knew no transactions.
const FIRST_FORMAT: u32 = 1;

const MAGIC: &[u8; 8] = b"OTTLAMAN";
const HEAD_BYTES: usize = 8 + 4 + 4 + 8;
const SEGMENT_BYTES: usize = 8 + 8 + 4 + 8 + 4 + 8 + 8 + 8 + 8 + 8;
const PARTITION_BYTES: usize = 8 + 8 + 8 + 4 + 4;
const ABORTED_BYTES: usize = 8 + 8 + 8 + 8;

/// The state as of a place in the write-ahead log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Manifest {
    pub(super) wal: WalPosition,
    pub(super) next_producer_id: i64,
    /// The topics, each with its partitions by index.
    pub(super) topics: Vec<(Arc<Topic>, Vec<PartitionRecord>)>,
    /// The configs of all but topics.
    pub(super) configs: Vec<(ConfigResource, BTreeMap<String, String>)>,
}

/// One partition in a manifest.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct PartitionRecord {
    pub(super) log_start_offset: i64,
    pub(super) end_offset: i64,
    /// Up to where the log was compacted.
    pub(super) clean_end: i64,
    pub(super) segments: Vec<SegmentMeta>,
    pub(super) producers: Arc<ProducerTable>,
    pub(super) aborted: AbortedIndex,
}

impl Manifest {
    /// Of a data folder in which nothing was ever done.
    pub(super) fn empty() -> Self {
        Self { wal: WalPosition::START, next_producer_id: 0, topics: Vec::new(), configs: Vec::new() }
    }

    fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for number in [self.wal.number, self.wal.incarnation, self.wal.offset, self.wal.next_sequence] {
            body.extend_from_slice(&number.to_be_bytes());
        }
        body.extend_from_slice(&self.next_producer_id.to_be_bytes());
        put_count(&mut body, self.topics.len());
        for (topic, partitions) in &self.topics {
            put_topic(&mut body, topic);
            put_count(&mut body, partitions.len());
            partitions.iter().for_each(|partition| partition.put(&mut body));
        }
        put_count(&mut body, self.configs.len());
        self.configs.iter().for_each(|(resource, configs)| put_resource(&mut body, resource, configs));
        let mut bytes = Vec::with_capacity(HEAD_BYTES + body.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&MANIFEST_FORMAT.to_be_bytes());
        put_count(&mut bytes, body.len());
        bytes.extend_from_slice(&checksum(&body).to_be_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, Refused> {
        let mut fields = Fields::new(bytes);
        if &fields.array::<8>()? != MAGIC {
            return Err(Refused::Malformed("it does not begin as a manifest does"));
        }
        let format = fields.u32()?;
        match format {
            FIRST_FORMAT..=MANIFEST_FORMAT => {}
            0 => return Err(Refused::Malformed("it has no format version")),
            newer => return Err(Refused::Newer(newer)),
        }
        let (length, sum) = (fields.u32()? as usize, fields.u64()?);
        let body = fields.rest();
        if body.len() != length || checksum(body) != sum {
            return Err(Refused::Malformed("it does not match its checksum"));
        }
        Ok(Self::take(Fields::new(body), format)?)
    }

    fn take(mut fields: Fields<'_>, format: u32) -> Result<Self, Malformed> {
        let (number, incarnation) = (fields.u64()?, fields.u64()?);
        let (offset, next_sequence) = (fields.u64()?, fields.u64()?);
        if next_sequence == 0 {
            return Err(Malformed);
        }
        let wal = WalPosition { number, incarnation, offset, next_sequence };
        let next_producer_id = fields.offset()?;
        let mut topics = Vec::new();
        for _ in 0..fields.count(16)? {
            let topic = Arc::new(take_topic(&mut fields)?);
            let count = fields.count(PARTITION_BYTES)?;
            if usize::try_from(topic.partitions) != Ok(count) {
                return Err(Malformed);
            }
            let partitions =
                (0..count).map(|_| PartitionRecord::take(&mut fields, format)).collect::<Result<_, _>>()?;
            topics.push((topic, partitions));
        }
        let configs = (0..fields.count(9)?).map(|_| take_resource(&mut fields)).collect::<Result<_, _>>()?;
        fields.end()?;
        Ok(Self { wal, next_producer_id, topics, configs })
    }

    /// Reads the manifest of a data folder; `None` where there is none.
    ///
    /// # Errors
    /// [`OpenError::Damaged`], [`OpenError::NewerFormat`], and what the system refuses.
    pub(super) fn read(disk: &dyn Disk, folder: &Path) -> Result<Option<Self>, OpenError> {
        let path = path(folder);
        let read = disk.open(&path, OpenHow::READ).and_then(|file| {
            // No length of a file is taken for memory before its own head agrees with it.
            let (mut head, size) = ([0; HEAD_BYTES], file.size()?);
            let read = file.read_at(&mut head, 0)?;
            if read < HEAD_BYTES || size != whole_bytes(&head) {
                return Ok(head[..read].to_vec());
            }
            let mut bytes = vec![0; usize::try_from(size).unwrap_or(0)];
            let length = file.read_at(&mut bytes, 0)?;
            bytes.truncate(length);
            Ok(bytes)
        });
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpenError::io(path, "read", &error)),
        };
        Self::decode(&bytes).map(Some).map_err(|refused| match refused {
            Refused::Newer(found) => OpenError::NewerFormat { path, found, supported: MANIFEST_FORMAT },
            Refused::Malformed(what) => {
                OpenError::damaged(path, format!("{what}, so the state of the last checkpoint is lost"))
            }
        })
    }

    /// Puts the manifest in the place of the old one, durably; answers its size.
    pub(super) fn replace(&self, disk: &dyn Disk, folder: &Path, planted: Planted) -> Result<u64, ReplaceError> {
        let new = folder.join("manifest.new");
        let file = disk.open(&new, OpenHow::CREATE_EMPTY).map_err(ReplaceError::NotWritten)?;
        let bytes = self.encode();
        file.write_at(&bytes, 0, false).map_err(ReplaceError::NotWritten)?;
        if !planted!(planted, ManifestNotFlushed) {
            file.sync().map_err(ReplaceError::Unknown)?;
        }
        drop(file);
        disk.rename(&new, &path(folder)).map_err(ReplaceError::Unknown)?;
        disk.sync_folder(folder).map_err(|error| match lacks_descriptors(&error) {
            // Which of the two is there after a power cut is open, and either will do: nothing was freed yet.
            true => ReplaceError::NotWritten(error),
            false => ReplaceError::Unknown(error),
        })?;
        Ok(bytes.len() as u64)
    }
}

/// Why a manifest was not replaced.
#[derive(Debug)]
pub(super) enum ReplaceError {
    /// No flush failed, and the old one may still be in place; trying again is fine.
    NotWritten(io::Error),
    /// A flush failed.
    Unknown(io::Error),
}

/// Why bytes are not a manifest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refused {
    Newer(u32),
    Malformed(&'static str),
}

impl From<Malformed> for Refused {
    fn from(_: Malformed) -> Self {
        Refused::Malformed("it holds what no manifest holds")
    }
}

impl PartitionRecord {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.log_start_offset.to_be_bytes());
        out.extend_from_slice(&self.end_offset.to_be_bytes());
        out.extend_from_slice(&self.clean_end.to_be_bytes());
        put_count(out, self.segments.len());
        for segment in &self.segments {
            put_segment(out, segment);
        }
        let mut producers = Vec::new();
        self.producers.encode(&mut producers);
        put_bytes(out, &producers);
        put_count(out, self.aborted.all().len());
        for aborted in self.aborted.all() {
            put_aborted(out, aborted);
        }
    }

    fn take(fields: &mut Fields<'_>, format: u32) -> Result<Self, Malformed> {
        let (log_start_offset, end_offset, clean_end) = (fields.offset()?, fields.offset()?, fields.offset()?);
        let count = fields.count(SEGMENT_BYTES)?;
        let segments = (0..count).map(|_| take_segment(fields)).collect::<Result<_, _>>()?;
        let producers = ProducerTable::decode(fields.bytes()?).map_err(|_| Malformed)?;
        let aborted = if format == FIRST_FORMAT { AbortedIndex::default() } else { take_aborted(fields)? };
        Ok(Self { log_start_offset, end_offset, clean_end, segments, producers: Arc::new(producers), aborted })
    }
}

fn put_aborted(out: &mut Vec<u8>, aborted: &AbortedTransaction) {
    let AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset } = aborted;
    for number in [producer_id, first_offset, last_offset, last_stable_offset] {
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn take_aborted(fields: &mut Fields<'_>) -> Result<AbortedIndex, Malformed> {
    let mut all: Vec<AbortedTransaction> = Vec::new();
    for _ in 0..fields.count(ABORTED_BYTES)? {
        let (producer_id, first_offset) = (fields.offset()?, fields.offset()?);
        let (last_offset, last_stable_offset) = (fields.offset()?, fields.offset()?);
        let is_in_order = all.last().is_none_or(|before| before.last_offset < last_offset);
        if first_offset > last_offset || !is_in_order {
            return Err(Malformed);
        }
        all.push(AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset });
    }
    Ok(AbortedIndex::of(all))
}

fn put_segment(out: &mut Vec<u8>, segment: &SegmentMeta) {
    out.extend_from_slice(&segment.base_offset.to_be_bytes());
    out.extend_from_slice(&segment.end_offset.to_be_bytes());
    out.extend_from_slice(&segment.generation.to_be_bytes());
    out.extend_from_slice(&segment.bytes.to_be_bytes());
    out.extend_from_slice(&segment.index_entries.to_be_bytes());
    out.extend_from_slice(&segment.indexed_bytes.to_be_bytes());
    out.extend_from_slice(&segment.first_timestamp_ms.to_be_bytes());
    out.extend_from_slice(&segment.max_timestamp_ms.to_be_bytes());
    out.extend_from_slice(&segment.created_ms.to_be_bytes());
    out.extend_from_slice(&segment.written_ms.to_be_bytes());
}

fn take_segment(fields: &mut Fields<'_>) -> Result<SegmentMeta, Malformed> {
    Ok(SegmentMeta {
        base_offset: fields.offset()?,
        end_offset: fields.offset()?,
        generation: fields.u32()?,
        bytes: fields.u64()?,
        index_entries: fields.u32()?,
        indexed_bytes: fields.u64()?,
        first_timestamp_ms: fields.i64()?,
        max_timestamp_ms: fields.i64()?,
        created_ms: fields.i64()?,
        written_ms: fields.i64()?,
    })
}

/// How large a file with that head should be.
fn whole_bytes(head: &[u8; HEAD_BYTES]) -> u64 {
    let [.., a, b, c, d, _, _, _, _, _, _, _, _] = *head;
    HEAD_BYTES as u64 + u64::from(u32::from_be_bytes([a, b, c, d]))
}

fn path(folder: &Path) -> PathBuf {
    folder.join("manifest")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TopicId;
    use crate::local::disk::SystemDisk;

    const PRODUCERS_1: &[u8] = &[
        1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 5, 1, 0, 0, 0, 4, 0, 0, 0, 2, 0, 0, 0, 0, 0,
        0, 0, 6,
    ];

    /// [`manifest`] as it was written before there were transactions.
    const MANIFEST_1: &str = "
        4f54544c414d414e00000001000001551a553f0957bf8d76000000000000000100000000000000020000000000002000
        000000000000000400000000000003e80000000105050505050505050505050505050505000000066f72646572730000
        0002000000010000000c726574656e74696f6e2e6d730000000131000000020000000000000004000000000000000900
        0000000000000800000001000000000000000300000000000000090000000200000000000002bc000000020000000000
        000190fffffffffffffffeffffffffffffffff00000000000003e800000000000003e900000028010000000100000000
        000001020003000000000000000501000000040000000200000000000000060000000000000000000000000000000000
        000000000000000000000000000005010000000000000002020000000000000001000000106c6f672e726574656e7469
        6f6e2e6d73000000013103000000016700000001000000016100000000
    ";

    fn manifest() -> Manifest {
        let topic = Topic {
            id: TopicId([5; 16]),
            name: Arc::from("orders"),
            partitions: 2,
            configs: BTreeMap::from([("retention.ms".to_owned(), "1".to_owned())]),
        };
        let segment = SegmentMeta {
            base_offset: 3,
            end_offset: 9,
            generation: 2,
            bytes: 700,
            index_entries: 2,
            indexed_bytes: 400,
            first_timestamp_ms: -2,
            max_timestamp_ms: -1,
            created_ms: 1_000,
            written_ms: 1_001,
        };
        let first = PartitionRecord {
            log_start_offset: 4,
            end_offset: 9,
            clean_end: 8,
            segments: vec![segment],
            producers: Arc::new(ProducerTable::decode(PRODUCERS_1).unwrap()),
            aborted: AbortedIndex::of(vec![
                AbortedTransaction { producer_id: 5, first_offset: 4, last_offset: 6, last_stable_offset: 5 },
                AbortedTransaction { producer_id: 6, first_offset: 5, last_offset: 7, last_stable_offset: 8 },
            ]),
        };
        Manifest {
            wal: WalPosition { number: 1, incarnation: 2, offset: 8192, next_sequence: 4 },
            next_producer_id: 1000,
            topics: vec![(Arc::new(topic), vec![first, PartitionRecord::default()])],
            configs: vec![
                (ConfigResource::Broker(Arc::from("")), BTreeMap::from([("log.retention.ms".into(), "1".into())])),
                (ConfigResource::Group(Arc::from("g")), BTreeMap::from([("a".into(), String::new())])),
            ],
        }
    }

    #[test]
    fn comes_back_as_it_was() {
        assert_eq!(Manifest::decode(&manifest().encode()), Ok(manifest()));
        assert_eq!(Manifest::decode(&Manifest::empty().encode()), Ok(Manifest::empty()));
    }

    /// Written before there were transactions.
    #[test]
    fn the_first_format_is_read() {
        let bytes: Vec<u8> = MANIFEST_1.split_whitespace().flat_map(hex_bytes).collect();
        let mut expected = manifest();
        expected.topics[0].1[0].aborted = AbortedIndex::default();
        assert_eq!(Manifest::decode(&bytes), Ok(expected.clone()));
        assert_eq!(Manifest::decode(&expected.encode()), Ok(expected), "and written anew");
    }

    fn hex_bytes(line: &str) -> Vec<u8> {
        (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn aborted_transactions_out_of_order_are_refused() {
        let with = |first_offset, last_offset| {
            let mut wrong = manifest();
            let mut all = wrong.topics[0].1[0].aborted.all().to_vec();
            all.push(AbortedTransaction { producer_id: 5, first_offset, last_offset, last_stable_offset: 9 });
            wrong.topics[0].1[0].aborted = AbortedIndex::of(all);
            Manifest::decode(&wrong.encode())
        };
        assert!(with(8, 8).is_ok() && with(8, 7).is_err() && with(7, 7).is_err() && with(-1, 8).is_err());
    }

    #[test]
    fn any_cut_or_flipped_bit_is_refused() {
        let good = manifest().encode();
        for length in 0..good.len() {
            assert!(Manifest::decode(&good[..length]).is_err(), "{length} bytes");
        }
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Manifest::decode(&bytes).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn hostile_counts_under_a_good_checksum_are_refused() {
        let body_start = HEAD_BYTES;
        let good = manifest().encode();
        for at in body_start..good.len() - 3 {
            let mut bytes = good.clone();
            bytes[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
            let sum = checksum(&bytes[body_start..]);
            bytes[16..24].copy_from_slice(&sum.to_be_bytes());
            // What matters is that it neither panics nor allocates by the count; some fields may hold any number.
            let _ = Manifest::decode(&bytes);
        }
    }

    #[test]
    fn a_later_format_is_refused_by_name() {
        let mut bytes = manifest().encode();
        bytes[8..12].copy_from_slice(&3_u32.to_be_bytes());
        assert_eq!(Manifest::decode(&bytes), Err(Refused::Newer(3)));
    }

    #[test]
    fn a_half_written_replacement_does_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::read(&SystemDisk, folder.path()), Ok(None));
        manifest().replace(&SystemDisk, folder.path(), Planted::default()).unwrap();
        std::fs::write(folder.path().join("manifest.new"), b"half").unwrap();
        assert_eq!(Manifest::read(&SystemDisk, folder.path()), Ok(Some(manifest())));
        Manifest::empty().replace(&SystemDisk, folder.path(), Planted::default()).unwrap();
        assert_eq!(Manifest::read(&SystemDisk, folder.path()), Ok(Some(Manifest::empty())));
    }
}
