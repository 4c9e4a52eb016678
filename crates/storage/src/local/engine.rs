//! The engine as the boundary wants it: every call hands over to the thread that does the work.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::background::Signal;
use super::cleaner::CleanerQueue;
use super::disk::Disk;
use super::group::ProducerIds;
use super::health::{Health, closed};
use super::inbox::{Command, Inbox, Prepared, check_size};
use super::lookup::Lookup;
use super::readers::{Job, ReadQueue};
use super::segments::Ahead;
use super::sent::too_many_reads;
use super::tail::{Found, Tail};
use super::wal::SlotPool;
use crate::batches::{LEADER_EPOCH, check_distinct};
use crate::producers::ProducerDescription;
use crate::{
    Append, AppendError, Appended, Bounds, Completer, ConfigChange, DataFolder, Engine, EngineCounters, FoundOffset,
    Metadata, MetadataError, NewTopic, Observer, OffsetSpec, PartitionId, Pending, Read, ReadError, ReadOutcome, Topic,
    TopicId, Unavailable,
};

/// The engine on one machine's disk: one shared write-ahead log, segment files behind it.
///
/// Opened by [`LocalEngine::open`]. Dropping it ends its threads without a checkpoint, as a crash would, but after the write
/// that is in flight; [`Engine::close`] first brings everything to its place.
pub struct LocalEngine {
    pub(super) inbox: Arc<Inbox>,
    pub(super) tail: Arc<Tail>,
    pub(super) health: Arc<Health>,
    pub(super) slots: Arc<SlotPool>,
    pub(super) signal: Arc<Signal>,
    pub(super) producer_ids: Arc<ProducerIds>,
    pub(super) reads: Arc<ReadQueue>,
    /// Look-ups by time have a thread of their own: one may read and open a lot, and no read shall wait for that.
    pub(super) look_ups: Arc<ReadQueue>,
    pub(super) lookup: Lookup,
    pub(super) cleaning: Arc<CleanerQueue>,
    pub(super) folder: PathBuf,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) threads: Vec<JoinHandle<()>>,
}

impl LocalEngine {
    /// The data folder.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// What it has done since it was opened.
    pub fn counters(&self) -> EngineCounters {
        self.health.counters.read()
    }

    fn push(&self, command: Command) {
        if let Err(command) = self.inbox.push(command) {
            command.refuse(&self.refusal());
        }
    }

    fn refusal(&self) -> Unavailable {
        self.health.poisoned().cloned().unwrap_or_else(closed)
    }

    /// Has a thread of that queue do something and answer.
    fn on_reader<T: Send + 'static>(
        &self,
        queue: &ReadQueue,
        work: impl FnOnce(&Lookup, Box<dyn FnOnce(Result<T, ReadError>)>) + Send + 'static,
    ) -> Pending<T, ReadError> {
        let (completer, pending): (Completer<T, ReadError>, _) = Pending::waiting();
        let lookup = self.lookup.clone();
        let job: Job = Box::new(move || work(&lookup, Box::new(|result| completer.complete(result))));
        match queue.push(job) {
            Ok(()) => pending,
            Err(_) => Pending::ready(Err(ReadError::Unavailable(too_many_reads()))),
        }
    }
}

/// Answers a read.
type ReadAnswer = Box<dyn FnOnce(Result<ReadOutcome, ReadError>)>;

impl Engine for LocalEngine {
    fn metadata(&self) -> Arc<Metadata> {
        self.tail.metadata()
    }

    fn create_topic(&self, topic: NewTopic) -> Pending<Arc<Topic>, MetadataError> {
        let (completer, pending) = Pending::waiting();
        self.push(Command::CreateTopic { topic, completer });
        pending
    }

    fn delete_topic(&self, id: TopicId) -> Pending<(), MetadataError> {
        let (completer, pending) = Pending::waiting();
        self.push(Command::DeleteTopic { id, completer });
        pending
    }

    fn alter_configs(&self, change: ConfigChange) -> Pending<(), MetadataError> {
        let (completer, pending) = Pending::waiting();
        self.push(Command::AlterConfigs { change, completer });
        pending
    }

    fn create_partitions(&self, topic: TopicId, total: i32) -> Pending<Arc<Topic>, MetadataError> {
        let (completer, pending) = Pending::waiting();
        self.push(Command::CreatePartitions { topic, total, completer });
        pending
    }

    fn append(&self, appends: Vec<Append>) -> Pending<Vec<Result<Appended, AppendError>>, Unavailable> {
        if appends.is_empty() {
            return Pending::ready(Ok(Vec::new()));
        }
        let (completer, pending) = Pending::waiting();
        let appends = appends.iter().map(Prepared::new).collect();
        self.push(Command::Append { appends, completer });
        pending
    }

    fn append_atomically(&self, appends: Vec<Append>) -> Pending<Vec<Appended>, AppendError> {
        let checked = check_distinct(appends.iter().map(|append| append.partition)).and_then(|()| check_size(&appends));
        match checked {
            Err(error) => Pending::ready(Err(error)),
            Ok(()) if appends.is_empty() => Pending::ready(Ok(Vec::new())),
            Ok(()) => {
                let (completer, pending) = Pending::waiting();
                let appends = appends.iter().map(Prepared::new).collect();
                self.push(Command::AppendAtomically { appends, completer });
                pending
            }
        }
    }

