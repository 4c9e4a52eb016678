//! The memory engine: everything in memory, nothing kept. For tests and `--storage memory`.
//!
//! Every call is answered at once, on the calling thread, under one lock; observers are called after the lock is let go.
//! "Durable" means here: until the process ends. Retention works on pseudo segments: each partition notes where a log on disk
//! would go on in a new file, and whole ones of these go.

mod compaction;
mod options;
mod partition;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::batches::check_distinct;
use crate::log_config::LogConfigCache;
use crate::memory::partition::Partition;
use crate::producers::ProducerDescription;
use crate::{
    Append, AppendError, Appended, Bounds, ConfigChange, DataFolder, Engine, FoundOffset, LogStartCause, Metadata,
    MetadataError, NewTopic, Observer, OffsetSpec, PartitionId, Pending, Read, ReadError, ReadOutcome, Topic, TopicId,
    Unavailable,
};

pub use options::MemoryOptions;

/// An engine that keeps everything in memory.
pub struct MemoryEngine {
    options: MemoryOptions,
    /// Held while metadata change and observers hear of it, so that they hear in the order of the changes.
    changing: Mutex<()>,
    state: Mutex<State>,
    observers: Mutex<Arc<[Arc<dyn Observer>]>>,
}

struct State {
    metadata: Arc<Metadata>,
    log_configs: LogConfigCache,
    last_retention_ms: i64,
    partitions: HashMap<PartitionId, Partition>,
    next_producer_id: i64,
    closed: bool,
}

/// A log start that moved: where, from, to.
type Moved = (PartitionId, i64, i64);

impl Default for MemoryEngine {
    fn default() -> Self {
        Self::with(MemoryOptions::default())
    }
}

impl MemoryEngine {
    /// An empty engine.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty engine that works as told.
    pub fn with(options: MemoryOptions) -> Self {
        let state = State {
            metadata: Arc::default(),
            log_configs: LogConfigCache::new(options.log_configs.clone()),
            last_retention_ms: (options.wall_ms)(),
            partitions: HashMap::new(),
            next_producer_id: 0,
            closed: false,
        };
        Self { options, changing: Mutex::default(), state: Mutex::new(state), observers: Mutex::default() }
    }

    /// A panic under the lock leaves no half-made change that a later call could trip over: each change is one assignment
    /// after all checks.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn observers(&self) -> Arc<[Arc<dyn Observer>]> {
        self.observers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes metadata, and lets observers know.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> Result<T, MetadataError>) -> Pending<T, MetadataError> {
        let _in_order = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (result, metadata) = {
            let mut state = self.state();
            let result = state.open().map_err(MetadataError::Unavailable).and_then(|()| change(&mut state));
            (result, state.metadata.clone())
        };
        if result.is_ok() {
            self.observers().iter().for_each(|observer| observer.metadata_changed(&metadata));
        }
        Pending::ready(result)
    }

    /// Retention where the time for it has come.
    fn retain_if_due(&self, state: &mut State, now_ms: i64) -> Vec<Moved> {
        let interval_ms = self.options.retention_check_interval_ms;
        let passed_ms = now_ms.saturating_sub(state.last_retention_ms);
        let due = interval_ms > 0 && u64::try_from(passed_ms).is_ok_and(|passed_ms| passed_ms >= interval_ms);
        if due { state.retain(now_ms) } else { Vec::new() }
    }

    fn tell_moved(&self, moved: &[Moved], cause: LogStartCause) {
        for (partition, from, to) in moved {
            self.observers().iter().for_each(|observer| observer.log_start_moved(*partition, *from, *to, cause));
        }
    }

    fn tell_advanced(&self, partitions: &[PartitionId]) {
        if !partitions.is_empty() {
            self.observers().iter().for_each(|observer| observer.advanced(partitions));
        }
    }
}

impl State {
    fn partition(&self, id: PartitionId) -> Result<&Partition, ReadError> {
        self.partitions.get(&id).ok_or(ReadError::UnknownPartition)
    }

    fn open(&self) -> Result<(), Unavailable> {
        if self.closed { Err(closed()) } else { Ok(()) }
    }

    fn append(&mut self, append: &Append, now_ms: i64) -> Result<Appended, AppendError> {
        self.open().map_err(AppendError::Unavailable)?;
        self.has_come_so_far(append)?;
        let partition = self.partitions.get_mut(&append.partition).ok_or(AppendError::UnknownPartition)?;
        let config = self.log_configs.get(&self.metadata, append.partition.topic);
        partition.append(append, &config, now_ms)
    }

