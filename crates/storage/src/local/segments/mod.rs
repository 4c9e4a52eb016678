//! Segment files: the long-term home of a partition's records, behind the write-ahead log.
//!
//! `topics/TOPIC_ID/PARTITION/BASE_OFFSET.log` holds batches as clients fetch them, behind one header;
//! `BASE_OFFSET.index` beside it leads to them by offset and by time. What of a file counts is said by the manifest and by
//! the state in memory: bytes after that are the remains of a crash and are written over.

mod chunks;
mod compacted;
pub(in crate::local) mod courtesy;
mod direct;
mod files;
mod header;
mod index;
mod list;
mod ranges;
mod read;
mod store;
mod tidy;

use std::io;
use std::path::{Path, PathBuf};

use super::disk::Disk;
use crate::ageing::{Aged, Growing};
use crate::{PartitionId, TopicId};

pub(super) use compacted::{CompactedFiles, CompactedWriter};
pub(super) use files::{OpenFiles, SegmentFile};
pub(super) use header::{FIRST_BATCH_AT, FileKind, check as check_header};
pub(super) use index::{ENTRY_BYTES, IndexEntry, entry_at};
pub(super) use list::SegmentList;
pub(super) use ranges::{Ahead, SegmentRange};
pub(super) use read::{SegmentReadError, SegmentReader, io_error};
pub(super) use store::{Rolling, SegmentStore, StoreError, SyncError};
#[cfg(feature = "simulation")]
pub(super) use tidy::Tidy;

/// What is known of one segment without opening it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SegmentMeta {
    /// The offset that names it; no record in it has a lower one.
    pub(super) base_offset: i64,
    /// The offset after its last record.
    pub(super) end_offset: i64,
    /// 0 as it was first written; what compaction makes of it has the next.
    pub(super) generation: u32,
    /// How much of the file counts, its header included.
    pub(super) bytes: u64,
    /// How many entries of its index count.
    pub(super) index_entries: u32,
    /// The position of the batch that the last of these leads to.
    pub(super) indexed_bytes: u64,
    /// The largest timestamp of its first batch, milliseconds since 1970; `i64::MIN` while it is empty.
    pub(super) first_timestamp_ms: i64,
    /// The largest timestamp in it, milliseconds since 1970; `i64::MIN` while it is empty.
    pub(super) max_timestamp_ms: i64,
    /// When it was created, milliseconds since 1970 by the broker's clock.
    pub(super) created_ms: i64,
    /// When it was last written, milliseconds since 1970 by the broker's clock. A compaction's output keeps the time.
    pub(super) written_ms: i64,
}

/// A topic's folder. Named by the id, so that a topic made anew under an old name never sees old records.
pub(super) fn topic_folder(topics: &Path, id: TopicId) -> PathBuf {
    topics.join(hex(id))
}

