//! Consumers and one coordinator out of one seed: a network that delays, loses, reorders and repeats; processes that die,
//! stall and come back; a log of which any unsynced end may be lost. After a while the faults stop, and everything must
//! have found its place.
mod broker;
mod checks;
mod client;
mod connections;
mod consumer_checks;
mod consumer_client;
mod embedded;
mod faults;
mod reset_checks;
mod topic_checks;
mod topics;
mod world;

use crate::hunt::{Outcome, Subject};
use ottla_groups::{MigrationPolicy, Settings};

/// What `ottla-sim groups` runs.
pub(crate) const SUBJECT: Subject = Subject { name: "groups", bugs, run };

/// What one run shall be.
struct Plan {
    seed: u64,
    /// Whether to keep the trace as text.
    readable: bool,
    #[cfg(feature = "planted-bugs")]
    bug: Option<ottla_groups::PlantedBug>,
}

impl Plan {
    fn settings(
        &self,
        initial_rebalance_delay_ms: Option<i32>,
        session_timeout_ms: u64,
        migration_policy: MigrationPolicy,
    ) -> Settings {
        Settings {
            min_session_timeout_ms: 100,
            initial_rebalance_delay_ms,
            offsets_retention_ms: 2_000,
            consumer_session_timeout_ms: session_timeout_ms as i32,
            migration_policy,
            #[cfg(feature = "planted-bugs")]
            bug: self.bug,
            ..Settings::default()
        }
    }
}

#[cfg(feature = "planted-bugs")]
fn bugs() -> Vec<(&'static str, &'static str)> {
    ottla_groups::PlantedBug::ALL.iter().map(|bug| (bug.name(), bug.sentence())).collect()
}

#[cfg(not(feature = "planted-bugs"))]
fn bugs() -> Vec<(&'static str, &'static str)> {
    Vec::new()
}

fn run(seed: u64, bug: Option<&str>, readable: bool) -> Outcome {
    #[cfg(not(feature = "planted-bugs"))]
    let _ = bug;
    let plan = Plan {
        seed,
        readable,
        #[cfg(feature = "planted-bugs")]
        bug: ottla_groups::PlantedBug::ALL.iter().copied().find(|planted| Some(planted.name()) == bug),
    };
    world::World::new(&plan).run()
}
