//! Whether the engine may still write, and who hears of what happens.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::{LogStartCause, Observer, PartitionId, Unavailable};

/// The engine's state of health. After the first failed flush it never writes again: what is on the disk is not known then,
/// and a second flush of the same data may lie.
#[derive(Default)]
pub(super) struct Health {
    poisoned: OnceLock<Unavailable>,
    /// Why there is no space; passes.
    full: Mutex<Option<Unavailable>>,
    observers: Mutex<Vec<Arc<dyn Observer>>>,
}

impl Health {
    pub(super) fn subscribe(&self, observer: Arc<dyn Observer>) {
        self.observers.lock().unwrap_or_else(PoisonError::into_inner).push(observer);
    }

    fn observers(&self) -> Vec<Arc<dyn Observer>> {
        self.observers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn advanced(&self, partitions: &[PartitionId]) {
        self.observers().iter().for_each(|observer| observer.advanced(partitions));
    }

    pub(super) fn log_start_moved(&self, partition: PartitionId, from: i64, to: i64) {
        let cause = LogStartCause::DeleteRecords;
        self.observers().iter().for_each(|observer| observer.log_start_moved(partition, from, to, cause));
    }

    /// Why the engine takes no more writes, if so.
    pub(super) fn poisoned(&self) -> Option<&Unavailable> {
        self.poisoned.get()
    }

    /// Ends all writing. The first reason counts.
    pub(super) fn poison(&self, clause: &str) -> Unavailable {
        let reason = format!(
            "{clause}; nothing more is acknowledged, what was durable stays readable: check the disk, then restart the broker"
        );
        let why = Unavailable { reason: reason.into(), retriable: false };
        if self.poisoned.set(why).is_ok()
            && let Some(why) = self.poisoned()
        {
            tracing::error!(reason = %why, "the storage engine stops writing");
            self.observers().iter().for_each(|observer| observer.poisoned(why));
        }
        self.poisoned().cloned().unwrap_or_else(closed)
    }

    /// Notes that the disk is full, or that it is no longer.
    pub(super) fn set_full(&self, clause: Option<&str>) {
        *self.full.lock().unwrap_or_else(PoisonError::into_inner) = clause.map(no_space);
    }

    /// Why there is no space, if so.
    pub(super) fn full(&self) -> Option<Unavailable> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// No space: nothing was written, and trying again later can help.
pub(super) fn no_space(clause: &str) -> Unavailable {
    let reason = format!("{clause}; nothing was written: free disk space, then writing goes on by itself");
    Unavailable { reason: reason.into(), retriable: true }
}

/// The engine was closed.
pub(super) fn closed() -> Unavailable {
    Unavailable { reason: Arc::from("the storage engine is closed; restart the broker"), retriable: false }
}

/// A flush that failed, as the first part of a sentence.
pub(super) fn failed_flush(what: &Path, error: &std::io::Error) -> String {
    format!("writing {} failed: {error}", what.display())
}
