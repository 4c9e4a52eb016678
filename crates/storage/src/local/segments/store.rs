//! Writing segment files. One thread owns the store.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::SegmentList;
use super::direct::DirectPieces;
use super::files::{FileId, OpenFiles, SegmentFile};
use super::header::{FIRST_BATCH_AT, FileKind, header};
use super::index::{IndexEntry, entry_at};
use super::tidy::Tidy;
use super::{SegmentMeta, SegmentName, partition_folder, remove_file, topic_folder};
use crate::local::disk::{BLOCK_BYTES, Disk, DiskFile, FlushedWhole, OpenHow, remove_tree};
use crate::local::planted::{Planted, planted};
use crate::local::shortage::lacks_descriptors;
use crate::local::tail::LogBatch;
use crate::{LogConfig, PartitionId, TopicId};

/// Up to here segments and folders are flushed one by one. For more, flushing the whole file system is cheaper, though others
/// may have written to it too: each single flush is a commit of the file system's journal and a wait for the drive.
const FLUSHED_ONE_BY_ONE: usize = 32;

/// Up to here batches gather for one write. With the block before it and the padding after it that is a large page.
const STAGED_BYTES: u64 = (2 << 20) - 2 * BLOCK_BYTES as u64;

/// A file that could not be written.
#[derive(Debug)]
pub(in crate::local) struct StoreError {
    pub(in crate::local) path: PathBuf,
    pub(in crate::local) doing: &'static str,
    pub(in crate::local) error: io::Error,
}

impl Rolling {
    /// How many of these batches still go into a segment, with one write; none where it ends before the first. That is so also
    /// where what came between went below the log start before it was written: a segment is written without a gap.
    fn fitting(&self, partition: PartitionId, segment: &SegmentMeta, batches: &[LogBatch]) -> usize {
        if batches.first().is_some_and(|first| first.base_offset != segment.end_offset) {
            return 0;
        }
        let (mut growing, mut staged_bytes, mut count) = (segment.growing(partition), 0, 0);
        for batch in batches {
            let bytes = batch.bytes.len() as u64;
            staged_bytes += bytes;
            let is_enough = count > 0 && staged_bytes > STAGED_BYTES;
            if is_enough || growing.ends_before(bytes, batch.max_timestamp_ms, &self.config, self.now_ms) {
                break;
            }
            growing.add(bytes, batch.max_timestamp_ms);
            count += 1;
        }
        count
    }
}

impl StoreError {
    pub(super) fn at(path: &Path, doing: &'static str) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self { path: path.clone(), doing, error }
    }

    /// A sentence's first part.
    pub(in crate::local) fn clause(&self) -> String {
        format!("could not {} {}: {}", self.doing, self.path.display(), self.error)
    }
}

/// Why [`SegmentStore::sync`] did not make everything durable.
#[derive(Debug)]
pub(in crate::local) enum SyncError {
    /// A file or folder could not be opened, so nothing of it was flushed yet; trying again is fine.
    NotBegun(StoreError),
    /// A flush failed: what is on the disk is not known, and the engine must not go on.
    Failed(StoreError),
}

/// By what a log goes on in a new segment.
#[derive(Clone, Copy, Debug)]
pub(in crate::local) struct Rolling {
    /// What holds for the topic.
    pub(in crate::local) config: LogConfig,
    /// The wall clock.
    pub(in crate::local) now_ms: i64,
}

/// Writes segments, and makes them durable when asked.
pub(in crate::local) struct SegmentStore {
    disk: Arc<dyn Disk>,
    topics: PathBuf,
    index_interval_bytes: u64,
    files: Arc<OpenFiles>,
    direct: DirectPieces,
    /// To flush many files at once. Made before anything is written, so that it hears of every error.
    whole: Option<Box<dyn FlushedWhole>>,
    /// Written since the last sync; the flag says whether the index was written too.
    dirty: BTreeMap<(PartitionId, SegmentName), bool>,
    /// Folders with new names in them.
    renamed: BTreeSet<PathBuf>,
    tidy: Arc<Tidy>,
    unsynced_bytes: u64,
    /// How much was written in all: batches, index entries.
    written_bytes: (u64, u64),
    pub(in crate::local) planted: Planted,
}

