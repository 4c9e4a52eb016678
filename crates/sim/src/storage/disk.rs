//! A disk in memory that does to data what real ones do.
//!
//! 1. What was not flushed is lost at a power cut, or not, piece by piece: any subset of sectors (512 bytes) or pages (4096 bytes), of
//!    sizes, and of names in folders. A kill loses nothing of it, and does not flush it either.
//! 2. A durable write (`RWF_DSYNC`) is on the medium when it returns; a direct write without it is not. The blocks of a direct
//!    write that is under way at a power cut may hold anything afterwards.
//! 3. A flush that fails has written some of it and forgotten the rest: the next flush says that all is well, and what was forgotten
//!    is still read, from the cache, or not.
//! 4. Before each operation a [`Hook`] is asked, which may do other things first, and decides what becomes of it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ottla_storage::local::disk::{BLOCK_BYTES, Disk, DiskFile, FolderEntry, LockHeld, OpenHow};

use super::content::Survival;
use super::folders::{Folder, Node, Tree};
use super::log_writes::LogWrites;
use crate::prng::Prng;

/// An operation on the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    CreateFolder,
    Open,
    Create,
    Rename,
    Remove,
    List,
    SyncFolder,
    Lock,
    Read,
    Write,
    DurableWrite,
    Sync,
    Truncate,
    Reserve,
}

impl Operation {
    /// Whether it makes something durable.
    pub(crate) fn flushes(self) -> bool {
        matches!(self, Operation::SyncFolder | Operation::DurableWrite | Operation::Sync)
    }

    /// Whether it leaves the disk as it was.
    pub(crate) fn only_looks(self) -> bool {
        matches!(self, Operation::Open | Operation::List | Operation::Lock | Operation::Read)
    }
}

/// How a process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Crash {
    Kill,
    PowerCut,
}

/// What becomes of an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Happens,
    /// The system answers with that error number.
    Fails(i32),
    /// The process ends while it is under way.
    Crashes(Crash),
}

/// Is asked before each operation.
pub(crate) trait Hook: Send + Sync {
    fn before(&self, operation: Operation, path: &Path) -> Fate;
}

/// How a file system answers to `O_DIRECT`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direct {
    Works,
    RefusedAtOpen,
    RefusedAtWrite,
}

/// A disk.
#[derive(Clone)]
pub(crate) struct SimulatedDisk {
    state: Arc<Mutex<State>>,
    hook: Arc<dyn Hook>,
}

/// All that is on a disk.
pub(crate) struct Saved {
    tree: Tree,
    log_writes: LogWrites,
}

struct State {
    tree: Tree,
    rng: Prng,
    direct: Direct,
    /// The process is over; nothing it still does reaches the disk.
    dead: bool,
    locked: BTreeSet<PathBuf>,
    capacity_bytes: Option<u64>,
    log_writes: LogWrites,
}

