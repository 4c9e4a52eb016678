//! What Kafka's own requests tell of groups, in the shape of `docs/explain.md`: what they do not tell is null.

use std::collections::BTreeMap;

use ottla_client::{
    Admin, ApiKey, ClientError, EARLIEST_TIMESTAMP, ErrorCode, GroupDescription, GroupListing, LATEST_TIMESTAMP,
    MemberDescription, OffsetQuery,
};
use serde_json::{Value, json};

use super::session::View;

/// Whether the broker answers Ottla's own requests.
pub(super) fn is_ottla(admin: &Admin) -> bool {
    admin.serves(ApiKey::OttlaGroupExplain)
}

/// A view of a group, or the status of all where `group` is empty.
pub(super) async fn view(admin: &mut Admin, view: View, group: &str, now_ms: i64) -> Result<Value, ClientError> {
    match (view, group) {
        (View::Status, "") => all(admin, now_ms).await,
        (View::Status, _) => {
            let description = admin.describe_group(group).await?;
            let behind = lag(admin, &description, now_ms).await?;
            Ok(json!({"at_ms": now_ms, "groups": [status(&description, &behind)]}))
        }
        (View::Lag, _) => {
            let description = admin.describe_group(group).await?;
            lag(admin, &description, now_ms).await
        }
        (View::Why | View::Timeline(_) | View::Events(_), _) => {
            Ok(members(&admin.describe_group(group).await?, now_ms))
        }
    }
}

async fn all(admin: &mut Admin, now_ms: i64) -> Result<Value, ClientError> {
    let mut groups = Vec::new();
    for listed in admin.list_groups().await? {
        groups.push(match admin.describe_group(&listed.group).await {
            Ok(description) => {
                let behind = lag(admin, &description, now_ms).await?;
                status(&description, &behind)
            }
            // Of another kind, such as a share group, or gone since.
            Err(error) if error.code() == Some(ErrorCode::GROUP_ID_NOT_FOUND) => listed_only(&listed),
            Err(error) => return Err(error),
        });
    }
    Ok(json!({"at_ms": now_ms, "groups": groups}))
}

fn listed_only(listed: &GroupListing) -> Value {
    json!({
        "group": listed.group, "type": listed.group_type, "protocol_type": listed.protocol_type, "state": listed.state,
        "status": null, "members": null, "idle_members": null, "partitions": null, "lag_records": null, "behind_ms": null,
        "trend": null, "note": "",
    })
}

fn status(description: &GroupDescription, behind: &Value) -> Value {
    let idle = description.members.iter().filter(|member| member.partitions.values().all(Vec::is_empty)).count();
    json!({
        "group": description.group, "type": description.group_type, "protocol_type": description.protocol_type,
        "state": description.state, "status": null, "members": description.members.len(), "idle_members": idle,
        "partitions": behind["partitions"].as_array().map(Vec::len), "lag_records": behind["records"], "behind_ms": null,
        "trend": null, "note": "",
    })
}

/// As much of the view `why` as a description needs.
fn members(description: &GroupDescription, now_ms: i64) -> Value {
    let members: Vec<Value> = description
        .members
        .iter()
        .map(|one| {
            json!({
                "member": member(one), "partitions": one.partitions, "last_seen_ms": null, "last_fetch_ms": null,
                "fetch_certainty": null, "session_timeout_ms": null, "reason": null,
            })
        })
        .collect();
    json!({
        "at_ms": now_ms, "group": description.group, "type": description.group_type,
        "protocol_type": description.protocol_type, "state": description.state, "epoch": description.epoch,
        "assignor": description.assignor, "since_ms": null, "status": null, "text": "", "cause": null, "waits": [],
        "findings": [], "members": members,
    })
}

fn member(member: &MemberDescription) -> Value {
    json!({
        "member_id": member.member_id, "group_instance_id": member.group_instance_id, "client_id": member.client_id,
        "host": member.host, "software": null,
    })
}

/// What is known of a partition before its offsets are.
#[derive(Default)]
struct Place {
    committed: Option<i64>,
    metadata: String,
    member: Value,
}

type Places = BTreeMap<(String, i32), Place>;

async fn lag(admin: &mut Admin, description: &GroupDescription, now_ms: i64) -> Result<Value, ClientError> {
    let mut places = Places::new();
    for one in &description.members {
        for (topic, partitions) in &one.partitions {
            for partition in partitions {
                places.entry((topic.clone(), *partition)).or_default().member = member(one);
            }
        }
    }
    for commit in admin.committed_offsets(&description.group).await? {
        let place = places.entry((commit.topic, commit.partition)).or_default();
        (place.committed, place.metadata) = (Some(commit.offset), commit.metadata);
    }
    let starts = offsets(admin, &places, EARLIEST_TIMESTAMP).await?;
    let ends = offsets(admin, &places, LATEST_TIMESTAMP).await?;
    let rows: Vec<Value> = places.iter().map(|(key, place)| row(key, place, starts.get(key), ends.get(key))).collect();
    let known: Vec<i64> = rows.iter().filter_map(|row| row["records"].as_i64()).collect();
    let sum = known.iter().fold(0_i64, |sum, records| sum.saturating_add(*records));
    let records = if known.is_empty() { Value::Null } else { sum.into() };
    Ok(json!({
        "at_ms": now_ms, "group": description.group, "records": records, "bytes": null, "behind_ms": null, "partitions": rows,
    }))
}

fn row((topic, partition): &(String, i32), place: &Place, start: Option<&i64>, end: Option<&i64>) -> Value {
    let unread = |committed: i64, end: i64| {
        let from = committed.max(start.copied().unwrap_or(committed));
        end.saturating_sub(from).max(0)
    };
    json!({
        "topic": topic, "partition": partition, "committed": place.committed, "committed_at_ms": null,
        "metadata": place.metadata, "log_start": start, "end": end,
        "records": place.committed.zip(end.copied()).map(|(committed, end)| unread(committed, end)),
        "bytes": null, "behind_ms": null, "member": place.member,
    })
}

/// The offsets of those partitions that there still are.
async fn offsets(
    admin: &mut Admin,
    places: &Places,
    timestamp: i64,
) -> Result<BTreeMap<(String, i32), i64>, ClientError> {
    let mut names: Vec<&str> = places.keys().map(|(topic, _)| topic.as_str()).collect();
    names.dedup();
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let topics = admin.topics(&names).await?;
    let leads = |topic: &str, partition| {
        topics.iter().any(|one| one.name == topic && one.leaders.get(&partition).is_some_and(Option::is_some))
    };
    let queries: Vec<OffsetQuery> = places
        .keys()
        .filter(|(topic, partition)| leads(topic, *partition))
        .map(|(topic, partition)| OffsetQuery { topic: topic.clone(), partition: *partition, timestamp })
        .collect();
    let found = admin.list_offsets(&queries).await?;
    Ok(found.into_iter().filter_map(|one| Some(((one.topic, one.partition), one.offset?))).collect())
}
