//! The world of one run: a broker with its machine, copiers, a network, a clock, and what happens when.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ottla_groups::Now;
use ottla_storage::local::simulation::{Role, SteppedEngine};
use ottla_storage::{AppendError, Appended, Engine, NewTopic, Pending, Unavailable};
use ottla_transactions::records::TransactionState;
use ottla_transactions::{Event, Ticket};

use super::audit::check_end;
use super::checks::Checks;
use super::group_shell::GroupShard;
use super::log::{self, PARTITIONS, STAGES, Value};
use super::machine::{Heard, Machine, Sizes, WALL_MS_AT_START};
use super::process::{Ask, IDS, Process, Told};
use super::requests::Producing;
use super::transaction_shell::{AllottingId, TransactionShard};
use crate::hunt::Outcome;
use crate::prng::Prng;
use crate::storage::calls::poll;
use crate::storage::disk::{Crash, SimulatedDisk};
use crate::storage::faults::Fault;
use crate::trace::{Telling, Trace};

/// So long after the faults have stopped everything must be copied.
const CALM_MS: u64 = 60_000;
/// A run with fewer shows nothing.
const FEWEST_COMMITS: u64 = 4;
/// So long some ids are left alone: all transactions time out within that.
const FORSAKEN_MS: u64 = 3_300;
/// After so long without anybody every transaction has timed out, and its abort was tried again.
const LAST_TIMEOUTS_MS: u64 = 4_000;

/// What the coordinators are told to be.
pub(super) struct AllSettings {
    pub(super) transactions: ottla_transactions::Settings,
    pub(super) groups: ottla_groups::Settings,
}

/// What happens at some moment.
pub(super) enum Happening {
    /// A process goes on.
    Act { process: usize },
    /// It has waited long enough for an answer.
    AskAgain { process: usize, rpc: u64 },
    /// A request reaches the broker.
    Arrive { process: usize, rpc: u64, ask: Ask },
    /// An answer reaches its process.
    Deliver { process: usize, rpc: u64, told: Told },
    /// Another process takes an id that nobody has any more.
    Succeed { id: usize },
    /// The engine's threads and the coordinators go on.
    Turn { life: u64 },
    /// The disk is full, or has space again.
    Space { life: u64, is_full: bool },
    /// There is more to copy.
    Feed,
    /// All logs are looked through.
    Audit,
    /// Something goes wrong, but for the disk.
    Trouble,
    /// The broker starts.
    Start,
    /// Nothing goes wrong any more.
    Calm,
    /// Of transactions that nobody ends, none may be left.
    LookForLate,
    /// Is everything copied?
    Look,
    /// All must be over.
    Judge,
}

/// One run.
pub(super) struct World {
    pub(super) rng: Prng,
    pub(super) trace: Trace,
    pub(super) machine: Arc<Machine>,
    disk: SimulatedDisk,
    sizes: Sizes,
    pub(super) settings: AllSettings,
    pub(super) at_ms: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    sequence: u64,
    pub(super) events: u64,
    /// The last number that anything was given.
    pub(super) numbers: u64,
    /// Which process of the broker this is.
    life: u64,
    heard: Arc<Heard>,
    pub(super) transactions: Vec<TransactionShard>,
    pub(super) groups: Vec<GroupShard>,
    /// What became of markers that groups wait for.
    pub(super) fates: BTreeMap<u64, Result<(), String>>,
    pub(super) producing: Vec<Producing>,
    pub(super) allotting: Vec<AllottingId>,
    feeding: Vec<Pending<Vec<Result<Appended, AppendError>>, Unavailable>>,
    /// Who waits for an answer of a coordinator.
    pub(super) waiting: BTreeMap<Ticket, (usize, u64, Ask)>,
    pub(super) processes: Vec<Process>,
    pub(super) checks: Checks,
    pub(super) is_quiet: bool,
    calm_since_ms: u64,
    crashes: u64,
}

/// As many of something as there are partitions of a coordinators' topic.
fn shards<T: Default>() -> Vec<T> {
    (0..PARTITIONS).map(|_| T::default()).collect()
}

impl World {
    pub(super) fn new(seed: u64, settings: AllSettings, bug: Option<&str>, telling: Telling) -> Self {
        let mut rng = Prng::new(seed);
        let (sizes, machine) = (Sizes::draw(&mut rng, bug), Machine::new(seed));
        World {
            rng,
            trace: Trace::new(telling),
            disk: machine.disk(seed, &sizes),
            machine,
            sizes,
            settings,
            at_ms: 0,
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            sequence: 0,
            events: 0,
            numbers: 0,
            life: 0,
            heard: Arc::default(),
            transactions: shards(),
            groups: shards(),
            fates: BTreeMap::new(),
            producing: Vec::new(),
            allotting: Vec::new(),
            feeding: Vec::new(),
            waiting: BTreeMap::new(),
            processes: Vec::new(),
            checks: Checks::default(),
            is_quiet: false,
            calm_since_ms: 0,
            crashes: 0,
        }
    }

