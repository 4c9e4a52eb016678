//! The shell around the group coordinators, as the broker's is (`crates/broker/src/groups`): one coordinator for each partition
//! of `__consumer_offsets`, whose log lies in the engine. Nobody joins; offsets are committed in transactions, and fetched.

use std::collections::VecDeque;

use ottla_groups::{
    Action, Answer, ClientInfo, CommitInTransaction, CommitOffsets, CommitPartition, CommitTopic, Coordinator, Event,
    FetchOffsets, FetchTopic, GroupError, Producer, Record, Request, Seen, Ticket,
};
use ottla_storage::{Append, AppendError, Appended, Dependency, Engine, Pending, Unavailable};
use ottla_transactions::OFFSETS_TOPIC;

use super::findings::Log;
use super::log::{self, Entry, STAGES};
use super::process::{Ask, Doing, Told, group_of, source};
use super::world::World;
use crate::storage::calls::poll;

/// One partition of `__consumer_offsets`.
#[derive(Default)]
pub(super) struct GroupShard {
    pub(super) live: Option<GroupLive>,
    /// What was given to the engine and is not settled, also of a coordinator that was discarded.
    pub(super) writer: VecDeque<Written>,
}

pub(super) struct GroupLive {
    pub(super) coordinator: Coordinator,
    end_offset: i64,
    number: u64,
    /// What a commit in a transaction depends on, while it is handled.
    depends_on: Option<Dependency>,
}

/// What is on its way to the log, and the answers that wait for it.
pub(super) struct Written {
    of: u64,
    append: Appending,
    replies: Vec<(Ticket, Answer)>,
}

enum Appending {
    Nothing,
    Records(Pending<Vec<Result<Appended, AppendError>>, Unavailable>),
    /// A marker, whose fate is told under that number.
    Marker(u64),
}

impl GroupShard {
    /// A marker will lie at the end of the log, and nothing else; answers where that is.
    pub(super) fn expect_marker(&mut self, fate: u64) -> Option<i64> {
        let live = self.live.as_mut()?;
        let end_offset = live.end_offset;
        live.end_offset += 1;
        self.writer.push_back(Written { of: live.number, append: Appending::Marker(fate), replies: Vec::new() });
        Some(end_offset)
    }
}

/// A coordinator that has read everything in a log, as the broker's has after a start.
pub(super) fn replayed(settings: &ottla_groups::Settings, entries: &[Entry]) -> Coordinator {
    let mut coordinator = Coordinator::new(settings.clone());
    for entry in entries {
        match entry {
            Entry::Record { producer: None, record, .. } => coordinator.replay(record),
            Entry::Record { producer: Some(producer), record, .. } => {
                coordinator.replay_in_transaction(producer.id, record);
            }
            Entry::End { producer, commits, .. } => coordinator.replay_transaction_end(producer.id, *commits),
        }
    }
    coordinator
}

/// What an id asks the coordinator of its group for.
fn request_of(id: usize, ask: &Ask) -> Option<Request> {
    let (stage, partition) = source(id);
    let (group_id, topic) = (group_of(stage), STAGES[stage].to_owned());
    let topic_id = Some(log::partition(&topic, partition).topic.0);
    match ask.doing {
        Doing::Fetch => {
            let topic = FetchTopic { name: topic, topic_id, partitions: vec![partition] };
            let topics = Some(vec![topic]);
            Some(Request::FetchOffsets(FetchOffsets { group_id, topics, member: None, require_stable: true }))
        }
        Doing::Commit { offset } => {
            let (metadata, seen) = (ask.attempt.to_string(), Seen::default());
            let commit = CommitPartition { partition, offset, leader_epoch: -1, metadata, seen };
            let commit = CommitOffsets {
                group_id,
                member_id: String::new(),
                group_instance_id: None,
                generation_id: -1,
                knows_epochs: true,
                retention_time_ms: None,
                topics: vec![CommitTopic { name: topic, topic_id, partitions: vec![commit] }],
            };
            let producer = Producer { id: ask.producer.id, epoch: ask.producer.epoch };
            Some(Request::CommitInTransaction(CommitInTransaction { producer, commit }))
        }
        _ => None,
    }
}

