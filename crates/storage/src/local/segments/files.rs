//! The open segment and index files of all partitions: one bounded set, shared by who writes and who reads.
//!
//! The least recently used is closed for a new one, and what was not used since the checkpoint before last is closed as
//! well, so that partitions without traffic hold no file. Whoever has a file keeps it open, also when it left the set or its
//! name is gone: it is closed with its last user. Such files count, so the bound holds for all together; where all of them
//! are in use, one more is opened for its one use.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::chunks::{CHUNK_BYTES, Chunk, Chunks, Demand};
use super::courtesy::Courtesy;
use super::header::{FIRST_BATCH_AT, FileKind, check};
use super::{SegmentName, partition_folder};
use crate::local::disk::{Disk, DiskFile, OpenHow, read_exact_at};
use crate::{Held, PartitionId};

/// How many of the least recently used files are looked at for one that nobody uses.
const LOOKED_AT: usize = 16;

/// A file of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct FileId {
    pub(super) partition: PartitionId,
    pub(super) name: SegmentName,
    pub(super) kind: FileKind,
}

impl FileId {
    fn path(&self, topics: &Path) -> PathBuf {
        let folder = partition_folder(topics, self.partition);
        match self.kind {
            FileKind::Log => self.name.log_path(&folder),
            FileKind::Index => self.name.index_path(&folder),
        }
    }
}

/// The open files.
pub(in crate::local) struct OpenFiles {
    shared: Shared,
    topics: PathBuf,
    limit: usize,
    /// How many were opened in all.
    opened: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    files: HashMap<FileId, Entry>,
    by_use: BTreeMap<u64, FileId>,
    uses: u64,
    checkpoints: u64,
    /// How often files were removed: what was opened before that may have lost its name.
    removals: u64,
}

struct Entry {
    file: Arc<SegmentFile>,
    used: u64,
    /// The number of checkpoints at that time.
    used_at: u64,
}

/// An open file of a segment.
pub(in crate::local) struct SegmentFile {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    id: FileId,
    is_writable: bool,
    is_sendable: bool,
    /// Its header is known to be right.
    is_checked: AtomicBool,
    /// Ranges that are on their way from the disk: in the page cache by name, but not yet to be had without waiting.
    loading: Mutex<Vec<(u64, u64)>>,
    /// No other open file has it.
    number: u64,
    /// The same file past the page cache, once it was wanted; `None` where the file system refuses that.
    direct: OnceLock<Option<Arc<dyn DiskFile>>>,
    shared: Shared,
}

/// What all open files have in common.
#[derive(Clone)]
struct Shared {
    disk: Arc<dyn Disk>,
    chunks: Arc<Chunks>,
    open: Arc<AtomicUsize>,
}

impl Drop for SegmentFile {
    fn drop(&mut self) {
        let files = 1 + usize::from(self.direct.get().is_some_and(Option::is_some));
        self.shared.open.fetch_sub(files, Ordering::Relaxed);
    }
}

impl OpenFiles {
    /// None open. At most `limit` will be, but for what threads open while all of them are in use. `chunks` is how much of them
    /// may be in memory that was read past the page cache, with that courtesy.
    pub(in crate::local) fn new(
        disk: Arc<dyn Disk>,
        topics: PathBuf,
        limit: usize,
        (chunks, courtesy): (usize, Courtesy),
    ) -> Self {
        let shared = Shared { disk, chunks: Arc::new(Chunks::new(chunks, courtesy)), open: Arc::default() };
        Self { shared, topics, limit: limit.max(1), opened: AtomicU64::default(), state: Mutex::default() }
    }

    /// Gives back the memory that reads past the page cache have taken.
    pub(in crate::local) fn release_chunks(&self) {
        self.shared.chunks.release();
    }

    pub(super) fn disk(&self) -> &Arc<dyn Disk> {
        &self.shared.disk
    }

    pub(super) fn topics(&self) -> &Path {
        &self.topics
    }

