//! Committed offsets: commit and fetch.
use crate::answer::{Answer, FetchedPartition, FetchedTopic, GroupError, GroupState, PartitionResult, TopicResults};
use crate::durable::{DurableGroup, DurableMember};
use crate::event::{Producer, Ticket};
use crate::explain::{Commit, Point};
use crate::planted::planted;
use crate::records::{CommittedOffset, OffsetKey, StoredRecord};
use crate::request::{CommitInTransaction, CommitOffsets, CommitPartition, CommitTopic, FetchOffsets, FetchTopic};
use crate::step::Step;
use alloc::string::String;
use alloc::vec::Vec;

impl Step<'_> {
    pub(crate) fn commit(&mut self, ticket: Ticket, request: CommitOffsets) {
        if let Err(error) = self.may_commit(&request) {
            return self.reply(ticket, Answer::CommitOffsets(Err(error)));
        }
        self.take_commit(ticket, None, request);
    }

    /// TxnOffsetCommit: it counts once the transaction has committed.
    pub(crate) fn commit_in_transaction(&mut self, ticket: Ticket, request: CommitInTransaction) {
        let CommitInTransaction { producer, commit } = request;
        // Older clients do not say which member commits; the producer's epoch alone fences them (KIP-447).
        let says_who = commit.generation_id >= 0 || !commit.member_id.is_empty() || commit.group_instance_id.is_some();
        let checked = match self.may_commit(&commit) {
            _ if !says_who => Ok(()),
            // The member has what it commits until it joins: its transaction is what it finishes first.
            Err(GroupError::RebalanceInProgress) => Ok(()),
            checked => checked,
        };
        match checked {
            Ok(()) => self.take_commit(ticket, Some(producer), commit),
            Err(error) => self.reply(ticket, Answer::CommitOffsets(Err(error))),
        }
    }

    fn take_commit(&mut self, ticket: Ticket, producer: Option<Producer>, request: CommitOffsets) {
        if !self.group.is_consumer() && matches!(self.group.state, GroupState::Stable | GroupState::PreparingRebalance)
        {
            self.group.renew_session(self.now, &request.member_id);
        }
        let before = self.actions.len();
        let expire = request.retention_time_ms.filter(|&keep_ms| keep_ms >= 0);
        let expire = expire.map(|keep_ms| self.now.wall_ms.saturating_add(keep_ms));
        let mut results = Vec::with_capacity(request.topics.len());
        for topic in request.topics {
            results.push(self.commit_topic(topic, expire, &request.member_id, producer));
        }
        self.reply(ticket, Answer::CommitOffsets(Ok(results)));
        if planted!(self.settings, CommitReplyBeforeAppend)
            && let Some(late) = self.actions.get_mut(before..)
        {
            late.rotate_right(1);
        }
    }

    /// A producer's transaction has ended: what it committed counts, or never does.
    pub(crate) fn transaction_ended(&mut self, producer_id: i64, commits: bool) {
        let counts = commits || planted!(self.settings, AbortedOffsetsCount);
        for (topic, partition, offset) in self.group.durable.end_transaction(producer_id, counts) {
            let point = Point { at_ms: self.now.wall_ms, offset, log_end: -1 };
            self.group.progress.note(&topic, partition, point);
        }
    }

    /// Members commit under their generation; anybody may commit to a group without members.
    fn may_commit(&self, request: &CommitOffsets) -> Result<(), GroupError> {
        if request.generation_id < 0 && self.now.monotonic_ms < self.group.closed_until_ms {
            return Err(GroupError::UnknownMemberId);
        }
        if self.group.is_consumer() {
            return self.may_consumer_commit(request);
        }
        let state = self.group.state;
        if request.generation_id < 0 && state == GroupState::Empty {
            return Ok(());
        }
        let instance = request.group_instance_id.as_deref();
        if request.generation_id < 0 && request.member_id.is_empty() && instance.is_none() {
            return Err(GroupError::UnknownMemberId);
        }
        if planted!(self.settings, StaleGenerationCommits) {
            self.check_member(&request.member_id, instance)?;
        } else {
            self.check_generation(&request.member_id, instance, request.generation_id)?;
        }
        match state {
            GroupState::Empty => Err(GroupError::UnknownMemberId),
            GroupState::Dead => Err(GroupError::CoordinatorNotAvailable),
            // Those are of the other protocol.
            GroupState::Assigning | GroupState::Reconciling => Err(GroupError::UnknownMemberId),
            // Nobody knows yet what it owns in this generation.
            GroupState::CompletingRebalance => Err(GroupError::RebalanceInProgress),
            GroupState::PreparingRebalance | GroupState::Stable => Ok(()),
        }
    }

    /// Members of the consumer protocol commit in their epoch, and so does nobody else while there are any.
    fn may_consumer_commit(&self, request: &CommitOffsets) -> Result<(), GroupError> {
        let members = self.group.durable.consumer().map(|consumer| &consumer.members);
        if request.generation_id < 0 && members.is_none_or(|members| members.is_empty()) {
            return Ok(());
        }
        let Some(member) = members.and_then(|members| members.get(&request.member_id)) else {
            // A client that is only unknown joins again, and would put out the one that has put it out.
            let instance = request.group_instance_id.as_deref();
            let is_fenced = instance.is_some_and(|instance| self.group.consumer.instances.contains_key(instance));
            return Err(if is_fenced { GroupError::FencedInstanceId } else { GroupError::UnknownMemberId });
        };
        let is_classic = member.metadata.as_ref().is_some_and(|metadata| metadata.classic.is_some());
        if !request.knows_epochs && !is_classic {
            return Err(GroupError::UnsupportedVersion);
        }
        let is_current = request.generation_id == member.current.member_epoch;
        let is_known = || request.generation_id < member.current.member_epoch && self.had_all_by_then(member, request);
        if is_current || is_known() || planted!(self.settings, StaleGenerationCommits) {
            return Ok(());
        }
        Err(if is_classic { GroupError::IllegalGeneration } else { GroupError::StaleMemberEpoch })
    }

    /// Whether all that is committed has been the member's own since the epoch that it names (KIP-1251): it may not have heard of
    /// the next one yet.
    fn had_all_by_then(&self, member: &DurableMember, request: &CommitOffsets) -> bool {
        request.topics.iter().all(|topic| {
            let topic_id = topic.topic_id.or_else(|| self.topics.by_name(&topic.name).map(|shape| shape.topic_id));
            let since =
                |partition: &CommitPartition| topic_id.and_then(|id| member.current.epoch_of(id, partition.partition));
            topic
                .partitions
                .iter()
                .all(|partition| since(partition).is_some_and(|epoch| epoch <= request.generation_id))
        })
    }

    fn commit_topic(
        &mut self,
        topic: CommitTopic,
        expire_timestamp_ms: Option<i64>,
        member_id: &str,
        producer: Option<Producer>,
    ) -> TopicResults {
        let longest = usize::try_from(self.settings.max_offset_metadata_bytes).unwrap_or(0);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let (partition, metadata) = (asked.partition, &asked.metadata);
            let error = (metadata.len() > longest).then_some(GroupError::OffsetMetadataTooLarge);
            partitions.push(PartitionResult { partition, error });
            if error.is_some() {
                continue;
            }
            if producer.is_none() {
                let before = self.group.durable.offset(&topic.name, partition);
                let before = before.filter(|before| before.topic_id == topic.topic_id).map(|before| before.offset);
                self.note_commit(&Commit { topic: &topic.name, asked: &asked, before, member_id });
            }
            let CommitPartition { offset, leader_epoch, metadata, .. } = asked;
            let key = OffsetKey { group_id: self.group.group_id.clone(), topic: topic.name.clone(), partition };
            let value = CommittedOffset {
                offset,
                leader_epoch,
                metadata,
                commit_timestamp_ms: self.now.wall_ms,
                expire_timestamp_ms,
                topic_id: topic.topic_id,
            };
            let record = StoredRecord::Offset(key, Some(value));
            match producer {
                Some(producer) => self.record_in_transaction(producer, record),
                None => self.record(record),
            }
        }
        TopicResults { name: topic.name, partitions }
    }
}

