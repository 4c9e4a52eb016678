//! The newest offset of each key, within a bound of memory.

use std::hash::{BuildHasher, RandomState};

/// What one key takes besides its bytes at most: its entry, and its share of the slots while they grow.
const KEY_OVERHEAD_BYTES: usize = 48;

/// Slots that an empty map begins with; always a power of two.
const FIRST_SLOTS: usize = 64;

/// Keys with the newest offset that each was seen at. Exact: keys are compared, not only their hashes, since whoever can make
/// two keys collide could otherwise make a record disappear.
///
/// Three flat pieces of memory and no allocation per key: a cleaning of many small keys would leave holes all over the heap.
pub(super) struct KeyMap {
    /// Seeded anew for each map, so that nobody can choose keys that all fall into one slot. Decides nothing.
    hasher: RandomState,
    /// All keys, end to end.
    keys: Vec<u8>,
    entries: Vec<Entry>,
    /// Numbers of entries, from 1; 0 is a free slot.
    slots: Vec<u32>,
    max_bytes: usize,
}

struct Entry {
    key_start: usize,
    offset: i64,
    key_bytes: u32,
    hash: u32,
}

/// Where a key is, or where it would go.
enum Place {
    Entry(usize),
    FreeSlot(usize),
}

impl KeyMap {
    /// An empty map that has room for about `max_bytes`, and at most 4 GiB.
    pub(super) fn new(max_bytes: usize) -> Self {
        // So that entries can be counted, and keys be measured, with 32 bits.
        let max_bytes = max_bytes.min(u32::MAX as usize);
        let (keys, entries) = (Vec::new(), Vec::new());
        Self { hasher: RandomState::new(), keys, entries, slots: vec![0; FIRST_SLOTS], max_bytes }
    }

    /// Whether it holds no key.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The newest offset of a key.
    pub(super) fn get(&self, key: &[u8]) -> Option<i64> {
        match self.find(key, self.hash(key)) {
            Place::Entry(index) => self.entries.get(index).map(|entry| entry.offset),
            Place::FreeSlot(_) => None,
        }
    }

    /// Whether these keys can be noted; a new one that comes twice among them counts twice.
    pub(super) fn has_room<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> bool {
        let new = keys.filter(|key| self.get(key).is_none());
        let more: usize = new.map(|key| KEY_OVERHEAD_BYTES + key.len()).sum();
        self.entries.len() * KEY_OVERHEAD_BYTES + self.keys.len() + more <= self.max_bytes
    }

    /// Notes a key at an offset.
    pub(super) fn put(&mut self, key: &[u8], offset: i64) {
        let hash = self.hash(key);
        match self.find(key, hash) {
            Place::Entry(index) => {
                if let Some(entry) = self.entries.get_mut(index) {
                    entry.offset = entry.offset.max(offset);
                }
            }
            Place::FreeSlot(slot) => self.insert(slot, key, hash, offset),
        }
    }

    fn insert(&mut self, slot: usize, key: &[u8], hash: u32, offset: i64) {
        self.reserve(key.len());
        self.entries.push(Entry { offset, key_start: self.keys.len(), key_bytes: key.len() as u32, hash });
        self.keys.extend_from_slice(key);
        self.slots[slot] = self.entries.len() as u32;
        if self.entries.len() * 2 > self.slots.len() {
            self.grow_slots();
        }
    }

    /// Grows by an eighth and not to the double, so that the bound means something.
    fn reserve(&mut self, key_bytes: usize) {
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(self.entries.len() / 8 + FIRST_SLOTS);
        }
        if self.keys.len() + key_bytes > self.keys.capacity() {
            self.keys.reserve_exact(self.keys.len() / 8 + key_bytes + 1024);
        }
    }

    fn grow_slots(&mut self) {
        let mut slots = vec![0; self.slots.len() * 2];
        for (number, entry) in (1..).zip(&self.entries) {
            let mut slot = entry.hash as usize & (slots.len() - 1);
            while slots[slot] != 0 {
                slot = (slot + 1) & (slots.len() - 1);
            }
            slots[slot] = number;
        }
        self.slots = slots;
    }

    /// At most half of the slots are taken, so there is always a free one.
    fn find(&self, key: &[u8], hash: u32) -> Place {
        let mut slot = hash as usize & (self.slots.len() - 1);
        loop {
            let Some(index) = self.slots[slot].checked_sub(1) else { return Place::FreeSlot(slot) };
            let index = index as usize;
            if self.entries.get(index).is_some_and(|entry| entry.hash == hash && self.key(entry) == key) {
                return Place::Entry(index);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    fn key(&self, entry: &Entry) -> &[u8] {
        &self.keys[entry.key_start..entry.key_start + entry.key_bytes as usize]
    }

    fn hash(&self, key: &[u8]) -> u32 {
        self.hasher.hash_one(key) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_newest_offset() {
        let mut map = KeyMap::new(1 << 20);
        (0..5_000_i64).for_each(|offset| map.put((offset % 700).to_string().as_bytes(), offset));
        // An older offset changes nothing.
        map.put(b"3", 1);
        for number in 0..700_i64 {
            let newest = number + (4_999 - number) / 700 * 700;
            assert_eq!(map.get(number.to_string().as_bytes()), Some(newest));
        }
        assert_eq!((map.get(b"700"), map.get(b"")), (None, None));
        map.put(b"", 9);
        assert_eq!(map.get(b""), Some(9));
    }

    #[test]
    fn a_full_map_takes_no_new_key_and_stays_within_its_bound() {
        let max_bytes = 64 << 10;
        let mut map = KeyMap::new(max_bytes);
        let mut number = 0_u64;
        while map.has_room([&number.to_be_bytes()[..]].into_iter()) {
            map.put(&number.to_be_bytes(), 0);
            number += 1;
        }
        assert!(number > 1_000, "{number} keys of 8 bytes fit");
        assert!(map.has_room([&0_u64.to_be_bytes()[..]].into_iter()), "a key that is there needs no room");
        let entries = map.entries.capacity() * size_of::<Entry>();
        // The slots that were there before the last growth, and those after.
        let slots = map.slots.len() * 4 * 3 / 2;
        let taken = map.keys.capacity() + entries + slots;
        assert!(taken <= max_bytes + max_bytes / 4, "{taken} bytes are taken");
        assert!(!KeyMap::new(1000).has_room([&[7; 1000][..]].into_iter()));
    }
}
