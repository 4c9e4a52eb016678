//! Calls of the engine that change something, their answers, and answers that are waited for.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use ottla_protocol::records::EndMarker;
use ottla_storage::{
    Append, AppendError, AppendOrigin, Appended, ConfigChange, Durability, Engine, EngineGone, MetadataError, NewTopic,
    PartitionId, Pending, ReadError, TopicId, Unavailable,
};

use super::model::Configs;
use super::records::SentRecord;

/// A call.
pub(super) enum Call {
    Append(Vec<Sent>),
    /// All or nothing, as a coordinator does it.
    Atomic(Vec<Sent>),
    Change(Change),
    DeleteRecords {
        partition: PartitionId,
        before: i64,
    },
}

/// A change of topics or configs.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Create(NewTopicCall),
    Delete(TopicId),
    Partitions { topic: TopicId, total: i32 },
    Configs(ConfigChange),
}

/// A topic to create.
#[derive(Clone, Debug)]
pub(super) struct NewTopicCall {
    pub(super) name: String,
    pub(super) id: TopicId,
    pub(super) partitions: i32,
    pub(super) configs: Configs,
}

/// What is sent to one partition.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) partition: PartitionId,
    pub(super) batches: Vec<SentBatch>,
    pub(super) expected_end: Option<i64>,
    pub(super) durability: Durability,
}

/// A batch as a client sends it.
#[derive(Clone)]
pub(super) struct SentBatch {
    pub(super) bytes: Bytes,
    pub(super) producer: Option<Producer>,
    pub(super) records: Vec<SentRecord>,
    /// By the wall clock.
    pub(super) sent_ms: i64,
}

/// What a batch says of its producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Producer {
    pub(super) id: i64,
    pub(super) epoch: i16,
    pub(super) sequence: i32,
    /// It belongs to a transaction.
    pub(super) transactional: bool,
    /// It ends one.
    pub(super) marker: Option<EndMarker>,
}

/// A call's answer.
pub(super) enum Answer {
    Append(Result<Vec<Result<Appended, AppendError>>, Unavailable>),
    Atomic(Result<Vec<Appended>, AppendError>),
    Changed(Result<(), MetadataError>),
    LogStart(Result<i64, ReadError>),
}

/// A call that was made, and its answer or what it will come from.
pub(super) struct Made {
    pub(super) call: Call,
    pub(super) after_poison: bool,
    answer: Waiting,
    /// The answer that was there when the process ended, before those of earlier calls.
    pub(super) answered: Option<Answer>,
}

enum Waiting {
    Append(Pending<Vec<Result<Appended, AppendError>>, Unavailable>),
    Atomic(Pending<Vec<Appended>, AppendError>),
    Topic(Pending<std::sync::Arc<ottla_storage::Topic>, MetadataError>),
    Changed(Pending<(), MetadataError>),
    LogStart(Pending<i64, ReadError>),
}

