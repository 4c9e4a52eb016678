//! What readers see of the partitions: their bounds, their newest batches in memory, and which segment files hold the rest.
//!
//! The flusher adds batches once they are acknowledged; the background thread says what it has written to segment files;
//! readers take what they need. All under one lock that is held for moments only: no I/O, no copy of records.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::segments::{SegmentList, SegmentMeta};
use crate::ageing::Aged;
use crate::{
    AbortedIndex, AbortedTransaction, Bounds, Isolation, Metadata, PartitionId, Read, ReadError, ReadOutcome, TopicId,
};

/// What a batch in memory takes besides its bytes, about.
const BATCH_OVERHEAD_BYTES: usize = 128;

/// One batch, acknowledged or about to be.
#[derive(Clone, Debug)]
pub(super) struct LogBatch {
    pub(super) base_offset: i64,
    pub(super) last_offset: i64,
    pub(super) max_timestamp_ms: i64,
    pub(super) bytes: Bytes,
    /// How much memory it keeps besides these.
    pub(super) besides_bytes: usize,
    /// How many batches had come before it, of all partitions. The tail counts.
    pub(super) arrived: u64,
}

impl LogBatch {
    /// One stored batch; `None` where the bytes are none.
    pub(super) fn of(bytes: Bytes) -> Option<Self> {
        let span = *crate::batches::split(&bytes).ok()?.first()?;
        let (base_offset, last_offset) = (span.base_offset, span.end_offset() - 1);
        Some(Self {
            base_offset,
            last_offset,
            max_timestamp_ms: span.max_timestamp_ms,
            bytes,
            besides_bytes: 0,
            arrived: 0,
        })
    }

    fn memory_bytes(&self) -> usize {
        self.bytes.len() + self.besides_bytes + BATCH_OVERHEAD_BYTES
    }
}

/// One partition as recovery hands it over.
#[derive(Clone, Default, Debug)]
pub(super) struct PartitionView {
    pub(super) log_start_offset: i64,
    pub(super) high_watermark: i64,
    /// Up to here the segment files have it.
    pub(super) written_end: i64,
    pub(super) segments: SegmentList,
    /// Where the oldest open transaction began.
    pub(super) first_open_offset: Option<i64>,
    pub(super) aborted: AbortedIndex,
}

/// How far a reader may see, and what of that it must leave out. As of the moment at which it was told where to read: compaction
/// takes aborted records and the news of them away together.
#[derive(Clone, Debug)]
pub(super) struct Visible {
    /// Batches from here on are not to be seen yet.
    pub(super) end_offset: i64,
    aborted: AbortedIndex,
}

impl Visible {
    /// The aborted transactions in what was found.
    pub(super) fn aborted(&self, offset: i64, next_offset: Option<i64>) -> Vec<AbortedTransaction> {
        next_offset.map_or(Vec::new(), |next_offset| self.aborted.within(offset, next_offset))
    }
}

#[derive(Debug)]
struct PartitionLog {
    view: PartitionView,
    /// The newest batches, without a gap up to the high watermark. Those before `view.written_end` may be dropped.
    tail: VecDeque<LogBatch>,
}

/// What a read found in memory.
pub(super) enum Found {
    /// The answer.
    Here(ReadOutcome),
    /// It lies in this segment.
    InSegment(SegmentMeta, Bounds, Visible),
}

/// Batches to be written to segment files.
pub(super) struct Unwritten {
    pub(super) segments: SegmentList,
    pub(super) batches: Vec<LogBatch>,
}

/// What one flush made visible in one partition.
pub(super) struct Advance {
    pub(super) partition: PartitionId,
    pub(super) batches: Vec<LogBatch>,
    /// Where the oldest open transaction began, as of then.
    pub(super) first_open_offset: Option<i64>,
    /// The transactions that these batches abort.
    pub(super) aborted: Vec<AbortedTransaction>,
}

/// All partitions.
pub(super) struct Tail {
    state: Mutex<State>,
    limit_bytes: usize,
}

#[derive(Default)]
struct State {
    metadata: Arc<Metadata>,
    partitions: BTreeMap<PartitionId, PartitionLog>,
    /// The partitions of all batches in memory, in the order in which they came.
    order: VecDeque<PartitionId>,
    bytes: usize,
    /// How many batches have come.
    arrived: u64,
    unwritten: UnwrittenBytes,
    /// What compaction has done since this was last taken.
    compacted: Option<Compacted>,
}

