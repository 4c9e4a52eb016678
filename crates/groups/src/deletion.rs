//! Deleting: commits, groups, and the commits of deleted topics. Each deletion is a tombstone in the log.
use crate::answer::{Answer, GroupError, GroupState, PartitionResult, TopicResults};
use crate::event::{GroupEventKind, Ticket};
use crate::planted::planted;
use crate::records::{GroupMetadata, OffsetKey, StoredRecord};
use crate::request::{DeleteOffsets, FetchTopic, TopicId};
use crate::step::Step;
use crate::subscription::CONSUMER;
use alloc::string::String;
use alloc::vec::Vec;

impl Step<'_> {
    pub(crate) fn forget_offset(&mut self, topic: &str, partition: i32) {
        let key = OffsetKey { group_id: self.group.group_id.clone(), topic: topic.into(), partition };
        self.record(StoredRecord::Offset(key, None));
        self.group.progress.forget(topic, partition);
    }

    /// DeleteGroups: only a group without members may go.
    pub(crate) fn delete_group(&mut self, ticket: Ticket) {
        if self.group.state != GroupState::Empty {
            return self.reply(ticket, Answer::DeleteGroup(Err(GroupError::NonEmptyGroup)));
        }
        for (topic, partition) in self.commits(|_| true) {
            self.forget_offset(&topic, partition);
        }
        self.group.pending.clear();
        self.forget_group("it was deleted");
        self.reply(ticket, Answer::DeleteGroup(Ok(())));
    }

    /// The end of a group that has neither members nor commits.
    pub(crate) fn forget_group(&mut self, cause: &str) {
        // Kafka writes this one also for a group that was made by its commits alone.
        let is_classic = !self.group.is_consumer() || self.group.durable.metadata().is_some();
        self.forget_consumer_group();
        self.forget_former_offsets();
        if is_classic {
            self.record(StoredRecord::Group(self.group.group_id.clone(), None));
        }
        self.enter(GroupState::Dead, cause);
    }

    /// The commits of the topics that `which` chooses, those of transactions that have not ended too.
    fn commits(&self, which: impl Fn(&str) -> bool) -> Vec<(String, i32)> {
        let topics = self.group.durable.offsets().iter().filter(|(topic, _)| which(topic));
        let committed = topics.flat_map(|(topic, ps)| ps.keys().map(|&partition| (topic.clone(), partition)));
        let pending = self.group.durable.pending().partitions().filter(|(topic, _)| which(topic));
        let mut all: Vec<_> =
            committed.chain(pending.map(|(topic, partition)| (String::from(topic), partition))).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// OffsetDelete: commits in use stay.
    pub(crate) fn delete_offsets(&mut self, ticket: Ticket, request: DeleteOffsets) {
        let used = self.group.state != GroupState::Empty;
        if used && self.group.protocol_type.as_deref() != Some(CONSUMER) {
            return self.reply(ticket, Answer::DeleteOffsets(Err(GroupError::NonEmptyGroup)));
        }
        let results = request.topics.into_iter().map(|topic| self.delete_topic_offsets(topic)).collect();
        self.reply(ticket, Answer::DeleteOffsets(Ok(results)));
    }

    fn delete_topic_offsets(&mut self, topic: FetchTopic) -> TopicResults {
        let error = self.group.reads(&topic.name).then_some(GroupError::GroupSubscribedToTopic);
        if error.is_none() {
            let has_commit = |&&partition: &&i32| self.group.durable.offset(&topic.name, partition).is_some();
            let deleted: Vec<i32> = topic.partitions.iter().filter(has_commit).copied().collect();
            for &partition in &deleted {
                self.keep_existing();
                self.forget_offset(&topic.name, partition);
            }
            self.tell_deleted(&topic.name, deleted, "a client asked for it (OffsetDelete)");
        }
        let result = |partition| PartitionResult { partition, error };
        TopicResults { partitions: topic.partitions.into_iter().map(result).collect(), name: topic.name }
    }

    /// A group that exists by its commits alone gets a record of its own before the first of them is deleted: deleting
    /// commits does not delete the group.
    fn keep_existing(&mut self) {
        if self.group.durable.metadata().is_none() && !self.group.is_consumer() {
            let metadata = GroupMetadata { state_timestamp_ms: self.now.wall_ms, ..GroupMetadata::default() };
            self.record(StoredRecord::Group(self.group.group_id.clone(), Some(metadata)));
        }
    }

    /// A topic was deleted. Commits that were made for another topic of the same name stay.
    pub(crate) fn topic_deleted(&mut self, name: &str, topic_id: Option<TopicId>) {
        let mut deleted = Vec::new();
        let concerned = |topic: &str| topic == name && !planted!(self.settings, DeletedTopicKeepsCommits);
        for (topic, partition) in self.commits(concerned) {
            let committed = self.group.durable.offset(&topic, partition).into_iter();
            let pending = self.group.durable.pending().of_topic(&topic).filter(|(pending, _)| *pending == partition);
            let ids =
                committed.chain(pending.map(|(_, committed)| committed)).filter_map(|committed| committed.topic_id);
            let same = topic_id.is_none_or(|deleted| ids.into_iter().all(|id| id == deleted));
            if same || planted!(self.settings, DeletionTakesNewCommits) {
                self.forget_offset(&topic, partition);
                deleted.push(partition);
            }
        }
        self.tell_deleted(name, deleted, "the topic was deleted");
    }

    fn tell_deleted(&mut self, topic: &str, mut partitions: Vec<i32>, cause: &str) {
        partitions.sort_unstable();
        partitions.dedup();
        if !partitions.is_empty() {
            self.tell(GroupEventKind::OffsetsDeleted { topic: topic.into(), partitions, cause: cause.into() });
        }
    }
}
