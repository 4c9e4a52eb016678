//! The timelines of all groups, on disk: what happened to each, as JSON (`docs/explain.md`), for 7 days and 10,000 events.
//!
//! They lie in an internal topic of Ottla's own, which is not told to clients. An event's key is its group and a number that
//! comes round after [`KEPT`] events, so that compaction keeps as many and retention does the rest. An event is written once what it tells is durable.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ottla_groups::GroupEvent;
use ottla_protocol::records::BatchBuilder;
use ottla_storage::{Append, AppendOrigin, Durability, Engine, PartitionId};
use tokio::sync::{mpsc, oneshot};

use super::log::each_record;
use super::story;
use crate::Broker;

/// How many events of a group are kept.
const KEPT: u32 = 10_000;
/// How much of a group's events is answered, in bytes: the newest.
const ANSWER_BYTES: usize = 8 << 20;
/// How much one batch of events may take, roughly, in bytes.
const BATCH_BYTES: usize = 256 << 10;

/// Where events go in, and come out.
#[derive(Debug)]
pub(super) struct Timeline {
    sender: mpsc::UnboundedSender<Message>,
    /// Taken by the one who writes.
    receiver: Mutex<Option<mpsc::UnboundedReceiver<Message>>>,
}

#[derive(Debug)]
enum Message {
    /// Events of one coordinator.
    Told { index: i32, events: Vec<GroupEvent> },
    /// Somebody asks for the events of a group.
    Asked { index: i32, group_id: String, since_ms: i64, answer: oneshot::Sender<Result<Vec<String>, String>> },
}

impl Default for Timeline {
    fn default() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Timeline { sender, receiver: Mutex::new(Some(receiver)) }
    }
}

impl Timeline {
    /// Takes down what has happened to groups of the coordinator with that index.
    pub(super) fn tell(&self, index: i32, mut events: Vec<GroupEvent>) {
        events.retain(|event| !event.group_id.is_empty());
        if !events.is_empty() {
            // Nobody listens any more once the broker is gone.
            let _ = self.sender.send(Message::Told { index, events });
        }
    }

    /// The events of a group from a moment on, oldest first, each a JSON object; those told before are among them.
    ///
    /// # Errors
    /// A sentence: they cannot be read.
    pub(super) async fn read(&self, index: i32, group_id: &str, since_ms: i64) -> Result<Vec<String>, String> {
        let (answer, answered) = oneshot::channel();
        let _ = self.sender.send(Message::Asked { index, group_id: group_id.to_owned(), since_ms, answer });
        answered.await.unwrap_or_else(|_| Err("the broker is stopping".into()))
    }

    /// What to do; once.
    fn take(&self) -> Option<mpsc::UnboundedReceiver<Message>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Writes and reads until the broker is gone.
pub(super) async fn run(broker: Weak<Broker>) {
    let Some(mut messages) = broker.upgrade().and_then(|broker| broker.groups.surroundings.timeline.take()) else {
        return;
    };
    let mut writer = Writer { last: HashMap::new() };
    while let Some(first) = messages.recv().await {
        let Some(broker) = broker.upgrade() else { return };
        let mut batch = vec![first];
        while batch.len() < 1_000
            && let Ok(next) = messages.try_recv()
        {
            batch.push(next);
        }
        writer.serve(&broker, batch).await;
    }
}

/// Knows which number each group's last event has, of the logs that were looked at.
struct Writer {
    last: HashMap<i32, HashMap<String, u32>>,
}

impl Writer {
    async fn serve(&mut self, broker: &Arc<Broker>, messages: Vec<Message>) {
        let mut told: HashMap<i32, Vec<GroupEvent>> = HashMap::new();
        for message in messages {
            match message {
                Message::Told { index, events } => told.entry(index).or_default().extend(events),
                Message::Asked { index, group_id, since_ms, answer } => {
                    self.write(broker, std::mem::take(&mut told)).await;
                    let broker = broker.clone();
                    // Whoever asks waits for what was told before, and nobody who tells waits for whoever asks.
                    tokio::spawn(async move { answer.send(read(&broker, index, &group_id, since_ms).await) });
                }
            }
        }
        self.write(broker, told).await;
    }

