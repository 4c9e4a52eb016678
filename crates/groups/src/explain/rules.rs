//! The rules: those of Burrow for commits (stop, stall, rewind, slow), and what only a broker can see.
use super::case::Case;
use super::words::{count, duration};
use super::{Certainty, ExplainedGroup, ExplainedMember, Finding, Point, Status};
use crate::answer::GroupState;
use crate::waits::{Wait, WaitName};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// A member that has not fetched for so long what waits for it is starved, in milliseconds. Clients fetch twice a second.
const STARVED_AFTER_MS: i64 = 10_000;
/// The same offset committed so often, and over so long, is no accident.
const STALLED_COMMITS: u32 = 3;
const STALLED_AFTER_MS: i64 = 10_000;
/// A committer is silent when it was so for longer than its window spans, and at least so long.
const STOPPED_AFTER_MS: i64 = 10_000;
/// The same where it committed but once, and nobody can say how often it means to.
const STOPPED_AFTER_ONE_MS: i64 = 300_000;
/// So many points show whether lag grows.
const SLOW_POINTS: usize = 4;
/// One partition has nearly all the lag: so many percent, and at least so many records.
const LOPSIDED_PERCENT: i64 = 90;
const LOPSIDED_RECORDS: i64 = 100;
/// Retention is near when less than one part in so many of it is left.
const RISK_PART: i64 = 4;

/// What is not well with one partition.
pub(super) fn of_partition(case: &Case<'_>) -> Vec<Finding> {
    let commits = stopped(case).or_else(|| stalled(case)).or_else(|| rewound(case)).or_else(|| slow(case));
    let retention = lost(case).or_else(|| at_risk(case));
    [starved(case), commits, retention].into_iter().flatten().collect()
}

/// What is not well with the group as a whole.
pub(super) fn of_group(now_ms: i64, group: &ExplainedGroup, cases: &[Case<'_>]) -> Vec<Finding> {
    let silent = group.members.iter().filter_map(|member| silent(now_ms, member));
    let whole = [rebalancing(now_ms, group), nobody(now_ms, group, cases), idle(group), lopsided(cases)];
    silent.chain(whole.into_iter().flatten()).collect()
}

impl Case<'_> {
    fn name(&self) -> String {
        format!("{}/{}", self.topic, self.partition)
    }

    fn find(&self, status: Status, text: String) -> Finding {
        Finding {
            place: Some((self.topic.into(), self.partition)),
            member: self.owner.map(|owner| owner.who.clone()),
            ..group_finding(status, text)
        }
    }

    fn records_wait(&self) -> String {
        format!("{} records wait", count(self.lag().unwrap_or(0)))
    }

    /// Where somebody can look at the next record.
    fn look(&self, offset: i64) -> String {
        let (topic, partition) = (self.topic, self.partition);
        format!("kafka-console-consumer.sh --topic {topic} --partition {partition} --offset {offset} --max-messages 1")
    }
}

fn group_finding(status: Status, text: String) -> Finding {
    Finding {
        status,
        certainty: Certainty::Known,
        place: None,
        member: None,
        since_ms: None,
        text,
        evidence: Vec::new(),
        likely: String::new(),
        next: Vec::new(),
    }
}

/// It has records to fetch and does not fetch them.
fn starved(case: &Case<'_>) -> Option<Finding> {
    let owner = case.owner.filter(|_| case.group.state == GroupState::Stable)?;
    let (position, last_ms) = match case.reader() {
        Some(reader) => (reader.position, reader.last_fetch_ms),
        None => (case.offset.map_or(case.facts.log_start, |offset| offset.offset), case.group.since_ms),
    };
    let waiting = case.facts.lag(position);
    let silent_ms = case.now_ms.saturating_sub(last_ms.max(case.group.since_ms));
    if waiting <= 0 || silent_ms < STARVED_AFTER_MS || has_work(case, position) {
        return None;
    }
    let text = format!("{} is assigned but not fetched for {}", case.name(), duration(silent_ms));
    let mut finding =
        Finding { certainty: Certainty::Inferred, since_ms: Some(last_ms), ..case.find(Status::Starved, text) };
    finding.evidence.push(format!("{} records can be fetched and nobody like its owner asks for them", count(waiting)));
    let alike = case.alike();
    if alike > 1 {
        finding.evidence.push(format!("{alike} members have this client id and address: it may be any of them"));
    }
    finding.evidence.push(format!("its owner was heard of {} ago", duration(case.now_ms - owner.last_seen_ms)));
    finding.likely = "the member is paused, or busy in its handler and does not poll".into();
    finding.next.push("look at what the member does; a stack trace shows where it hangs".into());
    Some(finding)
}

/// It was given records that it has not committed yet: it may be busy with them, and clients fetch no more meanwhile. Whether it gets on
/// with them is what its commits say.
fn has_work(case: &Case<'_>, position: i64) -> bool {
    // Of one that does not commit here nobody can say.
    case.reader().is_some() && case.offset.is_some_and(|offset| offset.offset < position)
}

