//! Which partitions: what a member is given, has, or shall have.
use crate::request::TopicId;
use alloc::vec::Vec;

/// Partitions by topic id: ordered, without repetitions, no topic without partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment(Vec<(TopicId, Vec<i32>)>);

impl Assignment {
    /// No partition.
    pub const fn none() -> Self {
        Assignment(Vec::new())
    }

    /// Of partitions in any order; what is there twice counts once.
    pub fn of(partitions: impl IntoIterator<Item = (TopicId, i32)>) -> Self {
        let mut flat: Vec<(TopicId, i32)> = partitions.into_iter().collect();
        flat.sort_unstable();
        flat.dedup();
        flat.into_iter().collect()
    }

    /// Of partitions by topic, each topic there once, with partitions that ascend.
    pub(crate) fn of_topics(mut topics: Vec<(TopicId, Vec<i32>)>) -> Self {
        topics.sort_unstable_by_key(|(topic_id, _)| *topic_id);
        Assignment(topics)
    }

    /// By topic, ascending; the partition numbers of each ascending.
    pub fn topics(&self) -> &[(TopicId, Vec<i32>)] {
        &self.0
    }

    /// Every partition, in order.
    pub fn iter(&self) -> impl Iterator<Item = (TopicId, i32)> {
        self.0.iter().flat_map(|(topic_id, partitions)| partitions.iter().map(|&partition| (*topic_id, partition)))
    }

    /// How many partitions there are.
    pub fn len(&self) -> usize {
        self.0.iter().map(|(_, partitions)| partitions.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether that partition is among them.
    pub fn contains(&self, topic_id: TopicId, partition: i32) -> bool {
        let topic = self.0.binary_search_by_key(&topic_id, |(id, _)| *id).ok().and_then(|at| self.0.get(at));
        topic.is_some_and(|(_, partitions)| partitions.binary_search(&partition).is_ok())
    }

    /// Where in their order a partition comes.
    pub(crate) fn position(&self, topic_id: TopicId, partition: i32) -> Option<usize> {
        let topic = self.0.binary_search_by_key(&topic_id, |(id, _)| *id).ok()?;
        let before: usize = self.0.iter().take(topic).map(|(_, partitions)| partitions.len()).sum();
        let (_, partitions) = self.0.get(topic)?;
        partitions.binary_search(&partition).ok().map(|at| before + at)
    }

    /// Whether all of them are among those of `other`.
    pub fn is_subset_of(&self, other: &Assignment) -> bool {
        self.iter().all(|(topic_id, partition)| other.contains(topic_id, partition))
    }

    /// Whether any of them is among those of `other`.
    pub fn intersects(&self, other: &Assignment) -> bool {
        self.iter().any(|(topic_id, partition)| other.contains(topic_id, partition))
    }

    /// Those that `keep` chooses.
    pub fn filter(&self, mut keep: impl FnMut(TopicId, i32) -> bool) -> Self {
        self.iter().filter(|&(topic_id, partition)| keep(topic_id, partition)).collect()
    }

    /// All of both.
    pub fn union(&self, other: &Assignment) -> Self {
        if other.is_empty() {
            return self.clone();
        }
        Assignment::of(self.iter().chain(other.iter()))
    }
}

/// Of partitions that are ordered and there once.
impl FromIterator<(TopicId, i32)> for Assignment {
    fn from_iter<I: IntoIterator<Item = (TopicId, i32)>>(ordered: I) -> Self {
        let mut topics: Vec<(TopicId, Vec<i32>)> = Vec::new();
        for (topic_id, partition) in ordered {
            match topics.last_mut() {
                Some((last, partitions)) if *last == topic_id => partitions.push(partition),
                _ => topics.push((topic_id, alloc::vec![partition])),
            }
        }
        Assignment(topics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: TopicId = [1; 16];
    const B: TopicId = [2; 16];

    #[test]
    fn is_a_set_in_order() {
        let all = Assignment::of([(B, 1), (A, 2), (A, 0), (B, 1)]);
        assert_eq!(all.topics(), [(A, alloc::vec![0, 2]), (B, alloc::vec![1])]);
        assert_eq!(all.len(), 3);
        assert_eq!((all.position(A, 2), all.position(B, 1), all.position(B, 0)), (Some(1), Some(2), None));
        assert!(all.contains(A, 2) && !all.contains(A, 1) && !all.contains([3; 16], 0));
        let some = all.filter(|topic_id, _| topic_id == A);
        assert!(some.is_subset_of(&all) && !all.is_subset_of(&some));
        let rest = Assignment::of([(B, 1)]);
        assert!(!some.intersects(&rest) && all.intersects(&rest));
        assert_eq!(some.union(&rest), all);
        assert!(Assignment::default().is_subset_of(&rest) && Assignment::default().is_empty());
    }
}
