//! `uniform`: as equal as can be, moving as little as can be.
use super::{Changes, Subject};
use crate::assignment::Assignment;
use crate::request::TopicId;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

/// Nobody has it.
const NOBODY: u32 = u32::MAX;

/// Deals partitions out so that no member has more than one more than another who could have it, and moves only what it must.
pub(super) fn assign(subject: &Subject<'_>) -> Changes {
    if subject.candidates.is_empty() {
        return Changes::new();
    }
    let mut deal = Deal::new(subject);
    match subject.subscriptions.as_slice() {
        [_] => deal.equally(),
        _ => deal.as_equally_as_can_be(),
    }
    deal.changes()
}

/// All partitions in one row, topic after topic, and who has which.
struct Deal<'a> {
    subject: &'a Subject<'a>,
    /// Where each topic begins in the row, and where the row ends.
    begins: Vec<usize>,
    places: BTreeMap<TopicId, usize>,
    owners: Vec<u32>,
    /// How many each candidate has.
    counts: Vec<u32>,
}

impl<'a> Deal<'a> {
    fn new(subject: &'a Subject<'a>) -> Self {
        let mut begins = vec![0];
        let mut end = 0;
        for (_, partitions) in &subject.topics {
            end += *partitions as usize;
            begins.push(end);
        }
        let places = subject.topics.iter().enumerate().map(|(place, (topic_id, _))| (*topic_id, place)).collect();
        let counts = vec![0; subject.candidates.len()];
        Deal { subject, begins, places, owners: vec![NOBODY; end], counts }
    }

    /// Where a candidate's target so far lies in the row, as far as it may have it still.
    fn held(&self, candidate: usize) -> Vec<usize> {
        let Some(target) = self.subject.candidates.get(candidate).map(|candidate| candidate.target) else {
            return Vec::new();
        };
        let mut held = Vec::with_capacity(target.len());
        for (topic_id, partitions) in target.topics() {
            let Some(&topic) = self.places.get(topic_id) else { continue };
            if self.subject.subscription(candidate).binary_search(&topic).is_err() {
                continue;
            }
            let (begin, end) = (self.begin(topic), self.begin(topic + 1));
            held.extend(partitions.iter().map(|&partition| begin + partition as usize).filter(|at| *at < end));
        }
        held
    }

    fn begin(&self, topic: usize) -> usize {
        self.begins.get(topic).copied().unwrap_or(self.owners.len())
    }

    fn owner(&self, at: usize) -> u32 {
        self.owners.get(at).copied().unwrap_or(NOBODY)
    }

    fn count(&self, candidate: usize) -> u32 {
        self.counts.get(candidate).copied().unwrap_or(0)
    }

    fn give(&mut self, at: usize, candidate: usize) {
        let before = self.owner(at);
        if let Some(count) = self.counts.get_mut(before as usize) {
            *count -= 1;
        }
        if let (Some(owner), Some(count)) = (self.owners.get_mut(at), self.counts.get_mut(candidate)) {
            *owner = candidate as u32;
            *count += 1;
        }
    }

    /// Everybody reads the same: each gets its share, and the first ones that had more before keep one more.
    fn equally(&mut self) {
        let members = self.subject.candidates.len();
        let everything = if self.subject.subscription(0).is_empty() { 0 } else { self.owners.len() };
        let least = (everything / members) as u32;
        let mut more = everything % members;
        for candidate in 0..members {
            for at in self.held(candidate) {
                let has = self.count(candidate);
                let keeps = has < least || (has == least && more > 0);
                if keeps && self.owner(at) == NOBODY {
                    more -= usize::from(has == least);
                    self.give(at, candidate);
                }
            }
        }
        // Runs for those that are short of their share, then one more for each of those that have just that.
        let mut short = 0;
        let mut luckier = 0;
        for at in (0..everything).filter(|&at| self.owners.get(at) == Some(&NOBODY)).collect::<Vec<_>>() {
            while short < members && self.count(short) >= least {
                short += 1;
            }
            while luckier < members && self.count(luckier) > least {
                luckier += 1;
            }
            self.give(at, if short < members { short } else { luckier });
        }
    }