/// It committed regularly and does not any more, though there is more to read.
fn stopped(case: &Case<'_>) -> Option<Finding> {
    let progress = case.offset?.progress.as_ref()?;
    let (first, last) = (progress.points().next()?, progress.points().next_back()?);
    case.owner.filter(|_| case.lag().unwrap_or(0) > 0)?;
    let span_ms = last.at_ms.saturating_sub(first.at_ms);
    let times: Vec<i64> = progress.points().map(|point| point.at_ms).collect();
    let longest_ms = times.windows(2).map(|pair| pair.iter().rev().copied().reduce(|b, a| b - a).unwrap_or(0)).max();
    let patience_ms = match longest_ms {
        Some(longest_ms) => span_ms.max(longest_ms.saturating_mul(2)).max(STOPPED_AFTER_MS),
        None => STOPPED_AFTER_ONE_MS,
    };
    let last_ms = case.offset?.committed_at_ms;
    // It cannot commit what has only just come.
    let waits_since_ms = case.facts.unread_since_ms.unwrap_or(last_ms).max(last_ms);
    let silent_ms = case.now_ms.saturating_sub(waits_since_ms);
    if silent_ms <= patience_ms {
        return None;
    }
    let text = format!("{} has not been committed to for {}", case.name(), duration(silent_ms));
    let mut finding = Finding { since_ms: Some(last_ms), ..case.find(Status::Stop, text) };
    finding.evidence.push(format!("the last {} commits came within {}", progress.points().len(), duration(span_ms)));
    finding.evidence.push(case.records_wait());
    finding.likely = "its handler hangs, or it does not commit any more".into();
    finding.next.push("look at what the member does; a stack trace shows where it hangs".into());
    Some(finding)
}

/// It commits the same offset again and again, though there is more to read.
fn stalled(case: &Case<'_>) -> Option<Finding> {
    let offset = case.offset?;
    let progress = offset.progress.as_ref()?;
    let since_ms = progress.unchanged_since_ms;
    let stays_ms = case.now_ms.saturating_sub(since_ms);
    let again_ms = offset.committed_at_ms.saturating_sub(since_ms);
    let behind = progress.points().all(|point| point.lag().is_none_or(|lag| lag > 0)) && case.lag().unwrap_or(0) > 0;
    if !behind || progress.unchanged_commits < STALLED_COMMITS || again_ms < STALLED_AFTER_MS {
        return None;
    }
    let text = format!("{} commits but does not advance for {}", case.name(), duration(stays_ms));
    let mut finding = Finding { since_ms: Some(since_ms), ..case.find(Status::Stall, text) };
    let commits = count(i64::from(progress.unchanged_commits));
    finding.evidence.push(format!("offset {} was committed {commits} times", count(offset.offset)));
    if let Some(reader) = case.reader() {
        let ago = duration(case.now_ms.saturating_sub(reader.last_fetch_ms));
        finding.evidence.push(format!("its owner fetched {ago} ago, and has records up to {}", count(reader.position)));
    }
    finding.evidence.push(case.records_wait());
    let (at, name) = (offset.offset, case.name());
    finding.likely = format!("the handler fails on the record at {name} offset {} and tries it again", count(at));
    finding.next.push(case.look(at));
    let group = &case.group.group_id;
    finding.next.push(format!("ottla group reset {group} --partition {name} --to {} --online", at.saturating_add(1)));
    Some(finding)
}

/// Its commits went back within the window, and are not where they were yet.
fn rewound(case: &Case<'_>) -> Option<Finding> {
    let progress = case.offset?.progress.as_ref()?;
    let points: Vec<&Point> = progress.points().collect();
    let back = points.windows(2).rev().find(|pair| matches!(pair, [a, b] if b.offset < a.offset))?;
    let [before, after] = back else { return None };
    let is_over = points.last().is_some_and(|last| last.offset >= before.offset);
    if is_over {
        return None;
    }
    let again = count(before.offset.saturating_sub(after.offset));
    let text = format!("{} went back: {again} records are read again", case.name());
    let mut finding = Finding { since_ms: Some(after.at_ms), ..case.find(Status::Rewind, text) };
    let (from, to) = (count(before.offset), count(after.offset));
    finding.evidence.push(format!("committed {from}, then {to}, {} ago", duration(case.now_ms - after.at_ms)));
    finding.likely = "a seek, a tool, or a member that lost its place".into();
    finding.next.push(format!("ottla group events {}", case.group.group_id));
    Some(finding)
}

/// It reads, and falls back all the same.
fn slow(case: &Case<'_>) -> Option<Finding> {
    let progress = case.offset?.progress.as_ref()?;
    let lags: Option<Vec<i64>> = progress.points().map(Point::lag).collect();
    let lags = lags.filter(|lags| lags.len() >= SLOW_POINTS && lags.iter().all(|&lag| lag > 0))?;
    let (first, last) = (*lags.first()?, *lags.last()?);
    if !lags.is_sorted() || last <= first || case.lag().unwrap_or(0) == 0 {
        return None;
    }
    let text = format!("{} is read more slowly than it is written", case.name());
    let since_ms = progress.points().next().map(|point| point.at_ms);
    let mut finding = Finding { since_ms, ..case.find(Status::Warn, text) };
    let span_ms = case.now_ms.saturating_sub(since_ms.unwrap_or(case.now_ms));
    finding.evidence.push(format!("its lag grew from {} to {} in {}", count(first), count(last), duration(span_ms)));
    finding.next.push("more members, as long as there are fewer than partitions; or a faster handler".into());
    Some(finding)
}

