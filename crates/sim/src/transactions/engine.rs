//! The engine as the coordinator sees it: one log of frames in the order they were given, each whole or not there, of which a
//! crash may take any end that is not durable. It fences nobody: that is for the core to show.
use ottla_transactions::records::{StoredRecord, StoredTransaction};
use ottla_transactions::{EndId, EndStep, OFFSETS_TOPIC, Producer, Record};
use std::collections::BTreeMap;

/// A topic and a partition number.
pub(super) type Partition = (&'static str, i32);

/// Where producers write. Those of groups are told apart by the core.
pub(super) const PARTITIONS: [Partition; 5] = [("t", 0), ("t", 1), ("u", 0), (OFFSETS_TOPIC, 3), (OFFSETS_TOPIC, 7)];

/// A batch of records of one transaction.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) partition: Partition,
    pub(super) id: usize,
    pub(super) producer: Producer,
    /// Unique; a batch that comes again has it again.
    pub(super) number: u64,
    /// The transaction of its process.
    pub(super) attempt: u64,
}

/// The markers of an end.
#[derive(Debug, Clone)]
pub(super) struct Markers {
    pub(super) end: EndId,
    pub(super) producer: Producer,
    pub(super) commits: bool,
    pub(super) partitions: Vec<(String, i32)>,
    pub(super) record: Record,
}

impl Markers {
    pub(super) fn of(step: &EndStep) -> Self {
        let topics = step.partitions.iter().flat_map(|(topic, numbers)| numbers.iter().map(|n| (topic.clone(), *n)));
        let groups = step.groups.iter().map(|number| (OFFSETS_TOPIC.to_string(), *number));
        Markers {
            end: step.end,
            producer: Producer { id: step.producer_id, epoch: step.producer_epoch },
            commits: step.commits,
            partitions: topics.chain(groups).collect(),
            record: step.record.clone(),
        }
    }

    pub(super) fn are_in(&self, partition: Partition) -> bool {
        self.partitions.iter().any(|(topic, number)| (topic.as_str(), *number) == partition)
    }
}

/// One step of the log.
#[derive(Debug, Clone)]
pub(super) enum Frame {
    Record(Record),
    Batch(Batch),
    End(Markers),
}

impl Frame {
    /// The coordinator's record in it.
    pub(super) fn record(&self) -> Option<&Record> {
        match self {
            Frame::Record(record) | Frame::End(Markers { record, .. }) => Some(record),
            Frame::Batch(_) => None,
        }
    }
}

/// The log.
#[derive(Default)]
pub(super) struct Engine {
    pub(super) frames: Vec<Frame>,
    /// How much of it a crash cannot take.
    pub(super) durable: usize,
    next_producer_id: i64,
}

impl Engine {
    pub(super) fn allot(&mut self) -> i64 {
        self.next_producer_id += 1;
        self.next_producer_id
    }

    pub(super) fn has_batch(&self, number: u64) -> bool {
        self.frames.iter().any(|frame| matches!(frame, Frame::Batch(batch) if batch.number == number))
    }

    /// What the log's first `length` frames say of every id.
    pub(super) fn stored(&self, length: usize) -> BTreeMap<String, StoredTransaction> {
        let mut stored = BTreeMap::new();
        for record in self.frames.iter().take(length).filter_map(Frame::record) {
            match StoredRecord::decode(record) {
                Ok(StoredRecord::Transaction(id, Some(value))) => drop(stored.insert(id, value)),
                Ok(StoredRecord::Transaction(id, None)) => drop(stored.remove(&id)),
                Ok(StoredRecord::Unknown { .. }) | Err(_) => {}
            }
        }
        stored
    }

    /// Batches, each with the first marker of its producer that comes after it in its partition: whether that commits.
    pub(super) fn fates(&self) -> Vec<(&Batch, Option<bool>)> {
        let mut open: BTreeMap<(Partition, i64), Vec<usize>> = BTreeMap::new();
        let mut fates: Vec<(&Batch, Option<bool>)> = Vec::new();
        for frame in &self.frames {
            match frame {
                Frame::Record(_) => {}
                Frame::Batch(batch) => {
                    open.entry((batch.partition, batch.producer.id)).or_default().push(fates.len());
                    fates.push((batch, None));
                }
                Frame::End(markers) => {
                    for partition in PARTITIONS.into_iter().filter(|partition| markers.are_in(*partition)) {
                        let ended = open.remove(&(partition, markers.producer.id)).unwrap_or_default();
                        ended.into_iter().for_each(|at| fates[at].1 = Some(markers.commits));
                    }
                }
            }
        }
        fates
    }
}
