//! The shell around the coordinator, as honest as a real one: appends become durable in order and later, replies wait for
//! the appends before them, ticks come at the deadline. It can crash and it can stand still.
use super::topics::View;
use ottla_groups::{Answer, Coordinator, Now, Record, Settings, Ticket};
use std::collections::{BTreeMap, VecDeque};

/// Wall time at the beginning of every run.
const EPOCH_MS: i64 = 1_700_000_000_000;

pub(super) fn now(at_ms: u64) -> Now {
    Now { monotonic_ms: at_ms, wall_ms: EPOCH_MS + at_ms as i64 }
}

/// Who waits for an answer.
#[derive(Debug, Clone)]
pub(super) struct Waiting {
    /// `None` for an administrator whose answer nobody reads.
    pub(super) client: Option<usize>,
    pub(super) rpc: u64,
    /// Over which connection it asked; an administrator's does not count.
    pub(super) connection: Option<u64>,
}

/// The broker.
pub(super) struct Broker {
    /// `None` while it is down.
    pub(super) coordinator: Option<Coordinator>,
    pub(super) log: Vec<Record>,
    /// How much of the log a crash cannot take.
    pub(super) durable: usize,
    /// Replies with the length the durable log must have, and with what names of topics meant to whoever answered.
    held: VecDeque<(usize, Ticket, Answer, View)>,
    /// Requests handed to the coordinator and not answered yet, as far as the clients know.
    pub(super) waiting: BTreeMap<Ticket, Waiting>,
    next_ticket: u64,
    /// Since when it stands still.
    pub(super) stalled_since_ms: Option<u64>,
    /// When the next tick is planned.
    pub(super) tick_at_ms: Option<u64>,
    pub(super) flush_planned: bool,
    /// Grows with every start; what was planned for an earlier life is void.
    pub(super) life: u64,
}

impl Broker {
    pub(super) fn new() -> Self {
        Broker {
            coordinator: None,
            log: Vec::new(),
            durable: 0,
            held: VecDeque::new(),
            waiting: BTreeMap::new(),
            next_ticket: 1,
            stalled_since_ms: None,
            tick_at_ms: None,
            flush_planned: false,
            life: 0,
        }
    }

    pub(super) fn ticket(&mut self, waiting: Waiting) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.waiting.insert(ticket, waiting);
        ticket
    }

    /// Builds a coordinator from what is left of the log. The caller ends the loading.
    pub(super) fn start(&mut self, settings: Settings) -> &mut Coordinator {
        let mut coordinator = Coordinator::new(settings);
        for record in &self.log {
            coordinator.replay(record);
        }
        self.coordinator.insert(coordinator)
    }

    /// Dies with the first `surviving` records in its log.
    pub(super) fn crash(&mut self, surviving: usize) -> Vec<Waiting> {
        self.log.truncate(surviving);
        self.durable = surviving;
        self.coordinator = None;
        self.held.clear();
        self.stalled_since_ms = None;
        self.tick_at_ms = None;
        self.flush_planned = false;
        self.life += 1;
        core::mem::take(&mut self.waiting).into_values().collect()
    }

    /// Holds a reply until what was appended before it is durable.
    pub(super) fn hold(&mut self, ticket: Ticket, answer: Answer, meant: View) {
        self.held.push_back((self.log.len(), ticket, answer, meant));
    }

    /// The next reply that may leave.
    pub(super) fn release(&mut self) -> Option<(Ticket, Answer, View)> {
        let (needed, ..) = self.held.front()?;
        if *needed > self.durable {
            return None;
        }
        self.held.pop_front().map(|(_, ticket, answer, meant)| (ticket, answer, meant))
    }
}
