//! Quotas of clients (KIP-13, KIP-124, KIP-546, KIP-599, KIP-612): who has them, and how they are enforced.
//!
//! A client that was faster than its quota is told for how long it shall be silent (`throttle_time_ms`), and is not read from for so
//! long: requests of its connection wait in the socket. Nothing is refused, but for changes of topics (THROTTLING_QUOTA_EXCEEDED).
//! Without quotas a request costs one look at a flag.

/// What a client is told that creates or deletes too many partitions.
pub(crate) const EXCEEDED: &str = "more partitions are created and deleted than controller_mutation_rate allows; wait for throttle_time_ms and ask again";

mod enforcement;
mod entity;
mod limits;
mod rate;

pub(crate) use enforcement::{Metered, Quotas, Timed};
pub(crate) use entity::{CLIENT_ID, Entity, IP, USER, check, from_config, to_config};
pub(crate) use rate::{Rate, Windows};
