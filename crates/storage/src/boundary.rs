//! The engine boundary: what a broker may ask of its storage, shaped so that a cluster engine can be exact, not approximate.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::producers::ProducerDescription;
use crate::{AbortedTransaction, ConfigChange, FileRange, Metadata, Pending, Topic};

/// Identifies a topic for its whole life; a topic made anew under an old name has another id (KIP-516).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicId(pub [u8; 16]);

/// One partition of one topic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PartitionId {
    /// The topic.
    pub topic: TopicId,
    /// The partition's index, from 0.
    pub index: i32,
}

/// What an acknowledgement of an append means (`ottla.durability`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// On disk: it survives a power cut.
    #[default]
    Flush,
    /// With the operating system: it survives the death of the process, not of the machine.
    Os,
}

/// Who made the batches of an append.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AppendOrigin {
    /// A client. What it sends is held against what is known of its producer.
    #[default]
    Client,
    /// A coordinator of this broker. Only it writes markers, which end transactions, and what it writes for a producer (offsets
    /// that are committed in a transaction) has no sequence numbers: -1.
    Coordinator,
}

/// A partition that must have come so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dependency {
    /// Which one.
    pub partition: PartitionId,
    /// Its end offset, at least.
    pub end_offset: i64,
}

/// Batches to append to one partition.
#[derive(Clone, Debug)]
pub struct Append {
    /// Where to.
    pub partition: PartitionId,
    /// One or more whole record batches (magic 2), validated by the caller: lengths, CRC, counts. Base offsets and leader
    /// epochs are the engine's to set; all else is stored as received.
    pub batches: Bytes,
    /// The end offset that the writer believes the partition has; another end is [`AppendError::UnexpectedEnd`].
    /// For the group coordinator; `None` for producers.
    pub expected_end: Option<i64>,
    /// What must have been appended before, else [`AppendError::DependencyMissing`]. Appends are taken in the order of the calls, so
    /// this only matters where an earlier call may be refused (a full disk) and this one not.
    pub depends_on: Option<Dependency>,
    /// What the acknowledgement promises.
    pub durability: Durability,
    /// Who made them.
    pub origin: AppendOrigin,
}

/// An accepted append.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    /// Offset of the first record. For a duplicate: of the original.
    pub first_offset: i64,
    /// Offset after the last record.
    pub end_offset: i64,
    /// Where the log starts.
    pub log_start_offset: i64,
    /// The batch was there already (same producer, epoch and sequence numbers); nothing was written.
    pub duplicate: bool,
}

/// The engine cannot serve now. `reason` is for people: what failed, on what file, and what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unavailable {
    /// A sentence.
    pub reason: Arc<str>,
    /// Whether trying again later can help (disk full), or not before a restart (a flush failed).
    pub retriable: bool,
}

/// Why an append was not acknowledged. All but `Unknown` mean: not written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AppendError {
    /// No such topic or partition.
    UnknownPartition,
    /// The partition does not end where the writer expected: another writer took over.
    UnexpectedEnd {
        /// Where it ends.
        end_offset: i64,
    },
    /// What the append depends on is not there.
    DependencyMissing,
    /// The producer's state forbids the batch.
    Refused(crate::decide::Refusal),
    /// The batches could not be parsed; the caller should have checked them.
    Corrupt(&'static str),
    /// Not written.
    Unavailable(Unavailable),
    /// It may have been written: the engine failed between write and acknowledgement.
    Unknown(Unavailable),
}

/// What a reader may see of uncommitted transactions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Isolation {
    /// All records below the high watermark.
    #[default]
    ReadUncommitted,
    /// Only records below the last stable offset.
    ReadCommitted,
}

/// A read of one partition.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// Where from.
    pub partition: PartitionId,
    /// First offset wanted; the answer begins with the batch that holds it, which may begin earlier.
    pub offset: i64,
    /// How much to return at most.
    pub max_bytes: usize,
    /// Return the first batch even where it is larger than `max_bytes`, so that a reader can always advance (KIP-74).
    pub at_least_one_batch: bool,
    /// What the reader may see.
    pub isolation: Isolation,
    /// Whether the answer may name a range of a file instead of holding the batches; for who sends them to a socket.
    pub may_name_file: bool,
}

/// Where a partition's log starts and ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bounds {
    /// The first offset that can be read.
    pub log_start_offset: i64,
    /// The offset after the last acknowledged record.
    pub high_watermark: i64,
    /// The offset of the first record of the oldest open transaction, but not below the log start; or the high watermark.
    pub last_stable_offset: i64,
}

