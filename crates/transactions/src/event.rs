//! What comes in and what goes out.
use crate::answer::{Answer, Producer};
use crate::records::TransactionState;
use crate::request::Request;
use alloc::string::String;
use alloc::vec::Vec;
use ottla_groups::{Record, Ticket};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A client asks.
    Request {
        /// Under which the answer will come.
        ticket: Ticket,
        /// What it wants.
        request: Request,
    },
    /// Time has passed.
    Tick,
    /// The engine has allotted a producer id, or could not.
    ProducerIdAllotted {
        /// Which [`Action::AllotProducerId`] it answers.
        allotment: Allotment,
        /// The id; `None` if there is none to be had now.
        producer_id: Option<i64>,
    },
    /// An end was written, or surely was not.
    Ended {
        /// Which [`Action::End`] it answers.
        end: EndId,
        /// Whether it is durable.
        result: Result<(), EndFailed>,
    },
    /// It is time to look for ids that were not used for long (`transaction.remove.expired.transaction.cleanup.interval.ms`).
    /// Ignored by a coordinator that has not loaded yet.
    ExpireTransactionalIds,
}

/// The number of a request for a producer id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Allotment(pub u64);

/// The number of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndId(pub u64);

/// Nothing of the end was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndFailed {
    /// Why, in words.
    pub problem: String,
}

/// What the shell must do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Append to this partition of `__transaction_state`.
    Append(Record),
    /// Answer a request once every earlier append is durable.
    Reply(Ticket, Answer),
    /// End a transaction in one step, then tell [`Event::Ended`].
    End(EndStep),
    /// Allot a producer id that nobody has, then tell [`Event::ProducerIdAllotted`].
    AllotProducerId(Allotment),
    /// Something worth telling. It has happened once every earlier append is durable. May be dropped.
    Event(TransactionEvent),
}

/// The end of a transaction: all of this becomes durable, or nothing of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndStep {
    /// Its number.
    pub end: EndId,
    /// The transactional id.
    pub transactional_id: String,
    /// The producer id of the markers.
    pub producer_id: i64,
    /// The epoch of the markers. Where it is not the epoch of the transaction it fences that one in the partitions' logs.
    pub producer_epoch: i16,
    /// Commit; otherwise abort.
    pub commits: bool,
    /// The partitions that get a marker, ascending.
    pub partitions: Vec<(String, Vec<i32>)>,
    /// The partitions of [`crate::OFFSETS_TOPIC`] whose groups take part and get a marker, ascending.
    pub groups: Vec<i32>,
    /// What to append to this partition of `__transaction_state`.
    pub record: Record,
}

/// A transition of a transactional id, with its cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionEvent {
    /// The id; empty if it concerns none.
    pub transactional_id: String,
    /// Wall time in milliseconds.
    pub at_ms: i64,
    /// What.
    pub kind: TransactionEventKind,
}

/// What happened to a transactional id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransactionEventKind {
    /// A producer has the id.
    Initialised {
        /// The producer.
        producer: Producer,
        /// Why, in words.
        cause: String,
    },
    /// The state changed.
    StateChanged {
        /// Before.
        from: TransactionState,
        /// After.
        to: TransactionState,
        /// The producer after the change.
        producer: Producer,
        /// Why, in words.
        cause: String,
    },
    /// The log holds a transaction that is not over.
    LoadedOngoing {
        /// Whose.
        producer: Producer,
        /// How many partitions belong to it.
        partitions: usize,
    },
    /// An end was not written; it is `Ongoing` again.
    EndFailed {
        /// Why, in words.
        problem: String,
    },
    /// The id was not used for long, and is forgotten.
    Expired {
        /// Wall time in milliseconds of its last change.
        last_update_ms: i64,
    },
    /// A record of the log could not be read and was skipped.
    RecordSkipped {
        /// What was wrong, in words.
        problem: String,
    },
}
