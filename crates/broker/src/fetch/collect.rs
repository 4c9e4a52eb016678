//! One fetch: take what is ready, read it, wait for more, until there is enough.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::ErrorCode;
use ottla_storage::{AbortedTransaction, Bounds, Isolation, PartitionId, Read, ReadError, ReadOutcome};
use tokio::time::Instant;

use super::view::{View, Want};
use super::waiters::Slot;
use crate::context::Context;
use crate::memory::Charge;
use crate::request::Piece;
use crate::{Broker, errors};

/// The leader epoch of every partition: leadership never moves here.
pub(crate) const LEADER_EPOCH: i32 = 0;

/// What a fetch asks for as a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Below this many bytes the fetch waits.
    pub(crate) min_bytes: usize,
    /// Of all partitions together.
    pub(crate) max_bytes: usize,
    /// When waiting ends.
    pub(crate) deadline: Instant,
    /// What it may see.
    pub(crate) isolation: Isolation,
    /// Answer for every partition, also where nothing is new (a fetch without a session, or a session's first one).
    pub(crate) all_partitions: bool,
}

/// What was found in one partition.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    slot: Slot,
    /// What was wanted.
    pub(crate) want: Want,
    /// NONE where all is well.
    pub(crate) error: ErrorCode,
    /// Whole batches.
    pub(crate) pieces: Vec<Piece>,
    bytes: usize,
    /// What of it is in memory.
    memory_bytes: usize,
    /// The partition, if there is such a one.
    pub(crate) partition: Option<PartitionId>,
    /// Where reading goes on.
    pub(crate) next_offset: i64,
    /// The aborted transactions that touch the batches, each once.
    pub(crate) aborted: Vec<AbortedTransaction>,
    /// The partition's bounds; `None` with an error.
    pub(crate) bounds: Option<Bounds>,
    /// Where the client's log parts from ours (epoch, end offset), if it does.
    pub(crate) diverging: Option<(i32, i64)>,
}

impl Found {
    fn new(slot: Slot, want: Want) -> Self {
        Found {
            slot,
            error: ErrorCode::NONE,
            pieces: Vec::new(),
            bytes: 0,
            memory_bytes: 0,
            partition: None,
            next_offset: want.fetch_offset,
            aborted: Vec::new(),
            bounds: None,
            diverging: None,
            want,
        }
    }

    fn fail(&mut self, error: ErrorCode) {
        self.error = error;
        self.bounds = None;
        self.pieces = Vec::new();
        self.aborted = Vec::new();
        (self.bytes, self.memory_bytes) = (0, 0);
    }

    /// Nothing has to wait any longer because of this.
    fn is_final(&self) -> bool {
        !self.error.is_none() || self.diverging.is_some()
    }

    fn has_something(&self) -> bool {
        self.bytes > 0 || self.is_final()
    }

    fn has_more(&self, isolation: Isolation) -> bool {
        self.bounds.is_some_and(|bounds| !is_at_end(self, bounds, isolation))
    }

    fn extend(&mut self, outcome: ReadOutcome) {
        self.bounds = Some(outcome.bounds);
        for aborted in outcome.aborted {
            if !self.aborted.contains(&aborted) {
                self.aborted.push(aborted);
            }
        }
        self.memory_bytes += outcome.batches.iter().map(Bytes::len).sum::<usize>();
        let before = self.pieces.len();
        self.pieces.extend(outcome.batches.into_iter().map(Piece::Memory));
        self.pieces.extend(outcome.in_file.map(Piece::File));
        self.bytes += self.pieces.iter().skip(before).map(Piece::len_bytes).sum::<usize>();
        self.next_offset = outcome.next_offset.unwrap_or(self.next_offset).max(self.next_offset);
    }
}

/// What a fetch found. Dropped before [`Collected::tell`], it gives all it took back to the ready set.
#[derive(Debug)]
pub(crate) struct Collected {
    view: Arc<View>,
    found: Vec<Found>,
    by_slot: HashMap<Slot, usize>,
    bytes: usize,
    /// What of it is in memory, and charged: what lies in files takes none, however slow its reader is.
    memory_bytes: usize,
    charge: Charge,
    is_final: bool,
    /// There is more, and answers take all the memory there is for them: what there is goes out first.
    is_cut: bool,
}

