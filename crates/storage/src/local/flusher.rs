//! The flusher: one thread that decides, writes and publishes, in the order of the calls.
//!
//! 1. It takes all that has gathered, decides about each command just before it is written, writes everything with one
//!    call, and only then makes it visible and answers. There is no waiting for more: while one write is in flight, the
//!    next group gathers.
//! 2. Nothing is decided before the log has space for it, so a full disk leaves nothing to undo.
//! 3. Between two writes the decided state is exactly the durable one (or the written one, for `Durability::Os`). Snapshots
//!    are taken there.
//! 4. A failed write ends all writing.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use super::background::Signal;
use super::group::{Answer, Group, Placed, ProducerIds};
use super::health::{Health, failed_flush, not_now};
use super::inbox::{Command, Inbox, Prepared, PreparedBatches, Wake};
use super::planted::{Planted, planted};
use super::state::{DurableState, PartitionState};
use super::tail::Tail;
use super::unflushed::Unflushed;
use super::wal::{LOG_START, PRODUCER_IDS, SlotPool, Take, WalPosition, WalWriter, log_start};
use crate::batches::set_offsets;
use crate::decide::Decision;
use crate::{
    AppendError, Appended, ConfigResource, Durability, LogStartCause, Metadata, PartitionId, ReadError, Topic,
    Unavailable, WallMs,
};

/// A group takes no more once it has this much: a longer write only makes the next group wait longer.
const GROUP_BYTES: usize = 4 << 20;

/// How many producer ids are reserved with one frame.
const PRODUCER_IDS_AT_ONCE: i64 = 1000;

/// The decided state between two writes.
pub(super) struct Snapshot {
    pub(super) wal: WalPosition,
    pub(super) next_producer_id: i64,
    pub(super) metadata: Arc<Metadata>,
    /// By name.
    pub(super) topics: Vec<(Arc<Topic>, Vec<PartitionState>)>,
}

impl Snapshot {
    /// Where a partition ends; `None` where it is not there.
    pub(super) fn end_offset(&self, partition: PartitionId) -> Option<i64> {
        let topic = self.metadata.by_id(partition.topic)?;
        let index = self.topics.binary_search_by(|(other, _)| other.name.cmp(&topic.name)).ok()?;
        let (_, partitions) = self.topics.get(index)?;
        partitions.get(usize::try_from(partition.index).ok()?).map(|state| state.end_offset)
    }
}

/// What the flusher works with.
pub(super) struct Flusher {
    pub(super) inbox: Arc<Inbox>,
    pub(super) tail: Arc<Tail>,
    pub(super) health: Arc<Health>,
    pub(super) slots: Arc<SlotPool>,
    pub(super) background: Arc<Signal>,
    pub(super) producer_ids: Arc<ProducerIds>,
    pub(super) wal: WalWriter,
    /// For sentences about failures.
    pub(super) wal_folder: PathBuf,
    pub(super) state: DurableState,
    pub(super) unflushed: Unflushed,
    pub(super) producer_expiration_ms: Option<i64>,
    pub(super) wall_ms: WallMs,
    /// The wall clock as of the group at hand.
    pub(super) now_ms: i64,
    pub(super) planted: Planted,
    /// Commands taken from the inbox and not decided yet.
    pub(super) backlog: VecDeque<Command>,
    /// The first of these waits for space.
    pub(super) blocked: bool,
}

/// Whether the log has room for a command.
enum Room {
    Here,
    /// Not yet; the flusher will be woken.
    Later,
    /// And nothing was written.
    Refused(Unavailable),
}

impl Flusher {
    /// The body of the thread.
    pub(super) fn run(mut self) {
        while let Wake::Work(snapshot) = self.inbox.next(&mut self.backlog, self.blocked, self.unflushed.left()) {
            self.turn(snapshot);
        }
    }

