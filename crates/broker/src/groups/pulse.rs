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
pub(super) struct Pulse {
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
    pub(super) fn due(&self, deadline_ms: u64) {
        if deadline_ms < self.armed_ms.load(Ordering::Acquire) {
            self.earlier.notify_one();
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
        // Armed before the look, so that a deadline which is set meanwhile notifies.
        pulse.armed_ms.store(u64::MAX, Ordering::Release);
        let next_ms = groups.next_deadline_ms();
        pulse.armed_ms.store(next_ms, Ordering::Release);
        let now_ms = alive.monotonic_ms();
        if next_ms > now_ms {
            let surroundings = groups.surroundings.clone();
            let stop = alive.stop.wait();
            drop(alive);
            let sleep = tokio::time::sleep(Duration::from_millis((next_ms - now_ms).min(LONGEST_SLEEP_MS)));
            tokio::select! {
                () = sleep => {}
                () = surroundings.pulse.earlier.notified() => {}
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
