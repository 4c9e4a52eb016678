//! What the tests share: the broker they run against, clients of rust-rdkafka, and members of a group that are watched.

pub mod broker;
pub mod clients;
pub mod members;
pub mod observer;
