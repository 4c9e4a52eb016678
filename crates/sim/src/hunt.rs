//! Many seeds: first the product as it is, which must be clean, then each planted bug, which must be caught.
use std::cell::RefCell;
use std::panic;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::Options;

/// A part of the product that is simulated.
#[derive(Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    /// The bugs that are planted in it: name, sentence. None without the feature `planted-bugs`.
    pub(crate) bugs: fn() -> Vec<(&'static str, &'static str)>,
    /// Runs a seed, with one of the bugs or none, and keeps the trace as text if asked.
    pub(crate) run: fn(u64, Option<&str>, bool) -> Outcome,
}

/// What came of one run.
pub(crate) struct Outcome {
    pub(crate) hash: u64,
    pub(crate) events: u64,
    pub(crate) violation: Option<String>,
    pub(crate) lines: Vec<String>,
}

/// How many lines of a trace make a story.
const STORY_LINES: usize = 40;

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
    let (first, again) = (run(options.first_seed, None, false), run(options.first_seed, None, true));
    if first.hash != again.hash {
        println!("seed {}: two runs differ: {:016x} and {:016x}", options.first_seed, first.hash, again.hash);
        violations += 1;
    }
    let readable = options.seeds == 1;
    let outcomes = in_parallel(options.seeds, |number| {
        let outcome = run(options.first_seed.saturating_add(number), None, readable);
        let violation = outcome.violation.is_some() || readable;
        (outcome.events, violation.then_some(outcome))
    });
    let mut events = 0;
    for (number, (count, outcome)) in (0..).zip(outcomes) {
        events += count;
        let seed = options.first_seed.saturating_add(number);
        if let Some((outcome, violation)) = outcome.and_then(|outcome| outcome.violation.clone().map(|v| (outcome, v)))
        {
            violations += 1;
            report(options, seed, None, &violation, &outcome);
        }
    }
    println!("{events} events without planted bugs");
    violations
}

/// What went wrong, how it came to that, and how to see it again.
fn report(options: &Options, seed: u64, bug: Option<&str>, violation: &str, outcome: &Outcome) {
    let retold;
    let lines = match outcome.lines.is_empty() {
        false => &outcome.lines[..],
        true => {
            retold = (options.subject.run)(seed, bug, true).lines;
            &retold[retold.len().saturating_sub(STORY_LINES)..]
        }
    };
    lines.iter().for_each(|line| println!("{line}"));
    let (name, bug) = (options.subject.name, bug.map_or(String::new(), |bug| format!(" --bug {bug}")));
    println!("seed {seed}: {violation}\n  again: ./test sim {name} 1 --seed {seed}{bug}");
}

/// Looks for a seed that shows the bug.
fn hunt(options: &Options, (bug, sentence): (&'static str, &str)) -> (bool, String) {
    let readable = options.seeds == 1;
    for seed in options.first_seed..options.first_seed.saturating_add(options.seeds) {
        let outcome = (options.subject.run)(seed, Some(bug), readable);
        if let Some(violation) = &outcome.violation {
            if readable {
                report(options, seed, Some(bug), violation, &outcome);
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

    #[test]
    fn one_seed_twice_is_the_same_run_and_another_seed_is_another() {
        for subject in SUBJECTS {
            for seed in [5, 6, 7] {
                let first = (subject.run)(seed, None, false).hash;
                assert_eq!(first, (subject.run)(seed, None, true).hash, "{} {seed}", subject.name);
                assert_ne!(first, (subject.run)(seed + 10, None, false).hash, "{} {seed}", subject.name);
            }
        }
    }

    #[test]
    fn the_product_is_clean_over_a_few_seeds() {
        for subject in SUBJECTS {
            for seed in 1..=20 {
                assert_eq!((subject.run)(seed, None, false).violation, None, "{} {seed}", subject.name);
            }
        }
    }

    #[cfg(feature = "planted-bugs")]
    #[test]
    fn every_planted_bug_is_caught() {
        for subject in SUBJECTS {
            let options = Options { subject: *subject, seeds: 1000, first_seed: 1, bug: None, list_bugs: false };
            let missed: Vec<_> =
                (subject.bugs)().into_iter().map(|bug| hunt(&options, bug)).filter(|(caught, _)| !caught).collect();
            assert!(missed.is_empty(), "{missed:?}");
        }
    }
}