    pub(super) fn path(&self, id: FileId) -> PathBuf {
        id.path(&self.topics)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file that is open already and whose header was checked.
    pub(super) fn checked(&self, id: FileId) -> Option<Arc<SegmentFile>> {
        self.lock().used(id).filter(|file| file.is_checked.load(Ordering::Acquire))
    }

    /// A file for reading.
    pub(super) fn reading(&self, id: FileId) -> io::Result<Arc<SegmentFile>> {
        self.get(id, OpenHow::READ)
    }

    /// A file for reading and writing; `how` says whether it is made.
    pub(super) fn writing(&self, id: FileId, how: OpenHow) -> io::Result<Arc<SegmentFile>> {
        self.get(id, how)
    }

    fn get(&self, id: FileId, how: OpenHow) -> io::Result<Arc<SegmentFile>> {
        let mut state = self.lock();
        if !how.truncate
            && let Some(file) = state.used(id)
            && (file.is_writable || !how.write)
        {
            return Ok(file);
        }
        let closed = state.make_room(self.limit, &self.shared.open);
        let removals = state.removals;
        drop(state);
        // Not under the lock: closing a file whose name is gone may take long.
        drop(closed);
        let path = self.path(id);
        let file = self.shared.disk.open(&path, how)?;
        let has_room = self.shared.open.fetch_add(1, Ordering::Relaxed) < self.limit;
        let is_sendable = has_room && id.kind == FileKind::Log && file.is_sendable();
        let file = SegmentFile {
            file,
            path,
            id,
            is_writable: how.write,
            is_sendable,
            is_checked: AtomicBool::default(),
            loading: Mutex::default(),
            number: self.opened.fetch_add(1, Ordering::Relaxed),
            direct: OnceLock::new(),
            shared: self.shared.clone(),
        };
        let file = Arc::new(file);
        let mut state = self.lock();
        // The thread that writes is also the one that removes, so what it opens has its name.
        let replaced =
            if has_room && (how.write || state.removals == removals) { state.put(id, file.clone()) } else { None };
        drop(state);
        drop(replaced);
        Ok(file)
    }

    /// Closes files that lose their names. Those in use are closed with their last user.
    pub(super) fn forget(&self, goes: impl Fn(&FileId) -> bool) {
        let mut state = self.lock();
        state.removals += 1;
        let gone: Vec<FileId> = state.files.keys().filter(|id| goes(id)).copied().collect();
        let closed: Vec<_> = gone.iter().filter_map(|id| state.take(id)).collect();
        drop(state);
        drop(closed);
    }

    /// Closes what was not used since the checkpoint before last. To be called once with each checkpoint.
    pub(in crate::local) fn checkpoint(&self) {
        let mut state = self.lock();
        state.checkpoints += 1;
        let mut closed = Vec::new();
        while let Some((_, &id)) = state.by_use.first_key_value()
            && state.files.get(&id).is_some_and(|entry| entry.used_at + 1 < state.checkpoints)
        {
            closed.extend(state.take(&id));
        }
        drop(state);
        drop(closed);
    }

    /// Closes all.
    pub(super) fn clear(&self) {
        self.forget(|_| true);
    }
}

impl State {
    /// A file of the set, which is the most recently used one from now on.
    fn used(&mut self, id: FileId) -> Option<Arc<SegmentFile>> {
        let entry = self.files.get_mut(&id)?;
        self.by_use.remove(&entry.used);
        self.uses += 1;
        (entry.used, entry.used_at) = (self.uses, self.checkpoints);
        self.by_use.insert(self.uses, id);
        Some(entry.file.clone())
    }

    fn put(&mut self, id: FileId, file: Arc<SegmentFile>) -> Option<Arc<SegmentFile>> {
        let replaced = self.take(&id);
        self.uses += 1;
        self.by_use.insert(self.uses, id);
        self.files.insert(id, Entry { file, used: self.uses, used_at: self.checkpoints });
        replaced
    }

    fn take(&mut self, id: &FileId) -> Option<Arc<SegmentFile>> {
        let entry = self.files.remove(id)?;
        self.by_use.remove(&entry.used);
        Some(entry.file)
    }

    /// Takes out files that nobody uses, the least recently used first, until one more may be open.
    fn make_room(&mut self, limit: usize, open: &AtomicUsize) -> Vec<Arc<SegmentFile>> {
        let mut closed: Vec<Arc<SegmentFile>> = Vec::new();
        for _ in 0..LOOKED_AT {
            let still_open = open.load(Ordering::Relaxed).saturating_sub(closed.len());
            let Some((_, &id)) = self.by_use.first_key_value().filter(|_| still_open >= limit) else { break };
            // Nobody gets one but under this lock, so what nobody has now, nobody has.
            match self.files.get(&id).is_some_and(|entry| Arc::strong_count(&entry.file) > 1) {
                true => drop(self.used(id)),
                false => closed.extend(self.take(&id)),
            }
        }
        closed
    }
}

impl SegmentFile {
    /// The file itself.
    pub(in crate::local) fn disk_file(&self) -> &dyn DiskFile {
        &*self.file
    }

