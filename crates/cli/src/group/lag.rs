//! `ottla group lag`: one consistent snapshot of how far behind a group is.

use serde_json::Value;

use super::document::{UNKNOWN, duration, grouped, list, name, number, partition_name, text};
use crate::local_time::LocalTime;
use crate::text::{Side, Table, bytes, count};

/// For people.
pub(super) fn render(lag: &Value, time: &LocalTime) -> String {
    let partitions = list(lag, "partitions");
    if partitions.is_empty() {
        return format!("{} has no partitions: none is assigned, and nothing was committed.\n", text(lag, "group"));
    }
    format!("{}\n\n{}", headline(lag, partitions), table(partitions, time))
}

fn headline(lag: &Value, partitions: &[Value]) -> String {
    let group = text(lag, "group");
    let all = count(partitions.len() as u64, "partition");
    let unknown = partitions.iter().filter(|one| number(one, "committed").is_none()).count() as u64;
    let behind = partitions.iter().filter(|one| number(one, "records").is_some_and(|records| records > 0)).count();
    let mut text = match number(lag, "records") {
        None => format!("{group} has committed nothing for its {all}."),
        Some(0) => format!("{group} has read all that it has a commit for, of {all}."),
        Some(records) => {
            let records = count(records.unsigned_abs(), "record");
            format!("{group} is {records}{} behind, on {behind} of {all}{}.", size(lag), oldest(lag))
        }
    };
    if unknown > 0 && lag["records"].is_number() {
        let (have, whose) = if unknown == 1 { ("has", "its") } else { ("have", "their") };
        text.push_str(&format!(" {} {have} no commit, so {whose} lag is not known.", count(unknown, "partition")));
    }
    text
}

fn size(lag: &Value) -> String {
    number(lag, "bytes").map_or_else(String::new, |amount| format!(" (about {})", bytes(amount.max(0).unsigned_abs())))
}

fn oldest(lag: &Value) -> String {
    match number(lag, "behind_ms") {
        Some(ms) if ms > 0 => format!("; the oldest unread record is {} old", crate::text::duration(ms)),
        _ => String::new(),
    }
}

/// The partitions, without a headline.
pub(super) fn table(partitions: &[Value], time: &LocalTime) -> String {
    let mut table = Table::new(&[
        ("PARTITION", Side::Left),
        ("COMMITTED", Side::Right),
        ("END", Side::Right),
        ("LAG", Side::Right),
        ("BEHIND", Side::Right),
        ("BYTES", Side::Right),
        ("LAST COMMIT", Side::Left),
        ("MEMBER", Side::Left),
    ])
    .without_unknown(&["BEHIND", "BYTES", "LAST COMMIT", "MEMBER"]);
    for one in partitions {
        let size = number(one, "bytes").map(|amount| bytes(amount.max(0).unsigned_abs()));
        let at = number(one, "committed_at_ms").map(|ms| time.text(ms));
        table.row(vec![
            partition_name(one),
            number(one, "committed").map_or_else(|| "never".to_owned(), crate::text::signed),
            grouped(one, "end"),
            grouped(one, "records"),
            duration(one, "behind_ms"),
            size.unwrap_or_else(|| UNKNOWN.to_owned()),
            at.unwrap_or_else(|| UNKNOWN.to_owned()),
            name(&one["member"]).unwrap_or_else(|| UNKNOWN.to_owned()),
        ]);
    }
    table.text()
}
