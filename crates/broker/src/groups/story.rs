//! Events of groups as JSON, with a sentence for people; `docs/explain.md` has the shapes.

use ottla_groups::{
    Assigned, Culprit, Departure, GroupEvent, GroupEventKind, Held, LogStartCause, OffsetChange, OffsetsMoved, count,
    duration,
};
use serde_json::{Map, Value, json};

/// The events that are told loudly: what moved otherwise than by reading, or is gone.
const LOUD: [&str; 5] = ["offsets_moved", "offsets_reset", "offsets_deleted", "offsets_expired", "records_lost"];

/// So long a text in an event may be, in bytes.
const MOST_TEXT_BYTES: usize = 512;

/// Whether an event, as it is stored, is a loud one.
pub(crate) fn is_loud(event: &Value) -> bool {
    event.get("event").and_then(Value::as_str).is_some_and(|name| LOUD.contains(&name))
}

/// A member, as everywhere in these answers.
pub(crate) fn member(who: &Culprit) -> Value {
    let software = who.software.as_ref().map(|(name, version)| json!({"name": name, "version": version}));
    json!({
        "member_id": who.member_id,
        "group_instance_id": who.group_instance_id,
        "client_id": who.client_id,
        "host": who.host.trim_start_matches('/'),
        "software": software,
    })
}

/// Partitions by topic.
pub(crate) fn partitions(held: &Held) -> Value {
    Value::Object(held.iter().map(|(topic, partitions)| (topic.clone(), json!(partitions))).collect())
}

/// What people call a member.
pub(crate) fn name(who: &Culprit) -> &str {
    match &who.group_instance_id {
        Some(instance) => instance,
        None if who.client_id.is_empty() => &who.member_id,
        None => &who.client_id,
    }
}

/// Partitions in few words: `orders 0-3 7`.
pub(crate) fn listed(held: &Held) -> String {
    let topics = held.iter().map(|(topic, partitions)| format!("{topic} {}", ranges(partitions)));
    if held.is_empty() { "nothing".to_owned() } else { topics.collect::<Vec<_>>().join(", ") }
}