impl SegmentStore {
    /// `direct` says whether the file system takes direct writes.
    pub(in crate::local) fn new(files: Arc<OpenFiles>, index_interval_bytes: u64, direct: bool) -> Self {
        let tidy = Arc::new(Tidy::new(files.disk().clone(), files.topics().to_owned()));
        Self {
            disk: files.disk().clone(),
            topics: files.topics().to_owned(),
            index_interval_bytes: index_interval_bytes.max(1),
            direct: DirectPieces::new(direct),
            whole: files.disk().flushed_whole(files.topics()),
            dirty: BTreeMap::new(),
            renamed: BTreeSet::new(),
            tidy,
            unsynced_bytes: 0,
            files,
            written_bytes: (0, 0),
            planted: Planted::default(),
        }
    }

    /// How many bytes of batches and of index entries were written in all.
    pub(in crate::local) fn written_bytes(&self) -> (u64, u64) {
        self.written_bytes
    }

    /// A partition's folder.
    pub(in crate::local) fn folder(&self, partition: PartitionId) -> PathBuf {
        partition_folder(&self.topics, partition)
    }

    /// For others that make files in the partitions' folders.
    pub(in crate::local) fn shared_tidy(&self) -> Arc<Tidy> {
        self.tidy.clone()
    }

    /// How much was written through the page cache since the last sync.
    pub(in crate::local) fn unsynced_bytes(&self) -> u64 {
        self.unsynced_bytes
    }

    /// Writes batches behind what a partition has, and answers its segments from the active one on as they are now. Not
    /// durable before [`SegmentStore::sync`]. After an error the segments are as before, but for bytes that do not count.
    pub(in crate::local) fn append(
        &mut self,
        partition: PartitionId,
        segments: &SegmentList,
        batches: &[LogBatch],
        rolling: Rolling,
    ) -> Result<Vec<SegmentMeta>, StoreError> {
        self.tidy(partition, segments)?;
        let mut written: Vec<SegmentMeta> = segments.active.into_iter().collect();
        let mut rest = batches;
        while let Some(first) = rest.first() {
            let fitting = written.last().map_or(0, |active| rolling.fitting(partition, active, rest));
            if fitting == 0 {
                written.push(self.create(partition, first.base_offset, rolling.now_ms)?);
                continue;
            }
            let (piece, later) = rest.split_at(fitting);
            if let Some(active) = written.last_mut() {
                *active = self.write_piece(partition, *active, piece)?;
                active.written_ms = rolling.now_ms;
            }
            rest = later;
        }
        Ok(written)
    }

    /// Makes all that was written durable. What is not flushed yet when an error comes is so with the next call.
    pub(in crate::local) fn sync(&mut self) -> Result<(), SyncError> {
        if let Some(whole) = self.whole.as_ref().filter(|_| self.dirty.len() + self.renamed.len() > FLUSHED_ONE_BY_ONE)
        {
            whole
                .sync()
                .map_err(|error| SyncError::Failed(StoreError::at(&self.topics, "flush the file system of")(error)))?;
            self.dirty.clear();
            self.renamed.clear();
        }
        while let Some((&(partition, name), &index_too)) = self.dirty.first_key_value() {
            self.sync_segment(partition, name, index_too)?;
            self.dirty.remove(&(partition, name));
        }
        while let Some(folder) = self.renamed.first().cloned() {
            let failed = StoreError::at(&folder, "flush");
            match self.disk.sync_folder(&folder) {
                Err(error) if lacks_descriptors(&error) => return Err(SyncError::NotBegun(failed(error))),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(SyncError::Failed(failed(error))),
                _ => self.renamed.remove(&folder),
            };
        }
        self.unsynced_bytes = 0;
        Ok(())
    }