/// What of all that is in memory is in no segment file yet: with ten thousand partitions nobody wants to look at each.
#[derive(Default)]
struct UnwrittenBytes {
    all: usize,
    /// The partitions that have any, by when the first of their unwritten batches arrived.
    by_age: BTreeMap<u64, PartitionId>,
}

impl UnwrittenBytes {
    /// A batch comes, before the log has it.
    fn add(&mut self, partition: PartitionId, log: &PartitionLog, batch: &LogBatch) {
        self.all += batch.memory_bytes();
        if log.first_unwritten().is_none() {
            self.by_age.insert(batch.arrived, partition);
        }
    }

    /// What a log has before `written_end` needs no writing any more.
    fn settle(&mut self, partition: PartitionId, log: &mut PartitionLog, written_end: i64) {
        if let Some(first) = log.first_unwritten() {
            self.by_age.remove(&first);
        }
        let settled = log.unwritten().take_while(|batch| batch.last_offset < written_end);
        self.all -= settled.map(LogBatch::memory_bytes).sum::<usize>();
        log.view.written_end = log.view.written_end.max(written_end);
        if let Some(next) = log.first_unwritten() {
            self.by_age.insert(next, partition);
        }
    }
}

/// Segments that compaction has replaced, whose files are to go once a manifest names their successors. Empty where only the
/// place up to which a log is clean has moved.
pub(super) type Compacted = Vec<(PartitionId, SegmentMeta)>;

impl Tail {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self { state: Mutex::default(), limit_bytes: limit_bytes.max(1) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn metadata(&self) -> Arc<Metadata> {
        self.lock().metadata.clone()
    }

    /// Puts new metadata in place.
    pub(super) fn set_metadata(&self, metadata: Arc<Metadata>) {
        self.lock().metadata = metadata;
    }

    /// Adds a partition.
    pub(super) fn add_partition(&self, partition: PartitionId, view: PartitionView) {
        self.lock().partitions.insert(partition, PartitionLog { view, tail: VecDeque::new() });
    }

    /// Removes a topic's partitions.
    pub(super) fn remove_topic(&self, topic: TopicId, partitions: i32) {
        let mut state = self.lock();
        for index in 0..partitions {
            let partition = PartitionId { topic, index };
            let Some(mut log) = state.partitions.remove(&partition) else { continue };
            state.bytes -= log.tail.iter().map(LogBatch::memory_bytes).sum::<usize>();
            state.unwritten.settle(partition, &mut log, i64::MAX);
        }
        state.order.retain(|partition| partition.topic != topic);
    }

    /// Makes batches visible. Each partition's follow its high watermark without a gap.
    pub(super) fn advance(&self, advances: impl IntoIterator<Item = Advance>) {
        let mut state = self.lock();
        let state = &mut *state;
        for Advance { partition, batches, first_open_offset, aborted } in advances {
            let Some(log) = state.partitions.get_mut(&partition) else { continue };
            log.view.first_open_offset = first_open_offset;
            aborted.into_iter().for_each(|aborted| log.view.aborted.push(aborted));
            for mut batch in batches {
                batch.arrived = state.arrived;
                state.arrived += 1;
                state.bytes += batch.memory_bytes();
                state.unwritten.add(partition, log, &batch);
                state.order.push_back(partition);
                log.view.high_watermark = batch.last_offset + 1;
                log.tail.push_back(batch);
            }
        }
        state.evict(self.limit_bytes);
    }

    /// About how many bytes of batches lie from `offset` to the end.
    ///
    /// # Errors
    /// There is no such partition.
    pub(super) fn bytes_from(&self, partition: PartitionId, offset: i64) -> Result<u64, ReadError> {
        let state = self.lock();
        let log = state.partitions.get(&partition).ok_or(ReadError::UnknownPartition)?;
        let written: u64 = log.view.segments.all().map(|segment| segment.bytes_from(offset)).sum();
        let unwritten = log.unwritten().filter(|batch| batch.last_offset >= offset);
        Ok(written + unwritten.map(|batch| batch.bytes.len() as u64).sum::<u64>())
    }

    /// How much of what is in memory is in no segment file yet.
    pub(super) fn unwritten_bytes(&self) -> usize {
        self.lock().unwritten.all
    }

    /// Whether so much is not in segment files yet that producers must wait.
    pub(super) fn is_full(&self) -> bool {
        self.unwritten_bytes() >= self.limit_bytes
    }

    /// Whether it is time to write to segment files: there is much, or the oldest batch keeps in memory what is written already.
    pub(super) fn wants_writing(&self) -> bool {
        let state = self.lock();
        state.is_pressed(self.limit_bytes / 2, self.limit_bytes)
    }

