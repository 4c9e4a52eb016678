//! What lies in all logs at one moment, and what can be said of it without knowing anything else.

use std::collections::BTreeMap;

use ottla_groups::records::StoredRecord as GroupRecord;
use ottla_storage::local::simulation::SteppedEngine;
use ottla_transactions::records::{StoredRecord, StoredTransaction, TransactionState};
use ottla_transactions::{OFFSETS_TOPIC, Producer};

use super::log::{self, Entry, PARTITIONS, STAGES, TRANSACTIONS_TOPIC, Value, stage_partitions};

/// All logs.
pub(super) struct Findings {
    /// By stage and partition.
    pub(super) stages: BTreeMap<(usize, i32), Log>,
    /// The logs of groups.
    pub(super) offsets: Vec<Log>,
    /// What those of the transaction coordinators say of each id.
    pub(super) stored: Vec<BTreeMap<String, StoredTransaction>>,
}

/// One log.
pub(super) struct Log {
    pub(super) topic: &'static str,
    pub(super) index: i32,
    pub(super) entries: Vec<Entry>,
    pub(super) end: i64,
    /// Of each entry: whether it counts, as the first marker of its producer behind it says; `None` where that is open.
    pub(super) fates: Vec<Option<bool>>,
}

/// An offset that was committed in a transaction.
pub(super) struct OffsetCommit {
    pub(super) group: String,
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
    pub(super) attempt: u64,
    pub(super) fate: Option<bool>,
}

impl Findings {
    /// Reads everything.
    ///
    /// # Errors
    /// A sentence: what cannot be read.
    pub(super) fn read(engine: &SteppedEngine) -> Result<Self, String> {
        let mut stages = BTreeMap::new();
        for (stage, index) in stage_partitions() {
            stages.insert((stage, index), Log::read(engine, STAGES[stage], index)?);
        }
        let (mut offsets, mut stored) = (Vec::new(), Vec::new());
        for index in 0..PARTITIONS {
            offsets.push(Log::read(engine, OFFSETS_TOPIC, index)?);
            stored.push(stored_transactions(&Log::read(engine, TRANSACTIONS_TOPIC, index)?));
        }
        Ok(Self { stages, offsets, stored })
    }

    /// Logs in which transactions lie.
    pub(super) fn with_transactions(&self) -> impl Iterator<Item = &Log> {
        let copies = self.stages.iter().filter(|((stage, _), _)| *stage > 0).map(|(_, log)| log);
        copies.chain(&self.offsets)
    }

    /// Whether a coordinator has that transaction, with that partition in it.
    pub(super) fn has_ongoing(&self, producer: Producer, topic: &str, index: i32) -> bool {
        let all = self.stored.iter().flat_map(BTreeMap::values);
        let mut of_producer = all.filter(|stored| stored.producer() == producer);
        of_producer.any(|stored| {
            stored.state == TransactionState::Ongoing
                && stored.partitions.get(topic).is_some_and(|numbers| numbers.contains(&index))
        })
    }

    /// The records of a stage that count, by partition of the first topic, each as often as it is there.
    pub(super) fn copied(&self, stage: usize, from: i32) -> Vec<i64> {
        let logs = self.stages.iter().filter(|((of, _), _)| *of == stage);
        let mut numbers: Vec<i64> = logs
            .flat_map(|(_, log)| log.committed())
            .filter(|(_, value)| value.from == from)
            .map(|(_, v)| v.number)
            .collect();
        numbers.sort_unstable();
        numbers
    }

    /// What was there to be copied.
    pub(super) fn originals(&self, from: i32) -> Vec<i64> {
        self.stages.get(&(0, from)).map_or(Vec::new(), |log| log.entries.iter().map(Entry::offset).collect())
    }

    /// Whether everything has come to the end.
    pub(super) fn is_copied(&self) -> bool {
        (0..PARTITIONS).all(|from| self.copied(STAGES.len() - 1, from) == self.originals(from))
    }
}

impl Log {
    pub(super) fn read(engine: &SteppedEngine, topic: &'static str, index: i32) -> Result<Self, String> {
        let found = log::read_all(engine, log::partition(topic, index));
        let (entries, end) = found.map_err(|problem| format!("{topic}-{index} cannot be read: {problem}"))?;
        let mut open: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        let mut fates = vec![Some(true); entries.len()];
        for (at, entry) in entries.iter().enumerate() {
            match entry {
                Entry::Record { producer: Some(producer), .. } => {
                    open.entry(producer.id).or_default().push(at);
                    fates[at] = None;
                }
                Entry::Record { producer: None, .. } => {}
                Entry::End { producer, commits, .. } => {
                    open.remove(&producer.id).into_iter().flatten().for_each(|at| fates[at] = Some(*commits));
                }
            }
        }
        Ok(Self { topic, index, entries, end, fates })
    }

    /// Entries with their fates.
    pub(super) fn with_fates(&self) -> impl Iterator<Item = (&Entry, Option<bool>)> {
        self.entries.iter().zip(self.fates.iter().copied())
    }

    /// Copied records with their fates.
    pub(super) fn values(&self) -> impl Iterator<Item = (i64, Value, Option<bool>)> {
        self.with_fates().filter_map(|(entry, fate)| entry.value().map(|value| (entry.offset(), value, fate)))
    }

    /// Copied records that count, with their offsets.
    pub(super) fn committed(&self) -> impl Iterator<Item = (i64, Value)> {
        self.values().filter(|(_, _, fate)| *fate == Some(true)).map(|(offset, value, _)| (offset, value))
    }

    /// Records of transactions that are open.
    pub(super) fn open(&self) -> impl Iterator<Item = (i64, Producer)> {
        self.with_fates().filter_map(|(entry, fate)| match entry {
            Entry::Record { offset, producer: Some(producer), .. } if fate.is_none() => Some((*offset, *producer)),
            _ => None,
        })
    }

    /// How far committed records go.
    pub(super) fn last_stable_offset(&self) -> i64 {
        self.open().next().map_or(self.end, |(offset, _)| offset)
    }

    /// The commits in the log of a group.
    pub(super) fn offset_commits(&self) -> Vec<OffsetCommit> {
        let commit = |(entry, fate): (&Entry, Option<bool>)| {
            let Entry::Record { record, .. } = entry else { return None };
            let Ok(GroupRecord::Offset(key, Some(value))) = GroupRecord::decode(record) else { return None };
            let (group, topic, partition) = (key.group_id, key.topic, key.partition);
            let attempt = value.metadata.parse().unwrap_or(0);
            Some(OffsetCommit { group, topic, partition, offset: value.offset, attempt, fate })
        };
        self.with_fates().filter_map(commit).collect()
    }
}

fn stored_transactions(log: &Log) -> BTreeMap<String, StoredTransaction> {
    let mut stored = BTreeMap::new();
    for entry in &log.entries {
        let Entry::Record { record, .. } = entry else { continue };
        match StoredRecord::decode(record) {
            Ok(StoredRecord::Transaction(id, Some(value))) => drop(stored.insert(id, value)),
            Ok(StoredRecord::Transaction(id, None)) => drop(stored.remove(&id)),
            Ok(StoredRecord::Unknown { .. }) | Err(_) => {}
        }
    }
    stored
}