impl World {
    /// Loads a coordinator if there is none and nothing of an earlier one is under way.
    pub(super) fn load_groups(&mut self, shard: usize) {
        let it = &self.groups[shard];
        let Some(engine) = self.machine.engine().filter(|_| it.live.is_none() && it.writer.is_empty()) else { return };
        let (entries, end_offset) = match log::read_all(&engine, log::partition(OFFSETS_TOPIC, shard as i32)) {
            Ok(found) => found,
            Err(problem) => return self.trace.note(self.at_ms, || format!("no groups can be read: {problem}")),
        };
        let mut coordinator = replayed(&self.settings.groups, &entries);
        let actions = coordinator.loaded(self.now());
        self.numbers += 1;
        self.groups[shard].live = Some(GroupLive { coordinator, end_offset, number: self.numbers, depends_on: None });
        self.follow_group(shard, actions);
    }

    pub(super) fn tell_group(&mut self, shard: usize, event: Event) {
        let now = self.now();
        let Some(live) = self.groups[shard].live.as_mut() else { return };
        let actions = live.coordinator.handle(now, event);
        self.follow_group(shard, actions);
    }

    /// Asks a group for an id; who asks a coordinator that is being loaded asks again.
    pub(super) fn ask_group(&mut self, process: usize, rpc: u64, ask: &Ask, depends_on: Option<Dependency>) {
        let id = self.processes[process].id;
        let (shard, _) = source(id);
        let Some(request) = request_of(id, ask) else { return };
        match &mut self.groups[shard].live {
            Some(live) => live.depends_on = depends_on,
            None => return self.send_back(process, rpc, Told::Again),
        }
        let ticket = self.next_ticket(process, rpc, ask);
        if let Doing::Fetch = ask.doing {
            let is_pending = self.is_pending(id);
            self.checks.fetches(ticket, id, is_pending);
        }
        self.tell_group(shard, Event::Request { ticket, client: ClientInfo::default(), request });
        if let Some(live) = &mut self.groups[shard].live {
            live.depends_on = None;
        }
    }

    /// Whether the log says that a transaction which has not ended committed an offset of an id. Where more is under way than
    /// lies there, nobody knows.
    fn is_pending(&self, id: usize) -> bool {
        let (stage, partition) = source(id);
        let Some(engine) = self.machine.engine().filter(|_| self.groups[stage].writer.is_empty()) else { return false };
        let log = self.machine.calmly(|| Log::read(&engine, OFFSETS_TOPIC, stage as i32));
        let commits = log.map(|log| log.offset_commits()).unwrap_or_default();
        commits.iter().any(|commit| commit.partition == partition && commit.fate.is_none())
    }

    /// Does what the coordinator wants: appends first, then the replies that wait for them.
    fn follow_group(&mut self, shard: usize, actions: Vec<Action>) {
        let (mut batches, mut replies) = (Vec::<(Option<Producer>, Vec<Record>)>::new(), Vec::new());
        for action in actions {
            let (producer, record) = match action {
                Action::Append(record) => (None, record),
                Action::AppendInTransaction(producer, record) => {
                    self.trace.note(self.at_ms, || format!("  the group appends for {producer:?}"));
                    (Some(producer), record)
                }
                Action::Event(_) => continue,
                Action::Reply(ticket, answer) if batches.is_empty() && self.groups[shard].writer.is_empty() => {
                    self.answer_of_group(ticket, &answer);
                    continue;
                }
                Action::Reply(ticket, answer) => {
                    replies.push((ticket, answer));
                    continue;
                }
            };
            match batches.last_mut() {
                Some((last, records)) if *last == producer => records.push(record),
                _ => batches.push((producer, vec![record])),
            }
        }
        if !batches.is_empty() || !replies.is_empty() {
            self.write_groups(shard, &batches, replies);
        }
    }

