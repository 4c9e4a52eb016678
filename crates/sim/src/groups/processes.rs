//! The members' processes: who there is, who dies and comes back, and what each does with what it hears.
use super::broker::Waiting;
use super::choices::Choice;
use super::client::{Client, Phase, Wake, Wish};
use super::consumer_client::ConsumerPart;
use super::story;
use super::topics::{Reads, View};
use super::world::{Happening, World};
use ottla_groups::Answer;
use std::collections::BTreeSet;

/// How long faults happen.
const FAULTS_MS: u64 = 30_000;
/// How long everything may take to find its place afterwards, and how long it must then stay there.
const SETTLE_MS: u64 = 45_000;
const STAY_MS: u64 = 12_000;

impl World {
    pub(super) fn populate(&mut self, session_timeout_ms: u64) {
        self.plan(0, Happening::Start);
        let groups = self.rng.between(1, 2);
        for group in 0..groups {
            self.configure(&format!("g{group}"));
            let are_consumers = self.rng.once_in(2);
            let may_change = self.rng.once_in(3);
            let (fewest, most) = if groups == 1 { (5, 6) } else { (3, 4) };
            for member in 0..self.rng.between(fewest, most) {
                let instance = self.rng.once_in(3).then(|| format!("i{member}"));
                let mut client = Client::new(format!("c{group}{member}"), format!("g{group}"), instance);
                client.slot = self.members;
                self.members += 1;
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
        self.plan(500, Happening::Fault { number: 0 });
        self.plan(self.choices.quiet_at_ms.unwrap_or(FAULTS_MS), Happening::Quiet);
    }

    /// Makes a new process one of the consumer protocol, with an id of its own.
    fn make_consumer(&mut self, client: &mut Client) {
        client.member_id = format!("{}-{}", client.name, self.clients.len());
        let stops_in_ms = if client.lazy { None } else { Some(self.rng.between(0, 1_500)) };
        client.lazy = false;
        client.consumer = Some(ConsumerPart { stops_in_ms, ..ConsumerPart::default() });
        if self.quiet {
            client.stops_in_time();
        }
    }

    pub(super) fn add_client(&mut self, mut client: Client) {
        // Drawn for all, so that one that is left out changes nothing for the next.
        let after_ms = self.rng.between(0, 300);
        client.connection = self.connections.open();
        client.view = self.topics;
        let earlier = self.clients.iter().filter(|other| other.slot == client.slot).count();
        client.key = (client.slot * 1_000 + earlier) as u64;
        if !self.choices.has(Choice::Member(client.slot)) {
            client.stop();
            return self.clients.push(client);
        }
        client.commits = self.choices.has(Choice::Commits(client.slot));
        let (index, epoch) = (self.clients.len(), client.epoch);
        self.clients.push(client);
        self.plan(after_ms, Happening::Wake { client: index, epoch, what: Wake::Join });
    }

    pub(super) fn calm_down(&mut self) {
        self.quiet = true;
        self.crashes_prepared.clear();
        self.trace.tell(self.at_ms, || "the faults stop".into());
        self.plan(SETTLE_MS, Happening::Judge { again: false });
        self.plan(SETTLE_MS + STAY_MS, Happening::Judge { again: true });
        self.make_missing_topic();
        let mut slow = BTreeSet::new();
        for client in &mut self.clients {
            // Two that never stop would put each other out for ever.
            if client.phase == Phase::Gone || !slow.insert(client.group_id.clone()) {
                client.stops_in_time();
            } else if client.consumer.as_ref().is_none_or(|consumer| consumer.stops_in_ms.is_some()) {
                slow.remove(&client.group_id);
                client.stops_in_time();
            }
        }
        for group_id in ["g0", "g1"] {
            let of_group = |client: &Client| client.group_id == group_id;
            let lives = self.clients.iter().any(|client| of_group(client) && client.phase != Phase::Gone);
            let may_live = |client: &Client| of_group(client) && self.choices.has(Choice::Member(client.slot));
            let template = self.clients.iter().position(may_live);
            if let (Some(template), false) = (template, lives) {
                self.restart_client(template);
            }
        }
    }

    /// A new process with the settings of an earlier one.
    pub(super) fn restart_client(&mut self, template: usize) -> bool {
        let old = &self.clients[template];
        if !self.choices.has(Choice::Member(old.slot)) {
            return false;
        }
        let mut client = Client::new(old.name.clone(), old.group_id.clone(), old.instance.clone());
        client.slot = old.slot;
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
        self.trace.tell(self.at_ms, || format!("{} starts as a new process", client.name));
        self.add_client(client);
        true
    }

    /// A process ends without a word; the broker may hear that its connections are gone.
    pub(super) fn kill_client(&mut self, client: usize) {
        self.trace.tell(self.at_ms, || format!("{} dies", self.clients[client].name));
        self.clients[client].stop();
        self.close_connection(client, |_| true);
        self.break_connection(client);
    }

    /// A process that was fenced ends; if there is no other one of its name, somebody starts it again.
    fn restart_if_last(&mut self, client: usize) {
        let name = &self.clients[client].name;
        if !self.clients.iter().any(|other| other.name == *name && other.phase != Phase::Gone) {
            self.restart_client(client);
        }
    }

    pub(super) fn wake(&mut self, client: usize, what: Wake) {
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

    pub(super) fn deliver(&mut self, client: usize, rpc: u64, answer: &Answer, meant: &View) {
        let (at_ms, name) = (self.at_ms, &self.clients[client].name);
        self.trace.note(at_ms, || format!("{name} hears {answer:?}"));
        self.trace.tell_if(at_ms, || story::answered(answer).map(|what| format!("{name} {what}")));
        let lived = self.clients[client].phase != Phase::Gone;
        let before = self.clients[client].owned.clone();
        let wishes = self.clients[client].answered(at_ms, rpc, answer, meant);
        self.checks.works(&self.clients, client, &before);
        self.fulfil(client, wishes);
        if lived && self.clients[client].phase == Phase::Gone {
            self.restart_if_last(client);
        }
    }

    pub(super) fn fulfil(&mut self, client: usize, wishes: Vec<Wish>) {
        let epoch = self.clients[client].epoch;
        for wish in wishes {
            match wish {
                // Once nothing goes wrong any more, a few commits show as much as many.
                Wish::Wake { after_ms, what: what @ Wake::Commit } if self.quiet => {
                    self.plan(after_ms * 5, Happening::Wake { client, epoch, what });
                }
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
}
