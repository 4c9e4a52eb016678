//! The command line as people type it. What it means is decided elsewhere: `serve` hands everything to the broker's
//! configuration, where flags, `--set` and the file are one set of properties.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::group::arguments::GroupArguments;

/// Kafka's consumer model in one small broker.
#[derive(Parser, Debug)]
#[command(name = "ottla", version, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What the binary can do.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Run a broker until it is told to stop (Ctrl-C).
    Serve(ServeArguments),
    /// Ask a broker about consumer groups: what they wait for, what happened, how far behind they are; and set their offsets
    Group(GroupArguments),
    /// Look at a data folder while no broker runs on it; nothing is changed
    #[command(subcommand)]
    Storage(StorageCommand),
}

/// How to look at a data folder.
#[derive(Subcommand, Debug)]
pub(crate) enum StorageCommand {
    /// Say whether everything is there and intact, and what damage costs
    #[command(after_help = "Exit code: 0 if all is intact, 1 if anything is damaged, 2 if it could not be looked at.")]
    Check(CheckArguments),
    /// Show what lies in it, a line for each thing
    #[command(after_help = "Exit code: 0, 1 if anything could not be read, 2 if the folder could not be looked at.")]
    Dump(DumpArguments),
}

/// What to check.
#[derive(Args, Debug)]
pub(crate) struct CheckArguments {
    /// The data folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,

    /// How to say it
    #[arg(short, long, value_enum, default_value = "text")]
    pub(crate) output: Output,
}

/// What to show.
#[derive(Args, Debug)]
pub(crate) struct DumpArguments {
    /// The data folder
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,

    /// Which of its parts [default: all]
    #[arg(value_enum)]
    pub(crate) parts: Vec<DumpPart>,

    /// Only this topic, by its name, or by its id in 32 hex digits
    #[arg(long)]
    pub(crate) topic: Option<String>,

    /// Only this partition
    #[arg(long)]
    pub(crate) partition: Option<i32>,

    /// Only batches and records from this offset on
    #[arg(long, value_name = "OFFSET")]
    pub(crate) from: Option<i64>,

    /// Only batches and records up to this offset
    #[arg(long, value_name = "OFFSET")]
    pub(crate) to: Option<i64>,

    /// The records in each batch too, with keys and values shortened
    #[arg(long)]
    pub(crate) records: bool,

    /// How to say it: words, or one JSON object a line
    #[arg(short, long, value_enum, default_value = "text")]
    pub(crate) output: Output,
}

/// What can be shown of a data folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum DumpPart {
    /// The state as of the last checkpoint: topics, partitions, segments
    Manifest,
    /// The frames of the write-ahead log
    Wal,
    /// The batches in segment files
    Segments,
}

/// For whom output is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// For programs
    Json,
}

/// How to run a broker. Flags win over --set, --set over the file, the file over the defaults.
#[derive(Args, Debug, Default)]
#[command(
    after_help = "Logs go to stderr; OTTLA_LOG (or RUST_LOG) sets what is logged: error, warn, info, debug, trace.\n\
                        Exit code: 0 after a signal, 2 if usage or configuration is wrong, 1 otherwise."
)]
pub(crate) struct ServeArguments {
    /// Where to listen; repeatable; port 0 lets the system choose [default: localhost:9092]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) listen: Vec<String>,

    /// What to tell clients to connect to [default: the address that they connected to]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) advertise: Vec<String>,

    /// Where to keep everything [default: ./ottla-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    /// `local` keeps everything on disk, `memory` forgets it at the end [default: local]
    #[arg(long, value_name = "ENGINE")]
    pub(crate) storage: Option<String>,

    /// A file of properties, in the format of Kafka's server.properties
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// One property; repeatable, and the last one of a name counts
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declarations_fit_together() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn everything_repeatable_repeats() {
        let typed = "ottla serve --listen a:1 --listen [::1]:2 --set x=1 --set x=2 --advertise b:3";
        let arguments = Arguments::try_parse_from(typed.split(' ')).expect("proper arguments");
        let Command::Serve(serve) = arguments.command else { panic!("another command: {arguments:?}") };
        assert_eq!(serve.listen, ["a:1", "[::1]:2"]);
        assert_eq!(serve.set, ["x=1", "x=2"]);
        assert_eq!(serve.advertise, ["b:3"]);
    }
}
