//! Which partitions belong to a transaction: AddPartitionsToTxn and AddOffsetsToTxn, their verification, and the gate that every
//! transactional batch passes (KIP-890).
use crate::answer::{Answer, Producer, TransactionError};
use crate::planted::planted;
use crate::records::{NONE, Partitions, StoredTransaction, TransactionState};
use crate::request::AddPartitions;
use crate::step::Step;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use ottla_groups::Ticket;

/// May a producer's transactional batches be appended?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission<'a> {
    /// The transactional id.
    pub transactional_id: &'a str,
    /// The producer id of the batches.
    pub producer_id: i64,
    /// The epoch of the batches.
    pub producer_epoch: i16,
    /// Where they go; for TxnOffsetCommit the group's partition of [`crate::OFFSETS_TOPIC`]. All of them exist.
    pub partitions: &'a [(&'a str, i32)],
    /// How the partitions become part of the transaction.
    pub membership: Membership,
}

/// How partitions become part of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// The client has added them before, else they are refused: Produce before 12, TxnOffsetCommit before 5.
    Explicit {
        /// It knows TRANSACTION_ABORTABLE: Produce 11, TxnOffsetCommit 4.
        knows_abortable: bool,
    },
    /// They are added now: `transaction.version` 2.
    Implicit,
}

/// The `transaction.version` that partitions are added with.
#[derive(Clone, Copy)]
enum AddedBy {
    Request = 0,
    Batch = 2,
}

impl Step<'_> {
    pub(crate) fn add_partitions(&mut self, ticket: Ticket, request: &AddPartitions) {
        let producer = Producer { id: request.producer_id, epoch: request.producer_epoch };
        let named = |(topic, numbers): &(String, Vec<i32>)| {
            numbers.iter().map(|number| (topic.clone(), *number)).collect::<Vec<_>>()
        };
        let partitions: Vec<(String, i32)> = request.partitions.iter().flat_map(named).collect();
        if request.verify_only {
            let missing = self.transaction.check_producer(producer).map(|()| {
                let stored = self.transaction.stored();
                partitions.into_iter().filter(|(topic, number)| !stored.has(topic, *number)).collect()
            });
            return self.reply(ticket, Answer::VerifyPartitions(missing));
        }
        let partitions = partitions.iter().map(|(topic, number)| (topic.as_str(), *number));
        let added = self.add(producer, partitions, AddedBy::Request);
        self.reply(ticket, Answer::AddPartitions(added));
    }

    /// The gate; see [`crate::Coordinator::admit`].
    pub(crate) fn admit(&mut self, admission: &Admission<'_>) -> Vec<Result<(), TransactionError>> {
        let mut producer = Producer { id: admission.producer_id, epoch: admission.producer_epoch };
        if planted!(self.settings, FencedProducerWrites) && producer.id == self.transaction.producer().id {
            producer.epoch = self.transaction.producer().epoch;
        }
        let all = |result: Result<(), TransactionError>| admission.partitions.iter().map(|_| result).collect();
        let Membership::Explicit { knows_abortable } = admission.membership else {
            return all(self.add(producer, admission.partitions.iter().copied(), AddedBy::Batch));
        };
        if let Err(error) = self.transaction.check_producer(producer) {
            return all(Err(error));
        }
        let stored = self.transaction.stored();
        let refusal = match knows_abortable {
            true => TransactionError::TransactionAbortable,
            false => TransactionError::InvalidTxnState,
        };
        let may = |(topic, number): &(&str, i32)| {
            let is_there = stored.has(topic, *number) || planted!(self.settings, NotAddedMayBeWritten);
            if is_there { Ok(()) } else { Err(refusal) }
        };
        admission.partitions.iter().map(may).collect()
    }

    /// Adds partitions to the transaction, which begins with the first of them. Nothing is recorded that is known.
    fn add<'p>(
        &mut self,
        producer: Producer,
        partitions: impl Iterator<Item = (&'p str, i32)>,
        by: AddedBy,
    ) -> Result<(), TransactionError> {
        match self.transaction.check_producer(producer) {
            Err(TransactionError::ConcurrentTransactions) if planted!(self.settings, PartitionAddedToFinished) => {}
            checked => checked?,
        }
        let stored = self.transaction.stored();
        let is_known = |(topic, number): &(&str, i32)| stored.has(topic, *number);
        let added: BTreeSet<(&str, i32)> = partitions.filter(|partition| !is_known(partition)).collect();
        let Some((topic, number)) = added.first().copied() else { return Ok(()) };
        let (from, begins) = (stored.state, stored.state != TransactionState::Ongoing);
        let mut partitions: Partitions = stored.partitions.clone();
        for (topic, number) in added {
            partitions.entry(topic.into()).or_default().insert(number);
        }
        let stored = StoredTransaction {
            state: TransactionState::Ongoing,
            partitions,
            last_update_ms: self.now.wall_ms,
            start_ms: if begins { self.now.wall_ms } else { stored.start_ms },
            previous_producer_id: stored.producer_id,
            next_producer_id: NONE,
            client_version: by as i16,
            ..*stored
        };
        self.record(stored);
        if begins {
            self.transaction.deadline_ms = Some(self.transaction.timed_out_at(self.now));
            self.tell_change(from, &format!("{topic}-{number} is the first partition of it"));
        }
        Ok(())
    }
}

impl StoredTransaction {
    /// Whether a partition belongs to the transaction.
    pub(crate) fn has(&self, topic: &str, partition: i32) -> bool {
        self.partitions.get(topic).is_some_and(|numbers| numbers.contains(&partition))
    }
}
