//! Who may connect: how many connections there may be, from one address, and how fast they may come.
//!
//! As in Kafka, connections above `max.connections` and faster than `max.connection.creation.rate` wait in the listener's queue; those above
//! `max.connections.per.ip` are closed at once; those faster than an address's quota are closed when its time is over. And some file
//! descriptors are kept for files: a connection that would take one of them is closed at once.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::Broker;
use crate::config::ConnectionLimits;
use crate::quotas::{Rate, Windows};

/// How often the log says that connections cannot be accepted; whoever floods a broker shall not flood its log.
const SAY_EVERY_MS: u64 = 10_000;
/// When a listener that waits looks again whether the limit was raised.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// All connections, over all listeners.
pub(crate) struct Places {
    /// What the file descriptors allow.
    most: usize,
    state: Mutex<State>,
    one_is_free: Notify,
}

#[derive(Default)]
struct State {
    taken: usize,
    by_address: HashMap<IpAddr, usize>,
    created: Rate,
    /// When the log may next say that a connection was not accepted; milliseconds of the broker's monotonic clock.
    say_again_ms: u64,
    /// How many it has not said.
    unsaid: usize,
}

/// One connection's place; free again when dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.places.lock();
        state.taken -= 1;
        if let Some(count) = state.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                state.by_address.remove(&self.address);
            }
        }
        drop(state);
        self.places.one_is_free.notify_one();
    }
}

/// What becomes of a new connection.
pub(crate) enum Admission {
    /// It is served.
    Admitted(Place),
    /// It is closed after so long.
    Throttled(Place, Duration),
    /// It is closed at once.
    Refused,
}

impl Places {
    /// At most so many, whatever is configured.
    pub(crate) fn new(most: usize) -> Self {
        Places { most, state: Mutex::default(), one_is_free: Notify::new() }
    }

    /// Resolves when a listener may accept one more connection. Two listeners may see the same place; then there is one too many for
    /// as long as that takes.
    pub(crate) async fn may_accept(&self, broker: &Broker) {
        loop {
            let freed = self.one_is_free.notified();
            let config = broker.config();
            let limits = &config.settings().connection_limits;
            let wait = match self.is_below(limits.total) {
                true => Duration::from_millis(self.throttle_ms(broker, limits)),
                false => LOOK_AGAIN,
            };
            if wait.is_zero() {
                return;
            }
            tokio::select! {
                () = freed => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// The descriptors' bound is not waited for: it is there for files, and whoever waits would not know why.
    fn is_below(&self, limit: usize) -> bool {
        self.lock().taken < limit
    }

    fn throttle_ms(&self, broker: &Broker, limits: &ConnectionLimits) -> u64 {
        let windows = windows(broker);
        let bound = f64::from(limits.created_per_second);
        let throttle_ms = self.lock().created.throttle_ms(windows, bound, broker.monotonic_ms());
        throttle_ms.min(windows.length_ms)
    }

    /// Takes a place for a connection that was accepted.
    pub(crate) fn take(self: &Arc<Self>, broker: &Broker, peer: SocketAddr) -> Admission {
        let address = peer.ip().to_canonical();
        let most_of_address = broker.config().settings().connection_limits.of_address(address);
        let mut state = self.lock();
        let of_address = state.by_address.get(&address).copied().unwrap_or(0);
        let now_ms = broker.monotonic_ms();
        if state.taken >= self.most || of_address >= most_of_address {
            state.refused(now_ms, peer, (of_address >= most_of_address).then_some(most_of_address));
            return Admission::Refused;
        }
        state.taken += 1;
        *state.by_address.entry(address).or_default() += 1;
        state.created.record(windows(broker), 1.0, now_ms);
        drop(state);
        let place = Place { places: self.clone(), address };
        match broker.quotas.connected(address) {
            0 => Admission::Admitted(place),
            throttle_ms => {
                if let Some(more) = self.may_say(now_ms) {
                    tracing::warn!(
                        "closing a new connection of {peer} ({more} more since this was last said): its address opens more than the \
                         quota connection_creation_rate allows"
                    );
                }
                Admission::Throttled(place, Duration::from_millis(throttle_ms))
            }
        }
    }

    /// Whether the log may say that something went wrong with a new connection, and how many times it has not since it last did.
    pub(crate) fn may_say(&self, now_ms: u64) -> Option<usize> {
        self.lock().may_say(now_ms)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn windows(broker: &Broker) -> Windows {
    broker.config().settings().quota_windows
}

impl State {
    fn refused(&mut self, now_ms: u64, peer: SocketAddr, limit_of_address: Option<usize>) {
        let Some(more) = self.may_say(now_ms) else { return };
        match limit_of_address {
            Some(limit) => tracing::warn!(
                "closed a new connection of {peer} ({more} more since this was last said): its address has {limit}, which \
                 is what max.connections.per.ip and its overrides allow; close connections or raise the limit"
            ),
            None => tracing::warn!(
                "closed a new connection of {peer} ({more} more since this was last said): {} are open, and the other file \
                 descriptors are kept for files; close connections or raise the limit of open files (ulimit -n)",
                self.taken
            ),
        }
    }

    fn may_say(&mut self, now_ms: u64) -> Option<usize> {
        if now_ms < self.say_again_ms {
            self.unsaid += 1;
            return None;
        }
        self.say_again_ms = now_ms.saturating_add(SAY_EVERY_MS);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_says_once_in_a_while_and_counts_the_rest() {
        let places = Places::new(0);
        assert_eq!(places.may_say(5), Some(0));
        assert_eq!(places.may_say(6), None);
        assert_eq!(places.may_say(SAY_EVERY_MS + 4), None);
        assert_eq!(places.may_say(SAY_EVERY_MS + 5), Some(2));
        assert_eq!(places.may_say(SAY_EVERY_MS + 6), None);
    }
}