    /// Which partition to write next; none once little is left. It is the one whose first unwritten batch is the oldest, so all
    /// of them gather for equally long, and what is written already is not kept in memory by an older batch that is not.
    pub(super) fn next_to_write(&self) -> Option<PartitionId> {
        let state = self.lock();
        let (_, partition) = state.unwritten.by_age.first_key_value()?;
        state.is_pressed(self.limit_bytes / 8 * 3, self.limit_bytes).then_some(*partition)
    }

    /// The partitions that have something to write, the one with the oldest batch first.
    pub(super) fn unwritten_partitions(&self) -> Vec<PartitionId> {
        self.lock().unwritten.by_age.values().copied().collect()
    }

    /// The next batches to write of a partition, those before `end_offset` and about `max_bytes` at most; `None` where there
    /// are none.
    pub(super) fn unwritten(&self, partition: PartitionId, end_offset: i64, max_bytes: usize) -> Option<Unwritten> {
        let state = self.lock();
        let log = state.partitions.get(&partition)?;
        let mut bytes = 0;
        let batches: Vec<LogBatch> = log
            .unwritten()
            .take_while(|batch| batch.last_offset < end_offset)
            .take_while(|batch| {
                let before = bytes;
                bytes += batch.bytes.len();
                before == 0 || bytes <= max_bytes
            })
            .cloned()
            .collect();
        (!batches.is_empty()).then(|| Unwritten { segments: log.view.segments.clone(), batches })
    }

    /// Notes that a partition's segment files now have everything before `written_end`, and drops old batches from memory.
    pub(super) fn written(&self, partition: PartitionId, written_end: i64, segments: Vec<SegmentMeta>) {
        let mut state = self.lock();
        let state = &mut *state;
        if let Some(log) = state.partitions.get_mut(&partition) {
            state.unwritten.settle(partition, log, written_end);
            log.view.segments.replace_active(segments);
        }
        state.evict(self.limit_bytes);
    }

    /// Moves a log start up; answers from where, if it moved. Batches wholly below it need not be written any more.
    pub(super) fn move_log_start(&self, partition: PartitionId, to: i64) -> Option<i64> {
        let mut state = self.lock();
        let state = &mut *state;
        let log = state.partitions.get_mut(&partition)?;
        let from = log.view.log_start_offset;
        log.view.log_start_offset = from.max(to);
        log.view.aborted.forget_before(to);
        let spared = log.unwritten().take_while(|batch| batch.last_offset < to);
        if let Some(last_offset) = spared.last().map(|batch| batch.last_offset) {
            state.unwritten.settle(partition, log, last_offset + 1);
            state.evict(self.limit_bytes);
        }
        (from < to).then_some(from)
    }

    /// Takes out the segments of a partition that lie below its log start.
    pub(super) fn take_segments_before_start(&self, partition: PartitionId) -> Vec<SegmentMeta> {
        let mut state = self.lock();
        let Some(log) = state.partitions.get_mut(&partition) else { return Vec::new() };
        log.view.segments.take_before(log.view.log_start_offset)
    }

    /// Seals the segment that grows; the next batch begins a new one. Only for the thread that writes segments.
    pub(super) fn seal_active(&self, partition: PartitionId) {
        let mut state = self.lock();
        let Some(log) = state.partitions.get_mut(&partition) else { return };
        let segments = &mut log.view.segments;
        if let Some(sealed) = segments.active.take() {
            Arc::make_mut(&mut segments.sealed).push(sealed);
        }
    }

    /// Puts what compaction made of sealed segments in their place, in which no aborted records are left before `cleaned_end`; false, and nothing is done, where not all of these are
    /// there any more. The others must be flushed. What memory still holds of the old ones goes as well, so that all readers
    /// see the same.
    pub(super) fn replace_segments(
        &self,
        partition: PartitionId,
        replaced: &[SegmentMeta],
        others: Vec<SegmentMeta>,
        cleaned_end: i64,
    ) -> bool {
        let mut state = self.lock();
        let Some(log) = state.partitions.get_mut(&partition) else { return false };
        let done = log.view.segments.replace_sealed(replaced, others);
        if done {
            let end_offset = replaced.last().map_or(0, |meta| meta.end_offset);
            log.view.aborted.forget_before(end_offset.min(cleaned_end));
            state.forget_before(partition, end_offset);
            let retired = replaced.iter().map(|meta| (partition, *meta));
            state.compacted.get_or_insert_default().extend(retired);
        }
        done
    }

