//! The records of `__transaction_state` in Kafka's published format, so that tools which follow that topic can read ours.
//!
//! The key is a version (0) and the transactional id. The value has version 0, or 1, which is flexible and carries the producer
//! id before and after an epoch was exhausted and the version of the client in tagged fields (KIP-890). Written is version 1.
#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use ottla_groups::Record;
use ottla_groups::records::RecordError;
use ottla_groups::records::bytes::{Reader, Writer};

const KEY_VERSION: i16 = 0;
const VERSION: i16 = 1;
/// What a topic takes at least in any version: an empty name and no partitions.
const LEAST_TOPIC_BYTES: usize = 2;
/// Tags of version 1. The fourth, of two-phase commits (KIP-939), is passed over.
const PREVIOUS_PRODUCER_ID: u32 = 0;
const NEXT_PRODUCER_ID: u32 = 1;
const CLIENT_VERSION: u32 = 2;

/// No producer id, no epoch, no time.
pub(crate) const NONE: i64 = -1;

/// The state of a transactional id; the numbers are those of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum TransactionState {
    /// There was no transaction since its producer was initialised.
    #[default]
    Empty = 0,
    /// Partitions belong to it.
    Ongoing = 1,
    /// It is about to be committed.
    PrepareCommit = 2,
    /// It is about to be aborted.
    PrepareAbort = 3,
    /// It was committed.
    CompleteCommit = 4,
    /// It was aborted.
    CompleteAbort = 5,
    /// The id is about to be forgotten. Not used here.
    Dead = 6,
    /// Its producer is about to be fenced. Not used here.
    PrepareEpochFence = 7,
}

impl TransactionState {
    /// All of them; each stands where its number says.
    pub const ALL: [TransactionState; 8] = [
        TransactionState::Empty,
        TransactionState::Ongoing,
        TransactionState::PrepareCommit,
        TransactionState::PrepareAbort,
        TransactionState::CompleteCommit,
        TransactionState::CompleteAbort,
        TransactionState::Dead,
        TransactionState::PrepareEpochFence,
    ];

    /// Kafka's name for it, as DescribeTransactions and ListTransactions carry it.
    pub fn name(self) -> &'static str {
        match self {
            TransactionState::Empty => "Empty",
            TransactionState::Ongoing => "Ongoing",
            TransactionState::PrepareCommit => "PrepareCommit",
            TransactionState::PrepareAbort => "PrepareAbort",
            TransactionState::CompleteCommit => "CompleteCommit",
            TransactionState::CompleteAbort => "CompleteAbort",
            TransactionState::Dead => "Dead",
            TransactionState::PrepareEpochFence => "PrepareEpochFence",
        }
    }

    /// An end was decided but its markers may not be there. Only Kafka's own logs hold such a record.
    pub fn is_prepared(self) -> bool {
        matches!(self, TransactionState::PrepareCommit | TransactionState::PrepareAbort)
    }
}

/// Partitions by topic.
pub type Partitions = BTreeMap<String, BTreeSet<i32>>;

/// All that is stored of one transactional id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredTransaction {
    /// The producer id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// `transaction.timeout.ms` of the producer.
    pub timeout_ms: i32,
    /// The state.
    pub state: TransactionState,
    /// Partitions of the transaction; none unless there is one.
    pub partitions: Partitions,
    /// Wall time in milliseconds of the last change.
    pub last_update_ms: i64,
    /// Wall time in milliseconds when the transaction began, -1 if there was none.
    pub start_ms: i64,
    /// The producer id before the last end; another one where that end exhausted the epochs. -1 if unknown.
    pub previous_producer_id: i64,
    /// The producer id after the end that is prepared, -1 if it stays the same.
    pub next_producer_id: i64,
    /// The `transaction.version` of the client that made the last change, 0 for all before 2.
    pub client_version: i16,
}

/// One record of the log, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredRecord {
    /// A transactional id changed, or was forgotten.
    Transaction(String, Option<StoredTransaction>),
    /// A kind that this version does not know. Kafka skips those too.
    Unknown {
        /// The version of its key.
        key_version: i16,
    },
}

impl StoredRecord {
    /// Understands a record of the log.
    ///
    /// # Errors
    /// The key or the value is not of a known form, too short or too long.
    pub fn decode(record: &Record) -> Result<StoredRecord, RecordError> {
        let mut reader = Reader::new(&record.key);
        let key_version = reader.i16()?;
        if key_version != KEY_VERSION {
            return Ok(StoredRecord::Unknown { key_version });
        }
        let transactional_id = reader.string(false)?;
        reader.finish()?;
        let value = record.value.as_deref().map(StoredTransaction::decode).transpose()?;
        Ok(StoredRecord::Transaction(transactional_id, value))
    }
}

