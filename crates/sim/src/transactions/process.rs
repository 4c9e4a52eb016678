//! A process that writes under a transactional id: it begins, writes, ends, asks again, gives up.
use super::engine::Partition;
use ottla_transactions::Producer;
use std::collections::BTreeSet;

/// What a process waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// To be somebody; it may know who it was.
    Init { known: Option<Producer> },
    /// A partition to be added (version 1).
    Add(Partition),
    /// A batch to be written.
    Write(Partition, u64),
    /// Its transaction to end.
    End { commits: bool },
}

/// What it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Producer(Producer),
    Done,
    /// Try again.
    Again,
    /// Others have its id, or it took too long.
    Fenced,
    /// The transaction cannot be committed.
    Broken,
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
    /// Its transaction.
    pub(super) attempt: u64,
    pub(super) added: BTreeSet<Partition>,
    pub(super) batches_left: u64,
    pub(super) writes_next: Option<Partition>,
    pub(super) timeout_ms: i32,
    /// It has given up a batch that may still come, and must have another epoch before it goes on (version 1).
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
            doing: None,
            asks_as: None,
            rpc: 0,
            arrived: 0,
            attempt: 0,
            added: BTreeSet::new(),
            batches_left: 0,
            writes_next: None,
            timeout_ms,
            needs_epoch: false,
            finishes: false,
        }
    }

    /// A new transaction begins.
    pub(super) fn begin(&mut self, attempt: u64, batches: u64) {
        self.attempt = attempt;
        self.added.clear();
        self.batches_left = batches;
        self.writes_next = None;
        self.doing = None;
    }
}
