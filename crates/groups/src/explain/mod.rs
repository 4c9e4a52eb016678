//! What a group can say about itself: a picture of all that the coordinator knows ([`ExplainedGroup`]), what is not well about it
//! ([`diagnose`]), and how commits have moved ([`Progress`]). The shell adds what it knows of the logs and of who fetches
//! ([`PartitionFacts`]); nothing here is guessed without saying so.
mod case;
mod findings;
mod moved;
mod picture;
mod progress;
mod rules;
mod whole;
mod words;

pub use case::{OpenTransaction, PartitionFacts, ReaderFacts};
pub use findings::{Certainty, Diagnosis, Finding, Status, diagnose};
pub(crate) use moved::Commit;
pub(crate) use picture::picture;
pub use picture::{ExplainedGroup, ExplainedMember, ExplainedOffset};
pub(crate) use progress::Progresses;
pub use progress::{Point, Progress};
pub use words::{count, duration};
