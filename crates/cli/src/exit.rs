//! How the process ends: with a sentence for people and a code for scripts.

use std::fmt;
use std::process::ExitCode;

/// Why a command could not do what it was asked for. Displays as one clear sentence with the next step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    /// What was typed or configured is wrong; nothing was touched. Exit code 2, as for a wrong flag.
    Usage(String),
    /// Everything else. Exit code 1.
    Runtime(String),
}

impl Failure {
    /// The exit code.
    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Failure::Usage(_) => ExitCode::from(2),
            Failure::Runtime(_) => ExitCode::from(1),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(sentence) | Failure::Runtime(sentence) => f.write_str(sentence),
        }
    }
}