    fn write_groups(
        &mut self,
        shard: usize,
        batches: &[(Option<Producer>, Vec<Record>)],
        replies: Vec<(Ticket, Answer)>,
    ) {
        let (wall_ms, engine) = (self.now().wall_ms, self.machine.engine());
        let it = &mut self.groups[shard];
        let (Some(live), Some(engine)) = (it.live.as_mut(), engine) else { return };
        let partition = log::partition(OFFSETS_TOPIC, shard as i32);
        let appends = batches.iter().map(|(producer, records)| {
            let producer = producer.map(|Producer { id, epoch }| ottla_transactions::Producer { id, epoch });
            let batch = log::record_batch(producer, records, wall_ms);
            let append = log::coordinator_append(partition, batch, Some(live.end_offset));
            live.end_offset += records.len() as i64;
            Append { depends_on: producer.and(live.depends_on), ..append }
        });
        let appends: Vec<_> = appends.collect();
        let append = match appends.is_empty() {
            true => Appending::Nothing,
            false => Appending::Records(engine.engine().append(appends)),
        };
        it.writer.push_back(Written { of: live.number, append, replies });
        self.others_go_on();
    }

    /// Takes in what the engine has done for a coordinator.
    pub(super) fn settle_groups(&mut self, shard: usize) {
        while let Some(failure) = self.settle_first_of_group(shard) {
            let Some(Written { of, replies, .. }) = self.groups[shard].writer.pop_front() else { return };
            if self.groups[shard].live.as_ref().is_none_or(|live| live.number != of) {
                continue;
            }
            match failure {
                Some(problem) => {
                    self.trace.tell(self.at_ms, || format!("groups {shard} read their log again: {problem}"));
                    self.groups[shard].live = None;
                }
                None => replies.into_iter().for_each(|(ticket, answer)| self.answer_of_group(ticket, &answer)),
            }
        }
        self.load_groups(shard);
    }

    /// Whether the first append that is under way has failed, and why; `None` if that is not known yet.
    fn settle_first_of_group(&mut self, shard: usize) -> Option<Option<String>> {
        match &mut self.groups[shard].writer.front_mut()?.append {
            Appending::Nothing => Some(None),
            Appending::Records(appended) => Some(match poll(appended)? {
                Ok(results) => results.into_iter().find_map(Result::err).map(|error| format!("{error:?}")),
                Err(unavailable) => Some(unavailable.to_string()),
            }),
            Appending::Marker(fate) => self.fates.get(fate).map(|fate| fate.clone().err()),
        }
    }

    fn answer_of_group(&mut self, ticket: Ticket, answer: &Answer) {
        let Some((process, rpc, _)) = self.waiting.remove(&ticket) else { return };
        self.trace.note(self.at_ms, || format!("  the group answers p{process} {answer:?}"));
        self.trace.mix_number(ticket.0);
        let told = match answer {
            Answer::FetchOffsets(Ok(topics)) => {
                let fetched = topics.iter().flat_map(|topic| &topic.partitions).next();
                match fetched.map(|fetched| (fetched.offset, fetched.error)) {
                    Some((offset, None)) => {
                        self.checks.fetched(ticket, self.processes[process].id, offset);
                        Told::Offset(offset)
                    }
                    _ => Told::Again,
                }
            }
            Answer::CommitOffsets(Ok(results)) => {
                match results.iter().flat_map(|topic| &topic.partitions).all(|one| one.error.is_none()) {
                    true => Told::Done,
                    false => Told::Broken,
                }
            }
            Answer::FetchOffsets(Err(GroupError::CoordinatorLoadInProgress))
            | Answer::CommitOffsets(Err(GroupError::CoordinatorLoadInProgress)) => Told::Again,
            _ => Told::Broken,
        };
        self.send_back(process, rpc, told);
    }
}
