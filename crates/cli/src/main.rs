//! The one binary: it reads the command line, picks clock and randomness, and wires the crates together.

mod arguments;
mod data_folder;
mod exit;
mod group;
mod local_time;
mod logging;
mod machine;
mod serve;
mod storage;
mod text;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use machine::SystemClock;

fn main() -> ExitCode {
    let clock = SystemClock::start();
    // Wrong usage ends here, with clap's exit code 2.
    let arguments = Arguments::parse();
    let done = logging::start().and_then(|loggers| match &arguments.command {
        Command::Serve(serve) => serve::run(serve, clock, loggers).map(|()| ExitCode::SUCCESS),
        Command::Group(group) => group::run(group, clock),
        Command::Storage(command) => storage::run(command),
    });
    match done {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.code()
        }
    }
}