/// The answer, if it is there.
pub(crate) fn poll<T: Unpin, E: Unpin + From<EngineGone>>(pending: &mut Pending<T, E>) -> Option<Result<T, E>> {
    match Pin::new(pending).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

impl Made {
    /// Makes the call.
    pub(super) fn make(call: Call, engine: &dyn Engine, after_poison: bool) -> Self {
        let answer = match &call {
            Call::Append(sent) => {
                let append = |sent: &Sent| sent.append(AppendOrigin::Client);
                Waiting::Append(engine.append(sent.iter().map(append).collect()))
            }
            Call::Atomic(sent) => {
                let append = |sent: &Sent| sent.append(AppendOrigin::Coordinator);
                Waiting::Atomic(engine.append_atomically(sent.iter().map(append).collect()))
            }
            Call::Change(change) => change.make(engine),
            Call::DeleteRecords { partition, before } => Waiting::LogStart(engine.delete_records(*partition, *before)),
        };
        Self { call, after_poison, answer, answered: None }
    }

    /// The answer, if it is there.
    pub(super) fn poll(&mut self) -> Option<Answer> {
        Some(match &mut self.answer {
            Waiting::Append(pending) => Answer::Append(poll(pending)?),
            Waiting::Atomic(pending) => Answer::Atomic(poll(pending)?),
            Waiting::Topic(pending) => Answer::Changed(poll(pending)?.map(|_| ())),
            Waiting::Changed(pending) => Answer::Changed(poll(pending)?),
            Waiting::LogStart(pending) => Answer::LogStart(poll(pending)?),
        })
    }
}

impl Call {
    /// Whether its acknowledgement says that everything it did is durable.
    pub(super) fn is_flushed(&self) -> bool {
        match self {
            Call::Append(sent) => sent.iter().all(|sent| sent.durability == Durability::Flush),
            Call::Atomic(sent) => sent.iter().any(|sent| sent.durability == Durability::Flush),
            Call::Change(_) | Call::DeleteRecords { .. } => true,
        }
    }
}

impl Change {
    fn make(&self, engine: &dyn Engine) -> Waiting {
        match self {
            Change::Create(topic) => {
                let NewTopicCall { name, id, partitions, configs } = topic.clone();
                Waiting::Topic(engine.create_topic(NewTopic { name, id, partitions, configs }))
            }
            Change::Delete(id) => Waiting::Changed(engine.delete_topic(*id)),
            Change::Partitions { topic, total } => Waiting::Topic(engine.create_partitions(*topic, *total)),
            Change::Configs(change) => Waiting::Changed(engine.alter_configs(change.clone())),
        }
    }
}

impl Sent {
    fn append(&self, origin: AppendOrigin) -> Append {
        let batches = match &self.batches[..] {
            [one] => one.bytes.clone(),
            several => {
                let mut bytes = BytesMut::new();
                several.iter().for_each(|batch| bytes.extend_from_slice(&batch.bytes));
                bytes.freeze()
            }
        };
        let Sent { partition, expected_end, durability, .. } = *self;
        Append { partition, batches, expected_end, depends_on: None, durability, origin }
    }
}

impl Answer {
    /// Whether anything was acknowledged.
    pub(super) fn is_acknowledgement(&self) -> bool {
        match self {
            Answer::Append(result) => result.as_ref().is_ok_and(|results| results.iter().any(Result::is_ok)),
            Answer::Atomic(result) => result.is_ok(),
            Answer::Changed(result) => result.is_ok(),
            Answer::LogStart(_) => false,
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Answer::Append(Err(why)) => write!(f, "dropped: {why}"),
            Answer::Append(Ok(results)) => {
                for (number, result) in results.iter().enumerate() {
                    let comma = if number > 0 { ", " } else { "" };
                    match result {
                        Ok(appended) => {
                            let duplicate = if appended.duplicate { " (duplicate)" } else { "" };
                            write!(f, "{comma}offset {}{duplicate}", appended.first_offset)?;
                        }
                        Err(error) => write!(f, "{comma}{error:?}")?,
                    }
                }
                Ok(())
            }
            Answer::Atomic(result) => write!(f, "{result:?}"),
            Answer::Changed(result) => write!(f, "{result:?}"),
            Answer::LogStart(result) => write!(f, "{result:?}"),
        }
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use super::state::short;
        match self {
            Call::Append(sent) | Call::Atomic(sent) => {
                write!(f, "{}", if matches!(self, Call::Atomic(_)) { "append atomically" } else { "append" })?;
                for sent in sent {
                    let bytes: usize = sent.batches.iter().map(|batch| batch.bytes.len()).sum();
                    let durability = if sent.durability == Durability::Os { " os" } else { "" };
                    write!(f, " to {} {} B in {}{durability}", short(sent.partition), bytes, sent.batches.len())?;
                    if let Some(producer) = sent.batches[0].producer {
                        write!(
                            f,
                            " of producer {} epoch {} sequence {}",
                            producer.id, producer.epoch, producer.sequence
                        )?;
                        match producer.marker {
                            Some(EndMarker { is_commit: true, .. }) => write!(f, " commit")?,
                            Some(_) => write!(f, " abort")?,
                            None if producer.transactional => write!(f, " transactional")?,
                            None => {}
                        }
                    }
                    sent.expected_end.map_or(Ok(()), |end| write!(f, " at {end}"))?;
                }
                Ok(())
            }
            Call::Change(change) => write!(f, "{change:?}"),
            Call::DeleteRecords { partition, before } => {
                write!(f, "delete records of {} before {before}", short(*partition))
            }
        }
    }
}
