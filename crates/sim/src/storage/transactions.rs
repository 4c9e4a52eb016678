//! Transactions in the model: which are open in a partition, which were aborted, and what a reader of committed records may see.

use std::collections::{BTreeMap, BTreeSet};

use ottla_protocol::records::{BatchHeader, EndMarker};
use ottla_storage::{Durability, Isolation, PartitionId, Read, ReadOutcome};

use super::calls::{Call, Producer, Sent, SentBatch};
use super::model::Promise;
use super::records::{SentRecord, Stored};
use super::state::Partition;
use super::world::Shared;

/// Those of one partition.
#[derive(Clone, Default)]
pub(super) struct Transactions {
    /// Where each producer's open one began.
    open: BTreeMap<i64, i64>,
    /// Producer, first offset, offset of the marker.
    aborted: Vec<(i64, i64, i64)>,
}

impl Transactions {
    pub(super) fn first_open(&self) -> Option<i64> {
        self.open.values().min().copied()
    }

    pub(super) fn open_from(&self, producer: i64) -> Option<i64> {
        self.open.get(&producer).copied()
    }

    pub(super) fn begin(&mut self, producer: i64, offset: i64) {
        self.open.entry(producer).or_insert(offset);
    }

    /// Answers where it began.
    pub(super) fn end(&mut self, producer: i64, is_commit: bool, offset: i64) -> Option<i64> {
        let first = self.open.remove(&producer)?;
        if !is_commit {
            self.aborted.push((producer, first, offset));
        }
        Some(first)
    }

    /// Whether a batch holds records of an aborted one.
    pub(super) fn is_aborted(&self, batch: &Stored) -> bool {
        batch.transaction().is_some_and(|producer| self.aborted_at(producer, batch.first_offset).is_some())
    }

    /// Whether a batch is of none, or of a committed one.
    pub(super) fn is_committed(&self, batch: &Stored) -> bool {
        let is_open = |producer| self.open_from(producer).is_some_and(|first| batch.first_offset >= first);
        !batch.transaction().is_some_and(is_open) && !self.is_aborted(batch)
    }

    fn aborted_at(&self, producer: i64, offset: i64) -> Option<(i64, i64, i64)> {
        let covers = |(id, first, last): &&(i64, i64, i64)| *id == producer && (*first..=*last).contains(&offset);
        self.aborted.iter().find(covers).copied()
    }
}

/// Whether a read of committed records shows no open transaction and tells of all aborted ones, and a read of all of none.
pub(super) fn check_committed(read: &Read, outcome: &ReadOutcome, partition: &Partition) -> Promise {
    let told: BTreeSet<(i64, i64, i64)> = (outcome.aborted.iter())
        .map(|aborted| (aborted.producer_id, aborted.first_offset, aborted.last_offset))
        .collect();
    let next_offset = match outcome.next_offset {
        Some(next_offset) if read.isolation == Isolation::ReadCommitted => next_offset,
        _ if told.is_empty() => return Ok(()),
        _ => return Err(format!("it tells of {told:?} and shows nothing, or nobody asked")),
    };
    let stable = partition.bounds().last_stable_offset;
    if next_offset > stable {
        return Err(format!("it shows what lies before {next_offset}; only that before {stable} is stable"));
    }
    let transactions = partition.transactions();
    for aborted in &told {
        let (_, first, last) = *aborted;
        if !transactions.aborted.contains(aborted) || last < read.offset || first >= next_offset {
            return Err(format!("it tells of {aborted:?}, which was not aborted there"));
        }
    }
    for batch in &outcome.batches {
        let Ok(header) = BatchHeader::parse(batch) else { continue };
        let has_records = header.is_transactional() && !header.is_control() && header.record_count > 0;
        let aborted = transactions.aborted_at(header.producer_id, header.base_offset).filter(|_| has_records);
        if let Some(aborted) = aborted.filter(|aborted| aborted.2 >= read.offset && !told.contains(aborted)) {
            return Err(format!("it shows offset {} and does not tell of {aborted:?}", header.base_offset));
        }
    }
    Ok(())
}

impl Shared {
    /// A transaction ends in all its partitions at once, and often with records of a coordinator.
    pub(super) fn end_transaction(&mut self) {
        let Some((id, epoch, touched)) = self.workload.any_transaction(&mut self.rng) else { return };
        let mut partitions: BTreeSet<PartitionId> = self.open_partitions(id).chain(touched).collect();
        if self.rng.once_in(4) {
            partitions.extend(self.any_partition());
        }
        if !self.rng.once_in(12) {
            partitions.retain(|partition| self.model.visible.partitions.contains_key(partition));
        }
        if partitions.is_empty() {
            return;
        }
        let (is_commit, bumps) = (self.rng.once_in(2), self.rng.once_in(2));
        let epoch = epoch + i16::from(bumps);
        let mut parts: Vec<Sent> =
            partitions.iter().map(|partition| self.marker(*partition, (id, epoch), is_commit)).collect();
        for _ in 0..self.rng.between(0, 2) {
            let other = self.any_partition().filter(|other| !parts.iter().any(|part| part.partition == *other));
            parts.extend(other.map(|other| self.plain(other)));
        }
        self.workload.transaction_ended(id, bumps);
        self.make(Call::Atomic(parts));
        self.crash_soon();
    }

    /// Where a crash comes at all it rather often comes while the last call is written: few calls are of this kind, and each must be
    /// there as a whole or not at all.
    fn crash_soon(&mut self) {
        let soon = self.operations + self.rng.between(1, 8);
        let hastens = self.rng.once_in(5);
        if let Some((at, _)) = self.life.crash_at.as_mut().filter(|_| hastens) {
            *at = soon.min(*at);
        }
    }

    /// Every transaction that is open is committed.
    pub(super) fn end_all_transactions(&mut self) {
        let open: BTreeSet<i64> = self
            .model
            .visible
            .partitions
            .values()
            .flat_map(|found| found.transactions().open.keys().copied())
            .collect();
        for id in open {
            let partitions: Vec<_> = self.open_partitions(id).collect();
            let epochs = self.model.visible.partitions.values().filter_map(|found| found.epoch_of(id));
            let epoch = epochs.max().unwrap_or_default();
            let parts = partitions.iter().map(|partition| self.marker(*partition, (id, epoch), true)).collect();
            self.make(Call::Atomic(parts));
        }
    }

    fn open_partitions(&self, id: i64) -> impl Iterator<Item = PartitionId> + use<> {
        let has_open = |found: &Partition| found.transactions().open_from(id).is_some();
        let all = self.model.visible.partitions.iter();
        let open: Vec<_> = all.filter(|(_, found)| has_open(found)).map(|(partition, _)| *partition).collect();
        open.into_iter()
    }

    fn marker(&self, partition: PartitionId, (id, epoch): (i64, i16), is_commit: bool) -> Sent {
        let now_ms = self.clock.wall_ms();
        let marker = EndMarker { is_commit, coordinator_epoch: 0 };
        let producer = Producer { id, epoch, sequence: -1, transactional: true, marker: Some(marker) };
        let record = SentRecord { timestamp_ms: now_ms, key: None, is_tombstone: false, is_marker: true };
        let bytes = marker.batch(id, epoch, now_ms);
        let batch = SentBatch { bytes, producer: Some(producer), records: vec![record], sent_ms: now_ms };
        Sent { partition, batches: vec![batch], expected_end: None, durability: Durability::Flush }
    }
}