/// A record of one transactional id; `None` forgets it.
pub(crate) fn encode(transactional_id: &str, value: Option<&StoredTransaction>) -> Record {
    let mut key = Writer::with_version(KEY_VERSION);
    key.string(transactional_id);
    Record { key: key.into_bytes(), value: value.map(StoredTransaction::encode) }
}

impl StoredTransaction {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_version(VERSION);
        writer.i64(self.producer_id);
        writer.raw(&self.producer_epoch.to_be_bytes());
        writer.i32(self.timeout_ms);
        writer.raw(&[self.state as u8]);
        if self.state == TransactionState::Empty && self.partitions.is_empty() {
            writer.uvarint(0);
        } else {
            write_partitions(&mut writer, &self.partitions);
        }
        writer.i64(self.last_update_ms);
        writer.i64(self.start_ms);
        self.write_tags(&mut writer);
        writer.into_bytes()
    }

    /// Tagged fields are written where they differ from what their absence means.
    fn write_tags(&self, writer: &mut Writer) {
        let previous = (self.previous_producer_id != NONE).then_some(self.previous_producer_id);
        let next = (self.next_producer_id != NONE).then_some(self.next_producer_id);
        let version = (self.client_version != 0).then_some(self.client_version);
        let count = usize::from(previous.is_some()) + usize::from(next.is_some()) + usize::from(version.is_some());
        writer.uvarint(count as u32);
        for (tag, id) in [(PREVIOUS_PRODUCER_ID, previous), (NEXT_PRODUCER_ID, next)] {
            if let Some(id) = id {
                writer.uvarint(tag);
                writer.uvarint(8);
                writer.i64(id);
            }
        }
        if let Some(version) = version {
            writer.uvarint(CLIENT_VERSION);
            writer.uvarint(2);
            writer.raw(&version.to_be_bytes());
        }
    }

    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes);
        let version = reader.i16()?;
        if !(0..=VERSION).contains(&version) {
            return Err(RecordError::UnknownVersion(version));
        }
        let flexible = version >= 1;
        let mut stored = StoredTransaction {
            producer_id: reader.i64()?,
            producer_epoch: reader.i16()?,
            timeout_ms: reader.i32()?,
            state: read_state(&mut reader)?,
            partitions: read_partitions(&mut reader, flexible)?,
            last_update_ms: reader.i64()?,
            start_ms: reader.i64()?,
            previous_producer_id: NONE,
            next_producer_id: NONE,
            client_version: 0,
        };
        if flexible {
            reader.tags(|tag, field| stored.read_tag(tag, field))?;
        }
        reader.finish()?;
        Ok(stored)
    }

    fn read_tag(&mut self, tag: u32, field: &[u8]) -> Result<(), RecordError> {
        let mut reader = Reader::new(field);
        match tag {
            PREVIOUS_PRODUCER_ID => self.previous_producer_id = reader.i64()?,
            NEXT_PRODUCER_ID => self.next_producer_id = reader.i64()?,
            CLIENT_VERSION => self.client_version = reader.i16()?,
            _ => return Ok(()),
        }
        reader.finish()
    }
}

fn read_state(reader: &mut Reader<'_>) -> Result<TransactionState, RecordError> {
    let [number] = reader.array::<1>()?;
    TransactionState::ALL.get(usize::from(number)).copied().ok_or(RecordError::BadLength)
}

fn write_partitions(writer: &mut Writer, partitions: &Partitions) {
    writer.compact_count(partitions.len());
    for (topic, numbers) in partitions {
        writer.compact_string(topic);
        writer.compact_count(numbers.len());
        numbers.iter().for_each(|number| writer.i32(*number));
        writer.uvarint(0);
    }
}

/// `None` of them may be written as null.
fn read_partitions(reader: &mut Reader<'_>, flexible: bool) -> Result<Partitions, RecordError> {
    let mut partitions = Partitions::new();
    for _ in 0..reader.nullable_count(flexible, LEAST_TOPIC_BYTES)?.unwrap_or_default() {
        let topic = reader.string(flexible)?;
        let numbers = partitions.entry(topic).or_default();
        for _ in 0..reader.count(flexible, 4)? {
            numbers.insert(reader.i32()?);
        }
        if flexible {
            reader.tags(|_, _| Ok(()))?;
        }
    }
    Ok(partitions)
}