fn errno(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

const EIO: i32 = 5;
const ENOENT: i32 = 2;
const EINVAL: i32 = 22;
const ENOSPC: i32 = 28;

impl SimulatedDisk {
    pub(crate) fn new(seed: u64, direct: Direct, hook: Arc<dyn Hook>) -> Self {
        let state = State {
            tree: Tree::new(),
            rng: Prng::new(seed),
            direct,
            dead: false,
            locked: BTreeSet::new(),
            capacity_bytes: None,
            log_writes: LogWrites::default(),
        };
        Self { state: Arc::new(Mutex::new(state)), hook }
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How large all files may be together.
    pub(crate) fn limit_to(&self, capacity_bytes: Option<u64>) {
        self.lock_state().capacity_bytes = capacity_bytes;
    }

    pub(crate) fn used_bytes(&self) -> u64 {
        self.lock_state().tree.used_bytes()
    }

    /// A new process may begin; whatever the last one still does reaches nothing.
    pub(crate) fn restart(&self, after: Crash) {
        let mut state = self.lock_state();
        let state = &mut *state;
        state.dead = false;
        state.locked.clear();
        state.capacity_bytes = None;
        if after == Crash::PowerCut {
            let mut survival = Survival::draw(&mut state.rng);
            state.tree.lose_unflushed(&mut survival);
        }
    }

    /// The process ends between two operations.
    pub(crate) fn end(&self) {
        self.lock_state().dead = true;
    }

    /// A copy of all that is there.
    pub(crate) fn save(&self) -> Saved {
        let state = self.lock_state();
        Saved { tree: state.tree.clone(), log_writes: state.log_writes.clone() }
    }

    /// Everything is as it was.
    pub(crate) fn restore(&self, saved: Saved) {
        let mut state = self.lock_state();
        state.tree = saved.tree;
        state.log_writes = saved.log_writes;
        state.dead = false;
        state.locked.clear();
    }

    /// All files with their sizes.
    pub(crate) fn files(&self) -> Vec<(PathBuf, u64)> {
        self.lock_state().tree.files()
    }

    /// What a file holds.
    pub(crate) fn content(&self, path: &Path) -> Vec<u8> {
        let mut state = self.lock_state();
        let Some(content) = state.tree.content_mut(path) else { return Vec::new() };
        let mut bytes = vec![0; content.size() as usize];
        content.read(&mut bytes, 0);
        bytes
    }

    /// Turns one bit over, on the medium and in the cache.
    pub(crate) fn flip(&self, path: &Path, byte: u64, bit: u8) {
        if let Some(content) = self.lock_state().tree.content_mut(path) {
            content.flip(byte, bit);
        }
    }

    /// Whether losing that byte can be told from an end of the log: a later write that is on the medium calls it durable, or it
    /// does not count any more.
    pub(crate) fn is_vouched_for(&self, path: &Path, byte: u64) -> bool {
        let state = self.lock_state();
        state.tree.file(path).is_none_or(|file| state.log_writes.is_vouched_for(file, byte))
    }

    /// Asks the hook. An operation that crashes is handed to `torn`, to leave behind what it leaves behind.
    fn begin(
        &self,
        operation: Operation,
        path: &Path,
        torn: impl FnOnce(&mut State, Crash),
    ) -> io::Result<MutexGuard<'_, State>> {
        if self.lock_state().dead {
            return Err(errno(EIO));
        }
        let fate = self.hook.before(operation, path);
        let mut state = self.lock_state();
        if state.dead {
            return Err(errno(EIO));
        }
        match fate {
            Fate::Happens => Ok(state),
            Fate::Fails(number) => Err(errno(number)),
            Fate::Crashes(crash) => {
                torn(&mut state, crash);
                state.dead = true;
                Err(errno(EIO))
            }
        }
    }

    /// The same for an operation on names, which happens or not.
    fn change_names<T>(
        &self,
        operation: Operation,
        path: &Path,
        change: impl Fn(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let torn = |state: &mut State, _| {
            if state.rng.once_in(2) {
                let _ = change(state);
            }
        };
        change(&mut *self.begin(operation, path, torn)?)
    }
}

impl State {
    /// Checks that there is space for so much more.
    fn check_space(&self, more: u64) -> io::Result<()> {
        match self.capacity_bytes {
            Some(capacity) if more > 0 && self.tree.used_bytes() + more > capacity => Err(errno(ENOSPC)),
            _ => Ok(()),
        }
    }
}

impl Disk for SimulatedDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.change_names(Operation::CreateFolder, path, |state| state.tree.create_folders(path).ok_or(errno(ENOENT)))
    }

    fn open(&self, path: &Path, how: OpenHow) -> io::Result<Arc<dyn DiskFile>> {
        let there = self.lock_state().tree.file(path);
        let operation = if there.is_none() && how.create { Operation::Create } else { Operation::Open };
        let file = self.change_names(operation, path, |state| {
            if how.direct && state.direct == Direct::RefusedAtOpen {
                return Err(errno(EINVAL));
            }
            let file = match state.tree.node(path) {
                Some(Node::File(file)) => file,
                None if how.create => state.tree.create_file(path).ok_or(errno(ENOENT))?,
                _ => return Err(errno(ENOENT)),
            };
            if how.truncate {
                let State { tree, rng, .. } = state;
                tree.resize(file, 0, rng);
            }
            Ok(file)
        })?;
        Ok(Arc::new(SimulatedFile { disk: self.clone(), file, path: path.to_owned(), how }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change_names(Operation::Rename, to, |state| state.tree.rename(from, to).ok_or(errno(ENOENT)))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.change_names(Operation::Remove, path, |state| state.tree.remove(path).ok_or(errno(ENOENT)))
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.remove_file(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<FolderEntry>> {
        let state = self.begin(Operation::List, path, |_, _| ())?;
        let folder = state.tree.folder(path).ok_or(errno(ENOENT))?;
        Ok(folder.entries().map(|(name, is_folder)| FolderEntry { name: name.to_owned(), is_folder }).collect())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        // Names are metadata: file systems keep them in a journal, and one that could not be written is not forgotten. So a flush
        // that fails, or that does not come to its end, has done nothing, and the next one is honest.
        let mut state = self.begin(Operation::SyncFolder, path, |_, _| ())?;
        state.tree.folder_mut(path).map(Folder::sync).ok_or(errno(ENOENT))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockHeld>> {
        let mut state = self.begin(Operation::Lock, path, |_, _| ())?;
        if !state.locked.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(Held { disk: self.clone(), path: path.to_owned() }))
    }
}

struct Held {
    disk: SimulatedDisk,
    path: PathBuf,
}

impl LockHeld for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        self.disk.lock_state().locked.remove(&self.path);
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    file: usize,
    path: PathBuf,
    how: OpenHow,
}

impl SimulatedFile {
    fn is_log(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "wal")
    }

    /// Part of a write: the first bytes, up to the end of a page.
    fn write_beginning(&self, state: &mut State, data: &[u8], offset: u64) {
        let pages = data.len().div_ceil(BLOCK_BYTES) as u64;
        let kept = (state.rng.between(0, pages) as usize * BLOCK_BYTES).min(data.len());
        state.tree.content(self.file).write(&data[..kept], offset);
    }

    /// A write that does not come to its end.
    fn tear(&self, state: &mut State, data: &[u8], offset: u64, crash: Crash) {
        if self.is_log() {
            state.log_writes.begin(self.file, offset, data);
        }
        match crash {
            Crash::Kill => self.write_beginning(state, data, offset),
            Crash::PowerCut if self.how.direct => state.tree.content(self.file).write_under_way(data, offset),
            Crash::PowerCut => state.tree.content(self.file).write(data, offset),
        }
    }

    fn assert_aligned(&self, data: &[u8], offset: u64) {
        assert!(self.how.write, "{} was opened for reading and is written", self.path.display());
        let aligned = data.as_ptr().align_offset(BLOCK_BYTES) == 0
            && data.len().is_multiple_of(BLOCK_BYTES)
            && offset.is_multiple_of(BLOCK_BYTES as u64);
        assert!(aligned || !self.how.direct, "a direct write to {} is not aligned", self.path.display());
    }
}

impl DiskFile for SimulatedFile {
    fn size(&self) -> io::Result<u64> {
        let mut state = self.disk.lock_state();
        if state.dead { Err(errno(EIO)) } else { Ok(state.tree.content(self.file).size()) }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.begin(Operation::Read, &self.path, |_, _| ())?;
        Ok(state.tree.content(self.file).read(buffer, offset))
    }

    fn write_at(&self, data: &[u8], offset: u64, durable: bool) -> io::Result<()> {
        self.assert_aligned(data, offset);
        let operation = if durable { Operation::DurableWrite } else { Operation::Write };
        let begun = self.disk.begin(operation, &self.path, |state, crash| self.tear(state, data, offset, crash));
        let mut state = match begun {
            Ok(state) => state,
            Err(error) => {
                // A write that failed may have done a part.
                let mut state = self.disk.lock_state();
                let state = &mut *state;
                if !state.dead && durable && !self.how.direct {
                    // It came to the cache, and what of it did not come to the medium is forgotten.
                    state.tree.content(self.file).write(data, offset);
                    state.tree.content(self.file).fail_to_sync(&mut state.rng);
                } else if !state.dead && state.rng.once_in(2) {
                    self.write_beginning(state, data, offset);
                }
                return Err(error);
            }
        };
        if self.how.direct && state.direct == Direct::RefusedAtWrite {
            return Err(errno(EINVAL));
        }
        let more = (offset + data.len() as u64).saturating_sub(state.tree.content(self.file).size());
        state.check_space(more)?;
        if self.is_log() {
            state.log_writes.begin(self.file, offset, data);
        }
        if durable {
            state.tree.content(self.file).write_durably(data, offset);
            state.log_writes.flushed(self.file);
        } else {
            state.tree.content(self.file).write(data, offset);
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let begun = self.disk.begin(Operation::Sync, &self.path, |_, _| ());
        match begun {
            Ok(mut state) => {
                state.tree.content(self.file).sync();
                state.log_writes.flushed(self.file);
                Ok(())
            }
            Err(error) => {
                let mut state = self.disk.lock_state();
                if !state.dead {
                    let State { tree, rng, .. } = &mut *state;
                    tree.content(self.file).fail_to_sync(rng);
                }
                Err(error)
            }
        }
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.disk.change_names(Operation::Truncate, &self.path, |state| {
            let State { tree, rng, .. } = state;
            tree.resize(self.file, size, rng);
            Ok(())
        })
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        self.disk.change_names(Operation::Reserve, &self.path, |state| {
            let size = state.tree.content(self.file).size();
            state.check_space(bytes.saturating_sub(size))?;
            let State { tree, rng, .. } = state;
            tree.resize(self.file, size.max(bytes), rng);
            Ok(())
        })
    }
}
