//! One line for a group.

use ottla_groups::{ExplainedGroup, ExplainedOffset, GroupState, Point, diagnose};
use serde_json::{Value, json};

use super::{Facts, behind_ms};

pub(super) fn json(now_ms: i64, group: &ExplainedGroup, facts: &Facts) -> Value {
    let diagnosis = diagnose(now_ms, group, facts);
    let facts_of = |offset: &ExplainedOffset| facts.get(&(offset.topic.clone(), offset.partition));
    let lags = group.offsets.iter().filter_map(|offset| Some(facts_of(offset)?.lag(offset.offset)));
    let lags: Vec<i64> = lags.collect();
    let lag_records = (!lags.is_empty()).then(|| lags.iter().sum::<i64>());
    let idle = group.members.iter().filter(|member| member.held.is_empty()).count();
    let idle = if group.state == GroupState::Stable { idle } else { 0 };
    json!({
        "group": group.group_id,
        "type": group.group_type,
        "protocol_type": group.protocol_type,
        "state": group.state.name(),
        "status": diagnosis.status.name(),
        "members": group.members.len(),
        "idle_members": idle,
        "partitions": facts.len(),
        "lag_records": lag_records,
        "behind_ms": lag_records.map(|_| behind_ms(now_ms, facts).unwrap_or(0)),
        "trend": trend(&group.offsets),
        "note": diagnosis.findings.first().map_or("", |finding| finding.text.as_str()),
    })
}

/// Whether the lag grew over the last commits, of all partitions together.
fn trend(offsets: &[ExplainedOffset]) -> Option<&'static str> {
    let mut change = None;
    for progress in offsets.iter().filter_map(|offset| offset.progress.as_ref()) {
        let (first, last) = (progress.points().next(), progress.points().next_back());
        if let (Some(before), Some(after), true) =
            (first.and_then(Point::lag), last.and_then(Point::lag), progress.points().len() > 1)
        {
            *change.get_or_insert(0) += after - before;
        }
    }
    change.map(|change| match change {
        1.. => "up",
        0 => "flat",
        _ => "down",
    })
}
