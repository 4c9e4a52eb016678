//! The state that decisions are made on: topics, where each partition starts and ends, its producers, the next producer id.
//!
//! The flusher owns it while the engine runs, recovery builds it; both change it by the same functions, so that what was
//! decided and what is replayed cannot differ.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::inbox::{Prepared, PreparedBatches};
use super::manifest::{Manifest, PartitionRecord};
use super::planted::{Planted, planted};
use super::tail::LogBatch;
use crate::batches::BatchSpan;
use crate::decide::{Decision, Refusal, decide_append};
use crate::producers::ProducerTable;
use crate::{AbortedTransaction, AppendError, Bounds, ConfigResource, Metadata, PartitionId, Topic, TopicId};

/// One partition as decisions see it.
#[derive(Clone, Default, Debug)]
pub(super) struct PartitionState {
    pub(super) log_start_offset: i64,
    /// Includes what is decided and about to be written.
    pub(super) end_offset: i64,
    /// Shared with a snapshot until it next changes.
    pub(super) producers: Arc<ProducerTable>,
}

/// All of it.
#[derive(Default, Debug)]
pub(super) struct DurableState {
    pub(super) metadata: Arc<Metadata>,
    pub(super) partitions: BTreeMap<PartitionId, PartitionState>,
    pub(super) next_producer_id: i64,
}

impl DurableState {
    pub(super) fn from_manifest(manifest: &Manifest) -> Self {
        let mut state = Self { next_producer_id: manifest.next_producer_id, ..Self::default() };
        for (topic, records) in &manifest.topics {
            state.create_topic(Topic::clone(topic));
            for (index, record) in (0..).zip(records) {
                state.partitions.insert(PartitionId { topic: topic.id, index }, PartitionState::from_record(record));
            }
        }
        for (resource, configs) in &manifest.configs {
            state.alter_configs(resource.clone(), configs.clone());
        }
        state
    }

    /// Adds a topic with empty partitions.
    pub(super) fn create_topic(&mut self, topic: Topic) -> Arc<Topic> {
        for index in 0..topic.partitions {
            self.partitions.insert(PartitionId { topic: topic.id, index }, PartitionState::default());
        }
        Arc::make_mut(&mut self.metadata).insert(topic)
    }

    /// Gives a topic more partitions, empty ones; `None` where the topic is not there.
    pub(super) fn create_partitions(&mut self, id: TopicId, total: i32) -> Option<Arc<Topic>> {
        let topic = Topic::clone(self.metadata.by_id(id)?);
        for index in topic.partitions..total {
            self.partitions.insert(PartitionId { topic: id, index }, PartitionState::default());
        }
        Some(Arc::make_mut(&mut self.metadata).insert(Topic { partitions: total.max(topic.partitions), ..topic }))
    }

    /// Sets all configs of a resource; false where it is a topic that is not there.
    pub(super) fn alter_configs(&mut self, resource: ConfigResource, configs: BTreeMap<String, String>) -> bool {
        Arc::make_mut(&mut self.metadata).set_configs(resource, configs)
    }

    /// Removes a topic with its partitions.
    pub(super) fn delete_topic(&mut self, id: TopicId) -> Option<Arc<Topic>> {
        let topic = Arc::make_mut(&mut self.metadata).remove(id)?;
        for index in 0..topic.partitions {
            self.partitions.remove(&PartitionId { topic: id, index });
        }
        Some(topic)
    }
}

impl DurableState {
    /// That what an append depends on is there.
    pub(super) fn check_dependency(&self, append: &Prepared, planted: Planted) -> Result<(), AppendError> {
        let end_of = |partition| self.partitions.get(&partition).map(|state| state.end_offset);
        let missing = append.depends_on.is_some_and(|needed| end_of(needed.partition) < Some(needed.end_offset));
        if missing && !planted!(planted, DependencyNotChecked) { Err(AppendError::DependencyMissing) } else { Ok(()) }
    }
}