impl Bounds {
    /// Of a log with that open transaction, or without one.
    pub(crate) fn new(log_start_offset: i64, high_watermark: i64, first_open_offset: Option<i64>) -> Self {
        let last_stable_offset = first_open_offset.map_or(high_watermark, |open| open.max(log_start_offset));
        Self { log_start_offset, high_watermark, last_stable_offset }
    }
}

/// What a read found.
#[derive(Clone, Debug, Default)]
pub struct ReadOutcome {
    /// Whole batches in offset order; empty where nothing is there yet, or where they lie in `in_file`.
    pub batches: Vec<Bytes>,
    /// The batches, where the answer names a file. Their front is ready to be sent when the read resolves.
    pub in_file: Option<FileRange>,
    /// Where reading goes on: after the last batch that was found.
    pub next_offset: Option<i64>,
    /// For [`Isolation::ReadCommitted`]: the aborted transactions that touch what was found, in the order of their markers.
    /// Their records are among the batches.
    pub aborted: Vec<AbortedTransaction>,
    /// The bounds as of the read.
    pub bounds: Bounds,
}

/// Why a read failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadError {
    /// No such topic or partition.
    UnknownPartition,
    /// Below the log start or past the high watermark.
    OffsetOutOfRange(Bounds),
    /// What is stored does not match its checksum. The sentence says where.
    Corrupt(Arc<str>),
    /// Cannot be read now.
    Unavailable(Unavailable),
}

/// What offset is asked for (ListOffsets).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OffsetSpec {
    /// The log start offset (timestamp -2).
    Earliest,
    /// The high watermark, or the last stable offset for `ReadCommitted` (timestamp -1).
    Latest(Isolation),
    /// The first record with the largest timestamp (timestamp -3, KIP-734).
    MaxTimestamp,
    /// The first record whose timestamp is at least this many milliseconds since 1970.
    AtOrAfter {
        /// Milliseconds since 1970, UTC.
        timestamp_ms: i64,
    },
}

/// An offset found by time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FoundOffset {
    /// The offset.
    pub offset: i64,
    /// The record's timestamp, or -1 for `Earliest` and `Latest`.
    pub timestamp_ms: i64,
    /// The leader epoch the record was written in.
    pub leader_epoch: i32,
}

/// A topic to create.
#[derive(Clone, Debug)]
pub struct NewTopic {
    /// The name, checked.
    pub name: String,
    /// A fresh random id, from the caller.
    pub id: TopicId,
    /// How many partitions, at least 1.
    pub partitions: i32,
    /// Configs, checked.
    pub configs: BTreeMap<String, String>,
}

/// Why topics or configs could not be changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MetadataError {
    /// A topic of that name exists.
    TopicExists,
    /// No such topic.
    UnknownTopic,
    /// The configs are no longer what the caller saw: read them again and retry.
    Changed,
    /// A topic's partitions can only become more.
    NotMorePartitions {
        /// How many it has.
        partitions: i32,
    },
    /// Not done.
    Unavailable(Unavailable),
    /// It may have been done.
    Unknown(Unavailable),
}

/// Why a log start moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogStartCause {
    /// A client asked for it (DeleteRecords).
    DeleteRecords,
    /// `retention.ms` or `retention.bytes`.
    Retention,
}

/// What an engine has done since it was opened. Numbers of different kinds may be a moment apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EngineCounters {
    /// Bytes of the record batches that were acknowledged, duplicates not counted.
    pub acknowledged_bytes: u64,
    /// Bytes written to the write-ahead log, with frames, headers and padding.
    pub wal_bytes: u64,
    /// Bytes of batches written to segments behind the log.
    pub segment_bytes: u64,
    /// Bytes of index entries written with them.
    pub index_bytes: u64,
    /// Bytes of the segments that compaction wrote, indexes not counted.
    pub compacted_bytes: u64,
    /// Bytes of manifests.
    pub manifest_bytes: u64,
    /// Flushes of the write-ahead log.
    pub wal_flushes: u64,
    /// Groups of commands that went to the write-ahead log with one write.
    pub groups: u64,
    /// Checkpoints that were completed.
    pub checkpoints: u64,
    /// How long they took together, milliseconds by the monotonic clock.
    pub checkpoint_ms: u64,
}

/// Where an engine keeps its data, and how much room there is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DataFolder {
    /// The folder, absolute.
    pub path: PathBuf,
    /// The size of its file system, and how much of that is free, in bytes; `None` where the system does not tell.
    pub volume: Option<Volume>,
}

