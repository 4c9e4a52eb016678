//! EndTxn, and how every end is written: in one step, whoever wants it.
use crate::OFFSETS_TOPIC;
use crate::answer::{Answer, Producer, TransactionError};
use crate::event::{Action, EndFailed, EndId, EndStep, TransactionEventKind};
use crate::planted::planted;
use crate::records::{NONE, Partitions, StoredTransaction, TransactionState, encode};
use crate::request::EndTransaction;
use crate::step::{NeedsProducerId, Step, Succession};
use crate::transaction::{Ending, LAST_EPOCH};
use alloc::vec::Vec;
use ottla_groups::Ticket;

/// The `transaction.version` of ends that move the epoch.
const NEWEST_VERSION: i16 = 2;

/// An end that somebody wants.
pub(crate) struct End {
    pub(crate) commits: bool,
    /// The producer goes on with the next epoch (KIP-890), or is fenced by it.
    pub(crate) bumps_epoch: bool,
    /// Who is answered.
    pub(crate) ticket: Option<Ticket>,
    pub(crate) cause: &'static str,
}

/// What a producer that asks for an end is to be told.
enum Verdict {
    /// It is ended now.
    End,
    /// There was nothing to abort, but the epoch moves all the same.
    AbortNothing,
    /// It has ended, and so.
    Done,
}

