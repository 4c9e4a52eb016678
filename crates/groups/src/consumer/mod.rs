//! Groups of the consumer protocol (KIP-848): the broker decides who reads what, and each member comes there by itself.
mod admission;
mod describe;
mod heartbeat;
mod leave;
mod live;
mod migration;
mod reconcile;
mod revival;
mod seats;
mod target;
mod validate;

pub(crate) use live::ConsumerLive;
pub use migration::MigrationPolicy;
pub(crate) use migration::read_assignment;
pub(crate) use validate::validate;

/// Sent by a member that leaves for good.
pub(crate) const LEAVE: i32 = -1;
/// Sent by a static member that will come back; also the epoch of one that is away.
pub(crate) const LEAVE_AND_RETURN: i32 = -2;
