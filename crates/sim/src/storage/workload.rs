//! What clients do: calls of all kinds, out of the seed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use ottla_protocol::records::BatchBuilder;
use ottla_storage::{ConfigChange, ConfigResource, Durability, Engine, PartitionId, TopicId};

use super::calls::{Call, Change, Made, NewTopicCall, Producer, Sent, SentBatch};
use super::policy::Policy;
use super::records::SentRecord;
use super::world::{Shared, WALL_MS_AT_START};
use crate::prng::Prng;

/// How many calls may wait for an answer.
const MAX_WAITING: usize = 14;

/// How many keys there are.
const KEYS: u64 = 6;

/// Topics have one of so many names.
const NAMES: u64 = 4;

/// What clients know.
pub(super) struct Workload {
    producers: Vec<Client>,
    topics_made: u16,
    records_made: u64,
}

/// An idempotent or transactional producer.
struct Client {
    id: i64,
    epoch: i16,
    transactional: bool,
    /// The partitions of its transaction.
    touched: BTreeSet<PartitionId>,
    /// What it sent to each partition: the next sequence number, and the last batches, to be sent again.
    sent: BTreeMap<PartitionId, (i32, VecDeque<SentBatch>)>,
}

impl Workload {
    pub(super) fn draw(rng: &mut Prng) -> Self {
        let count = rng.between(1, 4) as i64;
        let client = |number| {
            let (id, touched, sent) = (1_000_000 + number, BTreeSet::new(), BTreeMap::new());
            Client { id, epoch: 0, transactional: !rng.once_in(3), touched, sent }
        };
        let producers = (0..count).map(client).collect();
        Self { producers, topics_made: 0, records_made: 0 }
    }

    fn batch(&mut self, rng: &mut Prng, producer: Option<Producer>, kind: Kind) -> SentBatch {
        let count = if rng.once_in(3) { rng.between(1, 4) } else { 1 };
        let mut builder = BatchBuilder::new();
        if let Some(Producer { id, epoch, sequence, transactional, .. }) = producer {
            builder = builder.producer(id, epoch, sequence);
            builder = if transactional { builder.transactional() } else { builder };
        }
        let bytes = size(rng) / count as usize;
        let mut records = Vec::new();
        for _ in 0..count {
            self.records_made += 1;
            let record = kind.record(rng);
            let mut value = self.records_made.to_be_bytes().to_vec();
            value.resize(bytes.max(8), self.records_made as u8);
            let key = record.key.map(|key| vec![key; 8]);
            builder.push(record.timestamp_ms, key.as_deref(), (!record.is_tombstone).then_some(&value), &[]);
            records.push(record);
        }
        let built = builder.build();
        SentBatch { bytes: Bytes::copy_from_slice(&built), producer, records, sent_ms: kind.now_ms }
    }
}

impl Workload {
    /// A transactional producer: its id, its epoch, and where it has sent anything since its last transaction ended.
    pub(super) fn any_transaction(&self, rng: &mut Prng) -> Option<(i64, i16, Vec<PartitionId>)> {
        let all: Vec<_> = self.producers.iter().filter(|client| client.transactional).collect();
        let client = all.get(rng.between(0, all.len().checked_sub(1)? as u64) as usize)?;
        Some((client.id, client.epoch, client.touched.iter().copied().collect()))
    }

    /// A transaction ends, and a new epoch may begin with that.
    pub(super) fn transaction_ended(&mut self, id: i64, is_new_epoch: bool) {
        for client in self.producers.iter_mut().filter(|client| client.id == id) {
            client.touched.clear();
            if is_new_epoch {
                client.epoch += 1;
                client.sent.clear();
            }
        }
    }
}

/// What kind of records are sent, and when.
#[derive(Clone, Copy)]
struct Kind {
    has_keys: bool,
    now_ms: i64,
}

impl Kind {
    /// A record of about now, rarely of earlier; few keys, so that they repeat.
    fn record(self, rng: &mut Prng) -> SentRecord {
        let late_ms = if rng.once_in(12) { rng.between(0, 10_000) } else { 0 };
        let timestamp_ms = self.now_ms + rng.between(0, 40) as i64 - late_ms as i64;
        let key = self.has_keys.then(|| rng.between(1, KEYS) as u8);
        SentRecord { timestamp_ms, key, is_tombstone: self.has_keys && rng.once_in(4), is_marker: false }
    }
}

