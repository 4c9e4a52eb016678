//! What one fetch, or one session, wants: a slot for each partition.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ottla_storage::{Bounds, Metadata, PartitionId, TopicId};

use super::lock;
use super::waiters::{Interest, Slot, Waiters};

/// How a request names a topic: by name up to version 12, by id since.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum TopicKey {
    /// By name.
    Name(Arc<str>),
    /// By id.
    Id(TopicId),
}

impl TopicKey {
    /// The partition as it is now, if there is one.
    fn resolve(&self, metadata: &Metadata, index: i32) -> Option<PartitionId> {
        let topic = match self {
            TopicKey::Name(name) => metadata.by_name(name)?.id,
            TopicKey::Id(id) => *id,
        };
        let partition = PartitionId { topic, index };
        metadata.has(partition).then_some(partition)
    }
}

/// What is wanted of one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Want {
    /// The topic.
    pub(crate) topic: TopicKey,
    /// The partition's index.
    pub(crate) index: i32,
    /// The first offset wanted.
    pub(crate) fetch_offset: i64,
    /// The leader epoch the client knows, -1 for none.
    pub(crate) current_leader_epoch: i32,
    /// The epoch of the last record the client has, -1 for none.
    pub(crate) last_fetched_epoch: i32,
    /// How many bytes of this partition.
    pub(crate) max_bytes: usize,
}

#[derive(Debug)]
struct SlotState {
    want: Want,
    /// The partition whose changes make this slot ready.
    registered: Option<PartitionId>,
    /// What the client was told last; `None` if nothing or an error.
    told: Option<Bounds>,
}

#[derive(Debug, Default)]
struct Slots {
    slots: Vec<Option<SlotState>>,
    free: Vec<Slot>,
    /// Only in sessions: a single fetch never looks a partition up.
    by_partition: HashMap<(TopicKey, i32), Slot>,
}

/// The slots and their ready set.
#[derive(Debug)]
pub(crate) struct View {
    waiters: Arc<Waiters>,
    pub(super) interest: Arc<Interest>,
    state: Mutex<Slots>,
}

impl View {
    /// A view of nothing.
    pub(crate) fn new(waiters: &Arc<Waiters>) -> Self {
        View { waiters: waiters.clone(), interest: waiters.new_interest(), state: Mutex::default() }
    }

    /// A view of these partitions for one fetch; each of them is ready.
    pub(crate) fn once(waiters: &Arc<Waiters>, wants: Vec<Want>) -> Self {
        let view = View::new(waiters);
        let count = wants.len();
        lock(&view.state).slots =
            wants.into_iter().map(|want| Some(SlotState { want, registered: None, told: None })).collect();
        (0..count).for_each(|slot| view.interest.mark(slot as Slot));
        view
    }

    /// Adds a partition, or changes what is wanted of it. It is ready then.
    pub(super) fn set(&self, want: Want) {
        let mut state = lock(&self.state);
        let key = (want.topic.clone(), want.index);
        let slot = match state.by_partition.get(&key) {
            Some(&slot) => slot,
            None => state.add(key),
        };
        if let Some(place) = state.slots.get_mut(slot as usize) {
            match place {
                Some(slot_state) => slot_state.want = want,
                None => *place = Some(SlotState { want, registered: None, told: None }),
            }
        }
        drop(state);
        self.interest.mark(slot);
    }

    /// Takes a partition out.
    pub(super) fn forget(&self, topic: TopicKey, index: i32) {
        let mut state = lock(&self.state);
        let Some(slot) = state.by_partition.remove(&(topic, index)) else { return };
        let removed = state.slots.get_mut(slot as usize).and_then(Option::take);
        state.free.push(slot);
        drop(state);
        if let Some(partition) = removed.and_then(|slot_state| slot_state.registered) {
            self.waiters.unregister(partition, &self.interest, slot);
        }
    }

    /// How many partitions it has.
    pub(crate) fn len(&self) -> usize {
        let state = lock(&self.state);
        state.slots.len() - state.free.len()
    }

    /// What is wanted in this slot, and which partition that is now. `None` if the slot was given up.
    pub(super) fn want(&self, slot: Slot, metadata: &Metadata) -> Option<(Want, Option<PartitionId>)> {
        let state = lock(&self.state);
        let want = state.slots.get(slot as usize)?.as_ref()?.want.clone();
        let partition = want.topic.resolve(metadata, want.index);
        Some((want, partition))
    }

    /// From now on changes of the partition make the slot ready.
    pub(super) fn watch(&self, slot: Slot, partition: Option<PartitionId>) {
        let mut state = lock(&self.state);
        let Some(Some(slot_state)) = state.slots.get_mut(slot as usize) else { return };
        if slot_state.registered == partition {
            return;
        }
        let before = std::mem::replace(&mut slot_state.registered, partition);
        // Under the lock, so that a slot that is given up meanwhile cannot stay registered.
        if let Some(before) = before {
            self.waiters.unregister(before, &self.interest, slot);
        }
        if let Some(partition) = partition {
            self.waiters.register(partition, &self.interest, slot);
        }
    }

    /// Notes what the client is told now; says whether that is news.
    pub(super) fn tell(&self, slot: Slot, bounds: Option<Bounds>) -> bool {
        let mut state = lock(&self.state);
        match state.slots.get_mut(slot as usize) {
            Some(Some(slot_state)) => std::mem::replace(&mut slot_state.told, bounds) != bounds,
            _ => false,
        }
    }
}

impl Slots {
    fn add(&mut self, key: (TopicKey, i32)) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as Slot
        });
        self.by_partition.insert(key, slot);
        slot
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let state = std::mem::take(&mut *lock(&self.state));
        for (slot, slot_state) in state.slots.into_iter().enumerate() {
            if let Some(partition) = slot_state.and_then(|slot_state| slot_state.registered) {
                self.waiters.unregister(partition, &self.interest, slot as Slot);
            }
        }
    }
}
