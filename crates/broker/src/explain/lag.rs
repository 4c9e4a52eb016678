//! How far a group is behind, all partitions at one moment.

use ottla_groups::{ExplainedGroup, ExplainedMember, ExplainedOffset, PartitionFacts};
use ottla_storage::PartitionId;
use serde_json::{Value, json};

use super::Facts;
use crate::Broker;
use crate::groups::story;

pub(super) fn json(broker: &Broker, now_ms: i64, group: &ExplainedGroup, facts: &Facts) -> Value {
    let owners = group.owners();
    let line = |(place, facts): (&(String, i32), &PartitionFacts)| {
        let (offset, owner) = (group.offset(&place.0, place.1), owners.get(&(place.0.as_str(), place.1)));
        line(broker, now_ms, place, facts, offset, owner.copied())
    };
    let lines: Vec<Value> = facts.iter().map(line).collect();
    let sum = |field: &str| {
        let known: Vec<i64> = lines.iter().filter_map(|line| line[field].as_i64()).collect();
        (!known.is_empty()).then(|| known.iter().sum::<i64>())
    };
    let behind_ms = lines.iter().filter_map(|line| line["behind_ms"].as_i64()).max();
    json!({
        "at_ms": now_ms,
        "group": group.group_id,
        "records": sum("records"),
        "bytes": sum("bytes"),
        "behind_ms": behind_ms,
        "partitions": lines,
    })
}

fn line(
    broker: &Broker,
    now_ms: i64,
    (topic, partition): &(String, i32),
    facts: &PartitionFacts,
    offset: Option<&ExplainedOffset>,
    owner: Option<&ExplainedMember>,
) -> Value {
    let records = offset.map(|offset| facts.lag(offset.offset));
    let behind_ms = match (records, facts.unread_since_ms) {
        (Some(0), _) => Some(0),
        (Some(_), Some(at_ms)) => Some((now_ms - at_ms).max(0)),
        _ => None,
    };
    let from = offset.map(|offset| facts.unread_from(offset.offset).min(facts.end));
    let bytes = from.and_then(|from| bytes_from(broker, topic, *partition, from));
    json!({
        "topic": topic,
        "partition": partition,
        "committed": offset.map(|offset| offset.offset),
        "committed_at_ms": offset.map(|offset| offset.committed_at_ms),
        "metadata": offset.map(|offset| offset.metadata.as_str()),
        "log_start": facts.log_start,
        "end": facts.end,
        "records": records,
        "bytes": bytes,
        "behind_ms": behind_ms,
        "member": owner.map(|owner| story::member(&owner.who)),
    })
}

/// About how many bytes of records lie from that offset to the end.
fn bytes_from(broker: &Broker, topic: &str, index: i32, offset: i64) -> Option<u64> {
    let metadata = broker.engine().metadata();
    let partition = PartitionId { topic: metadata.by_name(topic)?.id, index };
    broker.engine().bytes_from(partition, offset).ok()
}