    /// Notes up to where a log is compacted.
    pub(super) fn set_clean_end(&self, partition: PartitionId, clean_end: i64) {
        let mut state = self.lock();
        let Some(log) = state.partitions.get_mut(&partition) else { return };
        log.view.segments.clean_end = log.view.segments.clean_end.max(clean_end);
        state.compacted.get_or_insert_default();
    }

    /// What compaction has done since this was last asked, for the next manifest; `None` where it did nothing.
    pub(super) fn take_compacted(&self) -> Option<Compacted> {
        self.lock().compacted.take()
    }

    /// Says that there was no manifest after all.
    pub(super) fn put_back_compacted(&self, compacted: Compacted) {
        self.lock().compacted.get_or_insert_default().extend(compacted);
    }

    /// A partition's segments as retention sees them. What is in no file yet counts as a part of the one that grows.
    pub(super) fn aged(&self, partition: PartitionId) -> Vec<Aged> {
        let state = self.lock();
        let Some(log) = state.partitions.get(&partition) else { return Vec::new() };
        let (segments, start) = (&log.view.segments, log.view.log_start_offset);
        let mut aged: Vec<Aged> =
            segments.all().filter(|meta| meta.end_offset > start).map(SegmentMeta::aged).collect();
        let Some(unwritten) = log.unwritten_aged() else { return aged };
        let grows = segments.active.is_some_and(|active| active.end_offset > start);
        let active = if grows { aged.pop() } else { None };
        aged.push(active.map_or(unwritten, |active| Aged {
            bytes: active.bytes + unwritten.bytes,
            max_timestamp_ms: active.max_timestamp_ms.max(unwritten.max_timestamp_ms),
            ..unwritten
        }));
        aged
    }

    /// Forgets a partition's segments, whose files are gone; answers where they ended.
    pub(super) fn forget_segments(&self, partition: PartitionId) -> Option<i64> {
        let mut state = self.lock();
        let segments = std::mem::take(&mut state.partitions.get_mut(&partition)?.view.segments);
        segments.all().map(|meta| meta.end_offset).max()
    }

    /// A partition's segments, and which transactions before `end_offset` were aborted: as a manifest has them.
    pub(super) fn segments_and_aborted(&self, partition: PartitionId, end_offset: i64) -> (SegmentList, AbortedIndex) {
        let state = self.lock();
        let view = state.partitions.get(&partition).map(|log| &log.view);
        view.map(|view| (view.segments.clone(), view.aborted.up_to(end_offset))).unwrap_or_default()
    }

    /// Which transactions were aborted.
    pub(super) fn aborted(&self, partition: PartitionId) -> AbortedIndex {
        self.lock().partitions.get(&partition).map(|log| log.view.aborted.clone()).unwrap_or_default()
    }

    /// A partition's segments.
    pub(super) fn segments(&self, partition: PartitionId) -> Option<SegmentList> {
        Some(self.lock().partitions.get(&partition)?.view.segments.clone())
    }

    /// Where a partition starts and ends.
    pub(super) fn bounds(&self, partition: PartitionId) -> Result<Bounds, ReadError> {
        let state = self.lock();
        state.partitions.get(&partition).map(PartitionLog::bounds).ok_or(ReadError::UnknownPartition)
    }

    /// Reads from memory, or says which segment to read.
    pub(super) fn read(&self, read: &Read) -> Result<Found, ReadError> {
        let state = self.lock();
        let log = state.partitions.get(&read.partition).ok_or(ReadError::UnknownPartition)?;
        let bounds = log.bounds();
        if !(bounds.log_start_offset..=bounds.high_watermark).contains(&read.offset) {
            return Err(ReadError::OffsetOutOfRange(bounds));
        }
        let visible = log.visible(read.isolation, bounds);
        if read.offset >= visible.end_offset {
            return Ok(Found::Here(ReadOutcome { bounds, ..ReadOutcome::default() }));
        }
        let in_memory_from = log.tail.front().map_or(bounds.high_watermark, |batch| batch.base_offset);
        if read.offset < in_memory_from
            && let Some(meta) = log.view.segments.at(read.offset)
        {
            return Ok(Found::InSegment(meta, bounds, visible));
        }
        let (batches, next_offset) = log.batches(read, visible.end_offset);
        let aborted = visible.aborted(read.offset, next_offset);
        Ok(Found::Here(ReadOutcome { batches, in_file: None, next_offset, aborted, bounds }))
    }

