//! Moved log starts, from the engine's threads to the coordinators: the engine must not wait, and a coordinator hears of a
//! move only after its log was read at the start.

use std::sync::{Mutex, PoisonError, Weak};

use ottla_groups::{Event, LogStartCause, LogStartMoved};
use ottla_storage::{Metadata, PartitionId};
use tokio::sync::mpsc;

use crate::Broker;

/// A move as the engine tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move {
    /// Of which partition.
    pub(crate) partition: PartitionId,
    /// The former log start offset.
    pub(crate) from: i64,
    /// The log start offset.
    pub(crate) to: i64,
    /// Why.
    pub(crate) cause: ottla_storage::LogStartCause,
}

/// Where moves wait for the coordinators.
#[derive(Debug)]
pub(super) struct Moves {
    sender: mpsc::UnboundedSender<Move>,
    /// Taken by the one who tells the coordinators.
    receiver: Mutex<Option<mpsc::UnboundedReceiver<Move>>>,
}

impl Default for Moves {
    fn default() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Moves { sender, receiver: Mutex::new(Some(receiver)) }
    }
}

impl Moves {
    /// For whoever hears of moves.
    pub(super) fn sender(&self) -> mpsc::UnboundedSender<Move> {
        self.sender.clone()
    }

    /// The moves to tell; once.
    pub(super) fn take(&self) -> Option<mpsc::UnboundedReceiver<Move>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Tells the coordinators, until the broker is gone.
pub(super) async fn run(broker: Weak<Broker>, mut moves: mpsc::UnboundedReceiver<Move>) {
    while let Some(moved) = moves.recv().await {
        let Some(broker) = broker.upgrade() else { return };
        if let Some(moved) = in_the_cores_terms(&broker.engine().metadata(), moved) {
            broker.groups.log_start_moved(&moved);
        }
        drop(broker);
        // Retention may move many at once, and each concerns every coordinator.
        tokio::task::yield_now().await;
    }
}

/// `None` for a topic that is gone: its commits go with it, and nothing else is lost.
fn in_the_cores_terms(metadata: &Metadata, moved: Move) -> Option<LogStartMoved> {
    let topic = metadata.by_id(moved.partition.topic)?;
    Some(LogStartMoved {
        topic: topic.name.to_string(),
        topic_id: Some(topic.id.0),
        partition: moved.partition.index,
        from: moved.from,
        to: moved.to,
        cause: match moved.cause {
            ottla_storage::LogStartCause::DeleteRecords => LogStartCause::DeleteRecords,
            ottla_storage::LogStartCause::Retention => LogStartCause::Retention,
        },
    })
}

impl super::Groups {
    /// Lets every coordinator find out whose commits were passed.
    fn log_start_moved(&self, moved: &LogStartMoved) {
        for shard in &self.shards {
            shard.tell(Event::LogStartMoved(moved.clone()));
        }
    }
}
