//! Many seeds: first the product as it is, which must be clean, then each planted bug, which must be caught.
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::panic;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::Options;
use crate::trace::Telling;

/// A part of the product that is simulated.
#[derive(Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    /// The bugs that are planted in it: name, sentence. None without the feature `planted-bugs`.
    pub(crate) bugs: fn() -> Vec<(&'static str, &'static str)>,
    /// Runs a seed, with one of the bugs or none, and tells of it what is asked.
    pub(crate) run: fn(u64, Option<&str>, Telling) -> Outcome,
    /// Looks for a shorter run that fails as that of a seed does.
    pub(crate) shrink: Option<fn(u64, Option<&str>) -> Shrunk>,
}

/// What came of one run.
pub(crate) struct Outcome {
    pub(crate) hash: u64,
    pub(crate) events: u64,
    /// What else was counted, by name.
    pub(crate) counts: Vec<(&'static str, u64)>,
    pub(crate) violation: Option<String>,
    pub(crate) lines: Vec<String>,
}

/// A run that does no more than it must to fail.
pub(crate) struct Shrunk {
    /// Its lines are the story.
    pub(crate) outcome: Outcome,
    /// How many events it had as the seed makes it.
    pub(crate) events_before: u64,
    /// How many runs it took to find.
    pub(crate) runs: u32,
}

/// How many lines of a trace make a story.
const STORY_LINES: usize = 40;
/// So many seeds at most are run to catch a planted bug, unless it is hunted alone.
const MOST_HUNTED: u64 = 2_000;
/// So many failing seeds are told as stories; of the others, only what failed.
const MOST_STORIES: u64 = 3;

pub(crate) fn list_bugs(subject: Subject) {
    for (name, sentence) in (subject.bugs)() {
        println!("{name:<28} {}", sentence.trim());
    }
}

/// Runs what the options ask for and prints the verdict.
pub(crate) fn run(options: &Options) -> ExitCode {
    keep_panics();
    let subject = options.subject;
    let all = (subject.bugs)();
    let bugs = match &options.bug {
        None => all,
        Some(name) => match all.into_iter().find(|(bug, _)| bug.eq_ignore_ascii_case(name)) {
            Some(bug) => vec![bug],
            None => {
                eprintln!("no such planted bug: {name} (--list-bugs; they are compiled with --features planted-bugs)");
                return ExitCode::from(2);
            }
        },
    };
    let violations = if options.bug.is_none() { clean_runs(options) } else { 0 };
    let found = in_parallel(bugs.len() as u64, |number| hunt(options, bugs[number as usize]));
    for (_, line) in &found {
        println!("{line}");
    }
    let caught = found.iter().filter(|(caught, _)| *caught).count();
    let (seeds, bugs) = (options.seeds, bugs.len());
    println!("{seeds} seeds, {violations} violations, {caught} of {bugs} planted bugs caught");
    if violations == 0 && caught == bugs { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Does so many things on all processors, and answers what came of them in order.
fn in_parallel<T: Send>(count: u64, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let (next, done) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let workers = thread::available_parallelism().map_or(1, |count| count.get().min(8));
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let result = work(number);
                    done.lock().expect("nobody panics here").push((number, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("nobody panics here");
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Runs the product as it is; the first seed twice, because a run that cannot be repeated proves nothing.
fn clean_runs(options: &Options) -> u64 {
    let run = options.subject.run;
    let mut violations = 0;
    let first = run(options.first_seed, None, Telling::Nothing);
    let again = run(options.first_seed, None, Telling::Everything);
    if first.hash != again.hash {
        println!("seed {}: two runs differ: {:016x} and {:016x}", options.first_seed, first.hash, again.hash);
        violations += 1;
    }
    let outcomes = in_parallel(options.seeds, |number| {
        let outcome = run(options.first_seed.saturating_add(number), None, options.telling());
        let counts = Counts::of(&outcome);
        (counts, outcome.violation.is_some().then_some(outcome))
    });
    let mut counts = Counts::default();
    for (number, (of_this, outcome)) in (0..).zip(outcomes) {
        counts.add(&of_this);
        let seed = options.first_seed.saturating_add(number);
        if let Some(outcome) = outcome {
            violations += 1;
            report(options, seed, None, &outcome, violations <= MOST_STORIES);
        }
    }
    println!("{counts}");
    violations
}

/// How much happened in runs: altogether, and in the one with the least of it.
#[derive(Default)]
struct Counts(BTreeMap<&'static str, (u64, u64)>);

impl Counts {
    fn of(outcome: &Outcome) -> Self {
        let counts = outcome.counts.iter().copied().chain([("events", outcome.events)]);
        Counts(counts.map(|(name, count)| (name, (count, count))).collect())
    }

    fn add(&mut self, other: &Counts) {
        for (name, (sum, least)) in &other.0 {
            let counts = self.0.entry(name).or_insert((0, u64::MAX));
            *counts = (counts.0 + sum, counts.1.min(*least));
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> =
            self.0.iter().map(|(name, (sum, least))| format!("{sum} {name} (at least {least} with a seed)")).collect();
        write!(f, "{} without planted bugs", counts.join(", "))
    }
}

/// What went wrong, how it came to that, and how to see it again.
fn report(options: &Options, seed: u64, bug: Option<&str>, outcome: &Outcome, tells_story: bool) {
    let Subject { name, run, shrink, .. } = options.subject;
    outcome.lines.iter().for_each(|line| println!("{line}"));
    match shrink.filter(|_| tells_story) {
        Some(shrink) => tell(seed, &shrink(seed, bug)),
        None if tells_story && outcome.lines.is_empty() => {
            let lines = run(seed, bug, Telling::Everything).lines;
            lines[lines.len().saturating_sub(STORY_LINES)..].iter().for_each(|line| println!("{line}"));
        }
        None => {}
    }
    let bug = bug.map_or(String::new(), |bug| format!(" --bug {bug}"));
    let violation = outcome.violation.as_deref().unwrap_or_default();
    println!("seed {seed}: {violation}\n  again: ./test sim {name} 1 --seed {seed}{bug}");
}

/// The story of a shorter run.
fn tell(seed: u64, shrunk: &Shrunk) {
    let Shrunk { outcome, events_before, runs } = shrunk;
    println!("seed {seed} in short: {} events of {events_before}, found with {runs} runs", outcome.events);
    for (number, line) in (1..).zip(&outcome.lines) {
        println!("{number:>4}. {line}");
    }
    println!("   violated: {}", outcome.violation.as_deref().unwrap_or("nothing, which is a fault of the search"));
}

/// Looks for a seed that shows the bug.
fn hunt(options: &Options, (bug, sentence): (&'static str, &str)) -> (bool, String) {
    let seeds = if options.bug.is_some() || options.seeds == 1 { options.seeds } else { MOST_HUNTED };
    for seed in options.first_seed..options.first_seed.saturating_add(seeds) {
        let outcome = (options.subject.run)(seed, Some(bug), options.telling());
        if let Some(violation) = &outcome.violation {
            if options.seeds == 1 {
                report(options, seed, Some(bug), &outcome, true);
            }
            return (true, format!("caught {bug:<28} seed {seed}: {violation}"));
        }
    }
    (false, format!("NOT CAUGHT {bug}: {}", sentence.trim()))
}

thread_local! {
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What the last panic of this thread said, and where.
pub(crate) fn last_panic() -> String {
    LAST_PANIC.take()
}

/// A panic of the product is a violation with a seed; it is told with that.
fn keep_panics() {
    panic::set_hook(Box::new(|info| {
        let text = info.to_string().replace('\n', " ");
        LAST_PANIC.with_borrow_mut(|last| *last = text);
    }));
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "planted-bugs")]
    use super::*;
    use crate::SUBJECTS;
    #[cfg(not(feature = "planted-bugs"))]
    use crate::trace::Telling;

    #[test]
    fn one_seed_twice_is_the_same_run_and_another_seed_is_another() {
        for subject in SUBJECTS {
            for seed in [5, 6, 7] {
                let first = (subject.run)(seed, None, Telling::Nothing).hash;
                assert_eq!(first, (subject.run)(seed, None, Telling::Everything).hash, "{} {seed}", subject.name);
                assert_ne!(first, (subject.run)(seed + 10, None, Telling::Nothing).hash, "{} {seed}", subject.name);
            }
        }
    }

    #[test]
    fn the_product_is_clean_over_a_few_seeds() {
        for subject in SUBJECTS {
            for seed in 1..=20 {
                assert_eq!((subject.run)(seed, None, Telling::Nothing).violation, None, "{} {seed}", subject.name);
            }
        }
    }

    #[cfg(feature = "planted-bugs")]
    #[test]
    fn a_failing_run_is_shrunk_to_a_story_that_fails_in_the_same_way() {
        let shrink = crate::groups::SUBJECT.shrink.expect("groups are shrunk");
        let run = crate::groups::SUBJECT.run;
        for bug in ["TwoOwnersInOneGeneration", "MemberEpochNotChecked", "TopicChangesNotSeen"] {
            // A run that fails at once is short as it is.
            let fails = |seed: &u64| {
                let outcome = run(*seed, Some(bug), Telling::Nothing);
                outcome.violation.is_some() && outcome.events > 300
            };
            let seed = (1..1000).find(fails).expect("it is caught late in some run");
            let (one, again) = (shrink(seed, Some(bug)), shrink(seed, Some(bug)));
            assert_eq!((one.outcome.hash, &one.outcome.lines), (again.outcome.hash, &again.outcome.lines), "{bug}");
            assert!(one.outcome.violation.is_some() && !one.outcome.lines.is_empty(), "{bug}");
            assert!(one.outcome.events <= one.events_before / 3 && one.runs <= 300, "{bug}: {}", one.outcome.events);
        }
    }

    #[cfg(feature = "planted-bugs")]
    #[test]
    fn every_planted_bug_is_caught() {
        for subject in SUBJECTS {
            let options = Options { subject: *subject, seeds: 2, first_seed: 1, bug: None, list_bugs: false };
            let missed: Vec<_> =
                (subject.bugs)().into_iter().map(|bug| hunt(&options, bug)).filter(|(caught, _)| !caught).collect();
            assert!(missed.is_empty(), "{missed:?}");
        }
    }
}
