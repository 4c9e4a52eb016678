//! What must be true of topics that come and go: what is there is read by one member each, and nothing is left of what is gone.
use super::checks::Checks;
use super::client::Client;
use super::embedded::subscribed;
use super::topics::{NAMES, Partition, View, matches, place};
use ottla_groups::records::{ConsumerMemberMetadata, StoredRecord};
use ottla_groups::{Coordinator, FetchedTopic, Request, Ticket};

/// The topics as the checks know them.
pub(super) struct Told {
    /// Those that there are.
    pub(super) now: View,
    /// Those that the coordinator was told of last.
    pub(super) told: View,
    /// So many were deleted of which the coordinator has not heard yet.
    pub(super) untold: usize,
}

impl Default for Told {
    fn default() -> Self {
        Told { now: View::first(), told: View::first(), untold: 0 }
    }
}

impl Checks {
    /// Whether any member reads the topic, as the log says.
    pub(super) fn is_read(&self, group_id: &str, topic: &str) -> bool {
        let classic = self.generation(group_id).map(|metadata| metadata.members).unwrap_or_default();
        let by_classic = |name| classic.iter().any(|member| subscribed(&member.subscription).contains(&name));
        let said = |member_id: &String| {
            let key = StoredRecord::ConsumerMember(group_id.into(), member_id.clone(), None).encode().key;
            match self.compacted.get(&key).map(StoredRecord::decode) {
                Some(Ok(StoredRecord::ConsumerMember(_, _, said))) => said,
                _ => None,
            }
        };
        let reads = |said: ConsumerMemberMetadata| {
            let regex = said.subscribed_topic_regex.unwrap_or_default();
            said.subscribed_topic_names.iter().any(|name| name == topic) || matches(&regex, topic)
        };
        place(topic).is_some_and(by_classic) || self.consumers(group_id).keys().filter_map(said).any(reads)
    }

    /// An answer waits for the log from now on. Says what names of topics mean in it: in a group of the consumer protocol, to the
    /// coordinator; else to its leader, who asks again and again.
    pub(super) fn held(&mut self, ticket: Ticket) -> View {
        let group_id = self.open.get(&ticket).and_then(|open| match &open.request {
            Request::JoinGroup(request) => Some(&request.group_id),
            Request::SyncGroup(request) => Some(&request.group_id),
            _ => None,
        });
        let life = group_id.map_or(0, |group_id| self.life(group_id));
        let Some(open) = self.open.get_mut(&ticket) else { return self.topics.now };
        open.life = life;
        if open.by_consumers { self.topics.told } else { self.topics.now }
    }

    /// Commits are answered as the log has them, and of the topics that there are.
    pub(super) fn fetched(&mut self, group_id: &str, topic: &FetchedTopic) {
        for partition in &topic.partitions {
            let committed = self.commit(group_id, &topic.name, partition.partition);
            let is_of_another = |id| topic.topic_id.is_some_and(|asked| asked != id);
            let counts = committed.filter(|committed| !committed.topic_id.is_some_and(is_of_another));
            if counts.as_ref().map_or(-1, |committed| committed.offset) != partition.offset {
                self.fail(format!("fetched {partition:?} of {}, but committed is {counts:?}", topic.name));
            }
            let topic_id = counts.and_then(|committed| committed.topic_id);
            if topic_id.is_some_and(|id| self.topics.untold == 0 && !self.topics.now.has_id(id)) {
                self.fail(format!("fetched {partition:?} of {}, which is gone", topic.name));
            }
        }
    }

    /// Once the coordinator was told, no commit of a deleted topic is left.
    pub(super) fn nothing_is_left_of_what_is_gone(&mut self, live: &Coordinator) {
        if self.topics.untold > 0 {
            return;
        }
        for (group_id, group) in live.durable_groups() {
            for (topic, partitions) in group.offsets() {
                let mut ids = partitions.values().filter_map(|committed| committed.topic_id);
                if ids.any(|id| !self.topics.now.has_id(id)) {
                    return self.fail(format!("{group_id} has a commit of {topic}, a topic that was deleted"));
                }
            }
        }
    }

    /// Commits go with their own topic, not with another one of the same name.
    pub(super) fn deleted_with_their_topic(&mut self, group_id: &str, topic: &str, partitions: &[i32], cause: &str) {
        let topic_of = |&partition: &i32| self.commit(group_id, topic, partition).and_then(|commit| commit.topic_id);
        let is_there = partitions.iter().filter_map(topic_of).any(|id| self.topics.now.has_id(id));
        if cause.contains("the topic was deleted") && is_there {
            self.fail(format!("{group_id} loses commits of {topic} {partitions:?}, a topic that was not deleted"));
        }
    }

    /// Every partition that somebody reads has one owner, who reads it, and nobody owns anything else. Says what is otherwise.
    pub(super) fn all_is_owned(&self, living: &[&Client]) -> Option<String> {
        let view = &self.topics.now;
        let reads = |client: &&Client| client.reads.names(view);
        let mut read: Vec<u8> = living.iter().flat_map(reads).filter(|&name| view.topic(name).is_some()).collect();
        read.sort_unstable();
        read.dedup();
        let wanted: Vec<Partition> = read.into_iter().flat_map(|name| view.partitions(name)).collect();
        let mut owned: Vec<Partition> = living.iter().flat_map(|client| client.owned.clone()).collect();
        owned.sort_unstable();
        if owned != wanted {
            return Some(format!("its consumers own {owned:?} of {wanted:?}"));
        }
        let not_read =
            |client: &Client| client.owned.iter().find(|p| !client.reads.names(view).contains(&p.name)).copied();
        let (client, partition) = living.iter().find_map(|client| Some((client, not_read(client)?)))?;
        let name = NAMES[usize::from(partition.name)];
        Some(format!("{} owns {partition:?}, but does not read {name}", client.name))
    }
}
