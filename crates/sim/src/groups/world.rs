//! The world of one run: one queue of things that will happen, and the clock that jumps from one to the next.
use super::Plan;
use super::broker::{Broker, Waiting, now};
use super::checks::{Check, Checks};
use super::choices::{Choice, Choices};
use super::client::{Client, Wake};
use super::connections::Connections;
use super::faults::{Fault, Moment};
use super::topics::View;
use crate::hunt::Outcome;
use crate::prng::Prng;
use crate::trace::Trace;
use ottla_groups::{Answer, Event, MigrationPolicy, Request, Settings, Ticket, TopicId};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// What a run must have at least, or it shows nothing.
const FEWEST_EVENTS: u64 = 300;
const FEWEST_MEMBERS: usize = 5;
const FEWEST_FAULTS: u64 = 3;

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
    Fault {
        number: u64,
    },
    /// From now on nothing goes wrong any more.
    Quiet,
    /// Everything must have found its place.
    Judge {
        again: bool,
    },
}

/// One run.
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) at_ms: u64,
    /// The chances of what happens now.
    pub(super) rng: Prng,
    /// What this run does of what its seed would do.
    pub(super) choices: Choices,
    /// How many members there are.
    pub(super) members: usize,
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
    /// How many member ids were drawn.
    pub(super) ids_drawn: u64,
    /// The broker will die right after the next such moment, before what happens in it can be durable everywhere.
    pub(super) crashes_prepared: BTreeSet<Moment>,
    /// What will happen when, and where of `happenings` it lies: it is large, and would be moved about.
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    happenings: Vec<Option<Happening>>,
    free: Vec<usize>,
    sequence: u64,
    /// What reached the broker while it stood still.
    pub(super) deferred: Vec<Happening>,
    /// Offsets are handed out once, so that each commit can be told from every other.
    pub(super) next_offset: i64,
    events: u64,
    /// Faults that did something, and when the last one did.
    faults: u64,
    last_fault_ms: u64,
}

/// One run as it was.
pub(super) struct Ran {
    pub(super) outcome: Outcome,
    /// Which check failed; none if the core panicked.
    pub(super) check: Option<Check>,
    pub(super) made: Vec<Choice>,
    pub(super) last_fault_ms: u64,
}

impl Ran {
    /// The core panicked.
    pub(super) fn panicked(story: String) -> Self {
        let outcome = Outcome { hash: 0, events: 0, counts: Vec::new(), violation: Some(story), lines: Vec::new() };
        Ran { outcome, check: None, made: Vec::new(), last_fault_ms: 0 }
    }
}

