//! The local engine on a real disk behaves as every engine must, also across checkpoints, restarts and kills.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ottla_storage::conformance::{Harness, World, conformance_suite};
use ottla_storage::local::disk::SystemDisk;
use ottla_storage::local::{LocalEngine, LocalOptions};
use ottla_storage::{Engine, LogConfig};

/// Another number for each start, as the broker's random bits are.
static STARTS: AtomicU64 = AtomicU64::new(1);

/// Small limits, so that segments, log files and memory run over within a case.
fn options(folder: &std::path::Path, world: &World) -> LocalOptions {
    let mut options = LocalOptions::new(folder, STARTS.fetch_add(1, Ordering::Relaxed), Arc::new(|| 0));
    options.wal_max_bytes = 8 << 20;
    options.wal_segment_bytes = 1 << 20;
    options.tail_bytes = 256 << 10;
    options.log_configs = world.log_configs(LogConfig { segment_bytes: 128 << 10, ..LogConfig::default() });
    options.wall_ms = world.wall_ms();
    options.index_interval_bytes = 512;
    options
}

struct Local {
    engine: Option<Arc<LocalEngine>>,
    folder: tempfile::TempDir,
    world: World,
}

impl Local {
    fn fresh() -> Box<dyn Harness> {
        let mut local = Local { engine: None, folder: tempfile::tempdir().unwrap(), world: World::default() };
        local.open();
        Box::new(local)
    }

    fn open(&mut self) {
        let opened = LocalEngine::open(options(self.folder.path(), &self.world), Arc::new(SystemDisk));
        self.engine = Some(Arc::new(opened.unwrap_or_else(|error| panic!("{error}"))));
    }
}

impl Harness for Local {
    fn engine(&self) -> Arc<dyn Engine> {
        self.engine.clone().unwrap()
    }

    fn world(&self) -> &World {
        &self.world
    }

    /// Dropping the engine ends its threads without a checkpoint, as a kill would.
    fn reopen(&mut self, _gracefully: bool) {
        let engine = Arc::try_unwrap(self.engine.take().unwrap());
        drop(engine.unwrap_or_else(|_| panic!("a case holds the engine over an interlude")));
        self.open();
    }
}

conformance_suite!(Local::fresh; still = Nothing, maintained = Maintain, reopened = Reopen,
    checkpointed = MaintainAndReopen, killed = Kill, checkpointed_and_killed = MaintainAndKill);
