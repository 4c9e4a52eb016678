//! The world of one run: one queue of things that will happen, the shell around the coordinator, and the processes.
use super::checks::Checks;
use super::engine::{Batch, Engine, Frame, PARTITIONS};
use super::process::{Doing, Process, Told};
use crate::hunt::Outcome;
use crate::prng::Prng;
use crate::trace::{Telling, Trace};
use ottla_transactions::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};

const EPOCH_MS: i64 = 1_700_000_000_000;
/// For so long things go wrong; then everything must be over so much later.
const FAULTS_MS: u64 = 20_000;
const REST_MS: u64 = 15_000;
pub(super) const IDS: usize = 3;
/// What a run must have at least, or it shows nothing.
const FEWEST_COMMITS: u64 = 3;
const FEWEST_CRASHES: u64 = 1;

/// Something that will happen.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    /// A process does what it has to do next.
    Act {
        process: usize,
    },
    /// It has waited long enough for an answer.
    AskAgain {
        process: usize,
        rpc: u64,
    },
    Arrive {
        process: usize,
        rpc: u64,
        ask: Ask,
    },
    Deliver {
        process: usize,
        rpc: u64,
        told: Told,
    },
    Tick {
        life: u64,
    },
    Flush {
        life: u64,
        length: usize,
    },
    Ended {
        life: u64,
        end: EndId,
        result: Result<(), EndFailed>,
    },
    Allotted {
        life: u64,
        allotment: Allotment,
        producer_id: Option<i64>,
    },
    Crash,
    Start,
    Fault,
    Quiet,
    Judge,
}

/// What a process asks, and as whom.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) doing: Doing,
    pub(super) producer: Producer,
    pub(super) attempt: u64,
}

/// Something that leaves when so much of the log is durable.
pub(super) enum Held {
    Answer(Ticket, Answer),
    Written { process: usize, rpc: u64 },
    End(EndId),
}

/// One run.
pub(super) struct World {
    pub(super) rng: Prng,
    pub(super) at_ms: u64,
    pub(super) settings: Settings,
    pub(super) coordinator: Option<Coordinator>,
    pub(super) engine: Engine,
    pub(super) processes: Vec<Process>,
    pub(super) checks: Checks,
    pub(super) trace: Trace,
    pub(super) queue: BinaryHeap<Reverse<(u64, u64)>>,
    pub(super) happenings: BTreeMap<u64, Happening>,
    pub(super) sequence: u64,
    pub(super) held: VecDeque<(usize, Held)>,
    pub(super) waiting: BTreeMap<Ticket, (usize, u64, Ask)>,
    /// Ends in the log that the coordinator has not heard of.
    pub(super) unheard: BTreeSet<EndId>,
    pub(super) numbers: u64,
    pub(super) life: u64,
    pub(super) tick_at_ms: Option<u64>,
    pub(super) flush_planned: bool,
    pub(super) is_quiet: bool,
    pub(super) events: u64,
    pub(super) crashes: u64,
}

impl World {
    pub(super) fn new(seed: u64, settings: Settings, telling: Telling) -> Self {
        let mut world = World {
            rng: Prng::new(seed),
            at_ms: 0,
            coordinator: None,
            engine: Engine::default(),
            processes: Vec::new(),
            checks: Checks::default(),
            trace: Trace::new(telling),
            queue: BinaryHeap::new(),
            happenings: BTreeMap::new(),
            sequence: 0,
            held: VecDeque::new(),
            waiting: BTreeMap::new(),
            unheard: BTreeSet::new(),
            numbers: 0,
            life: 0,
            tick_at_ms: None,
            flush_planned: false,
            is_quiet: false,
            events: 0,
            crashes: 0,
            settings,
        };
        world.begin_with_many_epochs();
        world.plan(0, Happening::Start);
        for id in 0..IDS {
            world.populate(id);
        }
        world.plan(500, Happening::Fault);
        let crash_ms = world.rng.between(2_000, 15_000);
        world.plan(crash_ms, Happening::Crash);
        world.plan(FAULTS_MS, Happening::Quiet);
        world.plan(FAULTS_MS + REST_MS, Happening::Judge);
        world
    }

    /// The first id is old: it has hardly any epochs left.
    fn begin_with_many_epochs(&mut self) {
        let (id, epoch) = (self.engine.allot(), 32_759_i16);
        let mut value = vec![0, 1];
        value.extend(id.to_be_bytes());
        value.extend(epoch.to_be_bytes());
        value.extend(2_000_i32.to_be_bytes());
        // Empty, no partitions.
        value.extend([0, 0]);
        value.extend(EPOCH_MS.to_be_bytes());
        value.extend((-1_i64).to_be_bytes());
        value.push(0);
        self.engine.frames.push(Frame::Record(Record { key: vec![0, 0, 0, 3, b'i', b'd', b'0'], value: Some(value) }));
        self.engine.durable = 1;
    }

