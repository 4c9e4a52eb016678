//! What groups say about themselves: the core's pictures and findings, with what the broker knows of the logs and of who fetches, as JSON.
//! `docs/explain.md` has the shapes.

mod facts;
mod lag;
mod status;
mod why;

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_groups::{Answer, ExplainGroups, ExplainedGroup, PartitionFacts, Request};
use ottla_protocol::ErrorCode;
use serde_json::{Value, json};

use crate::Broker;
use crate::groups::story;
use crate::groups::wire::error_code;

/// Facts by topic and partition.
pub(crate) type Facts = BTreeMap<(String, i32), PartitionFacts>;

/// Why there is no answer; the sentence is for people.
pub(crate) type Failure = (ErrorCode, String);

/// One view of one group, or the status of all where `group_id` is empty.
///
/// # Errors
/// There is no such group or view, or the coordinator cannot answer now.
pub(crate) async fn view(broker: &Arc<Broker>, group_id: &str, view: &str, since_ms: i64) -> Result<Value, Failure> {
    match view {
        "status" => status(broker, group_id).await,
        "why" => {
            let (now_ms, group, facts) = explained(broker, group_id).await?;
            Ok(why::json(now_ms, &group, &facts))
        }
        "lag" => {
            let (now_ms, group, facts) = explained(broker, group_id).await?;
            Ok(lag::json(broker, now_ms, &group, &facts))
        }
        "timeline" => timeline(broker, group_id, since_ms, false).await,
        "events" => timeline(broker, group_id, since_ms, true).await,
        other => {
            let sentence = format!("there is no view {other}: ask for status, why, timeline, events or lag");
            Err((ErrorCode::INVALID_REQUEST, sentence))
        }
    }
}

/// How old the oldest record is that the group has not read, in milliseconds; `None` if it has read all.
pub(crate) fn behind_ms(now_ms: i64, facts: &Facts) -> Option<i64> {
    facts.values().filter_map(|facts| facts.unread_since_ms).map(|at| (now_ms - at).max(0)).max()
}

/// Every group with all that is known of its partitions.
///
/// # Errors
/// A coordinator cannot answer now.
pub(crate) async fn everything(broker: &Arc<Broker>) -> Result<Vec<(ExplainedGroup, Facts)>, Failure> {
    let mut known = Vec::new();
    for group in all(broker).await? {
        let facts = facts::of(broker, &group).await;
        known.push((group, facts));
    }
    Ok(known)
}

async fn status(broker: &Arc<Broker>, group_id: &str) -> Result<Value, Failure> {
    let groups = if group_id.is_empty() { all(broker).await? } else { vec![one(broker, group_id).await?] };
    let now_ms = broker.wall_ms();
    let mut lines = Vec::with_capacity(groups.len());
    for group in &groups {
        lines.push(status::json(now_ms, group, &facts::of(broker, group).await));
    }
    Ok(json!({"at_ms": now_ms, "groups": lines}))
}

/// A group, with all that is known of its partitions.
async fn explained(broker: &Arc<Broker>, group_id: &str) -> Result<(i64, ExplainedGroup, Facts), Failure> {
    let group = one(broker, group_id).await?;
    let facts = facts::of(broker, &group).await;
    Ok((broker.wall_ms(), group, facts))
}

async fn one(broker: &Arc<Broker>, group_id: &str) -> Result<ExplainedGroup, Failure> {
    if group_id.is_empty() {
        return Err((ErrorCode::INVALID_REQUEST, "this view is of one group: name it".to_owned()));
    }
    let request = Request::ExplainGroups(ExplainGroups { group_id: group_id.to_owned() });
    let answer = broker.groups.submit(group_id, request).answer().await;
    let groups = pictures(answer.map_err(|_| lost())?, group_id)?;
    groups.into_iter().next().ok_or_else(|| missing(group_id))
}

async fn all(broker: &Arc<Broker>) -> Result<Vec<ExplainedGroup>, Failure> {
    let answers = broker.groups.submit_to_all(Request::ExplainGroups(ExplainGroups::default())).await;
    let mut groups = Vec::new();
    for answer in answers.map_err(|_| lost())? {
        groups.extend(pictures(answer, "")?);
    }
    groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
    Ok(groups)
}

fn pictures(answer: Answer, group_id: &str) -> Result<Vec<ExplainedGroup>, Failure> {
    match answer {
        Answer::ExplainGroups(Ok(groups)) => Ok(groups),
        Answer::ExplainGroups(Err(ottla_groups::GroupError::GroupIdNotFound)) => Err(missing(group_id)),
        Answer::ExplainGroups(Err(error)) => Err((error_code(error), "the group cannot be looked at now".to_owned())),
        _ => Err((ErrorCode::UNKNOWN_SERVER_ERROR, "the group core answered another question".to_owned())),
    }
}

fn lost() -> Failure {
    (ErrorCode::NOT_COORDINATOR, "the coordinator reads its log again: try again".to_owned())
}

fn missing(group_id: &str) -> Failure {
    (ErrorCode::GROUP_ID_NOT_FOUND, format!("there is no group {group_id}"))
}

/// The events of a group; one that is gone still has them.
async fn timeline(broker: &Arc<Broker>, group_id: &str, since_ms: i64, only_loud: bool) -> Result<Value, Failure> {
    let events = broker.groups.timeline(group_id, since_ms).await;
    let events =
        events.map_err(|problem| (ErrorCode::UNKNOWN_SERVER_ERROR, format!("the events cannot be read: {problem}")))?;
    if events.is_empty() {
        one(broker, group_id).await?;
    }
    let parsed = events.iter().filter_map(|event| serde_json::from_str::<Value>(event).ok());
    let chosen: Vec<Value> = parsed.filter(|event| !only_loud || story::is_loud(event)).collect();
    Ok(json!({"at_ms": broker.wall_ms(), "group": group_id, "events": chosen}))
}