/// Mostly small; some larger than a segment, few larger than a file of the log.
fn size(rng: &mut Prng) -> usize {
    let size = match rng.between(0, 99) {
        0..=59 => rng.between(10, 400),
        60..=84 => rng.between(400, 3_000),
        85..=95 => rng.between(3_000, 9_000),
        96..=98 => rng.between(9_000, 40_000),
        _ => rng.between(60_000, 100_000),
    };
    size as usize
}

impl Shared {
    pub(super) fn any_partition(&mut self) -> Option<PartitionId> {
        let count = self.model.visible.partitions.len() as u64;
        let number = self.rng.between(0, count.checked_sub(1)?) as usize;
        self.model.visible.partitions.keys().nth(number).copied()
    }

    /// One call of any kind.
    pub(super) fn make_a_call(&mut self) {
        if self.made.len() >= MAX_WAITING || self.engine.is_none() || self.life.closing {
            return;
        }
        if self.model.visible.topics.is_empty() && self.made.is_empty() {
            return self.create();
        }
        match self.rng.between(0, 99) {
            0..=55 => self.append(),
            56..=61 => self.end_transaction(),
            62..=75 => self.read_somewhere(),
            76..=80 => self.look_up_somewhere(),
            81..=82 => self.create(),
            83 => self.delete(),
            84 => self.add_partitions(),
            85 => self.alter_configs(),
            86..=89 => self.delete_records(),
            90..=94 => self.checkpoint(),
            _ => self.init_producer(),
        }
    }

    pub(super) fn make(&mut self, call: Call) {
        let Some(engine) = self.engine.clone() else { return };
        self.note(|| format!("call: {call}"));
        let poisoned = self.is_poisoned();
        self.made.push_back(Made::make(call, engine.engine(), poisoned));
    }

    fn create(&mut self) {
        self.workload.topics_made += 1;
        let mut id = [0; 16];
        id[..2].copy_from_slice(&self.workload.topics_made.to_le_bytes());
        let name = format!("t{}", self.rng.between(1, NAMES));
        let partitions = self.rng.between(1, 3) as i32;
        let configs = Policy::draw(&mut self.rng);
        self.make(Call::Change(Change::Create(NewTopicCall { name, id: TopicId(id), partitions, configs })));
    }

    fn delete(&mut self) {
        if let Some(partition) = self.any_partition() {
            self.make(Call::Change(Change::Delete(partition.topic)));
        }
    }

    fn add_partitions(&mut self) {
        let Some(topic) = self.any_partition().map(|partition| partition.topic) else { return };
        let now = self.model.visible.topics.get(&topic).map_or(0, |topic| topic.partitions);
        let total = now + self.rng.between(0, 2) as i32;
        if total <= 5 {
            self.make(Call::Change(Change::Partitions { topic, total }));
        }
    }

    fn alter_configs(&mut self) {
        let resource = match (self.rng.between(0, 3), self.any_partition()) {
            (0, _) => ConfigResource::Broker("".into()),
            (1, _) => ConfigResource::Group("g".into()),
            (_, Some(partition)) => ConfigResource::Topic(partition.topic),
            _ => return,
        };
        let there = match &resource {
            ConfigResource::Topic(id) => self.model.visible.topics.get(id).map(|topic| topic.configs.clone()),
            resource => self.model.visible.configs.get(resource).cloned(),
        };
        let before = if self.rng.once_in(8) { BTreeMap::new() } else { there.unwrap_or_default() };
        let mut after = Policy::kept_in(&before);
        if let number @ 1.. = self.rng.between(0, 2) {
            after.insert("flush.messages".to_owned(), (number * self.operations).to_string());
        }
        self.make(Call::Change(Change::Configs(ConfigChange { resource, before, after })));
    }

    fn delete_records(&mut self) {
        let Some(partition) = self.any_partition() else { return };
        let end = self.model.visible.partitions.get(&partition).map_or(0, |found| found.end);
        let before = match self.rng.between(0, 5) {
            0 => -1,
            1 => end + 1,
            _ => self.rng.between(0, end as u64) as i64,
        };
        self.make(Call::DeleteRecords { partition, before });
    }

    fn checkpoint(&mut self) {
        let Some(engine) = self.engine.clone() else { return };
        let position = self.model.position();
        self.note(|| "call: a checkpoint".into());
        self.checkpoints.push((position, engine.engine().maintain(usize::MAX)));
    }

