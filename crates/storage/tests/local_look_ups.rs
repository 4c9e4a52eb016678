//! Look-ups by time cost a bounded amount, and nobody else's reads.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod local_support;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;
use local_support::{MemoryDisk, append, batch, create, opened, options, partition, records_from};
use ottla_storage::local::LocalEngine;
use ottla_storage::local::disk::{Disk, DiskFile, FolderEntry, LockHeld, OpenHow};
use ottla_storage::{Engine, OffsetSpec};

/// When a test gives up on what hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// Files under a path cannot be opened while it is held.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<Held>, Condvar)>);

#[derive(Default)]
struct Held {
    path: Option<PathBuf>,
    waiting: usize,
}

impl Gate {
    fn hold(&self, path: &str) {
        self.0.0.lock().unwrap().path = Some(PathBuf::from(path));
    }

    fn let_go(&self) {
        self.0.0.lock().unwrap().path = None;
        self.0.1.notify_all();
    }

    fn await_waiting(&self) {
        let held = self.0.0.lock().unwrap();
        let (held, _) = self.0.1.wait_timeout_while(held, DEADLINE, |held| held.waiting == 0).unwrap();
        assert_eq!(held.waiting, 1);
    }

    fn pass(&self, path: &Path) {
        let is_held = |held: &mut Held| held.path.as_ref().is_some_and(|prefix| path.starts_with(prefix));
        let mut held = self.0.0.lock().unwrap();
        if is_held(&mut held) {
            held.waiting += 1;
            self.0.1.notify_all();
            drop(self.0.1.wait_while(held, is_held).unwrap());
        }
    }
}

struct GatedDisk(MemoryDisk, Gate);

impl Disk for GatedDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.0.create_folder(path)
    }

    fn open(&self, path: &Path, how: OpenHow) -> io::Result<Arc<dyn DiskFile>> {
        self.1.pass(path);
        self.0.open(path, how)
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

#[test]
fn reads_do_not_wait_for_look_ups() {
    let gate = Gate::default();
    let mut options = options();
    options.tail_bytes = 4 << 10;
    options.readers = 1;
    // So that every look needs to open a file.
    options.open_files = 1;
    let engine = LocalEngine::open(options, Arc::new(GatedDisk(MemoryDisk::default(), gate.clone()))).unwrap();
    let engine = Arc::new(engine);
    for id in [1, 2] {
        create(&engine, &id.to_string(), id, 1);
        for n in 0..20 {
            append(&engine, partition(id, 0), batch(&[n; 2000])).unwrap();
        }
        engine.maintain(usize::MAX).wait().unwrap();
    }
    gate.hold("/data/topics/01010101010101010101010101010101");
    let look_up = engine.list_offset(partition(1, 0), OffsetSpec::AtOrAfter { timestamp_ms: 1_000 });
    gate.await_waiting();
    let (done, read) = channel();
    let reader = engine.clone();
    std::thread::spawn(move || done.send(records_from(&reader, partition(2, 0), 0).len()));
    let read = read.recv_timeout(DEADLINE);
    gate.let_go();
    assert_eq!(read, Ok(20), "a read of another topic");
    assert_eq!(look_up.wait().unwrap().map(|found| found.offset), Some(0));
}

/// A batch whose header promises a later time than its only record has.
fn lying(promised_ms: i64) -> Vec<u8> {
    let mut bytes = batch(b"early").to_vec();
    bytes[35..43].copy_from_slice(&promised_ms.to_be_bytes());
    let crc = crc_fast::crc32_iscsi(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}

#[test]
fn after_many_batches_that_hold_less_than_they_promise_headers_count() {
    let disk = MemoryDisk::default();
    let engine = opened(&disk);
    create(&engine, "a", 1, 1);
    let count = 2_000;
    for n in 0..count / 10 {
        let ten: Vec<u8> = (0..10).flat_map(|_| lying(5_000 + n)).collect();
        append(&engine, partition(1, 0), Bytes::from(ten)).unwrap();
    }
    let find = |spec| engine.list_offset(partition(1, 0), spec).wait().unwrap();
    for maintained in [false, true] {
        let found = find(OffsetSpec::AtOrAfter { timestamp_ms: 3_000 }).expect("what a header promises");
        assert!(found.offset > 100 && found.offset < count, "{found:?}");
        assert_eq!(found.timestamp_ms, 5_000 + found.offset / 10, "{found:?}");
        let largest = find(OffsetSpec::MaxTimestamp).expect("what a header promises");
        assert_eq!((largest.offset / 10, largest.timestamp_ms), (count / 10 - 1, 5_000 + count / 10 - 1));
        if !maintained {
            engine.maintain(usize::MAX).wait().unwrap();
        }
    }
    assert_eq!(find(OffsetSpec::AtOrAfter { timestamp_ms: 1_000 }).map(|found| found.offset), Some(0));
    assert_eq!(find(OffsetSpec::AtOrAfter { timestamp_ms: 9_000 }), None);
}