    pub(in crate::local) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether ranges of it may be sent.
    pub(in crate::local) fn is_sendable(&self) -> bool {
        self.is_sendable
    }

    /// That it is the file it should be: by its header, which is read once.
    ///
    /// # Errors
    /// What the system says, or what is wrong.
    pub(super) fn check_header(&self) -> io::Result<Result<(), &'static str>> {
        if self.is_checked.load(Ordering::Acquire) {
            return Ok(Ok(()));
        }
        let mut header = [0; FIRST_BATCH_AT as usize];
        read_exact_at(&*self.file, &mut header, 0)?;
        let checked = check(&header, self.id.kind, self.id.partition, self.id.name);
        self.is_checked.store(checked.is_ok(), Ordering::Release);
        Ok(checked)
    }

    fn loading(&self) -> MutexGuard<'_, Vec<(u64, u64)>> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the front of a range can be sent without waiting for the disk.
    pub(super) fn is_ready(&self, position: u64, bytes: u64) -> bool {
        self.shared.chunks.has(self.number, position) || self.is_cached(position, bytes)
    }

    fn is_cached(&self, position: u64, bytes: u64) -> bool {
        let overlaps = |&(start, end): &(u64, u64)| start < position + bytes && position < end;
        !self.loading().iter().any(overlaps) && self.file.is_cached(position, bytes)
    }

    /// The front of a range, as far as it can be sent without waiting for the disk.
    pub(in crate::local) fn hold(&self, position: u64, bytes: usize) -> Option<Held> {
        match self.shared.chunks.get(self.number, position) {
            Some(chunk) => Some(Held::Memory(chunk.part(position, bytes))),
            None => self.is_cached(position, bytes as u64).then_some(Held::Cached(bytes)),
        }
    }

    /// Reads the front of a range, so that it can be sent. Where no buffer can be had for it, it comes into the page cache; it
    /// is not asked then whether it is there: a file system without a page cache would never say so.
    pub(in crate::local) fn load(&self, position: u64, bytes: usize) -> io::Result<Held> {
        let end = position + (bytes as u64).min(CHUNK_BYTES);
        match self.load_chunk(position, end, Demand::Now)? {
            Some(chunk) => Ok(Held::Memory(chunk.part(position, bytes))),
            None => self.load_into_cache(position, bytes as u64).map(|()| Held::Cached(bytes)),
        }
    }

    /// Makes a range ready of which somebody may want to send something soon, as far as there is room.
    pub(super) fn load_ahead(&self, mut position: u64, end: u64) -> io::Result<()> {
        while position < end
            && let Some(chunk) = self.load_chunk(position, end, Demand::Ahead)?
        {
            position = chunk.end();
        }
        Ok(())
    }

    /// Reads what lies before `end`, which is known to be written, directly.
    fn load_chunk(&self, position: u64, end: u64, demand: Demand) -> io::Result<Option<Arc<Chunk>>> {
        let Some(direct) = self.direct.get_or_init(|| self.open_directly()) else { return Ok(None) };
        self.shared.chunks.load((self.number, &**direct), position, end, demand)
    }

    /// Says that somebody has sent it up to that position.
    pub(in crate::local) fn passed(&self, position: u64) {
        self.shared.chunks.passed(self.number, position);
    }

    fn open_directly(&self) -> Option<Arc<dyn DiskFile>> {
        let direct = self.shared.disk.open(&self.path, OpenHow::READ.direct(true)).ok()?;
        self.shared.open.fetch_add(1, Ordering::Relaxed);
        Some(direct)
    }

    fn load_into_cache(&self, position: u64, bytes: u64) -> io::Result<()> {
        let range = (position, position + bytes);
        self.loading().push(range);
        let loaded = self.file.load(position, bytes);
        let mut loading = self.loading();
        if let Some(place) = loading.iter().position(|other| *other == range) {
            loading.swap_remove(place);
        }
        loaded
    }

    /// Says that a range will not be wanted again soon.
    pub(super) fn unload(&self, position: u64, bytes: u64) {
        self.file.unload(position, bytes);
    }

    /// Sends from a position what the page cache holds, as much as the socket takes.
    pub(in crate::local) fn send(&self, socket: BorrowedFd<'_>, position: u64, bytes: usize) -> io::Result<usize> {
        self.file.send_at(socket, position, bytes)
    }
}
