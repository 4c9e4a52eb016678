//! What waits for the flusher: commands in the order of the calls, and requests for a snapshot.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::flusher::Snapshot;
use crate::batches::BatchSpan;
use crate::producers::ProducerDescription;
use crate::{
    Append, AppendError, AppendOrigin, Appended, Completer, ConfigChange, Dependency, Durability, MetadataError,
    NewTopic, PartitionId, ReadError, Topic, TopicId, Unavailable,
};

/// The answers of one append call.
pub(super) type AppendCompleter = Completer<Vec<Result<Appended, AppendError>>, Unavailable>;

/// Something that changes durable state.
pub(super) enum Command {
    Append {
        appends: Vec<Prepared>,
        completer: AppendCompleter,
    },
    /// All or nothing.
    AppendAtomically {
        appends: Vec<Prepared>,
        completer: Completer<Vec<Appended>, AppendError>,
    },
    DescribeProducers {
        partition: PartitionId,
        completer: Completer<Vec<ProducerDescription>, ReadError>,
    },
    CreateTopic {
        topic: NewTopic,
        completer: Completer<std::sync::Arc<Topic>, MetadataError>,
    },
    DeleteTopic {
        id: TopicId,
        completer: Completer<(), MetadataError>,
    },
    AlterConfigs {
        change: ConfigChange,
        completer: Completer<(), MetadataError>,
    },
    CreatePartitions {
        topic: TopicId,
        total: i32,
        completer: Completer<std::sync::Arc<Topic>, MetadataError>,
    },
    DeleteRecords {
        partition: PartitionId,
        before: i64,
        completer: Completer<i64, ReadError>,
    },
    /// Moves log starts because records are too old or too many.
    Retain {
        moves: Vec<(PartitionId, i64)>,
        /// Who waits until the files are gone.
        waiting: Vec<Completer<(), Unavailable>>,
    },
    ProducerId {
        completer: Completer<i64, Unavailable>,
    },
    /// The last one: all before is done when it is reached.
    Close,
}

impl Command {
    /// Whether it is an append without producer id.
    pub(super) fn is_plain_append(&self) -> bool {
        let is_plain = |append: &Prepared| {
            append.batches.as_ref().is_ok_and(|batches| batches.spans.iter().all(|span| span.producer.producer_id < 0))
        };
        matches!(self, Command::Append { appends, .. } if appends.iter().all(is_plain))
    }

    /// Answers that it was not done.
    pub(super) fn refuse(self, why: &Unavailable) {
        let why = why.clone();
        match self {
            Command::Append { appends, completer } => {
                completer.complete(Ok(appends.iter().map(|_| Err(AppendError::Unavailable(why.clone()))).collect()));
            }
            Command::AppendAtomically { completer, .. } => completer.complete(Err(AppendError::Unavailable(why))),
            Command::DescribeProducers { completer, .. } => completer.complete(Err(ReadError::Unavailable(why))),
            Command::CreateTopic { completer, .. } | Command::CreatePartitions { completer, .. } => {
                completer.complete(Err(MetadataError::Unavailable(why)));
            }
            Command::DeleteTopic { completer, .. } | Command::AlterConfigs { completer, .. } => {
                completer.complete(Err(MetadataError::Unavailable(why)));
            }
            Command::DeleteRecords { completer, .. } => completer.complete(Err(ReadError::Unavailable(why))),
            Command::Retain { waiting, .. } => waiting.into_iter().for_each(|waiter| waiter.complete(Err(why.clone()))),
            Command::ProducerId { completer } => completer.complete(Err(why)),
            Command::Close => {}
        }
    }
}

/// An append with its batches' headers read, which needs no order and so happens on the caller's thread.
pub(super) struct Prepared {
    pub(super) partition: PartitionId,
    pub(super) expected_end: Option<i64>,
    pub(super) depends_on: Option<Dependency>,
    pub(super) durability: Durability,
    pub(super) origin: AppendOrigin,
    pub(super) batches: Result<PreparedBatches, AppendError>,
}

/// Batches as they came, and where they lie.
pub(super) struct PreparedBatches {
    pub(super) bytes: Bytes,
    pub(super) spans: Vec<BatchSpan>,
}

/// More than this in one partition's append does not fit the length field of a frame with room to spare.
const MAX_APPEND_BYTES: usize = 1 << 30;

