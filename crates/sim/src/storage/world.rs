//! The world of one run: the engine, its disk, who calls it, and what happens when.
//!
//! Everything happens in one thread. [`Hook::before`] is called by the disk in the middle of the engine's turns; there the world
//! collects answers, may take turns of the engine's other roles, may make calls, and may let the operation fail or be the last one.
//! The lock is never held while a turn is taken.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ottla_storage::local::LocalOptions;
use ottla_storage::local::simulation::{Role, SteppedEngine};
use ottla_storage::{LogStartCause, Observer, PartitionId, Pending, Unavailable};

use super::Plan;
use super::calls::{Made, poll};
use super::disk::{Crash, Direct, Fate, Hook, Operation, SimulatedDisk};
use super::faults::Fault;
use super::log_starts::Moved;
use super::model::{Excuses, Model, Promise};
use super::policy::LogRules;
use super::reads::{PendingLookUp, PendingRead};
use super::workload::Workload;
use crate::hunt::Outcome;
use crate::prng::Prng;
use crate::trace::{Telling, Trace};

/// How deep turns may be taken within turns.
const MAX_DEPTH: u32 = 3;

/// What the wall clock shows when a run begins. Another number than the clock for intervals shows.
pub(super) const WALL_MS_AT_START: i64 = 1_000_000_000;

/// One run.
pub(super) struct World {
    shared: Mutex<Shared>,
    pub(super) clock: Clock,
}

/// Both of the engine's clocks: milliseconds since the run began.
#[derive(Clone, Default)]
pub(super) struct Clock(Arc<AtomicU64>);

impl Clock {
    /// The clock for intervals.
    fn monotonic_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The clock that records grow old by.
    pub(super) fn wall_ms(&self) -> i64 {
        WALL_MS_AT_START + self.monotonic_ms() as i64
    }

    pub(super) fn pass(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

/// What holds for one process.
pub(super) struct Life {
    /// At which operation the process ends, and how.
    pub(super) crash_at: Option<(u64, Crash)>,
    pub(super) crashed: Option<Crash>,
    pub(super) fault: Fault,
    /// Something has failed that the engine is not to blame for.
    pub(super) faulted: bool,
    pub(super) closing: bool,
    /// Nothing else happens meanwhile: no faults, no crash, no other turns.
    pub(super) calm: bool,
}

/// Everything that changes.
pub(super) struct Shared {
    pub(super) rng: Prng,
    pub(super) trace: Trace,
    pub(super) model: Model,
    pub(super) setup: Setup,
    pub(super) workload: Workload,
    pub(super) engine: Option<Arc<SteppedEngine>>,
    pub(super) life: Life,
    pub(super) heard: Arc<Heard>,
    pub(super) clock: Clock,
    /// Calls that change something, in order, until they are answered.
    pub(super) made: VecDeque<Made>,
    pub(super) reads: Vec<PendingRead>,
    pub(super) look_ups: Vec<PendingLookUp>,
    pub(super) ids: Vec<Pending<i64, Unavailable>>,
    pub(super) ids_seen: BTreeSet<i64>,
    /// Checkpoints that are waited for, and what was visible when they were asked for.
    pub(super) checkpoints: Vec<(usize, Pending<(), Unavailable>)>,
    pub(super) close: Option<Pending<(), Unavailable>>,
    pub(super) operations: u64,
    /// A power was cut since the engine last opened.
    pub(super) power_cut: bool,
    /// A flush has failed in this life.
    pub(super) flush_failed: bool,
    depth: u32,
    pub(super) violation: Option<String>,
}

/// The sizes and habits of one run.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) direct: Direct,
    wal_max_bytes: u64,
    tail_bytes: usize,
    pub(super) log_rules: LogRules,
    retention_check_interval_ms: u64,
    index_interval_bytes: u64,
    checkpoint_interval_ms: u64,
    /// At each operation once in so many times something else happens meanwhile; 0: never.
    interleave: u64,
    /// Once in so many times an append asks for `Durability::Os`; 0: never.
    pub(super) os_once_in: u64,
    #[cfg(feature = "planted-bugs")]
    bug: Option<ottla_storage::local::PlantedBug>,
}

/// What the engine told its observers.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) poisoned: AtomicBool,
    moves: Mutex<Vec<Moved>>,
}

