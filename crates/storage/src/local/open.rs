//! Opening a data folder: the lock, the manifest, the write-ahead log's tail, then the threads.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;

use super::background::{Background, asks_flusher};
use super::cleaner::Cleaner;
use super::disk::{AlignedBuffer, BLOCK_BYTES, Disk, LockHeld, OpenHow};
use super::engine::LocalEngine;
use super::flusher::Flusher;
use super::health::Health;
use super::inbox::Inbox;
use super::lookup::Lookup;
use super::manifest::Manifest;
use super::options::{LocalOptions, OpenError};
use super::planted::planted;
use super::readers::ReadQueue;
use super::segments::courtesy::Courtesy;
use super::segments::{CompactedFiles, OpenFiles, Rolling, SegmentList, SegmentReader, SegmentStore, StoreError};
use super::state::{DurableState, log_batches};
use super::tail::{Advance, PartitionView, Tail};
use super::unflushed::Unflushed;
use super::wal::{
    Chain, Entry, NotApplied, Slot, SlotPool, SlotRules, Spare, WalPosition, WalWriter, WalWriterStart, replay,
};
use crate::log_config::LogConfigCache;
use crate::{CleanerConfig, PartitionId};

/// How much of one partition is written at once when memory fills during recovery.
const PIECE_BYTES: usize = 4 << 20;

impl LocalEngine {
    /// Opens a data folder, made where it is missing, and recovers what was acknowledged.
    ///
    /// # Errors
    /// See [`OpenError`]: the folder is in use, cannot be written, was written by a later version, or is damaged.
    pub fn open(options: LocalOptions, disk: Arc<dyn Disk>) -> Result<Self, OpenError> {
        let readers = options.readers.max(1);
        recover(options, disk)?.start_threads(readers)
    }
}

/// An engine without threads, and what its threads work with.
pub(super) struct Recovered {
    pub(super) engine: LocalEngine,
    pub(super) flusher: Flusher,
    pub(super) background: Background,
    pub(super) cleaner: Cleaner,
}

/// Opens the folder and reads everything that a start reads.
pub(super) fn recover(options: LocalOptions, disk: Arc<dyn Disk>) -> Result<Recovered, OpenError> {
    let lock = prepare_folder(&*disk, &options.folder)?;
    let wal_folder = options.folder.join("wal");
    let direct = !planted!(options.planted(), AckBeforeFlush) && takes_direct_writes(&*disk, &wal_folder)?;
    let manifest = Manifest::read(&*disk, &options.folder)?.unwrap_or_else(Manifest::empty);
    let mut recovery = Recovery::new(&options, &disk, direct, &manifest);
    let chain = replay(&*disk, &wal_folder, manifest.wal, options.planted(), &mut |entry| recovery.apply(entry))?;
    recovery.refuse_lost_segments()?;
    chain.make_durable(&*disk, &wal_folder, options.planted())?;
    recovery.remove_before_starts();
    let replayed = chain.end.next_sequence - manifest.wal.next_sequence;
    tracing::debug!(replayed, direct, "recovered");
    let parts = Parts { options, disk, lock, direct, checkpointed: manifest.wal };
    Ok(assemble(parts, recovery, chain))
}

/// Makes the folders and takes the lock.
fn prepare_folder(disk: &dyn Disk, folder: &Path) -> Result<Box<dyn LockHeld>, OpenError> {
    let not_writable =
        |error: io::Error| OpenError::NotWritable { folder: folder.to_owned(), error: error.to_string() };
    disk.create_folder(folder).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            OpenError::NotAFolder { path: folder.to_owned() }
        }
        _ => not_writable(error),
    })?;
    let lock = disk.lock(&folder.join("lock")).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => OpenError::Locked { folder: folder.to_owned() },
        _ => not_writable(error),
    })?;
    for inner in ["wal", "topics"] {
        disk.create_folder(&folder.join(inner)).map_err(not_writable)?;
    }
    // A process that was killed may have made files of the log that are used from now on, and not flushed their names.
    for flushed in [folder, &folder.join("wal")] {
        disk.sync_folder(flushed).map_err(not_writable)?;
    }
    Ok(lock)
}

/// Tries a direct write. Some file systems refuse when the file is opened, some when it is written.
fn takes_direct_writes(disk: &dyn Disk, wal_folder: &Path) -> Result<bool, OpenError> {
    let path = wal_folder.join("probe");
    let mut block = AlignedBuffer::new();
    block.extend_zeros(BLOCK_BYTES);
    let probed =
        disk.open(&path, OpenHow::CREATE_EMPTY.direct(true)).and_then(|file| file.write_at(block.as_slice(), 0, false));
    // Its content does not matter, so neither does whether it could be removed.
    let _ = disk.remove_file(&path);
    match probed {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem) => {
            let folder = wal_folder.to_owned();
            Err(OpenError::NotWritable { folder, error: error.to_string() })
        }
        Err(error) => {
            tracing::debug!(%error, "no direct writes here; the write-ahead log goes through the page cache");
            Ok(false)
        }
    }
}

