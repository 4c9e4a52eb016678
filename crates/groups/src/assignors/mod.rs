//! The assignors of the consumer protocol: who shall have what. Pure functions from who reads what, and what they have so far, to
//! what changes.
mod balance;
mod range;
mod uniform;

pub(crate) use balance::{Balance, load};

use crate::assignment::Assignment;
use crate::request::TopicId;
use alloc::vec::Vec;

/// An assignor that runs here (`group.consumer.assignors`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assignor {
    /// As equal as can be, moving as little as can be.
    Uniform,
    /// Neighbouring partitions to the same member, the same way for each topic.
    Range,
}

impl Assignor {
    /// All of them, the default first.
    pub const ALL: &'static [Assignor] = &[Assignor::Uniform, Assignor::Range];

    /// The name that clients ask for.
    pub fn name(self) -> &'static str {
        match self {
            Assignor::Uniform => "uniform",
            Assignor::Range => "range",
        }
    }

    /// The one of that name.
    pub fn of(name: &str) -> Option<Assignor> {
        Assignor::ALL.iter().copied().find(|assignor| assignor.name() == name)
    }
}

/// Who reads what.
pub(crate) struct Subject<'a> {
    /// Every topic that somebody reads, with how many partitions it has, in the order of their names.
    pub(crate) topics: Vec<(TopicId, u32)>,
    /// Different sets of topics, as places in `topics`, ascending.
    pub(crate) subscriptions: Vec<Vec<usize>>,
    /// The members, in the order of their ids.
    pub(crate) candidates: Vec<Candidate<'a>>,
}

/// One member.
pub(crate) struct Candidate<'a> {
    /// Of a static member.
    pub(crate) instance: Option<&'a str>,
    /// What it shall have so far.
    pub(crate) target: &'a Assignment,
    /// Its place in [`Subject::subscriptions`].
    pub(crate) subscription: usize,
}

impl Subject<'_> {
    fn subscription(&self, candidate: usize) -> &[usize] {
        let subscription = self.candidates.get(candidate).and_then(|c| self.subscriptions.get(c.subscription));
        subscription.map_or(&[], Vec::as_slice)
    }
}

/// Who gets something else than before: the candidate's place, and what.
pub(crate) type Changes = Vec<(usize, Assignment)>;

/// Lets an assignor decide. Whoever is not among the changes keeps what it has.
pub(crate) fn assign(assignor: Assignor, subject: &Subject<'_>) -> Changes {
    match assignor {
        Assignor::Uniform => uniform::assign(subject),
        Assignor::Range => range::assign(subject),
    }
}

#[cfg(test)]
mod tests;
