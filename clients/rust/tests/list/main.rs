//! The list of clients/matrix, but for the cell that kills the broker: that one runs by itself, in `reconnect.rs`.

mod admin;
mod commits;
mod groups;
mod produce;
mod records;
mod transactions;