    fn has_come_so_far(&self, append: &Append) -> Result<(), AppendError> {
        let end_of = |partition| self.partitions.get(&partition).map(Partition::end_offset);
        let missing = append.depends_on.is_some_and(|needed| end_of(needed.partition) < Some(needed.end_offset));
        if missing { Err(AppendError::DependencyMissing) } else { Ok(()) }
    }

    /// All of them or none.
    fn append_atomically(&mut self, appends: &[Append], now_ms: i64) -> Result<Vec<Appended>, AppendError> {
        self.open().map_err(AppendError::Unavailable)?;
        check_distinct(appends.iter().map(|append| append.partition))?;
        for append in appends {
            self.has_come_so_far(append)?;
            let partition = self.partitions.get(&append.partition).ok_or(AppendError::UnknownPartition)?;
            partition.decide(append)?;
        }
        appends.iter().map(|append| self.append(append, now_ms)).collect()
    }

    /// Drops what is too old or too much; answers the log starts that moved.
    fn retain(&mut self, now_ms: i64) -> Vec<Moved> {
        self.last_retention_ms = now_ms;
        let mut moved = Vec::new();
        for (id, partition) in &mut self.partitions {
            let config = self.log_configs.get(&self.metadata, id.topic);
            moved.extend(partition.retain(&config, now_ms).map(|(from, to)| (*id, from, to)));
        }
        moved
    }

    fn create_topic(&mut self, new: NewTopic) -> Result<Arc<Topic>, MetadataError> {
        if self.metadata.by_name(&new.name).is_some() || self.metadata.by_id(new.id).is_some() {
            return Err(MetadataError::TopicExists);
        }
        for index in 0..new.partitions {
            self.partitions.insert(PartitionId { topic: new.id, index }, Partition::default());
        }
        let NewTopic { name, id, partitions, configs } = new;
        Ok(Arc::make_mut(&mut self.metadata).insert(Topic { id, name: name.into(), partitions, configs }))
    }

    fn delete_topic(&mut self, id: TopicId) -> Result<(), MetadataError> {
        let topic = Arc::make_mut(&mut self.metadata).remove(id).ok_or(MetadataError::UnknownTopic)?;
        for index in 0..topic.partitions {
            self.partitions.remove(&PartitionId { topic: id, index });
        }
        Ok(())
    }

    fn alter_configs(&mut self, change: ConfigChange) -> Result<(), MetadataError> {
        self.metadata.check_configs(&change)?;
        Arc::make_mut(&mut self.metadata).set_configs(change.resource, change.after);
        Ok(())
    }

    fn create_partitions(&mut self, id: TopicId, total: i32) -> Result<Arc<Topic>, MetadataError> {
        let topic = self.metadata.check_partitions(id, total)?.clone();
        for index in topic.partitions..total {
            self.partitions.insert(PartitionId { topic: id, index }, Partition::default());
        }
        Ok(Arc::make_mut(&mut self.metadata).insert(Topic { partitions: total, ..Topic::clone(&topic) }))
    }

    fn delete_records(&mut self, id: PartitionId, before: i64) -> Result<(i64, i64), ReadError> {
        self.open().map_err(ReadError::Unavailable)?;
        let partition = self.partitions.get_mut(&id).ok_or(ReadError::UnknownPartition)?;
        partition.delete_records(before)
    }

    /// Compacts the logs of all topics that are.
    fn compact(&mut self, options: &MemoryOptions) {
        let now_ms = (options.wall_ms)();
        for topic in self.metadata.topics() {
            let config = options.log_configs.log_config(&self.metadata, topic);
            for index in (0..topic.partitions).filter(|_| config.compact) {
                if let Some(partition) = self.partitions.get_mut(&PartitionId { topic: topic.id, index }) {
                    partition.compact(&config, now_ms);
                }
            }
        }
    }

    fn init_producer(&mut self) -> Result<i64, Unavailable> {
        self.open()?;
        let id = self.next_producer_id;
        self.next_producer_id += 1;
        Ok(id)
    }
}

impl Engine for MemoryEngine {
    fn metadata(&self) -> Arc<Metadata> {
        self.state().metadata.clone()
    }

    fn create_topic(&self, topic: NewTopic) -> Pending<Arc<Topic>, MetadataError> {
        self.change(|state| state.create_topic(topic))
    }

