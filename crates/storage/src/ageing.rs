//! When a log goes on in a new segment, and which segments may go: pure decisions for all engines, by Kafka's rules.

use crate::LogConfig;

/// The segment that grows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growing {
    /// How much it holds.
    pub(crate) bytes: u64,
    /// The largest timestamp of its first batch; negative where that has none.
    pub(crate) first_timestamp_ms: i64,
    /// When it was begun, by the broker's clock.
    pub(crate) created_ms: i64,
    /// The same for the whole life of the segment, and another one for the next: where it stands within the jitter.
    pub(crate) seed: u64,
}

impl Growing {
    /// Whether the log goes on in a new segment before a batch. Age goes by the records: from the first batch in the segment
    /// to the one that comes. Only where the first one has no timestamp it goes by the clock.
    pub(crate) fn ends_before(&self, batch_bytes: u64, timestamp_ms: i64, config: &LogConfig, now_ms: i64) -> bool {
        if self.bytes == 0 {
            return false;
        }
        let waited_ms = match self.first_timestamp_ms {
            first_ms @ 0.. => timestamp_ms.saturating_sub(first_ms),
            _ => now_ms.saturating_sub(self.created_ms),
        };
        let most_ms = config.segment_ms - self.jitter_ms(config);
        self.bytes.saturating_add(batch_bytes) > config.segment_bytes || is_more(waited_ms, most_ms)
    }

    /// Counts a batch in.
    pub(crate) fn add(&mut self, batch_bytes: u64, timestamp_ms: i64) {
        if self.bytes == 0 {
            self.first_timestamp_ms = timestamp_ms;
        }
        self.bytes += batch_bytes;
    }

    fn jitter_ms(&self, config: &LogConfig) -> u64 {
        // One step of SplitMix64, so that neighbouring seeds stand far from each other.
        let mut mixed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).checked_rem(config.segment_jitter_ms.min(config.segment_ms)).unwrap_or(0)
    }
}

/// One segment, as far as its age and size matter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Aged {
    /// The offset after its last record.
    pub(crate) end_offset: i64,
    /// How much it holds.
    pub(crate) bytes: u64,
    /// The largest timestamp in it; negative where no record has one.
    pub(crate) max_timestamp_ms: i64,
    /// When it was last written, by the broker's clock: its age where no record has a timestamp.
    pub(crate) written_ms: i64,
}

impl Aged {
    fn is_too_old(&self, config: &LogConfig, now_ms: i64) -> bool {
        let newest_ms = if self.max_timestamp_ms >= 0 { self.max_timestamp_ms } else { self.written_ms };
        config.retention_ms.is_some_and(|most_ms| is_more(now_ms.saturating_sub(newest_ms), most_ms))
    }
}

/// Where a log of these segments must start to keep to `retention.bytes` and `retention.ms`; `None` where it does. Whole
/// segments go, the oldest first, up to the first one that stays.
pub(crate) fn log_start(config: &LogConfig, now_ms: i64, segments: &[Aged]) -> Option<i64> {
    if !config.delete {
        return None;
    }
    let too_much = too_much(config, segments);
    let too_old = segments.iter().skip(too_much).take_while(|segment| segment.is_too_old(config, now_ms)).count();
    segments.iter().take(too_much + too_old).next_back().map(|segment| segment.end_offset)
}

/// How many segments can go without leaving less than `retention.bytes`.
fn too_much(config: &LogConfig, segments: &[Aged]) -> usize {
    let Some(most_bytes) = config.retention_bytes else { return 0 };
    let all_bytes: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let Some(mut excess_bytes) = all_bytes.checked_sub(most_bytes) else { return 0 };
    let goes = |segment: &&Aged| match excess_bytes.checked_sub(segment.bytes) {
        Some(left) => {
            excess_bytes = left;
            true
        }
        None => false,
    };
    segments.iter().take_while(goes).count()
}

