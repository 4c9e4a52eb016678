//! The command line as people type it. What it means is decided elsewhere: `serve` hands everything to the broker's
//! configuration, where flags, `--set` and the file are one set of properties.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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
        let Command::Serve(serve) = arguments.command;
        assert_eq!(serve.listen, ["a:1", "[::1]:2"]);
        assert_eq!(serve.set, ["x=1", "x=2"]);
        assert_eq!(serve.advertise, ["b:3"]);
    }
}
