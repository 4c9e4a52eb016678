//! Writes what happens to transactional ids to the log of the process.

use ottla_transactions::{TransactionEvent, TransactionEventKind};

/// Tells one event of the coordinator of this partition.
pub(super) fn tell(partition: i32, event: &TransactionEvent) {
    let transactional_id = event.transactional_id.as_str();
    match &event.kind {
        TransactionEventKind::Initialised { producer, cause } => {
            let (producer_id, epoch, cause) = (producer.id, producer.epoch, cause.as_str());
            tracing::debug!(transactional_id, producer_id, epoch, cause, "a producer has the transactional id");
        }
        TransactionEventKind::StateChanged { from, to, producer, cause } => {
            let (producer_id, epoch, cause) = (producer.id, producer.epoch, cause.as_str());
            tracing::debug!(transactional_id, producer_id, epoch, cause, "{} -> {}", from.name(), to.name());
        }
        TransactionEventKind::LoadedOngoing { producer, partitions } => {
            let producer_id = producer.id;
            tracing::info!(transactional_id, producer_id, partitions, "the log holds a transaction that is not over");
        }
        TransactionEventKind::EndFailed { problem } => {
            tracing::warn!(transactional_id, "a transaction could not be ended, and is tried again: {problem}");
        }
        TransactionEventKind::Expired { last_update_ms } => {
            tracing::info!(transactional_id, last_update_ms, "the transactional id was not used for long");
        }
        TransactionEventKind::RecordSkipped { problem } => {
            tracing::warn!(partition, "a record of __transaction_state was skipped: {problem}");
        }
    }
}
