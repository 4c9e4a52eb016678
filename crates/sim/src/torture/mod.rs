//! Everything that a transaction takes, out of one seed: copiers that read committed records of one topic, write them to the next
//! and commit their offsets in transactions; the coordinators of transactions and of groups, with the local engine under them and
//! the disk under that. Processes die, are slow and are replaced while they still live; requests come late and twice; the broker
//! ends at any operation of its disk, which loses, tears, fails and fills up. Every record must arrive exactly once.
mod audit;
mod broker;
mod checks;
mod copiers;
mod findings;
mod group_shell;
mod log;
mod machine;
mod process;
mod requests;
mod transaction_shell;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::hunt::{Outcome, Subject, last_panic};
use crate::trace::Telling;
use world::{AllSettings, World};

/// What `ottla-sim torture` runs.
pub(crate) const SUBJECT: Subject = Subject { name: "torture", bugs, run, shrink: None };

#[cfg(feature = "planted-bugs")]
fn bugs() -> Vec<(&'static str, &'static str)> {
    let transactions = ottla_transactions::PlantedBug::ALL.iter().filter(|bug| !UNSEEN.contains(&bug.name()));
    let transactions = transactions.map(|bug| (bug.name(), bug.sentence()));
    let groups = ottla_groups::PlantedBug::IN_TRANSACTIONS.iter().map(|bug| (bug.name(), bug.sentence()));
    let storage = STORAGE.iter().map(|bug| (bug.name(), bug.sentence()));
    transactions.chain(groups).chain(storage).collect()
}

/// What copiers do not notice: they begin anew where they are refused, do not live long enough for the last epoch, and end what
/// was not ended.
#[cfg(feature = "planted-bugs")]
const UNSEEN: &[&str] = &["RetriedEndRefused", "KnownEpochNotChecked", "EpochsWrapRound", "FailedEndForgotten"];

/// The bugs of the engine that have to do with transactions, or with what is acknowledged.
#[cfg(feature = "planted-bugs")]
const STORAGE: &[ottla_storage::local::PlantedBug] = {
    use ottla_storage::local::PlantedBug::*;
    &[
        AckBeforeFlush,
        AnswerBeforeWrite,
        ProducersLostWithLog,
        StableOffsetPastOpen,
        AtomicInPieces,
        AbortedLostAtCheckpoint,
        OpenLostAtStart,
        AbortedTakenForCommitted,
        DependencyNotChecked,
    ]
};

#[cfg(not(feature = "planted-bugs"))]
fn bugs() -> Vec<(&'static str, &'static str)> {
    Vec::new()
}

fn settings(bug: Option<&str>) -> AllSettings {
    #[cfg(not(feature = "planted-bugs"))]
    let _ = bug;
    AllSettings {
        transactions: ottla_transactions::Settings {
            max_timeout_ms: 900_000,
            abort_interval_ms: 500,
            id_expiration_ms: 800,
            #[cfg(feature = "planted-bugs")]
            bug: ottla_transactions::PlantedBug::ALL.iter().copied().find(|planted| Some(planted.name()) == bug),
        },
        groups: ottla_groups::Settings {
            #[cfg(feature = "planted-bugs")]
            bug: ottla_groups::PlantedBug::ALL.iter().copied().find(|planted| Some(planted.name()) == bug),
            ..ottla_groups::Settings::default()
        },
    }
}

fn run(seed: u64, bug: Option<&str>, telling: Telling) -> Outcome {
    let lived = catch_unwind(AssertUnwindSafe(|| World::new(seed, settings(bug), bug, telling).run()));
    lived.unwrap_or_else(|_| {
        let violation = Some(last_panic());
        Outcome { hash: 0, events: 0, counts: Vec::new(), violation, lines: Vec::new() }
    })
}
