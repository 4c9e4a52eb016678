//! Why a group stands where it stands.

use std::collections::BTreeMap;

use ottla_groups::{
    ExplainedGroup, ExplainedMember, Finding, PartitionFacts, Status, Wait, WaitName, WaitOutcome, diagnose, duration,
};
use serde_json::{Value, json};

use super::Facts;
use crate::groups::story;

pub(super) fn json(now_ms: i64, group: &ExplainedGroup, facts: &Facts) -> Value {
    let diagnosis = diagnose(now_ms, group, facts);
    let mut alike: BTreeMap<_, usize> = BTreeMap::new();
    group.members.iter().for_each(|member| *alike.entry(place(member)).or_default() += 1);
    let members = group.members.iter().map(|one| member(facts, one, alike.get(&place(one)).copied().unwrap_or(1)));
    json!({
        "at_ms": now_ms,
        "group": group.group_id,
        "type": group.group_type,
        "protocol_type": group.protocol_type,
        "state": group.state.name(),
        "epoch": group.epoch,
        "since_ms": group.since_ms,
        "status": diagnosis.status.name(),
        "text": sentence(group, diagnosis.status, diagnosis.findings.first()),
        "cause": {"at_ms": group.since_ms, "text": group.cause},
        "waits": group.waits.iter().map(|wait| self::wait(now_ms, group, wait)).collect::<Vec<_>>(),
        "findings": diagnosis.findings.iter().map(finding).collect::<Vec<_>>(),
        "members": members.collect::<Vec<_>>(),
    })
}

/// What a member says of itself in a Fetch.
fn place(member: &ExplainedMember) -> (&str, &str) {
    (&member.who.client_id, &member.who.host)
}

/// The answer in one sentence.
fn sentence(group: &ExplainedGroup, status: Status, worst: Option<&Finding>) -> String {
    let (id, state) = (&group.group_id, group.state.name());
    match (status, worst) {
        (Status::Rebalancing, Some(finding)) => format!("{id}: {}", finding.text),
        (Status::Ok, _) if group.members.is_empty() => {
            format!("{id} is {state}: it has no members, and nothing waits.")
        }
        (Status::Ok, _) if group.members.len() == 1 => format!("{id} is {state} and well: 1 member."),
        (Status::Ok, _) => format!("{id} is {state} and well: {} members.", group.members.len()),
        (_, Some(finding)) => format!("{id} is {state} but not well: {}.", finding.text),
        (_, None) => format!("{id} is {state}."),
    }
}

fn wait(now_ms: i64, group: &ExplainedGroup, wait: &Wait) -> Value {
    let member = wait.culprit.as_ref().and_then(|who| group.member(&who.member_id));
    let name = wait.culprit.as_ref().map_or("more members", story::name);
    let left = duration(wait.until_ms.saturating_sub(now_ms));
    let then = match wait.then {
        WaitOutcome::MemberRemoved => "then it is removed, and the group goes on without it",
        WaitOutcome::RebalanceGoesOn => "then the rebalance goes on with those who are there",
        WaitOutcome::MemberIdForgotten => "then the id that it was given is forgotten",
    };
    let next = match wait.name {
        _ if !wait.name.blocks() => "nothing: this is ordinary",
        WaitName::MoreMembers => "nothing: it takes a moment",
        WaitName::MemberToRevoke => {
            "nothing; if it happens often, look at what the member does when partitions are taken from it"
        }
        _ => {
            "nothing; if it happens often, lower max.poll.interval.ms of that member, or look at what keeps it from polling"
        }
    };
    json!({
        "name": format!("{:?}", wait.name),
        "member": wait.culprit.as_ref().map(story::member),
        "holds": member.map(|member| story::partitions(&member.held)),
        "since_ms": wait.since_ms,
        "until_ms": wait.until_ms,
        "then": format!("{:?}", wait.then),
        "last_seen_ms": member.map(|member| member.last_seen_ms),
        "blocks": wait.name.blocks(),
        "text": format!("{name} is to {} within {left}; {then}", wait.name.verb()),
        "next": [next],
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "status": finding.status.name(),
        "certainty": finding.certainty.name(),
        "topic": finding.place.as_ref().map(|(topic, _)| topic),
        "partition": finding.place.as_ref().map(|(_, partition)| partition),
        "member": finding.member.as_ref().map(story::member),
        "since_ms": finding.since_ms,
        "text": finding.text,
        "evidence": finding.evidence,
        "likely": finding.likely,
        "next": finding.next,
    })
}

/// `alike` members say the same of themselves, this one among them.
fn member(facts: &Facts, member: &ExplainedMember, alike: usize) -> Value {
    let mine = |facts: &PartitionFacts| {
        let like_it = facts.readers.iter().filter(|reader| reader.may_be(&member.who));
        like_it.map(|reader| reader.last_fetch_ms).max()
    };
    let held = member.held.iter().flat_map(|(topic, ps)| ps.iter().map(|&partition| (topic.clone(), partition)));
    let last_fetch_ms = held.filter_map(|place| mine(facts.get(&place)?)).max();
    json!({
        "member": story::member(&member.who),
        "partitions": story::partitions(&member.held),
        "last_seen_ms": member.last_seen_ms,
        "last_fetch_ms": last_fetch_ms,
        "fetch_certainty": last_fetch_ms.map(|_| "inferred"),
        "alike": alike,
        "session_timeout_ms": member.session_timeout_ms,
        "reason": member.reason,
    })
}
