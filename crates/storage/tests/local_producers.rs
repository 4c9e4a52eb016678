//! When the local engine forgets idempotent producers, and that a restart decides as before.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod local_support;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use local_support::{MemoryDisk, append, batch, batch_of, create, options, partition};
use ottla_storage::decide::Refusal;
use ottla_storage::local::LocalEngine;
use ottla_storage::{AppendError, Appended, Engine, PartitionId};

const P: fn() -> PartitionId = || partition(1, 0);
const START_MS: i64 = 1_700_000_000_000;
const HOUR_MS: i64 = 3_600_000;

struct World {
    disk: MemoryDisk,
    wall_ms: Arc<AtomicI64>,
    engine: Option<LocalEngine>,
}

impl World {
    fn new() -> Self {
        let (disk, wall_ms) = (MemoryDisk::default(), Arc::new(AtomicI64::new(START_MS)));
        let mut world = World { disk, wall_ms, engine: None };
        world.restart();
        create(world.engine(), "a", 1, 1);
        world
    }

    fn engine(&self) -> &LocalEngine {
        self.engine.as_ref().unwrap()
    }

    /// Without a checkpoint.
    fn restart(&mut self) {
        drop(self.engine.take());
        let mut options = options();
        let wall_ms = self.wall_ms.clone();
        let wall_ms = Arc::new(move || wall_ms.load(Ordering::Relaxed));
        options.producer_expiration_ms = Some(24 * HOUR_MS);
        options.wall_ms = wall_ms;
        self.engine = Some(LocalEngine::open(options, Arc::new(self.disk.clone())).unwrap());
    }

    fn pass(&self, ms: i64) {
        self.wall_ms.fetch_add(ms, Ordering::Relaxed);
    }

    fn checkpoint(&self) {
        self.engine().maintain(usize::MAX).wait().unwrap();
    }

    /// The batch's own timestamp is of 1970.
    fn send(&self, producer_id: i64, sequence: i32) -> Result<Appended, AppendError> {
        append(self.engine(), P(), batch_of(b"value", producer_id, sequence))
    }
}

#[test]
fn a_producer_is_known_while_it_speaks_and_forgotten_a_day_after() {
    for restarts in [false, true] {
        let mut world = World::new();
        world.send(7, 0).unwrap();
        for sequence in 1..4 {
            world.pass(23 * HOUR_MS);
            world.checkpoint();
            assert!(world.send(7, sequence - 1).unwrap().duplicate, "however old its timestamps are");
            world.send(7, sequence).unwrap();
            if restarts {
                world.checkpoint();
                world.restart();
            }
        }
        let refused = AppendError::Refused(Refusal::OutOfOrderSequence { expected: 4, got: 77 });
        world.pass(24 * HOUR_MS);
        world.checkpoint();
        assert_eq!(world.send(7, 77), Err(refused.clone()), "a day and not more");
        world.pass(1);
        assert_eq!(world.send(7, 77), Err(refused), "producers are forgotten at checkpoints");
        world.checkpoint();
        assert!(!world.send(7, 77).unwrap().duplicate);
    }
}

#[test]
fn what_is_forgotten_stays_forgotten_after_a_checkpoint() {
    let mut world = World::new();
    world.send(7, 0).unwrap();
    world.pass(25 * HOUR_MS);
    append(world.engine(), P(), batch(b"no producer")).unwrap();
    world.checkpoint();
    world.restart();
    assert!(!world.send(7, 77).unwrap().duplicate);
}

#[test]
fn a_crash_that_brings_a_forgotten_producer_back_takes_nothing_from_its_new_life() {
    let mut world = World::new();
    world.send(7, 0).unwrap();
    assert_eq!(world.send(7, 1).unwrap().first_offset, 1);
    world.checkpoint();
    world.pass(25 * HOUR_MS);
    // Nothing is new, so this one forgets in memory and writes no manifest.
    world.checkpoint();
    assert_eq!(world.send(7, 0).unwrap().first_offset, 2, "it begins anew");
    world.restart();
    assert!(world.send(7, 0).unwrap().duplicate);
    let next = world.send(7, 1).unwrap();
    assert!(!next.duplicate, "the batch of that number was of its life before");
    assert_eq!(next.first_offset, 3);
}
