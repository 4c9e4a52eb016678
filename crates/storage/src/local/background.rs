//! The background thread: writes from memory to segment files, checkpoints, removes files.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::cleaner::CleanerQueue;
use super::disk::{Disk, LockHeld};
use super::flusher::Snapshot;
use super::health::{Health, closed, failed_flush, not_now};
use super::inbox::Inbox;
use super::manifest::{Manifest, PartitionRecord, ReplaceError};
use super::planted::{Planted, planted};
use super::segments::{Rolling, SegmentMeta, SegmentStore, StoreError, SyncError};
use super::shortage::is_shortage;
use super::tail::Tail;
use super::wal::{SlotPool, Spare, WalPosition};
use crate::log_config::LogConfigCache;
use crate::{AbortedIndex, Completer, MonotonicMs, PartitionId, Topic, TopicId, Unavailable, WallMs};

/// How much of one partition is written in one turn.
const PIECE_BYTES: usize = 4 << 20;

/// Segment files are flushed whenever this much was written, so that a checkpoint has little left to flush.
const UNSYNCED_BYTES: u64 = 64 << 20;

/// Every so often it is looked whether memory waits for nothing.
const SPARE_LOOK_MS: u64 = 3_000;

/// What others ask of the background thread.
#[derive(Default)]
pub(super) struct Signal {
    todo: Mutex<Todo>,
    changed: Condvar,
}

#[derive(Default)]
struct Todo {
    write: bool,
    checkpoint: bool,
    /// Who waits for a checkpoint.
    waiting: Vec<Completer<(), Unavailable>>,
    /// Who waits for the end.
    closing: Vec<Completer<(), Unavailable>>,
    /// Who waits for a checkpoint after a cleaning.
    cleaned: Vec<Completer<(), Unavailable>>,
    removed_topics: Vec<TopicId>,
    /// Whose active segment is to be sealed.
    rolls: BTreeSet<PartitionId>,
    trimmed: BTreeSet<PartitionId>,
    /// Who waits until those are trimmed.
    trimming: Vec<Completer<(), Unavailable>>,
    /// The flusher is done.
    flusher_closed: bool,
    stopped: bool,
    /// How the end went, once it is reached.
    ended: Option<Result<(), Unavailable>>,
}

impl Todo {
    fn is_empty(&self) -> bool {
        !self.write && !self.has_more_than_writes()
    }

    fn has_more_than_writes(&self) -> bool {
        let flags = self.checkpoint || self.flusher_closed || self.stopped;
        let somebody_waits = !self.waiting.is_empty() || !self.cleaned.is_empty() || !self.trimming.is_empty();
        flags || somebody_waits || !self.removed_topics.is_empty() || !self.trimmed.is_empty() || !self.rolls.is_empty()
    }
}

impl Signal {
    fn change(&self, change: impl FnOnce(&mut Todo)) {
        change(&mut self.lock());
        self.changed.notify_one();
    }

    /// Asks to write from memory to segment files.
    pub(super) fn request_write(&self) {
        self.change(|todo| todo.write = true);
    }

    /// Asks for a checkpoint.
    pub(super) fn request_checkpoint(&self) {
        self.change(|todo| todo.checkpoint = true);
    }

    /// Asks for a checkpoint, for a cleaning of what is due by then, and for another checkpoint, and tells when all that is done.
    pub(super) fn wait_for_checkpoint(&self, waiter: Completer<(), Unavailable>) {
        self.change(|todo| match todo.ended {
            Some(_) => waiter.complete(Err(closed())),
            None => todo.waiting.push(waiter),
        });
    }

    /// The cleaning is done that these wait for.
    pub(super) fn finish_cleaning(&self, waiting: Vec<Completer<(), Unavailable>>) {
        self.change(|todo| match todo.ended {
            Some(_) => waiting.into_iter().for_each(|waiter| waiter.complete(Err(closed()))),
            None => todo.cleaned.extend(waiting),
        });
    }

    /// Asks to seal a partition's active segment.
    pub(super) fn request_roll(&self, partition: PartitionId) {
        self.change(|todo| {
            todo.rolls.insert(partition);
        });
    }

    /// Tells when the engine is closed.
    pub(super) fn wait_for_close(&self, waiter: Completer<(), Unavailable>) {
        self.change(|todo| match &todo.ended {
            Some(ended) => waiter.complete(ended.clone()),
            None => todo.closing.push(waiter),
        });
    }

