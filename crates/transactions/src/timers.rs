//! Transactions that take too long are aborted, and their producers fenced.
use crate::end::End;
use crate::event::TransactionEventKind;
use crate::planted::planted;
use crate::records::TransactionState;
use crate::step::{NeedsProducerId, Step};

impl Step<'_> {
    /// Aborts a transaction that has taken too long, or tries again to end one.
    pub(crate) fn time_out(&mut self) -> Result<(), NeedsProducerId> {
        if self.transaction.deadline_ms.is_none_or(|at| at > self.now.monotonic_ms) {
            return Ok(());
        }
        // Should this step wait for a producer id that does not come, it is taken again later.
        self.transaction.deadline_ms =
            Some(self.now.monotonic_ms.saturating_add(self.settings.abort_interval_ms.max(1)));
        if self.transaction.stored().state.is_prepared() {
            self.resume_end();
            return Ok(());
        }
        self.abort_late()
    }

    /// Aborts a transaction that has taken too long.
    pub(crate) fn abort_late(&mut self) -> Result<(), NeedsProducerId> {
        if self.transaction.is_ending() || self.transaction.stored().state != TransactionState::Ongoing {
            return Ok(());
        }
        let bumps_epoch = !planted!(self.settings, TimeOutKeepsTheEpoch);
        let cause = "it took longer than transaction.timeout.ms";
        self.end(End { commits: false, bumps_epoch, ticket: None, cause })
    }

    /// Goes on with what the log holds.
    pub(crate) fn revive(&mut self) {
        let stored = self.transaction.stored();
        if stored.state.is_prepared() {
            return self.resume_end();
        }
        if stored.state != TransactionState::Ongoing {
            return;
        }
        let partitions = stored.partitions.values().map(|numbers| numbers.len()).sum();
        let producer = stored.producer();
        if !planted!(self.settings, TimeOutForgottenAfterStart) {
            self.transaction.deadline_ms = Some(self.transaction.timed_out_at(self.now));
        }
        self.tell(TransactionEventKind::LoadedOngoing { producer, partitions });
    }
}
