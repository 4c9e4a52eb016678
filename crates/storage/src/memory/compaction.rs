//! Compaction in memory: over all batches but the newest, which stands for the active segment.

use super::partition::{Partition, StoredBatch};
use crate::LogConfig;
use crate::compaction::{Fate, Filter, Survey};

/// How much memory the keys of one cleaning may take: Kafka's default.
const KEYS_BYTES: usize = 128 << 20;

impl Partition {
    /// Compacts the log if it is worth it; see [`crate::compaction`].
    pub(super) fn compact(&mut self, config: &LogConfig, now_ms: i64) {
        let cleanable = self.cleanable(config, now_ms);
        let of =
            |batches: &mut dyn Iterator<Item = &StoredBatch>| batches.map(|batch| batch.bytes.len()).sum::<usize>();
        let bytes = of(&mut self.batches.range(..cleanable));
        let dirty = self.batches.partition_point(|batch| batch.end_offset <= self.clean_end).min(cleanable);
        let dirty_bytes = of(&mut self.batches.range(dirty..cleanable));
        let is_worth_it = dirty_bytes as f64 > config.min_cleanable_dirty_ratio * bytes as f64;
        if dirty_bytes == 0 || !(is_worth_it || self.has_waited(dirty, cleanable, config, now_ms)) {
            return;
        }
        let mut survey = Survey::new(self.clean_end, KEYS_BYTES).without(self.aborted.ranges());
        // Where the memory ends, the survey ends; the rest is for the next time.
        let _ = self.batches.range(dirty..cleanable).all(|batch| survey.add(&batch.bytes));
        let mut filter = Filter::new(&survey, now_ms, config.delete_retention_ms);
        let younger = self.batches.split_off(cleanable);
        let older = std::mem::take(&mut self.batches);
        self.batches = older.into_iter().filter_map(|batch| kept(&mut filter, batch)).chain(younger).collect();
        self.clean_end = survey.end_offset();
        self.aborted.forget_before(self.clean_end);
        self.recount();
    }

    /// How many batches may be cleaned: not the newest, none younger than `min.compaction.lag.ms`, and none of an open transaction or
    /// after it.
    fn cleanable(&self, config: &LogConfig, now_ms: i64) -> usize {
        let all_but_newest = self.batches.len().saturating_sub(1);
        let lag_ms = i64::try_from(config.min_compaction_lag_ms).unwrap_or(i64::MAX);
        let is_old = |batch: &&StoredBatch| {
            lag_ms == 0 || batch.end_offset <= self.clean_end || now_ms.saturating_sub(batch.max_timestamp_ms) >= lag_ms
        };
        let last_stable_offset = self.bounds().last_stable_offset;
        let is_stable = |batch: &&StoredBatch| batch.end_offset <= last_stable_offset;
        self.batches.range(..all_but_newest).take_while(is_old).take_while(is_stable).count()
    }

    /// Whether the oldest record that was never cleaned is older than `max.compaction.lag.ms`.
    fn has_waited(&self, dirty: usize, cleanable: usize, config: &LogConfig, now_ms: i64) -> bool {
        let lag_ms = i64::try_from(config.max_compaction_lag_ms).unwrap_or(i64::MAX);
        let waited = |batch: &StoredBatch| now_ms.saturating_sub(batch.max_timestamp_ms) > lag_ms;
        self.batches.range(dirty..cleanable).any(waited)
    }
}

fn kept(filter: &mut Filter<'_>, batch: StoredBatch) -> Option<StoredBatch> {
    match filter.apply(&batch.bytes) {
        Fate::Keep => Some(batch),
        Fate::Replace(bytes) => StoredBatch::of(bytes),
        Fate::Remove => None,
    }
}