    /// Asks to remove a deleted topic's files.
    pub(super) fn remove_topic(&self, topic: TopicId) {
        self.change(|todo| todo.removed_topics.push(topic));
    }

    /// Asks to remove a partition's files below its log start.
    pub(super) fn remove_before_start(&self, partition: PartitionId) {
        self.change(|todo| {
            todo.trimmed.insert(partition);
        });
    }

    /// Tells when all files are removed that were asked to be before.
    pub(super) fn wait_for_removal(&self, waiters: Vec<Completer<(), Unavailable>>) {
        self.change(|todo| match todo.ended {
            Some(_) => waiters.into_iter().for_each(|waiter| waiter.complete(Err(closed()))),
            None => todo.trimming.extend(waiters),
        });
    }

    /// Says that the flusher has done its last write.
    pub(super) fn close(&self) {
        self.change(|todo| todo.flusher_closed = true);
    }

    /// Whether there is anything to do but to write.
    fn has_more_than_writes(&self) -> bool {
        self.lock().has_more_than_writes()
    }

    /// Ends the thread.
    pub(super) fn stop(&self) {
        self.change(|todo| todo.stopped = true);
    }

    /// Waits until there is something to do, or for so long.
    fn next(&self, wait_at_most: Option<Duration>) -> Todo {
        let todo = self.lock();
        let todo = match wait_at_most {
            None => self.changed.wait_while(todo, |todo| todo.is_empty()).unwrap_or_else(PoisonError::into_inner),
            Some(time) => {
                let waited = self.changed.wait_timeout_while(todo, time, |todo| todo.is_empty());
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        take_all_but_closing(todo)
    }

    /// What there is to do, without waiting for it; `None` where there is nothing.
    #[cfg(feature = "simulation")]
    fn try_next(&self, wait_at_most: Option<Duration>) -> Option<Todo> {
        let todo = self.lock();
        let idle = todo.is_empty() && wait_at_most.is_none_or(|time| !time.is_zero());
        (!idle).then(|| take_all_but_closing(todo))
    }

    /// Notes how the end went, and tells those who wait for it.
    fn end(&self, result: &Result<(), Unavailable>) {
        let mut todo = self.lock();
        todo.ended = Some(result.clone());
        let closing = std::mem::take(&mut todo.closing);
        let mut waiting = std::mem::take(&mut todo.waiting);
        waiting.append(&mut todo.cleaned);
        waiting.append(&mut todo.trimming);
        drop(todo);
        closing.into_iter().for_each(|waiter| waiter.complete(result.clone()));
        waiting.into_iter().for_each(|waiter| waiter.complete(Err(closed())));
    }

    fn lock(&self) -> MutexGuard<'_, Todo> {
        self.todo.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those who wait for the end stay until the end is reached.
fn take_all_but_closing(mut todo: MutexGuard<'_, Todo>) -> Todo {
    let closing = std::mem::take(&mut todo.closing);
    let taken = std::mem::take(&mut *todo);
    todo.closing = closing;
    taken
}

/// Where a checkpoint gets the state that it writes down; `None` where there is none any more.
pub(super) type SnapshotSource = Box<dyn Fn() -> Option<Snapshot> + Send>;

/// Asks the flusher's thread and waits for its answer, which comes between two writes.
pub(super) fn asks_flusher(inbox: Arc<Inbox>) -> SnapshotSource {
    Box::new(move || {
        let (answer, snapshot) = sync_channel(1);
        inbox.request_snapshot(answer);
        snapshot.recv().ok().flatten()
    })
}

/// What the background thread works with.
pub(super) struct Background {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) folder: PathBuf,
    pub(super) signal: Arc<Signal>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) tail: Arc<Tail>,
    pub(super) health: Arc<Health>,
    pub(super) slots: Arc<SlotPool>,
    pub(super) store: SegmentStore,
    pub(super) planted: Planted,
    pub(super) snapshots: SnapshotSource,
    pub(super) cleaning: Arc<CleanerQueue>,
    pub(super) monotonic_ms: MonotonicMs,
    pub(super) wall_ms: WallMs,
    pub(super) log_configs: LogConfigCache,
    pub(super) checkpoint_interval_ms: u64,
    pub(super) last_checkpoint_ms: u64,
    pub(super) retention_check_interval_ms: u64,
    pub(super) last_retention_ms: u64,
    /// Memory of the write-ahead log that waits for later writes, and when it was last looked whether it does so for nothing.
    pub(super) spare: Spare,
    pub(super) last_spare_ms: u64,
    /// Up to which place in the log the manifest says all.
    pub(super) checkpointed: WalPosition,
    /// Keeps other brokers off the folder while the engine is open.
    pub(super) lock: Option<Box<dyn LockHeld>>,
}

impl Background {
    /// The body of the thread.
    pub(super) fn run(mut self) {
        self.begin();
        while self.turn(self.signal.next(self.until_next_turn())) {}
    }