fn ranges(partitions: &[i32]) -> String {
    let mut words: Vec<(i32, i32)> = Vec::new();
    for &partition in partitions {
        match words.last_mut() {
            Some((_, last)) if *last + 1 == partition => *last = partition,
            _ => words.push((partition, partition)),
        }
    }
    let word = |&(first, last): &(i32, i32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// The event as it is stored and answered.
pub(super) fn json(event: &GroupEvent) -> Value {
    let (name, text, fields) = told(event);
    let certainty = match &event.kind {
        GroupEventKind::OffsetsMoved(OffsetsMoved { is_inferred: true, .. }) => "inferred",
        _ => "known",
    };
    let mut object = Map::new();
    object.insert("at_ms".into(), json!(event.at_ms));
    object.insert("event".into(), json!(name));
    object.insert("certainty".into(), json!(certainty));
    object.insert("text".into(), json!(text));
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    let mut event = Value::Object(object);
    cut(&mut event);
    event
}

/// Cuts texts that are too long to be kept ten thousand times: clients may call themselves what they like.
fn cut(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > MOST_TEXT_BYTES => {
            let fits = (0..MOST_TEXT_BYTES).rev().find(|&length| text.is_char_boundary(length)).unwrap_or(0);
            text.truncate(fits);
            text.push('…');
        }
        Value::Array(values) => values.iter_mut().for_each(cut),
        Value::Object(values) => values.values_mut().for_each(cut),
        _ => {}
    }
}

/// The event's sentence.
pub(super) fn text(event: &GroupEvent) -> String {
    told(event).1
}

/// The event's name, its sentence, and its fields.
fn told(event: &GroupEvent) -> (&'static str, String, Value) {
    match &event.kind {
        GroupEventKind::MemberJoined { member, reason, again } => joined(member, reason.as_deref(), *again),
        GroupEventKind::MemberRemoved { member, how, cause, held } => departed(member, *how, cause, held),
        GroupEventKind::MemberAway { member: who, held } => {
            let text = format!("{} is away and keeps {} until its session ends", name(who), listed(held));
            let fields = json!({"member": member(who), "cause": "it will come back", "held": partitions(held)});
            ("member_away", text, fields)
        }
        GroupEventKind::StaticMemberReplaced { group_instance_id, old_member_id, new_member_id } => {
            let text = format!("{group_instance_id} came back as {new_member_id}; {old_member_id} is fenced");
            let fields = json!({
                "group_instance_id": group_instance_id, "old_member_id": old_member_id, "new_member_id": new_member_id,
            });
            ("static_member_replaced", text, fields)
        }
        GroupEventKind::MemberIdForgotten { member_id } => {
            let text = format!("the member id {member_id} that was given to a client was never used");
            ("member_id_forgotten", text, json!({"member_id": member_id}))
        }
        GroupEventKind::StateChanged { from, to, generation_id, cause } => {
            let text = format!("{} → {} ({generation_id}): {cause}", from.name(), to.name());
            let fields = json!({"from": from.name(), "to": to.name(), "epoch": generation_id, "cause": cause});
            ("state_changed", text, fields)
        }
        GroupEventKind::Assigned { epoch, changes, left_out } => assigned(*epoch, changes, *left_out),
        GroupEventKind::Loaded { members } => {
            ("loaded", format!("the broker started and knows {members} members"), json!({"members": members}))
        }
        other => told_of_offsets(other),
    }
}

fn told_of_offsets(kind: &GroupEventKind) -> (&'static str, String, Value) {
    match kind {
        GroupEventKind::OffsetsMoved(moved) => self::moved(moved),
        GroupEventKind::OffsetsReset { online, undo, changes } => {
            let what = if *undo { "set back" } else { "reset" };
            let how = if *online { ", and the members were fenced" } else { "" };
            let text = format!("{} were {what}{how}: {}", partition_count(changes.len()), listed_changes(changes));
            let change = |change: &OffsetChange| json!({"topic": change.topic, "partition": change.partition, "from": change.from, "to": change.to});
            let topics: Vec<Value> = changes.iter().map(change).collect();
            ("offsets_reset", text, json!({"online": online, "undo": undo, "topics": topics}))
        }
        GroupEventKind::OffsetsDeleted { topic, partitions, cause } => {
            let text = format!("the offsets of {topic} {} were deleted: {cause}", ranges(partitions));
            ("offsets_deleted", text, json!({"topic": topic, "partitions": partitions, "cause": cause}))
        }
        GroupEventKind::OffsetsExpired { topic, partitions, last_commit_ms } => {
            let text = format!("the offsets of {topic} {} expired", ranges(partitions));
            let fields = json!({"topic": topic, "partitions": partitions, "last_commit_ms": last_commit_ms});
            ("offsets_expired", text, fields)
        }
        GroupEventKind::RecordsLost { topic, partition, from, to, records, cause } => {
            let cause = match cause {
                LogStartCause::DeleteRecords => "DeleteRecords",
                LogStartCause::Retention => "retention",
            };
            let text =
                format!("{topic}/{partition}: {cause} removed {} records before they were read", count(*records));
            let fields = json!({
                "topic": topic, "partition": partition, "from": from, "to": to, "records": records, "cause": cause,
            });
            ("records_lost", text, fields)
        }
        GroupEventKind::ProtocolMigrated { from, to, cause } => {
            let text = format!("the group went from the {from} to the {to} protocol: {cause}");
            ("migrated", text, json!({"from": from, "to": to, "cause": cause}))
        }
        GroupEventKind::Stalled { stall_ms } => {
            let length = duration(i64::try_from(*stall_ms).unwrap_or(i64::MAX));
            let text = format!("the broker stood still for {length}; every deadline was moved");
            ("stalled", text, json!({"stall_ms": stall_ms}))
        }
        other => ("other", format!("{other:?}"), json!({})),
    }
}

/// So many changes of offsets are named in a sentence; its fields have all.
const CHANGES_NAMED: usize = 3;

fn partition_count(count: usize) -> String {
    if count == 1 { "the offset of 1 partition".to_owned() } else { format!("the offsets of {count} partitions") }
}

fn listed_changes(changes: &[OffsetChange]) -> String {
    let offset = |offset: Option<i64>| offset.map_or_else(|| "none".to_owned(), count);
    let word = |change: &OffsetChange| {
        format!("{}/{} {} → {}", change.topic, change.partition, offset(change.from), offset(change.to))
    };
    let mut words: Vec<String> = changes.iter().take(CHANGES_NAMED).map(word).collect();
    if changes.len() > CHANGES_NAMED {
        words.push(format!("and {} more", changes.len() - CHANGES_NAMED));
    }
    words.join(", ")
}

fn joined(who: &Culprit, reason: Option<&str>, again: bool) -> (&'static str, String, Value) {
    let what = if again { "joined again" } else { "joined" };
    let why = reason.map_or(String::new(), |reason| format!(": {reason}"));
    let text = format!("{} ({}) {what}{why}", name(who), who.host.trim_start_matches('/'));
    ("member_joined", text, json!({"member": member(who), "reason": reason, "again": again}))
}

fn departed(who: &Culprit, how: Departure, cause: &str, held: &Held) -> (&'static str, String, Value) {
    let (event, what) = match how {
        Departure::Left => ("member_left", "left"),
        Departure::Removed => ("member_removed", "was removed"),
    };
    let text = format!("{} {what}: {cause}; it held {}", name(who), listed(held));
    (event, text, json!({"member": member(who), "cause": cause, "held": partitions(held)}))
}

fn assigned(epoch: i32, changes: &[Assigned], left_out: usize) -> (&'static str, String, Value) {
    let words = changes.iter().map(|change| format!("{} {}", name(&change.member), listed(&change.after)));
    let mut text = format!("assigned in {epoch}: {}", words.collect::<Vec<_>>().join("; "));
    if left_out > 0 {
        text.push_str(&format!("; and {left_out} more members"));
    }
    let change = |change: &Assigned| {
        json!({
            "member_id": change.member.member_id,
            "client_id": change.member.client_id,
            "before": partitions(&change.before),
            "after": partitions(&change.after),
        })
    };
    let members: Vec<Value> = changes.iter().map(change).collect();
    ("assigned", text, json!({"epoch": epoch, "members": members, "left_out": left_out}))
}

fn moved(moved: &OffsetsMoved) -> (&'static str, String, Value) {
    let OffsetsMoved { topic, partition, from, to, not_read, member: who, .. } = moved;
    let read_again = from.map_or(0, |from| from.saturating_sub(*to).max(0));
    let what = match read_again {
        0 => format!("{} records not read", count(*not_read)),
        _ => format!("{} records are read again", count(read_again)),
    };
    let text = match from {
        Some(from) => format!("{topic}/{partition} moved from {} to {}: {what}", count(*from), count(*to)),
        None => format!("{topic}/{partition} began at {}: {what}", count(*to)),
    };
    let fields = json!({
        "topic": topic, "partition": partition, "from": from, "to": to, "not_read": not_read,
        "read_again": read_again, "member": who.as_ref().map(member),
    });
    ("offsets_moved", text, fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_written_in_few_words() {
        assert_eq!(listed(&vec![("orders".into(), vec![0, 1, 2, 7]), ("t".into(), vec![3])]), "orders 0-2 7, t 3");
        assert_eq!(listed(&Held::new()), "nothing");
    }

    #[test]
    fn a_jump_is_told_with_its_count() {
        let kind = GroupEventKind::OffsetsMoved(OffsetsMoved {
            topic: "orders".into(),
            partition: 5,
            from: Some(512),
            to: 900,
            not_read: 388,
            member: None,
            is_inferred: true,
        });
        let told = json(&GroupEvent { group_id: "g".into(), at_ms: 7, kind });
        assert_eq!(told["text"], "orders/5 moved from 512 to 900: 388 records not read");
        assert_eq!(
            (&told["certainty"], &told["read_again"], &told["at_ms"]),
            (&json!("inferred"), &json!(0), &json!(7))
        );
        assert!(is_loud(&told));
    }
}
