//! InitProducerId: a producer gets the id, and fences whoever had it before (KIP-98), or goes on after an error (KIP-360).
use crate::answer::{Answer, Producer, TransactionError};
use crate::end::End;
use crate::event::TransactionEventKind;
use crate::planted::planted;
use crate::records::{NONE, StoredTransaction, TransactionState};
use crate::request::InitProducer;
use crate::settings::Settings;
use crate::step::{NeedsProducerId, Step};
use ottla_groups::{Now, Ticket};

/// What a producer is to be given.
enum Claim {
    /// The next epoch.
    Next,
    /// What it was given before; the answer was lost.
    Again,
    /// Nothing yet: the transaction that is there is aborted first.
    AbortFirst,
}

/// Whether a request makes sense at all.
pub(crate) fn check(request: &InitProducer, settings: &Settings) -> Result<(), TransactionError> {
    if (request.producer_id == NONE) != (i64::from(request.producer_epoch) == NONE) {
        return Err(TransactionError::InvalidRequest);
    }
    let is_bounded = (1..=settings.max_timeout_ms).contains(&request.timeout_ms);
    if is_bounded { Ok(()) } else { Err(TransactionError::InvalidTransactionTimeout) }
}

/// What is stored of an id that nobody had.
pub(crate) fn first(now: Now, request: &InitProducer, producer_id: i64) -> StoredTransaction {
    StoredTransaction {
        producer_id,
        producer_epoch: 0,
        timeout_ms: request.timeout_ms,
        state: TransactionState::Empty,
        partitions: Default::default(),
        last_update_ms: now.wall_ms,
        start_ms: NONE,
        previous_producer_id: producer_id,
        next_producer_id: NONE,
        client_version: 0,
    }
}

impl InitProducer {
    /// The producer that it says it is.
    fn known(&self) -> Option<Producer> {
        (self.producer_id != NONE).then_some(Producer { id: self.producer_id, epoch: self.producer_epoch })
    }
}

impl Step<'_> {
    pub(crate) fn init(&mut self, ticket: Ticket, request: &InitProducer) -> Result<(), NeedsProducerId> {
        match self.claim(request.known()) {
            Err(error) => self.reply(ticket, Answer::InitProducer(Err(error))),
            Ok(Claim::AbortFirst) => {
                let cause = match request.known() {
                    None => "another process has initialised the transactional id",
                    Some(_) => "its producer begins anew",
                };
                self.end(End { commits: false, bumps_epoch: true, ticket: None, cause })?;
                self.reply(ticket, Answer::InitProducer(Err(TransactionError::ConcurrentTransactions)));
            }
            Ok(Claim::Again) => {
                let (producer, last) = (self.transaction.producer(), self.transaction.last_producer);
                self.hand_out(ticket, request, producer, "its producer asks again");
                self.transaction.last_producer = last;
            }
            Ok(Claim::Next) => {
                let next = self.succession()?.next;
                let next =
                    if planted!(self.settings, SecondProcessDoesNotFence) { self.transaction.producer() } else { next };
                let last = request.known();
                let cause = if last.is_some() { "its producer goes on after an error" } else { "a process starts" };
                self.hand_out(ticket, request, next, cause);
                self.transaction.last_producer = last;
            }
        }
        Ok(())
    }

    /// What somebody may have who knows this producer, or none.
    ///
    /// In Kafka an ongoing transaction is also aborted for whoever knows an older epoch, and only then it is fenced. Here
    /// it is fenced at once.
    fn claim(&self, known: Option<Producer>) -> Result<Claim, TransactionError> {
        let (current, last) = (self.transaction.producer(), self.transaction.last_producer);
        let is_current = known.is_none_or(|known| known == current);
        let is_known = is_current || known == last || planted!(self.settings, KnownEpochNotChecked);
        if !is_known {
            return Err(TransactionError::ProducerFenced);
        }
        if self.transaction.is_ending() {
            return Err(TransactionError::ConcurrentTransactions);
        }
        match self.transaction.stored().state {
            TransactionState::Ongoing if !is_current => Err(TransactionError::ProducerFenced),
            TransactionState::Ongoing => Ok(Claim::AbortFirst),
            _ if known.is_some() && known == last && !is_current => Ok(Claim::Again),
            _ => Ok(Claim::Next),
        }
    }

    fn hand_out(&mut self, ticket: Ticket, request: &InitProducer, producer: Producer, cause: &str) {
        let stored = self.transaction.stored();
        let is_other = stored.producer_id != producer.id || stored.producer_epoch != producer.epoch;
        let stored = StoredTransaction {
            // Who asks again may do so once more.
            previous_producer_id: if is_other { stored.producer_id } else { stored.previous_producer_id },
            client_version: stored.client_version,
            producer_epoch: producer.epoch,
            ..first(self.now, request, producer.id)
        };
        let answer = Answer::InitProducer(Ok(producer));
        if planted!(self.settings, InitAnsweredBeforeDurable) {
            self.reply(ticket, answer);
            return self.record(stored);
        }
        self.record(stored);
        self.tell(TransactionEventKind::Initialised { producer, cause: cause.into() });
        self.reply(ticket, answer);
    }
}
