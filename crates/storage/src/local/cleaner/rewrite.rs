//! One cleaning of one partition: read what is new, then write what stays.

use bytes::Bytes;

use super::plan::Plan;
use super::{Cleaner, Ended};
use crate::compaction::{Counts, Fate, Filter, Survey};
use crate::local::planted::planted;
use crate::local::segments::{CompactedWriter, SegmentMeta};
use crate::{AbortedRanges, LogConfig, PartitionId};

/// How much is read at once.
const PIECE_BYTES: usize = 1 << 20;

impl Cleaner {
    pub(super) fn clean(&mut self, partition: PartitionId, config: &LogConfig, plan: &Plan) -> Result<(), Ended> {
        let segments = self.tail.segments(partition).ok_or(Ended::GivenUp)?;
        self.files.tidy(partition, &segments).map_err(super::SyncError::NotBegun)?;
        let survey = self.survey(partition, plan)?;
        let kept_ms = if planted!(self.planted, TombstonesNotKept) { 0 } else { config.delete_retention_ms };
        let mut filter = Filter::new(&survey, (self.wall_ms)(), kept_ms);
        let within: Vec<SegmentMeta> =
            plan.segments.iter().filter(|meta| meta.base_offset < survey.end_offset()).copied().collect();
        for group in groups(&within, config.segment_bytes) {
            self.rewrite(partition, config, group, &mut filter)?;
        }
        self.tail.set_clean_end(partition, survey.end_offset());
        self.background.request_checkpoint();
        let Counts { records_kept, records_removed, batches_not_opened } = filter.counts();
        let (end_offset, topic) = (survey.end_offset(), partition.topic);
        tracing::debug!(?topic, partition.index, end_offset, records_kept, records_removed, "compacted");
        if batches_not_opened > 0 {
            tracing::warn!(
                ?topic,
                partition.index,
                batches_not_opened,
                "some batches could not be opened and stay as they are: their producer compressed something else than records"
            );
        }
        Ok(())
    }

    /// The first half: which key was seen last where.
    fn survey(&mut self, partition: PartitionId, plan: &Plan) -> Result<Survey, Ended> {
        let aborted = match planted!(self.planted, AbortedTakenForCommitted) {
            true => AbortedRanges::default(),
            false => self.tail.aborted(partition).ranges(),
        };
        let mut survey = Survey::new(plan.clean_end, self.config.dedupe_buffer_bytes).without(aborted);
        for meta in plan.segments.iter().filter(|meta| meta.end_offset > plan.clean_end) {
            let mut fits = true;
            self.each_batch(partition, meta, plan.clean_end, |batch| {
                fits = survey.add(batch);
                Ok(fits.then_some(0))
            })?;
            if !fits {
                return Ok(survey);
            }
        }
        survey.read_up_to(plan.uncleanable);
        Ok(survey)
    }

    /// The second half, for segments that fit into one: writes what stays of them, and puts that in their place.
    fn rewrite(
        &mut self,
        partition: PartitionId,
        config: &LogConfig,
        group: &[SegmentMeta],
        filter: &mut Filter<'_>,
    ) -> Result<(), Ended> {
        let mut writer = self.files.writer(partition, group, config.segment_bytes);
        let written = self.write(partition, group, filter, &mut writer);
        let done = written.and_then(|()| {
            let compacted = writer.finish()?;
            self.health.counters.compacted_bytes.add(compacted.iter().map(|meta| meta.bytes).sum());
            // Flushed; from here on readers see it.
            let replaced = self.tail.replace_segments(partition, group, compacted, filter.end_offset());
            replaced.then_some(()).ok_or(Ended::GivenUp)
        });
        if done.is_err() {
            writer.remove();
            if self.tail.bounds(partition).is_err() {
                // The topic was deleted, and its folder may have been spared for the sake of the new files.
                self.background.remove_topic(partition.topic);
            }
        }
        done
    }

    fn write(
        &mut self,
        partition: PartitionId,
        group: &[SegmentMeta],
        filter: &mut Filter<'_>,
        writer: &mut CompactedWriter,
    ) -> Result<(), Ended> {
        let planted = self.planted;
        for meta in group {
            self.each_batch(partition, meta, meta.base_offset, |batch| {
                let kept = match filter.apply(batch) {
                    Fate::Keep => Some(batch.clone()),
                    Fate::Replace(_) if planted!(planted, LastValuesDropped) => None,
                    Fate::Replace(replaced) => Some(replaced),
                    Fate::Remove => None,
                };
                let bytes = kept.as_ref().map_or(0, |batch| batch.len() as u64);
                kept.map_or(Ok(()), |batch| writer.add(batch))?;
                Ok(Some(bytes))
            })?;
        }
        Ok(())
    }

    /// Goes through the batches of a segment from an offset on, until `visit` answers `None`; otherwise it answers how many
    /// bytes it wrote.
    fn each_batch(
        &mut self,
        partition: PartitionId,
        meta: &SegmentMeta,
        from_offset: i64,
        mut visit: impl FnMut(&Bytes) -> Result<Option<u64>, Ended>,
    ) -> Result<(), Ended> {
        let mut offset = from_offset.max(meta.base_offset);
        while offset < meta.end_offset {
            let read = self.reader.read(partition, meta, offset, PIECE_BYTES, true)?;
            let Some(batches) = read else { break };
            let before = offset;
            let mut bytes = 0;
            for batch in &batches.batches {
                let Some(written) = visit(batch)? else { return Ok(()) };
                bytes += batch.len() as u64 + written;
                offset = offset.max(crate::batches::split(batch).map_or(offset, |spans| end_of(&spans)));
            }
            self.pace(bytes)?;
            if offset == before {
                return Err(Ended::Damaged(format!("a segment leads nowhere at offset {offset}")));
            }
        }
        Ok(())
    }
}

fn end_of(spans: &[crate::batches::BatchSpan]) -> i64 {
    spans.last().map_or(0, crate::batches::BatchSpan::end_offset)
}

/// Neighbours that fit into one segment together, as they are now.
fn groups(segments: &[SegmentMeta], segment_bytes: u64) -> impl Iterator<Item = &[SegmentMeta]> {
    let mut rest = segments;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |meta: &&SegmentMeta| {
            bytes += meta.bytes;
            bytes <= segment_bytes
        };
        let count = rest.iter().take_while(fits).count().max(1).min(rest.len());
        let (group, later) = rest.split_at(count);
        rest = later;
        (!group.is_empty()).then_some(group)
    })
}
