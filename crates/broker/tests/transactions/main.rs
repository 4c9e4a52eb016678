//! Transactions over real sockets: what readers see of them, who may write, how they end, and what is left after a restart.

#[path = "../client/mod.rs"]
mod client;

mod administration;
mod asking;
mod commits;
mod failing;
mod fencing;
mod reading;
mod restarts;
