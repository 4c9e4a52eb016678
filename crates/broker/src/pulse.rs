//! Wakes coordinators when a deadline of theirs comes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

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

/// The coordinators of one kind, which are woken.
pub(crate) trait Timed {
    /// What is slept for.
    fn pulse(&self) -> &Arc<Pulse>;
    /// The earliest deadline of all coordinators, in monotonic milliseconds; `u64::MAX` if nothing is timed.
    fn next_deadline_ms(&self) -> u64;
    /// Wakes those that have a deadline by then.
    fn wake(&self, now_ms: u64);
    /// Has the coordinator of this number look for what has expired; `false` if there is none.
    fn expire(&self, index: usize) -> bool;
    /// The broker stops: nothing new begins.
    fn close(&self);
}

/// Which coordinators of a broker.
type Of<T> = fn(&Broker) -> &T;

/// Has what has expired looked for at this interval, until the broker stops or is gone.
pub(crate) async fn expire<T: Timed>(broker: Weak<Broker>, of: Of<T>, interval: Duration) {
    while let Some(alive) = broker.upgrade() {
        let stop = alive.stop.wait();
        drop(alive);
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = stop => return,
        }
        let mut index = 0;
        while broker.upgrade().is_some_and(|alive| of(&alive).expire(index)) {
            index += 1;
            tokio::task::yield_now().await;
        }
    }
}

/// Wakes coordinators until the broker stops or is gone.
pub(crate) async fn run<T: Timed>(broker: Weak<Broker>, of: Of<T>) {
    while let Some(alive) = broker.upgrade() {
        let timed = of(&alive);
        if alive.stop.is_requested() {
            timed.close();
            return;
        }
        let pulse = timed.pulse().clone();
        let next_ms = pulse.arm(|| timed.next_deadline_ms());
        let now_ms = alive.monotonic_ms();
        if next_ms > now_ms {
            let stop = alive.stop.wait();
            drop(alive);
            tokio::select! {
                () = pulse.sleep(next_ms - now_ms) => {}
                () = stop => {}
            }
            continue;
        }
        // After a pause of the machine, requests that wait in sockets are handled before anybody is found late.
        tokio::task::yield_now().await;
        of(&alive).wake(now_ms);
    }
}
