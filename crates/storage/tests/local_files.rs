//! Records that stay in their files: answers that name ranges of them, and how many files are open for that.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod local_support;

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{ThreadId, current};

use local_support::{MemoryDisk, Random, append, batch, create, options, partition, records_from};
use ottla_storage::local::LocalEngine;
use ottla_storage::local::disk::{Disk, DiskFile, FolderEntry, LockHeld, OpenHow, SystemDisk};
use ottla_storage::{Engine, FileRange, Isolation, LogConfig, Read, ReadOutcome};

const PARTITION: ottla_storage::PartitionId =
    ottla_storage::PartitionId { topic: ottla_storage::TopicId([1; 16]), index: 0 };

/// What the files of a [`Watched`] disk go through.
#[derive(Default)]
struct Watch {
    open: AtomicUsize,
    most_open: AtomicUsize,
    /// Pages that were loaded; all others are cold.
    warm: Mutex<BTreeSet<u64>>,
    /// Threads that read, other than from the page cache.
    readers: Mutex<Vec<ThreadId>>,
}

/// A disk whose files can be sent, and of which nothing is in the page cache before it is loaded.
struct Watched(MemoryDisk, Arc<Watch>);

struct WatchedFile(Arc<dyn DiskFile>, Arc<Watch>);

impl Drop for WatchedFile {
    fn drop(&mut self) {
        self.1.open.fetch_sub(1, Ordering::Relaxed);
    }
}

fn pages(offset: u64, bytes: u64) -> std::ops::RangeInclusive<u64> {
    offset / 4096..=(offset + bytes - 1) / 4096
}

