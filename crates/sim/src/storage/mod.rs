//! The local engine out of one seed: a disk that loses, tears, fills up, fails and flips bits; a process that is killed and a
//! machine that loses power at any step; turns of the engine's threads in any order and in the middle of each other; logs
//! that are compacted, and lose what is too old or too much. A model says what must be there afterwards.
mod age;
pub(crate) mod calls;
mod checks;
mod content;
mod damage;
pub(crate) mod disk;
pub(crate) mod faults;
mod folders;
mod life;
mod log_starts;
mod log_writes;
mod model;
mod policy;
mod reads;
mod records;
mod state;
mod transactions;
mod workload;
mod world;

use crate::hunt::{Outcome, Subject};
use crate::trace::Telling;

/// What `ottla-sim storage` runs.
pub(crate) const SUBJECT: Subject = Subject { name: "storage", bugs, run, shrink: None };

/// What one run shall be.
struct Plan {
    seed: u64,
    telling: Telling,
    #[cfg(feature = "planted-bugs")]
    bug: Option<ottla_storage::local::PlantedBug>,
}

#[cfg(feature = "planted-bugs")]
fn bugs() -> Vec<(&'static str, &'static str)> {
    use ottla_storage::local::PlantedBug;
    let shown = PlantedBug::ALL.iter().filter(|bug| !PlantedBug::IN_TRANSACTIONS.contains(bug));
    shown.map(|bug| (bug.name(), bug.sentence())).collect()
}

#[cfg(not(feature = "planted-bugs"))]
fn bugs() -> Vec<(&'static str, &'static str)> {
    Vec::new()
}

fn run(seed: u64, bug: Option<&str>, telling: Telling) -> Outcome {
    #[cfg(not(feature = "planted-bugs"))]
    let _ = bug;
    let plan = Plan {
        seed,
        telling,
        #[cfg(feature = "planted-bugs")]
        bug: bug.and_then(ottla_storage::local::PlantedBug::by_name),
    };
    world::run(&plan)
}
