//! The shell around the coordinator, as honest as a real one: what it emits goes into the log in order, answers wait for what was
//! appended before them, ticks come at the deadline. It dies with any end of its log that is not durable.
use super::engine::{Frame, Markers};
use super::process::Told;
use super::world::{Happening, Held, World, refused};
use ottla_transactions::*;

impl World {
    pub(super) fn crash(&mut self) {
        if self.coordinator.is_none() {
            return;
        }
        self.check_replay();
        let (durable, length) = (self.engine.durable as u64, self.engine.frames.len() as u64);
        let surviving = self.rng.between(durable, length) as usize;
        self.trace.tell(self.at_ms, || format!("the broker crashes and loses {}", length as usize - surviving));
        self.engine.frames.truncate(surviving);
        self.engine.durable = surviving;
        self.checks.crashed(&self.engine);
        self.coordinator = None;
        self.held.clear();
        self.waiting.clear();
        self.unheard.clear();
        (self.tick_at_ms, self.flush_planned) = (None, false);
        self.life += 1;
        self.crashes += 1;
        let down_ms = self.rng.between(0, 500);
        self.plan(down_ms, Happening::Start);
    }

    pub(super) fn start(&mut self) {
        if self.coordinator.is_some() {
            return;
        }
        let mut coordinator = Coordinator::new(self.settings.clone());
        self.engine.frames.iter().filter_map(Frame::record).for_each(|record| coordinator.replay(record));
        let actions = coordinator.loaded(self.now());
        self.coordinator = Some(coordinator);
        self.follow(actions);
    }

    pub(super) fn tell(&mut self, event: Event) {
        let now = self.now();
        let Some(coordinator) = self.coordinator.as_mut() else { return };
        let actions = coordinator.handle(now, event);
        self.follow(actions);
    }

    /// Does what the coordinator wants, in order.
    pub(super) fn follow(&mut self, actions: Vec<Action>) {
        for action in actions {
            self.trace.note(self.at_ms, || format!("  {action:?}"));
            match action {
                Action::Append(record) => {
                    self.trace.mix(&record.key);
                    self.engine.frames.push(Frame::Record(record));
                }
                Action::Reply(ticket, answer) => self.hold(Held::Answer(ticket, answer)),
                Action::End(step) => self.end(&step),
                Action::AllotProducerId(allotment) => {
                    let fails = !self.is_quiet && self.rng.once_in(8);
                    let producer_id = if fails { None } else { Some(self.engine.allot()) };
                    let after_ms = self.rng.between(0, 30);
                    self.plan(after_ms, Happening::Allotted { life: self.life, allotment, producer_id });
                }
                Action::Event(event) => {
                    self.trace.tell(self.at_ms, || format!("{}: {:?}", event.transactional_id, event.kind));
                }
            }
        }
        self.release();
        self.plan_flush();
        self.plan_tick();
    }

    pub(super) fn end(&mut self, step: &EndStep) {
        let markers = Markers::of(step);
        if !self.is_quiet && self.rng.once_in(8) {
            let result = Err(EndFailed { problem: "the disk is full".into() });
            let after_ms = self.rng.between(1, 20);
            return self.plan(after_ms, Happening::Ended { life: self.life, end: markers.end, result });
        }
        self.checks.ended(&markers);
        let end = markers.end;
        self.engine.frames.push(Frame::End(markers));
        self.unheard.insert(end);
        self.hold(Held::End(end));
        // The moment that matters most.
        if !self.is_quiet && self.rng.once_in(15) {
            let after_ms = self.rng.between(0, 15);
            self.plan(after_ms, Happening::Crash);
        }
    }

    pub(super) fn hold(&mut self, held: Held) {
        self.held.push_back((self.engine.frames.len(), held));
    }

    pub(super) fn release(&mut self) {
        while self.held.front().is_some_and(|(length, _)| *length <= self.engine.durable) {
            match self.held.pop_front() {
                Some((_, Held::Answer(ticket, answer))) => self.answer(ticket, &answer),
                Some((_, Held::Written { process, rpc })) => self.send_back(process, rpc, Told::Done),
                Some((_, Held::End(end))) => {
                    let after_ms = self.rng.between(0, 5);
                    self.plan(after_ms, Happening::Ended { life: self.life, end, result: Ok(()) });
                }
                None => {}
            }
        }
    }

    pub(super) fn plan_flush(&mut self) {
        let length = self.engine.frames.len();
        if length > self.engine.durable && !self.flush_planned {
            self.flush_planned = true;
            let after_ms = self.rng.between(0, 12);
            self.plan(after_ms, Happening::Flush { life: self.life, length });
        }
    }

    pub(super) fn plan_tick(&mut self) {
        let due = self.coordinator.as_ref().and_then(|coordinator| coordinator.next_deadline());
        let Some(due_ms) = due.map(|due_ms| due_ms.max(self.at_ms)) else { return };
        if self.tick_at_ms.is_none_or(|planned_ms| due_ms < planned_ms) {
            self.tick_at_ms = Some(due_ms);
            self.plan(due_ms - self.at_ms, Happening::Tick { life: self.life });
        }
    }

    pub(super) fn answer(&mut self, ticket: Ticket, answer: &Answer) {
        let Some((process, rpc, ask)) = self.waiting.remove(&ticket) else { return };
        self.trace.mix_number(ticket.0);
        let (id, is_new) = (self.processes[process].id, self.processes[process].is_new);
        self.checks.answered(process, id, &ask, answer);
        self.checks.end_answered(&self.engine, &format!("id{id}"), (&ask, is_new), answer);
        let result = match answer {
            Answer::InitProducer(result) | Answer::EndTransaction(result) => result.map(Told::Producer),
            Answer::AddPartitions(result) => result.map(|()| Told::Done),
            _ => return,
        };
        self.send_back(process, rpc, result.unwrap_or_else(refused));
    }

    pub(super) fn check_replay(&mut self) {
        if let Some(coordinator) = &self.coordinator {
            self.checks.replays(&self.engine, coordinator, &self.unheard);
        }
    }
}
