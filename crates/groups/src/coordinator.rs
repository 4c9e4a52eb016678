//! The coordinator itself: what comes in, to whom it goes, and what goes out.
use crate::answer::{Answer, GroupError, GroupState, Refusal};
use crate::consumer::validate;
use crate::describe::{describe, list};
use crate::durable::DurableGroup;
use crate::event::{Action, ClientInfo, Event, GroupEvent, GroupEventKind, LogStartMoved, Now, Record, Ticket};
use crate::expiry::MOST_AT_ONCE;
use crate::explain::{ExplainedGroup, picture};
use crate::group::Group;
use crate::group_config::GroupConfigs;
use crate::join::refused;
use crate::leave::left_nothing;
use crate::offsets::{fetch, may_fetch};
use crate::planted::planted;
use crate::records::StoredRecord;
use crate::request::{
    CommitInTransaction, CommitOffsets, ConsumerHeartbeat, FetchOffsets, JoinGroup, ListGroups, Request, TopicId,
};
use crate::settings::Settings;
use crate::step::{Parked, Step};
use crate::topics::Topics;
use crate::waits::{Wait, waits};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

/// How far away the next deadline is at most while anything is timed, in milliseconds. A call that comes more than
/// [`PULSE_MS`] after it was due means that the broker stood still.
pub const PULSE_MS: u64 = 1_000;

/// The longest name that a record can carry, in bytes.
pub(crate) const MAX_NAME_BYTES: usize = i16::MAX as usize;

/// The coordinator of all groups of one partition of `__consumer_offsets`. See the crate's documentation for the
/// contract with its shell.
#[derive(Debug)]
pub struct Coordinator {
    settings: Settings,
    groups: BTreeMap<String, Group>,
    parked: Parked,
    topics: Arc<Topics>,
    configs: Arc<GroupConfigs>,
    /// Over which connection the request came that is handled.
    connection: Option<u64>,
    /// When to look at which group; for each group at most one entry, which `queued` repeats.
    wake_ups: BTreeSet<(u64, String)>,
    queued: BTreeMap<String, u64>,
    /// Monotonic time of the last call.
    last_call_ms: u64,
    is_loaded: bool,
    /// What was wrong with records that could not be read.
    skipped: Vec<String>,
}

impl Coordinator {
    /// An empty coordinator that has not loaded its log yet.
    pub fn new(settings: Settings) -> Self {
        Coordinator {
            settings,
            groups: BTreeMap::new(),
            parked: Parked::new(),
            topics: Arc::default(),
            configs: Arc::default(),
            connection: None,
            wake_ups: BTreeSet::new(),
            queued: BTreeMap::new(),
            last_call_ms: 0,
            is_loaded: false,
            skipped: Vec::new(),
        }
    }

    /// Takes over changed settings. Members keep the session timeouts they were admitted with.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Applies one record of the log, in log order, before [`Coordinator::loaded`].
    ///
    /// A record that cannot be read does not stop the loading; [`Coordinator::loaded`] reports it as an event.
    pub fn replay(&mut self, record: &Record) {
        if planted!(self.settings, TombstoneNotReplayed) && record.value.is_none() {
            return;
        }
        self.replay_into(record, DurableGroup::apply);
    }

    /// The same for a record that was written in a transaction of this producer.
    pub fn replay_in_transaction(&mut self, producer_id: i64, record: &Record) {
        if planted!(self.settings, PendingLostOnReplay) {
            return;
        }
        self.replay_into(record, |group, stored| group.apply_in_transaction(producer_id, stored));
    }

    /// Applies the end of a producer's transaction, which is a marker in the log, before [`Coordinator::loaded`].
    pub fn replay_transaction_end(&mut self, producer_id: i64, commits: bool) {
        if planted!(self.settings, MarkerNotReplayed) {
            return;
        }
        for group in self.groups.values_mut() {
            group.durable.end_transaction(producer_id, commits);
        }
        self.groups.retain(|_, group| !group.durable.is_nothing());
    }

    fn replay_into(&mut self, record: &Record, apply: impl FnOnce(&mut DurableGroup, StoredRecord)) {
        let stored = match StoredRecord::decode(record) {
            Ok(stored) => stored,
            Err(problem) => return self.skipped.push(problem.to_string()),
        };
        let Some(group_id) = stored.group_id().map(String::from) else { return };
        let group = self.groups.entry(group_id).or_insert_with_key(|group_id| Group::new(group_id.clone()));
        apply(&mut group.durable, stored);
        if group.durable.is_nothing() {
            let group_id = group.group_id.clone();
            self.groups.remove(&group_id);
        }
    }

