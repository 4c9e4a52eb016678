//! A disk in memory that can fill up, fail, be cut off at any step, and lose what was not flushed; and short words for what
//! the local engine's tests do.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use ottla_protocol::records::{self, BatchBuilder};
use ottla_storage::local::disk::{BLOCK_BYTES, Disk, DiskFile, FolderEntry, LockHeld, OpenHow};
use ottla_storage::local::{LocalEngine, LocalOptions, OpenError};
use ottla_storage::{
    Append, AppendError, AppendOrigin, Appended, Durability, Engine, Isolation, LogConfig, NewTopic, PartitionId, Read,
    Topic, TopicId,
};

/// A disk in memory.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// What processes see.
    names: BTreeMap<PathBuf, Node>,
    /// What is there after a power cut.
    durable_names: BTreeMap<PathBuf, Node>,
    locked: BTreeSet<PathBuf>,
    /// How many changes still succeed; then the disk is cut off.
    changes_left: Option<u64>,
    changes: u64,
    /// How many bytes all files may have together.
    capacity_bytes: Option<u64>,
    /// Durable writes and flushes fail.
    flushes_fail: Option<i32>,
    /// Changes in folders fail.
    read_only: bool,
    /// Files cannot be opened for direct writes.
    refuses_direct: bool,
    durable_writes: u64,
    /// How many files and folders can still be opened, and what the system says then.
    starved: Option<(u64, i32)>,
}

#[derive(Clone)]
enum Node {
    Folder,
    File(Arc<Mutex<Content>>),
}

#[derive(Clone, Default)]
struct Content {
    current: Vec<u8>,
    durable: Vec<u8>,
}

fn failed() -> io::Error {
    io::Error::other("the disk is cut off")
}

impl State {
    fn change(&mut self) -> io::Result<()> {
        if self.changes_left == Some(0) {
            return Err(failed());
        }
        self.changes += 1;
        self.changes_left = self.changes_left.map(|left| left - 1);
        if self.read_only { Err(io::ErrorKind::PermissionDenied.into()) } else { Ok(()) }
    }