impl World {
    pub(super) fn new(plan: &Plan, choices: Choices) -> Self {
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
            seed: plan.seed,
            at_ms: 0,
            choices,
            members: 0,
            broker: Broker::new(),
            clients: Vec::new(),
            checks: Checks::new(settings.clone(), session_timeout_ms),
            trace: Trace::new(plan.telling),
            quiet: false,
            connections: Connections::default(),
            topics: View::first(),
            topics_told: View::first(),
            topics_made: 1,
            ids_drawn: 0,
            crashes_prepared: BTreeSet::new(),
            settings,
            queue: BinaryHeap::new(),
            happenings: Vec::new(),
            free: Vec::new(),
            sequence: 0,
            deferred: Vec::new(),
            next_offset: 1,
            events: 0,
            faults: 0,
            last_fault_ms: 0,
            rng,
        };
        world.plan(0, Happening::Start);
        world.populate(session_timeout_ms);
        for slot in 0..world.members {
            world.choices.choose(Choice::Member(slot));
            world.choices.choose(Choice::Commits(slot));
        }
        world
    }

    pub(super) fn plan(&mut self, after_ms: u64, happening: Happening) {
        self.sequence += 1;
        let place = self.free.pop().unwrap_or(self.happenings.len());
        if place == self.happenings.len() {
            self.happenings.push(None);
        }
        self.happenings[place] = Some(happening);
        self.queue.push(Reverse((self.at_ms + after_ms, self.sequence, place)));
    }

    fn next(&mut self) -> Option<(u64, Happening)> {
        let Reverse((at_ms, _, place)) = self.queue.pop()?;
        self.free.push(place);
        Some((at_ms, self.happenings[place].take()?))
    }

    /// Lets everything happen until the last judgement or the first violation.
    pub(super) fn run(mut self) -> Ran {
        while let Some((at_ms, happening)) = self.next() {
            self.at_ms = at_ms;
            self.events += 1;
            self.trace.mix_number(at_ms);
            let last = matches!(happening, Happening::Judge { again: true });
            self.happen(happening);
            if last {
                self.judge_the_run();
            }
            if last || self.checks.violation().is_some() {
                break;
            }
        }
        let (check, violation) = self.checks.violation().map(|(check, what)| (*check, what.clone())).unzip();
        let violation = violation.map(|violation| format!("at {} ms: {violation}", self.at_ms));
        let (hash, events) = (self.trace.hash(), self.events);
        let counts = [("members", self.members as u64), ("faults", self.faults)];
        let outcome = Outcome { hash, events, counts: counts.to_vec(), violation, lines: self.trace.into_lines() };
        Ran { outcome, check, made: self.choices.into_made(), last_fault_ms: self.last_fault_ms }
    }

    /// A whole run that did little shows little.
    fn judge_the_run(&mut self) {
        let (events, members, faults) = (self.events, self.members, self.faults);
        let does_enough = events >= FEWEST_EVENTS && members >= FEWEST_MEMBERS && faults >= FEWEST_FAULTS;
        if self.choices.are_all() && !does_enough {
            self.checks.fail(format!("only {events} events, {members} members and {faults} faults"));
        }
    }

    /// Each happening has chances of its own, so that leaving one out changes no other.
    fn key(&self, happening: &Happening) -> [u64; 3] {
        let key = |client: usize| self.clients[client].key;
        match happening {
            Happening::Arrive { from, .. } => [1, from.client.map_or(u64::MAX, key), from.rpc],
            Happening::Cancel { ticket, .. } => [2, ticket.0, 0],
            Happening::Deliver { client, rpc, .. } => [3, key(*client), *rpc],
            Happening::Lose { connection, .. } => [4, *connection, 0],
            Happening::Wake { client, what, .. } => [5 + what.number(), key(*client), self.clients[*client].turn()],
            Happening::Refresh { client } => [20, key(*client), self.topics.version.into()],
            Happening::TopicGone { topic_id, .. } => [21, topic_id[0].into(), 0],
            Happening::Tick { .. } => [22, self.at_ms, 0],
            // The same for some time, so that one more or one less before changes little.
            Happening::Flush { .. } => [23, self.at_ms / 500, 0],
            Happening::Crash { life } => [24, *life, 0],
            Happening::Start => [25, self.broker.life, 0],
            Happening::StallEnds { life } => [26, *life, self.at_ms],
            Happening::Fault { number } => [27, *number, 0],
            Happening::Quiet => [28, 0, 0],
            Happening::Judge { .. } => [29, 0, 0],
        }
    }

    fn fault(&mut self, number: u64) {
        if self.quiet {
            return;
        }
        if self.choices.choose(Choice::Fault(number)) && Fault::choose(&mut self.rng).happen(self, number) {
            self.faults += 1;
            self.last_fault_ms = self.at_ms;
        }
        let pause_ms = Prng::of(self.seed, &[30, number]).between(200, 3_000);
        let pause_ms = if self.choices.choose(Choice::Pause(number)) { pause_ms } else { 20 };
        self.plan(pause_ms, Happening::Fault { number: number + 1 });
    }

    pub(super) fn happen(&mut self, happening: Happening) {
        if self.broker.stalled_since_ms.is_some() && is_the_brokers(&happening) {
            return self.deferred.push(happening);
        }
        self.rng = Prng::of(self.seed, &self.key(&happening));
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
            Happening::Crash { life } if life == self.broker.life => {
                self.crash_broker();
            }
            Happening::Start => self.start(),
            Happening::StallEnds { life } if life == self.broker.life => self.end_stall(),
            Happening::Fault { number } => self.fault(number),
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
}

/// Things that wait while the broker stands still.
fn is_the_brokers(happening: &Happening) -> bool {
    use Happening::{Arrive, Cancel, Flush, Lose, Tick, TopicGone};
    matches!(happening, TopicGone { .. } | Arrive { .. } | Lose { .. } | Cancel { .. } | Tick { .. } | Flush { .. })
}
