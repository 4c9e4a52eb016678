//! The files of the log: prepared ahead, bounded in all, used again.
//!
//! A slot is a file that is allocated, zeroed and durable, so that writing to it changes no file system metadata and cannot run out
//! of space. Making one takes time and may find the disk full: both happen on a thread of their own, before anything that
//! would go there is decided.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::slot_path;
use crate::Unavailable;
use crate::local::disk::{AlignedBuffer, BLOCK_BYTES, Disk, OpenHow};
use crate::local::health::not_now;
use crate::local::planted::{Planted, planted};

/// The first slot of a data folder is small, so that it is there soon.
const FIRST_SLOT_BYTES: u64 = 1 << 20;

/// How much is zeroed with one call.
const ZEROED_AT_ONCE_BYTES: usize = 256 << 10;

/// A prepared file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::local) struct Slot {
    /// Its name, a number.
    pub(in crate::local) name: u64,
    /// Its size.
    pub(in crate::local) bytes: u64,
}

/// What taking a slot answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::local) enum Take {
    /// Here it is.
    Ready(Slot),
    /// One is being prepared; ask again when woken.
    Preparing,
    /// The bound is reached: a checkpoint must free some first; ask again when woken.
    AllInUse,
    /// It could not be prepared. Asking again tries again.
    Failed(Unavailable),
}

/// Where the slots are and how many there may be.
pub(in crate::local) struct SlotRules {
    pub(in crate::local) disk: Arc<dyn Disk>,
    pub(in crate::local) folder: PathBuf,
    /// Whether slots are written past the page cache.
    pub(in crate::local) direct: bool,
    /// The usual size of a slot.
    pub(in crate::local) slot_bytes: u64,
    /// The bound of all together. Only one append that is larger than all of it may pass it, alone.
    pub(in crate::local) max_bytes: u64,
    pub(in crate::local) planted: Planted,
}

/// The slots of a data folder.
pub(in crate::local) struct SlotPool {
    rules: SlotRules,
    state: Mutex<State>,
    changed: Condvar,
    /// Called when a slot became ready or could not be made.
    wake_taker: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct State {
    free: Vec<Slot>,
    /// By segment number.
    in_use: VecDeque<(u64, Slot)>,
    next_name: u64,
    /// The size of the slot that somebody waits for.
    wanted: Option<u64>,
    /// Slots too small for what is wanted, to be removed.
    discarded: Vec<Slot>,
    failure: Option<Unavailable>,
    /// Keep one slot ready: set once a slot was taken, unset while there is no space for one.
    ahead: bool,
    stopped: bool,
}

impl SlotPool {
    pub(in crate::local) fn new(
        rules: SlotRules,
        free: Vec<Slot>,
        in_use: impl IntoIterator<Item = (u64, Slot)>,
        wake_taker: Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        let in_use: VecDeque<_> = in_use.into_iter().collect();
        let names = free.iter().chain(in_use.iter().map(|(_, slot)| slot)).map(|slot| slot.name);
        let next_name = names.max().unwrap_or(0) + 1;
        let mut state = State { free, in_use, next_name, ..State::default() };
        if state.free.is_empty() {
            state.wanted = Some(FIRST_SLOT_BYTES.min(rules.slot_bytes));
        }
        Self { rules, state: Mutex::new(state), changed: Condvar::new(), wake_taker }
    }

    /// Takes a slot of at least `bytes` for the segment of that number, without waiting.
    pub(in crate::local) fn take(&self, bytes: u64, number: u64) -> Take {
        let mut state = self.lock();
        let fitting = state.free.iter().position(|slot| slot.bytes >= bytes);
        if let Some(index) = fitting {
            let slot = state.free.swap_remove(index);
            state.in_use.push_back((number, slot));
            state.ahead = true;
            self.changed.notify_all();
            return Take::Ready(slot);
        }
        if let Some(why) = state.failure.take() {
            return Take::Failed(why);
        }
        let wanted = self.rules.slot_bytes.max(bytes.next_multiple_of(BLOCK_BYTES as u64));
        if state.wanted.is_some() {
            return Take::Preparing;
        }
        if state.used_bytes() + wanted > self.rules.max_bytes && state.in_use.len() > 1 {
            return Take::AllInUse;
        }
        if state.total_bytes() + wanted > self.rules.max_bytes {
            let small = std::mem::take(&mut state.free);
            state.discarded.extend(small);
        }
        state.wanted = Some(wanted);
        self.changed.notify_all();
        Take::Preparing
    }

    /// Gives back a slot that was taken and never written.
    pub(in crate::local) fn give_back(&self, number: u64) {
        let mut state = self.lock();
        if state.in_use.back().is_some_and(|(last, _)| *last == number)
            && let Some((_, slot)) = state.in_use.pop_back()
        {
            state.free.push(slot);
        }
    }

