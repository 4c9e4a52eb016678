//! The simulation: the product's own code under simulated networks, disks and clocks, everything out of one seed.
//!
//! `ottla-sim groups N [--seed S] [--bug NAME] [--list-bugs]` runs the group coordinator over N seeds, then hunts every
//! planted bug; `ottla-sim storage N` does the same with the local storage engine, `ottla-sim transactions N` with the
//! transaction coordinator, `ottla-sim torture N` with both coordinators and the engine together. The last line reads
//! `N seeds, 0 violations, P of P planted bugs caught`; anything else exits with 1.
mod groups;
mod hunt;
mod prng;
mod storage;
mod torture;
mod trace;
mod transactions;

use std::process::ExitCode;
use trace::Telling;

/// Everything that is simulated.
const SUBJECTS: &[hunt::Subject] = &[groups::SUBJECT, storage::SUBJECT, torture::SUBJECT, transactions::SUBJECT];

const USAGE: &str = "usage: ottla-sim groups|storage|transactions|torture N [--seed S] [--bug NAME] [--list-bugs]";

fn main() -> ExitCode {
    match options(std::env::args().skip(1)) {
        Ok(options) if options.list_bugs => {
            hunt::list_bugs(options.subject);
            ExitCode::SUCCESS
        }
        Ok(options) => hunt::run(&options),
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// What to run.
struct Options {
    subject: hunt::Subject,
    seeds: u64,
    first_seed: u64,
    bug: Option<String>,
    list_bugs: bool,
}

impl Options {
    /// A single seed is told in full.
    fn telling(&self) -> Telling {
        if self.seeds == 1 { Telling::Everything } else { Telling::Nothing }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let name = arguments.next().unwrap_or_else(|| "(none)".into());
    let subject = SUBJECTS.iter().copied().find(|subject| subject.name == name);
    let subject = subject.ok_or_else(|| format!("no such simulation: {name}"))?;
    let mut options = Options { subject, seeds: 0, first_seed: 1, bug: None, list_bugs: false };
    let number = |text: Option<String>| {
        let text = text.ok_or("a number is missing")?;
        text.parse::<u64>().map_err(|_| format!("not a number: {text}"))
    };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--seed" => options.first_seed = number(arguments.next())?,
            "--bug" => options.bug = Some(arguments.next().ok_or("the name of a bug is missing")?),
            "--list-bugs" => options.list_bugs = true,
            _ => options.seeds = number(Some(argument))?,
        }
    }
    if options.seeds == 0 && !options.list_bugs {
        return Err("how many seeds?".into());
    }
    Ok(options)
}
