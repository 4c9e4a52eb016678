//! The rules for a group as a whole: who is not heard of, whom it waits for, who comes and goes, who has nothing to read.
use super::case::Case;
use super::rules::{STOPPED_AFTER_MS, group_finding};
use super::words::{count, duration};
use super::{ExplainedGroup, ExplainedMember, Finding, Status};
use crate::answer::GroupState;
use crate::waits::{Culprit, Wait, WaitName};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// One partition has nearly all the lag: so many percent, and at least so many records.
const LOPSIDED_PERCENT: i64 = 90;
const LOPSIDED_RECORDS: i64 = 100;
/// One that left so often within so long comes and goes.
const LEFT_OFTEN: usize = 3;
const LEFT_WITHIN_MS: i64 = 300_000;

/// What is not well with the group as a whole. `places` has something not well of its own.
pub(super) fn of_group(now_ms: i64, group: &ExplainedGroup, cases: &[Case<'_>], places: &[Finding]) -> Vec<Finding> {
    let silent = group.members.iter().filter_map(|member| silent(now_ms, member));
    let whole = [
        rebalancing(now_ms, group),
        restless(now_ms, group),
        nobody(now_ms, group, cases),
        missing(group),
        idle(group),
        lopsided(cases, places),
    ];
    silent.chain(whole.into_iter().flatten()).collect()
}

/// Whether a member should have been heard of by now.
pub(super) fn is_silent(now_ms: i64, member: &ExplainedMember) -> bool {
    !member.is_waiting && now_ms.saturating_sub(member.last_seen_ms) > member.silent_after_ms
}

/// A member that should have been heard of by now.
fn silent(now_ms: i64, member: &ExplainedMember) -> Option<Finding> {
    let silent_ms = now_ms.saturating_sub(member.last_seen_ms);
    let session_ms = i64::try_from(member.session_timeout_ms).unwrap_or(i64::MAX);
    if !is_silent(now_ms, member) {
        return None;
    }
    let name = who(&member.who);
    let left = duration(session_ms.saturating_sub(silent_ms));
    let text = format!("{name} has not been heard of for {}; it is removed in {left}", duration(silent_ms));
    let mut finding = Finding { since_ms: Some(member.last_seen_ms), ..group_finding(Status::Warn, text) };
    finding.member = Some(member.who.clone());
    finding.evidence.push(format!("its session timeout is {}", duration(session_ms)));
    finding.likely = "its process died, hangs, or cannot reach the broker".into();
    finding.next.push("nothing, if it is gone for good: the others take over then".into());
    Some(finding)
}

/// It rebalances: who is waited for.
fn rebalancing(now_ms: i64, group: &ExplainedGroup) -> Option<Finding> {
    if matches!(group.state, GroupState::Stable | GroupState::Empty | GroupState::Dead) {
        return None;
    }
    let since = duration(now_ms.saturating_sub(group.since_ms));
    let blocking: Vec<&Wait> = group.waits.iter().filter(|wait| wait.name.blocks()).collect();
    let awaited = blocking.iter().filter(|wait| wait.culprit.is_some()).count();
    let members = group.members.len();
    let what = match blocking.first().map(|wait| wait.name) {
        Some(WaitName::MoreMembers) => "it waits for more members".into(),
        Some(name) => format!("it waits for {awaited} of {members} members to {}", name.verb()),
        None => "its members are on their way to what they shall have".into(),
    };
    let text = format!("it is {} for {since}: {what}", group.state.name());
    let first = blocking.iter().find_map(|wait| wait.culprit.as_ref());
    let mut finding = Finding { since_ms: Some(group.since_ms), ..group_finding(Status::Rebalancing, text) };
    finding.member = first.cloned();
    if !group.cause.is_empty() {
        finding.evidence.push(format!("because {}", group.cause));
    }
    if let Some(wait) = blocking.first() {
        let left = duration(wait.until_ms.saturating_sub(now_ms));
        let whom = first.map_or("those", who);
        finding.evidence.push(format!("at the latest in {left} it goes on without {whom}"));
    }
    let whom = first.map_or("its members", who);
    finding.next.push(format!("nothing; if it happens often, look at what keeps {whom} from polling"));
    Some(finding)
}

/// There is something to read, and no member.
fn nobody(now_ms: i64, group: &ExplainedGroup, cases: &[Case<'_>]) -> Option<Finding> {
    let lag: i64 = cases.iter().filter_map(Case::lag).sum();
    if group.state != GroupState::Empty || lag == 0 {
        return None;
    }
    // Who reads without being a member commits, and is as silent as its last commit is old.
    let last_ms = group.offsets.iter().map(|offset| offset.committed_at_ms).max().unwrap_or(group.since_ms);
    let silent_ms = now_ms.saturating_sub(last_ms);
    if silent_ms < STOPPED_AFTER_MS {
        return None;
    }
    let text = format!("it has no members, and {} records wait", count(lag));
    let mut finding = Finding { since_ms: Some(last_ms), ..group_finding(Status::Stop, text) };
    finding.evidence.push(format!("the last commit is {} old", duration(silent_ms)));
    finding.next.push("start a member, or delete the group if nobody needs it any more (kafka-consumer-groups.sh --delete, or any admin client)".into());
    Some(finding)
}

/// A member leaves, is back, and leaves again: each time all others are disturbed.
fn restless(now_ms: i64, group: &ExplainedGroup) -> Option<Finding> {
    let lately = group.left_lately.iter().filter(|left| now_ms.saturating_sub(left.at_ms) < LEFT_WITHIN_MS);
    let mut times: BTreeMap<(&str, &str), Vec<i64>> = BTreeMap::new();
    for left in lately {
        times.entry((&left.client_id, &left.host)).or_default().push(left.at_ms);
    }
    let ((client_id, host), times) = times.into_iter().max_by_key(|(_, times)| times.len())?;
    if times.len() < LEFT_OFTEN {
        return None;
    }
    let (often, first_ms) = (times.len(), times.first().copied().unwrap_or(now_ms));
    let text = format!("{client_id} left {often} times in the last {}", duration(now_ms.saturating_sub(first_ms)));
    let mut finding = Finding { since_ms: Some(first_ms), ..group_finding(Status::Warn, text) };
    finding.member = group.members.iter().map(|member| &member.who).find(|who| who.client_id == client_id).cloned();
    finding.evidence.push(format!("its address is {}", host.trim_start_matches('/')));
    finding.likely = "its handler takes longer than max.poll.interval.ms, or it is restarted again and again".into();
    finding.next.push("a longer max.poll.interval.ms, a smaller max.poll.records, or a faster handler".into());
    finding.next.push(format!("ottla group events {}", group.group_id));
    Some(finding)
}

/// Members read what is not there.
fn missing(group: &ExplainedGroup) -> Option<Finding> {
    let topic = group.missing_topics.first().filter(|_| !group.members.is_empty())?;
    let others = match group.missing_topics.len() {
        1 => String::new(),
        many => format!(", as are {} others that they name", many - 1),
    };
    let mut finding = group_finding(Status::Warn, format!("its members read {topic}, which is not there{others}"));
    finding.likely = "the name is mistyped, or the topic is yet to be created".into();
    finding.next.push("create the topic, or mend the name in the client: they read it as soon as it is there".into());
    Some(finding)
}

/// More members than partitions.
fn idle(group: &ExplainedGroup) -> Option<Finding> {
    let idle: Vec<&ExplainedMember> = group.members.iter().filter(|member| member.held.is_empty()).collect();
    if idle.is_empty() || group.state != GroupState::Stable || group.protocol_type != crate::subscription::CONSUMER {
        return None;
    }
    let partitions: usize = group.members.iter().flat_map(|member| &member.held).map(|(_, ps)| ps.len()).sum();
    let (members, many) = (group.members.len(), idle.len());
    // Where there is nothing to read for anybody, there is another trouble.
    if partitions == 0 && !group.missing_topics.is_empty() {
        return None;
    }
    let text = format!("{many} of {members} members have nothing to read: there are {partitions} partitions");
    let mut finding = group_finding(Status::Idle, text);
    finding.member = idle.first().map(|member| member.who.clone());
    finding.next.push("nothing: they take over when another member fails; more partitions give them work".into());
    Some(finding)
}

/// Nearly all that waits is in one partition.
fn lopsided(cases: &[Case<'_>], places: &[Finding]) -> Option<Finding> {
    let lags: Vec<(&Case<'_>, i64)> = cases.iter().filter_map(|case| Some((case, case.lag()?))).collect();
    let total: i64 = lags.iter().map(|(_, lag)| lag).sum();
    let (case, lag) = *lags.iter().max_by_key(|(_, lag)| *lag)?;
    let percent = lag.saturating_mul(100) / total.max(1);
    if lags.len() < 2 || lag < LOPSIDED_RECORDS || percent < LOPSIDED_PERCENT {
        return None;
    }
    let place = Some((String::from(case.topic), case.partition));
    let is_explained = case.owner.is_some_and(|owner| is_silent(case.now_ms, owner));
    if is_explained || places.iter().any(|finding| finding.place == place) {
        return None;
    }
    let text = format!("{percent} % of what waits is in {}: {} of {} records", case.name(), count(lag), count(total));
    let mut finding = case.find(Status::Warn, text);
    finding.likely = "one key has most of the records, or one member is slower than the others".into();
    finding.next = vec![case.look(case.offset.map_or(0, |offset| offset.offset))];
    Some(finding)
}

/// What people call a member.
fn who(member: &Culprit) -> &str {
    if member.client_id.is_empty() { &member.member_id } else { &member.client_id }
}