    fn init_producer(&mut self) {
        let Some(engine) = self.engine.clone() else { return };
        self.ids.push(engine.engine().init_producer());
    }

    /// One append to every partition there is.
    pub(super) fn append_everywhere(&mut self) {
        let partitions: Vec<_> = self.model.visible.partitions.keys().copied().collect();
        for partition in partitions {
            let sent = self.plain(partition);
            self.make(Call::Append(vec![sent]));
        }
    }

    fn append(&mut self) {
        let count = if self.rng.once_in(4) { self.rng.between(2, 3) } else { 1 };
        let mut appends = Vec::new();
        for _ in 0..count {
            let Some(partition) = self.any_partition() else { return };
            let sent = match self.rng.between(0, 9) {
                0..=5 => self.idempotent(partition),
                _ => self.plain(partition),
            };
            appends.push(sent);
        }
        self.make(Call::Append(appends));
    }

    fn durability(&mut self) -> Durability {
        let once_in = self.setup.os_once_in;
        if once_in > 0 && self.rng.once_in(once_in) { Durability::Os } else { Durability::Flush }
    }

    fn kind(&self, partition: PartitionId) -> Kind {
        let found = self.model.visible.partitions.get(&partition);
        Kind { has_keys: found.is_some_and(|found| found.policy.compact), now_ms: self.clock.wall_ms() }
    }

    /// A timestamp such as records have.
    pub(super) fn some_time(&mut self) -> i64 {
        let now_ms = self.clock.wall_ms() + 100;
        now_ms - self.rng.between(0, (now_ms - WALL_MS_AT_START) as u64) as i64
    }

    pub(super) fn plain(&mut self, partition: PartitionId) -> Sent {
        let count = if self.rng.once_in(6) { 2 } else { 1 };
        let kind = self.kind(partition);
        let batches = (0..count).map(|_| self.workload.batch(&mut self.rng, None, kind)).collect();
        let end = self.model.visible.partitions.get(&partition).map_or(0, |found| found.end);
        let expected_end = match self.rng.between(0, 15) {
            0 => Some(end),
            1 if self.made.is_empty() => Some(end + 1),
            _ => None,
        };
        Sent { partition, batches, expected_end, durability: self.durability() }
    }

    /// The producer's next batch, or one that it sent before, or, rarely, what it should not send.
    fn idempotent(&mut self, partition: PartitionId) -> Sent {
        let (durability, kind) = (self.durability(), self.kind(partition));
        let quiet = self.made.is_empty();
        let number = self.rng.between(0, self.workload.producers.len() as u64 - 1) as usize;
        let known = self.model.visible.partitions.get(&partition);
        let client = &mut self.workload.producers[number];
        if self.rng.once_in(90) {
            client.epoch += 1;
            client.sent.clear();
        }
        let (id, epoch) = (client.id, client.epoch);
        let (next, recent) = client.sent.entry(partition).or_default();
        if quiet {
            // Nothing is under way: it goes on from what it knows to be there.
            let there =
                known.and_then(|found| found.next_sequence(id)).filter(|(known_epoch, _)| *known_epoch == epoch);
            *next = there.map_or(0, |(_, sequence)| sequence);
        }
        if !recent.is_empty() && self.rng.once_in(3) {
            let again = self.rng.between(0, recent.len() as u64 - 1) as usize;
            return Sent { partition, batches: vec![recent[again].clone()], expected_end: None, durability };
        }
        let gap = if self.rng.once_in(60) { 3 } else { 0 };
        let transactional = client.transactional && !self.rng.once_in(40);
        let mut producer = Producer { id, epoch, sequence: *next + gap, transactional, marker: None };
        if epoch > 0 && self.rng.once_in(20) {
            // It does not know yet that its epoch is over.
            producer.epoch -= 1;
            let batch = self.workload.batch(&mut self.rng, Some(producer), kind);
            return Sent { partition, batches: vec![batch], expected_end: None, durability };
        }
        if transactional {
            client.touched.insert(partition);
        }
        let batch = self.workload.batch(&mut self.rng, Some(producer), kind);
        let (next, recent) = self.workload.producers[number].sent.entry(partition).or_default();
        if gap == 0 {
            *next += batch.records.len() as i32;
            recent.push_back(batch.clone());
            if recent.len() > 7 {
                recent.pop_front();
            }
        }
        Sent { partition, batches: vec![batch], expected_end: None, durability }
    }
}
