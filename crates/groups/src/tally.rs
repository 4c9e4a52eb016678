//! What must not be counted anew for every request of a large group of the consumer protocol.
use crate::assignors::Assignor;
use crate::durable::DurableMember;
use crate::records::MemberState;
use alloc::collections::BTreeMap;

/// Follows from the members of a group, and changes with them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// How many have all that they shall have, by the epoch in which they have it.
    stable: BTreeMap<i32, usize>,
    /// How many prefer an assignor.
    votes: BTreeMap<Assignor, usize>,
}

impl Tally {
    /// A member has changed, come or gone: what counted of it before and what does now.
    pub(crate) fn change(&mut self, before: Counted, after: Counted) {
        if before.stable_in != after.stable_in {
            count(&mut self.stable, before.stable_in, after.stable_in);
        }
        if before.vote != after.vote {
            count(&mut self.votes, before.vote, after.vote);
        }
    }

    /// How many have all that they shall have in that epoch.
    pub(crate) fn stable_in(&self, epoch: i32) -> usize {
        self.stable.get(&epoch).copied().unwrap_or(0)
    }

    /// What most members prefer; the first of those that equally many prefer.
    pub(crate) fn favourite(&self) -> Option<Assignor> {
        let most = self.votes.values().copied().max()?;
        self.votes.iter().find(|(_, count)| **count == most).map(|(assignor, _)| *assignor)
    }
}

/// What counts of one member; nothing of one that is not there.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counted {
    stable_in: Option<i32>,
    vote: Option<Assignor>,
}

impl Counted {
    pub(crate) fn of(member: &DurableMember) -> Self {
        let wish = member.metadata.as_ref().and_then(|metadata| metadata.server_assignor.as_deref());
        let is_stable = member.current.state == MemberState::Stable;
        Counted { stable_in: is_stable.then_some(member.current.member_epoch), vote: wish.and_then(Assignor::of) }
    }
}

/// Moves one from a count to another.
fn count<K: Ord>(counts: &mut BTreeMap<K, usize>, before: Option<K>, after: Option<K>) {
    if let Some(after) = after {
        *counts.entry(after).or_default() += 1;
    }
    let Some(before) = before else { return };
    let Some(left) = counts.get_mut(&before) else { return };
    *left -= 1;
    if *left == 0 {
        counts.remove(&before);
    }
}