    /// Members read different topics: everybody keeps what it has, the rest goes to those who have least, and then partitions
    /// move from who has more to who has at least two less, until there is no such pair.
    fn as_equally_as_can_be(&mut self) {
        for candidate in 0..self.subject.candidates.len() {
            for at in self.held(candidate) {
                if self.owner(at) == NOBODY {
                    self.give(at, candidate);
                }
            }
        }
        let mut readers = Readers::new(self);
        // What few can read is dealt out first.
        let mut order: Vec<usize> = (0..self.subject.topics.len()).collect();
        order.sort_by_key(|&topic| readers.of(topic));
        for topic in order {
            for at in self.begin(topic)..self.begin(topic + 1) {
                if let (NOBODY, Some((_, least))) = (self.owner(at), readers.least(topic)) {
                    readers.move_to(self, at, least);
                }
            }
        }
        loop {
            let mut moved = false;
            for topic in 0..self.subject.topics.len() {
                for at in self.begin(topic)..self.begin(topic + 1) {
                    let Some((count, least)) = readers.least(topic) else { break };
                    let owner = self.owner(at);
                    if owner != NOBODY && count + 1 < self.count(owner as usize) {
                        readers.move_to(self, at, least);
                        moved = true;
                    }
                }
            }
            // Each move lowers the sum of squares of the counts, so this ends.
            if !moved {
                return;
            }
        }
    }

    fn changes(&self) -> Changes {
        let row = self.by_owner();
        let (mut changes, mut begin) = (Changes::new(), 0);
        for (candidate, before) in self.subject.candidates.iter().enumerate() {
            let end = begin + self.count(candidate) as usize;
            let given = row.get(begin..end).unwrap_or_default();
            begin = end;
            let mut held = self.held(candidate);
            held.sort_unstable();
            if held.len() != before.target.len() || held != given {
                changes.push((candidate, self.named(given)));
            }
        }
        changes
    }

    /// The places that have an owner, candidate after candidate, those of each ascending.
    fn by_owner(&self) -> Vec<usize> {
        let begin_of = |begin: &mut usize, count: &u32| {
            let of_this = *begin;
            *begin += *count as usize;
            Some(of_this)
        };
        let mut next: Vec<usize> = self.counts.iter().scan(0, begin_of).collect();
        let mut row = vec![0; self.counts.iter().map(|count| *count as usize).sum()];
        for (at, &owner) in self.owners.iter().enumerate() {
            let Some(next) = next.get_mut(owner as usize) else { continue };
            if let Some(place) = row.get_mut(*next) {
                *place = at;
            }
            *next += 1;
        }
        row
    }

    /// Places in the row, ascending, as partitions.
    fn named(&self, mut row: &[usize]) -> Assignment {
        let mut named = Vec::new();
        for (topic, (topic_id, _)) in self.subject.topics.iter().enumerate() {
            if row.is_empty() {
                break;
            }
            let (begin, end) = (self.begin(topic), self.begin(topic + 1));
            let (of_topic, rest) = row.split_at(row.partition_point(|at| *at < end));
            row = rest;
            if !of_topic.is_empty() {
                let number = |at: &usize| i32::try_from(at - begin).unwrap_or(i32::MAX);
                named.push((*topic_id, of_topic.iter().map(number).collect()));
            }
        }
        Assignment::of_topics(named)
    }
}

/// Of each topic who reads it, by how much they have.
struct Readers(Vec<BTreeSet<(u32, usize)>>);

impl Readers {
    fn new(deal: &Deal<'_>) -> Self {
        let mut readers: Vec<BTreeSet<_>> = deal.subject.topics.iter().map(|_| BTreeSet::new()).collect();
        for candidate in 0..deal.subject.candidates.len() {
            for &topic in deal.subject.subscription(candidate) {
                if let Some(readers) = readers.get_mut(topic) {
                    readers.insert((deal.count(candidate), candidate));
                }
            }
        }
        Readers(readers)
    }

    /// How many read it.
    fn of(&self, topic: usize) -> usize {
        self.0.get(topic).map_or(0, BTreeSet::len)
    }

    /// Who of them has least, and how much.
    fn least(&self, topic: usize) -> Option<(u32, usize)> {
        self.0.get(topic)?.first().copied()
    }

    fn move_to(&mut self, deal: &mut Deal<'_>, at: usize, candidate: usize) {
        let before = deal.owner(at);
        let concerned = [candidate, before as usize];
        let concerned = if before == NOBODY { &concerned[..1] } else { &concerned[..] };
        concerned.iter().for_each(|&candidate| self.change(deal, candidate, |set, entry| set.remove(&entry)));
        deal.give(at, candidate);
        concerned.iter().for_each(|&candidate| self.change(deal, candidate, |set, entry| set.insert(entry)));
    }

    fn change(
        &mut self,
        deal: &Deal<'_>,
        candidate: usize,
        change: impl Fn(&mut BTreeSet<(u32, usize)>, (u32, usize)) -> bool,
    ) {
        for &topic in deal.subject.subscription(candidate) {
            if let Some(readers) = self.0.get_mut(topic) {
                change(readers, (deal.count(candidate), candidate));
            }
        }
    }
}
