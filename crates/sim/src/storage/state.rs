//! The model's state at one moment, and how changes lead to the next.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ottla_storage::{Appended, Bounds, ConfigChange, ConfigResource, Engine, MetadataError, PartitionId, TopicId};

use super::calls::{Change, NewTopicCall, Producer, Sent};
use super::model::{Configs, Promise, Why};
use super::policy::Policy;
use super::records::Stored;
use super::transactions::Transactions;

/// One moment.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) topics: BTreeMap<TopicId, NewTopicCall>,
    pub(super) partitions: BTreeMap<PartitionId, Partition>,
    /// Of brokers and groups.
    pub(super) configs: BTreeMap<ConfigResource, Configs>,
}

/// One partition.
#[derive(Clone, Default)]
pub(super) struct Partition {
    pub(super) log_start: i64,
    pub(super) end: i64,
    /// By offset; those below the log start too.
    pub(super) batches: Vec<Arc<Stored>>,
    pub(super) policy: Policy,
    /// The last offset of each key.
    pub(super) newest: BTreeMap<u8, i64>,
    producers: BTreeMap<i64, Remembered>,
    transactions: Transactions,
}

/// What is known of a producer: its epoch, and first sequence number, count and first offset of its last five batches.
#[derive(Clone)]
struct Remembered {
    epoch: i16,
    batches: VecDeque<(i32, i32, i64)>,
}

/// One change, as one frame of the log has it.
#[derive(Clone)]
pub(super) enum Effect {
    Records {
        partition: PartitionId,
        batches: Vec<Arc<Stored>>,
        producer: Option<Producer>,
    },
    /// Records of several partitions.
    Atomic(Vec<Effect>),
    Change(Arc<Change>),
    LogStart {
        partition: PartitionId,
        to: i64,
    },
}

/// What becomes of an append.
pub(super) enum Decided {
    Accept(Effect),
    Duplicate(Appended),
    UnknownPartition,
    UnexpectedEnd(i64),
    Refuse(Why),
}

impl std::fmt::Debug for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Effect::Records { partition, batches, .. } => {
                let (first, end) = (batches[0].first_offset, batches[batches.len() - 1].end_offset());
                write!(f, "records {first} to {} of {}", end - 1, short(*partition))
            }
            Effect::Atomic(effects) => write!(f, "together {effects:?}"),
            Effect::Change(change) => write!(f, "{change:?}"),
            Effect::LogStart { partition, to } => write!(f, "log start {to} of {}", short(*partition)),
        }
    }
}

impl std::fmt::Debug for Decided {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Decided::Accept(effect) => write!(f, "accepted as {effect:?}"),
            Decided::Duplicate(original) => write!(f, "known as a duplicate of {original:?}"),
            Decided::UnknownPartition => write!(f, "refused: no such partition"),
            Decided::UnexpectedEnd(end) => write!(f, "refused: the end is {end}"),
            Decided::Refuse(why) => write!(f, "refused: {why:?}"),
        }
    }
}

/// A partition in stories: the first byte of its topic's id, its index.
pub(super) fn short(partition: PartitionId) -> String {
    format!("{}/{}", partition.topic.0[0], partition.index)
}

impl State {
    fn topic_named(&self, name: &str) -> Option<&NewTopicCall> {
        self.topics.values().find(|topic| topic.name == name)
    }

    pub(super) fn decide(&self, sent: &Sent) -> Decided {
        let Some(partition) = self.partitions.get(&sent.partition) else { return Decided::UnknownPartition };
        if sent.expected_end.is_some_and(|end| end != partition.end) {
            return Decided::UnexpectedEnd(partition.end);
        }
        let producer = sent.batches[0].producer;
        match partition.decide_producer(producer, sent) {
            Err(why) => return Decided::Refuse(why),
            Ok(Some((first_offset, end_offset))) => {
                let log_start_offset = partition.log_start;
                return Decided::Duplicate(Appended { first_offset, end_offset, log_start_offset, duplicate: true });
            }
            Ok(None) => {}
        }
        let mut end = partition.end;
        let stored = |batch| {
            let stored = Stored::of(batch, end);
            end = stored.end_offset();
            Arc::new(stored)
        };
        let batches = sent.batches.iter().map(stored).collect();
        Decided::Accept(Effect::Records { partition: sent.partition, batches, producer })
    }

