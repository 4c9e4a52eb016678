//! What others ask of the cleaner's thread.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::local::health::closed;
use crate::{Completer, Unavailable};

/// Who waits until everything that is due was cleaned.
pub(in crate::local) type Waiting = Vec<Completer<(), Unavailable>>;

/// Wakes the cleaner, and ends it.
#[derive(Default)]
pub(in crate::local) struct CleanerQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: Waiting,
    /// Somebody will see what is asked for.
    accepts: bool,
    /// There is a thread that may be in the middle of something.
    running: bool,
    stopped: bool,
}

impl CleanerQueue {
    /// Says that a thread will take turns from now on.
    pub(in crate::local) fn begin(&self) {
        let mut state = self.lock();
        (state.accepts, state.running) = (true, true);
    }

    /// Says that a simulation will take turns from now on.
    #[cfg(feature = "simulation")]
    pub(in crate::local) fn begin_stepped(&self) {
        self.lock().accepts = true;
    }

    /// Asks for a turn. Gives those who wait back where there is nobody to take it.
    pub(in crate::local) fn request(&self, waiting: Waiting) -> Result<(), Waiting> {
        let mut state = self.lock();
        if !state.accepts || state.stopped {
            return Err(waiting);
        }
        state.waiting.extend(waiting);
        self.changed.notify_all();
        Ok(())
    }

    /// Waits until a turn is asked for, or for so long; `None` when it is over.
    pub(super) fn next(&self, wait_at_most: Duration) -> Option<Waiting> {
        let idle = |state: &mut State| state.waiting.is_empty() && !state.stopped;
        let waited = self.changed.wait_timeout_while(self.lock(), wait_at_most, idle);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (!state.stopped).then(|| std::mem::take(&mut state.waiting))
    }

    /// Those who asked for a turn, without waiting for any.
    #[cfg(feature = "simulation")]
    pub(super) fn take(&self) -> Waiting {
        std::mem::take(&mut self.lock().waiting)
    }

    /// Lets time pass, unless it is over.
    pub(super) fn pause(&self, time: Duration) {
        let running = |state: &mut State| !state.stopped;
        drop(self.changed.wait_timeout_while(self.lock(), time, running));
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.lock().stopped
    }

    /// Has the cleaner end where it is.
    pub(in crate::local) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Has the cleaner end, and waits until it writes and removes nothing any more.
    pub(in crate::local) fn stop_and_wait(&self) {
        self.stop();
        drop(self.changed.wait_while(self.lock(), |state| state.running));
    }

    /// Says that no cleaner takes turns any more.
    pub(in crate::local) fn end(&self) {
        let mut state = self.lock();
        (state.running, state.stopped) = (false, true);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        self.changed.notify_all();
        waiting.into_iter().for_each(|waiter| waiter.complete(Err(closed())));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
