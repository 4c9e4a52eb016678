//! What must always be true, checked after every event. Nothing here looks at a planted bug.
use super::broker::now;
use super::connections::HeardOver;
use super::embedded::partitions;
use super::reset_checks::Resets;
use super::topic_checks::Told;
use super::topics::Named;
use ottla_groups::records::{CommittedOffset, CurrentAssignment, GroupMetadata, OffsetKey, StoredRecord};
use ottla_groups::{
    Action, Answer, Coordinator, GroupError, GroupEventKind, GroupState, Heartbeat, Now, Record, Request,
};
use ottla_groups::{Settings, Ticket};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;

/// The longest that a parked join or sync may take: the longest rebalance timeout, and a little for the clock.
const LONGEST_PARK_MS: u64 = 5_000 + 100;
/// The longest that any wait may be planned for, but for new members' joins.
pub(super) const LONGEST_WAIT_MS: u64 = 12_000;
/// Keys of records about commits begin with these versions.
const COMMIT_KEYS: [u8; 2] = [0, 1];

/// What everybody who hears of a generation must hear.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    protocol: Option<String>,
    /// Instance ids, or member ids of dynamic members.
    participants: BTreeSet<String>,
}

/// A request that the coordinator has not answered yet.
pub(super) struct Open {
    pub(super) request: Request,
    connection: Option<u64>,
    answer_by_ms: u64,
    /// Answered by a group of the consumer protocol.
    pub(super) by_consumers: bool,
    /// Which life its group was in when it was answered.
    pub(super) life: u32,
}

type Generation = (String, i32);