    fn delete_topic(&self, id: TopicId) -> Pending<(), MetadataError> {
        self.change(|state| state.delete_topic(id))
    }

    fn alter_configs(&self, change: ConfigChange) -> Pending<(), MetadataError> {
        self.change(|state| state.alter_configs(change))
    }

    fn create_partitions(&self, topic: TopicId, total: i32) -> Pending<Arc<Topic>, MetadataError> {
        self.change(|state| state.create_partitions(topic, total))
    }

    fn append(&self, appends: Vec<Append>) -> Pending<Vec<Result<Appended, AppendError>>, Unavailable> {
        let now_ms = (self.options.wall_ms)();
        let (answers, moved): (Vec<_>, _) = {
            let mut state = self.state();
            let answers = appends.iter().map(|append| state.append(append, now_ms)).collect();
            (answers, self.retain_if_due(&mut state, now_ms))
        };
        let written = |answer: &Result<Appended, _>| answer.as_ref().is_ok_and(|appended| !appended.duplicate);
        let advanced: Vec<_> = (appends.iter().zip(&answers))
            .filter(|(_, answer)| written(answer))
            .map(|(append, _)| append.partition)
            .collect();
        self.tell_advanced(&advanced);
        self.tell_moved(&moved, LogStartCause::Retention);
        Pending::ready(Ok(answers))
    }

    fn append_atomically(&self, appends: Vec<Append>) -> Pending<Vec<Appended>, AppendError> {
        let now_ms = (self.options.wall_ms)();
        let (answers, moved) = {
            let mut state = self.state();
            let answers = state.append_atomically(&appends, now_ms);
            (answers, self.retain_if_due(&mut state, now_ms))
        };
        if answers.is_ok() {
            let advanced: Vec<_> = appends.iter().map(|append| append.partition).collect();
            self.tell_advanced(&advanced);
        }
        self.tell_moved(&moved, LogStartCause::Retention);
        Pending::ready(answers)
    }

    fn describe_producers(&self, partition: PartitionId) -> Pending<Vec<ProducerDescription>, ReadError> {
        Pending::ready(self.state().partition(partition).map(Partition::describe_producers))
    }

    fn read(&self, read: Read) -> Pending<ReadOutcome, ReadError> {
        Pending::ready(self.state().partition(read.partition).and_then(|partition| partition.read(&read)))
    }

    fn bounds(&self, partition: PartitionId) -> Result<Bounds, ReadError> {
        self.state().partition(partition).map(Partition::bounds)
    }

    fn bytes_from(&self, partition: PartitionId, offset: i64) -> Result<u64, ReadError> {
        self.state().partition(partition).map(|partition| partition.bytes_from(offset))
    }

    fn data_folder(&self) -> Pending<Option<DataFolder>, ReadError> {
        Pending::ready(Ok(None))
    }

    fn list_offset(&self, partition: PartitionId, spec: OffsetSpec) -> Pending<Option<FoundOffset>, ReadError> {
        Pending::ready(self.state().partition(partition).map(|partition| partition.list_offset(spec)))
    }

    fn delete_records(&self, id: PartitionId, before: i64) -> Pending<i64, ReadError> {
        let moved = self.state().delete_records(id, before);
        if let Ok((from, to)) = moved
            && from < to
        {
            self.tell_moved(&[(id, from, to)], LogStartCause::DeleteRecords);
        }
        Pending::ready(moved.map(|(_, to)| to))
    }

    fn init_producer(&self) -> Pending<i64, Unavailable> {
        Pending::ready(self.state().init_producer())
    }

    fn subscribe(&self, observer: Arc<dyn Observer>) {
        let mut observers = self.observers.lock().unwrap_or_else(PoisonError::into_inner);
        *observers = observers.iter().cloned().chain([observer]).collect();
    }

    fn maintain(&self, _budget_bytes: usize) -> Pending<(), Unavailable> {
        let moved = {
            let mut state = self.state();
            let moved = state.retain((self.options.wall_ms)());
            state.compact(&self.options);
            moved
        };
        self.tell_moved(&moved, LogStartCause::Retention);
        Pending::ready(Ok(()))
    }

    fn close(&self) -> Pending<(), Unavailable> {
        self.state().closed = true;
        Pending::ready(Ok(()))
    }
}

fn closed() -> Unavailable {
    Unavailable { reason: Arc::from("the storage engine is closed; the broker is stopping"), retriable: false }
}