    /// Whether a file or folder can still be opened.
    fn descriptor(&mut self) -> io::Result<()> {
        match &mut self.starved {
            None => Ok(()),
            Some((0, errno)) => Err(io::Error::from_raw_os_error(*errno)),
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn used_bytes(&self) -> u64 {
        let size = |node: &Node| match node {
            Node::Folder => 0,
            Node::File(content) => content.lock().unwrap().current.len() as u64,
        };
        self.names.values().map(size).sum()
    }
}

impl MemoryDisk {
    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Lets so many changes succeed, and no more.
    pub fn cut_off_after(&self, changes: u64) {
        self.lock_state().changes_left = Some(changes);
    }

    pub fn changes(&self) -> u64 {
        self.lock_state().changes
    }

    pub fn durable_writes(&self) -> u64 {
        self.lock_state().durable_writes
    }

    pub fn limit_to(&self, capacity_bytes: Option<u64>) {
        self.lock_state().capacity_bytes = capacity_bytes;
    }

    pub fn used_bytes(&self) -> u64 {
        self.lock_state().used_bytes()
    }

    pub fn fail_flushes(&self, fail: bool) {
        self.lock_state().flushes_fail = fail.then_some(5);
    }

    /// Flushes fail with that error number.
    pub fn fail_flushes_with(&self, errno: i32) {
        self.lock_state().flushes_fail = Some(errno);
    }

    pub fn set_read_only(&self, read_only: bool) {
        self.lock_state().read_only = read_only;
    }

    /// Lets so many files and folders be opened; then the system answers with that error number until told otherwise.
    pub fn starve_after(&self, opens: u64, errno: i32) {
        self.lock_state().starved = Some((opens, errno));
    }

    /// Everything can be opened again; answers whether anything could not.
    pub fn feed(&self) -> bool {
        self.lock_state().starved.take().is_some_and(|(left, _)| left == 0)
    }

    pub fn refuse_direct(&self) {
        self.lock_state().refuses_direct = true;
    }

    /// The process was killed: all that was written is there.
    pub fn restart(&self) {
        let mut state = self.lock_state();
        state.changes_left = None;
        state.flushes_fail = None;
        state.locked.clear();
    }

    /// The power was cut: what was not flushed is gone; with a seed, parts of it are there all the same.
    pub fn cut_power(&self, seed: Option<u64>) {
        self.restart();
        let mut random = seed.map(Random);
        let mut state = self.lock_state();
        let all: BTreeSet<PathBuf> = state.names.keys().chain(state.durable_names.keys()).cloned().collect();
        let mut names = BTreeMap::new();
        for path in all {
            let as_seen = random.as_mut().is_some_and(|random| random.coin());
            let source = if as_seen { &state.names } else { &state.durable_names };
            let parent_is_there =
                path.parent().is_none_or(|parent| parent == Path::new("/") || names.contains_key(parent));
            if let (Some(node), true) = (source.get(&path), parent_is_there) {
                names.insert(path, node.clone());
            }
        }
        for node in names.values() {
            if let Node::File(content) = node {
                content.lock().unwrap().lose_unflushed(random.as_mut());
            }
        }
        state.durable_names = names.clone();
        state.names = names;
    }

    /// Files under a folder, with their contents.
    pub fn files(&self, under: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let state = self.lock_state();
        let content = |(path, node): (&PathBuf, &Node)| match node {
            Node::File(content) if path.starts_with(under) => {
                Some((path.clone(), content.lock().unwrap().current.clone()))
            }
            _ => None,
        };
        state.names.iter().filter_map(content).collect()
    }

    /// Whether all that files under a folder hold would be there after a power cut.
    pub fn is_flushed(&self, under: &str) -> bool {
        let state = self.lock_state();
        let flushed = |node: &Node| match node {
            Node::Folder => true,
            Node::File(content) => {
                let content = content.lock().unwrap();
                content.current == content.durable
            }
        };
        state.names.iter().filter(|(path, _)| path.starts_with(under)).all(|(_, node)| flushed(node))
    }

    /// Changes a file's content as damage would.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let state = self.lock_state();
        let Some(Node::File(content)) = state.names.get(path) else { panic!("no file {}", path.display()) };
        let mut content = content.lock().unwrap();
        change(&mut content.current);
        content.durable = content.current.clone();
    }

    pub fn remove(&self, path: &Path) {
        let mut state = self.lock_state();
        state.names.remove(path).unwrap();
        state.durable_names.remove(path);
    }
}

impl Content {
    fn lose_unflushed(&mut self, random: Option<&mut Random>) {
        let mut kept = self.durable.clone();
        if let Some(random) = random {
            let size = if random.coin() { self.current.len() } else { kept.len() };
            kept.resize(size, 0);
            for start in (0..size.min(self.current.len())).step_by(512) {
                let end = (start + 512).min(size).min(self.current.len());
                if random.coin() {
                    kept[start..end].copy_from_slice(&self.current[start..end]);
                }
            }
        }
        self.current = kept.clone();
        self.durable = kept;
    }
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

impl Disk for MemoryDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        let missing: Vec<_> = path.ancestors().filter(|path| *path != Path::new("/")).map(Path::to_owned).collect();
        if missing.iter().all(|path| state.names.contains_key(path)) {
            return Ok(());
        }
        state.change()?;
        for path in missing {
            state.names.entry(path).or_insert(Node::Folder);
        }
        Ok(())
    }