    /// One turn of the thread, if there is anything to do; answers whether there was.
    #[cfg(feature = "simulation")]
    pub(super) fn try_turn(&mut self) -> bool {
        match self.inbox.try_next(&mut self.backlog, self.blocked) {
            Some(Wake::Work(snapshot)) => {
                self.turn(snapshot);
                true
            }
            None if self.unflushed.is_due() => {
                self.turn(None);
                true
            }
            Some(Wake::Stop) | None => false,
        }
    }

    /// A snapshot, where one is asked for, and one group.
    fn turn(&mut self, snapshot: Option<SyncSender<Option<Snapshot>>>) {
        if let Some(answer) = snapshot {
            // The background thread may have stopped waiting; then nobody needs it.
            let _ = answer.send(self.snapshot());
        }
        self.flush_if_due();
        let mut backlog = std::mem::take(&mut self.backlog);
        self.blocked = self.work(&mut backlog);
        self.backlog = backlog;
    }

    /// `flush.ms` has passed: what nobody waits for is flushed all the same.
    fn flush_if_due(&mut self) {
        if !self.unflushed.is_due() || self.health.poisoned().is_some() {
            return;
        }
        self.unflushed.clear();
        if let Err(error) = self.wal.settle() {
            self.poison(&error);
        }
    }

    /// One group; answers whether it must wait for space.
    fn work(&mut self, backlog: &mut VecDeque<Command>) -> bool {
        if let Some(why) = self.health.poisoned().cloned() {
            self.refuse_all(backlog, &why);
            return false;
        }
        if self.tail.is_full() && !backlog.is_empty() {
            self.background.request_write();
            return self.blocked_unless_short(backlog);
        }
        let mut group = Group::default();
        self.now_ms = (self.wall_ms)();
        if planted!(self.planted, OrderLost) && backlog.get(1).is_some_and(Command::is_plain_append) {
            backlog.swap(0, 1);
        }
        while let Some(command) = backlog.pop_front() {
            if !self.has_room_for(&command) {
                if !group.is_empty() {
                    backlog.push_front(command);
                    break;
                }
                let (frames, payload_bytes) = size_of(&command);
                match self.make_room(frames, payload_bytes) {
                    Room::Here => {}
                    Room::Later => {
                        backlog.push_front(command);
                        return self.blocked_unless_short(backlog);
                    }
                    Room::Refused(why) => {
                        backlog.push_front(command);
                        self.serve_from_reserve(backlog, &why);
                        return false;
                    }
                }
            }
            if group.is_empty() {
                self.expect(&command, backlog);
            }
            self.decide(command, &mut group);
            let next_bytes = backlog.front().map_or(0, |next| size_of(next).1);
            if self.wal.buffered_bytes() + next_bytes > GROUP_BYTES {
                break;
            }
        }
        self.finish(group, backlog);
        false
    }

    /// Tells the log how large the group may become.
    fn expect(&mut self, first: &Command, backlog: &VecDeque<Command>) {
        let (mut frames, mut payload_bytes) = size_of(first);
        for command in backlog {
            let (more_frames, more_bytes) = size_of(command);
            if payload_bytes + more_bytes > GROUP_BYTES {
                break;
            }
            (frames, payload_bytes) = (frames + more_frames, payload_bytes + more_bytes);
        }
        self.wal.expect(frames, payload_bytes);
    }

    /// Waiting makes no sense while the disk is full or the like: the callers are told so, but for those that go on then.
    fn blocked_unless_short(&mut self, backlog: &mut VecDeque<Command>) -> bool {
        let Some(why) = self.health.shortage() else { return true };
        self.serve_from_reserve(backlog, &why);
        // It may have passed by now; the next caller will see.
        self.background.request_checkpoint();
        false
    }

