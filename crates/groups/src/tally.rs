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
    /// A member is there, or is there as it is now.
    pub(crate) fn count_in(&mut self, member: &DurableMember) {
        if let Some(epoch) = stable_in(member) {
            *self.stable.entry(epoch).or_default() += 1;
        }
        if let Some(assignor) = vote(member) {
            *self.votes.entry(assignor).or_default() += 1;
        }
    }

    /// A member is gone, or about to change.
    pub(crate) fn count_out(&mut self, member: &DurableMember) {
        if let Some(epoch) = stable_in(member) {
            take_one(&mut self.stable, epoch);
        }
        if let Some(assignor) = vote(member) {
            take_one(&mut self.votes, assignor);
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

fn stable_in(member: &DurableMember) -> Option<i32> {
    (member.current.state == MemberState::Stable).then_some(member.current.member_epoch)
}

fn vote(member: &DurableMember) -> Option<Assignor> {
    member.metadata.as_ref()?.server_assignor.as_deref().and_then(Assignor::of)
}

fn take_one<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) {
    let Some(count) = counts.get_mut(&key) else { return };
    *count -= 1;
    if *count == 0 {
        counts.remove(&key);
    }
}
