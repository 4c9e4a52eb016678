//! How long a large request may take to arrive.
//!
//! Only the time counts in which we waited for its bytes, not that in which we did not read. A byte now and then does not
//! buy more: the request as a whole has a time. Slow links are no offence; whoever is over the time is closed only
//! while memory is short (see [`crate::memory`]).

use std::time::Duration;

use tokio::time::Instant;

/// What every request may take.
const LEAST: Duration = Duration::from_secs(30);
/// Larger ones may take a second longer for each so many bytes.
const BYTES_PER_SECOND: usize = 512 * 1024;

/// The time that is left to a request.
#[derive(Debug)]
pub(super) struct Patience {
    left: Duration,
    waiting_since: Option<Instant>,
}

impl Patience {
    /// For a request of that announced size.
    pub(super) fn with(frame_bytes: usize) -> Self {
        let more = Duration::from_secs((frame_bytes / BYTES_PER_SECOND) as u64);
        Patience { left: LEAST + more, waiting_since: None }
    }

    /// From now on we wait for the peer.
    pub(super) fn start(&mut self, now: Instant) {
        self.waiting_since.get_or_insert(now);
    }

    /// The peer has sent something, or it is not the peer that we wait for.
    pub(super) fn stop(&mut self, now: Instant) {
        if let Some(since) = self.waiting_since.take() {
            self.left = self.left.saturating_sub(now.saturating_duration_since(since));
        }
    }

    /// When the time is over if nothing more comes; `None` while we do not wait for the peer.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting_since.map(|since| since + self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_now_and_then_does_not_buy_more_time() {
        let begin = Instant::now();
        let mut patience = Patience::with(1000);
        for seconds in [0, 10, 20] {
            patience.start(begin + Duration::from_secs(seconds));
            patience.stop(begin + Duration::from_secs(seconds + 10));
        }
        let later = begin + Duration::from_secs(30);
        patience.start(later);
        assert_eq!(patience.due(), Some(later));
    }

    #[test]
    fn time_in_which_we_did_not_read_does_not_count() {
        let begin = Instant::now();
        let mut patience = Patience::with(10 * BYTES_PER_SECOND);
        assert_eq!(patience.due(), None);
        patience.start(begin);
        patience.start(begin + Duration::from_secs(1));
        assert_eq!(patience.due(), Some(begin + Duration::from_secs(40)));
        patience.stop(begin + Duration::from_secs(5));
        patience.start(begin + Duration::from_secs(1000));
        assert_eq!(patience.due(), Some(begin + Duration::from_secs(1035)));
    }
}
