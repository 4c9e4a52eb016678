//! The few threads that read what is not in memory, so that no caller ever waits for a disk.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One read. It answers through what it has captured; dropped, its caller sees the engine as gone.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// After so long without a read the threads are idle.
const IDLE_AFTER: Duration = Duration::from_secs(5);

/// Reads that wait for a thread, bounded.
pub(super) struct ReadQueue {
    state: Mutex<State>,
    changed: Condvar,
    limit: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    stopped: bool,
}

impl State {
    fn is_idle(&self) -> bool {
        self.jobs.is_empty() && !self.stopped
    }
}

impl ReadQueue {
    pub(super) fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), limit: limit.max(1) }
    }

    /// Queues a read; answers it back where too many wait, or where the engine has ended.
    pub(super) fn push(&self, job: Job) -> Result<(), Job> {
        let mut state = self.lock();
        if state.stopped || state.jobs.len() >= self.limit {
            return Err(job);
        }
        state.jobs.push_back(job);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// The body of each thread. When there was nothing to do for a while, `on_idle` is called once.
    pub(super) fn run(&self, on_idle: impl Fn()) {
        while let Some(job) = self.next_within(IDLE_AFTER).or_else(|| {
            on_idle();
            self.next()
        }) {
            job();
        }
    }

    /// Does the next read, if one waits; answers whether there was one.
    #[cfg(feature = "simulation")]
    pub(super) fn try_turn(&self) -> bool {
        let job = self.lock().jobs.pop_front();
        job.map(|job| job()).is_some()
    }

    /// Ends the threads; reads that wait are dropped.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        let dropped = std::mem::take(&mut state.jobs);
        drop(state);
        drop(dropped);
        self.changed.notify_all();
    }

    fn next_within(&self, time: Duration) -> Option<Job> {
        let waited = self.changed.wait_timeout_while(self.lock(), time, |state| state.is_idle());
        waited.unwrap_or_else(PoisonError::into_inner).0.jobs.pop_front()
    }

    fn next(&self) -> Option<Job> {
        let state = self.lock();
        let idle = |state: &mut State| state.is_idle();
        let mut state = self.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner);
        state.jobs.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn more_than_the_limit_is_refused_and_the_rest_runs_in_order() {
        let queue = ReadQueue::new(3);
        let (sender, receiver) = channel();
        let job = |number: u32| -> Job {
            let sender = sender.clone();
            Box::new(move || sender.send(number).unwrap())
        };
        (0..3).for_each(|number| assert!(queue.push(job(number)).is_ok()));
        assert!(queue.push(job(3)).is_err());
        (0..3).for_each(|_| queue.next().unwrap()());
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
        queue.stop();
        assert!(queue.next().is_none());
        assert!(queue.push(job(4)).is_err());
    }
}
