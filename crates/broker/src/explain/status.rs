//! One line for a group.

use ottla_groups::{ExplainedGroup, ExplainedOffset, GroupState, diagnose};
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
        "trend": trend(now_ms, &group.offsets, facts),
        "note": diagnosis.findings.first().map_or("", |finding| finding.text.as_str()),
    })
}

/// For so long a commit counts as recent, in milliseconds, however close together the ones before were.
const RECENT_MS: i64 = 60_000;

/// Whether the lag of all partitions together grows: since the oldest of the last commits; where none came lately, since the last.
fn trend(now_ms: i64, offsets: &[ExplainedOffset], facts: &Facts) -> Option<&'static str> {
    let mut change = None;
    for offset in offsets {
        let facts = facts.get(&(offset.topic.clone(), offset.partition));
        let points = offset.progress.as_ref().map(|progress| (progress.points().next(), progress.points().next_back()));
        if let (Some(facts), Some((Some(first), Some(last)))) = (facts, points)
            && let (Some(before), Some(at_last)) = (first.lag(), last.lag())
        {
            let is_recent = now_ms.saturating_sub(last.at_ms) <= RECENT_MS.max(last.at_ms.saturating_sub(first.at_ms));
            let before = if is_recent { before } else { at_last };
            *change.get_or_insert(0) += facts.lag(offset.offset) - before;
        }
    }
    change.map(|change| match change {
        1.. => "up",
        0 => "flat",
        _ => "down",
    })
}
