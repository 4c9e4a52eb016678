//! What a reset would set: which partitions, and for each the offset that the target is there.

use std::collections::BTreeMap;

use ottla_client::{Admin, ClientError, EARLIEST_TIMESTAMP, ErrorCode, LATEST_TIMESTAMP, ListedOffset, OffsetQuery};
use serde_json::Value;

use super::target::Target;
use crate::exit::Failure;
use crate::group::arguments::ResetArguments;
use crate::group::document::{list, number};
use crate::group::problem::Problem;
use crate::group::session::moment_at;
use crate::local_time::LocalTime;
use crate::text::{harmless, signed};

/// How many refusals are named.
const NAMED: usize = 5;

/// A partition by topic and number.
pub(crate) type Key = (String, i32);

/// What is to be set for one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    pub(crate) key: Key,
    /// The new offset; -1 takes the commit away.
    pub(crate) offset: i64,
    /// The age of the first unread record by its timestamp, in milliseconds since 1970.
    pub(crate) from_ms: Option<i64>,
    /// The timestamp of the record that was looked for.
    pub(crate) to_ms: Option<i64>,
    /// What a person might not expect of it.
    pub(crate) note: &'static str,
}

/// What is known of a partition.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub(super) committed: Option<i64>,
    pub(crate) from_ms: Option<i64>,
    pub(super) start: i64,
    pub(super) end: i64,
    /// The first record from the target's time on, with its timestamp.
    pub(super) found: Option<(i64, Option<i64>)>,
}

/// Makes it, with what the broker says of its partitions.
///
/// # Errors
/// No answer, an unknown partition, or a target that lies outside.
pub(super) async fn make(
    admin: &mut Admin,
    wanted: &ResetArguments,
    lag: &Value,
    time: &LocalTime,
) -> Result<Vec<Step>, Problem> {
    let commits = commits(lag);
    let mut keys = selection(admin, wanted, &commits).await?;
    if wanted.to == Target::Uncommitted {
        keys.retain(|key| commits.get(key).is_some_and(|known| known.committed.is_some()));
    }
    if keys.is_empty() {
        let nothing = format!(
            "{} has no commits and no partitions to reset; name some with --topic or --partition",
            harmless(&wanted.group)
        );
        return Err(Failure::Runtime(nothing).into());
    }
    let known = look_up(admin, wanted.to, keys, commits, time).await?;
    Ok(steps(wanted.to, &known)?)
}

/// What the view `lag` says of partitions, without their offsets: those are asked for anew.
fn commits(lag: &Value) -> BTreeMap<Key, Known> {
    let at_ms = number(lag, "at_ms");
    let known = |row: &Value| {
        let unread = number(row, "behind_ms").filter(|ms| *ms > 0);
        let from_ms = at_ms.zip(unread).map(|(at_ms, ms)| at_ms.saturating_sub(ms));
        Known { committed: number(row, "committed"), from_ms, ..Known::default() }
    };
    let key = |row: &Value| Some((row["topic"].as_str()?.to_owned(), i32::try_from(number(row, "partition")?).ok()?));
    list(lag, "partitions").iter().filter_map(|row| Some((key(row)?, known(row)))).collect()
}

async fn selection(
    admin: &mut Admin,
    wanted: &ResetArguments,
    commits: &BTreeMap<Key, Known>,
) -> Result<Vec<Key>, Problem> {
    if wanted.topic.is_empty() && wanted.partition.is_empty() {
        return Ok(commits.keys().cloned().collect());
    }
    let mut keys: Vec<Key> = wanted.partition.iter().map(|one| (one.topic.clone(), one.partition)).collect();
    let names: Vec<&str> = wanted.topic.iter().map(String::as_str).collect();
    let topics = if names.is_empty() { Vec::new() } else { admin.topics(&names).await? };
    for topic in topics {
        if topic.leaders.is_empty() {
            let code = if topic.code.is_none() { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION } else { topic.code };
            return Err(Failure::Runtime(refused_topic(&harmless(&topic.name), code)).into());
        }
        keys.extend(topic.leaders.keys().map(|partition| (topic.name.clone(), *partition)));
    }
    keys.sort();
    keys.dedup();
    Ok(keys)
}

async fn look_up(
    admin: &mut Admin,
    target: Target,
    keys: Vec<Key>,
    mut commits: BTreeMap<Key, Known>,
    time: &LocalTime,
) -> Result<BTreeMap<Key, Known>, Problem> {
    let mut known: BTreeMap<Key, Known> =
        keys.into_iter().map(|key| (key.clone(), commits.remove(&key).unwrap_or_default())).collect();
    if target == Target::Uncommitted {
        return Ok(known);
    }
    for one in query(admin, &known, EARLIEST_TIMESTAMP).await? {
        if let Some(known) = known.get_mut(&(one.topic, one.partition)) {
            known.start = one.offset.unwrap_or(0);
        }
    }
    for one in query(admin, &known, LATEST_TIMESTAMP).await? {
        if let Some(known) = known.get_mut(&(one.topic, one.partition)) {
            known.end = one.offset.unwrap_or(0);
        }
    }
    if let Target::Time(moment) = target {
        for one in query(admin, &known, moment_at(time, moment)?).await? {
            if let Some(known) = known.get_mut(&(one.topic, one.partition)) {
                known.found = one.offset.map(|offset| (offset, one.timestamp));
            }
        }
    }
    Ok(known)
}

