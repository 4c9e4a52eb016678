#![no_std]
//! The transaction coordinator: a pure state machine that decides which producer may write under a transactional id, which
//! partitions belong to its transaction, and how that ends.
//!
//! One [`Coordinator`] serves one partition of `__transaction_state` and holds every transactional id that hashes to it. It has
//! no clock, no randomness, no I/O and no threads: time and producer ids come in with the events, and everything it wants done
//! goes out as [`Action`]s. It knows both `transaction.version` 1 (KIP-98, KIP-360) and 2 (KIP-890), as the version of each request
//! says, and a producer may change from one to the other at any time.
//!
//! # How a transaction ends
//!
//! Kafka records that it will end, writes its markers, and records that it has ended. Here all of it is one step of the engine
//! ([`Action::End`]): markers, what groups write, and this coordinator's record are durable together or not at all. On disk
//! a transaction goes from `Ongoing` to `CompleteCommit` or `CompleteAbort`, and no half of an end exists. Between the action
//! and [`Event::Ended`] it is `PrepareCommit` or `PrepareAbort`, in memory only, and who asks is told CONCURRENT_TRANSACTIONS.
//! After a crash in between it is one or the other, and if it is `Ongoing` again then nobody has heard that it ended.
//!
//! # The contract with the shell
//!
//! 1. **Decide, record, apply, answer.** A request *decides* and emits [`Action::Append`]; durable state changes only by
//!    applying a record. An append is applied at once; the record of an end is applied when [`Event::Ended`] says that it is
//!    there.
//! 2. **Order.** The actions of all calls form one sequence. The shell gives appends and ends to the engine in that order, and
//!    sends an [`Action::Reply`] only when every append that was emitted before it is durable.
//! 3. **The gate.** Before it appends a transactional batch the shell asks [`Coordinator::admit`], and gives the records that
//!    come of it and then the batch to the engine, before it calls the coordinator again. So whatever was let in
//!    comes before the end that is decided later, in the engine's order too.
//! 4. **Ends.** Each [`Action::End`] is answered by one [`Event::Ended`]. A partition that does not exist any more gets no
//!    marker. [`EndFailed`] may be told only where surely nothing was written.
//! 5. **Failure.** If an append fails, or the fate of an append or an end is unknown, the shell discards the coordinator with all
//!    replies it still holds (they are answered `NOT_COORDINATOR` or the connection is closed), and builds a new one from the log.
//! 6. **Start.** [`Coordinator::new`], [`Coordinator::replay`] for each record in log order, then one [`Coordinator::loaded`].
//!    Until then every request is answered [`TransactionError::CoordinatorLoadInProgress`].
//! 7. **Time.** The shell delivers [`Event::Tick`] no later than [`Coordinator::next_deadline`]. Time must not run backwards; a
//!    smaller monotonic value than before is read as the one before.
//! 8. **Tickets** are the shell's and must be unique among the requests not yet answered. Each request is answered by exactly one
//!    reply. Nothing waits longer than for an end or for a producer id, so nothing need be told of a connection that is lost.
extern crate alloc;

mod answer;
mod coordinator;
mod describe;
mod durable;
mod end;
mod event;
mod expiry;
mod gate;
mod init;
mod planted;
pub mod records;
mod request;
mod settings;
mod step;
mod timers;
mod transaction;

pub use answer::*;
pub use coordinator::Coordinator;
pub use durable::DurableTransaction;
pub use event::*;
pub use gate::{Admission, Membership};
pub use ottla_groups::{Now, Record, Ticket};
#[cfg(feature = "planted-bugs")]
pub use planted::PlantedBug;
pub use request::*;
pub use settings::Settings;

/// The topic whose partitions stand for groups that take part in a transaction (KIP-98).
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";
