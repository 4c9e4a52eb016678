//! What the engine has done since it was opened, as plain numbers that any thread may look at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::EngineCounters;

/// A number that only grows. Each has one thread that changes it, and no order with any other. A clone is the same number.
#[derive(Clone, Default)]
pub(super) struct Counter(Arc<AtomicU64>);

impl Counter {
    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    /// What it has come to, by whoever counts.
    pub(super) fn set(&self, now: u64) {
        self.0.store(now, Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// See [`EngineCounters`].
#[derive(Default)]
pub(super) struct Counters {
    pub(super) acknowledged_bytes: Counter,
    pub(super) wal_bytes: Counter,
    pub(super) segment_bytes: Counter,
    pub(super) index_bytes: Counter,
    pub(super) compacted_bytes: Counter,
    pub(super) manifest_bytes: Counter,
    pub(super) wal_flushes: Counter,
    pub(super) groups: Counter,
    pub(super) checkpoints: Counter,
    pub(super) checkpoint_ms: Counter,
}

impl Counters {
    pub(super) fn read(&self) -> EngineCounters {
        EngineCounters {
            acknowledged_bytes: self.acknowledged_bytes.get(),
            wal_bytes: self.wal_bytes.get(),
            segment_bytes: self.segment_bytes.get(),
            index_bytes: self.index_bytes.get(),
            compacted_bytes: self.compacted_bytes.get(),
            manifest_bytes: self.manifest_bytes.get(),
            wal_flushes: self.wal_flushes.get(),
            groups: self.groups.get(),
            checkpoints: self.checkpoints.get(),
            checkpoint_ms: self.checkpoint_ms.get(),
        }
    }
}
