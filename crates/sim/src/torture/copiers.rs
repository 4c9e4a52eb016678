//! What copiers do, and the network between them and the broker: it delays, loses and repeats.

use std::collections::{BTreeSet, VecDeque};

use ottla_storage::Isolation;
use ottla_transactions::Producer;

use super::log::{self, Entry, PARTITIONS, STAGES, Value};
use super::process::{Ask, Copied, Doing, Process, Told, Transaction};
use super::world::{Happening, World};

/// So many records at most go into one batch.
const MOST_IN_BATCH: usize = 3;

impl World {
    /// A process begins to use an id, whoever else does.
    pub(super) fn populate(&mut self, id: usize) {
        let (is_new, timeout_ms) = (!self.rng.once_in(3), self.rng.between(6, 20) as i32 * 100);
        self.processes.push(Process::new(id, is_new, timeout_ms));
        let process = self.processes.len() - 1;
        self.trace.tell(self.at_ms, || format!("p{process} starts for id{id}, {}", if is_new { "new" } else { "old" }));
        let after_ms = self.rng.between(0, 100);
        self.plan(after_ms, Happening::Act { process });
    }

    /// A process dies, and another one takes its place after a while.
    pub(super) fn die(&mut self, process: usize) {
        self.processes[process].lives = false;
        let (id, after_ms) = (self.processes[process].id, self.rng.between(0, 300));
        self.trace.tell(self.at_ms, || format!("p{process} dies"));
        self.plan(after_ms, Happening::Succeed { id });
    }

    pub(super) fn send_back(&mut self, process: usize, rpc: u64, told: Told) {
        if let Some(delay_ms) = self.network() {
            self.plan(delay_ms, Happening::Deliver { process, rpc, told });
        }
    }

    /// How long a message takes; `None` if it is lost.
    fn network(&mut self) -> Option<u64> {
        match self.rng.between(0, 99) {
            _ if self.is_quiet => Some(1),
            0..=2 => None,
            3..=8 => Some(self.rng.between(100, 1_200)),
            _ => Some(self.rng.between(1, 6)),
        }
    }

    /// Sends what a process wants, perhaps twice, and sees to it that it asks again.
    fn ask(&mut self, process: usize) {
        let it = &mut self.processes[process];
        let Some(doing) = it.doing.clone() else { return };
        it.rpc += 1;
        let nobody = Producer { id: -1, epoch: -1 };
        let producer = match doing {
            Doing::Init { known } => known.unwrap_or(nobody),
            Doing::End { .. } => it.asks_as.or(it.producer).unwrap_or(nobody),
            _ => it.producer.unwrap_or(nobody),
        };
        it.asks_as = Some(producer);
        let (rpc, ask) = (it.rpc, Ask { doing, producer, attempt: it.attempt() });
        self.checks.asks(&ask);
        for _ in 0..if self.rng.once_in(10) { 2 } else { 1 } {
            if let Some(delay_ms) = self.network() {
                self.plan(delay_ms, Happening::Arrive { process, rpc, ask: ask.clone() });
            }
        }
        let patience_ms = self.rng.between(100, 400);
        self.plan(patience_ms, Happening::AskAgain { process, rpc });
    }

    /// It has heard nothing. For records some wait no longer: they may still be written, so they abort, and move the epoch.
    pub(super) fn ask_again(&mut self, process: usize) {
        let gives_up = self.rng.once_in(3);
        let it = &mut self.processes[process];
        if gives_up && matches!(it.doing, Some(Doing::Write(_))) {
            it.doing = Some(Doing::End { commits: false });
            it.asks_as = None;
            it.needs_epoch = !it.is_new;
        }
        self.ask(process);
    }

    pub(super) fn deliver(&mut self, process: usize, rpc: u64, told: Told) {
        let it = &mut self.processes[process];
        if !it.lives || it.rpc != rpc {
            return;
        }
        let Some(doing) = it.doing.take() else { return };
        // An answer that comes twice is heard once.
        it.rpc += 1;
        self.trace.note(self.at_ms, || format!("p{process} hears {told:?} to {doing:?}"));
        self.hear(process, doing, told);
        self.processes[process].asks_as = None;
        if !self.processes[process].lives {
            return self.die(process);
        }
        let after_ms = if told == Told::Again { self.rng.between(5, 50) } else { self.pause() };
        self.plan(after_ms, Happening::Act { process });
    }

    fn hear(&mut self, process: usize, doing: Doing, told: Told) {
        let it = &mut self.processes[process];
        match (doing, told) {
            (doing, Told::Again) => it.doing = Some(doing),
            (Doing::Init { .. }, Told::Producer(producer)) => {
                it.becomes(producer);
                (it.transaction, it.position, it.needs_epoch) = (None, None, false);
            }
            (Doing::Fetch, Told::Offset(offset)) => it.position = Some(offset.max(0)),
            (Doing::Add(place), Told::Done) => {
                if let Some(transaction) = &mut it.transaction {
                    transaction.added.insert(place);
                }
            }
            (Doing::Write(copied), Told::Done) => it.wrote(&copied),
            (Doing::Commit { .. }, Told::Done) => {
                if let Some(transaction) = &mut it.transaction {
                    transaction.is_offset_sent = true;
                }
            }
            (Doing::End { commits }, Told::Producer(producer)) => {
                it.becomes(producer);
                if let Some(done) = it.transaction.take().filter(|_| commits) {
                    it.position = Some(done.next_position);
                }
                if it.needs_epoch {
                    it.doing = Some(Doing::Init { known: Some(producer) });
                }
            }
            (Doing::Init { .. }, _) => it.lives = false,
            (Doing::End { .. } | Doing::Fetch, _) | (_, Told::Fenced) => self.recover(process),
            (doing, _) => {
                it.needs_epoch |= matches!(doing, Doing::Write(_)) && !it.is_new;
                it.doing = Some(Doing::End { commits: false });
            }
        }
    }

