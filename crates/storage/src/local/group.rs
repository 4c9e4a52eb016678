//! One group of commands that is written with one call: what it makes visible, and whom it answers.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::background::Signal;
use super::inbox::{AppendCompleter, Command};
use super::state::log_batches;
use super::tail::{Advance, PartitionView, Tail};
use super::wal::{Parts, WalWriter};
use crate::batches::BatchSpan;
use crate::producers::ProducerDescription;
use crate::{
    AbortedTransaction, AppendError, Appended, Completer, LogStartCause, Metadata, MetadataError, PartitionId,
    ReadError, Topic, Unavailable,
};

/// Producer ids that are reserved and not handed out yet.
#[derive(Default)]
pub(super) struct ProducerIds(Mutex<Range<i64>>);

impl ProducerIds {
    /// The next one, where one is left.
    pub(super) fn take(&self) -> Option<i64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).next()
    }

    /// How many are left.
    pub(super) fn left(&self) -> i64 {
        let left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.end - left.start
    }

    /// Adds ids that are now durable.
    fn add(&self, reserved: &Range<i64>) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if left.is_empty() {
            *left = reserved.clone();
        } else {
            left.end = reserved.end;
        }
    }
}

/// An answer that waits for the write.
pub(super) enum Answer {
    Append {
        results: Vec<Result<Appended, AppendError>>,
        completer: AppendCompleter,
    },
    Atomic {
        result: Result<Vec<Appended>, AppendError>,
        completer: Completer<Vec<Appended>, AppendError>,
    },
    Producers {
        result: Result<Vec<ProducerDescription>, ReadError>,
        completer: Completer<Vec<ProducerDescription>, ReadError>,
    },
    /// A topic was created, or has more partitions.
    Topic {
        result: Result<Arc<Topic>, MetadataError>,
        completer: Completer<Arc<Topic>, MetadataError>,
    },
    /// A topic was deleted, or configs were altered.
    Changed {
        result: Result<(), MetadataError>,
        completer: Completer<(), MetadataError>,
    },
    LogStart {
        result: Result<i64, ReadError>,
        completer: Completer<i64, ReadError>,
    },
    Retained {
        waiting: Vec<Completer<(), Unavailable>>,
    },
    ProducerId {
        completer: Completer<i64, Unavailable>,
    },
    Closed,
}

/// Accepted batches of one append, and where they lie in the write.
pub(super) struct Placed {
    pub(super) partition: PartitionId,
    pub(super) place: Range<usize>,
    pub(super) spans: Vec<BatchSpan>,
    pub(super) first_offset: i64,
    /// Where the partition's oldest open transaction begins once they are accepted.
    pub(super) first_open_offset: Option<i64>,
    /// The transactions that they abort.
    pub(super) aborted: Vec<AbortedTransaction>,
}

impl Placed {
    fn advance(self, bytes: &Bytes, besides_bytes: usize) -> Advance {
        let batches = log_batches(bytes, &self.spans, self.first_offset, besides_bytes);
        let Placed { partition, first_open_offset, aborted, .. } = self;
        Advance { partition, batches, first_open_offset, aborted }
    }
}

/// Commands decided and not yet written.
#[derive(Default)]
pub(super) struct Group {
    pub(super) answers: Vec<Answer>,
    /// Whether any answer promises that its data survives a power cut.
    pub(super) flush: bool,
    pub(super) placed: Vec<Placed>,
    /// What of `placed` becomes visible. Known once written.
    pub(super) advances: Vec<Advance>,
    pub(super) new_partitions: Vec<PartitionId>,
    pub(super) deleted: Vec<Arc<Topic>>,
    pub(super) metadata_changed: bool,
    pub(super) log_starts: Vec<(PartitionId, i64, LogStartCause)>,
    /// The partitions that have new records. Known once published.
    pub(super) advanced: Vec<PartitionId>,
    /// What of `log_starts` moved a log start: partition, from, to, and why. Known once published.
    pub(super) moved: Vec<(PartitionId, i64, i64, LogStartCause)>,
    pub(super) producer_ids_wanted: i64,
    pub(super) producer_ids_reserved: Option<Range<i64>>,
}

