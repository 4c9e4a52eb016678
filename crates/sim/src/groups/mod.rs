//! Consumers and one coordinator out of one seed: a network that delays, loses, reorders and repeats; processes that die,
//! stall and come back; a log of which any unsynced end may be lost. After a while the faults stop, and everything must
//! have found its place.
mod broker;
mod checks;
mod client;
mod faults;
mod world;

use ottla_groups::Settings;

/// What one run shall be.
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Whether to keep the trace as text.
    pub(crate) readable: bool,
    #[cfg(feature = "planted-bugs")]
    pub(crate) bug: Option<ottla_groups::PlantedBug>,
}

impl Plan {
    pub(crate) fn new(seed: u64, readable: bool) -> Self {
        Plan {
            seed,
            readable,
            #[cfg(feature = "planted-bugs")]
            bug: None,
        }
    }

    fn settings(&self, initial_rebalance_delay_ms: Option<i32>) -> Settings {
        Settings {
            min_session_timeout_ms: 100,
            initial_rebalance_delay_ms,
            #[cfg(feature = "planted-bugs")]
            bug: self.bug,
            ..Settings::default()
        }
    }
}

/// What came of one run.
pub(crate) struct Outcome {
    pub(crate) hash: u64,
    pub(crate) events: u64,
    pub(crate) violation: Option<String>,
    pub(crate) lines: Vec<String>,
}

/// Runs one seed.
pub(crate) fn run(plan: &Plan) -> Outcome {
    world::World::new(plan).run()
}