    /// What comes before the first turn.
    pub(super) fn begin(&mut self) {
        let metadata = self.tail.metadata();
        self.store.remove_strangers(|topic| metadata.by_id(topic).is_some());
        for topic in metadata.topics() {
            for index in 0..topic.partitions {
                let partition = PartitionId { topic: topic.id, index };
                let segments = self.tail.segments(partition).unwrap_or_default();
                self.store.tidy_compacted(partition, &segments);
            }
        }
    }

    /// One turn of the thread, if there is anything to do. Answers whether there was, and whether there will be another turn.
    #[cfg(feature = "simulation")]
    pub(super) fn try_turn(&mut self) -> (bool, bool) {
        match self.signal.try_next(self.until_next_turn()) {
            None => (false, true),
            Some(todo) => (true, self.turn(todo)),
        }
    }

    /// Whether the next turn takes a snapshot, so that the flusher must be between two writes.
    #[cfg(feature = "simulation")]
    pub(super) fn wants_snapshot(&self) -> bool {
        let todo = self.signal.lock();
        todo.checkpoint
            || !todo.waiting.is_empty()
            || !todo.cleaned.is_empty()
            || todo.flusher_closed
            || self.is_checkpoint_due()
    }

    /// Whether the next turn ends everything, for which it waits until the cleaner is between two turns.
    #[cfg(feature = "simulation")]
    pub(super) fn wants_to_close(&self) -> bool {
        self.signal.lock().flusher_closed
    }

    /// Does what is to do; answers whether there will be another turn.
    fn turn(&mut self, todo: Todo) -> bool {
        if todo.stopped {
            return false;
        }
        todo.removed_topics.into_iter().for_each(|topic| self.store.remove_topic(topic));
        todo.rolls.into_iter().for_each(|partition| self.tail.seal_active(partition));
        todo.trimmed.into_iter().for_each(|partition| self.remove_before_start(partition));
        self.go_on_cleaning(todo.trimming, &Ok(()));
        let somebody_waits = !todo.waiting.is_empty() || !todo.cleaned.is_empty();
        if todo.checkpoint || self.is_checkpoint_due() || somebody_waits {
            let result = self.checkpoint();
            self.last_checkpoint_ms = (self.monotonic_ms)();
            todo.cleaned.into_iter().for_each(|waiter| waiter.complete(result.clone()));
            self.maintain(todo.waiting, &result);
        } else if todo.write {
            self.write_behind();
        }
        if self.is_due(self.retention_check_interval_ms, self.last_retention_ms) {
            self.retain(Vec::new());
        }
        if self.is_due(SPARE_LOOK_MS, self.last_spare_ms) {
            self.last_spare_ms = (self.monotonic_ms)();
            self.spare.release_unused();
        }
        if todo.flusher_closed {
            self.close();
        }
        !todo.flusher_closed
    }

    fn is_checkpoint_due(&self) -> bool {
        self.is_due(self.checkpoint_interval_ms, self.last_checkpoint_ms)
    }

    fn is_due(&self, interval_ms: u64, last_ms: u64) -> bool {
        self.left(interval_ms, last_ms).is_some_and(|left| left.is_zero())
    }

    /// How long it is until something is due even if nobody asks for anything.
    fn until_next_turn(&self) -> Option<Duration> {
        let checkpoint = self.left(self.checkpoint_interval_ms, self.last_checkpoint_ms);
        let retention = self.left(self.retention_check_interval_ms, self.last_retention_ms);
        let spare = if self.spare.is_empty() { None } else { self.left(SPARE_LOOK_MS, self.last_spare_ms) };
        checkpoint.into_iter().chain(retention).chain(spare).min()
    }

    /// How long it is until something is due that is done at intervals; `None` where the interval is 0: never.
    fn left(&self, interval_ms: u64, last_ms: u64) -> Option<Duration> {
        let passed_ms = (self.monotonic_ms)().saturating_sub(last_ms);
        (interval_ms > 0).then(|| Duration::from_millis(interval_ms.saturating_sub(passed_ms)))
    }