    pub(super) fn now(&self) -> Now {
        Now { monotonic_ms: self.at_ms, wall_ms: WALL_MS_AT_START + self.at_ms as i64 }
    }

    pub(super) fn plan(&mut self, after_ms: u64, happening: Happening) {
        self.sequence += 1;
        self.happenings.insert(self.sequence, happening);
        self.queue.push(Reverse((self.at_ms + after_ms, self.sequence)));
    }

    /// Lets everything happen until the judgement or the first violation.
    pub(super) fn run(mut self) -> Outcome {
        self.prepare();
        while let Some(Reverse((at_ms, sequence))) = self.queue.pop() {
            let Some(happening) = self.happenings.remove(&sequence) else { continue };
            self.at_ms = at_ms;
            self.machine.set_clock(at_ms);
            self.events += 1;
            self.trace.mix_number(at_ms);
            let last = matches!(happening, Happening::Judge);
            self.happen(happening);
            self.notice_end();
            if last || self.checks.violation.is_some() {
                break;
            }
        }
        let violation = self.checks.violation.take().map(|what| format!("at {} ms: {what}", self.at_ms));
        let counts = vec![("commits", self.checks.commits), ("aborts", self.checks.aborts), ("crashes", self.crashes)];
        // The engine holds the disk and the disk the machine.
        self.machine.set_engine(None);
        self.trace.mix_number(self.machine.hash());
        let (hash, events) = (self.trace.hash(), self.events + self.machine.operations());
        Outcome { hash, events, counts, violation, lines: self.trace.into_lines() }
    }

