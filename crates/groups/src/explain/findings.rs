//! What is not well with a group, worst first.
use super::case::Case;
use super::{ExplainedGroup, PartitionFacts, rules, whole};
use crate::waits::Culprit;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// How well a group is; the later the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It reads.
    Ok,
    /// Some members have nothing to read, which harms nobody.
    Idle,
    /// It rebalances.
    Rebalancing,
    /// It is slow.
    Warn,
    /// A member does not fetch what it was given.
    Starved,
    /// It goes back.
    Rewind,
    /// It commits but does not advance.
    Stall,
    /// It has stopped committing.
    Stop,
    /// Retention is about to remove what it has not read.
    Risk,
    /// Retention has removed what it had not read.
    Lost,
}

impl Status {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Ok => "OK",
            Status::Idle => "IDLE",
            Status::Rebalancing => "REBALANCING",
            Status::Warn => "WARN",
            Status::Starved => "STARVED",
            Status::Rewind => "REWIND",
            Status::Stall => "STALL",
            Status::Stop => "STOP",
            Status::Risk => "RISK",
            Status::Lost => "LOST",
        }
    }
}

/// How a statement came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// The coordinator itself saw it.
    Known,
    /// It was concluded, for instance from who fetches.
    Inferred,
}

impl Certainty {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Certainty::Known => "known",
            Certainty::Inferred => "inferred",
        }
    }
}

/// One thing that is not well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub status: Status,
    /// How it came to be known.
    pub certainty: Certainty,
    /// Where: topic and partition; `None` for the whole group.
    pub place: Option<(String, i32)>,
    /// The member that it is about.
    pub member: Option<Culprit>,
    /// Wall time in milliseconds since when, if that is known.
    pub since_ms: Option<i64>,
    /// A sentence.
    pub text: String,
    /// What it is concluded from, in sentences.
    pub evidence: Vec<String>,
    /// What is the most likely reason, in a sentence; empty where nothing is likelier than all else.
    pub likely: String,
    /// What a person can do: commands or sentences.
    pub next: Vec<String>,
}

/// What is not well with a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The worst that was found.
    pub status: Status,
    /// All of it, the worst first.
    pub findings: Vec<Finding>,
}

/// Looks for all that is not well, from what the coordinator and the shell know of one moment (`now_ms`, wall time).
pub fn diagnose(now_ms: i64, group: &ExplainedGroup, facts: &BTreeMap<(String, i32), PartitionFacts>) -> Diagnosis {
    let cases = Case::all(now_ms, group, facts);
    let mut findings: Vec<Finding> = cases.iter().flat_map(rules::of_partition).collect();
    findings.extend(whole::of_group(now_ms, group, &cases, &findings));
    findings.sort_by(|a, b| b.status.cmp(&a.status).then_with(|| a.place.cmp(&b.place)));
    let worst = findings.first().map_or(Status::Ok, |finding| finding.status);
    // Idle members are a matter of numbers, not of health.
    let status = if worst == Status::Idle { Status::Ok } else { worst };
    Diagnosis { status, findings }
}
