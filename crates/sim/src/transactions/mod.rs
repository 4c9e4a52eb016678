//! Producers and one transaction coordinator out of one seed: a network that delays, loses and repeats; processes that die, are
//! slow, and are replaced while they still live; an engine whose log may lose any unsynced end, or refuse an end. After a while
//! the faults stop, and every transaction must be over.
mod checks;
mod ended_checks;
mod engine;
mod process;
mod shell;
mod world;

use crate::hunt::{Outcome, Subject, last_panic};
use crate::trace::Telling;
use ottla_transactions::Settings;
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::World;

/// What `ottla-sim transactions` runs.
pub(crate) const SUBJECT: Subject = Subject { name: "transactions", bugs, run, shrink: None };

#[cfg(feature = "planted-bugs")]
fn bugs() -> Vec<(&'static str, &'static str)> {
    ottla_transactions::PlantedBug::ALL.iter().map(|bug| (bug.name(), bug.sentence())).collect()
}

#[cfg(not(feature = "planted-bugs"))]
fn bugs() -> Vec<(&'static str, &'static str)> {
    Vec::new()
}

fn settings(bug: Option<&str>) -> Settings {
    #[cfg(not(feature = "planted-bugs"))]
    let _ = bug;
    Settings {
        max_timeout_ms: 900_000,
        abort_interval_ms: 500,
        id_expiration_ms: 2_500,
        #[cfg(feature = "planted-bugs")]
        bug: ottla_transactions::PlantedBug::ALL.iter().copied().find(|planted| Some(planted.name()) == bug),
    }
}

fn run(seed: u64, bug: Option<&str>, telling: Telling) -> Outcome {
    let lived = catch_unwind(AssertUnwindSafe(|| World::new(seed, settings(bug), telling).run()));
    lived.unwrap_or_else(|_| {
        let violation = Some(last_panic());
        Outcome { hash: 0, events: 0, counts: Vec::new(), violation, lines: Vec::new() }
    })
}
