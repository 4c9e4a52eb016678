//! `ottla group events`: what happened, a line each.

use serde_json::Value;

use super::document::{list, text};
use crate::local_time::LocalTime;

/// For people.
pub(super) fn render(events: &Value, time: &LocalTime) -> String {
    let happened = list(events, "events");
    if happened.is_empty() {
        return format!("Nothing of the kind is known of {} in that time.\n", text(events, "group"));
    }
    let moments: Vec<String> =
        happened.iter().map(|event| event["at_ms"].as_i64().map_or_else(String::new, |ms| time.text(ms))).collect();
    let width = moments.iter().map(|moment| moment.len()).max().unwrap_or(0);
    let labels: Vec<String> = happened.iter().map(label).collect();
    let labels_width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let mut said = String::new();
    for ((event, moment), label) in happened.iter().zip(&moments).zip(&labels) {
        let inferred = if event["certainty"] == "inferred" { " (inferred)" } else { "" };
        said.push_str(&format!("{moment:<width$}  {label:<labels_width$}  {}{inferred}\n", text(event, "text")));
    }
    said
}

/// What happened, in a word.
fn label(event: &Value) -> String {
    let known = match event["event"].as_str().unwrap_or_default() {
        "member_joined" => "join",
        "member_left" => "left",
        "member_removed" => "removed",
        "member_away" => "away",
        "static_member_replaced" => "replaced",
        "member_id_forgotten" => "forgotten",
        "state_changed" => "state",
        "offsets_moved" => "moved",
        "offsets_reset" => "reset",
        "offsets_deleted" => "deleted",
        "offsets_expired" => "expired",
        "records_lost" => "lost",
        _ => return text(event, "event").replace('_', " "),
    };
    known.to_owned()
}
