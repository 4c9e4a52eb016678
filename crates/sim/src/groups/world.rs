//! The world of one run: one queue of things that will happen, and the clock that jumps from one to the next.
use super::Plan;
use super::broker::{Broker, Waiting, now};
use super::checks::Checks;
use super::client::{Client, Phase, Wake, Wish};
use super::connections::Connections;
use super::consumer_client::ConsumerPart;
use super::faults::Fault;
use super::topics::{Reads, View};
use crate::hunt::Outcome;
use crate::prng::Prng;
use crate::trace::Trace;
use ottla_groups::{Action, Answer, ClientInfo, Event, MigrationPolicy, Request, Settings, Ticket, TopicId};
use std::collections::BTreeMap;

/// How long faults happen.
const FAULTS_MS: u64 = 30_000;
/// How long everything may take to find its place afterwards, and how long it must then stay there.
const SETTLE_MS: u64 = 45_000;
const STAY_MS: u64 = 12_000;

/// Keys of records about groups begin with this version.
const GROUP_KEYS: [u8; 7] = [2, 3, 4, 5, 6, 7, 8];

/// Something that will happen.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    /// A request reaches the broker.
    Arrive {
        from: Waiting,
        name: String,
        request: Request,
    },
    /// The broker hears that a connection is lost.
    Cancel {
        life: u64,
        ticket: Ticket,
    },
    /// An answer reaches its client.
    Deliver {
        life: u64,
        client: usize,
        rpc: u64,
        answer: Answer,
        /// What names of topics meant when it was given.
        meant: View,
    },
    /// The broker hears that a client's connection is lost.
    Lose {
        life: u64,
        connection: u64,
    },
    /// A client's own clock.
    Wake {
        client: usize,
        epoch: u64,
        what: Wake,
    },
    /// A client asks which topics there are.
    Refresh {
        client: usize,
    },
    /// The coordinator hears that a topic is gone.
    TopicGone {
        life: u64,
        topic_id: TopicId,
    },
    Tick {
        life: u64,
    },
    /// The log is durable up to here.
    Flush {
        life: u64,
        length: usize,
    },
    /// The broker dies.
    Crash {
        life: u64,
    },
    /// The broker starts.
    Start,
    /// The broker goes on after standing still.
    StallEnds {
        life: u64,
    },
    /// Something goes wrong.
    Fault,
    /// From now on nothing goes wrong any more.
    Quiet,
    /// Everything must have found its place.
    Judge {
        again: bool,
    },
}

/// One run.
pub(super) struct World {
    pub(super) at_ms: u64,
    pub(super) rng: Prng,
    pub(super) broker: Broker,
    pub(super) clients: Vec<Client>,
    pub(super) checks: Checks,
    pub(super) trace: Trace,
    pub(super) quiet: bool,
    pub(super) settings: Settings,
    pub(super) connections: Connections,
    /// The topics that there are, those that the coordinator was told of last, and how many were ever made.
    pub(super) topics: View,
    pub(super) topics_told: View,
    pub(super) topics_made: u8,
    /// The broker will die right after the next change of a group, before that can be durable everywhere.
    pub(super) crash_prepared: bool,
    queue: BTreeMap<(u64, u64), Happening>,
    sequence: u64,
    /// What reached the broker while it stood still.
    deferred: Vec<Happening>,
    /// Offsets are handed out once, so that each commit can be told from every other.
    next_offset: i64,
    events: u64,
}