/// The state while it is rebuilt.
struct Recovery {
    state: DurableState,
    tail: Tail,
    store: SegmentStore,
    files: Arc<OpenFiles>,
    health: Arc<Health>,
    log_configs: LogConfigCache,
    /// Wall clock of this start. The log does not say when its batches came; taken for that, it only keeps producers longer.
    now_ms: i64,
    /// Partitions whose segment files are gone, and where those ended. That is as it should be where the log goes on to say
    /// that the topic was deleted or the log start moved up.
    lost: BTreeMap<PartitionId, i64>,
}

impl Recovery {
    fn new(options: &LocalOptions, disk: &Arc<dyn Disk>, direct: bool, manifest: &Manifest) -> Self {
        let tail = Tail::new(options.tail_bytes);
        for (topic, records) in &manifest.topics {
            for (index, record) in (0..).zip(records) {
                let view = PartitionView {
                    log_start_offset: record.log_start_offset,
                    high_watermark: record.end_offset,
                    written_end: record.end_offset,
                    segments: SegmentList::from_all(record.segments.clone(), record.clean_end),
                    first_open_offset: match planted!(options.planted(), OpenLostAtStart) {
                        true => None,
                        false => record.producers.first_open_offset(),
                    },
                    aborted: record.aborted.clone(),
                };
                tail.add_partition(PartitionId { topic: topic.id, index }, view);
            }
        }
        let topics = options.folder.join("topics");
        let health: Arc<Health> = Arc::default();
        let courtesy = Courtesy::new(health.counters.wal_flushes.clone(), options.monotonic_ms.clone());
        let cold = (options.read_buffers, courtesy);
        let files = Arc::new(OpenFiles::new(disk.clone(), topics, options.open_files(), cold));
        let mut store = SegmentStore::new(files.clone(), options.index_interval_bytes, direct);
        store.planted = options.planted();
        let now_ms = (options.wall_ms)();
        let (state, log_configs) =
            (DurableState::from_manifest(manifest), LogConfigCache::new(options.log_configs.clone()));
        Self { state, tail, store, files, health, log_configs, now_ms, lost: BTreeMap::new() }
    }

    fn apply(&mut self, entry: Entry<'_>) -> Result<(), NotApplied> {
        match entry {
            Entry::Records { partition, batches } => self.apply_records(partition, batches)?,
            Entry::AtomicRecords(parts) => {
                for (partition, batches) in parts {
                    self.apply_records(partition, batches)?;
                }
            }
            Entry::TopicCreated(topic) => {
                let topic = self.state.create_topic(topic);
                for index in 0..topic.partitions {
                    self.tail.add_partition(PartitionId { topic: topic.id, index }, PartitionView::default());
                }
            }
            Entry::TopicDeleted(id) => {
                let topic = self.state.delete_topic(id).ok_or_else(|| wrong("it deletes a topic that is not there"))?;
                self.tail.remove_topic(id, topic.partitions);
            }
            Entry::ProducerIds { next } => self.state.next_producer_id = next,
            Entry::PartitionsCreated { topic: id, total } => {
                let gone = || wrong("it gives partitions to a topic that is not there");
                let before = self.state.metadata.by_id(id).ok_or_else(gone)?.partitions;
                self.state.create_partitions(id, total);
                for index in before..total {
                    self.tail.add_partition(PartitionId { topic: id, index }, PartitionView::default());
                }
            }
            Entry::ConfigsAltered { resource, configs } => {
                if !self.state.alter_configs(resource, configs) {
                    return Err(wrong("it configures a topic that is not there"));
                }
            }
            Entry::LogStart { partition, offset, .. } => {
                let state = self.state.partitions.get_mut(&partition);
                let state = state.ok_or_else(|| wrong("it trims a partition that is not there"))?;
                state.log_start_offset = state.log_start_offset.max(offset);
                self.tail.move_log_start(partition, offset);
            }
        }
        if self.tail.is_full() { self.make_space() } else { Ok(()) }
    }

    fn apply_records(&mut self, partition: PartitionId, batches: &[u8]) -> Result<(), NotApplied> {
        let state = self.state.partitions.get_mut(&partition);
        let state = state.ok_or_else(|| wrong("it holds records of a partition that is not there"))?;
        let spans = crate::batches::split(batches).map_err(wrong)?;
        let first_offset = state.end_offset;
        let aborted = state.replay(&spans, self.now_ms);
        let aborted = aborted.ok_or_else(|| wrong("its records do not follow those before"))?;
        let first_open_offset = state.producers.first_open_offset();
        let batches = log_batches(&Bytes::copy_from_slice(batches), &spans, first_offset, 0);
        self.tail.advance([Advance { partition, batches, first_open_offset, aborted }]);
        Ok(())
    }

