//! The engine without threads, for a simulation that decides what happens when.
//!
//! Each thread of the engine is a loop: wait until there is something to do, then do one turn. Here the simulation takes the
//! turns, by role. A simulated [`Disk`] may call back in the middle of a turn, at any of its operations, and the simulation may
//! then take turns of the roles that are not under way: so what happens in the middle of, say, a checkpoint is as
//! reproducible as everything else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, TryLockError};

use super::background::Background;
use super::cleaner::Cleaner;
use super::disk::Disk;
use super::engine::LocalEngine;
use super::flusher::Flusher;
use super::open::{Recovered, recover};
use super::options::{LocalOptions, OpenError};
use super::segments::Tidy;

/// What has a thread of its own in the product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Decides, writes the log, publishes.
    Flusher,
    /// Writes segment files and manifests, removes files.
    Background,
    /// Prepares files of the log.
    WalSpace,
    /// Reads what is not in memory.
    Reader,
    /// Looks up offsets by time.
    LookUps,
    /// Compacts logs, where it is asked ([`Engine::maintain`](crate::Engine::maintain)); see [`SteppedEngine::clean`].
    Cleaner,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 6] =
        [Role::Flusher, Role::Background, Role::WalSpace, Role::Reader, Role::LookUps, Role::Cleaner];
}

/// An engine whose turns are taken from outside.
pub struct SteppedEngine {
    engine: LocalEngine,
    flusher: Arc<Mutex<Flusher>>,
    background: Mutex<Background>,
    background_begun: AtomicBool,
    background_ended: AtomicBool,
    making_space: Mutex<()>,
    looking_up: Mutex<()>,
    cleaner: Mutex<Cleaner>,
    tidy: Arc<Tidy>,
}

impl SteppedEngine {
    /// Opens a data folder as [`LocalEngine::open`] does, and starts nothing.
    ///
    /// # Errors
    /// The same.
    pub fn open(options: LocalOptions, disk: Arc<dyn Disk>) -> Result<Self, OpenError> {
        let Recovered { engine, flusher, mut background, cleaner } = recover(options, disk)?;
        if cleaner.is_enabled {
            engine.cleaning.begin_stepped();
        }
        let flusher = Arc::new(Mutex::new(flusher));
        let (asked, tidy) = (flusher.clone(), background.store.shared_tidy());
        background.snapshots = Box::new(move || asked.try_lock().ok()?.snapshot());
        Ok(Self {
            engine,
            flusher,
            background: Mutex::new(background),
            background_begun: AtomicBool::new(false),
            background_ended: AtomicBool::new(false),
            making_space: Mutex::new(()),
            looking_up: Mutex::new(()),
            cleaner: Mutex::new(cleaner),
            tidy,
        })
    }

    /// The engine, to be called as ever. Nothing resolves but by turns, so waiting for an answer never ends.
    pub fn engine(&self) -> &LocalEngine {
        &self.engine
    }

    /// Takes one turn; answers whether there was anything to do. A role whose turn is under way (this is called from within it)
    /// has nothing to do. Neither has one whose thread would wait for another that is under way: the background when it needs a
    /// snapshot from the flusher or comes to its end while the cleaner works, and the background and the cleaner while the other
    /// tidies a folder.
    pub fn turn(&self, role: Role) -> bool {
        match role {
            Role::Flusher => self.flusher.try_lock().is_ok_and(|mut flusher| flusher.try_turn()),
            Role::Background => self.background_turn(),
            Role::WalSpace => self.making_space.try_lock().is_ok_and(|_alone| self.engine.slots.try_turn()),
            // There are several of these threads, so one read may begin while another is under way.
            Role::Reader => self.engine.reads.try_turn(),
            Role::Cleaner if self.tidy.is_busy() => false,
            Role::Cleaner => self.cleaner.try_lock().is_ok_and(|mut cleaner| cleaner.try_turn()),
            Role::LookUps => self.looking_up.try_lock().is_ok_and(|_alone| self.engine.look_ups.try_turn()),
        }
    }

    /// A turn of the cleaner that nobody asked for: what its thread does by itself after a while (`log.cleaner.backoff.ms`).
    /// Answers whether it could be taken.
    pub fn clean(&self) -> bool {
        if self.tidy.is_busy() {
            return false;
        }
        self.cleaner.try_lock().is_ok_and(|mut cleaner| cleaner.turn_unasked())
    }