impl World {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut rng = Prng::new(plan.seed);
        let delay = match rng.between(0, 3) {
            0 => Some(0),
            1 => Some(800),
            _ => None,
        };
        let session_timeout_ms = rng.between(20, 80) * 100;
        // With the other two, members of one protocol could keep those of the other out for ever.
        let policy = if rng.once_in(4) { MigrationPolicy::Upgrade } else { MigrationPolicy::Bidirectional };
        let settings = plan.settings(delay, session_timeout_ms, policy);
        let mut world = World {
            at_ms: 0,
            broker: Broker::new(),
            clients: Vec::new(),
            checks: Checks::new(settings.clone(), session_timeout_ms),
            trace: Trace::new(plan.readable),
            quiet: false,
            connections: Connections::default(),
            topics: View::first(),
            topics_told: View::first(),
            topics_made: 1,
            crash_prepared: false,
            settings,
            queue: BTreeMap::new(),
            sequence: 0,
            deferred: Vec::new(),
            next_offset: 1,
            events: 0,
            rng,
        };
        world.populate(session_timeout_ms);
        world
    }

    fn populate(&mut self, session_timeout_ms: u64) {
        self.plan(0, Happening::Start);
        let groups = self.rng.between(1, 2);
        for group in 0..groups {
            self.configure(&format!("g{group}"));
            let are_consumers = self.rng.once_in(2);
            let may_change = self.rng.once_in(3);
            for member in 0..self.rng.between(2, 4) {
                let instance = self.rng.once_in(3).then(|| format!("i{member}"));
                let mut client = Client::new(format!("c{group}{member}"), format!("g{group}"), instance);
                client.session_timeout_ms = session_timeout_ms;
                client.rebalance_timeout_ms = self.rng.between(20, 50) * 100;
                client.require_known_member_id = !self.rng.once_in(4);
                client.supports_skip_assignment = !self.rng.once_in(3);
                client.prefers_second = self.rng.once_in(2);
                client.lazy = self.rng.once_in(10);
                client.reads = Reads::of(self.rng.next());
                client.may_change = may_change;
                if if may_change { self.rng.once_in(2) } else { are_consumers } {
                    self.make_consumer(&mut client);
                }
                self.add_client(client);
            }
        }
        self.plan(500, Happening::Fault);
        self.plan(FAULTS_MS, Happening::Quiet);
        self.plan(FAULTS_MS + SETTLE_MS, Happening::Judge { again: false });
        self.plan(FAULTS_MS + SETTLE_MS + STAY_MS, Happening::Judge { again: true });
    }

    /// Makes a new process one of the consumer protocol, with an id of its own.
    fn make_consumer(&mut self, client: &mut Client) {
        client.member_id = format!("{}-{}", client.name, self.clients.len());
        let stops_in_ms = if client.lazy { None } else { Some(self.rng.between(0, 1_500)) };
        client.lazy = false;
        client.consumer = Some(ConsumerPart { stops_in_ms, ..ConsumerPart::default() });
    }

    pub(super) fn add_client(&mut self, mut client: Client) {
        client.connection = self.connections.open();
        client.view = self.topics;
        let after_ms = self.rng.between(0, 300);
        let (index, epoch) = (self.clients.len(), client.epoch);
        self.clients.push(client);
        self.plan(after_ms, Happening::Wake { client: index, epoch, what: Wake::Join });
    }

    pub(super) fn plan(&mut self, after_ms: u64, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((self.at_ms + after_ms, self.sequence), happening);
    }

    /// Lets everything happen until the last judgement or the first violation.
    pub(super) fn run(mut self) -> Outcome {
        while let Some(((at_ms, _), happening)) = self.queue.pop_first() {
            self.at_ms = at_ms;
            self.events += 1;
            self.trace.mix_number(at_ms);
            let last = matches!(happening, Happening::Judge { again: true });
            self.happen(happening);
            if last || self.checks.violation().is_some() {
                break;
            }
        }
        let violation = self.checks.violation().map(|violation| format!("at {} ms: {violation}", self.at_ms));
        let (hash, events) = (self.trace.hash(), self.events);
        Outcome { hash, events, violation, lines: self.trace.into_lines() }
    }

    fn happen(&mut self, happening: Happening) {
        if self.broker.stalled_since_ms.is_some() && is_the_brokers(&happening) {
            return self.deferred.push(happening);
        }
        match happening {
            Happening::Arrive { from, name, request } => self.arrive(from, name, request),
            Happening::Cancel { life, ticket } if life == self.broker.life => {
                self.broker.waiting.remove(&ticket);
                self.checks.cancelled(ticket);
                self.tell(Event::Cancelled { ticket });
            }
            Happening::Lose { life, connection } if life == self.broker.life => self.lose(connection),
            Happening::Deliver { life, client, rpc, answer, meant } => {
                // What was answered in an earlier life: see `Client::connection_lost`.
                self.clients[client].lazy &= life == self.broker.life;
                self.deliver(client, rpc, &answer, &meant);
            }
            Happening::Wake { client, epoch, what } if self.clients[client].epoch == epoch => self.wake(client, what),
            Happening::Refresh { client } => self.clients[client].refresh(&self.topics),
            Happening::TopicGone { life, topic_id } if life == self.broker.life => self.tell_gone(topic_id),
            Happening::Tick { life } if life == self.broker.life => {
                self.broker.tick_at_ms = None;
                self.tell(Event::Tick);
            }
            Happening::Flush { life, length } if life == self.broker.life => {
                self.broker.flush_planned = false;
                self.broker.durable = self.broker.durable.max(length);
                self.send_replies();
                self.plan_flush();
            }
            Happening::Crash { life } if life == self.broker.life => self.crash_broker(),
            Happening::Start => self.start(),
            Happening::StallEnds { life } if life == self.broker.life => self.end_stall(),
            Happening::Fault => {
                if !self.quiet {
                    Fault::choose(&mut self.rng).happen(self);
                    let pause_ms = self.rng.between(200, 3_000);
                    self.plan(pause_ms, Happening::Fault);
                }
            }
            Happening::Quiet => self.calm_down(),
            Happening::Judge { again } => {
                let coordinator = self.broker.coordinator.as_mut();
                self.checks.judge(now(self.at_ms), coordinator, &self.clients, again);
            }
            // Of an earlier life.
            Happening::Cancel { .. } | Happening::Lose { .. } | Happening::Wake { .. } | Happening::Tick { .. } => {}
            Happening::Flush { .. } | Happening::StallEnds { .. } | Happening::Crash { .. } => {}
            Happening::TopicGone { .. } => {}
        }
    }

    fn start(&mut self) {
        if self.broker.coordinator.is_some() {
            return;
        }
        let configs = self.connections.configs();
        let at = now(self.at_ms);
        self.broker.start(self.settings.clone()).handle(at, Event::GroupConfigsChanged(configs));
        self.tell_first_topics();
        self.checks.topics.untold = 1;
        let actions = self.broker.coordinator.as_mut().map(|coordinator| coordinator.loaded(at));
        self.trace.note(self.at_ms, || "the broker starts".into());
        self.act(actions.unwrap_or_default(), None);
        self.tell_deletions();
    }

    fn end_stall(&mut self) {
        let began_ms = self.broker.stalled_since_ms.take().unwrap_or(self.at_ms);
        self.checks.stalled(self.at_ms - began_ms);
        // What waits in the sockets comes first, then the clock.
        let (clock, waiting): (Vec<_>, Vec<_>) =
            core::mem::take(&mut self.deferred).into_iter().partition(|h| matches!(h, Happening::Tick { .. }));
        waiting.into_iter().for_each(|happening| self.happen(happening));
        clock.into_iter().for_each(|happening| self.happen(happening));
    }

    fn calm_down(&mut self) {
        self.quiet = true;
        self.crash_prepared = false;
        self.trace.note(self.at_ms, || "the faults stop".into());
        self.make_missing_topic();
        for consumer in self.clients.iter_mut().filter_map(|client| client.consumer.as_mut()) {
            // Two that never stop would put each other out for ever.
            consumer.stops_in_ms.get_or_insert(1_000);
        }
        for group_id in ["g0", "g1"] {
            let of_group = |client: &Client| client.group_id == group_id;
            let lives = self.clients.iter().any(|client| of_group(client) && client.phase != Phase::Gone);
            let template = self.clients.iter().position(of_group);
            if let (Some(template), false) = (template, lives) {
                self.restart_client(template);
            }
        }
    }

    /// A new process with the settings of an earlier one.
    pub(super) fn restart_client(&mut self, template: usize) {
        let old = &self.clients[template];
        let mut client = Client::new(old.name.clone(), old.group_id.clone(), old.instance.clone());
        client.session_timeout_ms = old.session_timeout_ms;
        client.rebalance_timeout_ms = old.rebalance_timeout_ms;
        client.require_known_member_id = old.require_known_member_id;
        client.supports_skip_assignment = old.supports_skip_assignment;
        client.prefers_second = old.prefers_second;
        client.reads = old.reads;
        client.may_change = old.may_change;
        let is_consumer = old.consumer.is_some();
        let is_consumer = if client.may_change { self.rng.once_in(2) } else { is_consumer };
        client.lazy = !self.quiet && self.rng.once_in(10);
        if is_consumer {
            self.make_consumer(&mut client);
        }
        self.trace.note(self.at_ms, || format!("{} starts as a new process", client.name));
        self.add_client(client);
    }

    fn wake(&mut self, client: usize, what: Wake) {
        self.next_offset += 1;
        let before = self.clients[client].owned.clone();
        let gives_up = self.clients[client].current_rpc.is_some_and(|rpc| what == Wake::GiveUp(rpc));
        let wishes = self.clients[client].woken(self.at_ms, what, self.next_offset);
        self.checks.works(&self.clients, client, &before);
        if let Wake::GiveUp(rpc) = what {
            self.close_connection(client, |waiting| waiting.rpc == rpc);
        }
        if gives_up {
            self.break_connection(client);
        }
        self.fulfil(client, wishes);
    }

    fn deliver(&mut self, client: usize, rpc: u64, answer: &Answer, meant: &View) {
        let (at_ms, name) = (self.at_ms, &self.clients[client].name);
        self.trace.note(at_ms, || format!("{name} hears {answer:?}"));
        let lived = self.clients[client].phase != Phase::Gone;
        let before = self.clients[client].owned.clone();
        let wishes = self.clients[client].answered(at_ms, rpc, answer, meant);
        self.checks.works(&self.clients, client, &before);
        self.fulfil(client, wishes);
        if lived && self.clients[client].phase == Phase::Gone {
            self.restart_if_last(client);
        }
    }

    /// A process that was fenced ends; if there is no other one of its name, somebody starts it again.
    fn restart_if_last(&mut self, client: usize) {
        let name = &self.clients[client].name;
        if !self.clients.iter().any(|other| other.name == *name && other.phase != Phase::Gone) {
            self.restart_client(client);
        }
    }

    pub(super) fn fulfil(&mut self, client: usize, wishes: Vec<Wish>) {
        let epoch = self.clients[client].epoch;
        for wish in wishes {
            match wish {
                Wish::Wake { after_ms, what } => self.plan(after_ms, Happening::Wake { client, epoch, what }),
                Wish::Send { rpc, request, patience_ms } => {
                    let connection = Some(self.clients[client].connection);
                    self.send(Waiting { client: Some(client), rpc, connection }, request);
                    if patience_ms > 0 {
                        self.plan(patience_ms, Happening::Wake { client, epoch, what: Wake::GiveUp(rpc) });
                    }
                }
            }
        }
    }

    /// Sends a request over the network, which may lose it, delay it and deliver it twice.
    pub(super) fn send(&mut self, from: Waiting, request: Request) {
        let name = from.client.map_or("admin".into(), |client| self.clients[client].name.clone());
        let copies = if !self.quiet && self.rng.once_in(15) { 2 } else { 1 };
        for _ in 0..copies {
            if let Some(delay_ms) = self.network() {
                let arrive = Happening::Arrive { from: from.clone(), name: name.clone(), request: request.clone() };
                self.plan(delay_ms, arrive);
            }
        }
    }

    /// How long a message takes; `None` if it is lost.
    fn network(&mut self) -> Option<u64> {
        if self.quiet {
            return Some(self.rng.between(1, 5));
        }
        match self.rng.between(0, 99) {
            0..=4 => None,
            5..=7 => Some(self.rng.between(2_000, 9_000)),
            8..=17 => Some(self.rng.between(100, 1_500)),
            _ => Some(self.rng.between(1, 40)),
        }
    }

    fn arrive(&mut self, from: Waiting, name: String, mut request: Request) {
        if from.connection.is_some_and(|connection| self.connections.is_lost(connection)) {
            return;
        }
        if self.broker.coordinator.is_none() {
            return;
        }
        if let Some(client) = from.client.map(|client| &mut self.clients[client])
            && client.is_in_order(&request)
        {
            // A connection keeps its order, and is closed with what its client has given up on.
            if from.rpc <= client.last_arrived {
                return;
            }
            client.last_arrived = from.rpc;
        }
        if let Request::JoinGroup(request) = &mut request {
            request.random = [self.rng.next(), self.rng.next()];
        }
        if !self.look_up(&mut request) {
            return;
        }
        self.tell_topics(&request);
        self.trace.note(self.at_ms, || format!("{name} asks {request:?}"));
        let connection = from.connection;
        let ticket = self.broker.ticket(from);
        let client = ClientInfo { client_id: name, host: "/10.0.0.1".into(), software: None, connection };
        self.checks.asked(self.at_ms, ticket, &request, connection);
        let event = Event::Request { ticket, client, request };
        let Some(coordinator) = self.broker.coordinator.as_mut() else { return };
        let actions = coordinator.handle(now(self.at_ms), event);
        self.act(actions, Some(ticket));
    }

    pub(super) fn tell(&mut self, event: Event) {
        let Some(coordinator) = self.broker.coordinator.as_mut() else { return };
        let is_tick = event == Event::Tick;
        let actions = coordinator.handle(now(self.at_ms), event);
        self.act(actions, None);
        if let (true, Some(coordinator)) = (is_tick, &self.broker.coordinator) {
            self.checks.waits_end(now(self.at_ms), coordinator, 0);
        }
    }

    /// Does what the coordinator wants, in order.
    fn act(&mut self, actions: Vec<Action>, ticket: Option<Ticket>) {
        self.checks.emitted(self.at_ms, ticket, &actions);
        for action in actions {
            self.trace.note(self.at_ms, || format!("  {action:?}"));
            match action {
                Action::Append(record) => {
                    if self.crash_prepared && record.key.get(1).is_some_and(|version| GROUP_KEYS.contains(version)) {
                        self.crash_prepared = false;
                        let after_ms = self.rng.between(0, 6);
                        self.plan(after_ms, Happening::Crash { life: self.broker.life });
                    }
                    self.trace.mix(&record.key);
                    self.trace.mix(record.value.as_deref().unwrap_or_default());
                    self.checks.appended(&record);
                    self.broker.log.push(record);
                }
                Action::Reply(ticket, answer) => {
                    self.trace.mix_number(ticket.0);
                    let meant = self.checks.meant(ticket);
                    self.broker.hold(ticket, answer, meant);
                }
                Action::Event(_) => {}
            }
        }
        if let Some(coordinator) = self.broker.coordinator.as_mut() {
            self.checks.after_step(now(self.at_ms), coordinator);
        }
        self.send_replies();
        self.plan_flush();
        self.plan_tick();
    }

    fn send_replies(&mut self) {
        while let Some((ticket, answer, meant)) = self.broker.release() {
            self.checks.released(ticket, &answer);
            let Some(Waiting { client: Some(client), rpc, .. }) = self.broker.waiting.remove(&ticket) else { continue };
            if let Some(delay_ms) = self.network() {
                let life = self.broker.life;
                self.plan(delay_ms, Happening::Deliver { life, client, rpc, answer, meant });
            }
        }
    }

    fn plan_flush(&mut self) {
        let length = self.broker.log.len();
        if length > self.broker.durable && !self.broker.flush_planned {
            self.broker.flush_planned = true;
            let after_ms = self.rng.between(0, 12);
            self.plan(after_ms, Happening::Flush { life: self.broker.life, length });
        }
    }

    fn plan_tick(&mut self) {
        let due = self.broker.coordinator.as_ref().and_then(|coordinator| coordinator.next_deadline());
        let Some(due_ms) = due.map(|due_ms| due_ms.max(self.at_ms)) else { return };
        if self.broker.tick_at_ms.is_none_or(|planned_ms| due_ms < planned_ms) {
            self.broker.tick_at_ms = Some(due_ms);
            self.plan(due_ms - self.at_ms, Happening::Tick { life: self.broker.life });
        }
    }

    /// The broker dies and loses an unsynced end of its log.
    pub(super) fn crash_broker(&mut self) {
        if self.broker.coordinator.is_none() {
            return;
        }
        if let Some(coordinator) = self.broker.coordinator.as_mut() {
            self.checks.replays(now(self.at_ms), coordinator);
        }
        let surviving = self.rng.between(self.broker.durable as u64, self.broker.log.len() as u64) as usize;
        self.trace.note(self.at_ms, || format!("the broker crashes, {surviving} records survive"));
        self.deferred.clear();
        let waiting = self.broker.crash(surviving);
        self.checks.crashed(&self.broker.log);
        for Waiting { client, rpc, .. } in waiting {
            if let (Some(client), false) = (client, self.rng.once_in(3)) {
                let epoch = self.clients[client].epoch;
                self.plan(1, Happening::Wake { client, epoch, what: Wake::GiveUp(rpc) });
            }
        }
        for client in 0..self.clients.len() {
            let wishes = self.clients[client].connection_lost();
            self.fulfil(client, wishes);
        }
        let down_ms = self.rng.between(0, 1_500);
        self.plan(down_ms, Happening::Start);
    }

    /// The broker stands still.
    pub(super) fn stall_broker(&mut self) {
        if self.broker.coordinator.is_none() || self.broker.stalled_since_ms.is_some() {
            return;
        }
        let stall_ms = self.rng.between(300, 12_000);
        self.trace.note(self.at_ms, || format!("the broker stands still for {stall_ms} ms"));
        self.broker.stalled_since_ms = Some(self.at_ms);
        self.plan(stall_ms, Happening::StallEnds { life: self.broker.life });
    }

    /// A process ends without a word; the broker may hear that its connections are gone.
    pub(super) fn kill_client(&mut self, client: usize) {
        self.trace.note(self.at_ms, || format!("{} dies", self.clients[client].name));
        self.clients[client].stop();
        self.close_connection(client, |_| true);
        self.break_connection(client);
    }

    /// The requests of a lost connection are cancelled, if the broker hears of it.
    fn close_connection(&mut self, client: usize, which: impl Fn(&Waiting) -> bool) {
        if !self.quiet && self.rng.once_in(3) {
            return;
        }
        let concerns = |waiting: &Waiting| waiting.client == Some(client) && which(waiting);
        let tickets = self.broker.waiting.iter().filter(|(_, waiting)| concerns(waiting)).map(|(ticket, _)| *ticket);
        for ticket in tickets.collect::<Vec<_>>() {
            let delay_ms = self.rng.between(0, 50);
            self.plan(delay_ms, Happening::Cancel { life: self.broker.life, ticket });
        }
    }
}

/// Things that wait while the broker stands still.
fn is_the_brokers(happening: &Happening) -> bool {
    use Happening::{Arrive, Cancel, Flush, Lose, Tick, TopicGone};
    matches!(happening, TopicGone { .. } | Arrive { .. } | Lose { .. } | Cancel { .. } | Tick { .. } | Flush { .. })
}
