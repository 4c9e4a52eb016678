//! Offsets that were committed in transactions which have not ended (KIP-98, KIP-447): nobody goes on from them yet.
use crate::records::CommittedOffset;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// By topic and partition, in the order of the log: a producer's id and what it committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PendingOffsets(BTreeMap<String, BTreeMap<i32, Vec<(i64, CommittedOffset)>>>);

impl PendingOffsets {
    /// A producer commits in its open transaction; of the same producer the last one counts.
    pub(crate) fn add(&mut self, producer_id: i64, topic: &str, partition: i32, committed: CommittedOffset) {
        let of_partition = match self.0.get_mut(topic) {
            Some(partitions) => partitions.entry(partition).or_default(),
            None => self.0.entry(topic.into()).or_default().entry(partition).or_default(),
        };
        of_partition.retain(|(producer, _)| *producer != producer_id);
        of_partition.push((producer_id, committed));
    }

    /// Something later in the log says what is committed: what was there before does not count any more, however it ends.
    pub(crate) fn forget(&mut self, topic: &str, partition: i32) {
        if let Some(partitions) = self.0.get_mut(topic) {
            partitions.remove(&partition);
            if partitions.is_empty() {
                self.0.remove(topic);
            }
        }
    }

    /// A producer's transaction has ended. Answers what it committed, if it did; what others committed to the same partitions before
    /// that in the log does not count any more then.
    pub(crate) fn end(&mut self, producer_id: i64, commits: bool) -> Vec<(String, i32, CommittedOffset)> {
        let mut done = Vec::new();
        for (topic, partitions) in &mut self.0 {
            for (&partition, pending) in partitions.iter_mut() {
                let Some(at) = pending.iter().position(|(producer, _)| *producer == producer_id) else { continue };
                let first = if commits { 0 } else { at };
                let ended = pending.drain(first..=at).next_back();
                if let Some((_, committed)) = ended.filter(|_| commits) {
                    done.push((topic.clone(), partition, committed));
                }
            }
            partitions.retain(|_, pending| !pending.is_empty());
        }
        self.0.retain(|_, partitions| !partitions.is_empty());
        done
    }

    /// Whether a transaction that has not ended committed to this partition.
    pub fn has(&self, topic: &str, partition: i32) -> bool {
        self.0.get(topic).is_some_and(|partitions| partitions.contains_key(&partition))
    }

    /// Whether it is of this producer.
    pub(crate) fn is_of(&self, producer_id: i64) -> bool {
        let mut all = self.0.values().flat_map(BTreeMap::values).flatten();
        all.any(|(producer, _)| *producer == producer_id)
    }

    /// The partitions of these topics, with their topics.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = (&str, i32)> {
        self.0.iter().flat_map(|(topic, partitions)| partitions.keys().map(|&partition| (topic.as_str(), partition)))
    }

    /// The topic ids that commits of a topic were made for.
    pub(crate) fn of_topic(&self, topic: &str) -> impl Iterator<Item = (i32, &CommittedOffset)> {
        let partitions = self.0.get(topic).into_iter().flatten();
        partitions.flat_map(|(&partition, pending)| pending.iter().map(move |(_, committed)| (partition, committed)))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: i64) -> CommittedOffset {
        CommittedOffset {
            offset,
            leader_epoch: -1,
            metadata: String::new(),
            commit_timestamp_ms: 0,
            expire_timestamp_ms: None,
            topic_id: None,
        }
    }

    fn offsets(done: &[(String, i32, CommittedOffset)]) -> Vec<i64> {
        done.iter().map(|(_, _, committed)| committed.offset).collect()
    }

    #[test]
    fn the_later_one_in_the_log_counts_whichever_ends_first() {
        let mut pending = PendingOffsets::default();
        pending.add(1, "t", 0, at(10));
        pending.add(2, "t", 0, at(20));
        let mut other_order = pending.clone();
        assert_eq!(offsets(&pending.end(2, true)), [20]);
        assert!(pending.is_empty(), "the one before does not count any more");
        assert_eq!(offsets(&other_order.end(1, true)), [10]);
        assert_eq!(offsets(&other_order.end(2, true)), [20]);
    }

    #[test]
    fn who_aborts_leaves_the_others_alone() {
        let mut pending = PendingOffsets::default();
        pending.add(1, "t", 0, at(10));
        pending.add(2, "t", 0, at(20));
        pending.add(2, "t", 1, at(21));
        assert!(pending.end(2, false).is_empty());
        assert!(pending.has("t", 0) && !pending.has("t", 1) && !pending.is_of(2));
        assert_eq!(offsets(&pending.end(1, true)), [10]);
    }

    #[test]
    fn of_the_same_producer_the_last_one_counts() {
        let mut pending = PendingOffsets::default();
        pending.add(1, "t", 0, at(10));
        pending.add(1, "t", 0, at(11));
        assert_eq!(offsets(&pending.end(1, true)), [11]);
        assert!(pending.end(1, true).is_empty());
    }
}