    fn sync_segment(&mut self, partition: PartitionId, name: SegmentName, index_too: bool) -> Result<(), SyncError> {
        let path = name.log_path(&partition_folder(&self.topics, partition));
        for kind in [Some(FileKind::Log), index_too.then_some(FileKind::Index)].into_iter().flatten() {
            let file = match self.opened(partition, name, kind) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                opened => opened.map_err(|error| SyncError::NotBegun(StoreError::at(&path, "open")(error)))?,
            };
            file.disk_file().sync().map_err(|error| SyncError::Failed(StoreError::at(&path, "flush")(error)))?;
        }
        Ok(())
    }

    /// Removes the files of segments that hold nothing any more.
    pub(in crate::local) fn remove(&mut self, partition: PartitionId, removed: &[SegmentMeta]) {
        let folder = partition_folder(&self.topics, partition);
        for meta in removed {
            self.forget(|open_partition, name| open_partition == partition && name == meta.name());
            for path in [meta.name().log_path(&folder), meta.name().index_path(&folder)] {
                remove_file(&*self.disk, &path);
            }
        }
    }

    /// Removes a topic's folder.
    pub(in crate::local) fn remove_topic(&mut self, topic: TopicId) {
        self.forget(|partition, _| partition.topic == topic);
        self.tidy.forget(topic);
        let folder = topic_folder(&self.topics, topic);
        self.renamed.retain(|renamed| !renamed.starts_with(&folder));
        if let Err(error) = remove_tree(&*self.disk, &folder) {
            tracing::warn!(folder = %folder.display(), %error, "a deleted topic's folder could not be removed");
        }
    }

    /// Removes the folders of topics that do not exist: a crash came between a deletion and the removal of the files.
    pub(in crate::local) fn remove_strangers(&mut self, is_known: impl Fn(TopicId) -> bool) {
        let Ok(entries) = self.disk.list(&self.topics) else { return };
        for topic in entries.iter().filter_map(|entry| super::topic_of_folder(&entry.name)) {
            if !is_known(topic) {
                self.remove_topic(topic);
            }
        }
    }

    /// Removes the remains of a crash where compaction may have left some: other partitions are tidied when they are next
    /// written, which for a log that nobody writes to any more is never.
    pub(in crate::local) fn tidy_compacted(&mut self, partition: PartitionId, segments: &SegmentList) {
        if segments.all().any(|meta| meta.generation > 0)
            && let Err(error) = self.tidy(partition, segments)
        {
            tracing::warn!(problem = error.clause(), "what a crash left of a compaction could not be removed");
        }
    }

    /// Closes all files.
    pub(in crate::local) fn close(&mut self) {
        self.files.clear();
    }

    /// Closes what is not in use, as of one more checkpoint.
    pub(in crate::local) fn close_unused(&self) {
        self.files.checkpoint();
    }

    fn forget(&mut self, goes: impl Fn(PartitionId, SegmentName) -> bool) {
        self.files.forget(|id| goes(id.partition, id.name));
        self.direct.forget(&goes);
        self.dirty.retain(|(partition, name), _| !goes(*partition, *name));
    }

    /// Removes the remains of a crash from a partition's folder, and makes it where it is missing.
    fn tidy(&mut self, partition: PartitionId, segments: &SegmentList) -> Result<(), StoreError> {
        // Also where the folders are there already: a process that was killed may have made them and not flushed their names.
        if self.tidy.tidy(partition, segments)? && !planted!(self.planted, FolderNotFlushed) {
            let topic = topic_folder(&self.topics, partition.topic);
            self.renamed.extend([self.topics.clone(), topic, self.folder(partition)]);
        }
        Ok(())
    }

    fn create(&mut self, partition: PartitionId, base_offset: i64, created_ms: i64) -> Result<SegmentMeta, StoreError> {
        let name = SegmentName { base_offset, generation: 0 };
        let folder = partition_folder(&self.topics, partition);
        let make = |path: PathBuf, kind| {
            let failed = StoreError::at(&path, "create");
            let file = self.files.writing(FileId { partition, name, kind }, OpenHow::CREATE_EMPTY).map_err(&failed)?;
            file.disk_file().write_at(&header(kind, partition, name), 0, false).map_err(&failed)
        };
        make(name.log_path(&folder), FileKind::Log)?;
        make(name.index_path(&folder), FileKind::Index)?;
        self.dirty.insert((partition, name), true);
        self.renamed.insert(folder);
        Ok(SegmentMeta::empty(base_offset, created_ms))
    }

    fn write_piece(
        &mut self,
        partition: PartitionId,
        mut meta: SegmentMeta,
        piece: &[LogBatch],
    ) -> Result<SegmentMeta, StoreError> {
        let path = meta.name().log_path(&partition_folder(&self.topics, partition));
        let failed = StoreError::at(&path, "write");
        let (start, first_new_entry) = (meta.bytes, meta.index_entries);
        let (interval, planted) = (self.index_interval_bytes, self.planted);
        let log = self.opened(partition, meta.name(), FileKind::Log).map_err(&failed)?;
        let log = log.disk_file();
        let size = log.size().map_err(&failed)?;
        if size < start {
            return Err(failed(io::Error::new(io::ErrorKind::InvalidData, "it is shorter than it was")));
        }
        // A direct write ends with zeros up to the next block; only what a crash left is longer.
        if size > start.next_multiple_of(BLOCK_BYTES as u64) {
            log.truncate(start).map_err(&failed)?;
        }
        let mut entries = Vec::new();
        for batch in piece {
            meta.add(batch, interval, planted, &mut entries);
        }
        let is_direct = self.direct.suits(meta.bytes - start) && {
            let (file, name) = ((&*path, log), (partition, meta.name()));
            self.direct.write(&*self.disk, file, name, start, piece).map_err(&failed)?
        };
        if !is_direct {
            write_through_cache(log, start, piece).map_err(&failed)?;
        }
        if !entries.is_empty() {
            let index = self.opened(partition, meta.name(), FileKind::Index).map_err(&failed)?;
            index.disk_file().write_at(&entries, entry_at(first_new_entry), false).map_err(&failed)?;
        }
        *self.dirty.entry((partition, meta.name())).or_default() |= !entries.is_empty();
        self.unsynced_bytes += if is_direct { 0 } else { meta.bytes - start };
        self.written_bytes.0 += meta.bytes - start;
        self.written_bytes.1 += entries.len() as u64;
        Ok(meta)
    }

    fn opened(&self, partition: PartitionId, name: SegmentName, kind: FileKind) -> io::Result<Arc<SegmentFile>> {
        let how = match kind {
            FileKind::Log => OpenHow::WRITE,
            // An index that is lost begins anew; what it misses is found by reading the segment.
            FileKind::Index => OpenHow::CREATE,
        };
        self.files.writing(FileId { partition, name, kind }, how)
    }
}