    /// Most go on at once, some take very long.
    fn pause(&mut self) -> u64 {
        match self.rng.between(0, 39) {
            _ if self.is_quiet => 2,
            0 => self.rng.between(300, 2_500),
            _ => self.rng.between(0, 15),
        }
    }

    /// It goes on with what it knows, or gives up.
    fn recover(&mut self, process: usize) {
        let gives_up = self.rng.once_in(3);
        let it = &mut self.processes[process];
        it.lives &= !gives_up;
        it.transaction = None;
        it.doing = Some(Doing::Init { known: it.producer });
    }

    pub(super) fn act(&mut self, process: usize) {
        if !self.processes[process].lives {
            return;
        }
        if self.processes[process].doing.is_none() {
            let next = self.next_of(process);
            if next.is_none() {
                if !self.processes[process].finishes {
                    let after_ms = self.rng.between(10, 60);
                    self.plan(after_ms, Happening::Act { process });
                }
                return;
            }
            self.processes[process].doing = next;
        }
        self.ask(process);
    }

    /// What a process does next; `None` if there is nothing to copy, or it has done all.
    fn next_of(&mut self, process: usize) -> Option<Doing> {
        let it = &self.processes[process];
        if it.finishes && it.transaction.is_none() {
            return None;
        }
        if it.position.is_none() {
            return Some(Doing::Fetch);
        }
        if it.transaction.is_none() {
            self.begin(process)?;
        }
        self.processes[process].next_in_transaction()
    }

    /// Begins a transaction, if there is something to copy.
    fn begin(&mut self, process: usize) -> Option<()> {
        let most = self.rng.between(1, 8) as usize;
        let mut shown = self.read_input(process)?;
        shown.truncate(most);
        let next_position = shown.last()?.offset() + 1;
        self.numbers += 1;
        let attempt = self.numbers;
        let (id, source) = (self.processes[process].id, self.processes[process].source());
        let left = self.plan_copies(source, attempt, &shown);
        let copies = left.iter().map(|copied| copied.values.len()).sum();
        self.checks.begins(id, attempt, next_position, copies);
        let (will_commit, is_offset_sent, added) = (!self.rng.once_in(5), false, BTreeSet::new());
        let transaction = Transaction { attempt, left, added, next_position, is_offset_sent, will_commit };
        self.processes[process].transaction = Some(transaction);
        Some(())
    }

    /// What there is to copy next; `None` if nothing can be read now.
    fn read_input(&mut self, process: usize) -> Option<Vec<Entry>> {
        let it = &self.processes[process];
        let ((stage, index), position) = (it.source(), it.position?);
        let engine = self.machine.engine()?;
        let (source, max_bytes) = (log::partition(STAGES[stage], index), self.rng.between(1, 2_000) as usize);
        let outcome = log::read(&engine, source, position, max_bytes, Isolation::ReadCommitted);
        let found = outcome.and_then(|outcome| Ok((log::committed(&outcome)?, outcome.next_offset)));
        if let Err(problem) = &found {
            self.trace.note(self.at_ms, || format!("p{process} cannot read: {problem}"));
        }
        let (mut shown, next) = found.ok()?;
        shown.retain(|entry| entry.offset() >= position);
        if shown.is_empty() {
            // Nothing but aborted records and markers.
            let it = &mut self.processes[process];
            it.position = next.map(|next| next.max(position)).or(it.position);
        }
        Some(shown)
    }

    /// Each record goes to the partition that its number says, so that every transaction writes to all of them.
    fn plan_copies(&mut self, (stage, index): (usize, i32), attempt: u64, shown: &[Entry]) -> VecDeque<Copied> {
        let value = |entry: &Entry| match (stage, entry.value()) {
            (0, _) => Some(Value { from: index, number: entry.offset(), attempt }),
            (_, value) => value.map(|value| Value { attempt, ..value }),
        };
        let values: Vec<Value> = shown.iter().filter_map(value).collect();
        let mut copies = VecDeque::new();
        for partition in 0..PARTITIONS {
            let here: Vec<_> = values.iter().copied().filter(|value| output_of(*value) == partition).collect();
            for values in here.chunks(self.rng.between(1, MOST_IN_BATCH as u64) as usize) {
                let filler = if self.rng.once_in(4) { self.rng.between(0, 600) as usize } else { 0 };
                copies.push_back(Copied { partition, sequence: 0, values: values.to_vec(), filler });
            }
        }
        copies
    }
}

/// The partition where a record goes.
pub(super) fn output_of(value: Value) -> i32 {
    (value.number % i64::from(PARTITIONS)) as i32
}