    fn open(&self, path: &Path, how: OpenHow) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.lock_state();
        state.descriptor()?;
        if how.direct && state.refuses_direct {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let there = state.names.get(path).cloned();
        let content = match there {
            Some(Node::File(content)) => {
                if how.truncate {
                    state.change()?;
                    content.lock().unwrap().current.clear();
                }
                content
            }
            None if how.create && path.parent().is_some_and(|parent| state.names.contains_key(parent)) => {
                state.change()?;
                let content = Arc::default();
                state.names.insert(path.to_owned(), Node::File(Arc::clone(&content)));
                content
            }
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Arc::new(MemoryFile { disk: self.clone(), content, how }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.change()?;
        let node = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), node);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.change()?;
        state.names.remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.remove_file(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<FolderEntry>> {
        let mut state = self.lock_state();
        state.descriptor()?;
        if !state.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let inner = state.names.iter().filter(|(inner, _)| inner.parent() == Some(path));
        let entry = |(inner, node): (&PathBuf, &Node)| FolderEntry {
            name: inner.file_name().unwrap().to_str().unwrap().to_owned(),
            is_folder: matches!(node, Node::Folder),
        };
        Ok(inner.map(entry).collect())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.descriptor()?;
        state.change()?;
        let is_inner = |inner: &PathBuf| inner.parent() == Some(path);
        state.durable_names.retain(|inner, _| !is_inner(inner));
        let inner: Vec<_> = state
            .names
            .iter()
            .filter(|(inner, _)| is_inner(inner))
            .map(|(path, node)| (path.clone(), node.clone()))
            .collect();
        state.durable_names.extend(inner);
        // Where the data folder itself lies is not the engine's to make durable.
        state.durable_names.entry(PathBuf::from("/data")).or_insert(Node::Folder);
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockHeld>> {
        let mut state = self.lock_state();
        if !state.locked.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.names.entry(path.to_owned()).or_insert_with(|| Node::File(Arc::default()));
        Ok(Box::new(Held { disk: self.clone(), path: path.to_owned() }))
    }
}

struct Held {
    disk: MemoryDisk,
    path: PathBuf,
}

impl LockHeld for Held {}

impl Drop for Held {
    fn drop(&mut self) {
        self.disk.lock_state().locked.remove(&self.path);
    }
}

struct MemoryFile {
    disk: MemoryDisk,
    content: Arc<Mutex<Content>>,
    how: OpenHow,
}

impl MemoryFile {
    /// Checks that there is space for the file to have that size.
    fn grow_check(&self, state: &State, size: u64) -> io::Result<()> {
        let more = size.saturating_sub(self.content.lock().unwrap().current.len() as u64);
        match state.capacity_bytes {
            Some(capacity) if more > 0 && state.used_bytes() + more > capacity => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }
}

impl DiskFile for MemoryFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.content.lock().unwrap().current.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = self.content.lock().unwrap();
        let rest = content.current.get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn write_at(&self, data: &[u8], offset: u64, durable: bool) -> io::Result<()> {
        assert!(self.how.write, "the file was opened for reading");
        let block = BLOCK_BYTES;
        let aligned = data.as_ptr().align_offset(block) == 0
            && data.len().is_multiple_of(block)
            && offset.is_multiple_of(block as u64);
        assert!(aligned || !self.how.direct, "a direct write is not aligned");
        let mut state = self.disk.lock_state();
        state.change()?;
        state.durable_writes += u64::from(durable);
        let end = offset as usize + data.len();
        self.grow_check(&state, end as u64)?;
        let mut content = self.content.lock().unwrap();
        let targets = if durable && state.flushes_fail.is_none() { 2 } else { 1 };
        let Content { current, durable: flushed } = &mut *content;
        for target in [current, flushed].into_iter().take(targets) {
            target.resize(target.len().max(end), 0);
            target[offset as usize..end].copy_from_slice(data);
        }
        match state.flushes_fail {
            Some(errno) if durable => Err(io::Error::from_raw_os_error(errno)),
            _ => Ok(()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.lock_state();
        state.change()?;
        if let Some(errno) = state.flushes_fail {
            return Err(io::Error::from_raw_os_error(errno));
        }
        let mut content = self.content.lock().unwrap();
        content.durable = content.current.clone();
        Ok(())
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.disk.lock_state().change()?;
        self.content.lock().unwrap().current.resize(size as usize, 0);
        Ok(())
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.lock_state();
        state.change()?;
        self.grow_check(&state, bytes)?;
        let mut content = self.content.lock().unwrap();
        let size = content.current.len().max(bytes as usize);
        content.current.resize(size, 0);
        Ok(())
    }
}

static STARTS: AtomicU64 = AtomicU64::new(1);

/// Small limits, so that everything runs over soon.
pub fn options() -> LocalOptions {
    let mut options = LocalOptions::new("/data", STARTS.fetch_add(1, Ordering::Relaxed), Arc::new(|| 0));
    options.wal_max_bytes = 1 << 20;
    options.wal_segment_bytes = 64 << 10;
    options.tail_bytes = 64 << 10;
    options.log_configs = Arc::new(LogConfig { segment_bytes: 16 << 10, ..LogConfig::default() });
    options.index_interval_bytes = 1 << 10;
    options.readers = 1;
    options.open_files = 32;
    options
}

pub fn open(disk: &MemoryDisk) -> Result<LocalEngine, OpenError> {
    LocalEngine::open(options(), Arc::new(disk.clone()))
}

pub fn opened(disk: &MemoryDisk) -> LocalEngine {
    open(disk).unwrap_or_else(|error| panic!("{error}"))
}

/// A batch of one record.
pub fn batch(value: &[u8]) -> Bytes {
    batch_at(value, 1_000)
}

/// A batch of one record at that time.
pub fn batch_at(value: &[u8], timestamp_ms: i64) -> Bytes {
    let mut builder = BatchBuilder::new();
    builder.push(timestamp_ms, None, Some(value), &[]);
    Bytes::copy_from_slice(&builder.build())
}

/// A batch of one record of an idempotent producer.
pub fn batch_of(value: &[u8], producer_id: i64, sequence: i32) -> Bytes {
    let mut builder = BatchBuilder::new().producer(producer_id, 0, sequence);
    builder.push(1_000, None, Some(value), &[]);
    Bytes::copy_from_slice(&builder.build())
}

pub fn new_topic(name: &str, id: u8, partitions: i32) -> NewTopic {
    NewTopic { name: name.to_owned(), id: TopicId([id; 16]), partitions, configs: BTreeMap::new() }
}

pub fn create(engine: &LocalEngine, name: &str, id: u8, partitions: i32) -> Arc<Topic> {
    engine.create_topic(new_topic(name, id, partitions)).wait().unwrap()
}

pub fn partition(id: u8, index: i32) -> PartitionId {
    PartitionId { topic: TopicId([id; 16]), index }
}

pub fn append(engine: &LocalEngine, partition: PartitionId, batches: Bytes) -> Result<Appended, AppendError> {
    append_as(engine, partition, batches, Durability::Flush)
}

pub fn append_as(
    engine: &LocalEngine,
    partition: PartitionId,
    batches: Bytes,
    durability: Durability,
) -> Result<Appended, AppendError> {
    let append =
        Append { partition, batches, expected_end: None, depends_on: None, durability, origin: AppendOrigin::Client };
    let answers = engine.append(vec![append]).wait();
    answers.unwrap_or_else(|why| vec![Err(AppendError::Unknown(why))]).remove(0)
}

/// All records from an offset on, with their offsets.
pub fn records_from(engine: &LocalEngine, partition: PartitionId, start: i64) -> Vec<(i64, Vec<u8>)> {
    let mut found = Vec::new();
    let mut offset = start;
    let end = engine.bounds(partition).unwrap().high_watermark;
    while offset < end {
        let isolation = Isolation::ReadUncommitted;
        let read =
            Read { partition, offset, max_bytes: 4 << 10, at_least_one_batch: true, isolation, may_name_file: false };
        let outcome = engine.read(read).wait().unwrap();
        assert!(!outcome.batches.is_empty(), "nothing at offset {offset} of {end}");
        for batch in &outcome.batches {
            let open = records::open(batch, 64 << 20).unwrap();
            for record in open.records() {
                let record = record.unwrap();
                if record.offset >= offset {
                    found.push((record.offset, record.value.unwrap_or_default().to_vec()));
                    offset = record.offset + 1;
                }
            }
        }
    }
    found
}