    /// The end: everything goes to its place, and the folder is free for another broker.
    fn close(&mut self) {
        self.cleaning.stop_and_wait();
        let result = self.checkpoint();
        self.store.close();
        self.lock = None;
        self.inbox.stop();
        self.slots.stop();
        self.signal.end(&result);
    }

    /// Writes what is only in memory, a piece of one partition after the other, until little is left or something else is to do.
    fn write_behind(&mut self) {
        while let Some(partition) = self.tail.next_to_write() {
            if self.write_piece(partition, i64::MAX).is_err() {
                return;
            }
            if self.store.unsynced_bytes() >= UNSYNCED_BYTES && self.sync_segments().is_err() {
                return;
            }
            if self.signal.has_more_than_writes() || self.until_next_turn().is_some_and(|time| time.is_zero()) {
                return self.signal.request_write();
            }
        }
    }

    /// Writes one piece of a partition; answers whether there was any.
    fn write_piece(&mut self, partition: PartitionId, end_offset: i64) -> Result<bool, Unavailable> {
        self.may_write()?;
        let Some(unwritten) = self.tail.unwritten(partition, end_offset, PIECE_BYTES) else {
            return Ok(false);
        };
        let rolling = self.rolling(partition);
        let written = self.store.append(partition, &unwritten.segments, &unwritten.batches, rolling);
        let segments = written.map_err(|error| self.failed(&error))?;
        let written_end = unwritten.batches.last().map_or(0, |batch| batch.last_offset + 1);
        self.tail.written(partition, written_end, segments);
        let (segment_bytes, index_bytes) = self.store.written_bytes();
        self.health.counters.segment_bytes.set(segment_bytes);
        self.health.counters.index_bytes.set(index_bytes);
        self.health.set_shortage(None);
        self.inbox.poke();
        Ok(true)
    }

    fn rolling(&mut self, partition: PartitionId) -> Rolling {
        Rolling { config: self.log_configs.get(&self.tail.metadata(), partition.topic), now_ms: (self.wall_ms)() }
    }

    /// Those who asked for a checkpoint and have seen retention wait for a cleaning next, where there may be one.
    pub(super) fn go_on_cleaning(
        &mut self,
        waiting: Vec<Completer<(), Unavailable>>,
        result: &Result<(), Unavailable>,
    ) {
        let waiting = match result {
            Ok(()) if !waiting.is_empty() && self.has_compacted_topics() => {
                self.cleaning.request(waiting).err().unwrap_or_default()
            }
            _ => waiting,
        };
        waiting.into_iter().for_each(|waiter| waiter.complete(result.clone()));
    }

    fn has_compacted_topics(&mut self) -> bool {
        let metadata = self.tail.metadata();
        metadata.topics().any(|topic| self.log_configs.get(&metadata, topic.id).compact)
    }

    /// A checkpoint, after which the files go that compaction has replaced.
    fn checkpoint(&mut self) -> Result<(), Unavailable> {
        self.store.close_unused();
        // Taken first: whatever replaced these is in the list that the manifest is made of.
        let compacted = self.tail.take_compacted();
        if planted!(self.planted, ReplacedRemovedEarly) {
            self.remove_replaced(compacted.iter().flatten());
        }
        let result = self.write_checkpoint(compacted.is_some());
        match (&result, compacted) {
            (Ok(()), Some(replaced)) => self.remove_replaced(&replaced),
            (Err(_), Some(replaced)) => self.tail.put_back_compacted(replaced),
            (_, None) => {}
        }
        result
    }

    fn remove_replaced<'a>(&mut self, replaced: impl IntoIterator<Item = &'a (PartitionId, SegmentMeta)>) {
        for (partition, meta) in replaced {
            self.store.remove(*partition, std::slice::from_ref(meta));
        }
    }

