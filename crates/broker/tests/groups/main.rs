//! Groups over real sockets: joining, committing, administering, and what is left of it all in `__consumer_offsets`.

#[path = "../client/mod.rs"]
mod client;

mod administration;
mod asking;
mod consumer_protocol;
mod explaining;
mod finding;
mod group_configs;
mod log;
mod losing;
mod lost;
mod members;
mod offsets;
mod outgrowing;
mod refusals;
mod static_members;
mod stopping;
mod twin;