/// Collects until there are `min_bytes`, an error, the deadline, or the end of the broker.
pub(crate) async fn collect(context: &Context, view: Arc<View>, limits: Limits, in_session: bool) -> Collected {
    let (broker, input_ended) = (context.broker(), context.input_ended());
    let mut collected = Collected::nothing(broker, view);
    let mut watching = in_session;
    let is_empty = collected.view.len() == 0;
    loop {
        collected.take_ready(broker, &limits, watching).await;
        let enough = collected.bytes >= limits.min_bytes || collected.is_final || collected.is_cut || is_empty;
        let ends = broker.stop.is_requested() || input_ended.is_requested();
        if enough || ends || limits.deadline <= Instant::now() {
            return collected;
        }
        if !watching {
            watching = true;
            collected.watch_all(broker);
        }
        let view = collected.view.clone();
        tokio::select! {
            () = view.interest.ready() => {}
            () = tokio::time::sleep_until(limits.deadline) => {}
            () = broker.stop.wait() => {}
            () = input_ended.wait() => {}
        }
    }
}

impl Collected {
    fn nothing(broker: &Broker, view: Arc<View>) -> Self {
        Collected {
            view,
            found: Vec::new(),
            by_slot: HashMap::new(),
            bytes: 0,
            memory_bytes: 0,
            charge: broker.answers.charge(),
            is_final: false,
            is_cut: false,
        }
    }

    async fn take_ready(&mut self, broker: &Arc<Broker>, limits: &Limits, watching: bool) {
        while let Some(slot) = self.view.interest.take() {
            let is_full =
                self.bytes >= limits.max_bytes || self.memory_bytes >= broker.answers.share_bytes(&self.charge);
            if is_full && !limits.all_partitions {
                self.is_cut = true;
                self.view.interest.put_back(slot);
                return;
            }
            let metadata = broker.engine().metadata();
            let Some((want, partition)) = self.view.want(slot, &metadata) else { continue };
            if watching {
                // Before the read: what is appended after it makes the slot ready again.
                self.view.watch(slot, partition);
            }
            let place = self.place(slot, want);
            let size = |found: &Found| (found.bytes, found.memory_bytes);
            let before = self.found.get(place).map_or((0, 0), size);
            self.read(place, broker, partition, limits).await;
            if let Some(found) = self.found.get(place) {
                self.bytes = self.bytes - before.0 + found.bytes;
                self.memory_bytes = self.memory_bytes - before.1 + found.memory_bytes;
                self.is_final |= found.is_final();
                self.charge.set(self.memory_bytes);
            }
        }
    }

    /// Where the slot's findings are kept: they grow while the fetch waits, unless the client wants something else by now.
    fn place(&mut self, slot: Slot, want: Want) -> usize {
        if let Some(&place) = self.by_slot.get(&slot)
            && let Some(found) = self.found.get_mut(place)
        {
            if found.want != want {
                self.bytes -= found.bytes;
                self.memory_bytes -= found.memory_bytes;
                *found = Found::new(slot, want);
            }
            return place;
        }
        self.found.push(Found::new(slot, want));
        self.by_slot.insert(slot, self.found.len() - 1);
        self.found.len() - 1
    }