impl Disk for Watched {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.0.create_folder(path)
    }

    fn open(&self, path: &Path, how: OpenHow) -> io::Result<Arc<dyn DiskFile>> {
        if how.direct && !how.write {
            // So that what is read for answers comes through the page cache, which the test looks at.
            return Err(io::ErrorKind::Unsupported.into());
        }
        let file = self.0.open(path, how)?;
        if !path.starts_with("/data/topics") {
            return Ok(file);
        }
        let open = self.1.open.fetch_add(1, Ordering::Relaxed) + 1;
        self.1.most_open.fetch_max(open, Ordering::Relaxed);
        Ok(Arc::new(WatchedFile(file, self.1.clone())))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.0.remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.0.remove_folder(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<FolderEntry>> {
        self.0.list(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.0.sync_folder(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockHeld>> {
        self.0.lock(path)
    }
}

impl DiskFile for WatchedFile {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.1.readers.lock().unwrap().push(current().id());
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64, durable: bool) -> io::Result<()> {
        self.0.write_at(data, offset, durable)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn truncate(&self, size: u64) -> io::Result<()> {
        self.0.truncate(size)
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        self.0.reserve(bytes)
    }

    fn is_sendable(&self) -> bool {
        true
    }

    fn is_cached(&self, offset: u64, bytes: u64) -> bool {
        let warm = self.1.warm.lock().unwrap();
        pages(offset, bytes).all(|page| warm.contains(&page))
    }

    fn read_cached_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn load(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.1.readers.lock().unwrap().push(current().id());
        self.1.warm.lock().unwrap().extend(pages(offset, bytes));
        Ok(())
    }
}

fn read(engine: &LocalEngine, offset: i64, max_bytes: usize, may_name_file: bool) -> ReadOutcome {
    let isolation = Isolation::ReadUncommitted;
    let read = Read { partition: PARTITION, offset, max_bytes, at_least_one_batch: true, isolation, may_name_file };
    engine.read(read).wait().unwrap()
}

/// Enough files for everything; all records lie in one segment then.
const ONE_SEGMENT: usize = 1024;

fn segments_of(segment_bytes: u64) -> Arc<LogConfig> {
    Arc::new(LogConfig { segment_bytes, ..LogConfig::default() })
}

fn watched(open_files: usize) -> (LocalEngine, Arc<Watch>) {
    let watch = Arc::new(Watch::default());
    let mut options = options();
    options.open_files = open_files;
    if open_files == ONE_SEGMENT {
        options.log_configs = segments_of(1 << 20);
    }
    let engine = LocalEngine::open(options, Arc::new(Watched(MemoryDisk::default(), watch.clone()))).unwrap();
    create(&engine, "a", 1, 1);
    (engine, watch)
}

#[test]
fn files_stay_within_their_bound_and_unused_ones_are_closed() {
    const OPEN_FILES: usize = 80;
    let (engine, watch) = watched(OPEN_FILES);
    let mut values = Vec::new();
    for n in 0..2_000_u32 {
        let mut value = vec![0; 15_000];
        value[..4].copy_from_slice(&n.to_be_bytes());
        append(&engine, PARTITION, batch(&value)).unwrap();
        values.push((i64::from(n), value));
    }
    engine.maintain(usize::MAX).wait().unwrap();
    assert_eq!(records_from(&engine, PARTITION, 0), values);
    let most_open = watch.most_open.load(Ordering::Relaxed);
    assert!(most_open > OPEN_FILES / 4, "they are kept open: {most_open}");
    assert!(most_open <= OPEN_FILES, "{most_open} files of 2,000 segments were open");
    for _ in 0..2 {
        assert!(watch.open.load(Ordering::Relaxed) > 0);
        engine.maintain(usize::MAX).wait().unwrap();
    }
    assert_eq!(watch.open.load(Ordering::Relaxed), 0, "nobody used them since the checkpoint before last");
    assert_eq!(records_from(&engine, PARTITION, 1_990), values[1_990..]);
}

#[test]
fn callers_never_wait_for_the_disk_and_get_only_what_is_loaded() {
    let (engine, watch) = watched(ONE_SEGMENT);
    for n in 0..300 {
        append(&engine, PARTITION, batch(&[n as u8; 1_500])).unwrap();
    }
    engine.maintain(usize::MAX).wait().unwrap();
    watch.readers.lock().unwrap().clear();
    let first = read(&engine, 0, 100_000, true);
    let range = first.in_file.expect("it lies in a file");
    let held = range.hold(usize::MAX).expect("it was loaded");
    assert!(held.len_bytes() == range.len_bytes() && range.len_bytes() > 90_000);
    // Again, now without a thread that may wait; and further, where nothing was loaded yet.
    let again = read(&engine, 0, 100_000, true);
    assert_eq!(again.in_file.map(|range| range.len_bytes()), Some(range.len_bytes()));
    let mut offset = 0;
    while let Some(next) = read(&engine, offset, 100_000, true).next_offset {
        offset = next;
    }
    assert_eq!(offset, 300);
    let readers = watch.readers.lock().unwrap();
    assert!(!readers.is_empty() && !readers.contains(&current().id()), "only threads of the engine wait for the disk");
}

#[test]
fn what_leaves_the_cache_is_loaded_again_before_it_is_sent() {
    let (engine, watch) = watched(ONE_SEGMENT);
    for n in 0..300 {
        append(&engine, PARTITION, batch(&[n as u8; 1_500])).unwrap();
    }
    engine.maintain(usize::MAX).wait().unwrap();
    let range = read(&engine, 0, 100_000, true).in_file.unwrap();
    watch.warm.lock().unwrap().clear();
    assert!(range.hold(1).is_none());
    assert_eq!(range.load(50_000).wait().unwrap().len_bytes(), 50_000);
    assert!(range.hold(50_000).is_some() && range.hold(90_000).is_none());
}

/// An engine on the real disk with many batches of many sizes in segment files; `None` where this system cannot say what
/// is in its page cache, so that nothing is ever sent from files.
fn on_disk(folder: &Path) -> Option<LocalEngine> {
    on_disk_with(12, folder)
}

/// With so many buffers for what is read past the page cache.
fn on_disk_with(read_buffers: usize, folder: &Path) -> Option<LocalEngine> {
    let probe = SystemDisk.open(&folder.join("probe"), OpenHow::CREATE).unwrap();
    probe.is_sendable().then_some(())?;
    let mut options = options();
    options.folder = folder.join("data");
    options.read_buffers = read_buffers;
    options.wal_max_bytes = 64 << 20;
    options.wal_segment_bytes = 4 << 20;
    options.log_configs = segments_of(1 << 20);
    options.index_interval_bytes = 4 << 10;
    let engine = LocalEngine::open(options, Arc::new(SystemDisk)).unwrap();
    create(&engine, "a", 1, 1);
    let mut random = Random(7);
    for n in 0..1_500_u32 {
        let size = [20, 300, 3_000, 20_000][(random.next() % 4) as usize];
        append(&engine, PARTITION, batch(&vec![n as u8; size])).unwrap();
    }
    engine.maintain(usize::MAX).wait().unwrap();
    Some(engine)
}

/// The bytes of an answer, from the socket that a range is sent to.
fn bytes_of(outcome: ReadOutcome) -> Vec<u8> {
    let mut bytes = outcome.batches.concat();
    if let Some(range) = outcome.in_file {
        bytes.extend(sent(range).unwrap());
    }
    bytes
}

fn sent(mut range: FileRange) -> io::Result<Vec<u8>> {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut bytes = vec![0; range.len_bytes()];
    let mut received = 0;
    while received < bytes.len() {
        let mut held = match range.hold(usize::MAX) {
            Some(held) => held,
            None => range.load(usize::MAX).wait().map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?,
        };
        match range.send(ours.as_fd(), &mut held) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => received += theirs.read(&mut bytes[received..])?,
        }
    }
    assert_eq!(range.len_bytes(), 0);
    Ok(bytes)
}

#[test]
fn files_hold_the_same_bytes_as_answers_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let Some(engine) = on_disk(folder.path()) else { return };
    let mut random = Random(11);
    let mut in_files = 0;
    for _ in 0..500 {
        let offset = (random.next() % 1_500) as i64;
        let max_bytes = (random.next() % 300_000) as usize;
        let (in_memory, in_file) = (read(&engine, offset, max_bytes, false), read(&engine, offset, max_bytes, true));
        in_files += usize::from(in_file.in_file.is_some());
        let next_offset = in_file.next_offset.unwrap();
        let (in_memory, in_file) = (bytes_of(in_memory), bytes_of(in_file));
        assert!(in_memory.starts_with(&in_file), "{offset} {max_bytes}");
        assert!(in_file.len() + 4_096 + 20_100 > in_memory.len(), "{} of {}", in_file.len(), in_memory.len());
        let next = read(&engine, offset, in_file.len(), false);
        assert_eq!((next.next_offset, bytes_of(next).len()), (Some(next_offset), in_file.len()), "whole batches");
    }
    assert!(in_files > 200, "{in_files}");
    let whole = |may_name_file| {
        let (mut offset, mut bytes) = (0, Vec::new());
        while offset < 1_500 {
            let outcome = read(&engine, offset, 200_000, may_name_file);
            offset = outcome.next_offset.unwrap();
            bytes.extend(bytes_of(outcome));
        }
        bytes
    };
    assert!(whole(true) == whole(false), "who reads on reads the same");
}

#[test]
fn a_file_that_became_shorter_is_an_error_and_not_less() {
    let folder = tempfile::tempdir().unwrap();
    let Some(engine) = on_disk_with(0, folder.path()) else { return };
    let range = read(&engine, 0, 200_000, true).in_file.unwrap();
    let file = SystemDisk.open(Path::new(&range.name()), OpenHow::WRITE).unwrap();
    file.truncate(100_000).unwrap();
    assert_eq!(sent(range).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn what_was_read_for_one_is_not_taken_by_another_before_it_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let Some(engine) = on_disk_with(1, folder.path()) else { return };
    let expected = bytes_of(read(&engine, 0, 200_000, false));
    let mut one = read(&engine, 0, 200_000, true).in_file.unwrap();
    let other = read(&engine, 1_000, 200_000, true).in_file.unwrap();
    // There is one buffer, so one of the two is not held any more.
    let mut held = one.load(usize::MAX).wait().unwrap();
    drop(other.load(usize::MAX).wait().unwrap());
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let sent = one.send(ours.as_fd(), &mut held).unwrap();
    let mut bytes = vec![0; sent];
    theirs.read_exact(&mut bytes).unwrap();
    assert!(sent > 0 && expected.starts_with(&bytes));
    assert!(matches!(held, ottla_storage::Held::Memory(_)), "it came past the page cache");
}

#[test]
fn what_is_being_sent_outlives_its_deletion() {
    let folder = tempfile::tempdir().unwrap();
    let Some(engine) = on_disk(folder.path()) else { return };
    let expected = bytes_of(read(&engine, 0, 200_000, false));
    let range = read(&engine, 0, 200_000, true).in_file.unwrap();
    engine.delete_topic(PARTITION.topic).wait().unwrap();
    engine.maintain(usize::MAX).wait().unwrap();
    assert!(!Path::new(&range.name()).exists());
    assert!(expected.starts_with(&sent(range).unwrap()));
}

#[test]
fn removed_segments_keep_no_file_open() {
    let (engine, watch) = watched(ONE_SEGMENT);
    for n in 0..100 {
        append(&engine, PARTITION, batch(&[n as u8; 1_500])).unwrap();
    }
    engine.maintain(usize::MAX).wait().unwrap();
    assert_eq!(records_from(&engine, PARTITION, 0).len(), 100);
    assert!(watch.open.load(Ordering::Relaxed) > 0);
    create(&engine, "b", 2, 1);
    engine.delete_topic(PARTITION.topic).wait().unwrap();
    append(&engine, partition(2, 0), batch(b"goes on")).unwrap();
    engine.maintain(usize::MAX).wait().unwrap();
    assert_eq!(watch.open.load(Ordering::Relaxed), 2, "those of the other topic");
}