impl Observer for Heard {
    fn advanced(&self, _: &[PartitionId]) {}

    fn log_start_moved(&self, partition: PartitionId, from: i64, to: i64, cause: LogStartCause) {
        self.moves.lock().unwrap_or_else(PoisonError::into_inner).push(Moved { partition, from, to, cause });
    }

    fn poisoned(&self, _: &Unavailable) {
        self.poisoned.store(true, Ordering::Relaxed);
    }
}

impl Life {
    pub(super) fn calm() -> Self {
        Self { crash_at: None, crashed: None, fault: Fault::None, faulted: false, closing: false, calm: true }
    }
}

impl Setup {
    fn draw(rng: &mut Prng, plan: &Plan) -> Self {
        let direct = match rng.between(0, 5) {
            0 => Direct::RefusedAtOpen,
            1 => Direct::RefusedAtWrite,
            _ => Direct::Works,
        };
        #[cfg(not(feature = "planted-bugs"))]
        let _ = plan;
        Self {
            direct,
            wal_max_bytes: 256 << 10 << rng.between(0, 1),
            tail_bytes: 8 << 10 << rng.between(0, 3),
            log_rules: LogRules {
                segment_bytes: 2 << 10 << rng.between(0, 4),
                min_cleanable_dirty_ratio: [0.0, 0.5][rng.between(0, 1) as usize],
                dedupe_buffer_bytes: [150, 300, 1 << 20, 1 << 20][rng.between(0, 3) as usize],
            },
            retention_check_interval_ms: if rng.once_in(2) { 0 } else { 1_000 },
            index_interval_bytes: 256 << rng.between(0, 3),
            checkpoint_interval_ms: if rng.once_in(2) { 0 } else { 5_000 },
            interleave: [0, 2, 4, 16][rng.between(0, 3) as usize],
            os_once_in: [0, 0, 2, 5][rng.between(0, 3) as usize],
            #[cfg(feature = "planted-bugs")]
            bug: plan.bug,
        }
    }

    /// The options of one process.
    pub(super) fn options(&self, random: u64, clock: &Clock) -> LocalOptions {
        let (monotonic, wall) = (clock.clone(), clock.clone());
        let mut options = LocalOptions::new("/data", random, Arc::new(move || monotonic.monotonic_ms()));
        options.wall_ms = Arc::new(move || wall.wall_ms());
        options.wal_max_bytes = self.wal_max_bytes;
        options.wal_segment_bytes = 64 << 10;
        options.tail_bytes = self.tail_bytes;
        options.log_configs = Arc::new(self.log_rules);
        options.retention_check_interval_ms = self.retention_check_interval_ms;
        options.index_interval_bytes = self.index_interval_bytes;
        options.checkpoint_interval_ms = self.checkpoint_interval_ms;
        #[cfg(feature = "planted-bugs")]
        {
            options.planted_bug = self.bug;
        }
        options
    }
}

/// Runs one seed.
pub(super) fn run(plan: &Plan) -> Outcome {
    let world = Arc::new(World::new(plan));
    let hook: Arc<dyn Hook> = world.clone();
    let (disk_seed, direct) = {
        let mut shared = world.lock();
        (shared.rng.next(), shared.setup.direct)
    };
    let disk = SimulatedDisk::new(disk_seed, direct, hook);
    let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.live(&disk)));
    let mut shared = world.lock();
    if lived.is_err() {
        let story = crate::hunt::last_panic();
        shared.violation.get_or_insert(format!("the engine panicked: {story}"));
    }
    // The engine holds the disk and the disk the world.
    let engine = shared.engine.take();
    let trace = std::mem::replace(&mut shared.trace, Trace::new(Telling::Nothing));
    let (violation, events) = (shared.violation.take(), shared.operations);
    drop(shared);
    drop(engine);
    Outcome { hash: trace.hash(), events, counts: Vec::new(), violation, lines: trace.into_lines() }
}