/// A file system.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Volume {
    /// Its size in bytes.
    pub total_bytes: u64,
    /// How many bytes may still be written to it.
    pub usable_bytes: u64,
}

/// Hears what happens in an engine. Called from any thread, and must return at once.
pub trait Observer: Send + Sync {
    /// New records can be read from these partitions. Spurious calls are allowed.
    fn advanced(&self, partitions: &[PartitionId]);
    /// The log start moved; records in between were removed, whoever still wanted them.
    fn log_start_moved(&self, partition: PartitionId, from: i64, to: i64, cause: LogStartCause);
    /// Topics or configs changed. Called once the change is visible and before its caller is answered, in the order of the
    /// changes. Must not change metadata itself.
    fn metadata_changed(&self, metadata: &Arc<Metadata>) {
        let _ = metadata;
    }
    /// The engine takes no more writes until the process is restarted.
    fn poisoned(&self, why: &Unavailable);
}

/// Durable, ordered state. Calls never block; what takes time resolves later.
///
/// Effects of appends happen in the order of the calls: of two appends to one partition the earlier call gets the lower
/// offsets, whichever thread it came from. An append resolves only once it is durable (see [`Durability`]), and its
/// records become visible to reads no earlier than that.
pub trait Engine: Send + Sync {
    /// All topics now.
    fn metadata(&self) -> Arc<Metadata>;
    /// Creates a topic; resolves once durable.
    fn create_topic(&self, topic: NewTopic) -> Pending<Arc<Topic>, MetadataError>;
    /// Deletes a topic with all its records; resolves once durable.
    fn delete_topic(&self, id: TopicId) -> Pending<(), MetadataError>;
    /// Replaces all configs of a topic, a broker or a group, if they are still what the caller saw; resolves once flushed.
    fn alter_configs(&self, change: ConfigChange) -> Pending<(), MetadataError>;
    /// Gives a topic more partitions, `total` in all; resolves once durable.
    fn create_partitions(&self, topic: TopicId, total: i32) -> Pending<Arc<Topic>, MetadataError>;
    /// Appends to several partitions; one answer for each, in order. Each is decided by itself.
    fn append(&self, appends: Vec<Append>) -> Pending<Vec<Result<Appended, AppendError>>, Unavailable>;
    /// Appends to several partitions, all or nothing, also across a crash; readers see all of it or nothing. One answer for each,
    /// in order; no partition twice. Durable where any of them asks for it. This is how a transaction ends: the markers of all its
    /// partitions and the records of its coordinators in one step.
    fn append_atomically(&self, appends: Vec<Append>) -> Pending<Vec<Appended>, AppendError>;
    /// What a partition knows of its producers, by their ids (DescribeProducers, KIP-664).
    fn describe_producers(&self, partition: PartitionId) -> Pending<Vec<ProducerDescription>, ReadError>;
    /// Reads; resolves at once where the records are in memory.
    fn read(&self, read: Read) -> Pending<ReadOutcome, ReadError>;
    /// Where a partition starts and ends, from memory.
    fn bounds(&self, partition: PartitionId) -> Result<Bounds, ReadError>;
    /// About how many bytes of batches lie from an offset to the end, from memory: in a segment, bytes are taken to be spread
    /// evenly over its offsets.
    fn bytes_from(&self, partition: PartitionId, offset: i64) -> Result<u64, ReadError>;
    /// Where the data lies; `None` where it is in memory alone.
    fn data_folder(&self) -> Pending<Option<DataFolder>, ReadError>;
    /// Finds an offset; `None` where no record matches.
    fn list_offset(&self, partition: PartitionId, spec: OffsetSpec) -> Pending<Option<FoundOffset>, ReadError>;
    /// Moves the log start up to `before` (-1: the high watermark) and answers the new log start, durably.
    fn delete_records(&self, partition: PartitionId, before: i64) -> Pending<i64, ReadError>;
    /// A producer id that was never handed out before, also across restarts.
    fn init_producer(&self) -> Pending<i64, Unavailable>;
    /// Registers who hears of changes.
    fn subscribe(&self, observer: Arc<dyn Observer>);
    /// Background work (checkpoints; later retention and compaction); idempotent, spends about `budget_bytes` of I/O.
    fn maintain(&self, budget_bytes: usize) -> Pending<(), Unavailable>;
    /// Makes all durable and stops; later appends are refused. Resolves when files are closed.
    fn close(&self) -> Pending<(), Unavailable>;
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Unavailable {}
