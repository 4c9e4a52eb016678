//! Listeners, connections and one handler per request, over the group core and an engine.
//!
//! [`start`] makes a broker out of a configuration ([`config`]), an engine and what the process picks (time, random
//! numbers). From there a request goes: [`server`](self) accepts, `connection` reads frames and keeps order, `dispatch` finds
//! the handler in one table, a file of `handlers` answers it.

mod advertised;
mod alteration;
mod broker;
pub mod config;
mod connection;
mod context;
mod dispatch;
mod errors;
mod explain;
mod failure;
mod features;
mod fetch;
mod groups;
mod handlers;
mod http;
mod memory;
mod observer;
mod operations;
mod places;
mod produce;
mod pulse;
mod quotas;
mod replacement;
mod request;
mod scram;
mod server;
mod stop;
mod time;
mod topics;
mod transactions;

pub use broker::{Broker, Identity, Parts};
pub use dispatch::protocol_page;
pub use groups::LostRecords;
pub use server::{RunningBroker, StartError, start, start_bounded};
pub use time::{Clock, Entropy};