    /// What an atomic append does, or what becomes of the first that is not accepted.
    pub(super) fn decide_atomically(&self, sent: &[Sent]) -> Result<Vec<Effect>, Decided> {
        let decide = |sent| match self.decide(sent) {
            Decided::Accept(effect) => Ok(effect),
            other => Err(other),
        };
        sent.iter().map(decide).collect()
    }

    /// The answer to an append with that effect.
    pub(super) fn appended(&self, effect: &Effect, duplicate: bool) -> Appended {
        let Effect::Records { partition, batches, .. } = effect else { unreachable!("appends are records") };
        Appended {
            first_offset: batches[0].first_offset,
            end_offset: batches[batches.len() - 1].end_offset(),
            log_start_offset: self.partitions[partition].log_start,
            duplicate,
        }
    }

    /// From where to where DeleteRecords moves the log start; otherwise the bounds that it lies outside of, or no partition.
    pub(super) fn decide_log_start(&self, partition: PartitionId, before: i64) -> Result<(i64, i64), Option<Bounds>> {
        let found = self.partitions.get(&partition).ok_or(None)?;
        let to = if before == -1 { found.end } else { before };
        if !(0..=found.end).contains(&to) {
            return Err(Some(found.bounds()));
        }
        Ok((found.log_start, to.max(found.log_start)))
    }

    pub(super) fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Records { partition, batches, producer } => {
                if let Some(found) = self.partitions.get_mut(partition) {
                    found.apply_records(batches, *producer);
                }
            }
            Effect::Atomic(effects) => effects.iter().for_each(|effect| self.apply(effect)),
            Effect::Change(change) => self.apply_change(change),
            Effect::LogStart { partition, to } => {
                if let Some(found) = self.partitions.get_mut(partition) {
                    found.log_start = found.log_start.max(*to);
                }
            }
        }
    }

    fn apply_change(&mut self, change: &Change) {
        match change {
            Change::Create(topic) => {
                self.topics.insert(topic.id, topic.clone());
                self.add_partitions(topic.id, 0..topic.partitions);
            }
            Change::Delete(id) => {
                self.topics.remove(id);
                self.partitions.retain(|partition, _| partition.topic != *id);
            }
            Change::Partitions { topic, total } => {
                let Some(found) = self.topics.get_mut(topic) else { return };
                let before = std::mem::replace(&mut found.partitions, *total);
                self.add_partitions(*topic, before..*total);
            }
            Change::Configs(ConfigChange { resource: ConfigResource::Topic(id), after, .. }) => {
                if let Some(found) = self.topics.get_mut(id) {
                    found.configs.clone_from(after);
                }
            }
            Change::Configs(ConfigChange { resource, after, .. }) => {
                self.configs.insert(resource.clone(), after.clone());
                self.configs.retain(|_, configs| !configs.is_empty());
            }
        }
    }

    fn add_partitions(&mut self, topic: TopicId, indexes: std::ops::Range<i32>) {
        let policy = self.topics.get(&topic).map(|topic| Policy::of(&topic.configs)).unwrap_or_default();
        for index in indexes {
            self.partitions.insert(PartitionId { topic, index }, Partition { policy, ..Partition::default() });
        }
    }

    /// What a change of topics or configs does, or why it is refused.
    pub(super) fn decide_change(&self, change: &Change) -> Result<Effect, MetadataError> {
        match change {
            Change::Create(topic) if self.topic_named(&topic.name).is_some() => return Err(MetadataError::TopicExists),
            Change::Create(_) => {}
            Change::Delete(id) if !self.topics.contains_key(id) => return Err(MetadataError::UnknownTopic),
            Change::Delete(_) => {}
            Change::Partitions { topic, total } => {
                let partitions = self.topics.get(topic).ok_or(MetadataError::UnknownTopic)?.partitions;
                if *total <= partitions {
                    return Err(MetadataError::NotMorePartitions { partitions });
                }
            }
            Change::Configs(change) => {
                let now = match &change.resource {
                    ConfigResource::Topic(id) => {
                        self.topics.get(id).ok_or(MetadataError::UnknownTopic)?.configs.clone()
                    }
                    resource => self.configs.get(resource).cloned().unwrap_or_default(),
                };
                if now != change.before {
                    return Err(MetadataError::Changed);
                }
            }
        }
        Ok(Effect::Change(Arc::new(change.clone())))
    }

    /// Whether the engine shows this state.
    pub(super) fn is_shown_by(&self, engine: &dyn Engine) -> Promise {
        self.metadata_is_shown_by(engine)?;
        self.partitions.iter().try_for_each(|(id, partition)| partition.bounds_are_shown_by(engine, *id))
    }

    /// Whether an engine that has just started shows this state, but for log starts that retention has moved before.
    pub(super) fn is_found_by(&self, engine: &dyn Engine, now_ms: i64) -> Promise {
        self.metadata_is_shown_by(engine)?;
        self.partitions.iter().try_for_each(|(id, partition)| {
            let Err(what) = partition.bounds_are_shown_by(engine, *id) else { return Ok(()) };
            match engine.bounds(*id) {
                Ok(found)
                    if found.log_start_offset > partition.log_start
                        && found == partition.bounds_from(found.log_start_offset) =>
                {
                    let may = partition.may_start_at(found.log_start_offset, now_ms);
                    may.map_err(|why| format!("{what}; retention may not have moved it: {why}"))
                }
                _ => Err(what),
            }
        })
    }

    fn metadata_is_shown_by(&self, engine: &dyn Engine) -> Promise {
        let metadata = engine.metadata();
        for topic in metadata.topics() {
            let expected = self.topics.get(&topic.id);
            let same = expected.is_some_and(|expected| {
                (expected.name.as_str(), expected.partitions, &expected.configs)
                    == (&*topic.name, topic.partitions, &topic.configs)
            });
            if !same {
                let expected = expected.map_or("not there".to_owned(), |topic| format!("{topic:?}"));
                return Err(format!("topic {topic:?} should be {expected}"));
            }
        }
        if let Some(missing) = self.topics.values().find(|topic| metadata.by_id(topic.id).is_none()) {
            return Err(format!("topic {} is missing", missing.name));
        }
        let configs: BTreeMap<_, _> =
            metadata.configured().map(|(whose, what)| (whose.clone(), what.clone())).collect();
        if configs != self.configs {
            return Err(format!("configs are {configs:?} and should be {:?}", self.configs));
        }
        Ok(())
    }
}

