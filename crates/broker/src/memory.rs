//! How much memory the bytes of requests and of answers may take, over all connections.
//!
//! *Requests.* Small ones (heartbeats, joins, most fetches) are never held up: they are bounded by the number of
//! connections. One above [`RequestMemory::FREE_BYTES`] is charged for what has arrived of it, because its announced size is
//! only a claim, until its handler lets go of its body. At the bound no more is read of any large request, but for one that
//! may overdraw the account: requests that have all arrived in part would otherwise wait for each other.
//!
//! *Answers.* Records that were read for an answer are charged until they are written. An answer may take a quarter of what
//! is free, and always [`AnswerMemory::SMALL_BYTES`]: slow readers get smaller answers the more there are of them, and
//! nobody has to wait for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

#[derive(Debug)]
struct Account {
    used_bytes: AtomicUsize,
    bound_bytes: usize,
    is_overdrawn: AtomicBool,
    released: Arc<Notify>,
}

impl Account {
    fn new(bound_bytes: usize) -> Arc<Self> {
        Arc::new(Account {
            used_bytes: AtomicUsize::new(0),
            bound_bytes,
            is_overdrawn: AtomicBool::new(false),
            released: Arc::default(),
        })
    }

    fn used_bytes(&self) -> usize {
        self.used_bytes.load(Ordering::Acquire)
    }

    fn free_bytes(&self) -> usize {
        self.bound_bytes.saturating_sub(self.used_bytes())
    }
}

/// A share of an account, given back when dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    account: Arc<Account>,
    bytes: usize,
    overdraws: bool,
}

impl Charge {
    fn none(account: &Arc<Account>) -> Self {
        Charge { account: account.clone(), bytes: 0, overdraws: false }
    }

    /// All of it, which leaves nothing here.
    pub(crate) fn take(&mut self) -> Charge {
        let nothing = Charge::none(&self.account);
        std::mem::replace(self, nothing)
    }

    /// From now on it is so many bytes.
    pub(crate) fn set(&mut self, bytes: usize) {
        let before = std::mem::replace(&mut self.bytes, bytes);
        if bytes > before {
            self.account.used_bytes.fetch_add(bytes - before, Ordering::AcqRel);
        } else if bytes < before {
            self.account.used_bytes.fetch_sub(before - bytes, Ordering::AcqRel);
            self.account.released.notify_waiters();
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.overdraws {
            self.account.is_overdrawn.store(false, Ordering::Release);
            self.account.released.notify_waiters();
        }
        self.set(0);
    }
}

/// The account of all large requests that arrive or are at work.
#[derive(Debug)]
pub(crate) struct RequestMemory(Arc<Account>);

impl RequestMemory {
    /// Requests up to this size are not counted.
    pub(crate) const FREE_BYTES: usize = 16 * 1024;
    /// What all larger ones may take together.
    const BOUND_BYTES: usize = 256 * 1024 * 1024;

    /// An account with nothing charged.
    pub(crate) fn new() -> Self {
        Self::with_bound(Self::BOUND_BYTES)
    }

    fn with_bound(bound_bytes: usize) -> Self {
        RequestMemory(Account::new(bound_bytes))
    }

    /// For a request of which nothing has arrived yet.
    pub(crate) fn charge(&self) -> Charge {
        Charge::none(&self.0)
    }

    /// Whether more may be read of the request with this charge.
    pub(crate) fn admits(&self, charge: &mut Charge) -> bool {
        if !charge.overdraws && !self.has_room() {
            charge.overdraws = !self.0.is_overdrawn.swap(true, Ordering::AcqRel);
            return charge.overdraws;
        }
        true
    }

    /// Whether large requests are read without limit.
    pub(crate) fn has_room(&self) -> bool {
        self.0.free_bytes() > 0
    }

    /// What is charged.
    pub(crate) fn used_bytes(&self) -> usize {
        self.0.used_bytes()
    }

    /// Resolves when memory was given back after this call.
    pub(crate) fn released(&self) -> OwnedNotified {
        self.0.released.clone().notified_owned()
    }
}

/// The account of all records that wait in answers.
#[derive(Debug)]
pub(crate) struct AnswerMemory(Arc<Account>);

impl AnswerMemory {
    /// What every answer may take, however many there are; and one batch, however large it is.
    pub(crate) const SMALL_BYTES: usize = 64 * 1024;
    /// What all answers may take together, but for small ones.
    const BOUND_BYTES: usize = 128 * 1024 * 1024;
    /// Of what is free, one part in so many may go to one answer.
    const PARTS: usize = 4;

    /// An account with nothing charged.
    pub(crate) fn new() -> Self {
        Self::with_bound(Self::BOUND_BYTES)
    }

    fn with_bound(bound_bytes: usize) -> Self {
        AnswerMemory(Account::new(bound_bytes))
    }

    /// For an answer with nothing in it yet.
    pub(crate) fn charge(&self) -> Charge {
        Charge::none(&self.0)
    }

    /// How many bytes the answer with this charge may have in all.
    pub(crate) fn share_bytes(&self, charge: &Charge) -> usize {
        // Its own bytes count as free: else what it has would make it smaller.
        let used_by_others = self.0.used_bytes().saturating_sub(charge.bytes);
        let free = self.0.bound_bytes.saturating_sub(used_by_others);
        (free / Self::PARTS).max(Self::SMALL_BYTES)
    }

    /// Whether answers are still shared out by what is free.
    pub(crate) fn has_room(&self) -> bool {
        self.0.free_bytes() > Self::SMALL_BYTES * Self::PARTS
    }

    /// What is charged.
    pub(crate) fn used_bytes(&self) -> usize {
        self.0.used_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charged(memory: &RequestMemory, bytes: usize) -> Charge {
        let mut charge = memory.charge();
        charge.set(bytes);
        charge
    }

    #[test]
    fn what_has_not_arrived_is_not_charged() {
        let memory = RequestMemory::with_bound(100);
        let announced: Vec<_> = (0..1000).map(|_| memory.charge()).collect();
        assert!(memory.has_room() && memory.used_bytes() == 0);
        drop(announced);
    }

    #[test]
    fn at_the_bound_one_request_is_read_to_its_end_and_the_others_wait() {
        let memory = RequestMemory::with_bound(100);
        let (mut first, mut second) = (charged(&memory, 60), charged(&memory, 40));
        assert!(memory.admits(&mut first), "one may overdraw");
        assert!(!memory.admits(&mut second), "but only one");
        first.set(500);
        assert!(memory.admits(&mut first) && !memory.admits(&mut second));
        drop(first);
        assert!(memory.admits(&mut second));
        second.set(100);
        assert!(memory.admits(&mut second), "the overdraft was given back");
        drop(second);
        assert_eq!(memory.used_bytes(), 0);
    }

    #[test]
    fn answers_grow_smaller_and_always_get_something() {
        let bound = 100 * AnswerMemory::SMALL_BYTES;
        let memory = AnswerMemory::with_bound(bound);
        let mut charges = Vec::new();
        for _ in 0..100 {
            let mut charge = memory.charge();
            let share = memory.share_bytes(&charge);
            assert!(share >= AnswerMemory::SMALL_BYTES);
            charge.set(share);
            assert_eq!(memory.share_bytes(&charge), share, "what it has does not make its share smaller");
            charges.push(charge);
        }
        assert!(!memory.has_room());
        assert!(memory.used_bytes() <= bound + 100 * AnswerMemory::SMALL_BYTES);
        charges.clear();
        assert_eq!(memory.share_bytes(&memory.charge()), bound / AnswerMemory::PARTS);
    }
}