    fn background_turn(&self) -> bool {
        let Ok(mut background) = self.background.try_lock() else { return false };
        if self.background_ended.load(Ordering::Relaxed) || self.tidy.is_busy() {
            return false;
        }
        if !self.background_begun.swap(true, Ordering::Relaxed) {
            background.begin();
            return true;
        }
        let flusher_is_busy = matches!(self.flusher.try_lock(), Err(TryLockError::WouldBlock));
        let cleaner_is_busy = matches!(self.cleaner.try_lock(), Err(TryLockError::WouldBlock));
        if flusher_is_busy && background.wants_snapshot() || cleaner_is_busy && background.wants_to_close() {
            return false;
        }
        let (was_any, goes_on) = background.try_turn();
        self.background_ended.store(!goes_on, Ordering::Relaxed);
        was_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::future::Future;
    use std::io;
    use std::path::Path;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::local::disk::{DiskFile, FolderEntry, LockHeld, OpenHow, SystemDisk};
    use crate::{
        Append, AppendError, Appended, Engine, LogConfig, NewTopic, PartitionId, Pending, TopicId, Unavailable,
    };

    fn is_there<T: Unpin, E: Unpin + From<crate::EngineGone>>(pending: &mut Pending<T, E>) -> bool {
        matches!(Pin::new(pending).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(_)))
    }

    #[test]
    fn nothing_happens_but_by_turns() {
        let folder = tempfile::tempdir().unwrap();
        let options = || LocalOptions::new(folder.path(), 1, Arc::new(|| 0));
        let stepped = SteppedEngine::open(options(), Arc::new(SystemDisk)).unwrap();
        let topic = NewTopic { name: "a".into(), id: TopicId([1; 16]), partitions: 1, configs: BTreeMap::new() };
        let mut created = stepped.engine().create_topic(topic);
        assert!(stepped.turn(Role::Flusher), "it finds that the log has no file yet");
        assert!(!stepped.turn(Role::Flusher) && !is_there(&mut created));
        assert!(stepped.turn(Role::WalSpace) && stepped.turn(Role::Flusher) && is_there(&mut created));
        let mut maintained = stepped.engine().maintain(0);
        assert!(stepped.turn(Role::Background) && !is_there(&mut maintained), "the first turn looks for strangers");
        let under_way = stepped.flusher.lock().unwrap();
        assert!(!stepped.turn(Role::Background), "there is no snapshot in the middle of the flusher's turn");
        drop(under_way);
        assert!(stepped.turn(Role::Background) && is_there(&mut maintained));
        let mut closed = stepped.engine().close();
        assert!(stepped.turn(Role::Flusher) && stepped.turn(Role::Background) && is_there(&mut closed));
        assert!(!Role::ALL.into_iter().any(|role| role != Role::WalSpace && stepped.turn(role)), "all has ended");
        drop(stepped);
        let engine = LocalEngine::open(options(), Arc::new(SystemDisk)).unwrap();
        assert!(engine.metadata().by_name("a").is_some());
    }

    /// The system's disk; once, when names in the folder are to be flushed, something else happens first, and the flush fails.
    struct FailingOnce {
        folder: std::path::PathBuf,
        before: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    }

    impl Disk for FailingOnce {
        fn create_folder(&self, path: &Path) -> io::Result<()> {
            SystemDisk.create_folder(path)
        }

        fn open(&self, path: &Path, how: OpenHow) -> io::Result<Arc<dyn DiskFile>> {
            SystemDisk.open(path, how)
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            SystemDisk.rename(from, to)
        }

        fn remove_file(&self, path: &Path) -> io::Result<()> {
            SystemDisk.remove_file(path)
        }

        fn remove_folder(&self, path: &Path) -> io::Result<()> {
            SystemDisk.remove_folder(path)
        }

        fn list(&self, path: &Path) -> io::Result<Vec<FolderEntry>> {
            SystemDisk.list(path)
        }

