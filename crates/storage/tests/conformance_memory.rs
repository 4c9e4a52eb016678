//! The memory engine behaves as every engine must.

use std::sync::Arc;

use ottla_storage::conformance::{Harness, World, conformance_suite};
use ottla_storage::memory::{MemoryEngine, MemoryOptions};
use ottla_storage::{Engine, LogConfig};

struct Memory(Arc<MemoryEngine>, World);

impl Memory {
    fn fresh() -> Box<dyn Harness> {
        let world = World::default();
        let log_configs = world.log_configs(LogConfig::default());
        let options = MemoryOptions { log_configs, wall_ms: world.wall_ms(), ..MemoryOptions::default() };
        Box::new(Self(Arc::new(MemoryEngine::with(options)), world))
    }
}

impl Harness for Memory {
    fn engine(&self) -> Arc<dyn Engine> {
        self.0.clone()
    }

    fn world(&self) -> &World {
        &self.1
    }
}

conformance_suite!(Memory::fresh; still = Nothing, maintained = Maintain);