impl Step<'_> {
    pub(crate) fn end_transaction(&mut self, ticket: Ticket, request: &EndTransaction) -> Result<(), NeedsProducerId> {
        let EndTransaction { commits, bumps_epoch, .. } = *request;
        match self.verdict(request) {
            Err(error) => self.reply(ticket, Answer::EndTransaction(Err(error))),
            Ok(Verdict::Done) => {
                let producer = self.transaction.producer();
                self.reply(ticket, Answer::EndTransaction(Ok(producer)));
            }
            Ok(Verdict::AbortNothing) => self.abort_nothing(ticket)?,
            Ok(Verdict::End) => {
                let cause = if commits { "its producer commits" } else { "its producer aborts" };
                self.end(End { commits, bumps_epoch, ticket: Some(ticket), cause })?;
            }
        }
        Ok(())
    }

    fn verdict(&self, request: &EndTransaction) -> Result<Verdict, TransactionError> {
        let asks = Producer { id: request.producer_id, epoch: request.producer_epoch };
        let state = self.transaction.stored().state;
        let has_ended_so = match state {
            TransactionState::CompleteCommit => request.commits,
            TransactionState::CompleteAbort => !request.commits || planted!(self.settings, AbortedEndToldAsCommit),
            _ => false,
        };
        let has_ended = matches!(state, TransactionState::CompleteCommit | TransactionState::CompleteAbort);
        let is_retry = has_ended && request.bumps_epoch && self.follows(asks) && !self.transaction.is_ending();
        if is_retry && !planted!(self.settings, RetriedEndRefused) {
            if planted!(self.settings, RetriedEndDoneTwice) {
                return Ok(Verdict::AbortNothing);
            }
            return if has_ended_so { Ok(Verdict::Done) } else { Err(TransactionError::InvalidTxnState) };
        }
        let is_ongoing = state == TransactionState::Ongoing;
        if planted!(self.settings, RetriedEndEndsTheNext) && is_ongoing && self.follows(asks) {
            return Ok(Verdict::End);
        }
        self.transaction.check_producer(asks)?;
        match state {
            TransactionState::Ongoing => Ok(Verdict::End),
            _ if request.bumps_epoch && !request.commits => Ok(Verdict::AbortNothing),
            // Before version 2 the epoch stays, so this is who ended it.
            _ if !request.bumps_epoch && has_ended_so => Ok(Verdict::Done),
            _ => Err(TransactionError::InvalidTxnState),
        }
    }

    /// The current producer is the one that came after this one with the last end (KIP-890).
    ///
    /// The last end must have moved the epoch. In Kafka it need not, so a producer of version 2 that was fenced by one of version 1
    /// may be told that it goes on as that one.
    fn follows(&self, asks: Producer) -> bool {
        let stored = self.transaction.stored();
        if stored.client_version < NEWEST_VERSION {
            return false;
        }
        let exhausted = asks.id == stored.previous_producer_id
            && asks.id != stored.producer_id
            && asks.epoch == LAST_EPOCH
            && stored.producer_epoch == 0;
        exhausted || (asks.id == stored.producer_id && asks.epoch.checked_add(1) == Some(stored.producer_epoch))
    }

    /// No marker is to be written, so it is a record like any other.
    fn abort_nothing(&mut self, ticket: Ticket) -> Result<(), NeedsProducerId> {
        let next = self.succession()?.next;
        let (from, before) = (self.transaction.state(), self.transaction.producer());
        let stored = StoredTransaction { start_ms: self.now.wall_ms, ..self.ended(false, next, NEWEST_VERSION) };
        self.record(stored);
        self.transaction.last_producer = Some(before);
        self.tell_change(from, "its producer aborts, and nothing was in it");
        self.reply(ticket, Answer::EndTransaction(Ok(next)));
        Ok(())
    }

    /// What is stored when the transaction has ended.
    fn ended(&self, commits: bool, next: Producer, client_version: i16) -> StoredTransaction {
        let stored = self.transaction.stored();
        StoredTransaction {
            producer_id: next.id,
            producer_epoch: next.epoch,
            state: if commits { TransactionState::CompleteCommit } else { TransactionState::CompleteAbort },
            partitions: Partitions::new(),
            last_update_ms: self.now.wall_ms,
            previous_producer_id: stored.producer_id,
            next_producer_id: NONE,
            client_version,
            ..*stored
        }
    }

    /// Begins to end an ongoing transaction.
    pub(crate) fn end(&mut self, end: End) -> Result<(), NeedsProducerId> {
        let current = self.transaction.producer();
        let (succession, version) = match end.bumps_epoch {
            true => (self.succession()?, NEWEST_VERSION),
            false => (Succession { next: current, marker_epoch: current.epoch }, 0),
        };
        let next = self.ended(end.commits, succession.next, version);
        self.write(end, next, succession.marker_epoch);
        Ok(())
    }

    /// Ends what a log of Kafka's says is about to end: its record holds the epoch of the markers already.
    pub(crate) fn resume_end(&mut self) {
        let stored = self.transaction.stored();
        let (commits, marker_epoch) = (stored.state == TransactionState::PrepareCommit, stored.producer_epoch);
        let next = match stored.next_producer_id {
            NONE => stored.producer(),
            id => Producer { id, epoch: 0 },
        };
        let next = self.ended(commits, next, stored.client_version);
        let cause = "the log says that its end was prepared";
        self.write(End { commits, bumps_epoch: false, ticket: None, cause }, next, marker_epoch);
    }

    fn write(&mut self, end: End, next: StoredTransaction, marker_epoch: i16) {
        let from = self.transaction.state();
        let number = EndId(self.number());
        let stored = self.transaction.stored();
        let (groups, partitions): (Vec<_>, Vec<_>) = stored
            .partitions
            .iter()
            .map(|(topic, numbers)| (topic.clone(), numbers.iter().copied().collect::<Vec<_>>()))
            .partition(|(topic, _)| topic == OFFSETS_TOPIC);
        let mut groups: Vec<i32> = groups.into_iter().flat_map(|(_, numbers)| numbers).collect();
        if planted!(self.settings, GroupLeftOut) {
            groups.clear();
        }
        let step = EndStep {
            end: number,
            transactional_id: self.id.into(),
            producer_id: stored.producer_id,
            producer_epoch: marker_epoch,
            commits: end.commits,
            partitions,
            groups,
            record: encode(self.id, Some(&next)),
        };
        let mut ticket = end.ticket;
        if planted!(self.settings, EndAnsweredBeforeDurable)
            && let Some(ticket) = ticket.take()
        {
            self.reply(ticket, Answer::EndTransaction(Ok(next.producer())));
        }
        if planted!(self.settings, HalfAnEnd) {
            self.record(next.clone());
        }
        self.transaction.deadline_ms = None;
        self.transaction.ending = Some(Ending { end: number, next, ticket, cause: end.cause });
        if self.transaction.state() != from {
            self.tell_change(from, end.cause);
        }
        self.actions.push(Action::End(step));
    }

    /// The engine says what became of an end.
    pub(crate) fn ended_or_failed(&mut self, end: EndId, result: Result<(), EndFailed>) {
        let from = self.transaction.state();
        let Some(Ending { next, ticket, cause, .. }) = self.transaction.ending.take_if(|ending| ending.end == end)
        else {
            return;
        };
        let answer = match result {
            Ok(()) => {
                let (before, after) = (self.transaction.producer(), next.producer());
                self.transaction.durable.apply(next);
                if before != after {
                    self.transaction.last_producer = Some(before);
                }
                self.tell_change(from, cause);
                Ok(after)
            }
            Err(failed) => {
                let later_ms = self.now.monotonic_ms.saturating_add(self.settings.abort_interval_ms.max(1));
                let is_prepared = self.transaction.stored().state.is_prepared();
                let timed_out_at = if is_prepared { 0 } else { self.transaction.timed_out_at(self.now) };
                let forgets = planted!(self.settings, FailedEndForgotten);
                self.transaction.deadline_ms = (!forgets).then_some(timed_out_at.max(later_ms));
                self.tell(TransactionEventKind::EndFailed { problem: failed.problem });
                Err(TransactionError::CoordinatorNotAvailable)
            }
        };
        if let Some(ticket) = ticket {
            self.reply(ticket, Answer::EndTransaction(answer));
        }
    }
}
