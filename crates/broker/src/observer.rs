//! What the engine tells, from its own threads: handed on at once.

use std::sync::Arc;

use ottla_storage::{LogStartCause, Metadata, Observer, PartitionId, Unavailable};
use tokio::sync::mpsc;

use crate::Broker;
use crate::config::CurrentConfig;
use crate::failure::Failure;
use crate::fetch::FetchState;
use crate::groups::Move;
use crate::quotas::Quotas;

/// Wakes fetches, tells groups what they lost, follows changed configs, and ends the broker when its storage ends.
#[derive(Debug)]
pub(crate) struct BrokerObserver {
    fetches: Arc<FetchState>,
    failure: Arc<Failure>,
    moves: mpsc::UnboundedSender<Move>,
    config: Arc<CurrentConfig>,
    quotas: Arc<Quotas>,
}

impl BrokerObserver {
    /// An observer for this broker; it does not keep the broker alive.
    pub(crate) fn new(broker: &Broker) -> Self {
        BrokerObserver {
            fetches: broker.fetches.clone(),
            failure: broker.failure.clone(),
            moves: broker.groups.moves(),
            config: broker.config.clone(),
            quotas: broker.quotas.clone(),
        }
    }
}

impl Observer for BrokerObserver {
    fn advanced(&self, partitions: &[PartitionId]) {
        self.fetches.changed(partitions);
    }

    fn log_start_moved(&self, partition: PartitionId, from: i64, to: i64, cause: LogStartCause) {
        tracing::debug!(?partition, from, to, ?cause, "log start moved");
        self.fetches.changed(&[partition]);
        // Nobody listens any more once the broker is gone.
        let _ = self.moves.send(Move { partition, from, to, cause });
    }

    fn metadata_changed(&self, metadata: &Arc<Metadata>) {
        self.config.follow(metadata);
        self.quotas.follow(metadata);
    }

    fn poisoned(&self, why: &Unavailable) {
        tracing::error!("storage takes no more writes: {why}");
        self.failure.report(format!("storage takes no more writes, so the broker stops: {why}"));
    }
}
