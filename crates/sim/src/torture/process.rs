//! A copier: it reads committed records of its partition, writes them to the next topic, and commits how far it has come, all in one
//! transaction; again and again, until it dies or somebody else has its transactional id.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ottla_transactions::{Producer, TransactionError};

use super::log::Value;

/// So many transactional ids there are: one for each partition that is copied from.
pub(super) const IDS: usize = 4;

/// What belongs to a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// A partition of the next topic.
    Output(i32),
    /// The group's partition of `__consumer_offsets`.
    Group,
}

/// Records for one partition of the next topic.
#[derive(Debug, Clone)]
pub(super) struct Copied {
    pub(super) partition: i32,
    pub(super) sequence: i32,
    pub(super) values: Vec<Value>,
    /// So much larger is each of them.
    pub(super) filler: usize,
}

/// What a copier waits for.
#[derive(Debug, Clone)]
pub(super) enum Doing {
    /// To be somebody; it may know who it was.
    Init { known: Option<Producer> },
    /// To hear where to go on.
    Fetch,
    /// Something to be added (version 1).
    Add(Place),
    /// Records to be written.
    Write(Copied),
    /// The offset to be committed.
    Commit { offset: i64 },
    /// Its transaction to end.
    End { commits: bool },
}

/// A request as it travels.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) doing: Doing,
    pub(super) producer: Producer,
    pub(super) attempt: u64,
}

/// What a copier is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Producer(Producer),
    Offset(i64),
    Done,
    /// Try again.
    Again,
    /// Others have its id, or it took too long.
    Fenced,
    /// The transaction cannot be committed.
    Broken,
}

/// A transaction as its copier sees it.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) attempt: u64,
    /// What is still to be written.
    pub(super) left: VecDeque<Copied>,
    pub(super) added: BTreeSet<Place>,
    /// Where the copier goes on if it commits.
    pub(super) next_position: i64,
    pub(super) is_offset_sent: bool,
    pub(super) will_commit: bool,
}

/// One process.
pub(super) struct Process {
    /// Which transactional id.
    pub(super) id: usize,
    /// `transaction.version` 2.
    pub(super) is_new: bool,
    pub(super) lives: bool,
    pub(super) producer: Option<Producer>,
    pub(super) doing: Option<Doing>,
    /// Who asks for the end asks as this one, however often.
    pub(super) asks_as: Option<Producer>,
    /// The request that is waited for; grows with each.
    pub(super) rpc: u64,
    /// The last one that has arrived: connections keep their order.
    pub(super) arrived: u64,
    pub(super) transaction: Option<Transaction>,
    /// Where it goes on; `None` until it has asked.
    pub(super) position: Option<i64>,
    /// The next sequence numbers of the producer, by partition.
    pub(super) sequences: BTreeMap<i32, i32>,
    pub(super) timeout_ms: i32,
    /// It has given up records that may still come, and must have another epoch before it goes on (version 1).
    pub(super) needs_epoch: bool,
    /// Begins nothing any more.
    pub(super) finishes: bool,
}

impl Process {
    pub(super) fn new(id: usize, is_new: bool, timeout_ms: i32) -> Self {
        Process {
            id,
            is_new,
            lives: true,
            producer: None,
            doing: Some(Doing::Init { known: None }),
            asks_as: None,
            rpc: 0,
            arrived: 0,
            transaction: None,
            position: None,
            sequences: BTreeMap::new(),
            timeout_ms,
            needs_epoch: false,
            finishes: false,
        }
    }

    /// The topic that it copies from, as a stage; its partition there; and its group.
    pub(super) fn source(&self) -> (usize, i32) {
        source(self.id)
    }

    pub(super) fn attempt(&self) -> u64 {
        self.transaction.as_ref().map_or(0, |transaction| transaction.attempt)
    }

    pub(super) fn becomes(&mut self, producer: Producer) {
        if self.producer != Some(producer) {
            self.sequences.clear();
        }
        self.producer = Some(producer);
    }

    /// Records are written.
    pub(super) fn wrote(&mut self, copied: &Copied) {
        self.sequences.insert(copied.partition, copied.sequence + copied.values.len() as i32);
        if let Some(transaction) = &mut self.transaction {
            transaction.left.pop_front();
        }
    }

    /// What comes next in its transaction.
    pub(super) fn next_in_transaction(&self) -> Option<Doing> {
        let transaction = self.transaction.as_ref()?;
        let needs_adding = |place: Place| !self.is_new && !transaction.added.contains(&place);
        if let Some(copied) = transaction.left.front() {
            if needs_adding(Place::Output(copied.partition)) {
                return Some(Doing::Add(Place::Output(copied.partition)));
            }
            let sequence = self.sequences.get(&copied.partition).copied().unwrap_or(0);
            return Some(Doing::Write(Copied { sequence, ..copied.clone() }));
        }
        if transaction.is_offset_sent {
            return Some(Doing::End { commits: transaction.will_commit });
        }
        if needs_adding(Place::Group) {
            return Some(Doing::Add(Place::Group));
        }
        Some(Doing::Commit { offset: transaction.next_position })
    }
}

/// What a transactional id copies from: a stage and a partition.
pub(super) fn source(id: usize) -> (usize, i32) {
    (id / 2, (id % 2) as i32)
}

/// The group of a stage. It lies in the partition of `__consumer_offsets` with the stage's number.
pub(super) fn group_of(stage: usize) -> String {
    format!("g{stage}")
}

/// What a copier makes of a refusal.
pub(super) fn refused(error: TransactionError) -> Told {
    match error {
        TransactionError::ConcurrentTransactions
        | TransactionError::CoordinatorNotAvailable
        | TransactionError::CoordinatorLoadInProgress => Told::Again,
        TransactionError::ProducerFenced | TransactionError::InvalidProducerIdMapping => Told::Fenced,
        _ => Told::Broken,
    }
}