    /// Brings everything up to one place in the log into segment files, says so in the manifest, and frees the log before.
    fn write_checkpoint(&mut self, has_compacted: bool) -> Result<(), Unavailable> {
        let began_ms = (self.monotonic_ms)();
        let snapshot = self.snapshot()?;
        // The segment counts too: where the log went on in a new one, those before are freed by saying so.
        let (done, now) = (self.checkpointed, snapshot.wal);
        if (done.next_sequence, done.number) == (now.next_sequence, now.number) && !has_compacted {
            return Ok(());
        }
        // The oldest first, so that what is written already is not kept in memory by what is not.
        for partition in self.tail.unwritten_partitions() {
            if let Some(end_offset) = snapshot.end_offset(partition) {
                while self.write_piece(partition, end_offset)? {}
            }
        }
        if !planted!(self.planted, SegmentsNotFlushed) {
            self.sync_segments()?;
        }
        let manifest = self.manifest(&snapshot);
        if planted!(self.planted, LogFreedEarly) {
            self.slots.retire_before(snapshot.wal.number);
        }
        match manifest.replace(&*self.disk, &self.folder, self.planted) {
            Ok(bytes) => self.health.counters.manifest_bytes.add(bytes),
            Err(ReplaceError::NotWritten(error)) => {
                let path = self.folder.join("manifest.new");
                return Err(self.failed(&StoreError { path, doing: "write", error }));
            }
            Err(ReplaceError::Unknown(error)) => {
                return Err(self.poison(&failed_flush(&self.folder.join("manifest"), &error)));
            }
        }
        self.checkpointed = snapshot.wal;
        self.health.set_shortage(None);
        self.slots.retire_before(snapshot.wal.number);
        let counters = &self.health.counters;
        counters.checkpoints.add(1);
        counters.checkpoint_ms.add((self.monotonic_ms)().saturating_sub(began_ms));
        tracing::debug!(sequence = self.checkpointed.next_sequence, counters = ?counters.read(), "checkpoint");
        Ok(())
    }

    fn snapshot(&self) -> Result<Snapshot, Unavailable> {
        self.may_write()?;
        (self.snapshots)().ok_or_else(|| self.health.poisoned().cloned().unwrap_or_else(closed))
    }

    fn manifest(&self, snapshot: &Snapshot) -> Manifest {
        let record = |topic: &Topic, (index, state): (i32, &super::state::PartitionState)| {
            let partition = PartitionId { topic: topic.id, index };
            let (segments, aborted) = self.tail.segments_and_aborted(partition, state.end_offset);
            PartitionRecord {
                aborted: match planted!(self.planted, AbortedLostAtCheckpoint) {
                    true => AbortedIndex::default(),
                    false => aborted,
                },
                log_start_offset: match planted!(self.planted, LogStartNotInManifest) {
                    true => 0,
                    false => state.log_start_offset,
                },
                end_offset: state.end_offset,
                clean_end: segments.clean_end,
                segments: segments.all().copied().collect(),
                producers: match planted!(self.planted, ProducersLostWithLog) {
                    true => Arc::default(),
                    false => state.producers.clone(),
                },
            }
        };
        let topics = snapshot.topics.iter().map(|(topic, partitions)| {
            (topic.clone(), (0..).zip(partitions).map(|partition| record(topic, partition)).collect())
        });
        let configs =
            snapshot.metadata.configured().map(|(resource, configs)| (resource.clone(), configs.clone())).collect();
        let topics = topics.collect();
        Manifest { wal: snapshot.wal, next_producer_id: snapshot.next_producer_id, topics, configs }
    }

    fn sync_segments(&mut self) -> Result<(), Unavailable> {
        self.may_write()?;
        self.store.sync().map_err(|error| match error {
            SyncError::NotBegun(error) => self.failed(&error),
            SyncError::Failed(error) if planted!(self.planted, SecondFlush) => not_now(&error.clause(), &error.error),
            // No second flush of the same data: the system may have dropped it and say that all is well.
            SyncError::Failed(error) => self.poison(&error.clause()),
        })
    }

    fn may_write(&self) -> Result<(), Unavailable> {
        self.health.poisoned().map_or(Ok(()), |why| Err(why.clone()))
    }

    /// A full disk passes, and so does a lack of file descriptors or memory; anything else ends all writing. Not for flushes.
    fn failed(&self, error: &StoreError) -> Unavailable {
        let why = if is_shortage(&error.error) {
            let why = not_now(&error.clause(), &error.error);
            self.health.set_shortage(Some(why.clone()));
            why
        } else {
            self.poison(&error.clause())
        };
        self.inbox.poke();
        why
    }

    /// Ends all writing. The flusher hears of it, where it waits for space that will not come any more.
    fn poison(&self, clause: &str) -> Unavailable {
        let why = self.health.poison(clause);
        self.inbox.poke();
        why
    }

    fn remove_before_start(&mut self, partition: PartitionId) {
        let removed = self.tail.take_segments_before_start(partition);
        self.store.remove(partition, &removed);
        if planted!(self.planted, TrimmedTooFar) {
            let next = self.tail.segments(partition).and_then(|segments| segments.sealed.first().copied());
            self.store.remove(partition, next.as_slice());
        }
    }
}