async fn query(
    admin: &mut Admin,
    known: &BTreeMap<Key, Known>,
    timestamp: i64,
) -> Result<Vec<ListedOffset>, ClientError> {
    let query = |(topic, partition): &Key| OffsetQuery { topic: topic.clone(), partition: *partition, timestamp };
    admin.list_offsets(&known.keys().map(query).collect::<Vec<_>>()).await
}

/// The new offset of each partition; all of them, or what is wrong with some.
pub(super) fn steps(target: Target, known: &BTreeMap<Key, Known>) -> Result<Vec<Step>, Failure> {
    let mut steps = Vec::with_capacity(known.len());
    let mut wrong = Vec::new();
    for (key, known) in known {
        match resolve(target, known) {
            Ok((offset, to_ms, note)) => {
                steps.push(Step { key: key.clone(), offset, from_ms: known.from_ms, to_ms, note });
            }
            Err(why) => wrong.push(format!("\n  {}/{}: {why}", harmless(&key.0), key.1)),
        }
    }
    if wrong.is_empty() {
        return Ok(steps);
    }
    let more = wrong.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    Err(Failure::Runtime(format!(
        "nothing was changed\n{}{more}\n  name the partitions that are meant with --partition, or take another --to",
        wrong.iter().take(NAMED).map(|line| line.trim_start_matches('\n')).collect::<Vec<_>>().join("\n")
    )))
}

/// Offset, timestamp and note.
fn resolve(target: Target, known: &Known) -> Result<(i64, Option<i64>, &'static str), String> {
    let offset = match target {
        Target::Earliest => known.start,
        Target::Latest => known.end,
        Target::Uncommitted => -1,
        Target::Offset(offset) if (known.start..=known.end).contains(&offset) => offset,
        Target::Offset(_) => {
            return Err(format!("its offsets are {} to {}", signed(known.start), signed(known.end)));
        }
        Target::Shift(by) => {
            let committed = known.committed.ok_or("it has no commit to count from")?;
            let wanted = committed.saturating_add(by);
            let note = match wanted {
                _ if wanted < known.start => "no further back: the first record that is there",
                _ if wanted > known.end => "no further: the end",
                _ => "",
            };
            return Ok((wanted.max(known.start).min(known.end), None, note));
        }
        Target::Time(_) => {
            return Ok(match known.found {
                Some((offset, timestamp)) => (offset, timestamp, ""),
                None => (known.end, None, "no record since then: the end"),
            });
        }
    };
    Ok((offset, None, ""))
}

fn refused_topic(topic: &str, code: ErrorCode) -> String {
    match code {
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION => {
            format!("there is no topic {topic}; `ottla group lag` shows the topics that the group reads")
        }
        code => format!("topic {topic} cannot be reset: {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local_time::Moment;

    fn known() -> Known {
        Known { committed: Some(50), from_ms: None, start: 10, end: 90, found: Some((30, Some(7))) }
    }

    #[test]
    fn every_target_has_an_offset_within_the_log() {
        let two_hours_ago = Target::Time(Moment::Ago(7_200_000));
        let cases = [
            (Target::Earliest, 10, None, ""),
            (Target::Latest, 90, None, ""),
            (Target::Uncommitted, -1, None, ""),
            (Target::Offset(90), 90, None, ""),
            (Target::Shift(5), 55, None, ""),
            (Target::Shift(-5), 45, None, ""),
            (Target::Shift(i64::MIN), 10, None, "no further back: the first record that is there"),
            (Target::Shift(i64::MAX), 90, None, "no further: the end"),
            (two_hours_ago, 30, Some(7), ""),
        ];
        for (target, offset, to_ms, note) in cases {
            assert_eq!(resolve(target, &known()), Ok((offset, to_ms, note)), "{target:?}");
        }
        let quiet = Known { found: None, ..known() };
        assert_eq!(resolve(two_hours_ago, &quiet), Ok((90, None, "no record since then: the end")));
    }

    #[test]
    fn one_partition_that_cannot_is_named_and_nothing_is_set() {
        let uncommitted = Known { committed: None, ..known() };
        let all = BTreeMap::from([(("orders".to_owned(), 0), known()), (("orders".to_owned(), 1), uncommitted)]);
        let said = steps(Target::Shift(-1), &all).expect_err("no commit").to_string();
        assert!(said.starts_with("nothing was changed\n  orders/1: it has no commit to count from\n"), "{said}");
        let said = steps(Target::Offset(91), &all).expect_err("outside").to_string();
        assert!(said.contains("\n  orders/0: its offsets are 10 to 90\n"), "{said}");
        assert_eq!(steps(Target::Latest, &all).expect("both").len(), 2);
    }
}