    fn make_room(&mut self, frames: usize, payload_bytes: usize) -> Room {
        if let Err(error) = self.complete_segment() {
            return Room::Refused(self.poison(&error));
        }
        let number = self.wal.next_number();
        match self.slots.take(WalWriter::segment_bytes_for(frames, payload_bytes), number) {
            Take::Preparing => Room::Later,
            Take::AllInUse => {
                self.background.request_checkpoint();
                Room::Later
            }
            Take::Failed(why) => Room::Refused(why),
            Take::Ready(slot) => {
                if let Err(error) = self.wal.open_segment(&slot) {
                    self.slots.give_back(number);
                    let clause = format!("no file of the write-ahead log could be opened: {error}");
                    return Room::Refused(not_now(&clause, &error));
                }
                if self.slots.is_half_full() {
                    self.background.request_checkpoint();
                }
                Room::Here
            }
        }
    }

    /// Leaves nothing of the open segment in memory only.
    fn complete_segment(&mut self) -> io::Result<()> {
        if self.wal.buffered_bytes() > 0 {
            self.wal.write(true)?;
        }
        self.wal.settle()
    }

    pub(super) fn decide(&mut self, command: Command, group: &mut Group) {
        let answer = match command {
            Command::Append { appends, completer } => {
                let results: Vec<_> = appends.into_iter().map(|append| self.decide_append(append, group)).collect();
                if planted!(self.planted, DuplicateAnsweredEarly)
                    && results.iter().all(|result| result.as_ref().is_ok_and(|appended| appended.duplicate))
                {
                    return completer.complete(Ok(results));
                }
                Answer::Append { results, completer }
            }
            Command::AppendAtomically { appends, completer } => {
                Answer::Atomic { result: self.decide_atomically(appends, group), completer }
            }
            Command::DescribeProducers { partition, completer } => {
                let state = self.state.partitions.get(&partition).ok_or(ReadError::UnknownPartition);
                Answer::Producers { result: state.map(|state| state.producers.describe()), completer }
            }
            Command::CreateTopic { topic, completer } => {
                Answer::Topic { result: self.decide_create(topic, group), completer }
            }
            Command::DeleteTopic { id, completer } => {
                Answer::Changed { result: self.decide_delete(id, group), completer }
            }
            Command::AlterConfigs { change, completer } => {
                Answer::Changed { result: self.decide_configs(change, group), completer }
            }
            Command::CreatePartitions { topic, total, completer } => {
                Answer::Topic { result: self.decide_partitions(topic, total, group), completer }
            }
            Command::DeleteRecords { partition, before, completer } => {
                let result = self.decide_log_start(partition, before, LogStartCause::DeleteRecords, group);
                Answer::LogStart { result, completer }
            }
            Command::Retain { moves, waiting } => {
                for (partition, to) in moves {
                    // A topic may be gone by now, and a log start may have moved further.
                    let _ = self.decide_log_start(partition, to, LogStartCause::Retention, group);
                }
                Answer::Retained { waiting }
            }
            Command::ProducerId { completer } => {
                self.reserve_producer_ids(group);
                Answer::ProducerId { completer }
            }
            Command::Close => Answer::Closed,
        };
        group.answers.push(answer);
    }

    fn decide_append(&mut self, append: Prepared, group: &mut Group) -> Result<Appended, AppendError> {
        self.state.check_dependency(&append, self.planted)?;
        let partition = append.partition;
        let state = self.state.partitions.get_mut(&partition).ok_or(AppendError::UnknownPartition)?;
        let decision = state.decide(&append, self.planted)?;
        let PreparedBatches { bytes, spans } = append.batches?;
        let log_start_offset = state.log_start_offset;
        group.flush |= append.durability == Durability::Flush;
        match decision {
            Decision::Refuse(refusal) => Err(AppendError::Refused(refusal)),
            // Its original is in this group or was published before it, so the end of the group is late enough.
            Decision::Duplicate { first_offset, end_offset } => {
                Ok(Appended { first_offset, end_offset, log_start_offset, duplicate: true })
            }
            Decision::Accept => {
                let first_offset = state.end_offset;
                let place = self.wal.put_records(partition, &bytes, |batches| {
                    set_offsets(batches, &spans, first_offset);
                });
                let aborted = state.accept(&spans, self.now_ms);
                let first_open_offset = state.first_open_offset(&aborted, self.planted);
                let end_offset = state.end_offset;
                if append.durability == Durability::Os {
                    let messages = (end_offset - first_offset).unsigned_abs();
                    group.flush |= self.unflushed.count(&self.state.metadata, partition, messages);
                }
                group.placed.push(Placed { partition, place, spans, first_offset, first_open_offset, aborted });
                Ok(Appended { first_offset, end_offset, log_start_offset, duplicate: false })
            }
        }
    }