fn is_more(time_ms: i64, most_ms: u64) -> bool {
    u64::try_from(time_ms).is_ok_and(|time_ms| time_ms > most_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_000_000;

    fn config(retention_ms: Option<u64>, retention_bytes: Option<u64>) -> LogConfig {
        LogConfig { retention_ms, retention_bytes, segment_bytes: 100, segment_ms: 50, ..LogConfig::default() }
    }

    /// Segments of 10 bytes and ten records each, whose newest records are that old.
    fn aged(ages_ms: &[i64]) -> Vec<Aged> {
        let segment = |(number, age_ms): (i64, &i64)| Aged {
            end_offset: number * 10,
            bytes: 10,
            max_timestamp_ms: NOW_MS - age_ms,
            written_ms: NOW_MS,
        };
        (1..).zip(ages_ms).map(segment).collect()
    }

    #[test]
    fn too_old_segments_go_up_to_the_first_that_stays() {
        let start = |ages: &[i64]| log_start(&config(Some(100), None), NOW_MS, &aged(ages));
        assert_eq!(start(&[]), None);
        assert_eq!(start(&[100, 500]), None, "just as old as it may be");
        assert_eq!(start(&[101, 50, 500]), Some(10));
        assert_eq!(start(&[900, 101, 101]), Some(30));
        assert_eq!(start(&[-5, 900]), None, "the future is not old");
        assert_eq!(log_start(&config(None, None), NOW_MS, &aged(&[i64::MAX])), None);
        let compacted = LogConfig { delete: false, compact: true, ..config(Some(100), Some(0)) };
        assert_eq!(log_start(&compacted, NOW_MS, &aged(&[500])), None);
    }

    #[test]
    fn without_timestamps_age_is_that_of_the_last_write() {
        let start = |written_ms| {
            let segment = Aged { end_offset: 7, bytes: 1, max_timestamp_ms: -1, written_ms };
            log_start(&config(Some(100), None), NOW_MS, &[segment])
        };
        assert_eq!((start(NOW_MS - 101), start(NOW_MS - 100), start(i64::MAX)), (Some(7), None, None));
    }

    #[test]
    fn segments_go_while_enough_is_left() {
        let start = |most_bytes| log_start(&config(None, Some(most_bytes)), NOW_MS, &aged(&[0, 0, 0]));
        let expected =
            [(31, None), (30, None), (21, None), (20, Some(10)), (11, Some(10)), (10, Some(20)), (0, Some(30))];
        for (most_bytes, expected) in expected {
            assert_eq!(start(most_bytes), expected, "{most_bytes}");
        }
        let both = config(Some(100), Some(20));
        assert_eq!(log_start(&both, NOW_MS, &aged(&[0, 500, 0])), Some(20), "old ones behind what size removes");
        assert_eq!(log_start(&both, NOW_MS, &aged(&[0, 0, 500])), Some(10));
    }

    fn growing() -> Growing {
        Growing { bytes: 90, first_timestamp_ms: 1_000, created_ms: NOW_MS - 51, seed: 7 }
    }

    #[test]
    fn a_segment_ends_by_size_or_by_the_age_of_its_records() {
        let ends = |growing: Growing, bytes, at_ms| growing.ends_before(bytes, at_ms, &config(None, None), NOW_MS);
        assert!(!ends(growing(), 10, 1_050) && ends(growing(), 11, 1_050) && ends(growing(), 10, 1_051));
        assert!(!ends(growing(), 10, -1) && !ends(growing(), 10, 900), "earlier records make nothing older");
        let untimed = Growing { first_timestamp_ms: -1, ..growing() };
        assert!(ends(untimed, 1, 1_000) && !ends(Growing { created_ms: NOW_MS - 50, ..untimed }, 1, i64::MAX));
        assert!(!ends(Growing { bytes: 0, ..growing() }, 1_000, i64::MAX), "an empty one takes anything");
        let extreme = Growing { first_timestamp_ms: i64::MIN, created_ms: i64::MIN, ..growing() };
        assert!(ends(extreme, u64::MAX, i64::MAX));
    }

    #[test]
    fn jitter_ends_segments_earlier_and_each_at_its_own_time() {
        let jittered = LogConfig { segment_jitter_ms: 1_000, segment_ms: 500, ..config(None, None) };
        let lives_ms = |seed| {
            let growing = Growing { seed, ..growing() };
            (0..).find(|ms| growing.ends_before(1, 1_000 + ms, &jittered, NOW_MS)).unwrap_or_default()
        };
        let lives: std::collections::BTreeSet<i64> = (0..50).map(lives_ms).collect();
        assert!(lives.len() > 25 && lives.first() < Some(&100) && lives.last() > Some(&400), "{lives:?}");
        assert!(lives.last() <= Some(&501));
    }
}
