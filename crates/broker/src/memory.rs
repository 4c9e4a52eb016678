//! How much memory requests in flight may take together.
//!
//! Small requests (heartbeats, joins, most fetches) are never held up: they are bounded by the number of connections.
//! A request above [`RequestMemory::FREE_BYTES`] is charged as a whole before its body is read, and waits while the sum
//! is at the bound. One that is admitted may overshoot the bound by its own size, so that no request is too large to ever
//! be admitted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// The account of all requests in flight.
#[derive(Debug)]
pub(crate) struct RequestMemory(Arc<Account>);

#[derive(Debug)]
struct Account {
    used_bytes: AtomicUsize,
    bound_bytes: usize,
    released: Arc<Notify>,
}

impl RequestMemory {
    /// Requests up to this size are not counted.
    pub(crate) const FREE_BYTES: usize = 16 * 1024;
    /// What all larger ones may take together.
    pub(crate) const BOUND_BYTES: usize = 256 * 1024 * 1024;

    /// An account with nothing charged.
    pub(crate) fn new() -> Self {
        Self::with_bound(Self::BOUND_BYTES)
    }

    fn with_bound(bound_bytes: usize) -> Self {
        RequestMemory(Arc::new(Account {
            used_bytes: AtomicUsize::new(0),
            bound_bytes,
            released: Arc::new(Notify::new()),
        }))
    }

    /// Charges a request of that size, unless others fill the bound already.
    pub(crate) fn charge(&self, bytes: usize) -> Option<Charge> {
        if bytes <= Self::FREE_BYTES {
            return Some(Charge(None));
        }
        let account = &self.0;
        let charged = account.used_bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
            (used < account.bound_bytes).then(|| used.saturating_add(bytes))
        });
        charged.is_ok().then(|| Charge(Some((account.clone(), bytes))))
    }

    /// Whether a large request would be admitted now.
    pub(crate) fn has_room(&self) -> bool {
        self.0.used_bytes.load(Ordering::Acquire) < self.0.bound_bytes
    }

    /// Resolves when memory was given back after this call.
    pub(crate) fn released(&self) -> OwnedNotified {
        self.0.released.clone().notified_owned()
    }
}

/// A request's share of the account, given back when dropped.
#[derive(Debug)]
pub(crate) struct Charge(Option<(Arc<Account>, usize)>);

impl Drop for Charge {
    fn drop(&mut self) {
        if let Some((account, bytes)) = self.0.take() {
            account.used_bytes.fetch_sub(bytes, Ordering::AcqRel);
            account.released.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_holds_large_requests_and_never_small_ones() {
        let memory = RequestMemory::with_bound(100_000);
        let first = memory.charge(90_000).expect("nothing is charged yet");
        let second = memory.charge(90_000).expect("the bound is not reached yet");
        assert!(memory.charge(20_000).is_none());
        assert!(memory.charge(RequestMemory::FREE_BYTES).is_some());
        drop(first);
        assert!(memory.charge(20_000).is_some());
        drop(second);
        assert!(memory.charge(500_000).is_some(), "a request above the bound is admitted when there is room");
    }
}
