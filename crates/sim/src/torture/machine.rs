//! The machine that the broker runs on: its disk, its clock, and when it goes down. Each operation of the disk may be the last one
//! of the process, or fail; and in the middle of one the engine's other threads may go on.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ottla_storage::local::LocalOptions;
use ottla_storage::local::simulation::{Role, SteppedEngine};
use ottla_storage::{
    CleanerConfig, LogConfig, LogConfigs, LogStartCause, Metadata, Observer, PartitionId, Topic, Unavailable,
};

use crate::prng::Prng;
use crate::storage::disk::{Crash, Direct, Fate, Hook, Operation, SimulatedDisk};
use crate::storage::faults::Fault;
use crate::trace::{Telling, Trace};

/// What the wall clock shows when a run begins.
pub(super) const WALL_MS_AT_START: i64 = 1_700_000_000_000;
/// How deep turns are taken within turns.
const MAX_DEPTH: u32 = 2;
const WAL_SEGMENT_BYTES: u64 = 64 << 10;

/// The machine.
pub(super) struct Machine {
    state: Mutex<State>,
    now_ms: Arc<AtomicU64>,
}

/// What holds for one process and its disk.
struct State {
    rng: Prng,
    /// What happened on the disk.
    trace: Trace,
    engine: Option<Arc<SteppedEngine>>,
    operations: u64,
    crash_at: Option<(u64, Crash)>,
    crashed: Option<Crash>,
    fault: Fault,
    /// Something has failed in this life.
    faulted: bool,
    /// Nothing else happens meanwhile: no faults, no crash, no other turns.
    calm: bool,
    depth: u32,
    /// At each operation once in so many times another thread goes on; 0: never.
    interleave: u64,
}

/// The sizes of one run.
#[derive(Clone)]
pub(super) struct Sizes {
    direct: Direct,
    wal_max_bytes: u64,
    tail_bytes: usize,
    index_interval_bytes: u64,
    checkpoint_interval_ms: u64,
    logs: LogSizes,
    #[cfg(feature = "planted-bugs")]
    bug: Option<ottla_storage::local::PlantedBug>,
}

/// How logs are kept: segments are small, and the coordinators' logs are compacted.
#[derive(Clone, Copy)]
struct LogSizes {
    segment_bytes: u64,
    delete_retention_ms: u64,
}

impl LogConfigs for LogSizes {
    fn log_config(&self, _: &Metadata, topic: &Topic) -> LogConfig {
        let compact = topic.name.starts_with("__");
        LogConfig {
            segment_bytes: self.segment_bytes,
            retention_ms: None,
            compact,
            delete: !compact,
            delete_retention_ms: self.delete_retention_ms,
            min_cleanable_dirty_ratio: 0.2,
            ..LogConfig::default()
        }
    }

    fn cleaner_config(&self, _: &Metadata) -> CleanerConfig {
        CleanerConfig { dedupe_buffer_bytes: 1 << 20, ..CleanerConfig::default() }
    }
}

impl Sizes {
    pub(super) fn draw(rng: &mut Prng, bug: Option<&str>) -> Self {
        #[cfg(not(feature = "planted-bugs"))]
        let _ = bug;
        Self {
            direct: [Direct::Works, Direct::Works, Direct::RefusedAtOpen][rng.between(0, 2) as usize],
            wal_max_bytes: 256 << 10 << rng.between(0, 1),
            tail_bytes: 4 << 10 << rng.between(0, 3),
            index_interval_bytes: 256 << rng.between(0, 3),
            checkpoint_interval_ms: [0, 300, 1_500][rng.between(0, 2) as usize],
            logs: LogSizes {
                segment_bytes: 1 << 10 << rng.between(0, 3),
                delete_retention_ms: [0, 400, 10_000][rng.between(0, 2) as usize],
            },
            #[cfg(feature = "planted-bugs")]
            bug: bug.and_then(ottla_storage::local::PlantedBug::by_name),
        }
    }
}

/// Hears whether the engine has stopped writing.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) poisoned: AtomicBool,
}

impl Observer for Heard {
    fn advanced(&self, _: &[PartitionId]) {}

    fn log_start_moved(&self, _: PartitionId, _: i64, _: i64, _: LogStartCause) {}

    fn poisoned(&self, _: &Unavailable) {
        self.poisoned.store(true, Ordering::Relaxed);
    }
}