        fn sync_folder(&self, path: &Path) -> io::Result<()> {
            let before = if path == self.folder { self.before.lock().unwrap().take() } else { None };
            match before {
                None => SystemDisk.sync_folder(path),
                Some(before) => {
                    before();
                    Err(io::Error::from_raw_os_error(5))
                }
            }
        }

        fn lock(&self, path: &Path) -> io::Result<Box<dyn LockHeld>> {
            SystemDisk.lock(path)
        }
    }

    fn append(stepped: &SteppedEngine, bytes: usize) -> Appending {
        let mut builder = ottla_protocol::records::BatchBuilder::new();
        builder.push(1_000, None, Some(&vec![7; bytes]), &[]);
        let partition = PartitionId { topic: TopicId([1; 16]), index: 0 };
        let batches = bytes::Bytes::copy_from_slice(&builder.build());
        let durability = crate::Durability::Flush;
        stepped.engine().append(vec![Append {
            partition,
            batches,
            expected_end: None,
            depends_on: None,
            durability,
            origin: crate::AppendOrigin::Client,
        }])
    }

    type Appending = Pending<Vec<Result<Appended, AppendError>>, Unavailable>;

    /// An engine with a topic and two batches in it, on a disk that will once not flush a folder.
    fn failing_once(folder: &Path, fails: &str) -> (Arc<SteppedEngine>, Arc<FailingOnce>) {
        let mut options = LocalOptions::new(folder, 1, Arc::new(|| 0));
        options.tail_bytes = 4096;
        let config = LogConfig { compact: true, segment_bytes: 200, ..LogConfig::default() };
        options.log_configs = Arc::new(config);
        let disk = Arc::new(FailingOnce { folder: folder.join(fails), before: Mutex::default() });
        let stepped = Arc::new(SteppedEngine::open(options, disk.clone()).unwrap());
        let topic = NewTopic { name: "a".into(), id: TopicId([1; 16]), partitions: 1, configs: BTreeMap::new() };
        let _created = stepped.engine().create_topic(topic);
        let _appended = (append(&stepped, 100), append(&stepped, 100));
        assert!(stepped.turn(Role::Flusher) && stepped.turn(Role::WalSpace) && stepped.turn(Role::Flusher));
        assert!(stepped.turn(Role::Background), "the first turn looks for strangers");
        (stepped, disk)
    }

    /// Just before the flush that fails memory fills, and the next append waits until some of it is written.
    fn fill_before_failure(stepped: &Arc<SteppedEngine>, disk: &FailingOnce) -> Arc<Mutex<Option<Appending>>> {
        let waiting = Arc::new(Mutex::new(None));
        let (inner, waits) = (stepped.clone(), waiting.clone());
        *disk.before.lock().unwrap() = Some(Box::new(move || {
            assert!(is_there(&mut {
                let filling = append(&inner, 5_000);
                inner.turn(Role::Flusher);
                filling
            }));
            let mut pending = append(&inner, 100);
            assert!(inner.turn(Role::Flusher) && !is_there(&mut pending));
            *waits.lock().unwrap() = Some(pending);
        }));
        waiting
    }

    #[test]
    fn who_waits_for_space_hears_that_it_will_not_come() {
        let folder = tempfile::tempdir().unwrap();
        let (stepped, disk) = failing_once(folder.path(), "");
        let waiting = fill_before_failure(&stepped, &disk);
        let _maintained = stepped.engine().maintain(0);
        while stepped.turn(Role::Background) || stepped.turn(Role::Cleaner) {}
        let mut pending = waiting.lock().unwrap().take().unwrap();
        assert!(stepped.turn(Role::Flusher) && is_there(&mut pending), "it is refused");
    }

    #[test]
    fn who_waits_for_space_hears_that_a_cleaning_has_ended_all_writing() {
        let folder = tempfile::tempdir().unwrap();
        let (stepped, disk) = failing_once(folder.path(), "topics/01010101010101010101010101010101/0");
        let _maintained = stepped.engine().maintain(0);
        while stepped.turn(Role::Background) {}
        let waiting = fill_before_failure(&stepped, &disk);
        assert!(stepped.turn(Role::Cleaner));
        let mut pending = waiting.lock().unwrap().take().unwrap();
        assert!(stepped.turn(Role::Flusher) && is_there(&mut pending), "it is refused");
    }
}
