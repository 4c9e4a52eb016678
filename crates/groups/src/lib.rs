#![no_std]
//! The group coordinator: a pure state machine that decides who owns what, who waits for whom, and why.
//!
//! One [`Coordinator`] serves one partition of `__consumer_offsets` and holds every group whose id hashes to it. It has
//! no clock, no randomness, no I/O and no threads: time and random numbers come in with the events, and everything it
//! wants done goes out as [`Action`]s.
//!
//! # The contract with the shell
//!
//! 1. **Decide, record, apply, answer.** A request *decides* and emits [`Action::Append`]; durable state changes only by
//!    applying a record, on the live path (the coordinator applies what it emits, at once) as on replay.
//! 2. **Order.** The actions of all calls form one sequence. The shell writes the appends in that order, and sends an
//!    [`Action::Reply`] only when every append that was emitted before it, by this call or an earlier one, is durable.
//! 3. **Failure.** If an append fails or its fate is unknown, the shell discards the coordinator with all replies it still
//!    holds (they are answered `NOT_COORDINATOR` or the connection is closed), and builds a new one from the log.
//! 4. **Start.** [`Coordinator::new`], [`Coordinator::replay`] for each record in log order, then one
//!    [`Coordinator::loaded`]. Until then every request is answered [`GroupError::CoordinatorLoadInProgress`].
//! 5. **Time.** The shell delivers [`Event::Tick`] no later than [`Coordinator::next_deadline`], and hands over the
//!    requests that wait before the tick. While anything is timed the deadline is never more than
//!    [`PULSE_MS`] away, which is how the coordinator notices that the whole broker stood still: it then moves
//!    its deadlines by the stall, and nobody is evicted for the broker's own absence.
//!    Time must not run backwards; a smaller monotonic value than before is read as the one before.
//! 6. **Tickets** are the shell's and must be unique among the requests not yet answered. Each request is answered by
//!    exactly one reply, unless its ticket is cancelled first ([`Event::Cancelled`]).
extern crate alloc;

mod answer;
mod assignment;
mod assignors;
mod connections;
mod consumer;
mod coordinator;
mod deletion;
mod departures;
mod describe;
mod durable;
mod event;
mod expiry;
mod explain;
mod group;
mod group_config;
mod heartbeat;
mod held;
mod join;
mod leave;
mod lost;
mod member;
mod offsets;
mod pending_offsets;
mod planted;
mod rebalance;
pub mod records;
mod request;
mod reset;
mod revival;
mod roster;
mod selection;
mod settings;
mod static_members;
mod step;
mod subscription;
mod sync;
mod tally;
mod timers;
mod topics;
mod waits;

pub use answer::*;
pub use assignment::Assignment;
pub use assignors::Assignor;
pub use consumer::MigrationPolicy;
pub use coordinator::{Coordinator, PULSE_MS};
pub use departures::LeftLately;
pub use durable::{DurableConsumer, DurableGroup, DurableMember};
pub use event::*;
pub use explain::*;
pub use group_config::{GroupConfig, GroupConfigs};
pub use pending_offsets::PendingOffsets;
#[cfg(feature = "planted-bugs")]
pub use planted::PlantedBug;
pub use request::*;
pub use settings::Settings;
pub use topics::{MatchNames, TopicShape, Topics};
pub use waits::{Culprit, Wait, WaitName, WaitOutcome};
