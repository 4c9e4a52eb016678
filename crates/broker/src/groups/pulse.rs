//! Wakes coordinators when a deadline of theirs comes.

use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ottla_groups::Event;
use tokio::sync::Notify;

use crate::Broker;

/// How long it sleeps at most, in milliseconds: timers cannot be set to infinity.
const LONGEST_SLEEP_MS: u64 = 60_000;

/// The earliest deadline that the waking task sleeps for, and how to tell it of an earlier one.
#[derive(Debug)]
pub(crate) struct Pulse {
    armed_ms: AtomicU64,
    earlier: Notify,
}

impl Default for Pulse {
    fn default() -> Self {
        Self { armed_ms: AtomicU64::new(u64::MAX), earlier: Notify::new() }
    }
}

impl Pulse {
    /// A coordinator now has this deadline, in monotonic milliseconds.
    pub(crate) fn due(&self, deadline_ms: u64) {
        if deadline_ms < self.armed_ms.load(Ordering::Acquire) {
            self.earlier.notify_one();
        }
    }

    /// Sets what is slept for to the earliest of all deadlines, and answers it; one that is set meanwhile notifies.
    pub(crate) fn arm(&self, next_deadline_ms: impl FnOnce() -> u64) -> u64 {
        self.armed_ms.store(u64::MAX, Ordering::Release);
        let next_ms = next_deadline_ms();
        self.armed_ms.store(next_ms, Ordering::Release);
        next_ms
    }

    /// Sleeps so long at most, until a deadline is set that is earlier than the armed one.
    pub(crate) async fn sleep(&self, sleep_ms: u64) {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(sleep_ms.min(LONGEST_SLEEP_MS))) => {}
            () = self.earlier.notified() => {}
        }
    }
}

/// Has expired commits looked for at this interval, until the broker stops or is gone.
pub(super) async fn expire(broker: Weak<Broker>, interval: Duration) {
    while let Some(alive) = broker.upgrade() {
        let (stop, shards) = (alive.stop.wait(), alive.groups.shards.clone());
        drop(alive);
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = stop => return,
        }
        for shard in shards {
            shard.tell_live(Event::ExpireOffsets);
            tokio::task::yield_now().await;
        }
    }
}

/// Runs until the broker stops or is gone.
pub(super) async fn run(broker: Weak<Broker>) {
    while let Some(alive) = broker.upgrade() {
        if alive.stop.is_requested() {
            alive.groups.close();
            return;
        }
        let groups = &alive.groups;
        let pulse = &groups.surroundings.pulse;
        let next_ms = pulse.arm(|| groups.next_deadline_ms());
        let now_ms = alive.monotonic_ms();
        if next_ms > now_ms {
            let surroundings = groups.surroundings.clone();
            let stop = alive.stop.wait();
            drop(alive);
            tokio::select! {
                () = surroundings.pulse.sleep(next_ms - now_ms) => {}
                () = stop => {}
            }
            continue;
        }
        // After a pause of the machine, requests that wait in sockets are handled before anybody is found late.
        tokio::task::yield_now().await;
        for shard in &groups.shards {
            if shard.next_deadline().is_some_and(|deadline_ms| deadline_ms <= now_ms) {
                shard.tell_live(Event::Tick);
            }
        }
    }
}