/// A topic's id as its folder is named.
pub(super) fn hex(id: TopicId) -> String {
    use std::fmt::Write;
    let mut name = String::with_capacity(32);
    for byte in id.0 {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// The topic that a folder's name stands for.
pub(super) fn topic_of_folder(name: &str) -> Option<TopicId> {
    let mut id = [0; 16];
    if name.len() != 32 || !name.is_ascii() {
        return None;
    }
    for (byte, digits) in id.iter_mut().zip(name.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(TopicId(id))
}

/// A partition's folder.
pub(super) fn partition_folder(topics: &Path, partition: PartitionId) -> PathBuf {
    topic_folder(topics, partition.topic).join(partition.index.to_string())
}

/// What names a segment's files within its partition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct SegmentName {
    pub(super) base_offset: i64,
    pub(super) generation: u32,
}

impl SegmentMeta {
    /// About how many bytes of batches lie in it from `offset` on, as if they were spread evenly over its offsets.
    pub(super) fn bytes_from(&self, offset: i64) -> u64 {
        let (all, left) = (self.end_offset - self.base_offset, self.end_offset - offset.max(self.base_offset));
        let bytes = u128::from(self.bytes.saturating_sub(header::FIRST_BATCH_AT));
        match (u128::try_from(all), u128::try_from(left)) {
            (Ok(all @ 1..), Ok(left)) => u64::try_from(bytes * left / all).unwrap_or(u64::MAX),
            _ => 0,
        }
    }

    /// Of a segment with nothing in it but the header.
    fn empty(base_offset: i64, created_ms: i64) -> Self {
        Self {
            base_offset,
            end_offset: base_offset,
            generation: 0,
            bytes: header::FIRST_BATCH_AT,
            index_entries: 0,
            indexed_bytes: header::FIRST_BATCH_AT,
            first_timestamp_ms: i64::MIN,
            max_timestamp_ms: i64::MIN,
            created_ms,
            written_ms: created_ms,
        }
    }

    /// As far as its age and size matter.
    pub(super) fn aged(&self) -> Aged {
        let Self { end_offset, max_timestamp_ms, written_ms, .. } = *self;
        Aged { end_offset, bytes: self.record_bytes(), max_timestamp_ms, written_ms }
    }

    fn growing(&self, partition: PartitionId) -> Growing {
        let Self { first_timestamp_ms, created_ms, .. } = *self;
        let [high, low] =
            [0, 8].map(|at| partition.topic.0[at..at + 8].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
        let seed = high ^ low ^ (u64::from(partition.index.unsigned_abs()) << 40) ^ self.base_offset.unsigned_abs();
        Growing { bytes: self.record_bytes(), first_timestamp_ms, created_ms, seed }
    }

    fn record_bytes(&self) -> u64 {
        self.bytes.saturating_sub(header::FIRST_BATCH_AT)
    }

    pub(super) fn name(&self) -> SegmentName {
        SegmentName { base_offset: self.base_offset, generation: self.generation }
    }
}

impl SegmentName {
    /// A segment's file.
    pub(super) fn log_path(self, folder: &Path) -> PathBuf {
        self.path(folder, "log")
    }

    /// A segment's index.
    pub(super) fn index_path(self, folder: &Path) -> PathBuf {
        self.path(folder, "index")
    }

    /// The segment whose file this is by its name.
    pub(super) fn of_log(name: &str) -> Option<Self> {
        Self::of_file(name).filter(|_| name.ends_with(".log"))
    }

    fn path(self, folder: &Path, kind: &str) -> PathBuf {
        let Self { base_offset, generation } = self;
        folder.join(match generation {
            0 => format!("{base_offset:020}.{kind}"),
            _ => format!("{base_offset:020}.{generation}.{kind}"),
        })
    }

    /// The segment that a file belongs to by its name; `None` where no segment has such files.
    pub(super) fn of_file(name: &str) -> Option<Self> {
        let (base, rest) = name.split_once('.')?;
        let (generation, kind) = rest.split_once('.').unwrap_or(("0", rest));
        matches!(kind, "log" | "index").then_some(())?;
        Some(Self { base_offset: base.parse().ok()?, generation: generation.parse().ok()? })
    }
}

fn remove_file(disk: &dyn Disk, path: &Path) {
    match disk.remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(file = %path.display(), %error, "a file that holds nothing any more could not be removed");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_lead_back_to_their_segments() {
        for (generation, expected) in [(0, "00000000000000000042.log"), (3, "00000000000000000042.3.log")] {
            let name = SegmentName { base_offset: 42, generation };
            assert_eq!(name.log_path(Path::new("")), Path::new(expected));
            assert_eq!(SegmentName::of_file(expected), Some(name));
            let index = name.index_path(Path::new("")).display().to_string();
            assert_eq!(SegmentName::of_file(&index), Some(name));
        }
        for wrong in ["", "notes", "00000000000000000042", "00000000000000000042.txt", "x.log", "1.x.log", "1.2.3.log"]
        {
            assert_eq!(SegmentName::of_file(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn folder_names_lead_back_to_their_topics() {
        let id = TopicId([0, 1, 0xfe, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        let folder = topic_folder(Path::new("topics"), id);
        assert_eq!(folder, Path::new("topics/0001fe030405060708090a0b0c0d0eff"));
        assert_eq!(topic_of_folder("0001fe030405060708090a0b0c0d0eff"), Some(id));
        for wrong in ["", "lost+found", "0001fe030405060708090a0b0c0d0ef", "zz01fe030405060708090a0b0c0d0eff"] {
            assert_eq!(topic_of_folder(wrong), None);
        }
    }
}
