//! Engines that stand in front of another and do some things differently.

use std::sync::Arc;

use crate::producers::ProducerDescription;
use crate::{
    Append, AppendError, Appended, Bounds, ConfigChange, DataFolder, Engine, FoundOffset, Metadata, MetadataError,
    NewTopic, Observer, OffsetSpec, PartitionId, Pending, Read, ReadError, ReadOutcome, Topic, TopicId, Unavailable,
};

/// An [`Engine`] in front of another one: every call goes on to that, but for those that the twin has a method of its own
/// for. For tests; each method is described at [`Engine`].
#[allow(missing_docs, reason = "each method is that of the engine")]
pub trait Twin: Send + Sync {
    /// The engine behind it.
    fn behind(&self) -> &dyn Engine;

    fn metadata(&self) -> Arc<Metadata> {
        self.behind().metadata()
    }

    fn create_topic(&self, topic: NewTopic) -> Pending<Arc<Topic>, MetadataError> {
        self.behind().create_topic(topic)
    }

    fn delete_topic(&self, id: TopicId) -> Pending<(), MetadataError> {
        self.behind().delete_topic(id)
    }

    fn alter_configs(&self, change: ConfigChange) -> Pending<(), MetadataError> {
        self.behind().alter_configs(change)
    }

    fn create_partitions(&self, topic: TopicId, total: i32) -> Pending<Arc<Topic>, MetadataError> {
        self.behind().create_partitions(topic, total)
    }

    fn append(&self, appends: Vec<Append>) -> Pending<Vec<Result<Appended, AppendError>>, Unavailable> {
        self.behind().append(appends)
    }

    fn append_atomically(&self, appends: Vec<Append>) -> Pending<Vec<Appended>, AppendError> {
        self.behind().append_atomically(appends)
    }

    fn read(&self, read: Read) -> Pending<ReadOutcome, ReadError> {
        self.behind().read(read)
    }

    fn bounds(&self, partition: PartitionId) -> Result<Bounds, ReadError> {
        self.behind().bounds(partition)
    }

    fn list_offset(&self, partition: PartitionId, spec: OffsetSpec) -> Pending<Option<FoundOffset>, ReadError> {
        self.behind().list_offset(partition, spec)
    }

    fn delete_records(&self, partition: PartitionId, before: i64) -> Pending<i64, ReadError> {
        self.behind().delete_records(partition, before)
    }

    fn init_producer(&self) -> Pending<i64, Unavailable> {
        self.behind().init_producer()
    }

    fn subscribe(&self, observer: Arc<dyn Observer>) {
        self.behind().subscribe(observer);
    }

    fn maintain(&self, budget_bytes: usize) -> Pending<(), Unavailable> {
        self.behind().maintain(budget_bytes)
    }

    fn close(&self) -> Pending<(), Unavailable> {
        self.behind().close()
    }
}

impl<T: Twin> Engine for T {
    fn metadata(&self) -> Arc<Metadata> {
        Twin::metadata(self)
    }

    fn create_topic(&self, topic: NewTopic) -> Pending<Arc<Topic>, MetadataError> {
        Twin::create_topic(self, topic)
    }

    fn delete_topic(&self, id: TopicId) -> Pending<(), MetadataError> {
        Twin::delete_topic(self, id)
    }

    fn alter_configs(&self, change: ConfigChange) -> Pending<(), MetadataError> {
        Twin::alter_configs(self, change)
    }

    fn create_partitions(&self, topic: TopicId, total: i32) -> Pending<Arc<Topic>, MetadataError> {
        Twin::create_partitions(self, topic, total)
    }

    fn append(&self, appends: Vec<Append>) -> Pending<Vec<Result<Appended, AppendError>>, Unavailable> {
        Twin::append(self, appends)
    }

    fn append_atomically(&self, appends: Vec<Append>) -> Pending<Vec<Appended>, AppendError> {
        Twin::append_atomically(self, appends)
    }

    fn describe_producers(&self, partition: PartitionId) -> Pending<Vec<ProducerDescription>, ReadError> {
        self.behind().describe_producers(partition)
    }

    fn read(&self, read: Read) -> Pending<ReadOutcome, ReadError> {
        Twin::read(self, read)
    }

    fn bounds(&self, partition: PartitionId) -> Result<Bounds, ReadError> {
        Twin::bounds(self, partition)
    }

    fn bytes_from(&self, partition: PartitionId, offset: i64) -> Result<u64, ReadError> {
        self.behind().bytes_from(partition, offset)
    }

    fn data_folder(&self) -> Pending<Option<DataFolder>, ReadError> {
        self.behind().data_folder()
    }

    fn list_offset(&self, partition: PartitionId, spec: OffsetSpec) -> Pending<Option<FoundOffset>, ReadError> {
        Twin::list_offset(self, partition, spec)
    }

    fn delete_records(&self, partition: PartitionId, before: i64) -> Pending<i64, ReadError> {
        Twin::delete_records(self, partition, before)
    }

    fn init_producer(&self) -> Pending<i64, Unavailable> {
        Twin::init_producer(self)
    }

    fn subscribe(&self, observer: Arc<dyn Observer>) {
        Twin::subscribe(self, observer);
    }

    fn maintain(&self, budget_bytes: usize) -> Pending<(), Unavailable> {
        Twin::maintain(self, budget_bytes)
    }

    fn close(&self) -> Pending<(), Unavailable> {
        Twin::close(self)
    }
}