impl Partition {
    fn bounds_are_shown_by(&self, engine: &dyn Engine, id: PartitionId) -> Promise {
        let found = engine.bounds(id);
        if found == Ok(self.bounds()) {
            return Ok(());
        }
        Err(format!("partition {} shows {found:?} and should be {:?}", short(id), self.bounds()))
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.bounds_from(self.log_start)
    }

    fn bounds_from(&self, log_start_offset: i64) -> Bounds {
        let last_stable_offset = self.transactions.first_open().map_or(self.end, |open| open.max(log_start_offset));
        Bounds { log_start_offset, high_watermark: self.end, last_stable_offset }
    }

    pub(super) fn transactions(&self) -> &Transactions {
        &self.transactions
    }

    /// The newest epoch that is known of a producer.
    pub(super) fn epoch_of(&self, producer: i64) -> Option<i16> {
        self.producers.get(&producer).map(|known| known.epoch)
    }

    /// Whether the record of an offset is of no transaction, or of a committed one.
    pub(super) fn is_committed(&self, offset: i64) -> bool {
        let batch = self.batches_from(offset).next();
        batch.is_none_or(|batch| self.transactions.is_committed(batch))
    }

    /// Nothing where the batches are new; where they are known, the offsets that they have.
    fn decide_producer(&self, producer: Option<Producer>, sent: &Sent) -> Result<Option<(i64, i64)>, Why> {
        let Some(producer) = producer else { return Ok(None) };
        if sent.batches.len() > 1 {
            return Err(Why::SeveralBatches);
        }
        let count = sent.batches[0].records.len() as i32;
        let Some(known) = self.producers.get(&producer.id) else { return Ok(None) };
        let sequence = producer.sequence;
        let follows = |expected| -> Result<Option<(i64, i64)>, Why> {
            match expected == sequence {
                true => Ok(None),
                false => Err(Why::Sequence { expected, got: sequence }),
            }
        };
        if producer.epoch < known.epoch {
            return Err(Why::Epoch { current: known.epoch, got: producer.epoch });
        }
        if producer.marker.is_some() {
            return Ok(None);
        }
        let known_batches = if producer.epoch > known.epoch { &VecDeque::new() } else { &known.batches };
        if let Some((_, _, first)) = known_batches.iter().find(|(s, c, _)| (*s, *c) == (sequence, count)) {
            return Ok(Some((*first, first + i64::from(count))));
        }
        follows(known_batches.back().map_or(0, |(sequence, count, _)| sequence + count))?;
        match self.transactions.open_from(producer.id) {
            Some(first_offset) if !producer.transactional => Err(Why::Open { first_offset }),
            _ => Ok(None),
        }
    }