/// Retention went past its commit.
fn lost(case: &Case<'_>) -> Option<Finding> {
    let offset = case.offset?;
    let gone = case.facts.log_start.saturating_sub(offset.offset);
    if gone <= 0 {
        return None;
    }
    let text = format!("{} lost {} records before they were read", case.name(), count(gone));
    let mut finding = case.find(Status::Lost, text);
    finding.evidence.push(format!(
        "committed {}, the log starts at {}",
        count(offset.offset),
        count(case.facts.log_start)
    ));
    finding.next.push(format!("ottla group events {} --loud", case.group.group_id));
    finding.next.push(format!("a longer retention.ms or retention.bytes of {}", case.topic));
    Some(finding)
}

/// Retention will soon go past its commit.
fn at_risk(case: &Case<'_>) -> Option<Finding> {
    let (retention_ms, unread_ms) = (case.facts.retention_ms?, case.facts.unread_since_ms?);
    case.offset.filter(|_| case.lag().unwrap_or(0) > 0)?;
    let at_ms = unread_ms.saturating_add(retention_ms);
    let left_ms = at_ms.saturating_sub(case.now_ms);
    if left_ms >= retention_ms / RISK_PART {
        return None;
    }
    let text = match left_ms {
        ..=0 => format!("loses data on {} at any moment (retention)", case.name()),
        _ => format!("loses data on {} in about {} (retention)", case.name(), duration(left_ms)),
    };
    let mut finding = case.find(Status::Risk, text);
    let age = duration(case.now_ms.saturating_sub(unread_ms));
    finding
        .evidence
        .push(format!("the first record that was not read is {age} old, and {} are kept", duration(retention_ms)));
    finding.evidence.push(case.records_wait());
    finding.next.push(format!("a longer retention.ms of {}, until the group has caught up", case.topic));
    Some(finding)
}

/// A member that should have been heard of by now.
fn silent(now_ms: i64, member: &ExplainedMember) -> Option<Finding> {
    let silent_ms = now_ms.saturating_sub(member.last_seen_ms);
    let session_ms = i64::try_from(member.session_timeout_ms).unwrap_or(i64::MAX);
    // Clients send three heartbeats in a session.
    if member.is_waiting || silent_ms <= session_ms / 2 {
        return None;
    }
    let name = who(&member.who.client_id, &member.who.member_id);
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
    let mut finding = Finding { since_ms: Some(group.since_ms), ..group_finding(Status::Rebalancing, text) };
    finding.member = blocking.iter().find_map(|wait| wait.culprit.clone());
    if !group.cause.is_empty() {
        finding.evidence.push(format!("because {}", group.cause));
    }
    if let Some(wait) = blocking.first() {
        let left = duration(wait.until_ms.saturating_sub(now_ms));
        finding.evidence.push(format!("at the latest in {left} it goes on without whom it waits for"));
    }
    finding.next.push("nothing; if it happens often, look at what keeps that member from polling".into());
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
    finding.next.push("start a member, or delete the group if nobody needs it any more".into());
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
    let text = format!("{many} of {members} members have nothing to read: there are {partitions} partitions");
    let mut finding = group_finding(Status::Idle, text);
    finding.member = idle.first().map(|member| member.who.clone());
    finding.next.push("nothing: they take over when another member fails; more partitions give them work".into());
    Some(finding)
}

/// Nearly all that waits is in one partition.
fn lopsided(cases: &[Case<'_>]) -> Option<Finding> {
    let lags: Vec<(&Case<'_>, i64)> = cases.iter().filter_map(|case| Some((case, case.lag()?))).collect();
    let total: i64 = lags.iter().map(|(_, lag)| lag).sum();
    let (case, lag) = *lags.iter().max_by_key(|(_, lag)| *lag)?;
    let percent = lag.saturating_mul(100) / total.max(1);
    if lags.len() < 2 || lag < LOPSIDED_RECORDS || percent < LOPSIDED_PERCENT {
        return None;
    }
    let text = format!("{percent} % of what waits is in {}: {} of {} records", case.name(), count(lag), count(total));
    let mut finding = case.find(Status::Warn, text);
    finding.likely = "one key has most of the records, or one member is slower than the others".into();
    finding.next = vec![case.look(case.offset.map_or(0, |offset| offset.offset))];
    Some(finding)
}

/// What people call a member.
fn who<'a>(client_id: &'a str, member_id: &'a str) -> &'a str {
    if client_id.is_empty() { member_id } else { client_id }
}
