//! The topics of the torture, and what lies in their logs.

use std::collections::BTreeSet;

use bytes::Bytes;
use ottla_groups::Record;
use ottla_protocol::records::{self, BatchBuilder, EndMarker};
use ottla_storage::local::simulation::{Role, SteppedEngine};
use ottla_storage::{
    Append, AppendOrigin, Durability, Engine, EngineGone, Isolation, PartitionId, Pending, Read, ReadOutcome, TopicId,
};
use ottla_transactions::{OFFSETS_TOPIC, Producer};

use crate::storage::calls::poll;

/// Records go from one of these topics to the next.
pub(super) const STAGES: [&str; 3] = ["in", "middle", "out"];
pub(super) const TRANSACTIONS_TOPIC: &str = "__transaction_state";
/// Each topic has so many partitions.
pub(super) const PARTITIONS: i32 = 2;
const LARGEST_BATCH_BYTES: usize = 1 << 20;

/// All topics.
pub(super) fn topics() -> impl Iterator<Item = (&'static str, TopicId)> {
    let names = STAGES.into_iter().chain([OFFSETS_TOPIC, TRANSACTIONS_TOPIC]);
    names.zip(1..).map(|(name, number)| (name, TopicId([number; 16])))
}

/// A partition of one of them; they are known, so another name is a fault of the simulation.
pub(super) fn partition(name: &str, index: i32) -> PartitionId {
    let found = topics().find(|(topic, _)| *topic == name);
    let topic = found.map_or(TopicId([0; 16]), |(_, id)| id);
    PartitionId { topic, index }
}

/// All partitions that copiers read and write.
pub(super) fn stage_partitions() -> impl Iterator<Item = (usize, i32)> {
    (0..STAGES.len()).flat_map(|stage| (0..PARTITIONS).map(move |index| (stage, index)))
}

/// What a record says: where it was first, and who wrote it here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Value {
    /// Its partition and offset in the first topic; of a record there the offset is -1.
    pub(super) from: i32,
    pub(super) number: i64,
    /// The transaction that copied it.
    pub(super) attempt: u64,
}

impl Value {
    fn encode(self, filler: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(20 + filler);
        bytes.extend(self.from.to_be_bytes());
        bytes.extend(self.number.to_be_bytes());
        bytes.extend(self.attempt.to_be_bytes());
        bytes.resize(20 + filler, b'.');
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (from, bytes) = bytes.split_first_chunk()?;
        let (number, bytes) = bytes.split_first_chunk()?;
        let attempt = bytes.first_chunk()?;
        Some(Value {
            from: i32::from_be_bytes(*from),
            number: i64::from_be_bytes(*number),
            attempt: u64::from_be_bytes(*attempt),
        })
    }
}

/// A batch of these; of a producer with its first sequence number, or of nobody.
pub(super) fn batch(producer: Option<(Producer, i32)>, values: &[Value], wall_ms: i64, filler: usize) -> Bytes {
    let mut batch = match producer {
        Some((producer, sequence)) => {
            BatchBuilder::new().producer(producer.id, producer.epoch, sequence).transactional()
        }
        None => BatchBuilder::new(),
    };
    values.iter().for_each(|value| batch.push(wall_ms, None, Some(&value.encode(filler)), &[]));
    batch.build()
}

/// The append of a client.
pub(super) fn client_append(partition: PartitionId, batches: Bytes) -> Append {
    let (durability, origin) = (Durability::Flush, AppendOrigin::Client);
    Append { partition, batches, expected_end: None, depends_on: None, durability, origin }
}

/// The append of a coordinator, which knows where its log ends.
pub(super) fn coordinator_append(partition: PartitionId, batches: Bytes, expected_end: Option<i64>) -> Append {
    let (durability, origin) = (Durability::Flush, AppendOrigin::Coordinator);
    Append { partition, batches, expected_end, depends_on: None, durability, origin }
}

/// A coordinator's records as one batch; of a producer, if they are in its transaction.
pub(super) fn record_batch(producer: Option<Producer>, records: &[Record], wall_ms: i64) -> Bytes {
    let mut batch = match producer {
        Some(producer) => BatchBuilder::new().producer(producer.id, producer.epoch, -1).transactional(),
        None => BatchBuilder::new(),
    };
    for record in records {
        batch.push(wall_ms, Some(&record.key), record.value.as_deref(), &[]);
    }
    batch.build()
}

/// What lies in a log.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// A record; of a producer, if it is in that producer's transaction.
    Record { offset: i64, producer: Option<Producer>, record: Record },
    /// A producer's transaction ends.
    End { offset: i64, producer: Producer, commits: bool },
}

