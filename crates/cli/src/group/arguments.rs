//! `ottla group` as people type it.

use clap::{Args, Subcommand, ValueEnum};

use super::reset::target::{OnePartition, Target};
use crate::local_time::Moment;

/// The broker that is asked where none is named.
pub(super) const DEFAULT_BOOTSTRAP: &str = "localhost:9092";

/// Which broker, and what of it.
#[derive(Args, Debug)]
#[command(
    after_help = "`why`, `events`, `undo` and `reset --online` need an Ottla broker; the others work with Apache Kafka too.\n\
                        Exit code: 0 if it was answered or done, 1 if not, 2 for wrong usage."
)]
pub(crate) struct GroupArguments {
    /// What to ask.
    #[command(subcommand)]
    pub(crate) command: GroupCommand,

    /// A broker; several with commas between, and the first that is there is asked
    #[arg(long, global = true, value_name = "HOST:PORT", default_value = DEFAULT_BOOTSTRAP)]
    pub(crate) bootstrap_server: String,

    /// How to say it; for json, what the broker said unchanged, with times in milliseconds since 1970
    #[arg(short, long, global = true, value_enum, default_value = "table")]
    pub(crate) output: GroupOutput,
}

/// For whom output is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum GroupOutput {
    /// For people
    Table,
    /// For programs
    Json,
}

/// What can be asked.
#[derive(Subcommand, Debug)]
pub(crate) enum GroupCommand {
    /// All groups: whether they are well, and how far behind
    List(ListArguments),
    /// One group: its members, and its partitions with offsets and lag
    Describe(OneGroup),
    /// What a group waits for, what is not well, and what to do
    Why(OneGroup),
    /// What happened to a group, oldest first
    Events(EventsArguments),
    /// How far behind a group is, by partition, at one moment
    Lag(OneGroup),
    /// Set the committed offsets of a group
    #[command(after_help = "What --to takes:\n  \
        earliest, latest        the first record that is there, the end\n  \
        81205                   this offset\n  \
        +10, -10                so many further, or back, from the commit\n  \
        2h-ago                  the first record of the last two hours (s, m, h, d, w)\n  \
        2026-11-27T10:00        the first record from then on, local time; with Z at the end UTC\n  \
        uncommitted             take the commit away\n\
        Without --topic and --partition: all partitions that the group has a commit for or is assigned.")]
    Reset(ResetArguments),
    /// Bring back the offsets that the last reset replaced
    Undo(UndoArguments),
}

/// The states and types that groups can have, of Kafka too.
const STATES: [&str; 8] =
    ["Stable", "Empty", "PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling", "NotReady", "Dead"];
const TYPES: [&str; 4] = ["classic", "consumer", "share", "streams"];

/// Takes one of these words, in any case.
fn one_of(words: &'static [&'static str]) -> impl Fn(&str) -> Result<String, String> + Clone + Send + Sync + 'static {
    |typed| match words.iter().find(|word| word.eq_ignore_ascii_case(typed.trim())) {
        Some(word) => Ok((*word).to_owned()),
        None => Err(format!("there are {}", words.join(", "))),
    }
}

/// Which groups.
#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    /// Only groups in these states, such as Stable,Empty
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = one_of(&STATES))]
    pub(crate) state: Vec<String>,

    /// Only groups of these types: classic, consumer
    #[arg(long = "type", value_name = "TYPE", value_delimiter = ',', value_parser = one_of(&TYPES))]
    pub(crate) group_type: Vec<String>,
}

/// Which group.
#[derive(Args, Debug)]
pub(crate) struct OneGroup {
    /// The group's id
    pub(crate) group: String,
}

/// Which events.
#[derive(Args, Debug)]
pub(crate) struct EventsArguments {
    /// The group's id
    pub(crate) group: String,

    /// Only what happened since: 1h, or 2026-11-27T10:00 [default: all that is kept]
    #[arg(long, value_name = "WHEN")]
    pub(crate) since: Option<Moment>,

    /// Only what concerns offsets and records: moves, resets, losses
    #[arg(long)]
    pub(crate) loud: bool,
}

/// What to set.
#[derive(Args, Debug)]
pub(crate) struct ResetArguments {
    /// The group's id
    pub(crate) group: String,

    /// Where to; see below
    #[arg(long, value_name = "WHERE", allow_hyphen_values = true)]
    pub(crate) to: Target,

    /// Only all partitions of this topic; repeatable
    #[arg(long, value_name = "TOPIC")]
    pub(crate) topic: Vec<String>,

    /// Only this partition; repeatable
    #[arg(long, value_name = "TOPIC/PARTITION")]
    pub(crate) partition: Vec<OnePartition>,

    #[command(flatten)]
    pub(crate) how: How,
}

/// What to take back.
#[derive(Args, Debug)]
pub(crate) struct UndoArguments {
    /// The group's id
    pub(crate) group: String,

    #[command(flatten)]
    pub(crate) how: How,
}

/// How to set offsets.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct How {
    /// Only show what would change
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Also under members: they are fenced in the same step, and go on from the new offsets
    #[arg(long)]
    pub(crate) online: bool,
}
