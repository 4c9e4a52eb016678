//! The coordinator's log: its records as batches of a partition of `__consumer_offsets`, and back.

use std::collections::BTreeSet;

use ottla_groups::{
    Coordinator, Culprit, Departure, Event, GroupEvent, GroupEventKind, GroupState, LogStartCause, Producer, Record,
};
use ottla_protocol::records::{self, BatchBuilder, EndMarker};
use ottla_storage::{Append, AppendOrigin, Dependency, Durability, Engine, Isolation, Metadata, PartitionId, Read};

use super::story;

/// How much of the log is read at a time.
const READ_BYTES: usize = 1 << 20;
/// How large a stored batch may become when it is opened. Ours are not compressed; a bound against a damaged one.
const OPEN_MAX_BYTES: usize = 64 << 20;

/// How much the records of one step may take together, in bytes. No group that a client can use comes near it; a group that
/// does would fill the engine's log with its rebalances.
pub(crate) const MAX_BATCH_BYTES: usize = 64 << 20;

/// What these records take in a batch, roughly.
pub(crate) fn size_bytes(records: &[Record]) -> usize {
    let size_bytes = |record: &Record| 32 + record.key.len() + record.value.as_ref().map_or(0, Vec::len);
    records.iter().map(size_bytes).sum()
}

/// Records that become one batch: plain ones, or those of one producer's transaction.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) producer: Option<Producer>,
    pub(crate) records: Vec<Record>,
}

impl Batch {
    /// Adds a record to the last of these batches, or begins another one.
    pub(crate) fn add(batches: &mut Vec<Batch>, producer: Option<Producer>, record: Record) {
        match batches.last_mut() {
            Some(last) if last.producer == producer => last.records.push(record),
            _ => batches.push(Batch { producer, records: vec![record] }),
        }
    }
}

/// The append of these records as one batch, all or nothing, behind what it depends on. Group state is always flushed, whatever the topics' durability.
pub(crate) fn append(
    partition: PartitionId,
    expected_end: i64,
    of: &Batch,
    depends_on: Option<Dependency>,
    wall_ms: i64,
) -> Append {
    let mut batch = match of.producer {
        // The producer counts its own batches only.
        Some(Producer { id, epoch }) => BatchBuilder::new().producer(id, epoch, -1).transactional(),
        None => BatchBuilder::new(),
    };
    for record in &of.records {
        batch.push(wall_ms, Some(&record.key), record.value.as_deref(), &[]);
    }
    Append {
        partition,
        batches: batch.build(),
        expected_end: Some(expected_end),
        depends_on,
        durability: Durability::Flush,
        origin: AppendOrigin::Coordinator,
    }
}

/// Replays the whole log into a new coordinator; answers where the log ends.
///
/// # Errors
/// A sentence: what could not be read.
pub(super) async fn replay(
    engine: &dyn Engine,
    partition: PartitionId,
    coordinator: &mut Coordinator,
) -> Result<i64, String> {
    each_entry(engine, partition, |entry| match entry {
        Entry::Record { producer_id, record } => {
            let Some(key) = record.key else { return };
            let record = Record { key: key.to_vec(), value: record.value.map(<[u8]>::to_vec) };
            match producer_id {
                Some(producer_id) => coordinator.replay_in_transaction(producer_id, &record),
                None => coordinator.replay(&record),
            }
        }
        Entry::End { producer_id, commits } => coordinator.replay_transaction_end(producer_id, commits),
    })
    .await
}

/// What lies in a log.
enum Entry<'a> {
    /// A record; of a producer, if it is in that producer's transaction.
    Record { producer_id: Option<i64>, record: records::Record<'a> },
    /// A producer's transaction ends.
    End { producer_id: i64, commits: bool },
}

