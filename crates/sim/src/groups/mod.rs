//! Consumers and one coordinator out of one seed: a network that delays, loses, reorders and repeats; processes that die,
//! stall and come back; a log of which any unsynced end may be lost. After a while the faults stop, and everything must
//! have found its place.
mod broker;
mod checks;
mod choices;
mod client;
mod connections;
mod consumer_checks;
mod consumer_client;
mod embedded;
mod faults;
mod judgement;
mod network;
mod processes;
mod reset_checks;
mod shell;
mod shrink;
mod story;
mod topic_checks;
mod topics;
mod world;

use crate::hunt::{Outcome, Shrunk, Subject, last_panic};
use crate::trace::Telling;
use choices::Choices;
use ottla_groups::{MigrationPolicy, Settings};
use shrink::Shrinking;
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::{Ran, World};

/// What `ottla-sim groups` runs.
pub(crate) const SUBJECT: Subject = Subject { name: "groups", bugs, run, shrink: Some(shrunk) };

/// What one run shall be.
struct Plan {
    seed: u64,
    telling: Telling,
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
    let of_transactions = ottla_groups::PlantedBug::IN_TRANSACTIONS;
    let shown = ottla_groups::PlantedBug::ALL.iter().filter(|bug| !of_transactions.contains(bug));
    shown.map(|bug| (bug.name(), bug.sentence())).collect()
}

#[cfg(not(feature = "planted-bugs"))]
fn bugs() -> Vec<(&'static str, &'static str)> {
    Vec::new()
}

impl Plan {
    fn new(seed: u64, bug: Option<&str>, telling: Telling) -> Self {
        #[cfg(not(feature = "planted-bugs"))]
        let _ = bug;
        Plan {
            seed,
            telling,
            #[cfg(feature = "planted-bugs")]
            bug: ottla_groups::PlantedBug::ALL.iter().copied().find(|planted| Some(planted.name()) == bug),
        }
    }

    /// A panic of the core is a violation like any other.
    fn run(&self, choices: Choices) -> Ran {
        let lived = catch_unwind(AssertUnwindSafe(|| World::new(self, choices).run()));
        lived.unwrap_or_else(|_| Ran::panicked(last_panic()))
    }
}

fn run(seed: u64, bug: Option<&str>, telling: Telling) -> Outcome {
    Plan::new(seed, bug, telling).run(Choices::default()).outcome
}

/// A run that fails in the same check and does no more than it must, told in short.
fn shrunk(seed: u64, bug: Option<&str>) -> Shrunk {
    let plan = Plan::new(seed, bug, Telling::Nothing);
    let whole = plan.run(Choices::default());
    let events_before = whole.outcome.events;
    let shrinking = Shrinking::of(&plan, whole).shrink();
    let plan = Plan { telling: Telling::Story, ..plan };
    let outcome = plan.run(shrinking.choices()).outcome;
    Shrunk { outcome, events_before, runs: shrinking.runs }
}
