//! A Kafka client. So far what an administrator of groups needs:
//!
//! * [`Connection`]: one broker; requests of `ottla-protocol` in, answers out, in the newest version that both sides know.
//! * [`Admin`]: a cluster, by its bootstrap addresses; finds coordinators and leaders, and has a typed call for each question.
//! * [`ClientError`]: why there is no answer, with whom and about what.
//!
//! It runs on the caller's tokio runtime, spawns nothing, and waits no longer than [`Settings`] say. What a broker sends is bounded before
//! it is read.

mod admin;
mod bootstrap;
mod connection;
mod error;
mod settings;

pub use admin::{
    Admin, CommittedOffset, GroupDescription, GroupListing, GroupReset, ListedOffset, MemberDescription, OffsetQuery,
    OffsetRefusal, PartitionOffset, PartitionReset, ResetOutcome, TopicListing,
};
pub use connection::{Answer, Connection};
pub use error::ClientError;
pub use ottla_protocol::messages::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP};
pub use ottla_protocol::{ApiKey, ErrorCode};
pub use settings::Settings;
