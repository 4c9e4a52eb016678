//! The world of one run: a broker with its machine, copiers, a network, a clock, and what happens when.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use ottla_groups::Now;
use ottla_storage::local::simulation::Role;
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
const FEWEST_COMMITS: u64 = 1;
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
    pub(super) disk: SimulatedDisk,
    pub(super) sizes: Sizes,
    pub(super) settings: AllSettings,
    pub(super) at_ms: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    happenings: BTreeMap<u64, Happening>,
    sequence: u64,
    pub(super) events: u64,
    /// The last number that anything was given.
    pub(super) numbers: u64,
    /// Which process of the broker this is.
    pub(super) life: u64,
    pub(super) heard: Arc<Heard>,
    pub(super) transactions: Vec<TransactionShard>,
    pub(super) groups: Vec<GroupShard>,
    /// What became of markers that groups wait for.
    pub(super) fates: BTreeMap<u64, Result<(), String>>,
    pub(super) producing: Vec<Producing>,
    pub(super) allotting: Vec<AllottingId>,
    pub(super) feeding: Vec<Pending<Vec<Result<Appended, AppendError>>, Unavailable>>,
    /// Who waits for an answer of a coordinator.
    pub(super) waiting: BTreeMap<Ticket, (usize, u64, Ask)>,
    pub(super) processes: Vec<Process>,
    pub(super) checks: Checks,
    pub(super) is_quiet: bool,
    calm_since_ms: u64,
    pub(super) crashes: u64,
}

/// As many of something as there are partitions of a coordinators' topic.
pub(super) fn shards<T: Default>() -> Vec<T> {
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
