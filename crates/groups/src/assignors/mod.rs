//! The assignors of the consumer protocol: who shall have what. Pure functions from who reads what, and what they have so far, to
//! what changes.
mod balance;
mod range;
mod uniform;

pub(crate) use balance::{Balance, load};

use crate::assignment::Assignment;
use crate::request::TopicId;
use alloc::collections::{BTreeMap, BTreeSet};
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
    /// Whether each partition is the target of one member, who reads it, and nothing else is of any.
    pub(crate) fn is_shared_out(&self) -> bool {
        let place_of: BTreeMap<TopicId, usize> =
            self.topics.iter().enumerate().map(|(at, topic)| (topic.0, at)).collect();
        let mut shared = BTreeSet::new();
        let is_new = |(candidate, (topic_id, partition)): (usize, (TopicId, i32))| {
            let place = place_of.get(&topic_id).copied().unwrap_or(usize::MAX);
            let is_there =
                self.topics.get(place).is_some_and(|topic| u32::try_from(partition).is_ok_and(|p| p < topic.1));
            is_there && self.subscription(candidate).contains(&place) && shared.insert((place, partition))
        };
        let targets = self.candidates.iter().enumerate();
        let all_are_new = targets.flat_map(|(at, member)| member.target.iter().map(move |p| (at, p))).all(is_new);
        all_are_new && shared.len() == self.topics.iter().map(|topic| topic.1 as usize).sum::<usize>()
    }

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