    fn apply_records(&mut self, batches: &[Arc<Stored>], producer: Option<Producer>) {
        for batch in batches {
            self.end = batch.end_offset();
            if batch.transaction().is_none() {
                note_newest(&mut self.newest, batch);
            }
            self.batches.push(batch.clone());
        }
        let (Some(producer), [batch]) = (producer, batches) else { return };
        if let Some(marker) = producer.marker {
            return self.apply_marker(producer, marker.is_commit, batch.first_offset);
        }
        if producer.transactional {
            self.transactions.begin(producer.id, batch.first_offset);
        }
        let memory = (producer.sequence, batch.records.len() as i32, batch.first_offset);
        let known =
            self.producers.entry(producer.id).or_insert(Remembered { epoch: producer.epoch, batches: VecDeque::new() });
        let follows = known.batches.back().is_some_and(|(sequence, count, _)| sequence + count == producer.sequence);
        if known.epoch != producer.epoch || !follows {
            known.epoch = producer.epoch;
            known.batches.clear();
        }
        known.batches.push_back(memory);
        if known.batches.len() > 5 {
            known.batches.pop_front();
        }
    }

    fn apply_marker(&mut self, producer: Producer, is_commit: bool, offset: i64) {
        let known = Remembered { epoch: producer.epoch, batches: VecDeque::new() };
        let known = self.producers.entry(producer.id).or_insert(known);
        if known.epoch != producer.epoch {
            known.epoch = producer.epoch;
            known.batches.clear();
        }
        let Some(first) = self.transactions.end(producer.id, is_commit, offset) else { return };
        let begun = self.batches.partition_point(|batch| batch.end_offset() <= first);
        for batch in self.batches[begun..].iter().filter(|batch| is_commit && batch.transaction() == Some(producer.id))
        {
            note_newest(&mut self.newest, batch);
        }
    }

    /// The sequence number that a producer goes on with, and its epoch.
    pub(super) fn next_sequence(&self, producer: i64) -> Option<(i16, i32)> {
        let known = self.producers.get(&producer)?;
        known.batches.back().map(|(sequence, count, _)| (known.epoch, sequence + count))
    }

    /// The batches that end after an offset.
    pub(super) fn batches_from(&self, offset: i64) -> impl Iterator<Item = &Arc<Stored>> {
        let first = self.batches.partition_point(|batch| batch.end_offset() <= offset);
        self.batches[first..].iter()
    }

    /// Whether compaction may have removed a record by now: it was aborted, one of the same key came after it, or it is a deletion or
    /// a marker that was there for long enough.
    pub(super) fn may_be_compacted(&self, batch: &Stored, offset: i64, now_ms: i64) -> bool {
        let Some(record) = batch.records.get((offset - batch.first_offset) as usize) else { return false };
        let is_passing = record.is_tombstone || record.is_marker;
        let has_passed = is_passing && now_ms >= batch.sent_ms + self.policy.delete_retention_ms;
        let is_superseded = match record.key {
            Some(key) => self.newest.get(&key).is_some_and(|newest| *newest > offset),
            None => !record.is_marker,
        };
        self.policy.compact && (is_superseded || has_passed || self.transactions.is_aborted(batch))
    }

    /// The records from an offset on, with their timestamps: all, or only those that must be there.
    pub(super) fn timestamps_from(&self, offset: i64, must_be_there: Option<i64>) -> impl Iterator<Item = (i64, i64)> {
        let is_asked_for =
            move |batch: &Stored, at| must_be_there.is_none_or(|now_ms| !self.may_be_compacted(batch, at, now_ms));
        let records = self
            .batches_from(offset)
            .flat_map(move |batch| batch.with_offsets().filter(move |(at, _)| is_asked_for(batch, *at)));
        records.map(|(at, record)| (at, record.timestamp_ms)).filter(move |(at, _)| *at >= offset)
    }
}

/// Notes the last offset of each key.
fn note_newest(newest: &mut BTreeMap<u8, i64>, batch: &Stored) {
    for (offset, record) in batch.with_offsets() {
        if let Some(key) = record.key {
            let known = newest.entry(key).or_insert(offset);
            *known = (*known).max(offset);
        }
    }
}
