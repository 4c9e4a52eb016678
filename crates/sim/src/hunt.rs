//! Many seeds: first the product as it is, which must be clean, then each planted bug, which must be caught.
use crate::Options;
use crate::groups::{Outcome, Plan, run as run_seed};
use std::process::ExitCode;

#[cfg(feature = "planted-bugs")]
type Bug = ottla_groups::PlantedBug;
/// Without the feature there are none.
#[cfg(not(feature = "planted-bugs"))]
#[derive(Clone, Copy)]
enum Bug {}

#[cfg(feature = "planted-bugs")]
fn all_bugs() -> Vec<Bug> {
    Bug::ALL.to_vec()
}

#[cfg(not(feature = "planted-bugs"))]
fn all_bugs() -> Vec<Bug> {
    Vec::new()
}

#[cfg(not(feature = "planted-bugs"))]
impl Bug {
    fn name(self) -> &'static str {
        match self {}
    }

    fn sentence(self) -> &'static str {
        match self {}
    }
}

#[cfg(feature = "planted-bugs")]
fn plan(seed: u64, bug: Option<Bug>, readable: bool) -> Plan {
    Plan { bug, ..Plan::new(seed, readable) }
}

#[cfg(not(feature = "planted-bugs"))]
fn plan(seed: u64, bug: Option<Bug>, readable: bool) -> Plan {
    let _ = bug;
    Plan::new(seed, readable)
}

pub(crate) fn list_bugs() {
    for bug in all_bugs() {
        println!("{:<28} {}", bug.name(), bug.sentence().trim());
    }
}

/// Runs what the options ask for and prints the verdict.
pub(crate) fn run(options: &Options) -> ExitCode {
    let bugs = match &options.bug {
        None => all_bugs(),
        Some(name) => match all_bugs().into_iter().find(|bug| bug.name().eq_ignore_ascii_case(name)) {
            Some(bug) => vec![bug],
            None => {
                eprintln!("no such planted bug: {name} (--list-bugs; they are compiled with --features planted-bugs)");
                return ExitCode::from(2);
            }
        },
    };
    let violations = if options.bug.is_none() { clean_runs(options) } else { 0 };
    let caught = bugs.iter().filter(|bug| hunt(options, **bug)).count();
    let (seeds, bugs) = (options.seeds, bugs.len());
    println!("{seeds} seeds, {violations} violations, {caught} of {bugs} planted bugs caught");
    if violations == 0 && caught == bugs { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn seeds(options: &Options) -> impl Iterator<Item = u64> {
    options.first_seed..options.first_seed.saturating_add(options.seeds)
}

/// Runs the product as it is; the first seed twice, because a run that cannot be repeated proves nothing.
fn clean_runs(options: &Options) -> u64 {
    let mut violations = 0;
    let first = run_seed(&plan(options.first_seed, None, false));
    let again = run_seed(&plan(options.first_seed, None, true));
    if first.hash != again.hash {
        println!("seed {}: two runs differ: {:016x} and {:016x}", options.first_seed, first.hash, again.hash);
        violations += 1;
    }
    let mut events = 0;
    for seed in seeds(options) {
        let outcome = run_seed(&plan(seed, None, options.seeds == 1));
        events += outcome.events;
        if let Some(violation) = &outcome.violation {
            violations += 1;
            report(seed, None, violation, &outcome);
        }
    }
    println!("{events} events without planted bugs");
    violations
}

fn report(seed: u64, bug: Option<Bug>, violation: &str, outcome: &Outcome) {
    for line in &outcome.lines {
        println!("{line}");
    }
    let bug = bug.map_or(String::new(), |bug| format!(" --bug {}", bug.name()));
    println!("seed {seed}: {violation}\n  again: ottla-sim groups 1 --seed {seed}{bug}");
}

/// Looks for a seed that shows the bug.
fn hunt(options: &Options, bug: Bug) -> bool {
    for seed in seeds(options) {
        let outcome = run_seed(&plan(seed, Some(bug), options.seeds == 1));
        if let Some(violation) = &outcome.violation {
            if options.seeds == 1 {
                report(seed, Some(bug), violation, &outcome);
            }
            println!("caught {:<28} seed {seed}: {violation}", bug.name());
            return true;
        }
    }
    println!("NOT CAUGHT {}: {}", bug.name(), bug.sentence().trim());
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_twice_is_the_same_run_and_another_seed_is_another() {
        let run = |seed, readable| run_seed(&plan(seed, None, readable));
        assert_eq!(run(5, false).hash, run(5, true).hash);
        assert_ne!(run(5, false).hash, run(6, false).hash);
    }

    #[test]
    fn the_product_is_clean_over_a_few_seeds() {
        for seed in 1..=20 {
            assert_eq!(run_seed(&plan(seed, None, false)).violation, None, "seed {seed}");
        }
    }

    #[cfg(feature = "planted-bugs")]
    #[test]
    fn every_planted_bug_is_caught() {
        let options = Options { seeds: 300, first_seed: 1, bug: None, list_bugs: false };
        let missed: Vec<_> = all_bugs().into_iter().filter(|bug| !hunt(&options, *bug)).map(Bug::name).collect();
        assert!(missed.is_empty(), "not caught: {missed:?}");
    }
}