    /// Ends the loading: members of loaded groups get fresh deadlines, and requests are served from now on.
    pub fn loaded(&mut self, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        self.is_loaded = true;
        self.last_call_ms = now.monotonic_ms;
        for problem in core::mem::take(&mut self.skipped) {
            let kind = GroupEventKind::RecordSkipped { problem };
            actions.push(Action::Event(GroupEvent { group_id: String::new(), at_ms: now.wall_ms, kind }));
        }
        for group_id in self.groups.keys().cloned().collect::<Vec<_>>() {
            self.step(now, &group_id, &mut actions, |step| {
                step.group.known_since_ms = now.wall_ms;
                step.undo_half_a_migration();
                step.revive();
                step.revive_consumer();
            });
        }
        actions
    }

    /// Handles one event. See [`Coordinator::handle_into`].
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.handle_into(now, event, &mut actions);
        actions
    }

    /// Handles one event and adds what is to be done, in order, to `actions`.
    pub fn handle_into(&mut self, now: Now, event: Event, actions: &mut Vec<Action>) {
        let now = Now { monotonic_ms: now.monotonic_ms.max(self.last_call_ms), ..now };
        self.notice_stall(now, actions);
        self.last_call_ms = now.monotonic_ms;
        match event {
            Event::Request { ticket, request, .. } if !self.is_loaded => {
                actions.push(Action::Reply(ticket, refuse(&request, GroupError::CoordinatorLoadInProgress)));
            }
            Event::Request { ticket, client, request } => {
                self.connection = client.connection;
                self.request(now, ticket, client, request, actions);
                self.connection = None;
            }
            Event::Tick => self.tick(now, actions),
            Event::Cancelled { ticket } => {
                if let Some((group_id, member_id)) = self.parked.remove(&ticket) {
                    self.step(now, &group_id, actions, |step| step.cancelled(ticket, &member_id));
                }
            }
            Event::TopicsChanged(topics) => self.topics_changed(now, topics, actions),
            // Half of a log would be cleaned by halves.
            Event::TopicDeleted { .. } if !self.is_loaded => {}
            Event::LogStartMoved(_) if !self.is_loaded => {}
            Event::ExpireOffsets if !self.is_loaded => {}
            Event::TransactionEnded { .. } if !self.is_loaded => {}
            Event::TransactionEnded { producer_id, commits } => {
                self.transaction_ended(now, producer_id, commits, actions);
            }
            Event::ExpireOffsets => self.expire_offsets(now, actions),
            Event::LogStartMoved(moved) => self.log_start_moved(now, &moved, actions),
            Event::TopicDeleted { name, topic_id } => self.topic_deleted(now, &name, topic_id, actions),
            Event::GroupConfigsChanged(configs) => self.group_configs_changed(configs),
            Event::ConnectionLost { connection } => self.connection_lost(now, connection, actions),
        }
    }

    /// When the next [`Event::Tick`] is due, in monotonic milliseconds. `None` if nothing is timed. May be earlier than
    /// anything really happens; a tick too early does no harm.
    pub fn next_deadline(&self) -> Option<u64> {
        let (first, _) = self.wake_ups.first()?;
        Some((*first).min(self.last_call_ms.saturating_add(PULSE_MS)))
    }

    /// What the group waits for, the most pressing first; empty if there is no such group.
    pub fn waits(&self, now: Now, group_id: &str) -> Vec<Wait> {
        self.groups.get(group_id).map_or_else(Vec::new, |group| waits(now, group))
    }

    /// State of a group, and its generation or, of the consumer protocol, its epoch.
    pub fn state(&self, group_id: &str) -> Option<(GroupState, i32)> {
        self.groups.get(group_id).map(|group| (group.state, group.generation_or_epoch()))
    }

    /// Whether any group has members that the topics matter to: those of the consumer protocol.
    pub fn reads_topics(&self) -> bool {
        self.groups.values().any(Group::is_consumer)
    }

    /// Whether it may matter to some group that a connection is lost.
    pub fn looks_at_connections(&self) -> bool {
        self.configs.look_at_connections(&self.settings)
    }

    /// How many groups there are; for the ready line and metrics.
    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    /// What of every group would survive if the process ended now and all appends were durable, by group id. Replaying
    /// the log gives the same.
    pub fn durable_groups(&self) -> impl Iterator<Item = (&str, &DurableGroup)> {
        let groups = self.groups.iter().filter(|(_, group)| !group.durable.is_nothing());
        groups.map(|(group_id, group)| (group_id.as_str(), &group.durable))
    }

    /// Nothing was called for longer than the shell promised: the broker stood still, and so did its members' chances
    /// to be heard. Every deadline moves by as much.
    fn notice_stall(&mut self, now: Now, actions: &mut Vec<Action>) {
        let Some(due) = self.next_deadline() else { return };
        let late_ms = now.monotonic_ms.saturating_sub(due);
        if late_ms <= PULSE_MS || planted!(self.settings, StallEvicts) {
            return;
        }
        for group in self.groups.values_mut() {
            group.shift_deadlines(late_ms);
        }
        let queued = core::mem::take(&mut self.queued);
        self.queued = queued.into_iter().map(|(group_id, at)| (group_id, at.saturating_add(late_ms))).collect();
        self.wake_ups = self.queued.iter().map(|(group_id, at)| (*at, group_id.clone())).collect();
        let used = self.groups.values().filter(|group| group.state != GroupState::Empty);
        // Once for whoever looks at the broker, and once for each group that it concerns.
        for group_id in core::iter::once(String::new()).chain(used.map(|group| group.group_id.clone())) {
            let kind = GroupEventKind::Stalled { stall_ms: late_ms };
            actions.push(Action::Event(GroupEvent { group_id, at_ms: now.wall_ms, kind }));
        }
    }

    /// Lets one group take a step, then sees to its next timer, or forgets it if nothing is left of it.
    fn step(&mut self, now: Now, group_id: &str, actions: &mut Vec<Action>, act: impl FnOnce(&mut Step<'_>)) {
        let Some(group) = self.groups.get_mut(group_id) else { return };
        act(&mut Step {
            now,
            settings: &self.settings,
            config: self.configs.of(group_id, &self.settings),
            connection: self.connection,
            topics: &self.topics,
            group,
            parked: &mut self.parked,
            actions,
        });
        // Never in the past: a deadline that nobody could keep would look like a broker that stood still.
        let wake_at_ms = group.wake_at_ms.max(now.monotonic_ms);
        if group.is_nothing() {
            self.groups.remove(group_id);
            if let Some(at) = self.queued.remove(group_id) {
                self.wake_ups.remove(&(at, group_id.to_string()));
            }
        } else if wake_at_ms < self.queued.get(group_id).copied().unwrap_or(u64::MAX) {
            if let Some(at) = self.queued.insert(group_id.to_string(), wake_at_ms) {
                self.wake_ups.remove(&(at, group_id.to_string()));
            }
            self.wake_ups.insert((wake_at_ms, group_id.to_string()));
        }
    }

    /// The same for a group that may have to be made first.
    fn step_new(&mut self, now: Now, group_id: String, actions: &mut Vec<Action>, act: impl FnOnce(&mut Step<'_>)) {
        if !self.groups.contains_key(&group_id) {
            let new =
                Group { state_since_ms: now.wall_ms, known_since_ms: now.wall_ms, ..Group::new(group_id.clone()) };
            self.groups.insert(group_id.clone(), new);
        }
        self.step(now, &group_id, actions, act);
    }

    fn tick(&mut self, now: Now, actions: &mut Vec<Action>) {
        while let Some((at, group_id)) = self.wake_ups.first().cloned() {
            if at > now.monotonic_ms {
                return;
            }
            self.wake_ups.pop_first();
            self.queued.remove(&group_id);
            let rearms = !planted!(self.settings, TimerNotRearmed);
            self.step(now, &group_id, actions, |step| {
                step.fire_due_timers();
                if rearms { step.group.find_next_wake(now.monotonic_ms) } else { step.group.wake_at_ms = u64::MAX }
            });
        }
    }

    fn topics_changed(&mut self, now: Now, topics: Arc<Topics>, actions: &mut Vec<Action>) {
        let before = core::mem::replace(&mut self.topics, topics);
        if !self.is_loaded || planted!(self.settings, TopicChangesNotSeen) {
            return;
        }
        let consumers = self.groups.values().filter(|group| group.is_consumer());
        for group_id in consumers.map(|group| group.group_id.clone()).collect::<Vec<_>>() {
            self.step(now, &group_id, actions, |step| step.topics_changed(&before));
        }
    }

    fn group_configs_changed(&mut self, configs: Arc<GroupConfigs>) {
        self.configs = configs;
        for group in self.groups.values_mut() {
            if self.configs.of(&group.group_id, &self.settings).lost_connection_grace_ms.is_none() {
                group.connections.forget_all();
            }
        }
    }

    fn connection_lost(&mut self, now: Now, connection: u64, actions: &mut Vec<Action>) {
        let concerned = self.groups.values().filter(|group| group.connections.has(connection));
        for group_id in concerned.map(|group| group.group_id.clone()).collect::<Vec<_>>() {
            self.step(now, &group_id, actions, |step| step.connection_lost(connection));
        }
    }

    fn transaction_ended(&mut self, now: Now, producer_id: i64, commits: bool, actions: &mut Vec<Action>) {
        let concerned = self.groups.values().filter(|group| group.durable.pending().is_of(producer_id));
        for group_id in concerned.map(|group| group.group_id.clone()).collect::<Vec<_>>() {
            self.step(now, &group_id, actions, |step| step.transaction_ended(producer_id, commits));
        }
    }

    fn topic_deleted(&mut self, now: Now, name: &str, topic_id: Option<TopicId>, actions: &mut Vec<Action>) {
        let is_pending = |group: &Group| group.durable.pending().of_topic(name).next().is_some();
        let has_commit = |group: &&Group| group.durable.offsets().contains_key(name) || is_pending(group);
        let concerned = self.groups.values().filter(has_commit);
        for group_id in concerned.map(|group| group.group_id.clone()).collect::<Vec<_>>() {
            self.step(now, &group_id, actions, |step| step.topic_deleted(name, topic_id));
        }
    }

    fn expire_offsets(&mut self, now: Now, actions: &mut Vec<Action>) {
        for group_id in self.groups.keys().cloned().collect::<Vec<_>>() {
            if actions.len() >= MOST_AT_ONCE {
                return;
            }
            self.step(now, &group_id, actions, |step| step.expire_offsets());
        }
    }

    fn log_start_moved(&mut self, now: Now, moved: &LogStartMoved, actions: &mut Vec<Action>) {
        let has_commit = |group: &&Group| group.durable.offset(&moved.topic, moved.partition).is_some();
        let concerned = self.groups.values().filter(has_commit).map(|group| group.group_id.clone());
        for group_id in concerned.collect::<Vec<_>>() {
            self.step(now, &group_id, actions, |step| step.log_start_moved(moved));
        }
    }

    fn request(&mut self, now: Now, ticket: Ticket, client: ClientInfo, request: Request, actions: &mut Vec<Action>) {
        if let Err(error) = check_names(&request) {
            return actions.push(Action::Reply(ticket, refuse(&request, error)));
        }
        if let Some((group_id, member_id)) = request.speaker().filter(|_| self.looks_at_connections()) {
            self.step(now, group_id, actions, |step| step.hear(member_id));
        }
        match request {
            Request::JoinGroup(request) => self.join(now, ticket, client, request, actions),
            Request::CommitOffsets(request) => self.commit(now, ticket, request, actions),
            Request::CommitInTransaction(request) => self.commit_in_transaction(now, ticket, request, actions),
            Request::ConsumerHeartbeat(request) => self.consumer_heartbeat(now, ticket, &client, request, actions),
            Request::FetchOffsets(request) => {
                let group = self.groups.get(&request.group_id).map(|group| &group.durable);
                let require_stable = request.require_stable && !planted!(self.settings, UnstableOffsetTold);
                let answer = match may_fetch(group, &request) {
                    Ok(()) => fetch(group, FetchOffsets { require_stable, ..request }),
                    Err(error) => Answer::FetchOffsets(Err(error)),
                };
                actions.push(Action::Reply(ticket, answer));
            }
            Request::ListGroups(request) => {
                actions.push(Action::Reply(ticket, Answer::ListGroups(Ok(self.list(&request)))));
            }
            Request::DescribeGroup(request) => {
                let classic = self.groups.get(&request.group_id).filter(|group| !group.is_consumer());
                let described = classic.map(describe);
                let answer = Answer::DescribeGroup(described.ok_or(GroupError::GroupIdNotFound));
                actions.push(Action::Reply(ticket, answer));
            }
            Request::ExplainGroups(request) => {
                let answer = self.explain(now, &request.group_id);
                actions.push(Action::Reply(ticket, Answer::ExplainGroups(answer)));
            }
            of_a_group => self.group_request(now, ticket, of_a_group, actions),
        }
    }

    /// The requests that are refused if their group does not exist.
    fn group_request(&mut self, now: Now, ticket: Ticket, request: Request, actions: &mut Vec<Action>) {
        let group_id = group_of(&request).unwrap_or_default().to_string();
        if !self.groups.contains_key(&group_id) {
            return actions.push(Action::Reply(ticket, answer_without_group(request)));
        }
        self.step(now, &group_id, actions, |step| match request {
            Request::DescribeConsumerGroup(_) => {
                let described = step.describe_consumer_group();
                step.reply(ticket, Answer::DescribeConsumerGroup(described));
            }
            Request::LeaveGroup(request) if step.group.is_consumer() => step.leave_consumers(ticket, request),
            Request::SyncGroup(request) if step.group.is_consumer() => step.sync_consumers(ticket, &request),
            Request::SyncGroup(request) => step.sync(ticket, request),
            Request::Heartbeat(request) => step.heartbeat(ticket, &request),
            Request::LeaveGroup(request) => step.leave(ticket, request),
            Request::DeleteOffsets(request) => step.delete_offsets(ticket, request),
            Request::DeleteGroup(_) => step.delete_group(ticket),
            Request::ResetOffsets(request) => step.reset_offsets(ticket, &request),
            other => step.reply(ticket, refuse(&other, GroupError::InvalidRequest)),
        });
    }

    fn consumer_heartbeat(
        &mut self,
        now: Now,
        ticket: Ticket,
        client: &ClientInfo,
        mut request: ConsumerHeartbeat,
        actions: &mut Vec<Action>,
    ) {
        let checked = validate(&request, &self.settings, &self.topics).and_then(|()| {
            if request.member_epoch == 0 || self.groups.contains_key(&request.group_id) {
                return Ok(());
            }
            let message = format!("There is no group {}.", request.group_id);
            Err(Refusal::new(GroupError::GroupIdNotFound, &message))
        });
        match checked {
            Err(refusal) => actions.push(Action::Reply(ticket, Answer::ConsumerHeartbeat(Err(refusal)))),
            Ok(()) => {
                let group_id = core::mem::take(&mut request.group_id);
                self.step_new(now, group_id, actions, |step| step.consumer_heartbeat(ticket, client, request));
            }
        }
    }

    fn join(&mut self, now: Now, ticket: Ticket, client: ClientInfo, request: JoinGroup, actions: &mut Vec<Action>) {
        let bounds = self.settings.min_session_timeout_ms..=self.settings.max_session_timeout_ms;
        let error = if !bounds.contains(&request.session_timeout_ms) {
            Some(GroupError::InvalidSessionTimeout)
        } else if !request.member_id.is_empty() && !self.groups.contains_key(&request.group_id) {
            Some(GroupError::UnknownMemberId)
        } else {
            None
        };
        if let Some(error) = error {
            return actions.push(Action::Reply(ticket, refused(error, &request.member_id)));
        }
        self.step_new(now, request.group_id.clone(), actions, |step| step.join(ticket, client, request));
    }

    fn commit(&mut self, now: Now, ticket: Ticket, request: CommitOffsets, actions: &mut Vec<Action>) {
        // Only a commit from outside of group management makes a group.
        if request.generation_id >= 0 && !self.groups.contains_key(&request.group_id) {
            let answer = Answer::CommitOffsets(Err(GroupError::GroupIdNotFound));
            return actions.push(Action::Reply(ticket, answer));
        }
        self.step_new(now, request.group_id.clone(), actions, |step| step.commit(ticket, request));
    }

    fn commit_in_transaction(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: CommitInTransaction,
        actions: &mut Vec<Action>,
    ) {
        let group_id = request.commit.group_id.clone();
        if request.commit.generation_id >= 0 && !self.groups.contains_key(&group_id) {
            return actions.push(Action::Reply(ticket, Answer::CommitOffsets(Err(GroupError::IllegalGeneration))));
        }
        self.step_new(now, group_id, actions, |step| step.commit_in_transaction(ticket, request));
    }

    fn explain(&self, now: Now, group_id: &str) -> Result<Vec<ExplainedGroup>, GroupError> {
        let picture = |group: &Group| picture(now, group, &self.topics);
        match group_id {
            "" => Ok(self.groups.values().map(picture).collect()),
            _ => self.groups.get(group_id).map(|group| vec![picture(group)]).ok_or(GroupError::GroupIdNotFound),
        }
    }

    fn list(&self, request: &ListGroups) -> Vec<crate::answer::ListedGroup> {
        self.groups.values().filter_map(|group| list(group, request)).collect()
    }
}

/// The group that a request names.
fn group_of(request: &Request) -> Option<&str> {
    Some(match request {
        Request::JoinGroup(request) => &request.group_id,
        Request::SyncGroup(request) => &request.group_id,
        Request::Heartbeat(request) => &request.group_id,
        Request::LeaveGroup(request) => &request.group_id,
        Request::CommitOffsets(request) => &request.group_id,
        Request::CommitInTransaction(request) => &request.commit.group_id,
        Request::FetchOffsets(request) => &request.group_id,
        Request::DeleteOffsets(request) => &request.group_id,
        Request::DescribeGroup(request) => &request.group_id,
        Request::DeleteGroup(request) => &request.group_id,
        Request::ConsumerHeartbeat(request) => &request.group_id,
        Request::DescribeConsumerGroup(request) => &request.group_id,
        Request::ExplainGroups(request) => &request.group_id,
        Request::ResetOffsets(request) => &request.group_id,
        Request::ListGroups(_) => return None,
    })
}

/// Names that a record could not carry are refused before they get anywhere. The oldest clients may commit to, fetch
/// from, describe and delete a group without a name.
fn check_names(request: &Request) -> Result<(), GroupError> {
    let group_id = group_of(request).unwrap_or_default();
    let nameless = matches!(
        request,
        Request::CommitOffsets(_)
            | Request::FetchOffsets(_)
            | Request::DescribeGroup(_)
            | Request::DeleteGroup(_)
            | Request::ListGroups(_)
            | Request::ExplainGroups(_)
            // Has checks of its own, with sentences.
            | Request::ConsumerHeartbeat(_)
    );
    if group_id.len() > MAX_NAME_BYTES || (group_id.is_empty() && !nameless) {
        return Err(GroupError::InvalidGroupId);
    }
    let fits = |name: &str| name.len() <= MAX_NAME_BYTES;
    let fit = match request {
        Request::JoinGroup(request) => {
            request.group_instance_id.as_deref().is_none_or(fits)
                && fits(&request.protocol_type)
                && request.protocols.iter().all(|protocol| fits(&protocol.name))
        }
        Request::CommitOffsets(commit) | Request::CommitInTransaction(CommitInTransaction { commit, .. }) => {
            commit.topics.iter().all(|topic| fits(&topic.name))
        }
        _ => true,
    };
    if fit { Ok(()) } else { Err(GroupError::InvalidRequest) }
}

/// A refusal in the form that the request's answer has.
fn refuse(request: &Request, error: GroupError) -> Answer {
    match request {
        Request::JoinGroup(request) => refused(error, &request.member_id),
        Request::SyncGroup(_) => Answer::SyncGroup(Err(error)),
        Request::Heartbeat(_) => Answer::Heartbeat(Err(error)),
        Request::LeaveGroup(_) => Answer::LeaveGroup(Err(error)),
        Request::CommitOffsets(_) | Request::CommitInTransaction(_) => Answer::CommitOffsets(Err(error)),
        Request::FetchOffsets(_) => Answer::FetchOffsets(Err(error)),
        Request::DeleteOffsets(_) => Answer::DeleteOffsets(Err(error)),
        Request::DescribeGroup(_) => Answer::DescribeGroup(Err(error)),
        Request::ListGroups(_) => Answer::ListGroups(Err(error)),
        Request::DeleteGroup(_) => Answer::DeleteGroup(Err(error)),
        Request::ConsumerHeartbeat(_) => Answer::ConsumerHeartbeat(Err(error.into())),
        Request::DescribeConsumerGroup(_) => Answer::DescribeConsumerGroup(Err(error)),
        Request::ExplainGroups(_) => Answer::ExplainGroups(Err(error)),
        Request::ResetOffsets(_) => Answer::ResetOffsets(Err(error.into())),
    }
}

/// The answer where there is no group.
fn answer_without_group(request: Request) -> Answer {
    match request {
        Request::LeaveGroup(request) => left_nothing(request),
        Request::DeleteOffsets(_)
        | Request::DeleteGroup(_)
        | Request::DescribeConsumerGroup(_)
        | Request::ResetOffsets(_) => refuse(&request, GroupError::GroupIdNotFound),
        _ => refuse(&request, GroupError::UnknownMemberId),
    }
}
