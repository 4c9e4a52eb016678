//! All logs are looked through: nothing that is in them may contradict what was told, or itself.

use std::collections::BTreeMap;

use ottla_storage::local::simulation::SteppedEngine;
use ottla_storage::{Engine, Isolation};
use ottla_transactions::records::TransactionState;

use super::checks::Checks;
use super::findings::{Findings, Log, OffsetCommit};
use super::group_shell::replayed;
use super::log::{self, Entry, PARTITIONS, STAGES, stage_partitions};
use super::process::{IDS, group_of, source};
use super::world::World;
use crate::prng::Prng;

/// What must be true; if it is not, a sentence.
type Promise = Result<(), String>;

impl World {
    /// Looks through all logs; nothing else happens meanwhile. `None` where they cannot be read now.
    pub(super) fn audit(&mut self) -> Option<Findings> {
        let engine = self.machine.engine()?;
        let (machine, mut rng) = (self.machine.clone(), Prng::of(self.at_ms, &[self.events]));
        let found = machine.calmly(|| {
            let findings = Findings::read(&engine)?;
            self.checks.hold_against(&findings)?;
            check_reads(&engine, &findings, &mut rng)?;
            self.check_coordinators(&findings)?;
            Ok(findings)
        });
        found.map_err(|problem: String| self.checks.fail(problem)).ok()
    }

    /// What coordinators know is what their logs say, once they have heard of all that is in them.
    fn check_coordinators(&self, findings: &Findings) -> Promise {
        for (shard, stored) in self.transactions.iter().zip(&findings.stored) {
            let Some(live) = shard.live.as_ref().filter(|_| shard.writer.is_empty()) else { continue };
            let known = live.coordinator.durable_transactions().map(|(id, durable)| (id, durable.stored()));
            if !known.eq(stored.iter().map(|(id, stored)| (id.as_str(), stored))) {
                let known: Vec<_> = live.coordinator.durable_transactions().collect();
                return Err(format!("the log gives {stored:?}\n  but there is {known:?}"));
            }
        }
        for (shard, log) in self.groups.iter().zip(&findings.offsets) {
            let Some(live) = shard.live.as_ref().filter(|_| shard.writer.is_empty()) else { continue };
            check_group(&live.coordinator, log)?;
            let again = replayed(&self.settings.groups, &log.entries);
            check_group(&again, log).map_err(|what| format!("after a start {what}"))?;
        }
        Ok(())
    }
}

/// A group knows of the last commit of each partition that counts, and of those that may come to count.
fn check_group(coordinator: &ottla_groups::Coordinator, log: &Log) -> Promise {
    let commits = log.offset_commits();
    for id in 0..IDS {
        let (stage, partition) = source(id);
        let (group, topic) = (group_of(stage), STAGES[stage]);
        let is_here =
            |commit: &&OffsetCommit| (&*commit.group, &*commit.topic, commit.partition) == (&*group, topic, partition);
        if log.index != stage as i32 {
            continue;
        }
        let (mut counts, mut open) = (None, false);
        for commit in commits.iter().filter(is_here) {
            match commit.fate {
                Some(true) => (counts, open) = (Some(commit.offset), false),
                Some(false) => {}
                None => open = true,
            }
        }
        let known = coordinator.durable_groups().find(|(name, _)| *name == group).map(|(_, durable)| durable);
        let committed = known.and_then(|known| known.offset(topic, partition)).map(|committed| committed.offset);
        let pending = known.is_some_and(|known| known.pending().has(topic, partition));
        if (committed, pending) != (counts, open) {
            return Err(format!(
                "{group} has {committed:?} of {topic}-{partition} (pending: {pending}); its log says {counts:?} ({open})"
            ));
        }
    }
    Ok(())
}

/// Who reads committed records finds all of them up to the first that is open, and no others.
fn check_reads(engine: &SteppedEngine, findings: &Findings, rng: &mut Prng) -> Promise {
    for (stage, index) in stage_partitions() {
        let Some(log) = findings.stages.get(&(stage, index)) else { continue };
        let what = |problem| format!("committed records of {}-{index}: {problem}", log.topic);
        check_committed_reads(engine, log, rng).map_err(what)?;
    }
    Ok(())
}

fn check_committed_reads(engine: &SteppedEngine, log: &Log, rng: &mut Prng) -> Promise {
    let (partition, stable) = (log::partition(log.topic, log.index), log.last_stable_offset());
    let bounds = engine.engine().bounds(partition).map_err(|error| format!("{error:?}"))?;
    if bounds.last_stable_offset != stable {
        let told = bounds.last_stable_offset;
        return Err(format!(
            "the last stable offset is {told}, and the first open record lies at {stable} of {}",
            log.end
        ));
    }
    let from = if rng.once_in(2) { 0 } else { rng.between(0, log.end as u64) as i64 };
    let (mut offset, mut shown) = (from, Vec::new());
    while offset < stable {
        let outcome = log::read(engine, partition, offset, rng.between(1, 3_000) as usize, Isolation::ReadCommitted)?;
        let next = outcome.next_offset.filter(|next| *next > offset && *next <= stable);
        let found = log::committed(&outcome)?;
        shown.extend(found.iter().map(Entry::offset).filter(|found| *found >= offset));
        offset =
            next.ok_or_else(|| format!("after {offset} it goes on at {:?}, stable is {stable}", outcome.next_offset))?;
    }
    let counts = |(entry, fate): (&Entry, Option<bool>)| {
        let is_record = matches!(entry, Entry::Record { .. });
        (is_record && fate == Some(true) && (from..stable).contains(&entry.offset())).then(|| entry.offset())
    };
    let expected: Vec<i64> = log.with_fates().filter_map(counts).collect();
    if shown == expected { Ok(()) } else { Err(format!("from {from} are shown {shown:?}, and not {expected:?}")) }
}

