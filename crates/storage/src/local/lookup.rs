//! Reads that go to segment files: of records that are no longer in memory, and of offsets by time.

use std::sync::Arc;

use super::readers::ReadQueue;
use super::segments::{Ahead, SegmentMeta, SegmentReadError, SegmentReader};
use super::sent::range_of;
use super::tail::{Found, LogBatch, Tail, Visible};
use crate::batches::LookUp;
use crate::{Bounds, FileRange, FoundOffset, PartitionId, Read, ReadError, ReadOutcome, Unavailable};

/// How often a read begins anew because files went away under it.
const ATTEMPTS: usize = 8;

/// Looks into segment files and memory. Blocks: for the reader threads.
#[derive(Clone)]
pub(super) struct Lookup {
    pub(super) tail: Arc<Tail>,
    pub(super) segments: SegmentReader,
    /// The threads that read for others.
    pub(super) reads: Arc<ReadQueue>,
}

impl Lookup {
    /// Reads from the segment that the tail named. Where its file went away in the meantime, the tail is asked again; where
    /// nothing is left of it at the offset or after, for what comes next, be it in another segment or in memory.
    pub(super) fn read(
        &self,
        read: &Read,
        mut meta: SegmentMeta,
        mut visible: Visible,
    ) -> Result<ReadOutcome, ReadError> {
        let (mut read, mut gone) = (*read, 0);
        while gone < ATTEMPTS {
            let Read { partition, offset, max_bytes, at_least_one_batch, .. } = read;
            match self.segments.read(partition, &meta, offset, max_bytes, at_least_one_batch) {
                Ok(Some(mut found)) => {
                    if meta.end_offset > visible.end_offset {
                        found.leave_out_from(visible.end_offset);
                    }
                    let (batches, next_offset) = (found.batches, found.next_offset);
                    let (aborted, bounds) = (visible.aborted(offset, next_offset), self.tail.bounds(partition)?);
                    return Ok(ReadOutcome { batches, in_file: None, next_offset, aborted, bounds });
                }
                Ok(None) => read.offset = meta.end_offset,
                Err(SegmentReadError::Gone) => gone += 1,
                Err(error) => return Err(read_error(error)),
            }
            match self.tail.read(&read)? {
                Found::Here(outcome) => return Ok(outcome),
                Found::InSegment(again, _, as_of) => (meta, visible) = (again, as_of),
            }
        }
        Err(self.lost_segment(read.partition, &meta))
    }

    /// The answer as a range of the segment's file, if all of it can be sent at once. Never waits for the disk: for callers.
    pub(super) fn ready_in_file(
        &self,
        read: &Read,
        meta: &SegmentMeta,
        bounds: Bounds,
        visible: &Visible,
    ) -> Option<ReadOutcome> {
        let range = self.segments.ready_range(meta, read, visible.end_offset)?;
        let (in_file, next_offset, ahead) = range_of(range, &self.reads);
        if let Some(ahead) = ahead {
            // With too many reads waiting there is none ahead.
            let _ = self.reads.push(Box::new(move || ahead.run()));
        }
        Some(in_file_outcome(read, in_file, next_offset, bounds, visible))
    }

    /// The answer as a range of the segment's file, brought into the page cache if need be, and what to do after it is
    /// given. `None` where the answer in memory is better, or says better what is wrong.
    pub(super) fn loaded_in_file(
        &self,
        read: &Read,
        meta: &SegmentMeta,
        visible: &Visible,
    ) -> Option<(ReadOutcome, Option<Ahead>)> {
        let found = self.segments.loaded_range(meta, read, visible.end_offset);
        let (in_file, next_offset, ahead) = range_of(found.ok()??, &self.reads);
        let bounds = self.tail.bounds(read.partition).ok()?;
        Some((in_file_outcome(read, in_file, next_offset, bounds, visible), ahead))
    }

    /// The first record with a timestamp of at least that.
    pub(super) fn at_or_after(
        &self,
        partition: PartitionId,
        timestamp_ms: i64,
    ) -> Result<Option<FoundOffset>, ReadError> {
        self.search(partition, |from_offset| self.first_with(partition, timestamp_ms, from_offset))
    }

    /// The first record with the largest timestamp.
    pub(super) fn largest(&self, partition: PartitionId) -> Result<Option<FoundOffset>, ReadError> {
        self.search(partition, |from_offset| self.first_with_largest(partition, from_offset))
    }

    /// Searches from the log start on, again where files went away meanwhile.
    fn search(
        &self,
        partition: PartitionId,
        find: impl Fn(i64) -> Result<Option<FoundOffset>, SegmentReadError>,
    ) -> Result<Option<FoundOffset>, ReadError> {
        let mut result = Ok(None);
        for _ in 0..ATTEMPTS {
            result = find(self.tail.bounds(partition)?.log_start_offset);
            if !matches!(result, Err(SegmentReadError::Gone)) {
                break;
            }
        }
        result.map_err(|error| match error {
            SegmentReadError::Gone => self.lost(partition, "a segment file"),
            error => read_error(error),
        })
    }