    /// Whether a slot is ready to be taken.
    pub(in crate::local) fn has_free(&self) -> bool {
        !self.lock().free.is_empty()
    }

    /// Whether so much is in use that a checkpoint should free some.
    pub(in crate::local) fn is_half_full(&self) -> bool {
        let state = self.lock();
        state.in_use.len() > 1 && state.used_bytes() * 2 >= self.rules.max_bytes
    }

    /// Frees the slots of all segments before that number.
    pub(in crate::local) fn retire_before(&self, number: u64) {
        let mut state = self.lock();
        // A checkpoint succeeded, so an earlier lack of space may be over.
        state.failure = None;
        while state.in_use.front().is_some_and(|(first, _)| *first < number) {
            let Some((_, slot)) = state.in_use.pop_front() else { break };
            if slot.bytes > self.rules.slot_bytes {
                state.discarded.push(slot);
            } else {
                state.free.push(slot);
            }
        }
        self.changed.notify_all();
        drop(state);
        (self.wake_taker)();
    }

    /// Ends [`SlotPool::prepare`].
    pub(in crate::local) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Prepares slots until stopped: the body of a thread.
    pub(in crate::local) fn prepare(&self) {
        while let Some(job) = self.next_job() {
            self.turn(job);
        }
    }

    /// Does what there is to prepare or remove, if there is anything; answers whether there was.
    #[cfg(feature = "simulation")]
    pub(in crate::local) fn try_turn(&self) -> bool {
        let job = self.lock().take_job(&self.rules);
        job.map(|job| self.turn(job)).is_some()
    }

    fn turn(&self, job: Job) {
        match job {
            Job::Remove(slot) => {
                // Left behind, it is found and used at the next start.
                if let Err(error) = self.rules.disk.remove_file(&slot_path(&self.rules.folder, slot.name)) {
                    tracing::warn!(slot = slot.name, %error, "a file of the write-ahead log could not be removed");
                }
            }
            Job::Make { slot, wanted } => self.make(slot, wanted),
        }
    }

    fn make(&self, slot: Slot, wanted: bool) {
        let path = slot_path(&self.rules.folder, slot.name);
        let made = make_slot(&self.rules, &path, slot.bytes);
        if made.is_err() {
            // Best effort: what is left of it is found and used at the next start.
            let _ = self.rules.disk.remove_file(&path);
        }
        let mut state = self.lock();
        if wanted {
            state.wanted = None;
        }
        match made {
            Ok(()) => state.free.push(slot),
            Err(error) => {
                state.ahead = false;
                if wanted {
                    let clause = format!("no space could be reserved for {}: {error}", path.display());
                    state.failure = Some(not_now(&clause, &error));
                }
            }
        }
        drop(state);
        (self.wake_taker)();
    }

    fn next_job(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(job) = state.take_job(&self.rules) {
                return Some(job);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Job {
    Make { slot: Slot, wanted: bool },
    Remove(Slot),
}

impl State {
    fn take_job(&mut self, rules: &SlotRules) -> Option<Job> {
        if let Some(slot) = self.discarded.pop() {
            return Some(Job::Remove(slot));
        }
        let ahead = self.ahead && self.free.is_empty() && self.total_bytes() + rules.slot_bytes <= rules.max_bytes;
        let bytes = self.wanted.or(ahead.then_some(rules.slot_bytes))?;
        let slot = Slot { name: self.next_name, bytes };
        self.next_name += 1;
        Some(Job::Make { slot, wanted: self.wanted.is_some() })
    }

    fn used_bytes(&self) -> u64 {
        self.in_use.iter().map(|(_, slot)| slot.bytes).sum()
    }

    fn total_bytes(&self) -> u64 {
        self.used_bytes() + self.free.iter().map(|slot| slot.bytes).sum::<u64>()
    }
}

/// Allocates, zeroes and flushes a file and its name.
fn make_slot(rules: &SlotRules, path: &Path, bytes: u64) -> io::Result<()> {
    let file = rules.disk.open(path, OpenHow::CREATE_EMPTY.direct(rules.direct))?;
    file.reserve(bytes)?;
    let mut zeros = AlignedBuffer::new();
    zeros.extend_zeros(ZEROED_AT_ONCE_BYTES.min(bytes as usize));
    let mut offset = 0;
    while offset < bytes {
        let length = (bytes - offset).min(zeros.len() as u64);
        file.write_at(&zeros.as_slice()[..length as usize], offset, false)?;
        offset += length;
    }
    file.sync()?;
    if planted!(rules.planted, LogFileNameNotFlushed) {
        return Ok(());
    }
    rules.disk.sync_folder(&rules.folder)
}