impl Checks {
    /// What the logs say, against what was told, and against themselves.
    fn hold_against(&mut self, findings: &Findings) -> Promise {
        self.check_fates(findings)?;
        self.check_told(findings)?;
        self.check_acknowledged(findings)?;
        for log in findings.with_transactions() {
            for (offset, producer) in log.open() {
                if !findings.has_ongoing(producer, log.topic, log.index) {
                    let (topic, index) = (log.topic, log.index);
                    return Err(format!(
                        "the transaction of {producer:?} hangs: {topic}-{index} has it open at {offset}"
                    ));
                }
            }
        }
        for ((stage, index), log) in &findings.stages {
            let mut last = BTreeMap::new();
            for (offset, value) in log.committed().filter(|_| *stage > 0) {
                let before = last.insert(value.from, value.number);
                if before.is_some_and(|before| before >= value.number) {
                    let topic = log.topic;
                    return Err(format!(
                        "{topic}-{index} has {value:?} at {offset}, after {before:?} of the same partition"
                    ));
                }
            }
        }
        Ok(())
    }

    /// All of a transaction has one fate, for ever: what was written, and the offset.
    fn check_fates(&mut self, findings: &Findings) -> Promise {
        let mut fates: BTreeMap<u64, Option<bool>> = BTreeMap::new();
        let values = findings.with_transactions().flat_map(Log::values).map(|(_, value, fate)| (value.attempt, fate));
        let commits = findings.offsets.iter().flat_map(Log::offset_commits).map(|commit| (commit.attempt, commit.fate));
        for (attempt, fate) in values.chain(commits) {
            let other = fates.insert(attempt, fate).filter(|other| *other != fate);
            if let Some(other) = other {
                return Err(format!("half of transaction {attempt} is {fate:?}, half is {other:?} (true: committed)"));
            }
        }
        for (attempt, fate) in fates {
            let Some(known) = self.attempts.get_mut(&attempt) else { continue };
            if fate == Some(true) && (!known.commit_asked || known.told == Some(false)) {
                return Err(format!("transaction {attempt} is committed, and should not be: {known:?}"));
            }
            if known.seen.is_some() && known.seen != fate {
                return Err(format!("transaction {attempt} was {:?} and is {fate:?} (true: committed)", known.seen));
            }
            known.seen = fate;
        }
        Ok(())
    }

    /// What was told to be committed is there, all of it, and so is the offset.
    fn check_told(&self, findings: &Findings) -> Promise {
        let mut copies: BTreeMap<u64, usize> = BTreeMap::new();
        for (_, value) in findings.stages.values().flat_map(Log::committed) {
            *copies.entry(value.attempt).or_default() += 1;
        }
        for (number, attempt) in &self.attempts {
            let found = copies.get(number).copied().unwrap_or(0);
            if attempt.is_committed() && found != attempt.copies {
                return Err(format!("of transaction {number} {found} records are there: {attempt:?}"));
            }
        }
        for id in 0..IDS {
            let (stage, partition) = source(id);
            let commits = findings.offsets[stage].offset_commits();
            let counts = commits.iter().filter(|commit| commit.fate == Some(true) && commit.partition == partition);
            let last = counts.map(|commit| commit.offset).next_back().unwrap_or(-1);
            let least = self.surely_committed(id);
            if last < least {
                return Err(format!("the log of id{id}'s group says {last}, but {least} is committed"));
            }
        }
        Ok(())
    }

    fn check_acknowledged(&self, findings: &Findings) -> Promise {
        let mut there = BTreeMap::new();
        for ((stage, index), log) in &findings.stages {
            there.extend(log.values().map(|(offset, value, _)| ((*stage, *index, offset), value)));
        }
        for acknowledged in &self.acknowledged {
            let (stage, _) = source(acknowledged.id);
            for (offset, value) in (acknowledged.first_offset..).zip(&acknowledged.values) {
                let found = there.get(&(stage + 1, acknowledged.partition, offset));
                if found != Some(value) {
                    let (topic, partition) = (STAGES[stage + 1], acknowledged.partition);
                    return Err(format!(
                        "{topic}-{partition} has {found:?} at {offset}, where {value:?} was acknowledged"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// After all: nothing is open anywhere, and everything was copied exactly once.
pub(super) fn check_end(findings: &Findings) -> Promise {
    for log in findings.with_transactions() {
        if let Some((offset, producer)) = log.open().next() {
            return Err(format!(
                "{}-{} still has a transaction of {producer:?} open at {offset}",
                log.topic, log.index
            ));
        }
    }
    for (id, stored) in findings.stored.iter().flatten() {
        if stored.state == TransactionState::Ongoing {
            return Err(format!("{id} is still ongoing: {stored:?}"));
        }
    }
    for (stage, from) in (1..STAGES.len()).flat_map(|stage| (0..PARTITIONS).map(move |from| (stage, from))) {
        let (copied, originals) = (findings.copied(stage, from), findings.originals(from));
        if copied != originals {
            let topic = STAGES[stage];
            return Err(format!("{topic} has {copied:?} of {originals:?} from partition {from}"));
        }
    }
    Ok(())
}
