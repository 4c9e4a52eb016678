//! `uniform` where only members come and go, and all read the same: as long as that is so, nobody has to look through all members
//! and partitions again.
use crate::assignment::Assignment;
use crate::request::TopicId;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A target assignment that `uniform` has made for members who all read the same, and who came and went since.
#[derive(Debug)]
pub(crate) struct Balance {
    /// What all read.
    topics: Vec<(TopicId, u32)>,
    /// The members by how many partitions each shall have.
    by_load: BTreeSet<(u32, Arc<str>)>,
    /// What those had who are gone.
    free: Vec<(TopicId, i32)>,
}

/// What members that get something else shall have, in the making.
type Hands = BTreeMap<Arc<str>, Vec<(TopicId, i32)>>;

impl Balance {
    /// Of topics as in [`super::Subject`], and of members by how many partitions each shall have.
    pub(crate) fn new(topics: Vec<(TopicId, u32)>, by_load: BTreeSet<(u32, Arc<str>)>) -> Self {
        Balance { topics, by_load, free: Vec::new() }
    }

    /// Whether it is one of these topics.
    pub(crate) fn is_of(&self, topics: &[(TopicId, u32)]) -> bool {
        self.topics == topics
    }

    /// A member came, that shall have nothing so far.
    pub(crate) fn join(&mut self, member_id: Arc<str>) {
        self.by_load.insert((0, member_id));
    }

    /// A member is gone, and this is what it should have had.
    pub(crate) fn leave(&mut self, member_id: Arc<str>, target: &Assignment) {
        self.by_load.remove(&(load(target.len()), member_id));
        self.free.extend(target.iter());
    }

    /// Deals out what is free, then moves partitions from who has most to who has least, until nobody has two more than another:
    /// `uniform` changes nothing of that. Answers who gets something else than `target` says.
    pub(crate) fn settle(&mut self, target: impl Fn(&str) -> Assignment) -> Vec<(String, Assignment)> {
        let mut hands = Hands::new();
        while let Some((least, member_id)) = self.by_load.first().cloned() {
            let partition = match (self.free.pop(), self.by_load.last().cloned()) {
                (Some(free), _) => Some(free),
                (None, Some((most, richest))) if most > least + 1 => {
                    let partition = hand(&mut hands, &richest, &target).pop();
                    self.reload(richest, most, most - 1);
                    partition
                }
                _ => break,
            };
            hand(&mut hands, &member_id, &target).extend(partition);
            self.reload(member_id, least, least + 1);
        }
        let settled = hands.into_iter().map(|(member_id, hand)| (String::from(&*member_id), Assignment::of(hand)));
        settled.collect()
    }

    fn reload(&mut self, member_id: Arc<str>, before: u32, after: u32) {
        let mut entry = (before, member_id);
        self.by_load.remove(&entry);
        entry.0 = after;
        self.by_load.insert(entry);
    }
}

pub(crate) fn load(partitions: usize) -> u32 {
    u32::try_from(partitions).unwrap_or(u32::MAX)
}

fn hand<'a>(
    hands: &'a mut Hands,
    member_id: &Arc<str>,
    target: &impl Fn(&str) -> Assignment,
) -> &'a mut Vec<(TopicId, i32)> {
    hands.entry(member_id.clone()).or_insert_with(|| target(member_id).iter().collect())
}
