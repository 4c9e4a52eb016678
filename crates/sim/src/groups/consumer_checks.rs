//! What must always be true of groups of the consumer protocol.
use super::checks::Checks;
use super::client::{Client, Phase};
use super::topics::{NAMES, Partition, partitions_of};
use ottla_groups::records::{CurrentAssignment, StoredRecord};
use ottla_groups::{Answer, CommitOffsets, ConsumerHeartbeat, Request};
use std::collections::{BTreeMap, BTreeSet};

impl Checks {
    /// What the log says that each member of a group has.
    pub(super) fn consumers(&self, group_id: &str) -> &BTreeMap<String, CurrentAssignment> {
        static NONE: BTreeMap<String, CurrentAssignment> = BTreeMap::new();
        self.consumers.get(group_id).unwrap_or(&NONE)
    }

    fn consumer(&self, group_id: &str, member_id: &str) -> Option<CurrentAssignment> {
        self.consumers.get(group_id)?.get(member_id).cloned()
    }

    /// A record about a member goes into the log.
    pub(super) fn consumer_recorded(&mut self, record: StoredRecord) {
        if let StoredRecord::ConsumerMember(group_id, ..) | StoredRecord::Current(group_id, ..) = &record {
            self.changed.insert(group_id.clone());
        }
        match record {
            StoredRecord::ConsumerMember(group_id, member_id, Some(_)) => {
                self.consumers.entry(group_id).or_default().entry(member_id).or_default();
            }
            StoredRecord::Current(group_id, member_id, Some(current)) => {
                self.consumers.entry(group_id).or_default().insert(member_id, current);
            }
            StoredRecord::ConsumerMember(group_id, member_id, None)
            | StoredRecord::Current(group_id, member_id, None) => {
                self.consumers.entry(group_id).or_default().remove(&member_id);
            }
            _ => {}
        }
    }

    /// A member speaks in its epoch, or in the one before if it has nothing that is not its own any more.
    pub(super) fn refuse_stale_epoch(&mut self, request: &ConsumerHeartbeat) {
        if request.member_epoch <= 0 {
            return;
        }
        let current = self.consumer(&request.group_id, &request.member_id).unwrap_or_default();
        let is_before = request.member_epoch == current.previous_member_epoch
            && request.owned.as_ref().is_some_and(|owned| owned.is_subset_of(&current.assigned));
        if request.member_epoch != current.member_epoch && !is_before {
            self.fail(format!("{request:?} was accepted of {current:?}"));
        }
    }

    /// A member commits in its epoch, or in an earlier one what it has had since then.
    pub(super) fn refuse_stale_commit(&mut self, request: &CommitOffsets) {
        let current = self.consumer(&request.group_id, &request.member_id);
        let epoch = current.as_ref().map(|current| current.member_epoch);
        let was_its_own = |current: CurrentAssignment| {
            let mut topics = request.topics.iter();
            request.generation_id < current.member_epoch
                && topics.all(|topic| {
                    let since = |partition: i32| current.epoch_of(topic.topic_id?, partition);
                    let mut partitions = topic.partitions.iter().map(|commit| since(commit.partition));
                    partitions.all(|since| since.is_some_and(|since| since <= request.generation_id))
                })
        };
        if epoch != Some(request.generation_id) && !current.is_some_and(was_its_own) {
            self.fail(format!(
                "a commit of {} in epoch {}, which is in {epoch:?}",
                request.member_id, request.generation_id
            ));
        }
    }

    /// Whether a join or sync of the classic protocol was accepted by a group of the consumer protocol. There, nobody leads.
    pub(super) fn is_by_consumers(&self, request: &Request, answer: &Answer) -> bool {
        match (request, answer) {
            (_, Answer::JoinGroup(joined)) => joined.error.is_none() && joined.leader.is_empty(),
            (Request::SyncGroup(request), _) => self.consumer(&request.group_id, &request.member_id).is_some(),
            _ => false,
        }
    }

    /// What a member has, or has not given up yet, nobody else has.
    pub(super) fn one_owner_each(&mut self, group_id: &str) {
        let mut owners: Vec<(Partition, &str)> = Vec::new();
        for (member_id, current) in self.consumers(group_id) {
            let has = current.assigned.iter().chain(current.pending_revocation.iter());
            owners.extend(has.map(|(topic_id, number)| (Partition::of(topic_id, number), member_id.as_str())));
        }
        owners.sort_unstable();
        if let Some([(partition, one), (_, other)]) = owners.array_windows().find(|[one, next]| one.0 == next.0) {
            self.fail(format!("{partition:?} of {group_id} is of {one} and of {other}"));
        }
    }

    /// In a group of the consumer protocol that says it is stable, each partition that a member reads has an owner.
    pub(super) fn all_has_an_owner(&mut self, group_id: &str) {
        if self.consumers(group_id).is_empty() {
            return;
        }
        let view = self.topics.told;
        let owned: BTreeSet<Partition> =
            self.consumers(group_id).values().flat_map(|current| partitions_of(&current.assigned)).collect();
        let read = (0..NAMES.len() as u8).filter(|&name| self.is_read(group_id, NAMES[usize::from(name)]));
        let mut wanted = read.flat_map(|name| view.partitions(name));
        if let Some(partition) = wanted.find(|partition| !owned.contains(partition)) {
            self.fail(format!("{group_id} is stable, and nobody has {partition:?}"));
        }
    }

    /// A client begins to work on partitions: nobody who is still a member may work on them.
    pub(super) fn works(&mut self, clients: &[Client], client: usize, before: &[Partition]) {
        let it = &clients[client];
        if it.owned.iter().all(|partition| before.contains(partition)) {
            return;
        }
        let members = self.consumers(&it.group_id);
        if !members.contains_key(&it.member_id) {
            return;
        }
        let gained: Vec<Partition> = it.owned.iter().copied().filter(|partition| !before.contains(partition)).collect();
        let is_other = |other: &&Client| {
            other.group_id == it.group_id && other.member_id != it.member_id && other.phase != Phase::Gone
        };
        for other in clients.iter().filter(is_other) {
            let works = other.owned.iter().any(|partition| gained.contains(partition));
            // What was put out, or has put itself out, may not have heard of it yet.
            let is_member =
                members.get(&other.member_id).is_some_and(|current| current.member_epoch >= other.generation_id);
            if works && is_member {
                let violation =
                    format!("{} works on {gained:?}, which {} has not given up", it.member_id, other.member_id);
                return self.fail(violation);
            }
        }
    }

    /// Whoever was told an epoch is in it or in a later one, or was put out by something that is in the log.
    /// One that was removed may have come back under its own id, to a group that counts from the beginning.
    pub(super) fn epochs_survive(&mut self, removed: &BTreeSet<(String, String)>) {
        for (group_id, member_id, told) in core::mem::take(&mut self.epochs) {
            if removed.contains(&(group_id.clone(), member_id.clone())) {
                continue;
            }
            let key = StoredRecord::Current(group_id.clone(), member_id.clone(), None).encode().key;
            let lost = match self.compacted.get(&key).map(StoredRecord::decode) {
                None => told >= 0,
                Some(Ok(StoredRecord::Current(_, _, Some(current)))) => {
                    // 0 is the epoch of one that was put out by a reset, or whose place another process has taken.
                    told >= 0 && (1..told).contains(&current.member_epoch)
                }
                _ => false,
            };
            if lost {
                self.fail(format!("{member_id} was told epoch {told} of {group_id}, which is lost"));
            }
        }
    }
}
