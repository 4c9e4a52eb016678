//! Writing what compaction makes of segments: new files of the next generation, beside the old ones.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use super::SegmentList;
use super::header::{FIRST_BATCH_AT, FileKind, header};
use super::index::entry_at;
use super::store::{SegmentStore, StoreError, SyncError};
use super::tidy::Tidy;
use super::{SegmentMeta, partition_folder};
use crate::PartitionId;
use crate::local::disk::{Disk, DiskFile, OpenHow};
use crate::local::planted::{Planted, planted};
use crate::local::shortage::lacks_descriptors;
use crate::local::tail::LogBatch;

/// Batches gather up to here for one write.
const STAGED_BYTES: usize = 1 << 20;

/// Makes writers.
pub(in crate::local) struct CompactedFiles {
    disk: Arc<dyn Disk>,
    topics: PathBuf,
    index_interval_bytes: u64,
    tidy: Arc<Tidy>,
    planted: Planted,
}

impl CompactedFiles {
    /// `store` makes files in the same folders.
    pub(in crate::local) fn new(
        disk: Arc<dyn Disk>,
        topics: PathBuf,
        index_interval_bytes: u64,
        store: &SegmentStore,
    ) -> Self {
        let (tidy, planted) = (store.shared_tidy(), store.planted);
        Self { disk, topics, index_interval_bytes: index_interval_bytes.max(1), tidy, planted }
    }

    /// Removes the remains of a crash from a partition's folder. Before the first new file: afterwards it would be taken for
    /// such a remain.
    pub(in crate::local) fn tidy(&self, partition: PartitionId, segments: &SegmentList) -> Result<(), StoreError> {
        self.tidy.tidy(partition, segments).map(drop)
    }

    /// A writer of what stays of these segments, in files of at most about `segment_bytes`.
    pub(in crate::local) fn writer(
        &self,
        partition: PartitionId,
        replaced: &[SegmentMeta],
        segment_bytes: u64,
    ) -> CompactedWriter {
        let newest = replaced.iter().map(|meta| meta.generation).max().unwrap_or_default();
        CompactedWriter {
            disk: self.disk.clone(),
            folder: partition_folder(&self.topics, partition),
            index_interval_bytes: self.index_interval_bytes,
            segment_bytes,
            partition,
            base_offset: replaced.first().map(|meta| meta.base_offset),
            generation: newest.saturating_add(1),
            created_ms: replaced.first().map_or(0, |meta| meta.created_ms),
            written_ms: replaced.last().map_or(0, |meta| meta.written_ms),
            written: Vec::new(),
            open: None,
            planted: self.planted,
        }
    }
}

/// Writes segments of one partition, one after the other.
pub(in crate::local) struct CompactedWriter {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    index_interval_bytes: u64,
    segment_bytes: u64,
    partition: PartitionId,
    /// Of the first segment; the others begin with their first batch.
    base_offset: Option<i64>,
    generation: u32,
    created_ms: i64,
    written_ms: i64,
    /// Complete ones, flushed.
    written: Vec<SegmentMeta>,
    open: Option<Open>,
    planted: Planted,
}

struct Open {
    meta: SegmentMeta,
    log: Arc<dyn DiskFile>,
    index: Arc<dyn DiskFile>,
    /// Not written yet.
    batches: Vec<u8>,
    entries: Vec<u8>,
}

impl CompactedWriter {
    /// Adds the next batch.
    pub(in crate::local) fn add(&mut self, bytes: Bytes) -> Result<(), SyncError> {
        let Some(batch) = LogBatch::of(bytes) else { return Ok(()) };
        let is_full = |open: &mut Open| {
            open.meta.bytes > FIRST_BATCH_AT && open.meta.bytes + batch.bytes.len() as u64 > self.segment_bytes
        };
        if let Some(full) = self.open.take_if(is_full) {
            self.complete(full)?;
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.create(self.base_offset.filter(|_| self.written.is_empty()).unwrap_or(batch.base_offset))?,
        };
        open.meta.add(&batch, self.index_interval_bytes, self.planted, &mut open.entries);
        open.batches.extend_from_slice(&batch.bytes);
        let staged = open.batches.len();
        let open = self.open.insert(open);
        if staged >= STAGED_BYTES { open.write(&self.folder) } else { Ok(()) }
    }