/// A member of the consumer protocol must be in its epoch, lest it go on from where another has not stopped yet.
pub(crate) fn may_fetch(group: Option<&DurableGroup>, request: &FetchOffsets) -> Result<(), GroupError> {
    let Some((member_id, epoch)) = &request.member else { return Ok(()) };
    let Some(consumer) = group.and_then(DurableGroup::consumer) else { return Ok(()) };
    let member = consumer.members.get(member_id).ok_or(GroupError::UnknownMemberId)?;
    let is_classic = member.metadata.as_ref().is_some_and(|metadata| metadata.classic.is_some());
    match member.current.member_epoch == *epoch {
        true => Ok(()),
        false if is_classic => Err(GroupError::IllegalGeneration),
        false => Err(GroupError::StaleMemberEpoch),
    }
}

/// Committed offsets of a group, which need not exist: what has no commit is answered with -1 and no error.
pub(crate) fn fetch(group: Option<&DurableGroup>, request: FetchOffsets) -> Answer {
    let topics = match request.topics {
        Some(topics) => topics.into_iter().map(|topic| fetch_topic(group, topic)).collect(),
        None => group.map_or_else(Vec::new, fetch_all),
    };
    let mut topics: Vec<FetchedTopic> = topics;
    if let Some(pending) =
        group.map(DurableGroup::pending).filter(|pending| request.require_stable && !pending.is_empty())
    {
        let partitions = topics.iter_mut().flat_map(|topic| {
            let FetchedTopic { name, partitions, .. } = topic;
            partitions.iter_mut().filter(|fetched| pending.has(name, fetched.partition))
        });
        partitions.for_each(|fetched| *fetched = unstable(fetched.partition));
    }
    Answer::FetchOffsets(Ok(topics))
}

