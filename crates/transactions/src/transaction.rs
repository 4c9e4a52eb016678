//! One transactional id as it lives: what is durable, and what is known beyond that.
use crate::answer::{Producer, TransactionError};
use crate::durable::DurableTransaction;
use crate::event::EndId;
use crate::records::{StoredTransaction, TransactionState};
use ottla_groups::{Now, Ticket};

/// The last epoch that a producer may have. The one after it is for the markers that fence it (KIP-360).
pub(crate) const LAST_EPOCH: i16 = i16::MAX - 1;

/// One transactional id.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) durable: DurableTransaction,
    /// The producer before the current one, as long as whoever was it may ask again how it goes on (KIP-360). Not durable, as
    /// in Kafka: after a start such a producer is fenced.
    pub(crate) last_producer: Option<Producer>,
    /// The end that is being written.
    pub(crate) ending: Option<Ending>,
    /// Monotonic time in milliseconds when the transaction has taken too long, or its end is to be tried again.
    pub(crate) deadline_ms: Option<u64>,
}

/// An end that is being written.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) end: EndId,
    /// What is true when it is written.
    pub(crate) next: StoredTransaction,
    /// Who will be answered.
    pub(crate) ticket: Option<Ticket>,
    /// Why it ends.
    pub(crate) cause: &'static str,
}

impl Transaction {
    pub(crate) fn new(stored: StoredTransaction) -> Self {
        Transaction { durable: DurableTransaction::new(stored), last_producer: None, ending: None, deadline_ms: None }
    }

    pub(crate) fn stored(&self) -> &StoredTransaction {
        self.durable.stored()
    }

    /// The producer that may write.
    pub(crate) fn producer(&self) -> Producer {
        self.stored().producer()
    }

    /// The state that is told: that of an end that is being written comes before what is durable.
    pub(crate) fn state(&self) -> TransactionState {
        match &self.ending {
            Some(ending) if ending.next.state == TransactionState::CompleteCommit => TransactionState::PrepareCommit,
            Some(_) => TransactionState::PrepareAbort,
            None => self.stored().state,
        }
    }

    /// An end is being written, or waits to be.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_some() || self.stored().state.is_prepared()
    }

    /// When, in monotonic time, the transaction has taken too long; what of that was over before a start counts.
    pub(crate) fn timed_out_at(&self, now: Now) -> u64 {
        let stored = self.stored();
        let taken_ms = u64::try_from(now.wall_ms.saturating_sub(stored.start_ms)).unwrap_or_default();
        let left_ms = u64::try_from(stored.timeout_ms).unwrap_or_default().saturating_sub(taken_ms);
        now.monotonic_ms.saturating_add(left_ms)
    }

    /// There is no transaction.
    pub(crate) fn is_idle(&self) -> bool {
        !self.is_ending() && self.stored().state != TransactionState::Ongoing
    }

    /// Whether a producer may speak for this id now. While an end is being written, neither the producer before it nor the one
    /// after it is told more than that.
    pub(crate) fn check_producer(&self, producer: Producer) -> Result<(), TransactionError> {
        let next = self.ending.as_ref().map(|ending| ending.next.producer());
        if producer.id != self.producer().id && next.is_none_or(|next| next.id != producer.id) {
            return Err(TransactionError::InvalidProducerIdMapping);
        }
        if producer != self.producer() && next != Some(producer) {
            return Err(TransactionError::ProducerFenced);
        }
        if self.is_ending() { Err(TransactionError::ConcurrentTransactions) } else { Ok(()) }
    }
}

impl StoredTransaction {
    /// The producer that has the id.
    pub fn producer(&self) -> Producer {
        Producer { id: self.producer_id, epoch: self.producer_epoch }
    }
}
