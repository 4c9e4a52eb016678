//! The cleaner: one thread that compacts logs (`cleanup.policy` with `compact`), a partition after the other.
//!
//! 1. It reads and writes files only, in pieces of at most about 1 MiB, and no lock is held meanwhile. What it writes are new
//!    files beside the old ones, with the next generation in their names.
//! 2. New files and their folder are flushed before anything refers to them.
//! 3. Then they take the old segments' place in the tail's list, under its lock, if all of those are still there: records may
//!    have been deleted in the meantime, or the topic. Otherwise the new files are removed and that was that.
//! 4. Old files go only after a manifest that names the new ones is durable, by the background thread. So after a crash the
//!    manifest names either, and whatever it does not name is removed when the partition's folder is next looked at.
//!
//! What stays of a record is said by [`crate::compaction`]; the cleaner only moves bytes. Where it cannot, it says so in the
//! log of the process and leaves the records as they are: nothing depends on a cleaning.

mod plan;
mod queue;
mod rewrite;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use plan::{Due, Plan, due};
pub(super) use queue::{CleanerQueue, Waiting};

use super::background::Signal;
use super::health::Health;
use super::inbox::Inbox;
use super::planted::Planted;
use super::segments::{CompactedFiles, SegmentReadError, SegmentReader, StoreError, SyncError};
use super::shortage::{is_shortage, remedy};
use super::tail::Tail;
use crate::{CleanerConfig, LogConfig, LogConfigs, PartitionId, WallMs};

/// Pauses shorter than this are saved up.
const PAUSE_MIN_MS: u64 = 5;

/// After so long it is looked whether a pause should still be that long.
const PAUSE_MAX_MS: u64 = 500;

/// What the cleaner works with.
pub(super) struct Cleaner {
    pub(super) queue: Arc<CleanerQueue>,
    pub(super) background: Arc<Signal>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) tail: Arc<Tail>,
    pub(super) health: Arc<Health>,
    pub(super) reader: SegmentReader,
    pub(super) files: CompactedFiles,
    pub(super) log_configs: Arc<dyn LogConfigs>,
    pub(super) wall_ms: WallMs,
    pub(super) is_enabled: bool,
    /// As of the turn at hand.
    pub(super) config: CleanerConfig,
    /// Partitions with a segment that cannot be read; left alone until a restart.
    pub(super) damaged: BTreeSet<PartitionId>,
    /// Something was missing for writing when it was last tried.
    pub(super) short: bool,
    pub(super) planted: Planted,
    /// Read or written and not paused for yet.
    pub(super) unpaced_bytes: u64,
}

/// Why a cleaning ended early.
enum Ended {
    /// Its segments went away, or the engine stops.
    GivenUp,
    /// The disk is full or the like.
    Short(StoreError),
    /// A file could not be written or flushed.
    Failed(StoreError),
    /// A file could not be read for now.
    Unreadable(String),
    /// What is stored is damaged.
    Damaged(String),
}

impl Cleaner {
    /// The body of the thread.
    pub(super) fn run(mut self) {
        while let Some(waiting) = self.queue.next(self.backoff()) {
            self.turn(waiting);
        }
        self.queue.end();
    }

    fn backoff(&self) -> Duration {
        Duration::from_millis(self.log_configs.cleaner_config(&self.tail.metadata()).backoff_ms)
    }

    /// Cleans all that is due, and has those who wait told once a manifest says so.
    pub(super) fn turn(&mut self, waiting: Waiting) {
        self.config = self.log_configs.cleaner_config(&self.tail.metadata());
        let due = self.due();
        for (partition, config, plan) in due {
            if self.health.poisoned().is_none() && !self.queue.is_stopped() {
                let cleaned = self.clean(partition, &config, &plan);
                self.tell(partition, cleaned);
            }
        }
        self.background.finish_cleaning(waiting);
    }

    /// A turn that somebody asked for, if so; answers whether it was.
    #[cfg(feature = "simulation")]
    pub(super) fn try_turn(&mut self) -> bool {
        let waiting = self.queue.take();
        let asked = !waiting.is_empty();
        if asked {
            self.turn(waiting);
        }
        asked
    }

    /// A turn that comes by itself, after those have been waited for long enough who ask for one; answers whether it was taken.
    #[cfg(feature = "simulation")]
    pub(super) fn turn_unasked(&mut self) -> bool {
        let works = self.is_enabled && !self.queue.is_stopped();
        if works {
            let waiting = self.queue.take();
            self.turn(waiting);
        }
        works
    }

