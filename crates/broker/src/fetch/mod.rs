//! How records are fetched: waiting without polling, and sessions whose cost follows what changed (KIP-227).
//!
//! A fetch, or a fetch session, is a [`view::View`]: slots for partitions, and a ready set of those slots that may have
//! something new. Appends feed the ready sets through [`waiters::Waiters`]; [`collect`] takes slots out of the set, reads
//! them, and waits for more. [`sessions`] keeps the views of sessions between requests.

mod collect;
mod sessions;
mod view;
mod waiters;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ottla_storage::{PartitionId, Topic};

pub(crate) use self::collect::{Found, LEADER_EPOCH, Limits, check_leader_epoch, collect};
pub(crate) use self::sessions::{Opened, SessionCache, SessionRequest};
pub(crate) use self::view::{TopicKey, Want};
use self::waiters::Waiters;
pub(crate) use self::watch::{FetchWatch, Reader, ReaderIdentity};

/// All that fetches share.
#[derive(Debug)]
pub(crate) struct FetchState {
    /// Who wants to hear of which partition.
    pub(crate) waiters: Arc<Waiters>,
    /// The sessions.
    pub(crate) sessions: SessionCache,
    /// Who fetches what.
    pub(crate) watch: FetchWatch,
}

impl FetchState {
    /// No sessions, nobody waiting. `session_slots` is `max.incremental.fetch.session.cache.slots`.
    pub(crate) fn new(session_slots: usize) -> Self {
        FetchState { waiters: Arc::default(), sessions: SessionCache::new(session_slots), watch: FetchWatch::default() }
    }

    /// Something about these partitions is new. Called from any thread.
    pub(crate) fn changed(&self, partitions: &[PartitionId]) {
        self.waiters.changed(partitions);
    }

    /// Whoever waits for this topic shall learn that it is gone.
    pub(crate) fn topic_deleted(&self, topic: &Topic) {
        let partitions: Vec<_> = (0..topic.partitions).map(|index| PartitionId { topic: topic.id, index }).collect();
        self.waiters.changed(&partitions);
    }
}

/// Locks; a panic elsewhere while it was locked is no reason to stop serving others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