impl World {
    fn new(plan: &Plan) -> Self {
        let (mut rng, clock) = (Prng::new(plan.seed), Clock::default());
        let setup = Setup::draw(&mut rng, plan);
        let shared = Shared {
            trace: Trace::new(plan.telling),
            model: Model::default(),
            workload: Workload::draw(&mut rng),
            rng,
            setup,
            engine: None,
            life: Life::calm(),
            heard: Arc::default(),
            clock: clock.clone(),
            made: VecDeque::new(),
            reads: Vec::new(),
            look_ups: Vec::new(),
            ids: Vec::new(),
            ids_seen: BTreeSet::new(),
            checkpoints: Vec::new(),
            close: None,
            operations: 0,
            power_cut: false,
            flush_failed: false,
            depth: 0,
            violation: None,
        };
        Self { shared: Mutex::new(shared), clock }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this process is over, or the run.
    pub(super) fn is_over(&self) -> bool {
        let shared = self.lock();
        shared.life.crashed.is_some() || shared.violation.is_some()
    }

    /// One turn of a role; answers whether it had anything to do.
    pub(super) fn turn(&self, role: Role) -> bool {
        let Some(engine) = self.lock().engine.clone() else { return false };
        let was_any = engine.turn(role);
        let mut shared = self.lock();
        if was_any {
            shared.trace.mix_number(100 + role as u64);
            shared.note(|| format!("  end of a turn of {role:?}"));
        }
        shared.collect();
        was_any
    }

    /// Turns until nobody has anything to do.
    pub(super) fn settle(&self) {
        for _ in 0..10_000 {
            let worked = Role::ALL.into_iter().filter(|role| self.turn(*role)).count();
            if worked == 0 || self.is_over() {
                return;
            }
        }
        self.lock().broken("the engine's threads are never done".into());
    }

    /// The same, and then everybody must have an answer.
    pub(super) fn settle_all(&self) {
        self.settle();
        let mut shared = self.lock();
        let waiting = shared.made.len() + shared.reads.len() + shared.look_ups.len() + shared.ids.len();
        if waiting + shared.checkpoints.len() > 0 && shared.life.crashed.is_none() {
            let first = shared.made.front().map_or(String::new(), |made| format!(", the first to {}", made.call));
            let checkpoints = shared.checkpoints.len();
            shared.broken(format!(
                "nobody has anything to do, and {waiting} calls and {checkpoints} checkpoints wait{first}"
            ));
        }
    }

    /// Something happens: a turn, or a call.
    pub(super) fn act(&self) {
        let role = {
            let mut shared = self.lock();
            match shared.rng.between(0, 19) {
                0..=8 => Role::Flusher,
                9..=10 => Role::Background,
                11..=12 => Role::WalSpace,
                13 => Role::Reader,
                14 => Role::LookUps,
                15 => Role::Cleaner,
                _ => {
                    shared.make_a_call();
                    return;
                }
            }
        };
        self.turn(role);
    }

    /// What happens in the middle of an operation.
    fn interleave(&self) {
        loop {
            {
                let mut shared = self.lock();
                let once_in = shared.setup.interleave;
                let never = once_in == 0 || shared.life.calm || shared.depth >= MAX_DEPTH || shared.engine.is_none();
                if never || shared.life.crashed.is_some() || shared.violation.is_some() || !shared.rng.once_in(once_in)
                {
                    return;
                }
                shared.depth += 1;
            }
            self.act();
            self.lock().depth -= 1;
        }
    }
}

impl Hook for World {
    fn before(&self, operation: Operation, path: &Path) -> Fate {
        let fate = self.lock().before(operation, path);
        if fate == Fate::Happens {
            self.interleave();
        }
        fate
    }
}

impl Shared {
    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        self.trace.note(self.operations, line);
    }

    /// A promise was broken. The first one counts.
    pub(super) fn broken(&mut self, what: String) {
        if self.violation.is_none() {
            self.note(|| format!("VIOLATION: {what}"));
            self.violation = Some(what);
        }
    }

    pub(super) fn check(&mut self, promise: Promise) {
        if let Err(what) = promise {
            self.broken(what);
        }
    }