    /// Events that cannot be written are lost, with a line in the log: groups go on.
    async fn write(&mut self, broker: &Arc<Broker>, told: HashMap<i32, Vec<GroupEvent>>) {
        if told.is_empty() {
            return;
        }
        if let Err(problem) = self.try_write(broker, told).await {
            tracing::warn!("events of groups cannot be written: {problem}");
        }
    }

    async fn try_write(&mut self, broker: &Arc<Broker>, told: HashMap<i32, Vec<GroupEvent>>) -> Result<(), String> {
        let topic = crate::topics::events_topic(broker).await.map_err(|code| format!("no topic for them ({code})"))?;
        let mut appends = Vec::new();
        for (index, events) in told {
            let partition = PartitionId { topic: topic.id, index };
            if let std::collections::hash_map::Entry::Vacant(unknown) = self.last.entry(index) {
                unknown.insert(last_numbers(&**broker.engine(), partition).await?);
            }
            let Some(last) = self.last.get_mut(&index) else { continue };
            appends.extend(batches(partition, events, last));
        }
        let results = broker.engine().append(appends).await.map_err(|error| error.to_string())?;
        results.into_iter().try_for_each(|result| result.map(|_| ()).map_err(|error| format!("{error:?}")))
    }
}

fn batches(partition: PartitionId, events: Vec<GroupEvent>, last: &mut HashMap<String, u32>) -> Vec<Append> {
    let append = |batch: BatchBuilder| Append {
        partition,
        batches: batch.build(),
        expected_end: None,
        depends_on: None,
        durability: Durability::Flush,
        origin: AppendOrigin::Coordinator,
    };
    let (mut appends, mut batch, mut bytes) = (Vec::new(), BatchBuilder::new(), 0);
    for event in events {
        let number = last.get(&event.group_id).map_or(0, |last| (last + 1) % KEPT);
        last.insert(event.group_id.clone(), number);
        let json = story::json(&event).to_string();
        bytes += json.len() + event.group_id.len();
        batch.push(event.at_ms, Some(&key(&event.group_id, number)), Some(json.as_bytes()), &[]);
        if bytes > BATCH_BYTES {
            appends.push(append(std::mem::take(&mut batch)));
            bytes = 0;
        }
    }
    if bytes > 0 {
        appends.push(append(batch));
    }
    appends
}

/// The number first, at a fixed place; the group's id is what is left.
fn key(group_id: &str, number: u32) -> Vec<u8> {
    [&number.to_be_bytes()[..], group_id.as_bytes()].concat()
}

fn split_key(key: &[u8]) -> Option<(u32, &[u8])> {
    let (number, group_id) = key.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*number), group_id))
}

async fn last_numbers(engine: &dyn Engine, partition: PartitionId) -> Result<HashMap<String, u32>, String> {
    let mut last = HashMap::new();
    each_record(engine, partition, |record| {
        if let Some((number, group_id)) = record.key.and_then(split_key)
            && let Ok(group_id) = std::str::from_utf8(group_id)
        {
            last.insert(group_id.to_owned(), number);
        }
    })
    .await?;
    Ok(last)
}

async fn read(broker: &Arc<Broker>, index: i32, group_id: &str, since_ms: i64) -> Result<Vec<String>, String> {
    let metadata = broker.engine().metadata();
    let Some(topic) = metadata.by_name(crate::topics::EVENTS_TOPIC) else { return Ok(Vec::new()) };
    let (mut events, mut bytes) = (VecDeque::new(), 0);
    each_record(&**broker.engine(), PartitionId { topic: topic.id, index }, |record| {
        let is_its = record.key.and_then(split_key).is_some_and(|(_, id)| id == group_id.as_bytes());
        let Some(value) = record.value.filter(|_| is_its && record.timestamp_ms >= since_ms) else { return };
        bytes += value.len();
        events.push_back(String::from_utf8_lossy(value).into_owned());
        while bytes > ANSWER_BYTES || events.len() > KEPT as usize {
            bytes -= events.pop_front().map_or(bytes, |oldest| oldest.len());
        }
    })
    .await?;
    Ok(events.into())
}