    /// The first batch in memory that ends at or after `from_offset` with a timestamp of at least that.
    pub(super) fn batch_at_or_after(
        &self,
        partition: PartitionId,
        timestamp_ms: i64,
        from_offset: i64,
    ) -> Option<LogBatch> {
        let state = self.lock();
        let log = state.partitions.get(&partition)?;
        let first = log.tail.partition_point(|batch| batch.last_offset < from_offset);
        log.tail.range(first..).find(|batch| batch.max_timestamp_ms >= timestamp_ms).cloned()
    }

    /// The largest timestamp of batches in memory that end at or after `from_offset`.
    pub(super) fn largest_timestamp(&self, partition: PartitionId, from_offset: i64) -> Option<i64> {
        let state = self.lock();
        let log = state.partitions.get(&partition)?;
        let first = log.tail.partition_point(|batch| batch.last_offset < from_offset);
        log.tail.range(first..).map(|batch| batch.max_timestamp_ms).max()
    }
}

impl State {
    /// Drops a partition's batches that end at or before an offset; they are in segment files.
    fn forget_before(&mut self, partition: PartitionId, end_offset: i64) {
        let Some(log) = self.partitions.get_mut(&partition) else { return };
        let mut count = log.tail.partition_point(|batch| batch.last_offset < end_offset.min(log.view.written_end));
        if count > 0 {
            self.bytes -= log.tail.drain(..count).map(|batch| batch.memory_bytes()).sum::<usize>();
            // The order has one entry for each batch.
            self.order.retain(|other| {
                let goes = *other == partition && count > 0;
                count -= usize::from(goes);
                !goes
            });
        }
    }

    /// Whether so much is unwritten, or there is more in memory than `limit_bytes` and nothing that may be dropped.
    fn is_pressed(&self, unwritten_bytes: usize, limit_bytes: usize) -> bool {
        self.unwritten.all >= unwritten_bytes || self.bytes > limit_bytes
    }

    /// Drops the oldest batches that are in segment files, while there is more in memory than `limit_bytes`.
    fn evict(&mut self, limit_bytes: usize) {
        while self.bytes > limit_bytes
            && let Some(partition) = self.order.front()
            && let Some(log) = self.partitions.get_mut(partition)
            && log.tail.front().is_some_and(|batch| batch.last_offset < log.view.written_end)
        {
            self.bytes -= log.tail.pop_front().map_or(0, |batch| batch.memory_bytes());
            self.order.pop_front();
        }
    }
}

impl PartitionLog {
    fn bounds(&self) -> Bounds {
        Bounds::new(self.view.log_start_offset, self.view.high_watermark, self.view.first_open_offset)
    }

    fn visible(&self, isolation: Isolation, bounds: Bounds) -> Visible {
        match isolation {
            Isolation::ReadUncommitted => Visible { end_offset: i64::MAX, aborted: AbortedIndex::default() },
            Isolation::ReadCommitted => {
                Visible { end_offset: bounds.last_stable_offset, aborted: self.view.aborted.clone() }
            }
        }
    }

    fn unwritten(&self) -> impl Iterator<Item = &LogBatch> {
        let first = self.tail.partition_point(|batch| batch.last_offset < self.view.written_end);
        self.tail.range(first..)
    }

    /// When the first of them arrived; `None` where there are none.
    fn first_unwritten(&self) -> Option<u64> {
        self.unwritten().next().map(|batch| batch.arrived)
    }

    fn unwritten_aged(&self) -> Option<Aged> {
        let max_timestamp_ms = self.unwritten().map(|batch| batch.max_timestamp_ms).max()?;
        let bytes = self.unwritten().map(|batch| batch.bytes.len() as u64).sum();
        // Where the clock matters, what is not written yet is new.
        Some(Aged { end_offset: self.view.high_watermark, bytes, max_timestamp_ms, written_ms: i64::MAX })
    }

    fn batches(&self, read: &Read, end_offset: i64) -> (Vec<Bytes>, Option<i64>) {
        let first = self.tail.partition_point(|batch| batch.last_offset < read.offset);
        let (mut total, mut next_offset) = (0, None);
        let fits = |(index, batch): &(usize, &LogBatch)| {
            total += batch.bytes.len();
            batch.base_offset < end_offset && (total <= read.max_bytes || (read.at_least_one_batch && *index == 0))
        };
        let found = self.tail.range(first..).enumerate().take_while(fits).map(|(_, batch)| {
            next_offset = Some(batch.last_offset + 1);
            batch.bytes.clone()
        });
        (found.collect(), next_offset)
    }
}

#[cfg(test)]
#[path = "tail_tests.rs"]
mod tests;