/// Calls `look` with every record of a log that knows no transactions; answers where it ends.
///
/// # Errors
/// A sentence: what could not be read.
pub(crate) async fn each_record(
    engine: &dyn Engine,
    partition: PartitionId,
    mut look: impl FnMut(records::Record<'_>),
) -> Result<i64, String> {
    each_entry(engine, partition, |entry| {
        if let Entry::Record { record, .. } = entry {
            look(record);
        }
    })
    .await
}

/// Calls `look` with everything that lies in a log; answers where the log ends.
///
/// # Errors
/// A sentence: what could not be read.
async fn each_entry(
    engine: &dyn Engine,
    partition: PartitionId,
    mut look: impl FnMut(Entry<'_>),
) -> Result<i64, String> {
    let bounds = engine.bounds(partition).map_err(|error| format!("{error:?}"))?;
    let mut offset = bounds.log_start_offset;
    while offset < bounds.high_watermark {
        let isolation = Isolation::ReadUncommitted;
        let read = Read {
            partition,
            offset,
            max_bytes: READ_BYTES,
            at_least_one_batch: true,
            isolation,
            may_name_file: false,
        };
        let outcome = engine.read(read).await.map_err(|error| format!("at offset {offset}: {error:?}"))?;
        let before = offset;
        for blob in &outcome.batches {
            for batch in records::batches(blob) {
                let batch = batch.map_err(|error| format!("at offset {offset}: {error}"))?;
                look_at_batch(batch.bytes, &mut look).map_err(|error| format!("at offset {offset}: {error}"))?;
                offset = offset.max(batch.header.next_offset());
            }
        }
        if offset == before {
            return Err(format!(
                "nothing can be read at offset {offset}, but the log ends at {}",
                bounds.high_watermark
            ));
        }
        // A long log must not keep the reactor from everybody else.
        tokio::task::yield_now().await;
    }
    Ok(offset)
}

fn look_at_batch(bytes: &[u8], look: &mut impl FnMut(Entry<'_>)) -> Result<(), records::BatchError> {
    let batch = records::open(bytes, OPEN_MAX_BYTES)?;
    let header = &batch.header;
    if header.is_control() {
        if let Some(marker) = EndMarker::of(bytes) {
            look(Entry::End { producer_id: header.producer_id, commits: marker.is_commit });
        }
        return Ok(());
    }
    let producer_id = header.is_transactional().then_some(header.producer_id);
    batch.records().try_for_each(|record| record.map(|record| look(Entry::Record { producer_id, record })))
}

/// Deletions of topics that are still to be told: a topic is gone, but the process ended, or an append failed, before its
/// commits were deleted.
pub(super) fn untold_deletions(coordinator: &Coordinator, metadata: &Metadata) -> Vec<Event> {
    let mut gone = BTreeSet::new();
    for (_, group) in coordinator.durable_groups() {
        for (name, partitions) in group.offsets() {
            let current = metadata.by_name(name).map(|topic| topic.id.0);
            for committed in partitions.values() {
                // A commit without an id belongs to whichever topic has the name.
                if current.is_none() || committed.topic_id.is_some_and(|id| current != Some(id)) {
                    gone.insert((name.clone(), committed.topic_id));
                }
            }
        }
    }
    gone.into_iter().map(|(name, topic_id)| Event::TopicDeleted { name, topic_id }).collect()
}

/// Writes an event of the core to the log of the process.
pub(super) fn tell(partition: i32, event: &GroupEvent) {
    let group = event.group_id.as_str();
    match &event.kind {
        GroupEventKind::StateChanged { from, to, generation_id, cause } => {
            // Causes quote clients; as a field they are escaped.
            let cause = cause.as_str();
            match to {
                GroupState::Stable => tracing::info!(group, generation_id, cause, "the group is stable"),
                _ => tracing::debug!(group, generation_id, cause, "{} -> {}", from.name(), to.name()),
            }
        }
        GroupEventKind::MemberRemoved { member, how, cause, .. } => {
            let Culprit { member_id, client_id, host: client_host, .. } = member;
            let what = if *how == Departure::Left { "member left" } else { "member removed" };
            tracing::info!(group, member_id, client_id, client_host, cause = cause.as_str(), "{what}");
        }
        GroupEventKind::StaticMemberReplaced { group_instance_id, old_member_id, new_member_id } => {
            tracing::info!(group, group_instance_id, old_member_id, new_member_id, "static member replaced");
        }
        GroupEventKind::RecordsLost { topic, partition, from, to, records, cause } => {
            let cause = match cause {
                LogStartCause::DeleteRecords => "DeleteRecords",
                LogStartCause::Retention => "retention",
            };
            tracing::info!(group, topic, partition, from, to, records, cause, "records were removed unread");
        }
        GroupEventKind::OffsetsExpired { topic, partitions, last_commit_ms } => {
            let partitions = partitions.len();
            tracing::info!(group, topic, partitions, last_commit_ms, "committed offsets expired");
        }
        GroupEventKind::OffsetsMoved(_)
        | GroupEventKind::OffsetsReset { .. }
        | GroupEventKind::OffsetsDeleted { .. } => {
            tracing::info!(group, "{}", story::text(event));
        }
        GroupEventKind::MemberJoined { .. }
        | GroupEventKind::MemberAway { .. }
        | GroupEventKind::Assigned { .. }
        | GroupEventKind::Loaded { .. } => tracing::debug!(group, "{}", story::text(event)),
        GroupEventKind::MemberIdForgotten { member_id } => {
            tracing::debug!(group, member_id, "a member id that was given to a client was never used");
        }
        GroupEventKind::Stalled { .. } if !group.is_empty() => {}
        GroupEventKind::Stalled { stall_ms } => {
            tracing::warn!(partition, stall_ms, "the broker stood still; the deadlines of all members were moved");
        }
        GroupEventKind::RecordSkipped { problem } => {
            tracing::warn!(partition, "a record of __consumer_offsets was skipped: {problem}");
        }
        GroupEventKind::ProtocolMigrated { from, to, cause } => {
            let cause = cause.as_str();
            tracing::info!(group, from, to, cause, "the group changes its protocol");
        }
    }
}