    pub(super) fn now(&self) -> Now {
        Now { monotonic_ms: self.at_ms, wall_ms: EPOCH_MS + self.at_ms as i64 }
    }

    pub(super) fn plan(&mut self, after_ms: u64, happening: Happening) {
        self.sequence += 1;
        self.happenings.insert(self.sequence, happening);
        self.queue.push(Reverse((self.at_ms + after_ms, self.sequence)));
    }

    /// A process begins to use an id, whoever else does.
    fn populate(&mut self, id: usize) {
        let (is_new, timeout_ms) = (!self.rng.once_in(3), self.rng.between(8, 30) as i32 * 100);
        let mut process = Process::new(id, is_new, timeout_ms);
        process.doing = Some(Doing::Init { known: None });
        self.processes.push(process);
        let process = self.processes.len() - 1;
        self.trace.tell(self.at_ms, || format!("p{process} starts for id{id}, {}", if is_new { "new" } else { "old" }));
        let after_ms = self.rng.between(0, 300);
        self.plan(after_ms, Happening::Act { process });
    }

    /// Lets everything happen until the judgement or the first violation.
    pub(super) fn run(mut self) -> Outcome {
        while let Some(Reverse((at_ms, sequence))) = self.queue.pop() {
            let Some(happening) = self.happenings.remove(&sequence) else { continue };
            self.at_ms = at_ms;
            self.events += 1;
            self.trace.mix_number(at_ms);
            let last = matches!(happening, Happening::Judge);
            self.happen(happening);
            if self.events.is_multiple_of(50) {
                self.check_replay();
            }
            if last || self.checks.violation.is_some() {
                break;
            }
        }
        let violation = self.checks.violation.take().map(|what| format!("at {} ms: {what}", self.at_ms));
        let counts = vec![("commits", self.checks.commits), ("crashes", self.crashes)];
        let (hash, events) = (self.trace.hash(), self.events);
        Outcome { hash, events, counts, violation, lines: self.trace.into_lines() }
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
            Happening::Arrive { process, rpc, ask } => self.arrive(process, rpc, ask),
            Happening::Deliver { process, rpc, told } => self.deliver(process, rpc, told),
            Happening::Tick { life } if life == self.life => {
                self.tick_at_ms = None;
                self.tell(Event::Tick);
            }
            Happening::Flush { life, length } if life == self.life => {
                self.flush_planned = false;
                self.engine.durable = self.engine.durable.max(length);
                self.release();
                self.plan_flush();
            }
            Happening::Ended { life, end, result } if life == self.life => {
                self.unheard.remove(&end);
                self.tell(Event::Ended { end, result });
            }
            Happening::Allotted { life, allotment, producer_id } if life == self.life => {
                self.tell(Event::ProducerIdAllotted { allotment, producer_id });
            }
            Happening::Crash => self.crash(),
            Happening::Start => self.start(),
            Happening::Fault => self.fault(),
            Happening::Quiet => self.calm_down(),
            Happening::Judge => self.judge(),
            // Of an earlier life.
            Happening::Tick { .. } | Happening::Flush { .. } => {}
            Happening::Ended { .. } | Happening::Allotted { .. } => {}
        }
    }

    // What goes wrong.

    fn fault(&mut self) {
        if self.is_quiet {
            return;
        }
        let id = self.rng.between(0, IDS as u64 - 1) as usize;
        match self.rng.between(0, 5) {
            0 | 1 => self.crash(),
            2 | 3 => self.tell(Event::ExpireTransactionalIds),
            luck => {
                let of_id = self.processes.iter_mut().filter(|process| process.id == id);
                // Or another one comes while the last one still lives.
                of_id.for_each(|process| process.lives &= luck == 5);
                self.populate(id);
            }
        }
        for id in 0..IDS {
            // An id does not stay without anybody for long.
            if !self.processes.iter().any(|process| process.id == id && process.lives) {
                self.populate(id);
            }
        }
        let after_ms = self.rng.between(100, 1_500);
        self.plan(after_ms, Happening::Fault);
    }

    fn calm_down(&mut self) {
        self.is_quiet = true;
        self.trace.tell(self.at_ms, || "nothing goes wrong any more".into());
        for process in 0..self.processes.len() {
            self.processes[process].finishes = true;
            let dies = self.rng.once_in(2);
            self.processes[process].lives &= !dies;
        }
    }

    fn judge(&mut self) {
        self.check_replay();
        self.checks.judge(&self.engine);
        if self.checks.commits < FEWEST_COMMITS || self.crashes < FEWEST_CRASHES {
            let (commits, crashes) = (self.checks.commits, self.crashes);
            self.checks.fail(format!("only {commits} commits and {crashes} crashes"));
        }
    }

    // Processes and the network.

    pub(super) fn send_back(&mut self, process: usize, rpc: u64, told: Told) {
        if let Some(delay_ms) = self.network() {
            self.plan(delay_ms, Happening::Deliver { process, rpc, told });
        }
    }

    /// How long a message takes; `None` if it is lost.
    pub(super) fn network(&mut self) -> Option<u64> {
        match self.rng.between(0, 99) {
            _ if self.is_quiet => Some(1),
            0..=3 => None,
            4..=9 => Some(self.rng.between(100, 1_500)),
            _ => Some(self.rng.between(1, 20)),
        }
    }

    /// Sends what a process wants, perhaps twice, and sees to it that it asks again.
    fn ask(&mut self, process: usize) {
        let it = &mut self.processes[process];
        let Some(doing) = it.doing else { return };
        it.rpc += 1;
        let nobody = Producer { id: -1, epoch: -1 };
        let producer = match doing {
            Doing::Init { known } => known.unwrap_or(nobody),
            Doing::End { .. } => it.asks_as.or(it.producer).unwrap_or(nobody),
            _ => it.producer.unwrap_or(nobody),
        };
        it.asks_as = Some(producer);
        let (rpc, ask) = (it.rpc, Ask { doing, producer, attempt: it.attempt });
        for _ in 0..if self.rng.once_in(12) { 2 } else { 1 } {
            if let Some(delay_ms) = self.network() {
                self.plan(delay_ms, Happening::Arrive { process, rpc, ask: ask.clone() });
            }
        }
        let patience_ms = self.rng.between(200, 600);
        self.plan(patience_ms, Happening::AskAgain { process, rpc });
    }

    /// It has heard nothing. For a batch some wait no longer: it may still be written, so they abort, and move the epoch.
    fn ask_again(&mut self, process: usize) {
        let gives_up = self.rng.once_in(3);
        let it = &mut self.processes[process];
        if gives_up && matches!(it.doing, Some(Doing::Write(..))) {
            it.doing = Some(Doing::End { commits: false });
            it.asks_as = None;
            it.needs_epoch = !it.is_new;
        }
        self.ask(process);
    }

    fn arrive(&mut self, process: usize, rpc: u64, ask: Ask) {
        if self.coordinator.is_none() {
            return;
        }
        let it = &mut self.processes[process];
        // Before version 2 nothing but the connection's order tells a late request from a new one; batches go over another.
        if !matches!(ask.doing, Doing::Write(..)) {
            if !it.is_new && rpc < it.arrived {
                return;
            }
            it.arrived = it.arrived.max(rpc);
        }
        self.trace.note(self.at_ms, || format!("p{process} asks {ask:?}"));
        let (id, is_new, timeout_ms) = (format!("id{}", it.id), it.is_new, it.timeout_ms);
        let Producer { id: producer_id, epoch: producer_epoch } = ask.producer;
        let request = match ask.doing {
            Doing::Write(..) => return self.write(process, rpc, &ask),
            Doing::Init { .. } => {
                Request::InitProducer(InitProducer { transactional_id: id, timeout_ms, producer_id, producer_epoch })
            }
            Doing::Add((topic, number)) => Request::AddPartitions(AddPartitions {
                transactional_id: id,
                producer_id,
                producer_epoch,
                partitions: vec![(topic.into(), vec![number])],
                verify_only: false,
            }),
            Doing::End { commits } => Request::EndTransaction(EndTransaction {
                transactional_id: id,
                producer_id,
                producer_epoch,
                commits,
                bumps_epoch: is_new,
            }),
        };
        self.numbers += 1;
        let ticket = Ticket(self.numbers);
        self.waiting.insert(ticket, (process, rpc, ask));
        self.tell(Event::Request { ticket, request });
    }

    /// The gate, and the batch right behind it.
    fn write(&mut self, process: usize, rpc: u64, ask: &Ask) {
        let Doing::Write(partition, number) = ask.doing else { return };
        let it = &self.processes[process];
        let id = format!("id{}", it.id);
        let admission = Admission {
            transactional_id: &id,
            producer_id: ask.producer.id,
            producer_epoch: ask.producer.epoch,
            partitions: &[partition],
            membership: if it.is_new { Membership::Implicit } else { Membership::Explicit { knows_abortable: true } },
        };
        let batch = Batch { partition, id: it.id, producer: ask.producer, number, attempt: ask.attempt };
        let (now, mut actions) = (self.now(), Vec::new());
        let Some(coordinator) = self.coordinator.as_mut() else { return };
        let result = coordinator.admit(now, &admission, &mut actions).remove(0);
        self.follow(actions);
        if let Err(error) = result {
            return self.send_back(process, rpc, refused(error));
        }
        if !self.engine.has_batch(number) {
            self.checks.written(&batch);
            self.engine.frames.push(Frame::Batch(batch));
        }
        self.hold(Held::Written { process, rpc });
        self.release();
        self.plan_flush();
    }

    fn deliver(&mut self, process: usize, rpc: u64, told: Told) {
        let it = &mut self.processes[process];
        if !it.lives || it.rpc != rpc {
            return;
        }
        let Some(doing) = it.doing.take() else { return };
        // An answer that comes twice is heard once.
        it.rpc += 1;
        self.trace.note(self.at_ms, || format!("p{process} hears {told:?}"));
        let it = &mut self.processes[process];
        match (doing, told) {
            (_, Told::Again) => it.doing = Some(doing),
            (Doing::Init { .. }, Told::Producer(producer)) => {
                it.producer = Some(producer);
                self.begin(process);
            }
            (Doing::End { commits }, Told::Producer(producer)) => {
                self.trace.tell(self.at_ms, || format!("p{process} hears that it has ended: {commits}"));
                let it = &mut self.processes[process];
                it.producer = Some(producer);
                match core::mem::take(&mut it.needs_epoch) {
                    true => it.doing = Some(Doing::Init { known: Some(producer) }),
                    false => self.begin(process),
                }
            }
            (Doing::Add(partition), Told::Done) => drop(it.added.insert(partition)),
            (Doing::Write(..), Told::Done) => it.writes_next = None,
            (Doing::Init { .. }, _) => it.lives = false,
            (Doing::End { .. }, _) | (_, Told::Fenced) => self.recover(process),
            (_, _) => it.doing = Some(Doing::End { commits: false }),
        }
        self.processes[process].asks_as = None;
        let after_ms = if self.is_quiet { 5 } else { self.pause() };
        self.plan(after_ms, Happening::Act { process });
    }

    /// Most go on at once, some take very long.
    fn pause(&mut self) -> u64 {
        if self.rng.once_in(25) { self.rng.between(500, 4_000) } else { self.rng.between(1, 100) }
    }

    fn begin(&mut self, process: usize) {
        self.numbers += 1;
        let batches = self.rng.between(u64::from(!self.processes[process].is_new), 4);
        self.processes[process].begin(self.numbers, batches);
    }

    /// It goes on with what it knows, or gives up.
    fn recover(&mut self, process: usize) {
        let gives_up = self.rng.once_in(3);
        let it = &mut self.processes[process];
        it.lives &= !gives_up;
        it.doing = Some(Doing::Init { known: it.producer });
    }

    fn act(&mut self, process: usize) {
        let it = &self.processes[process];
        if !it.lives {
            return;
        }
        if it.doing.is_none() {
            let next = self.next_of(process);
            if next.is_none() {
                return;
            }
            self.processes[process].doing = next;
        }
        self.ask(process);
    }

    /// What a process does next; `None` if it has done all.
    fn next_of(&mut self, process: usize) -> Option<Doing> {
        let it = &self.processes[process];
        if it.finishes && it.added.is_empty() {
            return None;
        }
        if it.batches_left == 0 && it.writes_next.is_none() {
            let commits = !it.added.is_empty() && !self.rng.once_in(3);
            return Some(Doing::End { commits });
        }
        let partition = match it.writes_next {
            Some(partition) => partition,
            None => PARTITIONS[self.rng.between(0, PARTITIONS.len() as u64 - 1) as usize],
        };
        let it = &mut self.processes[process];
        if it.writes_next.is_none() {
            it.batches_left -= 1;
            it.writes_next = Some(partition);
        }
        if !it.is_new && !it.added.contains(&partition) {
            return Some(Doing::Add(partition));
        }
        it.added.insert(partition);
        self.numbers += 1;
        Some(Doing::Write(partition, self.numbers))
    }
}

/// What a process makes of a refusal.
pub(super) fn refused(error: TransactionError) -> Told {
    match error {
        TransactionError::ConcurrentTransactions
        | TransactionError::CoordinatorNotAvailable
        | TransactionError::CoordinatorLoadInProgress => Told::Again,
        TransactionError::ProducerFenced | TransactionError::InvalidProducerIdMapping => Told::Fenced,
        _ => Told::Broken,
    }
}
