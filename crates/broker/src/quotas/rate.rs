//! How fast something happens: over a number of short windows, as Kafka measures it, so that a quota allows bursts.

use std::collections::VecDeque;

/// Over what a rate is taken: `quota.window.num` windows of `quota.window.size.seconds`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Windows {
    /// How many, the one that grows among them.
    pub(crate) count: u32,
    /// How long each is.
    pub(crate) length_ms: u64,
}

impl Windows {
    /// All of them together.
    pub(crate) fn total_ms(self) -> u64 {
        self.length_ms.saturating_mul(u64::from(self.count))
    }

    /// How much may come at once at this rate.
    pub(crate) fn allow(self, per_second: f64) -> f64 {
        per_second * self.whole_ms() as f64 / 1000.0
    }

    /// Those that are over: what a rate is taken over at least, also where its first amount has just come.
    fn whole_ms(self) -> u64 {
        self.length_ms.saturating_mul(u64::from(self.count.max(2) - 1))
    }
}

/// Amounts in the last windows.
#[derive(Debug, Default)]
pub(crate) struct Rate {
    /// When each window began, and what came in it; the oldest first.
    samples: VecDeque<(u64, f64)>,
}

impl Rate {
    /// Counts an amount; a negative one takes back what was counted.
    pub(crate) fn record(&mut self, windows: Windows, amount: f64, now_ms: u64) {
        match self.samples.back_mut() {
            Some((began_ms, sum)) if now_ms < began_ms.saturating_add(windows.length_ms) => *sum += amount,
            _ => self.samples.push_back((now_ms, amount)),
        }
    }

    /// How long to be silent until no more than `bound` per second have come; 0 where that holds.
    pub(crate) fn throttle_ms(&mut self, windows: Windows, bound: f64, now_ms: u64) -> u64 {
        self.forget(windows, now_ms);
        let Some((oldest_ms, _)) = self.samples.front() else { return 0 };
        let over_ms = now_ms.saturating_sub(*oldest_ms).max(windows.whole_ms()) as f64;
        let sum: f64 = self.samples.iter().map(|(_, sum)| sum).sum();
        let per_second = sum * 1000.0 / over_ms;
        if per_second > bound { ((per_second - bound) / bound * over_ms).round() as u64 } else { 0 }
    }

    /// Whether nothing has come for so long that nothing is remembered.
    pub(crate) fn is_forgotten(&mut self, windows: Windows, now_ms: u64) -> bool {
        self.forget(windows, now_ms);
        self.samples.is_empty()
    }

    fn forget(&mut self, windows: Windows, now_ms: u64) {
        while self.samples.front().is_some_and(|(began_ms, _)| began_ms.saturating_add(windows.total_ms()) <= now_ms) {
            self.samples.pop_front();
        }
    }
}

/// What may be done at once, and comes back with time: a bucket that holds as much as all windows allow.
#[derive(Debug)]
pub(crate) struct Bucket {
    left: f64,
    at_ms: u64,
}

impl Bucket {
    /// A full one.
    pub(crate) fn full(windows: Windows, per_second: f64, now_ms: u64) -> Self {
        Bucket { left: Self::most(windows, per_second), at_ms: now_ms }
    }

    fn most(windows: Windows, per_second: f64) -> f64 {
        per_second * windows.total_ms() as f64 / 1000.0
    }

    /// How long to wait until something may be taken; 0 if it may be now.
    pub(crate) fn wait_ms(&mut self, windows: Windows, per_second: f64, now_ms: u64) -> u64 {
        let gained = now_ms.saturating_sub(self.at_ms) as f64 / 1000.0 * per_second;
        self.left = (self.left + gained).min(Self::most(windows, per_second));
        self.at_ms = now_ms;
        if self.left < 0.0 { (-self.left / per_second * 1000.0).round() as u64 } else { 0 }
    }

    /// Takes an amount, also one that is not there: the next wait for it.
    pub(crate) fn take(&mut self, amount: f64) {
        self.left -= amount;
    }

    /// Whether it is as good as new.
    pub(crate) fn is_full(&mut self, windows: Windows, per_second: f64, now_ms: u64) -> bool {
        self.wait_ms(windows, per_second, now_ms);
        self.left >= Self::most(windows, per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOWS: Windows = Windows { count: 11, length_ms: 1000 };

    #[test]
    fn a_burst_is_taken_over_the_whole_windows() {
        let mut rate = Rate::default();
        rate.record(WINDOWS, 10_000.0, 5);
        assert_eq!(rate.throttle_ms(WINDOWS, 1000.0, 5), 0, "10 s of it");
        rate.record(WINDOWS, 5_000.0, 6);
        assert_eq!(rate.throttle_ms(WINDOWS, 1000.0, 6), 5000);
        assert_eq!(rate.throttle_ms(WINDOWS, 1000.0, 11_004), 4001, "over nearly 11 s by now");
        assert_eq!(rate.throttle_ms(WINDOWS, 1000.0, 11_005), 0, "forgotten");
        assert!(rate.is_forgotten(WINDOWS, 11_005));
    }

    #[test]
    fn a_steady_stream_at_the_bound_is_not_throttled() {
        let mut rate = Rate::default();
        for now_ms in (0..60_000).step_by(100) {
            rate.record(WINDOWS, 99.0, now_ms);
            assert_eq!(rate.throttle_ms(WINDOWS, 1000.0, now_ms), 0, "{now_ms}");
        }
        rate.record(WINDOWS, 10_000.0, 60_000);
        assert!(rate.throttle_ms(WINDOWS, 1000.0, 60_000) > 8_000);
    }

    #[test]
    fn a_bucket_lends_and_waits() {
        let mut bucket = Bucket::full(WINDOWS, 2.0, 0);
        assert_eq!(bucket.wait_ms(WINDOWS, 2.0, 0), 0);
        bucket.take(32.0);
        assert_eq!(bucket.wait_ms(WINDOWS, 2.0, 0), 5000, "22 were there");
        assert_eq!(bucket.wait_ms(WINDOWS, 2.0, 4_999), 1);
        assert_eq!(bucket.wait_ms(WINDOWS, 2.0, 5_000), 0);
        assert!(!bucket.is_full(WINDOWS, 2.0, 5_000));
        assert!(bucket.is_full(WINDOWS, 2.0, 60_000));
        bucket.take(22.0);
        assert_eq!(bucket.wait_ms(WINDOWS, 2.0, 60_000), 0, "no more was saved up");
    }
}
