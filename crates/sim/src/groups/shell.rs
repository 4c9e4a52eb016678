//! What a shell does around the coordinator: it starts it, hands it what arrives, writes what it emits, and dies.
use super::broker::{Waiting, now};
use super::client::Wake;
use super::faults::Moment;
use super::story;
use super::world::{Happening, World};
use ottla_groups::{Action, ClientInfo, Event, GroupEventKind, Request, Ticket};

/// Keys of records about groups begin with this version.
const GROUP_KEYS: [u8; 7] = [2, 3, 4, 5, 6, 7, 8];

impl World {
    pub(super) fn start(&mut self) {
        if self.broker.coordinator.is_some() {
            return;
        }
        let configs = self.connections.configs();
        let at = now(self.at_ms);
        self.broker.start(self.settings.clone()).handle(at, Event::GroupConfigsChanged(configs));
        self.tell_first_topics();
        self.checks.topics.untold = 1;
        let actions = self.broker.coordinator.as_mut().map(|coordinator| coordinator.loaded(at));
        self.trace.tell(self.at_ms, || "the coordinator starts".into());
        self.act(actions.unwrap_or_default(), None);
        self.tell_deletions();
    }

    pub(super) fn end_stall(&mut self) {
        let began_ms = self.broker.stalled_since_ms.take().unwrap_or(self.at_ms);
        self.checks.stalled(self.at_ms - began_ms);
        // What waits in the sockets comes first, then the clock.
        let (clock, waiting): (Vec<_>, Vec<_>) =
            core::mem::take(&mut self.deferred).into_iter().partition(|h| matches!(h, Happening::Tick { .. }));
        waiting.into_iter().for_each(|happening| self.happen(happening));
        clock.into_iter().for_each(|happening| self.happen(happening));
    }

    pub(super) fn arrive(&mut self, from: Waiting, name: String, mut request: Request) {
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
            // Also where a message comes twice, and what happens then is drawn from the same place.
            self.ids_drawn += 1;
            request.random = [self.rng.next(), self.rng.next() ^ (self.ids_drawn << 2)];
        }
        if !self.look_up(&mut request) {
            return;
        }
        self.tell_topics(&request);
        self.trace.note(self.at_ms, || format!("{name} asks {request:?}"));
        self.trace.tell_if(self.at_ms, || story::asked(&request).map(|what| format!("{name} {what}")));
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
                    if record.key.get(1).is_some_and(|version| GROUP_KEYS.contains(version)) {
                        self.crash_soon(Moment::Change);
                    }
                    self.trace.mix(&record.key);
                    self.trace.mix(record.value.as_deref().unwrap_or_default());
                    self.checks.appended(&record);
                    self.broker.log.push(record);
                }
                // No client of these worlds commits in a transaction.
                Action::AppendInTransaction(..) => unreachable!("nobody asked for it"),
                Action::Reply(ticket, answer) => {
                    self.trace.mix_number(ticket.0);
                    let meant = self.checks.held(ticket);
                    self.broker.hold(ticket, answer, meant);
                }
                Action::Event(event) => {
                    self.trace.tell_if(self.at_ms, || story::happened(&event));
                    if matches!(event.kind, GroupEventKind::ProtocolMigrated { .. }) {
                        self.crash_soon(Moment::Migration);
                    }
                }
            }
        }
        if let Some(coordinator) = self.broker.coordinator.as_mut() {
            self.checks.after_step(now(self.at_ms), coordinator);
        }
        self.send_replies();
        self.plan_flush();
        self.plan_tick();
    }

    /// The broker dies soon, if a crash was prepared for such a moment.
    fn crash_soon(&mut self, moment: Moment) {
        if self.crashes_prepared.remove(&moment) {
            let after_ms = self.rng.between(0, 6);
            self.plan(after_ms, Happening::Crash { life: self.broker.life });
        }
    }

    pub(super) fn send_replies(&mut self) {
        while let Some((ticket, answer, meant)) = self.broker.release() {
            self.checks.released(ticket, &answer);
            let Some(Waiting { client: Some(client), rpc, .. }) = self.broker.waiting.remove(&ticket) else { continue };
            self.send_back(client, rpc, answer, meant);
        }
    }

    pub(super) fn plan_flush(&mut self) {
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
    pub(super) fn crash_broker(&mut self) -> bool {
        let Some(coordinator) = self.broker.coordinator.as_mut() else { return false };
        self.checks.replays(now(self.at_ms), coordinator);
        let surviving = self.rng.between(self.broker.durable as u64, self.broker.log.len() as u64) as usize;
        let lost = self.broker.log.len() - surviving;
        self.trace.tell(self.at_ms, || format!("the coordinator crashes and loses {lost} of its appends"));
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
        true
    }

    /// The broker stands still.
    pub(super) fn stall_broker(&mut self) -> bool {
        if self.broker.coordinator.is_none() || self.broker.stalled_since_ms.is_some() {
            return false;
        }
        let stall_ms = self.rng.between(300, 12_000);
        self.trace.tell(self.at_ms, || format!("the broker stands still for {stall_ms} ms"));
        self.broker.stalled_since_ms = Some(self.at_ms);
        self.plan(stall_ms, Happening::StallEnds { life: self.broker.life });
        true
    }
}
