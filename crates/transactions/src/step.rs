//! What a decision about one transactional id has at hand.
use crate::answer::{Answer, Producer};
use crate::event::{Action, TransactionEvent, TransactionEventKind};
use crate::planted::planted;
use crate::records::{StoredTransaction, TransactionState, encode};
use crate::settings::Settings;
use crate::transaction::{LAST_EPOCH, Transaction};
use alloc::string::String;
use alloc::vec::Vec;
use ottla_groups::{Now, Ticket};

/// One step of one transactional id.
pub(crate) struct Step<'a> {
    pub(crate) now: Now,
    pub(crate) settings: &'a Settings,
    pub(crate) id: &'a str,
    pub(crate) transaction: &'a mut Transaction,
    /// The last number that an end or an allotment was given.
    pub(crate) numbers: &'a mut u64,
    /// A producer id that nobody has, if one was allotted for this step.
    pub(crate) spare: Option<i64>,
    pub(crate) actions: &'a mut Vec<Action>,
}

/// Nothing was done, because it takes a producer id that nobody has. The step is taken again with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NeedsProducerId;

/// Who comes after a producer.
pub(crate) struct Succession {
    pub(crate) next: Producer,
    /// The epoch of the predecessor's markers.
    pub(crate) marker_epoch: i16,
}

impl Step<'_> {
    /// Records a change: it is applied here, and answers emitted later wait for it.
    pub(crate) fn record(&mut self, stored: StoredTransaction) {
        self.actions.push(Action::Append(encode(self.id, Some(&stored))));
        self.transaction.durable.apply(stored);
    }

    pub(crate) fn reply(&mut self, ticket: Ticket, answer: Answer) {
        self.actions.push(Action::Reply(ticket, answer));
    }

    pub(crate) fn tell(&mut self, kind: TransactionEventKind) {
        let event = TransactionEvent { transactional_id: self.id.into(), at_ms: self.now.wall_ms, kind };
        self.actions.push(Action::Event(event));
    }

    pub(crate) fn tell_change(&mut self, from: TransactionState, cause: &str) {
        let (to, cause) = (self.transaction.state(), String::from(cause));
        let producer = self.transaction.producer();
        self.tell(TransactionEventKind::StateChanged { from, to, producer, cause });
    }

    /// The next number for an end.
    pub(crate) fn number(&mut self) -> u64 {
        *self.numbers += 1;
        *self.numbers
    }

    /// The producer with the next epoch; where there is none left, the first epoch of another producer id (KIP-360).
    pub(crate) fn succession(&self) -> Result<Succession, NeedsProducerId> {
        let Producer { id, epoch } = self.transaction.producer();
        let marker_epoch = epoch.saturating_add(1);
        if epoch < LAST_EPOCH {
            return Ok(Succession { next: Producer { id, epoch: marker_epoch }, marker_epoch });
        }
        let spare = if planted!(self.settings, EpochsWrapRound) { Some(id) } else { self.spare };
        let next = Producer { id: spare.ok_or(NeedsProducerId)?, epoch: 0 };
        Ok(Succession { next, marker_epoch })
    }
}