impl Entry {
    /// What a copied record says.
    pub(super) fn value(&self) -> Option<Value> {
        match self {
            Entry::Record { record, .. } => record.value.as_deref().and_then(Value::decode),
            Entry::End { .. } => None,
        }
    }

    pub(super) fn offset(&self) -> i64 {
        match self {
            Entry::Record { offset, .. } | Entry::End { offset, .. } => *offset,
        }
    }
}

/// Everything in the batches of a read, in order.
///
/// # Errors
/// A sentence: a batch cannot be read.
pub(super) fn entries(outcome: &ReadOutcome) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for blob in &outcome.batches {
        for batch in records::batches(blob) {
            let batch = batch.map_err(|error| format!("{error}"))?;
            add_entries(batch.bytes, &mut entries)?;
        }
    }
    Ok(entries)
}

fn add_entries(bytes: &[u8], entries: &mut Vec<Entry>) -> Result<(), String> {
    let batch = records::open(bytes, LARGEST_BATCH_BYTES).map_err(|error| format!("{error}"))?;
    let header = &batch.header;
    let producer = Producer { id: header.producer_id, epoch: header.producer_epoch };
    if header.is_control() {
        if let Some(marker) = EndMarker::of(bytes) {
            entries.push(Entry::End { offset: header.base_offset, producer, commits: marker.is_commit });
        }
        return Ok(());
    }
    let producer = header.is_transactional().then_some(producer);
    for record in batch.records() {
        let record = record.map_err(|error| format!("{error}"))?;
        let (key, value) = (record.key.unwrap_or_default().to_vec(), record.value.map(<[u8]>::to_vec));
        entries.push(Entry::Record { offset: record.offset, producer, record: Record { key, value } });
    }
    Ok(())
}

/// Waits for an answer by turns of readers.
fn wait<T: Unpin, E: Unpin + From<EngineGone>>(engine: &SteppedEngine, mut pending: Pending<T, E>) -> Result<T, E> {
    loop {
        if let Some(result) = poll(&mut pending) {
            return result;
        }
        if !engine.turn(Role::Reader) && !engine.turn(Role::LookUps) {
            return Err(EngineGone.into());
        }
    }
}

/// One read.
///
/// # Errors
/// A sentence.
pub(super) fn read(
    engine: &SteppedEngine,
    partition: PartitionId,
    offset: i64,
    max_bytes: usize,
    isolation: Isolation,
) -> Result<ReadOutcome, String> {
    let read = Read { partition, offset, max_bytes, at_least_one_batch: true, isolation, may_name_file: false };
    wait(engine, engine.engine().read(read)).map_err(|error| format!("at offset {offset}: {error:?}"))
}

/// Everything in a log, and where it ends.
///
/// # Errors
/// A sentence: what could not be read.
pub(super) fn read_all(engine: &SteppedEngine, partition: PartitionId) -> Result<(Vec<Entry>, i64), String> {
    let bounds = engine.engine().bounds(partition).map_err(|error| format!("{error:?}"))?;
    let (mut offset, mut found) = (bounds.log_start_offset, Vec::new());
    while offset < bounds.high_watermark {
        let outcome = read(engine, partition, offset, 1 << 20, Isolation::ReadUncommitted)?;
        let next = outcome.next_offset.filter(|next| *next > offset);
        found.extend(entries(&outcome)?);
        offset = next.ok_or_else(|| format!("nothing can be read at offset {offset}"))?;
    }
    Ok((found, offset))
}

/// What a consumer of committed records is shown of a read, as clients work it out: records of transactions that the answer
/// calls aborted are passed over until their marker.
///
/// # Errors
/// A sentence: a batch cannot be read.
pub(super) fn committed(outcome: &ReadOutcome) -> Result<Vec<Entry>, String> {
    let mut aborted = outcome.aborted.clone();
    aborted.sort_by_key(|one| std::cmp::Reverse(one.first_offset));
    let mut passed_over = BTreeSet::new();
    let mut shown = Vec::new();
    for entry in entries(outcome)? {
        while let Some(one) = aborted.pop_if(|one| one.first_offset <= entry.offset()) {
            passed_over.insert(one.producer_id);
        }
        match &entry {
            Entry::End { producer, .. } => drop(passed_over.remove(&producer.id)),
            Entry::Record { producer, .. } if producer.is_some_and(|producer| passed_over.contains(&producer.id)) => {}
            Entry::Record { .. } => shown.push(entry),
        }
    }
    Ok(shown)
}
