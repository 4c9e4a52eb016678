//! The rules for a partition: those of Burrow for commits (stop, stall, rewind, slow), and what only a broker can see.
use super::case::Case;
use super::whole::is_silent;
use super::words::{count, duration};
use super::{Certainty, Finding, Point, Status};
use crate::answer::GroupState;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A member that has not fetched for so long what waits for it is starved, in milliseconds. Clients fetch twice a second.
const STARVED_AFTER_MS: i64 = 10_000;
/// The same offset committed so often, and over so long, is no accident.
const STALLED_COMMITS: u32 = 3;
const STALLED_AFTER_MS: i64 = 10_000;
/// A committer is silent when it was so for longer than its window spans, and at least so long.
pub(super) const STOPPED_AFTER_MS: i64 = 10_000;
/// The same where it committed but once, and nobody can say how often it means to.
const STOPPED_AFTER_ONE_MS: i64 = 300_000;
/// So many points show whether lag grows.
const SLOW_POINTS: usize = 4;
/// Retention is near when less than one part in so many of it is left.
const RISK_PART: i64 = 4;

/// What is not well with one partition.
pub(super) fn of_partition(case: &Case<'_>) -> Vec<Finding> {
    let retention = lost(case).or_else(|| at_risk(case));
    // Of one that is not heard of at all, there is nothing else to say.
    if case.owner.is_some_and(|owner| is_silent(case.now_ms, owner)) {
        return retention.into_iter().collect();
    }
    // Nobody in the group is to blame for what it waits for.
    if let Some(held_up) = held_up(case) {
        return [Some(held_up), retention].into_iter().flatten().collect();
    }
    let (commits, back) = (stopped(case).or_else(|| stalled(case)), rewound(case));
    let slow = if commits.is_none() && back.is_none() { slow(case) } else { None };
    [starved(case), commits, back, slow, retention].into_iter().flatten().collect()
}

impl Case<'_> {
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.topic, self.partition)
    }

    pub(super) fn find(&self, status: Status, text: String) -> Finding {
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
    pub(super) fn look(&self, offset: i64) -> String {
        let (topic, partition) = (self.topic, self.partition);
        format!("kafka-console-consumer.sh --topic {topic} --partition {partition} --offset {offset} --max-messages 1")
    }
}

pub(super) fn group_finding(status: Status, text: String) -> Finding {
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
    // Who fetched before the coordinator was loaded is not known.
    let last_ms = last_ms.max(case.group.since_ms).max(case.group.known_since_ms);
    let waiting = case.facts.lag(position);
    let silent_ms = case.now_ms.saturating_sub(last_ms);
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
    finding.evidence.push(match case.now_ms - owner.last_seen_ms {
        _ if owner.last_seen_ms <= case.group.known_since_ms => {
            "its owner was not heard of since the broker started".into()
        }
        ago_ms => format!("its owner was heard of {} ago", duration(ago_ms)),
    });
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

/// It is where a transaction begins that nobody has ended for a while.
fn held_up(case: &Case<'_>) -> Option<Finding> {
    let open = case.facts.open?;
    let at = case.facts.unread_from(case.offset.map_or(case.facts.log_start, |offset| offset.offset));
    let silent_ms = case.now_ms.saturating_sub(open.last_write_ms);
    case.owner.filter(|_| at >= open.from && case.facts.lag(at) > 0 && silent_ms >= STALLED_AFTER_MS)?;
    let text = format!("{} is held up by a transaction that is open since offset {}", case.name(), count(open.from));
    let mut finding = Finding {
        certainty: Certainty::Inferred,
        since_ms: Some(open.last_write_ms),
        ..case.find(Status::Stall, text)
    };
    finding.evidence.push(format!("producer {} wrote to it last {} ago", open.producer_id, duration(silent_ms)));
    finding
        .evidence
        .push(format!("{} records are given to nobody who reads committed ones alone", count(case.facts.lag(at))));
    finding.likely = "its producer hangs or is gone; it is aborted when transaction.timeout.ms is over".into();
    let (topic, partition, from) = (case.topic, case.partition, open.from);
    finding.next.push(format!("kafka-transactions.sh describe-producers --topic {topic} --partition {partition}"));
    finding
        .next
        .push(format!("kafka-transactions.sh abort --topic {topic} --partition {partition} --start-offset {from}"));
    Some(finding)
}

/// It commits the same offset again and again, though there is more to read.
fn stalled(case: &Case<'_>) -> Option<Finding> {
    let offset = case.offset?;
    let progress = offset.progress.as_ref()?;
    let since_ms = progress.unchanged_since_ms;
    let stays_ms = case.now_ms.saturating_sub(since_ms);
    let again_ms = offset.committed_at_ms.saturating_sub(since_ms);
    // What it would read next is gone, which is another trouble.
    case.lag().filter(|_| offset.offset >= case.facts.log_start)?;
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
    finding.next.push(format!("if nobody deleted them: a longer retention.ms or retention.bytes of {}", case.topic));
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