impl SegmentMeta {
    /// Counts a batch in, with an index entry where one is due.
    pub(super) fn add(&mut self, batch: &LogBatch, interval_bytes: u64, planted: Planted, entries: &mut Vec<u8>) {
        if self.bytes - self.indexed_bytes >= interval_bytes {
            let past = if planted!(planted, IndexPastData) { batch.bytes.len() as u64 } else { 0 };
            let (offset, position) = (batch.base_offset, self.bytes + past);
            IndexEntry { offset, position, max_timestamp_before_ms: self.max_timestamp_ms }.put(entries);
            self.index_entries += 1;
            self.indexed_bytes = self.bytes;
        }
        if self.bytes == FIRST_BATCH_AT {
            self.first_timestamp_ms = batch.max_timestamp_ms;
        }
        self.bytes += batch.bytes.len() as u64;
        self.end_offset = batch.last_offset + 1;
        self.max_timestamp_ms = self.max_timestamp_ms.max(batch.max_timestamp_ms);
    }
}

fn write_through_cache(log: &dyn DiskFile, start: u64, piece: &[LogBatch]) -> io::Result<()> {
    if let [one] = piece {
        return log.write_at(&one.bytes, start, false);
    }
    let mut staged = Vec::with_capacity(piece.iter().map(|batch| batch.bytes.len()).sum());
    piece.iter().for_each(|batch| staged.extend_from_slice(&batch.bytes));
    log.write_at(&staged, start, false)
}
