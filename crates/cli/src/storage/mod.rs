//! `ottla storage`: what a data folder holds, and whether it is intact. Nothing here changes it.

mod lines;
mod verdict;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use ottla_storage::local::disk::SystemDisk;
use ottla_storage::local::inspect::{self, DumpWish, InspectError};

use crate::arguments::{CheckArguments, DumpArguments, DumpPart, Output, StorageCommand};
use crate::data_folder;
use crate::exit::Failure;

/// Does it; the exit code says what was found.
///
/// # Errors
/// The folder could not be looked at.
pub(crate) fn run(command: &StorageCommand) -> Result<ExitCode, Failure> {
    match command {
        StorageCommand::Check(arguments) => check(arguments),
        StorageCommand::Dump(arguments) => dump(arguments),
    }
}

fn check(arguments: &CheckArguments) -> Result<ExitCode, Failure> {
    let mut report = inspect::check(&arguments.folder, &SystemDisk).map_err(|error| failure(&error))?;
    report.damage.extend(data_folder::check(&arguments.folder, report.manifest.is_none()));
    let said = match arguments.output {
        Output::Text => verdict::text(&arguments.folder, &report),
        Output::Json => format!("{}\n", verdict::json(&arguments.folder, &report)),
    };
    ended(io::stdout().lock().write_all(said.as_bytes()), !report.is_intact())
}

fn dump(arguments: &DumpArguments) -> Result<ExitCode, Failure> {
    let wants = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    let wish = DumpWish {
        manifest: wants(DumpPart::Manifest),
        wal: wants(DumpPart::Wal),
        segments: wants(DumpPart::Segments),
        records: arguments.records,
        topic: arguments.topic.clone(),
        partition: arguments.partition,
        from: arguments.from,
        to: arguments.to,
    };
    let mut stdout = BufWriter::new(io::stdout().lock());
    let told = inspect::dump(&arguments.folder, &SystemDisk, &wish, &mut |line| match arguments.output {
        Output::Text => writeln!(stdout, "{}", lines::text(&line)),
        Output::Json => writeln!(stdout, "{}", lines::json(&line)),
    });
    match told {
        Ok(unreadable) => ended(stdout.flush(), unreadable),
        // Whoever looks at the first lines only has seen enough.
        Err(InspectError::Output { kind: io::ErrorKind::BrokenPipe, .. }) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(failure(&error)),
    }
}

/// Nothing can be said: as for wrong usage, so that 1 always means that something is damaged.
fn failure(error: &InspectError) -> Failure {
    Failure::Usage(error.to_string())
}

fn ended(written: io::Result<()>, damaged: bool) -> Result<ExitCode, Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Usage(format!("could not write what was found: {error}")))
        }
        _ => Ok(ExitCode::from(u8::from(damaged))),
    }
}