impl Machine {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        let mut rng = Prng::of(seed, &[1]);
        let interleave = [0, 3, 8, 20][rng.between(0, 3) as usize];
        let state = State {
            rng,
            trace: Trace::new(Telling::Nothing),
            engine: None,
            operations: 0,
            crash_at: None,
            crashed: None,
            fault: Fault::None,
            faulted: false,
            calm: true,
            depth: 0,
            interleave,
        };
        Arc::new(Self { state: Mutex::new(state), now_ms: Arc::default() })
    }

    pub(super) fn disk(self: &Arc<Self>, seed: u64, sizes: &Sizes) -> SimulatedDisk {
        SimulatedDisk::new(Prng::of(seed, &[2]).next(), sizes.direct, self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_clock(&self, at_ms: u64) {
        self.now_ms.store(at_ms, Ordering::Relaxed);
    }

    pub(super) fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// A hash of everything that happened on the disk.
    pub(super) fn hash(&self) -> u64 {
        self.lock().trace.hash()
    }

    /// The process of the broker is over.
    pub(super) fn crashed(&self) -> Option<Crash> {
        self.lock().crashed
    }

    /// Something has failed since this was asked last.
    pub(super) fn take_faulted(&self) -> bool {
        std::mem::take(&mut self.lock().faulted)
    }

    /// A process begins: it will end at that operation, and something may fail.
    pub(super) fn begin(&self, crash_in: Option<(u64, Crash)>, fault: Fault) {
        let mut state = self.lock();
        let now = state.operations;
        state.crash_at = crash_in.map(|(after, crash)| (now + after, crash));
        (state.crashed, state.fault, state.faulted, state.calm) = (None, fault, false, false);
    }

    /// It ends within a few operations.
    pub(super) fn crash_soon(&self, after: u64) {
        let mut state = self.lock();
        let soon = state.operations + after;
        if let Some((at, _)) = state.crash_at.as_mut() {
            *at = soon.min(*at);
        }
    }

    /// Nothing fails or ends any more in this process.
    pub(super) fn relent(&self) {
        let mut state = self.lock();
        (state.crash_at, state.fault) = (None, Fault::None);
    }

    /// Does something during which nothing else happens.
    pub(super) fn calmly<T>(&self, act: impl FnOnce() -> T) -> T {
        let before = std::mem::replace(&mut self.lock().calm, true);
        let done = act();
        self.lock().calm = before;
        done
    }

    pub(super) fn engine(&self) -> Option<Arc<SteppedEngine>> {
        self.lock().engine.clone()
    }

    pub(super) fn set_engine(&self, engine: Option<Arc<SteppedEngine>>) {
        let before = std::mem::replace(&mut self.lock().engine, engine);
        // It may ask the disk for something while it goes.
        drop(before);
    }

    /// The options of one process.
    pub(super) fn options(&self, sizes: &Sizes) -> LocalOptions {
        let (monotonic, wall) = (self.now_ms.clone(), self.now_ms.clone());
        let random = self.lock().rng.next();
        let mut options = LocalOptions::new("/data", random, Arc::new(move || monotonic.load(Ordering::Relaxed)));
        options.wall_ms = Arc::new(move || WALL_MS_AT_START + wall.load(Ordering::Relaxed) as i64);
        options.wal_max_bytes = sizes.wal_max_bytes;
        options.wal_segment_bytes = WAL_SEGMENT_BYTES;
        options.tail_bytes = sizes.tail_bytes;
        options.log_configs = Arc::new(sizes.logs);
        options.index_interval_bytes = sizes.index_interval_bytes;
        options.checkpoint_interval_ms = sizes.checkpoint_interval_ms;
        options.retention_check_interval_ms = 0;
        #[cfg(feature = "planted-bugs")]
        {
            options.planted_bug = sizes.bug;
        }
        options
    }

    /// Other threads of the engine go on in the middle of an operation.
    fn interleave(&self) {
        loop {
            let (engine, role) = {
                let mut state = self.lock();
                let never = state.interleave == 0 || state.calm || state.depth >= MAX_DEPTH || state.crashed.is_some();
                let once_in = state.interleave.max(1);
                let Some(engine) = state.engine.clone() else { return };
                if never || !state.rng.once_in(once_in) {
                    return;
                }
                state.depth += 1;
                (engine, Role::ALL[state.rng.between(0, Role::ALL.len() as u64 - 1) as usize])
            };
            engine.turn(role);
            self.lock().depth -= 1;
        }
    }
}

impl Hook for Machine {
    fn before(&self, operation: Operation, path: &Path) -> Fate {
        let fate = self.lock().before(operation, path);
        if fate == Fate::Happens {
            self.interleave();
        }
        fate
    }
}

impl State {
    fn before(&mut self, operation: Operation, path: &Path) -> Fate {
        self.operations += 1;
        self.trace.mix_number(operation as u64);
        self.trace.mix(path.as_os_str().as_encoded_bytes());
        if self.calm || self.crashed.is_some() {
            return Fate::Happens;
        }
        if let Some((at, crash)) = self.crash_at
            && self.operations >= at
        {
            self.crashed = Some(crash);
            return Fate::Crashes(crash);
        }
        match self.fault.strikes(operation, self.operations) {
            Some(errno) => {
                self.faulted = true;
                Fate::Fails(errno)
            }
            None => Fate::Happens,
        }
    }
}