    fn before(&mut self, operation: Operation, path: &Path) -> Fate {
        self.operations += 1;
        self.trace.mix_number(operation as u64);
        self.trace.mix(path.as_os_str().as_encoded_bytes());
        let depth = self.depth as usize;
        self.note(|| format!("    {:1$}{operation:?} {2}", "", depth * 2, path.display()));
        if self.violation.is_some() || self.life.calm || self.life.crashed.is_some() {
            return Fate::Happens;
        }
        self.collect();
        if let Some((at, crash)) = self.life.crash_at
            && self.operations >= at
        {
            self.life.crashed = Some(crash);
            self.made.iter_mut().for_each(|made| made.answered = made.poll());
            self.note(|| format!("{crash:?} during {operation:?} of {}", path.display()));
            return Fate::Crashes(crash);
        }
        match self.life.fault.strikes(operation, self.operations) {
            Some(errno) => {
                self.life.faulted = true;
                // What was not flushed is then as after a power cut, whatever comes next.
                self.power_cut |= operation.flushes();
                self.flush_failed |= operation.flushes();
                self.note(|| format!("error {errno} for {operation:?} of {}", path.display()));
                Fate::Fails(errno)
            }
            None => Fate::Happens,
        }
    }

    pub(super) fn is_poisoned(&self) -> bool {
        self.heard.poisoned.load(Ordering::Relaxed)
    }

    fn excuses(&self) -> Excuses {
        let not_written = self.life.faulted || self.life.closing;
        Excuses { not_written, unknown: self.life.faulted }
    }

    /// Takes in what was answered, and compares what the engine shows with what it should.
    pub(super) fn collect(&mut self) {
        if self.life.crashed.is_some() || self.violation.is_some() {
            return;
        }
        self.model.now_ms = self.clock.wall_ms();
        let heard = std::mem::take(&mut *self.heard.moves.lock().unwrap_or_else(PoisonError::into_inner));
        self.model.heard.extend(heard);
        self.collect_changes();
        let promise = self.model.take_retention();
        self.check(promise);
        self.collect_ids();
        self.collect_checkpoints();
        self.collect_reads();
        self.compare();
    }

    fn collect_changes(&mut self) {
        let excuses = self.excuses();
        while let Some(made) = self.made.front_mut()
            && let Some(answer) = made.poll()
        {
            let Some(made) = self.made.pop_front() else { return };
            let text = answer.to_string();
            self.trace.mix(text.as_bytes());
            self.note(|| format!("{}: {text}", made.call));
            if made.after_poison && answer.is_acknowledgement() {
                self.broken(format!("{} was acknowledged after the engine was poisoned: {text}", made.call));
            }
            let promise = self.model.answered(&made.call, &answer, excuses);
            self.check(promise.map_err(|what| format!("{}: {what}", made.call)));
        }
    }

    fn collect_ids(&mut self) {
        let mut found = Vec::new();
        self.ids.retain_mut(|pending| match poll(pending) {
            None => true,
            Some(result) => {
                found.push(result);
                false
            }
        });
        for result in found {
            match result {
                Ok(id) if !self.ids_seen.insert(id) => self.broken(format!("producer id {id} was handed out twice")),
                Ok(_) => {}
                Err(_) if self.excuses().not_written => {}
                Err(why) => self.broken(format!("no producer id was given, without need: {why}")),
            }
        }
    }

    fn collect_checkpoints(&mut self) {
        let mut found = Vec::new();
        self.checkpoints.retain_mut(|(position, pending)| match poll(pending) {
            None => true,
            Some(result) => {
                found.push((*position, result));
                false
            }
        });
        for (position, result) in found {
            self.note(|| format!("a checkpoint: {result:?}"));
            match result {
                Ok(()) => self.model.is_durable_up_to(position),
                Err(_) if self.excuses().not_written => {}
                Err(why) => self.broken(format!("a checkpoint was refused without need: {why}")),
            }
        }
    }

    /// The engine shows exactly what it has acknowledged.
    fn compare(&mut self) {
        let Some(engine) = self.engine.clone() else { return };
        let promise = self.model.visible.is_shown_by(engine.engine());
        self.check(promise.map_err(|what| format!("what is shown is not what was acknowledged: {what}")));
        if self.is_poisoned() && !self.life.fault.may_poison() {
            self.broken("the engine stops writing for a lack that passes".into());
        }
    }
}
