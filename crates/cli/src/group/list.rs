//! `ottla group list`: the view `status` as a table.

use serde_json::Value;

use super::arguments::ListArguments;
use super::document::{UNKNOWN, duration, grouped, list, number, some_text, text};
use crate::text::{Side, Table};

/// Keeps the groups that are wanted. States and types are compared without regard to case, as Kafka's own tool does.
pub(super) fn filter(status: &mut Value, wanted: &ListArguments) {
    let matches = |filter: &[String], group: &Value, key| {
        filter.is_empty()
            || filter.iter().any(|one| one.trim().eq_ignore_ascii_case(group[key].as_str().unwrap_or_default()))
    };
    if let Some(groups) = status["groups"].as_array_mut() {
        groups.retain(|group| matches(&wanted.state, group, "state") && matches(&wanted.group_type, group, "type"));
    }
}

/// For people.
pub(super) fn render(status: &Value, filtered: bool) -> String {
    let groups = list(status, "groups");
    if groups.is_empty() {
        return match filtered {
            true => "No group is in such a state or of such a type; `ottla group list` shows all.\n".to_owned(),
            false => {
                "There are no groups. One appears when its first member joins, or with its first commit.\n".to_owned()
            }
        };
    }
    let mut table = Table::new(&[
        ("GROUP", Side::Left),
        ("STATUS", Side::Left),
        ("STATE", Side::Left),
        ("MEMBERS", Side::Left),
        ("PARTITIONS", Side::Right),
        ("LAG", Side::Right),
        ("BEHIND", Side::Right),
        ("TREND", Side::Left),
        ("NOTE", Side::Left),
    ])
    .without_unknown(&["STATUS", "BEHIND"]);
    for group in groups {
        table.row(row(group));
    }
    table.text()
}

fn row(group: &Value) -> Vec<String> {
    let members = match number(group, "idle_members") {
        Some(idle) if idle > 0 => format!("{} ({} idle)", grouped(group, "members"), crate::text::signed(idle)),
        _ => grouped(group, "members"),
    };
    vec![
        text(group, "group"),
        some_text(group, "status").unwrap_or_else(|| UNKNOWN.to_owned()),
        text(group, "state"),
        members,
        grouped(group, "partitions"),
        grouped(group, "lag_records"),
        duration(group, "behind_ms"),
        trend(group).to_owned(),
        text(group, "note"),
    ]
}

fn trend(group: &Value) -> &'static str {
    match group["trend"].as_str() {
        Some("up") => "↗",
        Some("down") => "↘",
        Some("flat") => "→",
        _ => "",
    }
}
