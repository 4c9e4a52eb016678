//! The lives of the engine's process, one after the other: it opens, works, and ends in one way or another.

use std::sync::Arc;

use ottla_storage::Engine;
use ottla_storage::local::simulation::{Role, SteppedEngine};

use super::calls::poll;
use super::disk::{Crash, SimulatedDisk};
use super::faults::Fault;
use super::world::{Heard, Life, World};

impl World {
    /// All lives of one run. The last one has no faults and must do everything it is asked for.
    pub(super) fn live(&self, disk: &SimulatedDisk) {
        let lives = self.lock().rng.between(2, 6);
        for _ in 0..lives {
            self.draw_life();
            if self.open(disk) && self.check_all(disk) {
                self.work(disk);
                self.close_perhaps();
            }
            self.end(disk);
            if self.lock().violation.is_some() {
                return;
            }
        }
        self.lock().life = Life::calm();
        if self.open(disk) && self.check_all(disk) {
            self.goes_on(disk);
        }
    }

    fn draw_life(&self) {
        let mut shared = self.lock();
        let now = shared.operations;
        // What a cache has kept of a flush that failed is shown to be lost by a power cut that comes soon.
        let flush_failed = std::mem::take(&mut shared.flush_failed);
        let kill = !flush_failed && shared.rng.once_in(3);
        let crash = if kill { Crash::Kill } else { Crash::PowerCut };
        let crash_at = match shared.rng.between(0, 9) {
            _ if flush_failed => Some(now + shared.rng.between(20, 120)),
            0..=1 => None,
            2..=3 => Some(now + shared.rng.between(1, 40)),
            _ => Some(now + shared.rng.between(1, 500)),
        };
        let fault = Fault::draw(&mut shared.rng, now);
        let crash_at = crash_at.map(|at| (at, crash));
        shared.life = Life { crash_at, fault, calm: false, ..Life::calm() };
        shared.note(|| format!("a process begins; {fault:?}"));
    }

    /// Opens the engine. Where it does not open because of a crash or a fault, it is opened again.
    fn open(&self, disk: &SimulatedDisk) -> bool {
        loop {
            let options = {
                let mut shared = self.lock();
                let random = shared.rng.next();
                shared.setup.options(random, &self.clock)
            };
            let opened = SteppedEngine::open(options, Arc::new(disk.clone()));
            let mut shared = self.lock();
            if shared.life.crashed.is_some() {
                return false;
            }
            match opened {
                Ok(engine) => {
                    shared.heard = Arc::new(Heard::default());
                    engine.engine().subscribe(shared.heard.clone());
                    shared.engine = Some(Arc::new(engine));
                    return true;
                }
                Err(error) if shared.life.faulted => {
                    shared.note(|| format!("it does not open: {error}"));
                    shared.life.faulted = false;
                    shared.life.fault = Fault::None;
                    drop(shared);
                    disk.restart(Crash::Kill);
                }
                Err(error) => {
                    shared.broken(format!("it does not open: {error}"));
                    return false;
                }
            }
        }
    }

    /// Calls and turns, until something ends it.
    fn work(&self, disk: &SimulatedDisk) {
        let steps = self.lock().rng.between(20, 160);
        let fault = self.lock().life.fault;
        if matches!(fault, Fault::Full { .. }) {
            let mut shared = self.lock();
            let left = shared.rng.between(0, 200 << 10);
            disk.limit_to(Some(disk.used_bytes() + left));
            shared.life.faulted = true;
        }
        for step in 0..steps {
            if self.is_over() {
                return;
            }
            let passed = {
                let shared = self.lock();
                shared.life.fault.has_passed(shared.operations, step)
            };
            if passed {
                self.shortage_passes(disk);
            }
            self.step();
        }
    }

    fn step(&self) {
        let kind = {
            let mut shared = self.lock();
            let passes_ms = shared.rng.between(0, 30);
            self.clock.pass(passes_ms);
            shared.rng.between(0, 99)
        };
        match kind {
            0..=43 => self.lock().make_a_call(),
            44..=92 => self.act(),
            93..=94 => self.clean(),
            95..=96 => {
                let mut shared = self.lock();
                let passes_ms = shared.rng.between(1, 8_000);
                self.clock.pass(passes_ms);
                shared.note(|| format!("{passes_ms} ms pass"));
            }
            _ => self.settle_all(),
        }
    }