    /// Moves what is only in memory to segment files.
    fn make_space(&mut self) -> Result<(), NotApplied> {
        for partition in self.tail.unwritten_partitions() {
            while let Some(unwritten) = self.tail.unwritten(partition, i64::MAX, PIECE_BYTES) {
                let config = self.log_configs.get(&self.state.metadata, partition.topic);
                let rolling = Rolling { config, now_ms: self.now_ms };
                let written = self.store.append(partition, &unwritten.segments, &unwritten.batches, rolling);
                let segments = match written {
                    Ok(segments) => segments,
                    Err(error) => {
                        self.note_lost(partition, &error)?;
                        continue;
                    }
                };
                let written_end = unwritten.batches.last().map_or(0, |batch| batch.last_offset + 1);
                self.tail.written(partition, written_end, segments);
            }
        }
        Ok(())
    }

    /// Goes on without segment files that are gone.
    fn note_lost(&mut self, partition: PartitionId, error: &StoreError) -> Result<(), NotApplied> {
        let ended = self.tail.forget_segments(partition);
        match (ended, error.error.kind()) {
            (Some(end_offset), io::ErrorKind::NotFound) => {
                self.lost.insert(partition, end_offset);
                Ok(())
            }
            _ => Err(NotApplied::Failed(OpenError::io(error.path.clone(), error.doing, &error.error))),
        }
    }

    /// Removes the files of segments below the log starts; they may be gone already. Only now that the log is durable: a log start
    /// that was written and not flushed could be read, and be gone when this start is cut off.
    fn remove_before_starts(&mut self) {
        for partition in self.state.partitions.keys() {
            let removed = self.tail.take_segments_before_start(*partition);
            if !removed.is_empty() {
                self.store.remove(*partition, &removed);
            }
        }
    }

    /// That no segment file is gone whose records should still be there.
    fn refuse_lost_segments(&self) -> Result<(), OpenError> {
        for (partition, end_offset) in &self.lost {
            let Some(state) = self.state.partitions.get(partition) else { continue };
            if state.log_start_offset < *end_offset {
                let name = self.state.metadata.by_id(partition.topic).map_or("?", |topic| &*topic.name);
                let what = format!(
                    "segment files of partition {} of topic {name} are missing; lost are records from offset {} to {}",
                    partition.index,
                    state.log_start_offset,
                    end_offset - 1
                );
                return Err(OpenError::damaged(self.store.folder(*partition), what));
            }
        }
        Ok(())
    }
}

fn wrong(what: &str) -> NotApplied {
    NotApplied::Wrong(what.to_owned())
}

struct Parts {
    options: LocalOptions,
    disk: Arc<dyn Disk>,
    lock: Box<dyn LockHeld>,
    direct: bool,
    checkpointed: WalPosition,
}

/// Puts everything together.
fn assemble(parts: Parts, recovery: Recovery, chain: Chain) -> Recovered {
    let wal_folder = parts.options.folder.join("wal");
    let inbox = Arc::new(Inbox::default());
    let slots = slots(&parts, &wal_folder, (chain.free, chain.in_use), inbox.clone());
    let wal = WalWriter::new(WalWriterStart {
        disk: parts.disk.clone(),
        folder: wal_folder.clone(),
        direct: parts.direct,
        end: chain.end,
        next_number: chain.next_number,
        random: parts.options.random,
        planted: parts.options.planted(),
    });
    let Recovery { mut state, tail, store, files, health, .. } = recovery;
    tail.set_metadata(state.metadata.clone());
    // Metadata is shared from here on: a change copies it.
    state.metadata = tail.metadata();
    let reads = Arc::new(ReadQueue::new(parts.options.reads_waiting));
    let (tail, segments) = (Arc::new(tail), SegmentReader::new(files));
    let lookup = Lookup { tail: tail.clone(), segments, reads: reads.clone() };
    let engine = LocalEngine {
        inbox,
        tail,
        health,
        slots,
        signal: Arc::default(),
        producer_ids: Arc::default(),
        reads,
        look_ups: Arc::new(ReadQueue::new(parts.options.reads_waiting)),
        lookup,
        cleaning: Arc::default(),
        folder: parts.options.folder.clone(),
        disk: parts.disk.clone(),
        threads: Vec::new(),
    };
    let spare = wal.spare();
    let flusher = flusher(&engine, &parts.options, state, (wal, wal_folder));
    let cleaner = cleaner(&engine, &parts, &store);
    let background = background(&engine, parts, store, spare);
    Recovered { engine, flusher, background, cleaner }
}