    fn decide_log_start(
        &mut self,
        partition: PartitionId,
        before: i64,
        cause: LogStartCause,
        group: &mut Group,
    ) -> Result<i64, ReadError> {
        let state = self.state.partitions.get_mut(&partition).ok_or(ReadError::UnknownPartition)?;
        let to = if before == -1 { state.end_offset } else { before };
        if to < 0 || to > state.end_offset {
            return Err(ReadError::OffsetOutOfRange(state.bounds()));
        }
        if to > state.log_start_offset {
            state.log_start_offset = to;
            self.wal.put(LOG_START, &[&log_start(partition, to, cause)]);
            group.flush |= !planted!(self.planted, LogStartNotFlushed);
            group.log_starts.push((partition, to, cause));
        }
        Ok(state.log_start_offset)
    }

    fn reserve_producer_ids(&mut self, group: &mut Group) {
        group.producer_ids_wanted += 1;
        let there =
            self.producer_ids.left() + group.producer_ids_reserved.as_ref().map_or(0, |range| range.end - range.start);
        if there < group.producer_ids_wanted {
            let start = self.state.next_producer_id;
            let end = start.saturating_add(PRODUCER_IDS_AT_ONCE);
            self.state.next_producer_id = end;
            self.wal.put(PRODUCER_IDS, &[&end.to_be_bytes()]);
            group.flush = true;
            group.producer_ids_reserved.get_or_insert(start..start).end = end;
        }
    }

    /// Writes the group, publishes it and answers.
    pub(super) fn finish(&mut self, mut group: Group, backlog: &mut VecDeque<Command>) {
        if planted!(self.planted, AnswerBeforeWrite) {
            group.answer_appends();
        }
        let acknowledged: usize = group.placed.iter().map(|placed| placed.place.len()).sum();
        let is_written = self.wal.has_frames();
        if let Err(error) = self.write_out(is_written, group.flush) {
            let why = self.poison(&error);
            if group.fail(&why) {
                self.background.close();
            }
            return;
        }
        if !self.wal.is_unflushed() {
            self.unflushed.clear();
        }
        if is_written {
            group.take_written(&mut self.wal);
        }
        let counters = &self.health.counters;
        counters.acknowledged_bytes.add(acknowledged as u64);
        counters.groups.add(u64::from(is_written));
        counters.wal_bytes.set(self.wal.written_bytes());
        counters.wal_flushes.set(self.wal.flushes());
        group.publish(&self.tail, &self.state.metadata, &self.producer_ids);
        if self.tail.wants_writing() {
            self.background.request_write();
        }
        for topic in &group.deleted {
            self.background.remove_topic(topic.id);
        }
        for (partition, ..) in &group.log_starts {
            self.background.remove_before_start(*partition);
        }
        let (advanced, moved) = (std::mem::take(&mut group.advanced), std::mem::take(&mut group.moved));
        if group.metadata_changed {
            self.health.metadata_changed(&self.state.metadata);
        }
        let closes = group.answer(&self.producer_ids, &self.background, backlog);
        if !advanced.is_empty() {
            self.health.advanced(&advanced);
        }
        for (partition, from, to, cause) in moved {
            self.health.log_start_moved(partition, from, to, cause);
        }
        if closes {
            self.close();
        }
    }