impl Group {
    pub(super) fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// Takes the records for readers out of what was written.
    pub(super) fn take_written(&mut self, wal: &mut WalWriter) {
        let Parts { parts, besides_bytes } = wal.take_written(self.placed.iter().map(|placed| placed.place.clone()));
        let batches: usize = self.placed.iter().map(|placed| placed.spans.len()).sum();
        let each_bytes = besides_bytes / batches.max(1);
        let placed = self.placed.drain(..).zip(&parts);
        self.advances = placed.map(|(placed, bytes)| placed.advance(bytes, each_bytes)).collect();
    }

    /// Makes all of it visible.
    pub(super) fn publish(&mut self, tail: &Tail, metadata: &Arc<Metadata>, producer_ids: &ProducerIds) {
        for partition in &self.new_partitions {
            tail.add_partition(*partition, PartitionView::default());
        }
        if self.metadata_changed {
            tail.set_metadata(metadata.clone());
        }
        self.advanced = self.advances.iter().map(|advance| advance.partition).collect();
        tail.advance(self.advances.drain(..));
        for (partition, to, cause) in &self.log_starts {
            let from = tail.move_log_start(*partition, *to);
            self.moved.extend(from.map(|from| (*partition, from, *to, *cause)));
        }
        for topic in &self.deleted {
            tail.remove_topic(topic.id, topic.partitions);
        }
        if let Some(reserved) = &self.producer_ids_reserved {
            producer_ids.add(reserved);
        }
    }

    /// Answers the appends alone: a planted bug.
    pub(super) fn answer_appends(&mut self) {
        for answer in std::mem::take(&mut self.answers) {
            match answer {
                Answer::Append { results, completer } => completer.complete(Ok(results)),
                other => self.answers.push(other),
            }
        }
    }

    /// Answers everybody; whether the engine shall close now.
    pub(super) fn answer(
        self,
        producer_ids: &ProducerIds,
        background: &Signal,
        backlog: &mut VecDeque<Command>,
    ) -> bool {
        let mut closes = false;
        for answer in self.answers {
            match answer {
                Answer::Append { results, completer } => completer.complete(Ok(results)),
                Answer::Atomic { result, completer } => completer.complete(result),
                Answer::Producers { result, completer } => completer.complete(result),
                Answer::Topic { result, completer } => completer.complete(result),
                Answer::Changed { result, completer } => completer.complete(result),
                Answer::LogStart { result, completer } => completer.complete(result),
                Answer::Retained { waiting } => background.wait_for_removal(waiting),
                Answer::ProducerId { completer } => match producer_ids.take() {
                    Some(id) => completer.complete(Ok(id)),
                    // Callers that found one without asking the flusher took the last.
                    None => backlog.push_front(Command::ProducerId { completer }),
                },
                Answer::Closed => closes = true,
            }
        }
        closes
    }

    /// Answers that the write failed: what was accepted may be on the disk or not. Answers whether the engine shall close.
    pub(super) fn fail(self, why: &Unavailable) -> bool {
        let mut closes = false;
        for answer in self.answers {
            match answer {
                Answer::Append { results, completer } => {
                    let unknown = |result: Result<_, _>| result.and(Err(AppendError::Unknown(why.clone())));
                    completer.complete(Ok(results.into_iter().map(unknown).collect()));
                }
                Answer::Atomic { result, completer } => {
                    completer.complete(result.and(Err(AppendError::Unknown(why.clone()))));
                }
                Answer::Producers { result, completer } => {
                    completer.complete(result.and(Err(ReadError::Unavailable(why.clone()))));
                }
                Answer::Topic { result, completer } => {
                    completer.complete(result.and(Err(MetadataError::Unknown(why.clone()))));
                }
                Answer::Changed { result, completer } => {
                    completer.complete(result.and(Err(MetadataError::Unknown(why.clone()))));
                }
                Answer::LogStart { result, completer } => {
                    completer.complete(result.and(Err(ReadError::Unavailable(why.clone()))));
                }
                Answer::Retained { waiting } => {
                    waiting.into_iter().for_each(|waiter| waiter.complete(Err(why.clone())));
                }
                Answer::ProducerId { completer } => completer.complete(Err(why.clone())),
                Answer::Closed => closes = true,
            }
        }
        closes
    }
}