    fn describe_producers(&self, partition: PartitionId) -> Pending<Vec<ProducerDescription>, ReadError> {
        let (completer, pending) = Pending::waiting();
        self.push(Command::DescribeProducers { partition, completer });
        pending
    }

    fn read(&self, read: Read) -> Pending<ReadOutcome, ReadError> {
        match self.tail.read(&read) {
            Err(error) => Pending::ready(Err(error)),
            Ok(Found::Here(outcome)) => Pending::ready(Ok(outcome)),
            Ok(Found::InSegment(meta, bounds, visible)) if read.may_name_file => {
                if let Some(outcome) = self.lookup.ready_in_file(&read, &meta, bounds, &visible) {
                    return Pending::ready(Ok(outcome));
                }
                let load =
                    move |lookup: &Lookup, answer: ReadAnswer| match lookup.loaded_in_file(&read, &meta, &visible) {
                        Some((outcome, ahead)) => {
                            answer(Ok(outcome));
                            ahead.iter().for_each(Ahead::run);
                        }
                        None => answer(lookup.read(&read, meta, visible)),
                    };
                self.on_reader(&self.reads, load)
            }
            Ok(Found::InSegment(meta, _, visible)) => {
                self.on_reader(&self.reads, move |lookup, answer| answer(lookup.read(&read, meta, visible)))
            }
        }
    }

    fn bounds(&self, partition: PartitionId) -> Result<Bounds, ReadError> {
        self.tail.bounds(partition)
    }

    fn bytes_from(&self, partition: PartitionId, offset: i64) -> Result<u64, ReadError> {
        self.tail.bytes_from(partition, offset)
    }

    fn data_folder(&self) -> Pending<Option<DataFolder>, ReadError> {
        let (disk, folder) = (self.disk.clone(), self.folder.clone());
        self.on_reader(&self.look_ups, move |_, answer| {
            let volume = disk.volume(&folder);
            answer(Ok(Some(DataFolder { path: disk.absolute(&folder), volume })));
        })
    }

    fn list_offset(&self, partition: PartitionId, spec: OffsetSpec) -> Pending<Option<FoundOffset>, ReadError> {
        let bounds = match self.tail.bounds(partition) {
            Ok(bounds) => bounds,
            Err(error) => return Pending::ready(Err(error)),
        };
        let at = |offset| {
            let found = FoundOffset { offset, timestamp_ms: -1, leader_epoch: LEADER_EPOCH };
            Pending::ready(Ok(Some(found)))
        };
        match spec {
            OffsetSpec::Earliest => at(bounds.log_start_offset),
            OffsetSpec::Latest(crate::Isolation::ReadUncommitted) => at(bounds.high_watermark),
            OffsetSpec::Latest(crate::Isolation::ReadCommitted) => at(bounds.last_stable_offset),
            OffsetSpec::MaxTimestamp => {
                self.on_reader(&self.look_ups, move |lookup, answer| answer(lookup.largest(partition)))
            }
            OffsetSpec::AtOrAfter { timestamp_ms } => self
                .on_reader(&self.look_ups, move |lookup, answer| answer(lookup.at_or_after(partition, timestamp_ms))),
        }
    }

    fn delete_records(&self, partition: PartitionId, before: i64) -> Pending<i64, ReadError> {
        let (completer, pending) = Pending::waiting();
        self.push(Command::DeleteRecords { partition, before, completer });
        pending
    }

    fn init_producer(&self) -> Pending<i64, Unavailable> {
        if self.health.poisoned().is_none()
            && let Some(id) = self.producer_ids.take()
        {
            return Pending::ready(Ok(id));
        }
        let (completer, pending) = Pending::waiting();
        self.push(Command::ProducerId { completer });
        pending
    }

    fn subscribe(&self, observer: Arc<dyn Observer>) {
        self.health.subscribe(observer);
    }

    /// A checkpoint, a cleaning of all logs that are due, and another checkpoint, whatever the budget: checkpoints are not
    /// divisible, and cheap where little changed.
    fn maintain(&self, _budget_bytes: usize) -> Pending<(), Unavailable> {
        let (completer, pending) = Pending::waiting();
        self.signal.wait_for_checkpoint(completer);
        pending
    }

    fn close(&self) -> Pending<(), Unavailable> {
        let (completer, pending) = Pending::waiting();
        self.signal.wait_for_close(completer);
        // A second close finds the inbox closed; it waits with the first.
        let _ = self.inbox.push(Command::Close);
        pending
    }
}

impl Drop for LocalEngine {
    fn drop(&mut self) {
        self.inbox.stop();
        self.signal.stop();
        self.cleaning.stop();
        self.slots.stop();
        self.reads.stop();
        self.look_ups.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the storage engine ended by a panic");
            }
        }
    }
}