    fn lost_segment(&self, partition: PartitionId, meta: &SegmentMeta) -> ReadError {
        let path = self.segments.log_path(partition, meta);
        let (first, last) = (meta.base_offset, meta.end_offset - 1);
        self.lost(partition, &format!("segment file {}, which holds offsets {first} to {last},", path.display()))
    }

    fn lost(&self, partition: PartitionId, what: &str) -> ReadError {
        let metadata = self.tail.metadata();
        let topic = metadata.by_id(partition.topic).map_or("?", |topic| &*topic.name);
        let sentence = format!(
            "{what} of partition {} of topic {topic} is missing; stop the broker and let `ottla storage check` say all that is lost",
            partition.index
        );
        ReadError::Corrupt(sentence.into())
    }

    fn first_with(
        &self,
        partition: PartitionId,
        timestamp_ms: i64,
        mut from_offset: i64,
    ) -> Result<Option<FoundOffset>, SegmentReadError> {
        let mut look_up = LookUp::default();
        // A header may promise a timestamp that no record from `from_offset` on has: then the search goes on behind it.
        while let Some(batch) = self.batch_at_or_after(partition, timestamp_ms, from_offset)? {
            if let Some(found) = look_up.first_at_or_after(&batch.bytes, timestamp_ms, from_offset) {
                return Ok(Some(found));
            }
            from_offset = batch.last_offset + 1;
        }
        Ok(None)
    }

    fn first_with_largest(
        &self,
        partition: PartitionId,
        from_offset: i64,
    ) -> Result<Option<FoundOffset>, SegmentReadError> {
        let Some(largest) = self.largest_promised(partition, from_offset)? else { return Ok(None) };
        let mut look_up = LookUp::default();
        let promising = self.batch_at_or_after(partition, largest, from_offset)?;
        let found = promising.and_then(|batch| look_up.first_largest(&batch.bytes, from_offset));
        if found.is_some_and(|found| found.timestamp_ms >= largest) {
            return Ok(found);
        }
        // The largest timestamp that a header promises is that of a record before `from_offset`, or of none. So every batch
        // that promises more than was found so far must be opened.
        let (mut best, mut from): (Option<FoundOffset>, _) = (None, from_offset);
        loop {
            let mut more_than = best.map_or(i64::MIN, |best| best.timestamp_ms.saturating_add(1));
            if look_up.is_spent() {
                // What the headers promise counts from here on, so the batch that promises most is the only one to look at.
                let Some(promised) = self.largest_promised(partition, from)? else { return Ok(best) };
                more_than = more_than.max(promised);
            }
            let Some(batch) = self.batch_at_or_after(partition, more_than, from)? else { return Ok(best) };
            let found = look_up.first_largest(&batch.bytes, from_offset);
            if found.is_some_and(|found| best.is_none_or(|best| found.timestamp_ms > best.timestamp_ms)) {
                best = found;
            }
            from = batch.last_offset + 1;
        }
    }

    fn largest_promised(&self, partition: PartitionId, from_offset: i64) -> Result<Option<i64>, SegmentReadError> {
        let mut largest = self.tail.largest_timestamp(partition, from_offset);
        let segments = self.tail.segments(partition).unwrap_or_default();
        for meta in segments.all().filter(|meta| meta.end_offset > from_offset) {
            largest = largest.max(self.segments.largest_timestamp(partition, meta, from_offset)?);
        }
        Ok(largest)
    }

    /// The first batch at or after an offset whose header promises a timestamp of at least that.
    fn batch_at_or_after(
        &self,
        partition: PartitionId,
        timestamp_ms: i64,
        from_offset: i64,
    ) -> Result<Option<LogBatch>, SegmentReadError> {
        // Memory first: batches go from memory to segments, so in this order none is missed.
        let in_memory = self.tail.batch_at_or_after(partition, timestamp_ms, from_offset);
        let segments = self.tail.segments(partition).unwrap_or_default();
        let may_hold = |meta: &&SegmentMeta| meta.end_offset > from_offset && meta.max_timestamp_ms >= timestamp_ms;
        for meta in segments.all().filter(may_hold) {
            let found = self.segments.batch_at_or_after(partition, meta, timestamp_ms, from_offset)?;
            let batch = found.and_then(LogBatch::of);
            if batch.is_some() {
                return Ok(batch);
            }
        }
        Ok(in_memory)
    }
}

fn in_file_outcome(
    read: &Read,
    in_file: FileRange,
    next_offset: i64,
    bounds: Bounds,
    visible: &Visible,
) -> ReadOutcome {
    let (in_file, next_offset) = (Some(in_file), Some(next_offset));
    let aborted = visible.aborted(read.offset, next_offset);
    ReadOutcome { batches: Vec::new(), in_file, next_offset, aborted, bounds }
}

pub(super) fn read_error(error: SegmentReadError) -> ReadError {
    match error {
        SegmentReadError::Corrupt(sentence) => ReadError::Corrupt(sentence.into()),
        SegmentReadError::Gone => ReadError::Corrupt("a segment file that should be there is missing".into()),
        SegmentReadError::Io(path, error) => {
            let reason = format!("could not read {}: {error}; check the disk", path.display());
            ReadError::Unavailable(Unavailable { reason: reason.into(), retriable: true })
        }
    }
}