fn slots(
    parts: &Parts,
    wal_folder: &Path,
    (free, in_use): (Vec<Slot>, Vec<(u64, Slot)>),
    woken: Arc<Inbox>,
) -> Arc<SlotPool> {
    let rules = SlotRules {
        disk: parts.disk.clone(),
        folder: wal_folder.to_owned(),
        direct: parts.direct,
        slot_bytes: parts.options.wal_segment_bytes(),
        max_bytes: parts.options.wal_max_bytes,
        planted: parts.options.planted(),
    };
    Arc::new(SlotPool::new(rules, free, in_use, Box::new(move || woken.poke())))
}

fn flusher(
    engine: &LocalEngine,
    options: &LocalOptions,
    state: DurableState,
    (wal, wal_folder): (WalWriter, PathBuf),
) -> Flusher {
    Flusher {
        inbox: engine.inbox.clone(),
        tail: engine.tail.clone(),
        health: engine.health.clone(),
        slots: engine.slots.clone(),
        background: engine.signal.clone(),
        producer_ids: engine.producer_ids.clone(),
        wal,
        wal_folder,
        state,
        unflushed: Unflushed::new(options.log_configs.clone(), options.monotonic_ms.clone()),
        now_ms: (options.wall_ms)(),
        wall_ms: options.wall_ms.clone(),
        producer_expiration_ms: options.producer_expiration_ms,
        planted: options.planted(),
        backlog: VecDeque::new(),
        blocked: false,
    }
}

fn cleaner(engine: &LocalEngine, parts: &Parts, store: &SegmentStore) -> Cleaner {
    let Parts { options, disk, .. } = parts;
    let topics = options.folder.join("topics");
    Cleaner {
        queue: engine.cleaning.clone(),
        inbox: engine.inbox.clone(),
        background: engine.signal.clone(),
        tail: engine.tail.clone(),
        health: engine.health.clone(),
        reader: engine.lookup.segments.clone(),
        files: CompactedFiles::new(disk.clone(), topics, options.index_interval_bytes, store),
        log_configs: options.log_configs.clone(),
        wall_ms: options.wall_ms.clone(),
        is_enabled: options.cleaner_enable,
        config: CleanerConfig::default(),
        damaged: BTreeSet::new(),
        short: false,
        planted: options.planted(),
        unpaced_bytes: 0,
    }
}

fn background(engine: &LocalEngine, parts: Parts, store: SegmentStore, spare: Spare) -> Background {
    let Parts { options, disk, lock, checkpointed, .. } = parts;
    Background {
        disk,
        planted: options.planted(),
        folder: options.folder,
        signal: engine.signal.clone(),
        inbox: engine.inbox.clone(),
        tail: engine.tail.clone(),
        health: engine.health.clone(),
        slots: engine.slots.clone(),
        store,
        snapshots: asks_flusher(engine.inbox.clone()),
        cleaning: engine.cleaning.clone(),
        last_checkpoint_ms: (options.monotonic_ms)(),
        last_retention_ms: (options.monotonic_ms)(),
        spare,
        last_spare_ms: (options.monotonic_ms)(),
        monotonic_ms: options.monotonic_ms,
        wall_ms: options.wall_ms,
        log_configs: LogConfigCache::new(options.log_configs),
        retention_check_interval_ms: options.retention_check_interval_ms,
        checkpoint_interval_ms: options.checkpoint_interval_ms,
        checkpointed,
        lock: Some(lock),
    }
}

impl Recovered {
    /// Each role runs on a thread of its own: a loop that waits for something to do and then does one turn.
    fn start_threads(self, readers: usize) -> Result<LocalEngine, OpenError> {
        let Recovered { mut engine, flusher, background, cleaner } = self;
        let (slots, look_ups) = (engine.slots.clone(), engine.look_ups.clone());
        engine.spawn("ottla-wal-space", move || slots.prepare())?;
        engine.spawn("ottla-flusher", move || flusher.run())?;
        engine.spawn("ottla-segments", move || background.run())?;
        engine.spawn("ottla-look-ups", move || look_ups.run(|| {}))?;
        if cleaner.is_enabled {
            engine.cleaning.begin();
            engine.spawn("ottla-cleaner", move || cleaner.run())?;
        }
        for _ in 0..readers {
            let (reads, segments) = (engine.reads.clone(), engine.lookup.segments.clone());
            engine.spawn("ottla-reader", move || reads.run(|| segments.release_chunks()))?;
        }
        Ok(engine)
    }
}

impl LocalEngine {
    fn spawn(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let spawned: io::Result<JoinHandle<()>> = std::thread::Builder::new().name(name.to_owned()).spawn(body);
        let thread = spawned.map_err(|error| OpenError::io(&self.folder, "start a thread for", &error))?;
        self.threads.push(thread);
        Ok(())
    }
}