impl PartitionState {
    fn from_record(record: &PartitionRecord) -> Self {
        Self {
            log_start_offset: record.log_start_offset,
            end_offset: record.end_offset,
            producers: record.producers.clone(),
        }
    }

    /// Forgets producers whose last batch came before `oldest_ms`.
    pub(super) fn forget_producers_before(&mut self, oldest_ms: i64) {
        // Looked at first: a change may copy the table.
        if self.producers.has_before(oldest_ms) {
            Arc::make_mut(&mut self.producers).forget_before(oldest_ms);
        }
    }

    /// What becomes of an append. Changes nothing.
    pub(super) fn decide(&self, append: &Prepared, planted: Planted) -> Result<Decision, AppendError> {
        if append.expected_end.is_some_and(|end| end != self.end_offset) {
            return Err(AppendError::UnexpectedEnd { end_offset: self.end_offset });
        }
        let PreparedBatches { spans, .. } = append.batches.as_ref().map_err(Clone::clone)?;
        let producers: Vec<_> = spans.iter().map(|span| span.producer).collect();
        Ok(match decide_append(&self.producers, append.origin, &producers) {
            Decision::Refuse(Refusal::InvalidProducerEpoch { .. }) if planted!(planted, FencedProducerWrites) => {
                Decision::Accept
            }
            decision => decision,
        })
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds::new(self.log_start_offset, self.end_offset, self.producers.first_open_offset())
    }

    /// Where the oldest open transaction begins, after batches that aborted these.
    pub(super) fn first_open_offset(&self, aborted: &[AbortedTransaction], planted: Planted) -> Option<i64> {
        let is_past = planted!(planted, StableOffsetPastOpen) && !aborted.is_empty();
        self.producers.first_open_offset().filter(|_| !is_past)
    }

    /// Takes accepted batches, which have the next offsets; answers the transactions that they abort.
    pub(super) fn accept(&mut self, spans: &[BatchSpan], now_ms: i64) -> Vec<AbortedTransaction> {
        let first_offset = self.end_offset;
        let count = |span: &BatchSpan| i64::from(span.record_count);
        self.end_offset = spans.iter().map(count).fold(first_offset, i64::saturating_add);
        self.note_producers(spans, first_offset, now_ms)
    }

    /// Takes batches that were accepted before the crash; `None` where they do not follow the partition's end.
    pub(super) fn replay(&mut self, spans: &[BatchSpan], now_ms: i64) -> Option<Vec<AbortedTransaction>> {
        let first_offset = self.end_offset;
        for span in spans {
            if span.base_offset != self.end_offset {
                return None;
            }
            self.end_offset = span.end_offset();
        }
        Some(self.note_producers(spans, first_offset, now_ms))
    }

    fn note_producers(&mut self, spans: &[BatchSpan], first_offset: i64, now_ms: i64) -> Vec<AbortedTransaction> {
        let mut aborted = Vec::new();
        if spans.iter().all(|span| span.producer.producer_id < 0) {
            return aborted;
        }
        let producers = Arc::make_mut(&mut self.producers);
        let mut offset = first_offset;
        for span in spans {
            aborted.extend(producers.apply(&span.producer, offset, now_ms));
            offset += i64::from(span.record_count);
        }
        aborted
    }
}

/// Batches with their offsets set, one by one; each keeps so much memory besides its bytes.
pub(super) fn log_batches(
    bytes: &Bytes,
    spans: &[BatchSpan],
    first_offset: i64,
    besides_bytes: usize,
) -> Vec<LogBatch> {
    let mut base_offset = first_offset;
    let one = |span: &BatchSpan| {
        let last_offset = base_offset + i64::from(span.record_count) - 1;
        let bytes = bytes.slice(span.range());
        let batch = LogBatch {
            base_offset,
            last_offset,
            max_timestamp_ms: span.max_timestamp_ms,
            bytes,
            besides_bytes,
            arrived: 0,
        };
        base_offset = last_offset + 1;
        batch
    };
    spans.iter().map(one).collect()
}