    /// The broker starts for the first time, and has its topics; then life begins.
    fn prepare(&mut self) {
        self.open(None, Fault::None);
        let Some(engine) = self.machine.engine() else { return };
        let mut created: Vec<_> = log::topics()
            .map(|(name, id)| {
                let topic = NewTopic { name: name.into(), id, partitions: PARTITIONS, configs: BTreeMap::new() };
                engine.engine().create_topic(topic)
            })
            .collect();
        for _ in 0..100 {
            for role in Role::ALL {
                engine.turn(role);
            }
            created.retain_mut(|created| poll(created).is_none());
        }
        if !created.is_empty() {
            self.checks.fail("the topics are not created".into());
        }
        (0..IDS).for_each(|id| self.populate(id));
        let storm_ms = self.rng.between(1_500, 3_500);
        self.plan(0, Happening::Turn { life: self.life });
        self.plan(1, Happening::Feed);
        self.plan(200, Happening::Audit);
        self.plan(300, Happening::Trouble);
        self.plan(storm_ms, Happening::Calm);
        let (crash_in, fault) = self.draw_life();
        self.machine.begin(crash_in, fault);
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Act { process } => self.act(process),
            Happening::AskAgain { process, rpc } => {
                let it = &self.processes[process];
                if it.lives && it.rpc == rpc && it.doing.is_some() {
                    self.ask_again(process);
                }
            }
            Happening::Arrive { process, rpc, ask } => self.arrive(process, rpc, &ask),
            Happening::Deliver { process, rpc, told } => self.deliver(process, rpc, told),
            Happening::Succeed { id } => {
                if !self.processes.iter().any(|process| process.id == id && process.lives) {
                    self.populate(id);
                }
            }
            Happening::Turn { life } if life == self.life => self.turn(),
            Happening::Space { life, is_full } if life == self.life => self.change_space(is_full),
            Happening::Feed => self.feed(),
            Happening::Audit => {
                self.audit();
                let after_ms = self.rng.between(150, 500);
                self.plan(after_ms, Happening::Audit);
            }
            Happening::Trouble => self.trouble(),
            Happening::Start => self.start(),
            Happening::Calm => self.calm_down(),
            Happening::LookForLate => self.look_for_late(),
            Happening::Look => self.look(),
            Happening::Judge => self.judge(),
            // Of an earlier life.
            Happening::Turn { .. } | Happening::Space { .. } => {}
        }
    }

    // The broker's process.

    /// At which operation the process ends, how, and what fails before that.
    fn draw_life(&mut self) -> (Option<(u64, Crash)>, Fault) {
        if self.is_quiet {
            return (None, Fault::None);
        }
        let crash = if self.rng.once_in(3) { Crash::Kill } else { Crash::PowerCut };
        let fault = Fault::draw(&mut self.rng, self.machine.operations());
        let after = match self.rng.between(0, 4) {
            0 => self.rng.between(1, 60),
            // A disk takes its time to become full.
            _ if matches!(fault, Fault::Full { .. }) => self.rng.between(300, 3_000),
            _ => self.rng.between(60, 700),
        };
        (Some((after, crash)), fault)
    }

    fn start(&mut self) {
        if self.machine.engine().is_some() {
            return;
        }
        let (crash_in, fault) = self.draw_life();
        self.trace.tell(self.at_ms, || format!("the broker starts; {crash_in:?}, {fault:?}"));
        if !self.open(crash_in, fault) {
            return;
        }
        if let Fault::Full { .. } = fault {
            self.change_space(true);
        }
        self.audit();
        self.plan(0, Happening::Turn { life: self.life });
    }

    /// The disk is full for a while, and then has space for a while.
    fn change_space(&mut self, is_full: bool) {
        if self.is_quiet {
            return;
        }
        let left = if self.rng.once_in(2) { 0 } else { self.rng.between(0, 40 << 10) };
        let limit = is_full.then(|| self.disk.used_bytes() + left);
        self.trace.note(self.at_ms, || format!("the disk has {limit:?} bytes"));
        self.disk.limit_to(limit);
        let after_ms = if is_full { self.rng.between(50, 600) } else { self.rng.between(5, 100) };
        self.plan(after_ms, Happening::Space { life: self.life, is_full: !is_full });
    }

    /// Between two calls of the engine its threads may have gone on.
    pub(super) fn others_go_on(&mut self) {
        let Some(engine) = self.machine.engine().filter(|_| self.rng.once_in(4)) else { return };
        for role in [Role::Flusher, Role::WalSpace, Role::Flusher] {
            if self.machine.crashed().is_none() && self.rng.once_in(2) {
                engine.turn(role);
            }
        }
    }

    /// Opens the engine. Where it does not open because of a crash or a fault, the process begins anew.
    fn open(&mut self, crash_in: Option<(u64, Crash)>, fault: Fault) -> bool {
        self.machine.begin(crash_in, fault);
        let opened = SteppedEngine::open(self.machine.options(&self.sizes), Arc::new(self.disk.clone()));
        match opened {
            Ok(engine) => {
                self.heard = Arc::default();
                engine.engine().subscribe(self.heard.clone());
                self.machine.set_engine(Some(Arc::new(engine)));
                return true;
            }
            Err(_) if self.machine.crashed().is_some() => {}
            Err(error) if self.machine.take_faulted() => {
                self.trace.tell(self.at_ms, || format!("it does not open: {error}"));
                self.go_down(Crash::Kill);
            }
            Err(error) => self.checks.fail(format!("it does not open: {error}")),
        }
        false
    }

    /// The process is over, or has to end because its engine writes no more.
    fn notice_end(&mut self) {
        if let Some(crash) = self.machine.crashed() {
            self.go_down(crash);
        } else if self.machine.engine().is_some() && self.heard.poisoned.load(Ordering::Relaxed) {
            self.go_down(Crash::Kill);
        }
    }

    pub(super) fn go_down(&mut self, crash: Crash) {
        self.trace.tell(self.at_ms, || format!("the broker is down: {crash:?}"));
        self.disk.end();
        (self.transactions, self.groups) = (shards(), shards());
        self.fates.clear();
        self.waiting.clear();
        self.producing.clear();
        self.allotting.clear();
        self.feeding.clear();
        self.machine.set_engine(None);
        self.machine.begin(None, Fault::None);
        self.disk.restart(crash);
        self.life += 1;
        self.crashes += 1;
        let down_ms = self.rng.between(0, 150);
        self.plan(down_ms, Happening::Start);
    }

    /// Some threads of the engine go on, and then whoever waits for them.
    fn turn(&mut self) {
        let Some(engine) = self.machine.engine() else { return };
        for _ in 0..self.rng.between(1, 4) {
            let role = match self.rng.between(0, 19) {
                0..=9 => Role::Flusher,
                10..=12 => Role::WalSpace,
                13..=16 => Role::Background,
                17 => Role::Cleaner,
                18 => Role::Reader,
                _ => {
                    self.care(&engine);
                    continue;
                }
            };
            engine.turn(role);
            if self.machine.crashed().is_some() {
                return;
            }
        }
        self.settle();
        self.tick();
        let after_ms = self.rng.between(1, 4);
        self.plan(after_ms, Happening::Turn { life: self.life });
    }

    /// What the engine does once in a while: a checkpoint, or a cleaning.
    fn care(&mut self, engine: &SteppedEngine) {
        match self.rng.between(0, 5) {
            0 => drop(engine.engine().maintain(usize::MAX)),
            1 => drop(engine.clean()),
            _ => {}
        }
    }

    fn settle(&mut self) {
        self.settle_producing();
        self.settle_allotments();
        self.feeding.retain_mut(|feeding| poll(feeding).is_none());
        for shard in 0..PARTITIONS as usize {
            self.settle_groups(shard);
            self.settle_transactions(shard);
            self.settle_groups(shard);
        }
    }

    fn tick(&mut self) {
        for shard in 0..PARTITIONS as usize {
            let due = |deadline: Option<u64>| deadline.is_some_and(|deadline_ms| deadline_ms <= self.at_ms);
            let live = self.transactions[shard].live.as_ref();
            if live.is_some_and(|live| due(live.coordinator.next_deadline())) {
                self.tell(shard, Event::Tick);
            }
        }
    }

    // What comes from outside.

    fn feed(&mut self) {
        if self.is_quiet {
            return;
        }
        if let Some(engine) = self.machine.engine() {
            let partition = self.rng.between(0, PARTITIONS as u64 - 1) as i32;
            let nothing = Value { from: partition, number: -1, attempt: 0 };
            let values = vec![nothing; self.rng.between(1, 4) as usize];
            let batch = log::batch(None, &values, self.now().wall_ms, 0);
            let append = log::client_append(log::partition(STAGES[0], partition), batch);
            self.feeding.push(engine.engine().append(vec![append]));
        }
        let after_ms = self.rng.between(20, 120);
        self.plan(after_ms, Happening::Feed);
    }

    fn trouble(&mut self) {
        if self.is_quiet {
            return;
        }
        let id = self.rng.between(0, IDS as u64 - 1) as usize;
        match self.rng.between(0, 8) {
            0 if self.machine.engine().is_some() => self.go_down(Crash::Kill),
            7 | 8 => (0..PARTITIONS as usize).for_each(|shard| self.tell(shard, Event::ExpireTransactionalIds)),
            luck => {
                // Another one comes, while the last one still lives or not.
                if luck < 5 {
                    self.processes.iter_mut().filter(|process| process.id == id).for_each(|it| it.lives = false);
                }
                self.populate(id);
            }
        }
        let after_ms = self.rng.between(60, 500);
        self.plan(after_ms, Happening::Trouble);
    }

    fn calm_down(&mut self) {
        self.trace.tell(self.at_ms, || "nothing goes wrong any more".into());
        (self.is_quiet, self.calm_since_ms) = (true, self.at_ms);
        self.machine.relent();
        self.disk.limit_to(None);
        // Nobody has a life without crashes.
        if self.machine.engine().is_some() {
            self.go_down(Crash::PowerCut);
        }
        for id in 0..IDS {
            if self.rng.once_in(2) {
                // Nobody comes to abort what it has left: that is for the coordinator to do, in time.
                self.processes.iter_mut().filter(|process| process.id == id).for_each(|it| it.lives = false);
                self.plan(FORSAKEN_MS, Happening::Succeed { id });
            }
        }
        self.plan(FORSAKEN_MS - 1, Happening::LookForLate);
        self.plan(300, Happening::Look);
    }

    /// Transactions have an end, whether somebody ends them or not.
    fn look_for_late(&mut self) {
        let started_before_ms = self.now().wall_ms - FORSAKEN_MS as i64;
        let Some(findings) = self.audit() else { return };
        let late = findings
            .stored
            .iter()
            .flatten()
            .find(|(_, stored)| stored.state == TransactionState::Ongoing && stored.start_ms < started_before_ms);
        if let Some((id, stored)) = late {
            self.checks.fail(format!("the transaction of {id} is never ended: {stored:?}"));
        }
    }

    /// Whether everything is copied; then nobody begins anything any more, and all must come to an end.
    fn look(&mut self) {
        let findings = self.audit();
        if findings.is_some_and(|findings| findings.is_copied()) {
            self.processes.iter_mut().for_each(|process| process.finishes = true);
            self.trace.tell(self.at_ms, || "everything is copied".into());
            return self.plan(LAST_TIMEOUTS_MS, Happening::Judge);
        }
        if self.at_ms > self.calm_since_ms + CALM_MS {
            return self.checks.fail(format!("not everything was copied within {CALM_MS} ms of calm"));
        }
        self.plan(300, Happening::Look);
    }

    fn judge(&mut self) {
        self.judge_logs();
        self.go_down(Crash::PowerCut);
        self.open(None, Fault::None);
        self.judge_logs();
        if self.checks.commits < FEWEST_COMMITS {
            self.checks.fail(format!("only {} commits", self.checks.commits));
        }
    }

    fn judge_logs(&mut self) {
        match self.audit() {
            Some(findings) => {
                if let Err(problem) = check_end(&findings) {
                    self.checks.fail(problem);
                }
            }
            None => self.checks.fail("the logs cannot be read at the end".into()),
        }
    }
}
