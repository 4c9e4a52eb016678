//! `ottla group describe`: who is in a group, and where it stands in its partitions.

use serde_json::Value;

use super::document::{epoch, list, name, number, partitions, software, some_text, text};
use super::lag;
use crate::local_time::LocalTime;
use crate::text::{Side, Table, count, duration};

/// For people, out of the views `why` and `lag`.
pub(super) fn render(why: &Value, behind: &Value, time: &LocalTime) -> String {
    let members = list(why, "members");
    let mut said = format!("{}\n", headline(why, members.len(), time));
    if !members.is_empty() {
        said.push_str(&format!("\n{}", table(members, time)));
    }
    let partitions = list(behind, "partitions");
    if !partitions.is_empty() {
        said.push_str(&format!("\n{}", lag::table(partitions, time)));
    }
    if !list(why, "findings").is_empty() || why["status"] == "REBALANCING" {
        said.push_str(&format!("\nWhat to do   ottla group why {}\n", text(why, "group")));
    }
    said
}

fn headline(why: &Value, members: usize, time: &LocalTime) -> String {
    let protocol_type = some_text(why, "protocol_type").filter(|kind| kind != "consumer");
    let parts = [
        some_text(why, "type").map(|kind| format!("{kind} protocol")),
        protocol_type.map(|kind| format!("protocol type {kind}")),
        some_text(why, "assignor").map(|assignor| format!("assignor {assignor}")),
        epoch(why),
        Some(count(members as u64, "member")),
        number(why, "since_ms").map(|ms| format!("since {}", time.text(ms))),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let status = some_text(why, "status").map_or_else(String::new, |status| format!(" ({status})"));
    format!("{} is {}{status}: {}", text(why, "group"), text(why, "state"), parts.join(", "))
}

fn table(members: &[Value], time: &LocalTime) -> String {
    let mut table = Table::new(&[
        ("MEMBER", Side::Left),
        ("INSTANCE", Side::Left),
        ("HOST", Side::Left),
        ("SOFTWARE", Side::Left),
        ("PARTITIONS", Side::Left),
        ("LAST SEEN", Side::Left),
        ("MEMBER ID", Side::Left),
    ]);
    for entry in members {
        let member = &entry["member"];
        let seen =
            number(entry, "last_seen_ms").map(|ms| format!("{} ago", duration(time.now_ms().saturating_sub(ms))));
        table.row(vec![
            name(member).unwrap_or_default(),
            text(member, "group_instance_id"),
            text(member, "host"),
            software(member),
            some_text_of(partitions(&entry["partitions"])),
            seen.unwrap_or_default(),
            text(member, "member_id"),
        ]);
    }
    table.text()
}

fn some_text_of(partitions: String) -> String {
    if partitions.is_empty() { "none".to_owned() } else { partitions }
}
