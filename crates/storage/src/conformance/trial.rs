//! One run of one case: the engine, and short words for what cases do with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::sample::{Sample, Stored, opened};
use super::{Harness, Interlude};
use crate::{
    Append, AppendError, AppendOrigin, Appended, Bounds, Durability, Engine, FoundOffset, Isolation, NewTopic,
    OffsetSpec, PartitionId, Read, ReadError, ReadOutcome, Topic, TopicId,
};

pub(super) struct Trial {
    harness: Box<dyn Harness>,
    interlude: Interlude,
    topics_made: u8,
}

/// The answer of an append to one partition; an engine that is closed may refuse the whole call or each append.
pub(super) type AppendAnswer = Result<Appended, AppendError>;

impl Trial {
    pub(super) fn new(harness: Box<dyn Harness>, interlude: Interlude) -> Self {
        Self { harness, interlude, topics_made: 0 }
    }

    pub(super) fn engine(&self) -> Arc<dyn Engine> {
        self.harness.engine()
    }

    /// Sets the clock of the engine.
    pub(super) fn set_ms(&self, now_ms: i64) {
        self.harness.world().set_ms(now_ms);
    }

    /// Maintains the engine: all that grew too old or too much goes.
    pub(super) fn maintain(&self) {
        self.engine().maintain(usize::MAX).wait().expect("maintain failed");
    }

    /// A point where what was answered must last.
    pub(super) fn interlude(&mut self) {
        if self.interlude.maintains() {
            self.engine().maintain(usize::MAX).wait().expect("maintain failed");
        }
        if let Some(gracefully) = self.interlude.reopens() {
            if gracefully {
                self.engine().close().wait().expect("close failed");
            }
            self.harness.reopen(gracefully);
        }
    }

    pub(super) fn new_topic(&mut self, name: &str, partitions: i32) -> NewTopic {
        self.topics_made += 1;
        let mut id = [0xA5; 16];
        id[0] = self.topics_made;
        NewTopic { name: name.to_owned(), id: TopicId(id), partitions, configs: BTreeMap::new() }
    }

    /// The only partition of a new topic with these configs.
    pub(super) fn partition_with(&mut self, configs: &[(&str, &str)]) -> PartitionId {
        let configs = configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let name = format!("topic-{}", self.topics_made);
        let new = NewTopic { configs, ..self.new_topic(&name, 1) };
        let topic = self.engine().create_topic(new).wait().expect("the topic was not created");
        PartitionId { topic: topic.id, index: 0 }
    }

    pub(super) fn topic(&mut self, name: &str, partitions: i32) -> Arc<Topic> {
        let new = self.new_topic(name, partitions);
        self.engine().create_topic(new).wait().expect("the topic was not created")
    }

    /// The only partition of a new topic.
    pub(super) fn partition(&mut self) -> PartitionId {
        let name = format!("topic-{}", self.topics_made);
        let topic = self.topic(&name, 1);
        PartitionId { topic: topic.id, index: 0 }
    }

    pub(super) fn append(&self, partition: PartitionId, sample: &Sample) -> AppendAnswer {
        self.append_with(Append {
            partition,
            batches: sample.bytes(),
            expected_end: None,
            depends_on: None,
            durability: Durability::Flush,
            origin: AppendOrigin::Client,
        })
    }

    pub(super) fn append_with(&self, append: Append) -> AppendAnswer {
        append_one(&*self.engine(), append)
    }

    /// Appends what has to be accepted, and answers the first offset.
    pub(super) fn accept(&self, partition: PartitionId, sample: &Sample) -> i64 {
        let appended = self.append(partition, sample).expect("the append was not accepted");
        assert!(!appended.duplicate, "a new batch was taken for a duplicate");
        assert_eq!(appended.end_offset - appended.first_offset, sample.len(), "an append takes one offset per record");
        appended.first_offset
    }

    pub(super) fn bounds(&self, partition: PartitionId) -> Bounds {
        self.engine().bounds(partition).expect("the partition has no bounds")
    }

    pub(super) fn read(&self, partition: PartitionId, offset: i64, max_bytes: usize) -> Result<ReadOutcome, ReadError> {
        let isolation = Isolation::ReadUncommitted;
        self.engine()
            .read(Read { partition, offset, max_bytes, at_least_one_batch: true, isolation, may_name_file: false })
            .wait()
    }

    /// All records from `offset`, read in small pieces.
    pub(super) fn records_from(&self, partition: PartitionId, offset: i64) -> Vec<Stored> {
        let (mut next, mut records) = (offset, Vec::new());
        loop {
            let outcome = self.read(partition, next, 2_000).expect("the read failed");
            let found: Vec<Stored> = outcome.batches.iter().flat_map(opened).collect();
            let Some(last) = found.last() else {
                assert_eq!(next, outcome.bounds.high_watermark, "reading ends before the high watermark");
                return records;
            };
            assert!(last.offset >= next, "a read did not advance");
            let from = next;
            next = last.offset + 1;
            records.extend(found.into_iter().filter(|record| record.offset >= from));
        }
    }

    /// All records that can be read, as `(offset, value)`.
    pub(super) fn contents(&self, partition: PartitionId) -> Vec<(i64, String)> {
        let records = self.records_from(partition, self.bounds(partition).log_start_offset);
        records.into_iter().map(|record| (record.offset, record.value)).collect()
    }

    /// All values that can be read; offsets must be dense from the log start.
    pub(super) fn values(&self, partition: PartitionId) -> Vec<String> {
        let contents = self.contents(partition);
        let first = self.bounds(partition).log_start_offset;
        for (expected, (offset, value)) in (first..).zip(&contents) {
            assert_eq!(*offset, expected, "offsets are not dense at {value}");
        }
        contents.into_iter().map(|(_, value)| value).collect()
    }

    pub(super) fn find(&self, partition: PartitionId, spec: OffsetSpec) -> Option<FoundOffset> {
        self.engine().list_offset(partition, spec).wait().expect("the look-up failed")
    }

    /// Offset and timestamp of the first record at or after a time.
    pub(super) fn at_or_after(&self, partition: PartitionId, timestamp_ms: i64) -> Option<(i64, i64)> {
        let found = self.find(partition, OffsetSpec::AtOrAfter { timestamp_ms });
        found.map(|found| (found.offset, found.timestamp_ms))
    }

    /// Offset and timestamp of the first record with the largest timestamp.
    pub(super) fn largest(&self, partition: PartitionId) -> Option<(i64, i64)> {
        self.find(partition, OffsetSpec::MaxTimestamp).map(|found| (found.offset, found.timestamp_ms))
    }

    pub(super) fn delete_records(&self, partition: PartitionId, before: i64) -> Result<i64, ReadError> {
        self.engine().delete_records(partition, before).wait()
    }
}

pub(super) fn append_one(engine: &dyn Engine, append: Append) -> AppendAnswer {
    let mut answers = engine.append(vec![append]).wait().map_err(AppendError::Unavailable)?;
    assert_eq!(answers.len(), 1, "one answer for each append");
    answers.remove(0)
}

pub(super) fn to(partition: PartitionId, sample: &Sample) -> Append {
    Append {
        partition,
        batches: sample.bytes(),
        expected_end: None,
        depends_on: None,
        durability: Durability::Flush,
        origin: AppendOrigin::Client,
    }
}

/// A partition of a topic that was never made.
pub(super) fn nowhere() -> PartitionId {
    PartitionId { topic: TopicId([0x77; 16]), index: 0 }
}
