//! Whether the engine may still write, and who hears of what happens.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::counters::Counters;
use super::shortage::remedy;
use crate::{LogStartCause, Metadata, Observer, PartitionId, Unavailable};

/// The engine's state of health. After the first failed flush it never writes again: what is on the disk is not known then,
/// and a second flush of the same data may lie.
#[derive(Default)]
pub(super) struct Health {
    poisoned: OnceLock<Unavailable>,
    /// Why nothing can be written for now; passes.
    shortage: Mutex<Option<Unavailable>>,
    observers: Mutex<Vec<Arc<dyn Observer>>>,
    /// Here because everything that works for the engine looks here.
    pub(super) counters: Counters,
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

    pub(super) fn log_start_moved(&self, partition: PartitionId, from: i64, to: i64, cause: LogStartCause) {
        self.observers().iter().for_each(|observer| observer.log_start_moved(partition, from, to, cause));
    }

    pub(super) fn metadata_changed(&self, metadata: &Arc<Metadata>) {
        self.observers().iter().for_each(|observer| observer.metadata_changed(metadata));
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

    /// Notes what keeps segment files and manifest from being written for now, or that nothing does any longer.
    pub(super) fn set_shortage(&self, why: Option<Unavailable>) {
        let mut shortage = self.shortage.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*shortage, &why) {
            (None, Some(why)) => tracing::warn!(reason = %why, "the storage engine cannot write for now"),
            (Some(_), None) => tracing::info!("the storage engine can write again"),
            _ => {}
        }
        *shortage = why;
    }

    /// What is missing for writing, if so.
    pub(super) fn shortage(&self) -> Option<Unavailable> {
        self.shortage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Nothing was written, and trying again later can help.
pub(super) fn not_now(clause: &str, error: &io::Error) -> Unavailable {
    let reason = format!("{clause}; nothing was written: {}, then writing goes on by itself", remedy(error));
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