    /// The cleaner looks for work by itself.
    fn clean(&self) {
        let Some(engine) = self.lock().engine.clone() else { return };
        if engine.clean() {
            self.lock().note(|| "  end of a turn of the cleaner".into());
        }
        self.lock().collect();
    }

    /// A lack of space or of file descriptors is over: the engine must work again, by itself.
    fn shortage_passes(&self, disk: &SimulatedDisk) {
        disk.limit_to(None);
        {
            let mut shared = self.lock();
            shared.life.fault = Fault::None;
            shared.note(|| "what was lacking is there again".into());
        }
        self.settle_all();
        self.checkpoint();
        self.settle_all();
        if !self.is_over() {
            self.lock().life.faulted = false;
            self.writes_again();
        }
    }

    pub(super) fn checkpoint(&self) {
        let mut shared = self.lock();
        if let Some(engine) = shared.engine.clone() {
            let position = shared.model.position();
            shared.checkpoints.push((position, engine.engine().maintain(usize::MAX)));
        }
    }

    /// An append to each partition must succeed. One refusal may still have been on its way.
    fn writes_again(&self) {
        self.lock().life.faulted = true;
        self.lock().append_everywhere();
        self.settle_all();
        if self.is_over() {
            return;
        }
        self.lock().life.faulted = false;
        self.lock().append_everywhere();
        self.settle_all();
    }

    fn close_perhaps(&self) {
        {
            let mut shared = self.lock();
            if shared.life.crashed.is_some() || shared.violation.is_some() || !shared.rng.once_in(3) {
                return;
            }
        }
        self.close();
    }

    /// Closes the engine; everything is then durable.
    fn close(&self) {
        {
            let mut shared = self.lock();
            let Some(engine) = shared.engine.clone() else { return };
            shared.life.closing = true;
            shared.close = Some(engine.engine().close());
            shared.note(|| "it is closed".into());
        }
        self.settle_all();
        let mut shared = self.lock();
        if shared.life.crashed.is_some() || shared.violation.is_some() {
            return;
        }
        let closed = shared.close.as_mut().and_then(poll);
        shared.note(|| format!("closed: {closed:?}"));
        match closed {
            Some(Ok(())) => {
                let position = shared.model.position();
                shared.model.is_durable_up_to(position);
            }
            Some(Err(_)) if shared.life.faulted => {}
            Some(Err(why)) => shared.broken(format!("it could not be closed: {why}")),
            None => shared.broken("nobody has anything to do, and the end is not reached".into()),
        }
    }

    /// The end of the process, and what becomes of the disk.
    pub(super) fn end(&self, disk: &SimulatedDisk) {
        disk.end();
        let engine = {
            let mut shared = self.lock();
            // A broker that was poisoned ends by itself.
            let kill = shared.rng.once_in(2) || shared.is_poisoned();
            let chosen = if kill { Crash::Kill } else { Crash::PowerCut };
            let crash = shared.life.crashed.unwrap_or(chosen);
            shared.note(|| format!("{crash:?}"));
            shared.trace.mix_number(crash as u64);
            shared.power_cut |= crash == Crash::PowerCut;
            shared.life = Life { crashed: Some(crash), ..Life::calm() };
            let calls = std::mem::take(&mut shared.made);
            shared.model.never_answered(calls.iter());
            shared.model.heard.clear();
            shared.reads.clear();
            shared.look_ups.clear();
            shared.ids.clear();
            shared.checkpoints.clear();
            shared.close = None;
            shared.engine.take()
        };
        drop(engine);
        let crash = self.lock().life.crashed.take().unwrap_or(Crash::Kill);
        disk.restart(crash);
        if crash == Crash::PowerCut && self.lock().rng.once_in(5) {
            self.damage(disk);
        }
    }

    /// After all faults: open transactions end, every partition takes records, logs are deleted and compacted, and a clean end loses nothing.
    fn goes_on(&self, disk: &SimulatedDisk) {
        self.lock().end_all_transactions();
        self.lock().append_everywhere();
        self.settle_all();
        self.grow_old();
        self.turn(Role::Background);
        self.close();
        if self.lock().violation.is_some() {
            return;
        }
        self.end(disk);
        self.lock().life = Life::calm();
        if self.open(disk) {
            self.check_all(disk);
        }
    }
}
