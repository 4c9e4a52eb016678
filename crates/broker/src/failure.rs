//! The end that nobody asked for: storage that takes no more writes. The command line waits for it and exits.

use std::sync::OnceLock;

use tokio::sync::Notify;

/// Why the broker must stop, once something says so. Thread-safe: engines report from threads of their own.
#[derive(Debug, Default)]
pub(crate) struct Failure {
    reason: OnceLock<String>,
    told: Notify,
}

impl Failure {
    /// Reports why the broker cannot go on; only the first reason counts.
    pub(crate) fn report(&self, reason: String) {
        if self.reason.set(reason).is_ok() {
            self.told.notify_waiters();
        }
    }

    /// Why it cannot, if it cannot.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    /// Resolves with the reason once there is one.
    pub(crate) async fn wait(&self) -> String {
        loop {
            let told = self.told.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            if let Some(reason) = self.reason.get() {
                return reason.clone();
            }
            told.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn the_first_reason_reaches_who_waits_and_who_comes_later() {
        let failure = Arc::new(Failure::default());
        let waiting = tokio::spawn({
            let failure = failure.clone();
            async move { failure.wait().await }
        });
        tokio::task::yield_now().await;
        let thread = std::thread::spawn({
            let failure = failure.clone();
            move || failure.report("the disk is gone".to_owned())
        });
        thread.join().expect("no panic");
        failure.report("something else".to_owned());
        assert_eq!(waiting.await.expect("no panic"), "the disk is gone");
        assert_eq!(failure.wait().await, "the disk is gone");
    }
}