    /// Writes and flushes what is left, and the folder; answers the segments.
    pub(in crate::local) fn finish(&mut self) -> Result<Vec<SegmentMeta>, SyncError> {
        if let Some(open) = self.open.take() {
            self.complete(open)?;
        }
        if planted!(self.planted, CompactedNamesNotFlushed) {
            return Ok(self.written.clone());
        }
        self.disk.sync_folder(&self.folder).map_err(|error| {
            let clause = StoreError::at(&self.folder, "flush");
            if lacks_descriptors(&error) {
                SyncError::NotBegun(clause(error))
            } else {
                SyncError::Failed(clause(error))
            }
        })?;
        Ok(self.written.clone())
    }

    /// Removes all that was written.
    pub(in crate::local) fn remove(&mut self) {
        let open = self.open.take().map(|open| open.meta);
        for meta in self.written.drain(..).chain(open) {
            for path in [meta.name().log_path(&self.folder), meta.name().index_path(&self.folder)] {
                // What is left behind is a stranger, and goes after the next start.
                if let Err(error) = self.disk.remove_file(&path) {
                    tracing::debug!(file = %path.display(), %error, "an unfinished segment could not be removed");
                }
            }
        }
    }

    fn create(&mut self, base_offset: i64) -> Result<Open, SyncError> {
        let Self { generation, created_ms, written_ms, .. } = *self;
        let meta = SegmentMeta { generation, written_ms, ..SegmentMeta::empty(base_offset, created_ms) };
        let make = |path: PathBuf, kind| {
            let failed = StoreError::at(&path, "create");
            let file = self.disk.open(&path, OpenHow::CREATE_EMPTY).map_err(&failed)?;
            file.write_at(&header(kind, self.partition, meta.name()), 0, false).map_err(&failed)?;
            Ok(file)
        };
        let made = make(meta.name().log_path(&self.folder), FileKind::Log)
            .and_then(|log| Ok((log, make(meta.name().index_path(&self.folder), FileKind::Index)?)));
        match made {
            Ok((log, index)) => Ok(Open { meta, log, index, batches: Vec::new(), entries: Vec::new() }),
            Err(error) => {
                // Noted, so that what there is of it is removed.
                self.written.push(meta);
                Err(SyncError::NotBegun(error))
            }
        }
    }

    fn complete(&mut self, mut open: Open) -> Result<(), SyncError> {
        let not_flushed = planted!(self.planted, CompactedNotFlushed);
        let sync = |open: &Open| if not_flushed { Ok(()) } else { open.sync(&self.folder) };
        let written = open.write(&self.folder).and_then(|()| sync(&open));
        self.written.push(open.meta);
        written
    }
}

impl Open {
    fn write(&mut self, folder: &std::path::Path) -> Result<(), SyncError> {
        let path = self.meta.name().log_path(folder);
        let failed = |error| SyncError::NotBegun(StoreError::at(&path, "write")(error));
        let start = self.meta.bytes - self.batches.len() as u64;
        self.log.write_at(&self.batches, start, false).map_err(failed)?;
        self.batches.clear();
        let new_entries = (self.entries.len() / super::index::ENTRY_BYTES) as u32;
        if new_entries > 0 {
            self.index
                .write_at(&self.entries, entry_at(self.meta.index_entries - new_entries), false)
                .map_err(failed)?;
            self.entries.clear();
        }
        Ok(())
    }

    fn sync(&self, folder: &std::path::Path) -> Result<(), SyncError> {
        let failed = |path: PathBuf| move |error| SyncError::Failed(StoreError::at(&path, "flush")(error));
        self.log.sync().map_err(failed(self.meta.name().log_path(folder)))?;
        self.index.sync().map_err(failed(self.meta.name().index_path(folder)))
    }
}