    async fn read(&mut self, place: usize, broker: &Broker, partition: Option<PartitionId>, limits: &Limits) {
        let at_least_one_batch = self.bytes == 0;
        let left = limits.max_bytes.saturating_sub(self.bytes);
        let share = broker.answers.share_bytes(&self.charge).saturating_sub(self.memory_bytes);
        let Some(found) = self.found.get_mut(place) else { return };
        found.partition = partition;
        let Some(partition) = partition else {
            return found.fail(match found.want.topic {
                super::TopicKey::Name(_) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                super::TopicKey::Id(id) if broker.engine().metadata().by_id(id).is_some() => {
                    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
                }
                super::TopicKey::Id(_) => ErrorCode::UNKNOWN_TOPIC_ID,
            });
        };
        match check_epochs(broker, partition, &found.want) {
            Ok(None) => {}
            Ok(Some((diverging, bounds))) => {
                found.diverging = Some(diverging);
                found.bounds = Some(bounds);
                return;
            }
            Err(error) => return found.fail(error),
        }
        let wanted_bytes = left.min(found.want.max_bytes.saturating_sub(found.bytes));
        let max_bytes = wanted_bytes.min(share);
        let outcome = match broker.engine().bounds(partition) {
            // Nothing to read, or no room for it: the bounds are all there is to tell.
            Ok(bounds) if is_at_end(found, bounds, limits.isolation) || (max_bytes == 0 && !at_least_one_batch) => {
                in_range(found.next_offset, bounds).map(|()| ReadOutcome { bounds, ..ReadOutcome::default() })
            }
            Ok(_) => {
                let isolation = limits.isolation;
                // Set aside before it is read, so that fetches that read at the same time share what there is.
                self.charge.set(self.memory_bytes + max_bytes);
                let (offset, may_name_file) = (found.next_offset, true);
                let read = Read { partition, offset, max_bytes, at_least_one_batch, isolation, may_name_file };
                broker.engine().read(read).await
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(outcome) => {
                found.extend(outcome);
                self.is_cut |= max_bytes < wanted_bytes && found.has_more(limits.isolation);
            }
            // What was found before stays worth sending.
            Err(ReadError::OffsetOutOfRange(_)) if found.bytes > 0 => {}
            Err(error) => {
                if let ReadError::Corrupt(sentence) = &error {
                    tracing::error!("a fetch met damaged records: {sentence}");
                }
                found.fail(errors::of_read(&error));
            }
        }
    }

    /// Registers a fetch without a session for changes, and makes those ready that changed since they were read.
    fn watch_all(&mut self, broker: &Broker) {
        let metadata = broker.engine().metadata();
        for found in &self.found {
            let Some((_, partition)) = self.view.want(found.slot, &metadata) else { continue };
            self.view.watch(found.slot, partition);
            let bounds = partition.and_then(|partition| broker.engine().bounds(partition).ok());
            if bounds != found.bounds {
                self.view.interest.mark(found.slot);
            }
        }
    }

    /// What to answer, and what its records are charged: everything, or only what the client does not know yet. Slots stay ready that have records, or an
    /// error: first those that had no room this time, then those that had their turn.
    pub(crate) fn tell(mut self, limits: &Limits) -> (Vec<Found>, Charge) {
        let (collected, charge) = (std::mem::take(&mut self.found), self.charge.take());
        let had_no_room = collected.iter().filter(|found| !found.has_something() && found.has_more(limits.isolation));
        had_no_room.for_each(|found| self.view.interest.mark(found.slot));
        let mut told = Vec::new();
        for found in collected {
            let news = self.view.tell(found.slot, found.bounds);
            if found.has_something() {
                self.view.interest.mark(found.slot);
            }
            if limits.all_partitions || found.has_something() || news {
                told.push(found);
            }
        }
        if limits.all_partitions {
            told.sort_by_key(|found| found.slot);
        }
        (told, charge)
    }
}

impl Drop for Collected {
    fn drop(&mut self) {
        self.found.iter().for_each(|found| self.view.interest.mark(found.slot));
    }
}

fn is_at_end(found: &Found, bounds: Bounds, isolation: Isolation) -> bool {
    let end = match isolation {
        Isolation::ReadUncommitted => bounds.high_watermark,
        Isolation::ReadCommitted => bounds.last_stable_offset,
    };
    found.next_offset >= end
}

fn in_range(offset: i64, bounds: Bounds) -> Result<(), ReadError> {
    match (bounds.log_start_offset..=bounds.high_watermark).contains(&offset) {
        true => Ok(()),
        false => Err(ReadError::OffsetOutOfRange(bounds)),
    }
}

/// Where a client's log parts from ours (epoch and end offset), and our bounds.
type Divergence = ((i32, i64), Bounds);

/// Compares the client's leader epochs with ours (KIP-320, KIP-595).
fn check_epochs(broker: &Broker, partition: PartitionId, want: &Want) -> Result<Option<Divergence>, ErrorCode> {
    // Unlike in ListOffsets, any negative number means "none" here.
    check_leader_epoch(want.current_leader_epoch.max(-1))?;
    if want.last_fetched_epoch < 0 {
        return Ok(None);
    }
    if want.last_fetched_epoch > LEADER_EPOCH {
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    let bounds = broker.engine().bounds(partition).map_err(|error| errors::of_read(&error))?;
    Ok((bounds.high_watermark < want.fetch_offset).then_some(((LEADER_EPOCH, bounds.high_watermark), bounds)))
}

/// Whether the leader epoch that a client knows is the partition's (KIP-320).
pub(crate) fn check_leader_epoch(known: i32) -> Result<(), ErrorCode> {
    match known {
        -1 | LEADER_EPOCH => Ok(()),
        newer if newer > LEADER_EPOCH => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
        _ => Err(ErrorCode::FENCED_LEADER_EPOCH),
    }
}
