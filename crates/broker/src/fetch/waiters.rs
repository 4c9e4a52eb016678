//! Who wants to hear of which partition. Appends feed it, so that nobody has to look again and again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ottla_storage::PartitionId;
use tokio::sync::Notify;

use super::lock;

/// Position of a partition in a fetch or a fetch session.
pub(super) type Slot = u32;

/// All interests in all partitions.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    registered: Mutex<BTreeMap<(PartitionId, u64, Slot), Arc<Interest>>>,
    next_interest: AtomicU64,
}

impl Waiters {
    /// An interest in nothing yet.
    pub(super) fn new_interest(&self) -> Arc<Interest> {
        let id = self.next_interest.fetch_add(1, Ordering::Relaxed);
        Arc::new(Interest { id, ready: Mutex::default(), told: Notify::new() })
    }

    /// From now on a change of the partition makes the slot of this interest ready.
    pub(super) fn register(&self, partition: PartitionId, interest: &Arc<Interest>, slot: Slot) {
        lock(&self.registered).insert((partition, interest.id, slot), interest.clone());
    }

    /// Ends what [`Waiters::register`] began.
    pub(super) fn unregister(&self, partition: PartitionId, interest: &Interest, slot: Slot) {
        lock(&self.registered).remove(&(partition, interest.id, slot));
    }

    /// Something about these partitions is new. Called from any thread.
    pub(super) fn changed(&self, partitions: &[PartitionId]) {
        let registered = lock(&self.registered);
        if registered.is_empty() {
            return;
        }
        for &partition in partitions {
            let all = (partition, u64::MIN, Slot::MIN)..=(partition, u64::MAX, Slot::MAX);
            for (&(_, _, slot), interest) in registered.range(all) {
                interest.mark(slot);
            }
        }
    }

    /// How many interests in partitions there are.
    pub(crate) fn len(&self) -> usize {
        lock(&self.registered).len()
    }
}

/// The ready set of one fetch or one session: slots that may have something new, in the order of their turns.
#[derive(Debug)]
pub(super) struct Interest {
    id: u64,
    ready: Mutex<Ready>,
    told: Notify,
}

#[derive(Debug, Default)]
struct Ready {
    queue: VecDeque<Slot>,
    /// By slot: whether it is in the queue.
    queued: Vec<bool>,
}

impl Ready {
    /// Whether the slot was not queued and is now noted as queued; the caller then puts it into the queue.
    fn note(&mut self, slot: Slot) -> bool {
        let place = slot as usize;
        if place >= self.queued.len() {
            self.queued.resize(place + 1, false);
        }
        self.queued.get_mut(place).is_some_and(|queued| !std::mem::replace(queued, true))
    }
}

impl Interest {
    /// The slot may have something new: it gets a turn after those that wait already.
    pub(super) fn mark(&self, slot: Slot) {
        let mut ready = lock(&self.ready);
        if ready.note(slot) {
            ready.queue.push_back(slot);
            drop(ready);
            self.told.notify_waiters();
        }
    }

    /// The slot was taken and had no turn: it gets the next one.
    pub(super) fn put_back(&self, slot: Slot) {
        let mut ready = lock(&self.ready);
        if ready.note(slot) {
            ready.queue.push_front(slot);
        }
    }

    /// The next slot that may have something new. A change from now on makes it ready again.
    pub(super) fn take(&self) -> Option<Slot> {
        let mut ready = lock(&self.ready);
        let slot = ready.queue.pop_front()?;
        if let Some(queued) = ready.queued.get_mut(slot as usize) {
            *queued = false;
        }
        Some(slot)
    }

    fn is_ready(&self) -> bool {
        !lock(&self.ready).queue.is_empty()
    }

    /// Resolves as soon as a slot is ready; at once if one is already.
    pub(super) async fn ready(&self) {
        loop {
            let told = self.told.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            if self.is_ready() {
                return;
            }
            told.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use ottla_storage::TopicId;

    use super::*;

    fn partition(index: i32) -> PartitionId {
        PartitionId { topic: TopicId([7; 16]), index }
    }

    fn drain(interest: &Interest) -> Vec<Slot> {
        std::iter::from_fn(|| interest.take()).collect()
    }

    #[test]
    fn a_change_reaches_only_who_is_interested_and_only_once() {
        let waiters = Waiters::default();
        let (one, two) = (waiters.new_interest(), waiters.new_interest());
        waiters.register(partition(0), &one, 5);
        waiters.register(partition(1), &one, 6);
        waiters.register(partition(1), &two, 0);
        waiters.changed(&[partition(1), partition(1), partition(2)]);
        assert_eq!(drain(&one), [6]);
        assert_eq!(drain(&two), [0]);
        waiters.unregister(partition(1), &one, 6);
        waiters.changed(&[partition(1), partition(0)]);
        assert_eq!(drain(&one), [5]);
        assert_eq!(drain(&two), [0]);
    }

    #[test]
    fn turns_are_taken_in_order() {
        let waiters = Waiters::default();
        let interest = waiters.new_interest();
        for slot in [2, 0, 1, 2] {
            interest.mark(slot);
        }
        assert_eq!(interest.take(), Some(2));
        assert_eq!(interest.take(), Some(0));
        interest.put_back(0);
        interest.mark(2);
        assert_eq!(drain(&interest), [0, 1, 2]);
    }
}