    /// What is worth cleaning, the dirtiest first. Has segments sealed whose records have waited too long.
    fn due(&self) -> Vec<(PartitionId, LogConfig, Plan)> {
        let metadata = self.tail.metadata();
        let now_ms = (self.wall_ms)();
        let mut found = Vec::new();
        for topic in metadata.topics() {
            let config = self.log_configs.log_config(&metadata, topic);
            let partitions = (0..topic.partitions).map(|index| PartitionId { topic: topic.id, index });
            for partition in partitions.filter(|partition| config.compact && !self.damaged.contains(partition)) {
                let Ok(bounds) = self.tail.bounds(partition) else { continue };
                let Some(segments) = self.tail.segments(partition) else { continue };
                match due(&segments, bounds.last_stable_offset, &config, now_ms) {
                    Due::Nothing => {}
                    Due::Roll => self.background.request_roll(partition),
                    Due::Clean(plan) => found.push((partition, config, plan)),
                }
            }
        }
        found.sort_by(|a, b| b.2.dirty_ratio.total_cmp(&a.2.dirty_ratio));
        found
    }

    /// Says what came of a cleaning.
    fn tell(&mut self, partition: PartitionId, cleaned: Result<(), Ended>) {
        let topic = self.tail.metadata().by_id(partition.topic).map(|topic| topic.name.clone());
        let (topic, index) = (topic.as_deref().unwrap_or("?"), partition.index);
        match cleaned {
            Ok(()) => self.short = false,
            Err(Ended::GivenUp) => tracing::debug!(topic, index, "a cleaning was given up"),
            Err(Ended::Short(error)) => {
                // Once, not with every try.
                if !std::mem::replace(&mut self.short, true) {
                    let (what, remedy) = (error.clause(), remedy(&error.error));
                    tracing::warn!(topic, index, "{what}; logs are not compacted until there is room: {remedy}");
                }
            }
            // After a flush that failed nothing is known of the disk, whoever asked for it.
            Err(Ended::Failed(error)) => {
                self.health.poison(&error.clause());
                // The flusher may wait for space that will not come any more.
                self.inbox.poke();
            }
            Err(Ended::Unreadable(what)) => tracing::warn!(topic, index, "{what}; the log is not compacted for now"),
            Err(Ended::Damaged(what)) => {
                self.damaged.insert(partition);
                tracing::error!(topic, index, "{what}; the log is not compacted any more: restore it from a copy");
            }
        }
    }

    /// Lets time pass, so that no more is read and written than `log.cleaner.io.max.bytes.per.second` allows, as it is by
    /// then; ends the cleaning where the engine stops.
    fn pace(&mut self, bytes: u64) -> Result<(), Ended> {
        self.unpaced_bytes += bytes;
        loop {
            self.config = self.log_configs.cleaner_config(&self.tail.metadata());
            let Some(per_second) = self.config.io_max_bytes_per_second else {
                self.unpaced_bytes = 0;
                break;
            };
            let pause_ms = self.unpaced_bytes.saturating_mul(1000) / per_second.max(1);
            if pause_ms < PAUSE_MIN_MS || self.queue.is_stopped() {
                break;
            }
            let pause_ms = pause_ms.min(PAUSE_MAX_MS);
            self.queue.pause(Duration::from_millis(pause_ms));
            let paid = (pause_ms.saturating_mul(per_second) / 1000).max(1);
            self.unpaced_bytes = self.unpaced_bytes.saturating_sub(paid);
        }
        if self.queue.is_stopped() { Err(Ended::GivenUp) } else { Ok(()) }
    }
}

impl From<SyncError> for Ended {
    fn from(error: SyncError) -> Self {
        match error {
            // The topic was deleted, with its folder.
            SyncError::NotBegun(error) | SyncError::Failed(error) if error.error.kind() == io::ErrorKind::NotFound => {
                Ended::GivenUp
            }
            SyncError::NotBegun(error) if is_shortage(&error.error) => Ended::Short(error),
            SyncError::NotBegun(error) | SyncError::Failed(error) => Ended::Failed(error),
        }
    }
}

impl From<SegmentReadError> for Ended {
    fn from(error: SegmentReadError) -> Self {
        match error {
            SegmentReadError::Gone => Ended::GivenUp,
            SegmentReadError::Corrupt(sentence) => Ended::Damaged(sentence),
            SegmentReadError::Io(path, error) => {
                Ended::Unreadable(format!("could not read {}: {error}", path.display()))
            }
        }
    }
}
