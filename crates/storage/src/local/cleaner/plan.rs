//! Which part of a log is cleaned, and whether it is worth it.

use crate::LogConfig;
use crate::local::segments::{SegmentList, SegmentMeta};

/// What there is to clean in one log.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Plan {
    /// The sealed segments up to the first that may not be cleaned yet.
    pub(super) segments: Vec<SegmentMeta>,
    /// Up to here nothing changed since the last cleaning.
    pub(super) clean_end: i64,
    /// From here on nothing may be cleaned yet.
    pub(super) uncleanable: i64,
    /// How much of the log's bytes was never cleaned, from 0 to 1.
    pub(super) dirty_ratio: f64,
}

/// What to do about a log.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Due {
    /// Nothing now.
    Nothing,
    /// The segment that grows holds records that have waited long enough (`max.compaction.lag.ms`): it is to be sealed.
    Roll,
    Clean(Plan),
}

/// Decides as Kafka does: the active segment is never cleaned, nor are records younger than `min.compaction.lag.ms`, nor
/// what could still be rolled back; the rest is worth it where more than `min.cleanable.dirty.ratio` was never cleaned, or
/// where a record has waited for `max.compaction.lag.ms`.
pub(super) fn due(list: &SegmentList, last_stable_offset: i64, config: &LogConfig, now_ms: i64) -> Due {
    let is_cleanable = |meta: &&SegmentMeta| {
        let age_ms = now_ms.saturating_sub(meta.max_timestamp_ms);
        let young = config.min_compaction_lag_ms > 0 && !is_at_least(age_ms, config.min_compaction_lag_ms);
        meta.end_offset <= list.clean_end || (!young && meta.end_offset <= last_stable_offset)
    };
    let segments: Vec<SegmentMeta> = list.sealed.iter().take_while(is_cleanable).copied().collect();
    let is_dirty = |meta: &&SegmentMeta| meta.end_offset > list.clean_end;
    let has_waited = |meta: &SegmentMeta| {
        let age_ms = now_ms.saturating_sub(meta.first_timestamp_ms);
        meta.first_timestamp_ms != i64::MIN && !is_at_least(config.max_compaction_lag_ms as i64, age_ms.max(0) as u64)
    };
    let bytes: u64 = segments.iter().map(|meta| meta.bytes).sum();
    let dirty_bytes: u64 = segments.iter().filter(is_dirty).map(|meta| meta.bytes).sum();
    let dirty_ratio = if bytes == 0 { 0.0 } else { dirty_bytes as f64 / bytes as f64 };
    let must = segments.iter().filter(is_dirty).any(has_waited);
    let uncleanable = segments.last().map_or(list.clean_end, |meta| meta.end_offset);
    if dirty_bytes > 0 && (must || dirty_ratio > config.min_cleanable_dirty_ratio) {
        return Due::Clean(Plan { segments, clean_end: list.clean_end, uncleanable, dirty_ratio });
    }
    if list.active.as_ref().is_some_and(has_waited) { Due::Roll } else { Due::Nothing }
}

fn is_at_least(ms: i64, least_ms: u64) -> bool {
    u64::try_from(ms).is_ok_and(|ms| ms >= least_ms)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn segment(base_offset: i64, end_offset: i64, bytes: u64, day: i64) -> SegmentMeta {
        SegmentMeta {
            base_offset,
            end_offset,
            generation: 0,
            bytes,
            index_entries: 0,
            indexed_bytes: 64,
            first_timestamp_ms: (day - 1) * DAY_MS,
            max_timestamp_ms: day * DAY_MS,
            created_ms: 0,
            written_ms: 0,
        }
    }

    fn list(clean_end: i64) -> SegmentList {
        let sealed = vec![segment(0, 10, 600, 1), segment(10, 20, 300, 2), segment(20, 30, 100, 3)];
        SegmentList { sealed: Arc::new(sealed), active: Some(segment(30, 35, 5_000, 4)), clean_end }
    }

    fn config(change: impl FnOnce(&mut LogConfig)) -> LogConfig {
        let mut config = LogConfig { compact: true, min_cleanable_dirty_ratio: 0.0, ..LogConfig::default() };
        change(&mut config);
        config
    }

    fn cleaned(clean_end: i64, stable: i64, config: &LogConfig, day: i64) -> Option<(usize, i64)> {
        match due(&list(clean_end), stable, config, day * DAY_MS) {
            Due::Clean(plan) => Some((plan.segments.len(), plan.uncleanable)),
            _ => None,
        }
    }

    #[test]
    fn the_active_segment_and_what_is_young_or_open_is_not_cleaned() {
        assert_eq!(cleaned(0, 35, &config(|_| {}), 4), Some((3, 30)));
        let lag = config(|config| config.min_compaction_lag_ms = DAY_MS as u64);
        assert_eq!(cleaned(0, 35, &lag, 3), Some((2, 20)));
        assert_eq!(cleaned(0, 35, &lag, 4), Some((3, 30)));
        assert_eq!(cleaned(0, 25, &config(|_| {}), 4), Some((2, 20)), "a transaction is open from 25 on");
        assert_eq!(cleaned(20, 35, &lag, 3), None, "all that may be cleaned is");
        assert_eq!(cleaned(30, 35, &config(|_| {}), 4), None);
    }

    #[test]
    fn the_dirty_part_must_be_worth_it_unless_a_record_has_waited() {
        let ratio = |ratio| config(|config| config.min_cleanable_dirty_ratio = ratio);
        assert_eq!(cleaned(10, 35, &ratio(0.39), 4), Some((3, 30)), "400 bytes of 1,000");
        assert_eq!(cleaned(10, 35, &ratio(0.4), 4), None, "more than the ratio, as in Kafka");
        let waited = config(|config| {
            config.min_cleanable_dirty_ratio = 0.9;
            config.max_compaction_lag_ms = 2 * DAY_MS as u64;
        });
        assert_eq!(cleaned(10, 35, &waited, 3), None);
        assert_eq!(cleaned(10, 35, &waited, 4), Some((3, 30)), "its first record is of day 1");
        assert_eq!(due(&list(30), 35, &waited, 5 * DAY_MS), Due::Nothing);
        assert_eq!(due(&list(30), 35, &waited, 6 * DAY_MS), Due::Roll);
    }
}