/// That appends fit into one frame together.
pub(super) fn check_size(appends: &[Append]) -> Result<(), AppendError> {
    let bytes = appends.iter().map(|append| append.batches.len()).fold(0, usize::saturating_add);
    let parts = appends.len().saturating_mul(super::wal::PART_HEAD_BYTES);
    if bytes.saturating_add(parts) > MAX_APPEND_BYTES {
        return Err(AppendError::Corrupt("the batches of an atomic append are larger than 1 GiB"));
    }
    Ok(())
}

impl Prepared {
    /// Reads the headers. The batches are copied once, into the log's next write, where their offsets are set.
    pub(super) fn new(append: &Append) -> Self {
        let batches = if append.batches.len() > MAX_APPEND_BYTES {
            Err(AppendError::Corrupt("the batches of one append are larger than 1 GiB"))
        } else {
            crate::batches::split(&append.batches)
                .map(|spans| PreparedBatches { bytes: append.batches.clone(), spans })
                .map_err(AppendError::Corrupt)
        };
        let Append { partition, expected_end, depends_on, durability, origin, .. } = *append;
        Self { partition, expected_end, depends_on, durability, origin, batches }
    }

    /// How large its frame's payload will be at most.
    pub(super) fn payload_bytes(&self) -> usize {
        self.batches.as_ref().map_or(0, |batches| super::wal::RECORDS_HEAD_BYTES + batches.bytes.len())
    }
}

/// Why the flusher was woken.
pub(super) enum Wake {
    /// There is something to do; perhaps also a snapshot to take.
    Work(Option<SyncSender<Option<Snapshot>>>),
    /// End.
    Stop,
}

/// The flusher's inbox.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Command>,
    snapshot: Option<SyncSender<Option<Snapshot>>>,
    poked: bool,
    /// What the flusher waits for, or last waited for, may come with a poke.
    waits_for_space: bool,
    closed: bool,
    stopped: bool,
}

impl Inbox {
    /// Queues a command; answers it back where the engine is closed.
    pub(super) fn push(&self, command: Command) -> Result<(), Command> {
        let mut state = self.lock();
        if state.closed || state.stopped {
            return Err(command);
        }
        state.closed = matches!(command, Command::Close);
        state.queue.push_back(command);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Asks for a snapshot; it comes between two writes.
    pub(super) fn request_snapshot(&self, answer: SyncSender<Option<Snapshot>>) {
        let mut state = self.lock();
        if !state.stopped {
            state.snapshot = Some(answer);
        }
        self.changed.notify_one();
    }

    /// Says that what the flusher waited for may be there: space in the log or in memory.
    pub(super) fn poke(&self) {
        let mut state = self.lock();
        state.poked = true;
        let wakes = state.waits_for_space;
        drop(state);
        // This comes with every piece that is written: a flusher that waits for commands is not to be woken each time.
        if wakes {
            self.changed.notify_one();
        }
    }

    /// Ends the flusher; what is queued is dropped.
    pub(super) fn stop(&self) {
        let mut state = self.lock();
        state.stopped = true;
        state.snapshot = None;
        self.changed.notify_one();
    }

    /// Moves what is queued behind `backlog`. Waits while there is nothing to do: nothing queued, or, where the flusher is
    /// `blocked`, nothing that could unblock it. With a time it may come back earlier with nothing, and comes back no later.
    pub(super) fn next(&self, backlog: &mut VecDeque<Command>, blocked: bool, wait_at_most: Option<Duration>) -> Wake {
        let mut state = self.lock();
        loop {
            if let Some(wake) = state.take(backlog, blocked) {
                return wake;
            }
            state.waits_for_space = blocked;
            let Some(time) = wait_at_most else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let mut waited = self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner);
            return waited.0.take(backlog, blocked).unwrap_or(Wake::Work(None));
        }
    }

    /// The same without waiting; `None` while there is nothing to do.
    #[cfg(feature = "simulation")]
    pub(super) fn try_next(&self, backlog: &mut VecDeque<Command>, blocked: bool) -> Option<Wake> {
        self.lock().take(backlog, blocked)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, backlog: &mut VecDeque<Command>, blocked: bool) -> Option<Wake> {
        if self.stopped {
            return Some(Wake::Stop);
        }
        let idle = if blocked { !self.poked } else { backlog.is_empty() && self.queue.is_empty() };
        if idle && self.snapshot.is_none() {
            return None;
        }
        self.poked = false;
        backlog.append(&mut self.queue);
        Some(Wake::Work(self.snapshot.take()))
    }
}
