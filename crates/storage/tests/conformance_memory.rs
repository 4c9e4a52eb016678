//! The memory engine behaves as every engine must.

use std::sync::Arc;

use ottla_storage::Engine;
use ottla_storage::conformance::{Harness, conformance_suite};
use ottla_storage::memory::MemoryEngine;

struct Memory(Arc<MemoryEngine>);

impl Memory {
    fn fresh() -> Box<dyn Harness> {
        Box::new(Self(Arc::new(MemoryEngine::new())))
    }
}

impl Harness for Memory {
    fn engine(&self) -> Arc<dyn Engine> {
        self.0.clone()
    }
}

conformance_suite!(Memory::fresh; still = Nothing, maintained = Maintain);
