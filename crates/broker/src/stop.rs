//! The wish to stop, seen by everything that waits.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Once requested, never taken back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<State>);

#[derive(Debug, Default)]
struct State {
    requested: AtomicBool,
    told: Notify,
}

impl Stop {
    /// Everybody shall stop.
    pub(crate) fn request(&self) {
        self.0.requested.store(true, Ordering::Release);
        self.0.told.notify_waiters();
    }

    /// Whether everybody shall stop.
    pub(crate) fn is_requested(&self) -> bool {
        self.0.requested.load(Ordering::Acquire)
    }

    /// Resolves once everybody shall stop.
    pub(crate) fn wait(&self) -> impl Future<Output = ()> + Send + 'static {
        let state = self.0.clone();
        async move {
            let told = state.told.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            if !state.requested.load(Ordering::Acquire) {
                told.await;
            }
        }
    }
}
