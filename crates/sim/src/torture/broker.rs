//! The broker's process: how it starts, ends, and what its threads do.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ottla_storage::Engine;
use ottla_storage::local::simulation::{Role, SteppedEngine};
use ottla_transactions::Event;

use super::log::PARTITIONS;
use super::world::{Happening, World, shards};
use crate::storage::calls::poll;
use crate::storage::disk::Crash;
use crate::storage::faults::Fault;

impl World {
    /// At which operation the process ends, how, and what fails before that.
    pub(super) fn draw_life(&mut self) -> (Option<(u64, Crash)>, Fault) {
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

    pub(super) fn start(&mut self) {
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
    pub(super) fn change_space(&mut self, is_full: bool) {
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
    pub(super) fn open(&mut self, crash_in: Option<(u64, Crash)>, fault: Fault) -> bool {
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
    pub(super) fn notice_end(&mut self) {
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
    pub(super) fn turn(&mut self) {
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
}