    /// Brings the frames that were gathered to the log, and, where `flush` holds, also what was written before without a flush.
    fn write_out(&mut self, has_frames: bool, flush: bool) -> io::Result<()> {
        if has_frames {
            self.wal.write(flush)
        } else if flush && self.wal.is_unflushed() {
            self.wal.settle()
        } else {
            Ok(())
        }
    }

    fn close(&mut self) {
        if let Err(error) = self.complete_segment() {
            self.poison(&error);
        }
        self.wal.close();
        self.background.close();
    }

    fn poison(&self, error: &io::Error) -> Unavailable {
        if planted!(self.planted, GoesOnAfterFailedWrite) {
            return not_now("the log could not be written", error);
        }
        self.health.poison(&failed_flush(&self.wal_folder, error))
    }

    pub(super) fn refuse_all(&mut self, backlog: &mut VecDeque<Command>, why: &Unavailable) {
        for command in backlog.drain(..) {
            if matches!(command, Command::Close) {
                self.wal.close();
                self.background.close();
            }
            command.refuse(why);
        }
    }

    /// The state as it is between two writes; none where that is not known any more.
    pub(super) fn snapshot(&mut self) -> Option<Snapshot> {
        self.forget_producers();
        self.health.poisoned().is_none().then(|| Snapshot {
            wal: self.wal.position(),
            next_producer_id: self.state.next_producer_id,
            metadata: self.state.metadata.clone(),
            topics: self.state.metadata.topics().map(|topic| (topic.clone(), self.partitions_of(topic))).collect(),
        })
    }

    /// Forgets silent producers. The log says nothing of it: after a crash, some may be known again until the next checkpoint,
    /// which only means that more of what they send twice is recognized.
    fn forget_producers(&mut self) {
        let Some(after_ms) = self.producer_expiration_ms else { return };
        let oldest_ms = (self.wall_ms)().saturating_sub(after_ms);
        self.state.partitions.values_mut().for_each(|state| state.forget_producers_before(oldest_ms));
    }

    fn partitions_of(&self, topic: &Topic) -> Vec<PartitionState> {
        let state = |index| self.state.partitions.get(&PartitionId { topic: topic.id, index }).cloned();
        (0..topic.partitions).map(|index| state(index).unwrap_or_default()).collect()
    }
}

/// How many frames a command takes at most, and how large their payloads are at most together.
pub(super) fn size_of(command: &Command) -> (usize, usize) {
    match command {
        Command::Append { appends, .. } => (appends.len(), appends.iter().map(Prepared::payload_bytes).sum()),
        Command::AppendAtomically { appends, .. } => (1, super::atomic::payload_bytes(appends)),
        Command::CreateTopic { topic, .. } => (1, 32 + topic.name.len() + size_of_configs(&topic.configs)),
        Command::AlterConfigs { change, .. } => {
            let name_bytes = match &change.resource {
                ConfigResource::Topic(id) => id.0.len(),
                ConfigResource::Broker(name)
                | ConfigResource::Group(name)
                | ConfigResource::ScramUser(name)
                | ConfigResource::ClientQuota(name)
                | ConfigResource::ClientMetrics(name) => name.len(),
            };
            (1, 32 + name_bytes + size_of_configs(&change.after))
        }
        Command::DeleteTopic { .. }
        | Command::CreatePartitions { .. }
        | Command::DeleteRecords { .. }
        | Command::ProducerId { .. } => (1, 32),
        Command::Retain { moves, .. } => (moves.len(), 32 * moves.len()),
        Command::DescribeProducers { .. } | Command::Close => (0, 0),
    }
}

fn size_of_configs(configs: &BTreeMap<String, String>) -> usize {
    configs.iter().map(|(name, value)| 8 + name.len() + value.len()).sum()
}
