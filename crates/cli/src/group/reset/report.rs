//! What a reset or an undo says: a table of what changed, and what to do next.

use ottla_client::{ErrorCode, GroupReset, PartitionReset, ResetOutcome};
use serde_json::{Value, json};

use super::plan::Step;
use crate::local_time::LocalTime;
use crate::text::{Side, Table, grouped, harmless, signed};

/// How many refused partitions are named.
const NAMED: usize = 10;

/// A reset and what became of it.
pub(crate) struct Report<'a> {
    pub(crate) reset: &'a GroupReset,
    /// The group's state before.
    pub(crate) state: &'a str,
    pub(crate) outcome: &'a ResetOutcome,
    pub(crate) steps: &'a [Step],
    /// Whether the broker keeps the former offsets.
    pub(crate) keeps_former: bool,
    pub(crate) time: &'a LocalTime,
}

/// Records that are read once more, or never, after a change.
fn records(one: &PartitionReset) -> (u64, u64) {
    match (one.from, one.to) {
        (Some(from), Some(to)) => {
            (from.saturating_sub(to).max(0).unsigned_abs(), to.saturating_sub(from).max(0).unsigned_abs())
        }
        _ => (0, 0),
    }
}

impl Report<'_> {
    /// For people, where nothing was refused.
    pub(crate) fn text(&self) -> String {
        let changed = self.outcome.partitions.iter().filter(|one| one.from != one.to).count();
        if self.outcome.partitions.is_empty() {
            return format!("{}\n", self.headline(changed));
        }
        format!("{}\n{}{}\n", self.headline(changed), self.table(), self.next_step(changed))
    }

    fn under_members(&self) -> bool {
        self.reset.online && self.state != "Empty"
    }

    fn headline(&self, changed: usize) -> String {
        let group = harmless(&self.reset.group);
        let all = self.outcome.partitions.len();
        let set = match (self.reset.undo, changed) {
            (_, 0) => "its offsets are these already".to_owned(),
            (true, _) => "the offsets from before the last reset are back".to_owned(),
            (false, _) if changed == all => "its offsets are set".to_owned(),
            (false, _) => format!("its offsets are set: {changed} of {all} partitions changed"),
        };
        match (self.reset.validate_only, self.under_members()) {
            (true, _) => format!("{group} is {}; nothing was changed (dry run).", self.state),
            (false, true) => format!("{group} was {}; {set}, and its members go on from there.", self.state),
            (false, false) => format!("{group} is {}; {set}.", self.state),
        }
    }

    fn table(&self) -> String {
        let mut table = Table::new(&[
            ("PARTITION", Side::Left),
            ("FROM", Side::Right),
            ("TO", Side::Right),
            ("RECORDS", Side::Right),
            ("TIME", Side::Left),
        ]);
        for one in &self.outcome.partitions {
            table.row(vec![
                format!("{}/{}", harmless(&one.topic), one.partition),
                one.from.map_or_else(|| "never".to_owned(), signed),
                one.to.map_or_else(|| "none".to_owned(), signed),
                effect(one),
                self.times(one),
            ]);
        }
        table.text()
    }

    fn times(&self, one: &PartitionReset) -> String {
        let same = |step: &&Step| step.key.0 == one.topic && step.key.1 == one.partition;
        let Some(step) = self.steps.iter().find(same) else { return String::new() };
        let from = step.from_ms.map(|ms| format!("{} ", self.time.text(ms))).unwrap_or_default();
        match step.to_ms {
            Some(ms) => format!("{from}→ {}", self.time.text(ms)),
            None => step.note.to_owned(),
        }
    }

    fn next_step(&self, changed: usize) -> String {
        let group = harmless(&self.reset.group);
        let online = if self.under_members() { " --online" } else { "" };
        match (self.reset.validate_only, self.keeps_former) {
            _ if changed == 0 => "There is nothing to do.".to_owned(),
            (true, _) if self.reset.undo => "Run it without --dry-run to apply.".to_owned(),
            (true, true) => format!(
                "Run it without --dry-run to apply; `ottla group undo {group}{online}` brings these offsets back for 7 days."
            ),
            (true, false) => {
                "Run it without --dry-run to apply. This broker keeps no former offsets: FROM shows them.".to_owned()
            }
            (false, _) if self.reset.undo => {
                format!("A reset can be undone once; `ottla group lag {group}` shows where the group stands.")
            }
            (false, true) => format!("`ottla group undo {group}{online}` brings the former offsets back for 7 days."),
            (false, false) => "This broker keeps no former offsets: FROM shows them.".to_owned(),
        }
    }

    /// Why nothing was set, and what to do.
    pub(crate) fn refusal(&self) -> String {
        let (group, outcome) = (harmless(&self.reset.group), self.outcome);
        let why = match &outcome.message {
            _ if outcome.code == ErrorCode::NON_EMPTY_GROUP => ": it has members".to_owned(),
            Some(message) => format!(": {}", harmless(message)),
            None if outcome.code.is_none() => String::new(),
            None => format!(": {}", outcome.code),
        };
        let mut said = format!("the offsets of {group} were not changed{why}");
        let refused: Vec<&PartitionReset> = outcome.partitions.iter().filter(|one| !one.code.is_none()).collect();
        for one in refused.iter().take(NAMED) {
            let message = one.message.as_ref().map(|message| format!(" ({})", harmless(message))).unwrap_or_default();
            said.push_str(&format!("\n  {}/{}: {}{message}", harmless(&one.topic), one.partition, one.code));
        }
        if refused.len() > NAMED {
            said.push_str(&format!("\n  and {} more", refused.len() - NAMED));
        }
        said.push_str(self.way_out());
        said
    }

    fn way_out(&self) -> &'static str {
        match self.outcome.code {
            ErrorCode::NON_EMPTY_GROUP if self.keeps_former => {
                "\n  stop its members first, or add --online: they are fenced and go on from the new offsets"
            }
            ErrorCode::NON_EMPTY_GROUP => {
                "\n  stop its members first; only an Ottla broker can set offsets under members (--online)"
            }
            _ => "",
        }
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let error = |code: ErrorCode| (!code.is_none()).then(|| code.to_string());
        let partition = |one: &PartitionReset| {
            let (read_again, not_read) = records(one);
            json!({
                "topic": one.topic, "partition": one.partition, "from": one.from, "to": one.to,
                "read_again": read_again, "not_read": not_read, "error": error(one.code), "message": one.message,
            })
        };
        json!({
            "group": self.reset.group, "state": self.state, "online": self.reset.online, "undo": self.reset.undo,
            "dry_run": self.reset.validate_only, "applied": self.outcome.is_done() && !self.reset.validate_only,
            "error": error(self.outcome.code), "message": self.outcome.message,
            "partitions": self.outcome.partitions.iter().map(partition).collect::<Vec<_>>(),
        })
    }
}

fn effect(one: &PartitionReset) -> String {
    match (one.from, one.to, records(one)) {
        (None, Some(_), _) => "first commit".to_owned(),
        (Some(_), None, _) => "commit taken away".to_owned(),
        (.., (0, 0)) => "-".to_owned(),
        (.., (read_again, 0)) => format!("{} read again", grouped(read_again)),
        (.., (_, not_read)) => format!("{} not read", grouped(not_read)),
    }
}
