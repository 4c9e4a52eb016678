//! All that the coordinator knows of a group, at one moment.
use super::Progress;
use crate::answer::GroupState;
use crate::departures::LeftLately;
use crate::describe::group_type;
use crate::event::{Held, Now};
use crate::group::Group;
use crate::request::TopicId;
use crate::subscription::Subscribed;
use crate::topics::Topics;
use crate::waits::{Culprit, Wait, waits};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

/// A group as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedGroup {
    /// The group.
    pub group_id: String,
    /// `classic` or `consumer`.
    pub group_type: &'static str,
    /// Its protocol type, empty for a group that has only commits.
    pub protocol_type: String,
    /// Its state.
    pub state: GroupState,
    /// The generation or, of the consumer protocol, the group's epoch.
    pub epoch: i32,
    /// Wall time in milliseconds since when it is in that state.
    pub since_ms: i64,
    /// Why, in words; empty if that was before the broker started.
    pub cause: String,
    /// Wall time in milliseconds since when the coordinator knows it: what was before is not known to it.
    pub known_since_ms: i64,
    /// Who left lately, oldest first, since then.
    pub left_lately: Vec<LeftLately>,
    /// Topics that its members name and that are not there.
    pub missing_topics: Vec<String>,
    /// What it waits for, the most pressing first.
    pub waits: Vec<Wait>,
    /// Its members, by id.
    pub members: Vec<ExplainedMember>,
    /// Its commits, by topic and partition.
    pub offsets: Vec<ExplainedOffset>,
}

/// A member as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedMember {
    /// Who.
    pub who: Culprit,
    /// What it has; in a rebalance of the classic protocol, what it had.
    pub held: Held,
    /// After how long without a sign of life it is removed, in milliseconds.
    pub session_timeout_ms: u64,
    /// Wall time of its last sign of life, in milliseconds.
    pub last_seen_ms: i64,
    /// From when on it counts as silent: after how long without a sign of life, in milliseconds. Learnt from how often it gave one.
    pub silent_after_ms: i64,
    /// It waits in a request, which shows that it lives.
    pub is_waiting: bool,
    /// The client's own reason for its last join (KIP-800).
    pub reason: Option<String>,
}

/// A commit as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedOffset {
    /// The topic's name.
    pub topic: String,
    /// The id of the topic that it was made for, if that is known.
    pub topic_id: Option<TopicId>,
    /// Partition number.
    pub partition: i32,
    /// The next offset to read.
    pub offset: i64,
    /// Wall time of the commit, in milliseconds.
    pub committed_at_ms: i64,
    /// Free text of the client.
    pub metadata: String,
    /// How commits moved since the broker started; `None` if there was none.
    pub progress: Option<Progress>,
}

impl ExplainedGroup {
    /// The member that has each partition, by topic and number.
    pub fn owners(&self) -> BTreeMap<(&str, i32), &ExplainedMember> {
        let mut owners = BTreeMap::new();
        for member in &self.members {
            for (topic, partitions) in &member.held {
                owners.extend(partitions.iter().map(|&partition| ((topic.as_str(), partition), member)));
            }
        }
        owners
    }

    /// The commit of a partition.
    pub fn offset(&self, topic: &str, partition: i32) -> Option<&ExplainedOffset> {
        let key = |offset: &ExplainedOffset| offset.topic.as_str().cmp(topic).then(offset.partition.cmp(&partition));
        self.offsets.binary_search_by(key).ok().and_then(|at| self.offsets.get(at))
    }

    /// The member of that id.
    pub fn member(&self, member_id: &str) -> Option<&ExplainedMember> {
        self.members.iter().find(|member| member.who.member_id == member_id)
    }
}

/// Takes the picture.
pub(crate) fn picture(now: Now, group: &Group, topics: &Topics) -> ExplainedGroup {
    ExplainedGroup {
        group_id: group.group_id.clone(),
        group_type: group_type(group),
        protocol_type: group.protocol_type.clone().unwrap_or_default(),
        state: group.state,
        epoch: group.generation_or_epoch(),
        since_ms: group.state_since_ms,
        cause: group.cause.clone(),
        known_since_ms: group.known_since_ms,
        left_lately: group.departures.all().cloned().collect(),
        missing_topics: missing_topics(group, topics),
        waits: waits(now, group),
        members: members(group, topics),
        offsets: offsets(group),
    }
}

fn missing_topics(group: &Group, topics: &Topics) -> Vec<String> {
    let classic = match &group.subscribed {
        Subscribed::Topics(names) => Some(names),
        Subscribed::Nothing | Subscribed::Unreadable => None,
    };
    let consumers = group.consumer.subscriptions.keys().flat_map(|subscription| &subscription.names);
    let named: BTreeSet<&String> = classic.into_iter().flatten().chain(consumers).collect();
    named.into_iter().filter(|name| topics.by_name(name).is_none()).cloned().collect()
}

fn members(group: &Group, topics: &Topics) -> Vec<ExplainedMember> {
    let classic = group.roster.iter().map(|member| ExplainedMember {
        who: member.culprit(),
        held: group.held_before(&member.member_id),
        session_timeout_ms: member.session_timeout_ms,
        last_seen_ms: member.last_seen_ms,
        silent_after_ms: member.rhythm.patience_ms(member.session_timeout_ms),
        is_waiting: member.join.is_some() || member.sync.is_some(),
        reason: member.reason.clone(),
    });
    let consumers = group.consumer.members.iter().map(|(member_id, live)| ExplainedMember {
        who: group.consumer_culprit(member_id),
        held: group.consumer_held(member_id, topics),
        session_timeout_ms: live.session_timeout_ms,
        last_seen_ms: live.last_seen_ms,
        silent_after_ms: live.rhythm.patience_ms(live.session_timeout_ms),
        is_waiting: false,
        reason: live.reason.clone(),
    });
    classic.chain(consumers).collect()
}

fn offsets(group: &Group) -> Vec<ExplainedOffset> {
    let topics = group.durable.offsets().iter();
    let offsets = topics.flat_map(|(topic, partitions)| {
        partitions.iter().map(|(&partition, committed)| ExplainedOffset {
            topic: topic.clone(),
            topic_id: committed.topic_id,
            partition,
            offset: committed.offset,
            committed_at_ms: committed.commit_timestamp_ms,
            metadata: committed.metadata.clone(),
            progress: group.progress.get(topic, partition).cloned(),
        })
    });
    offsets.collect()
}