/// Where a check stands, which tells it from the others.
pub(super) type Check = (&'static str, u32);

/// The memory of the checks.
pub(super) struct Checks {
    pub(super) settings: Settings,
    session_timeout_ms: u64,
    violation: Option<(Check, String)>,
    pub(super) open: BTreeMap<Ticket, Box<Open>>,
    /// The last record of every key, as compaction would leave it.
    pub(super) compacted: BTreeMap<Vec<u8>, Record>,
    /// How often a group was forgotten; one of the same name begins anew.
    lives: BTreeMap<String, u32>,
    /// What the log says of each generation, and what clients were told of it.
    recorded: BTreeMap<Generation, Facts>,
    told: BTreeMap<Generation, Facts>,
    /// Who was told to own a partition in a generation.
    owners: BTreeMap<(Generation, Named), String>,
    /// Who speaks for an instance, by group and instance.
    speakers: BTreeMap<(String, String), String>,
    /// Acknowledged since the last crash: commits, and assignments that members were told.
    pub(super) acknowledged: Vec<(OffsetKey, i64)>,
    assigned: Vec<(Generation, String, Vec<u8>)>,
    /// When a member was last heard, in time that the broker was running.
    heard: BTreeMap<(String, String), u64>,
    stood_still_ms: u64,
    /// Members that were removed since the last crash.
    removed: BTreeSet<(String, String)>,
    /// What a crash has left of the log is looked through.
    is_replaying: bool,
    /// Groups of which members of the consumer protocol have changed since the last look.
    pub(super) changed: BTreeSet<String>,
    steps: u64,
    /// State at the first judgement.
    pub(super) judged: BTreeMap<String, Option<(GroupState, i32)>>,
    /// Epochs that members of the consumer protocol were told since the last crash: group, member, epoch.
    pub(super) epochs: Vec<(String, String, i32)>,
    /// Over which connections members were heard, and which were lost.
    pub(super) connections: HeardOver,
    /// The topics that there are.
    pub(super) topics: Told,
    /// Resets of offsets.
    pub(super) resets: Resets,
    /// What members of the consumer protocol have, by group and member id, as the log says.
    pub(super) consumers: BTreeMap<String, BTreeMap<String, CurrentAssignment>>,
}

impl Checks {
    pub(super) fn new(settings: Settings, session_timeout_ms: u64) -> Self {
        Checks {
            settings,
            session_timeout_ms,
            violation: None,
            open: BTreeMap::new(),
            compacted: BTreeMap::new(),
            lives: BTreeMap::new(),
            recorded: BTreeMap::new(),
            told: BTreeMap::new(),
            owners: BTreeMap::new(),
            speakers: BTreeMap::new(),
            acknowledged: Vec::new(),
            assigned: Vec::new(),
            heard: BTreeMap::new(),
            stood_still_ms: 0,
            removed: BTreeSet::new(),
            is_replaying: false,
            changed: BTreeSet::new(),
            steps: 0,
            judged: BTreeMap::new(),
            epochs: Vec::new(),
            connections: HeardOver::default(),
            topics: Told::default(),
            resets: Resets::default(),
            consumers: BTreeMap::new(),
        }
    }

    pub(super) fn violation(&self) -> Option<&(Check, String)> {
        self.violation.as_ref()
    }

    #[track_caller]
    pub(super) fn fail(&mut self, violation: String) {
        let check = Location::caller();
        self.violation.get_or_insert(((check.file(), check.line()), violation));
    }

    /// A request reaches the coordinator.
    pub(super) fn asked(&mut self, at_ms: u64, ticket: Ticket, request: &Request, connection: Option<u64>) {
        self.hear_over(request, connection);
        let may_park = matches!(request, Request::JoinGroup(_) | Request::SyncGroup(_));
        let answer_by_ms = if may_park { at_ms + LONGEST_PARK_MS } else { at_ms };
        let open = Open { request: request.clone(), connection, answer_by_ms, by_consumers: false, life: 0 };
        self.open.insert(ticket, Box::new(open));
    }

    pub(super) fn cancelled(&mut self, ticket: Ticket) {
        self.open.remove(&ticket);
    }

    /// The broker stood still: nobody could be answered.
    pub(super) fn stalled(&mut self, stall_ms: u64) {
        self.open.values_mut().for_each(|open| open.answer_by_ms = open.answer_by_ms.saturating_add(stall_ms));
        // A short stall cannot be told from an ordinary delay, and a pulse of each one cannot be seen.
        if stall_ms > 2_000 {
            self.stood_still_ms += stall_ms - 1_000;
        }
    }

    /// What one call of the coordinator emitted, before any of it is done.
    pub(super) fn emitted(&mut self, at_ms: u64, asked: Option<Ticket>, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Reply(ticket, answer) => self.answered(at_ms, *ticket, answer),
                Action::Event(event) => self.happened(at_ms, &event.group_id, &event.kind),
                Action::Append(_) | Action::AppendInTransaction(..) => {}
            }
        }
        if let Some(open) = asked.and_then(|ticket| self.open.get(&ticket)) {
            let answered = actions.iter().any(|action| matches!(action, Action::Reply(t, _) if Some(*t) == asked));
            if !answered && open.answer_by_ms <= at_ms {
                self.fail(format!("not answered at once: {:?}", open.request));
            }
        }
        let late = self.open.values().find(|open| open.answer_by_ms < at_ms);
        if let Some(late) = late.map(|open| format!("not answered in time: {:?}", open.request)) {
            self.fail(late);
        }
    }

    /// The coordinator decided on an answer; it may still have to wait for the log.
    fn answered(&mut self, at_ms: u64, ticket: Ticket, answer: &Answer) {
        let Some(mut open) = self.open.remove(&ticket) else { return };
        let request = &open.request;
        self.hear_joined_over(request, answer, open.connection);
        self.reset_decided(ticket, request, answer);
        self.joins_as_itself(request, answer);
        self.refuse_stale(request, answer);
        self.hear(at_ms, request, answer);
        if let (Request::FetchOffsets(request), Answer::FetchOffsets(Ok(topics))) = (request, answer) {
            topics.iter().for_each(|topic| self.fetched(&request.group_id, topic));
        }
        open.by_consumers = self.is_by_consumers(request, answer);
        open.answer_by_ms = u64::MAX;
        self.open.insert(ticket, open);
    }

    pub(super) fn commit(&self, group_id: &str, topic: &str, partition: i32) -> Option<CommittedOffset> {
        let key = OffsetKey { group_id: group_id.into(), topic: topic.into(), partition };
        let record = self.compacted.get(&StoredRecord::Offset(key, None).encode().key)?;
        match StoredRecord::decode(record) {
            Ok(StoredRecord::Offset(_, value)) => value,
            _ => None,
        }
    }

    pub(super) fn generation(&self, group_id: &str) -> Option<GroupMetadata> {
        let record = self.compacted.get(&StoredRecord::Group(group_id.into(), None).encode().key)?;
        match StoredRecord::decode(record) {
            Ok(StoredRecord::Group(_, metadata)) => metadata,
            _ => None,
        }
    }

    /// Nobody may act for a generation that is over, or for an instance that somebody else has taken.
    fn refuse_stale(&mut self, request: &Request, answer: &Answer) {
        if let (Request::CommitOffsets(r), Answer::CommitOffsets(Ok(_))) = (request, answer)
            && r.generation_id >= 0
        {
            self.refuse_commit_of_before_a_reset(r);
        }
        let (group_id, member_id, instance) = match (request, answer) {
            (Request::ConsumerHeartbeat(r), Answer::ConsumerHeartbeat(Ok(_))) => return self.refuse_stale_epoch(r),
            (Request::CommitOffsets(r), Answer::CommitOffsets(Ok(_))) if r.knows_epochs => {
                return self.refuse_stale_commit(r);
            }
            (Request::CommitOffsets(r), Answer::CommitOffsets(Ok(_)))
                if r.generation_id >= 0 && self.consumers(&r.group_id).contains_key(&r.member_id) =>
            {
                self.refuse_stale_commit(r);
                (&r.group_id, &r.member_id, &r.group_instance_id)
            }
            (Request::CommitOffsets(r), Answer::CommitOffsets(Ok(_))) if r.generation_id >= 0 => {
                let current = self.generation(&r.group_id).map(|metadata| metadata.generation_id);
                if current != Some(r.generation_id) {
                    self.fail(format!("a commit of generation {} in generation {current:?}", r.generation_id));
                }
                (&r.group_id, &r.member_id, &r.group_instance_id)
            }
            (Request::CommitOffsets(r), Answer::CommitOffsets(Ok(_))) => {
                let members = self.generation(&r.group_id).map_or(0, |metadata| metadata.members.len());
                let members = members + self.consumers(&r.group_id).len();
                if members > 0 {
                    self.fail(format!("a commit from outside into a group with {members} members"));
                }
                return;
            }
            (Request::Heartbeat(r), Answer::Heartbeat(Ok(()))) => {
                self.refuse_strangers(r);
                (&r.group_id, &r.member_id, &r.group_instance_id)
            }
            (Request::SyncGroup(r), Answer::SyncGroup(Ok(_))) => (&r.group_id, &r.member_id, &r.group_instance_id),
            _ => return,
        };
        let Some(instance) = instance else { return };
        let speaker = self.speakers.get(&(group_id.clone(), instance.clone()));
        if speaker.is_some_and(|speaker| speaker != member_id) {
            self.fail(format!("{member_id} speaks for {instance}, but that is {speaker:?} now"));
        }
    }

    /// Whoever is told that all is well is a member.
    fn refuse_strangers(&mut self, request: &Heartbeat) {
        let Heartbeat { group_id, member_id, .. } = request;
        let is_classic = self.generation(group_id).is_some_and(|metadata| metadata.member(member_id).is_some());
        if !is_classic && !self.consumers(group_id).contains_key(member_id) {
            self.fail(format!("{member_id} is told that all is well, and is no member of {group_id}"));
        }
    }

    /// Whoever joins under a member id joins as that member.
    fn joins_as_itself(&mut self, request: &Request, answer: &Answer) {
        let (asked, told) = match (request, answer) {
            (Request::JoinGroup(request), Answer::JoinGroup(joined)) if joined.error.is_none() => {
                (&request.member_id, &joined.member_id)
            }
            (Request::ConsumerHeartbeat(request), Answer::ConsumerHeartbeat(Ok(joined))) => {
                (&request.member_id, &joined.member_id)
            }
            _ => return,
        };
        if !asked.is_empty() && asked != told {
            self.fail(format!("{asked} joins and is {told}"));
        }
    }

    /// Notes signs of life, and who speaks for an instance.
    fn hear(&mut self, at_ms: u64, request: &Request, answer: &Answer) {
        let (group_id, member_id) = match (request, answer) {
            (Request::Heartbeat(r), Answer::Heartbeat(Ok(()) | Err(GroupError::RebalanceInProgress))) => {
                (&r.group_id, &r.member_id)
            }
            (Request::SyncGroup(r), Answer::SyncGroup(Ok(_))) => (&r.group_id, &r.member_id),
            (Request::ConsumerHeartbeat(r), Answer::ConsumerHeartbeat(Ok(joined))) if r.member_epoch >= 0 => {
                if let Some(instance) = r.group_instance_id.as_ref().filter(|_| r.member_epoch == 0) {
                    self.speakers.insert((r.group_id.clone(), instance.clone()), joined.member_id.clone());
                }
                (&r.group_id, &r.member_id)
            }
            (Request::JoinGroup(r), Answer::JoinGroup(joined)) if joined.error.is_none() => {
                if let Some(instance) = &r.group_instance_id {
                    self.speakers.insert((r.group_id.clone(), instance.clone()), joined.member_id.clone());
                }
                (&r.group_id, &joined.member_id)
            }
            _ => return,
        };
        self.heard.insert((group_id.clone(), member_id.clone()), at_ms - self.stood_still_ms);
    }

    /// Time that the broker was running.
    pub(super) fn running_ms(&self, at_ms: u64) -> u64 {
        at_ms - self.stood_still_ms
    }

    fn happened(&mut self, at_ms: u64, group_id: &str, kind: &GroupEventKind) {
        let (member_id, cause) = match kind {
            GroupEventKind::MemberRemoved { member, cause, .. } => {
                let instance = member.group_instance_id.as_deref();
                self.removed_for_its_connection(at_ms, group_id, &member.member_id, instance, cause);
                (&member.member_id, cause)
            }
            GroupEventKind::StaticMemberReplaced { old_member_id, .. } => {
                self.removed.insert((group_id.to_string(), old_member_id.clone()));
                return;
            }
            GroupEventKind::OffsetsDeleted { topic, partitions, cause } => {
                return self.deleted_with_their_topic(group_id, topic, partitions, cause);
            }
            GroupEventKind::OffsetsExpired { topic, partitions, .. } => {
                return partitions.iter().for_each(|&partition| self.expired(at_ms, group_id, topic, partition));
            }
            _ => return,
        };
        self.removed.insert((group_id.to_string(), member_id.clone()));
        let heard = self.heard.remove(&(group_id.to_string(), member_id.clone()));
        let silent_ms = heard.map(|heard_ms| (at_ms - self.stood_still_ms).saturating_sub(heard_ms));
        let session_ms = self.session_timeout_of(group_id, member_id).unwrap_or(self.session_timeout_ms);
        if cause.contains("session") && silent_ms.is_some_and(|silent_ms| silent_ms < session_ms) {
            self.fail(format!("{member_id} was evicted after a silence of only {silent_ms:?} ms"));
        }
    }

    /// Only what nobody has needed for the whole retention may expire.
    fn expired(&mut self, at_ms: u64, group_id: &str, topic: &str, partition: i32) {
        let generation = self.generation(group_id);
        let members = generation.as_ref().map_or(0, |metadata| metadata.members.len());
        let members = members + self.consumers(group_id).len();
        let Some(committed) = self.commit(group_id, topic, partition) else {
            return self.fail(format!("{group_id} had no commit of {topic}-{partition} that could expire"));
        };
        let had_members = generation.filter(|metadata| !metadata.protocol_type.is_empty());
        let since_ms =
            had_members.map_or(i64::MIN, |metadata| metadata.state_timestamp_ms).max(committed.commit_timestamp_ms);
        let unneeded_ms = now(at_ms).wall_ms - since_ms;
        let is_needed = members > 0 && self.is_read(group_id, topic);
        if is_needed || unneeded_ms < self.settings.offsets_retention_ms {
            self.fail(format!("{committed:?} of {group_id} expired after {unneeded_ms} ms, with {members} members"));
        }
    }

    /// A record goes into the log.
    pub(super) fn appended(&mut self, record: &Record) {
        let is_commit = record.key.get(1).is_some_and(|version| COMMIT_KEYS.contains(version));
        match if is_commit { None } else { StoredRecord::decode(record).ok() } {
            Some(StoredRecord::Group(group_id, Some(metadata))) => self.generation_recorded(&group_id, &metadata),
            Some(StoredRecord::Group(group_id, None)) => self.group_forgotten(&group_id),
            Some(StoredRecord::GroupEpoch(group_id, None)) => self.epochs_forgotten(&group_id),
            Some(other) => self.consumer_recorded(other),
            None => {}
        }
        match self.compacted.get_mut(&record.key) {
            Some(before) => before.value.clone_from(&record.value),
            None => drop(self.compacted.insert(record.key.clone(), record.clone())),
        }
    }

    /// A group of the same name counts its generations from the beginning, for members that nobody knew before.
    fn group_forgotten(&mut self, group_id: &str) {
        let before = self.generation(group_id).map(|metadata| metadata.members).unwrap_or_default();
        let now = self.consumers(group_id);
        let is_lost = |member_id: &String| {
            !now.contains_key(member_id) && !self.removed.contains(&(group_id.to_string(), member_id.clone()))
        };
        // After a crash nobody knows any more who was removed before.
        let lost =
            before.iter().map(|member| &member.member_id).find(|member_id| !self.is_replaying && is_lost(member_id));
        if let Some(lost) = lost {
            self.fail(format!("{group_id} is forgotten, and had the member {lost}"));
        }
        if !self.consumers(group_id).is_empty() {
            // It goes on with the consumer protocol, and counts on.
            return;
        }
        self.begins_anew(group_id);
    }

    fn begins_anew(&mut self, group_id: &str) {
        *self.lives.entry(group_id.to_string()).or_default() += 1;
        self.resets.forget(group_id);
    }

    /// The generation of the classic protocol, or the group's epoch.
    pub(super) fn generation_or_epoch(&self, group_id: &str) -> i32 {
        let record = self.compacted.get(&StoredRecord::GroupEpoch(group_id.into(), None).encode().key);
        let epoch = match record.map(StoredRecord::decode) {
            Some(Ok(StoredRecord::GroupEpoch(_, Some(epoch)))) => epoch.epoch,
            _ => 0,
        };
        self.generation(group_id).map_or(epoch, |metadata| metadata.generation_id.max(epoch))
    }

    /// A group of the consumer protocol is gone, unless it goes on with the classic one.
    fn epochs_forgotten(&mut self, group_id: &str) {
        if self.generation(group_id).is_none_or(|metadata| metadata.members.is_empty()) {
            self.begins_anew(group_id);
        }
    }

    /// How often a group of that name has begun anew.
    pub(super) fn life(&self, group_id: &str) -> u32 {
        self.lives.get(group_id).copied().unwrap_or(0)
    }

    /// A generation by a name that no other generation has.
    fn name(&self, group_id: &str, generation_id: i32) -> Generation {
        generation(group_id, self.life(group_id), generation_id)
    }

    fn generation_recorded(&mut self, group_id: &str, metadata: &GroupMetadata) {
        let generation = self.name(group_id, metadata.generation_id);
        let mut dealt: Vec<Named> = metadata.members.iter().flat_map(|m| partitions(&m.assignment)).collect();
        dealt.sort_unstable();
        if let Some(before) = self.generation(group_id) {
            if metadata.generation_id < before.generation_id {
                self.fail(format!("{group_id} goes back from generation {}", before.generation_id));
            }
            let same = metadata.generation_id == before.generation_id && !before.is_unassigned();
            let mut earlier: Vec<Named> = before.members.iter().flat_map(|m| partitions(&m.assignment)).collect();
            earlier.sort_unstable();
            if same && !before.members.is_empty() && dealt != earlier {
                self.fail(format!("{generation:?} was dealt {earlier:?} and is dealt {dealt:?} now"));
            }
        }
        if metadata.members.is_empty() {
            return;
        }
        let comes_along = |member_id: &String| metadata.member(member_id).is_some();
        if let Some(lost) = self.consumers(group_id).keys().find(|member_id| !comes_along(member_id)) {
            self.fail(format!("{generation:?} comes from a consumer group with the member {lost}, which it has not"));
        }
        // It came back from the consumer protocol and is rebalanced at once: nobody is told of it any more, and members that left
        // meanwhile may be missing in it.
        if metadata.leader.is_none() {
            return;
        }
        let participant =
            |m: &ottla_groups::records::StoredMember| m.group_instance_id.clone().unwrap_or(m.member_id.clone());
        let participants = metadata.members.iter().map(participant).collect();
        let facts = Facts { protocol: metadata.protocol.clone(), participants };
        if let Some(told) = self.told.get(&generation).filter(|told| **told != facts) {
            let violation = format!("{generation:?} was told as {told:?} and is {facts:?} now");
            self.fail(violation);
        }
        self.recorded.insert(generation, facts);
    }

    /// An answer leaves the broker.
    pub(super) fn released(&mut self, ticket: Ticket, answer: &Answer) {
        let Some(open) = self.open.remove(&ticket) else { return };
        let Open { request, by_consumers, life, .. } = *open;
        match (request, answer) {
            (Request::JoinGroup(request), Answer::JoinGroup(joined)) if by_consumers => {
                self.epochs.push((request.group_id, joined.member_id.clone(), joined.generation_id));
            }
            (Request::SyncGroup(request), Answer::SyncGroup(Ok(_))) if by_consumers => {
                self.epochs.push((request.group_id, request.member_id, request.generation_id));
            }
            (Request::JoinGroup(request), Answer::JoinGroup(joined)) if joined.error.is_none() => {
                let generation = generation(&request.group_id, life, joined.generation_id);
                match self.recorded.get(&generation) {
                    Some(facts) => drop(self.told.insert(generation, facts.clone())),
                    None => self.fail(format!("{generation:?} was told but is not recorded")),
                }
            }
            (Request::SyncGroup(request), Answer::SyncGroup(Ok(synced))) => {
                let generation = generation(&request.group_id, life, request.generation_id);
                let owner = request.group_instance_id.unwrap_or(request.member_id.clone());
                for partition in partitions(&synced.assignment) {
                    let before = self.owners.insert((generation.clone(), partition), owner.clone());
                    if before.as_ref().is_some_and(|before| *before != owner) {
                        self.fail(format!("partition {partition:?} in {generation:?}: {before:?} and {owner:?}"));
                    }
                }
                self.assigned.push((generation, request.member_id, synced.assignment.clone()));
            }
            (Request::ResetOffsets(request), Answer::ResetOffsets(Ok(results))) => {
                self.reset_released(ticket, &request, results);
            }
            (Request::ConsumerHeartbeat(request), Answer::ConsumerHeartbeat(Ok(answer))) => {
                self.epochs.push((request.group_id, request.member_id, answer.member_epoch));
            }
            (Request::CommitOffsets(request), Answer::CommitOffsets(Ok(_))) => {
                for topic in request.topics {
                    for partition in topic.partitions {
                        let (group_id, topic) = (request.group_id.clone(), topic.name.clone());
                        let key = OffsetKey { group_id, topic, partition: partition.partition };
                        self.acknowledged.push((key, partition.offset));
                    }
                }
            }
            _ => {}
        }
    }

    /// The broker has crashed; this is left of its log.
    pub(super) fn crashed(&mut self, log: &[Record]) {
        let (mut commits, mut assignments) = (BTreeSet::new(), BTreeSet::new());
        self.consumers.clear();
        let removed = core::mem::take(&mut self.removed);
        self.is_replaying = true;
        (self.compacted, self.recorded, self.lives) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for record in log {
            match StoredRecord::decode(record) {
                Ok(StoredRecord::Offset(key, Some(value))) => drop(commits.insert((key, value.offset))),
                Ok(StoredRecord::Group(group_id, Some(metadata))) => {
                    for member in &metadata.members {
                        let generation = self.name(&group_id, metadata.generation_id);
                        assignments.insert((generation, member.member_id.clone(), member.assignment.clone()));
                    }
                }
                _ => {}
            }
            self.appended(record);
        }
        self.is_replaying = false;
        for commit in core::mem::take(&mut self.acknowledged) {
            if !commits.contains(&commit) {
                self.fail(format!("an acknowledged commit is lost: {commit:?}"));
            }
        }
        for assigned in core::mem::take(&mut self.assigned) {
            if !assignments.contains(&assigned) {
                self.fail(format!("an assignment was told and is lost: {assigned:?}"));
            }
        }
        self.epochs_survive(&removed);
        self.open.clear();
        self.connections.heard.clear();
        self.heard.clear();
        self.speakers.clear();
    }

    /// After each step of the coordinator.
    pub(super) fn after_step(&mut self, now: Now, coordinator: &mut Coordinator) {
        self.steps += 1;
        for group_id in core::mem::take(&mut self.changed) {
            self.one_owner_each(&group_id);
            if matches!(coordinator.state(&group_id), Some((GroupState::Stable, _))) {
                self.all_has_an_owner(&group_id);
            }
        }
        if self.steps.is_multiple_of(50) {
            self.replays(now, coordinator);
        }
        if self.steps.is_multiple_of(8) {
            self.waits_end(now, coordinator, 1_500);
        }
    }
}

fn generation(group_id: &str, life: u32, generation_id: i32) -> Generation {
    (format!("{group_id}, life {life}"), generation_id)
}