fn fetched(partition: i32, committed: Option<&CommittedOffset>) -> FetchedPartition {
    FetchedPartition {
        partition,
        offset: committed.map_or(-1, |committed| committed.offset),
        leader_epoch: committed.map_or(-1, |committed| committed.leader_epoch),
        metadata: committed.map_or_else(String::new, |committed| committed.metadata.clone()),
        error: None,
    }
}

/// What is committed is about to change, or not: nobody shall go on from it.
fn unstable(partition: i32) -> FetchedPartition {
    FetchedPartition { error: Some(GroupError::UnstableOffsetCommit), ..fetched(partition, None) }
}

fn fetch_topic(group: Option<&DurableGroup>, topic: FetchTopic) -> FetchedTopic {
    let commit_of = |partition: i32| {
        let committed = group.and_then(|group| group.offset(&topic.name, partition));
        // A commit for a topic of the same name that was deleted since does not count.
        committed.filter(|committed| match (committed.topic_id, topic.topic_id) {
            (Some(committed), Some(asked)) => committed == asked,
            _ => true,
        })
    };
    let partitions = topic.partitions.iter().map(|&partition| fetched(partition, commit_of(partition))).collect();
    FetchedTopic { topic_id: topic.topic_id, partitions, name: topic.name }
}

fn fetch_all(group: &DurableGroup) -> Vec<FetchedTopic> {
    let topics = group.offsets().iter().map(|(name, partitions)| FetchedTopic {
        name: name.clone(),
        topic_id: partitions.values().next_back().and_then(|committed| committed.topic_id),
        partitions: partitions.iter().map(|(&partition, committed)| fetched(partition, Some(committed))).collect(),
    });
    topics.collect()
}
