//! What a producer may be told that asks for an end, from nothing but the durable log.
use ottla_transactions::records::{StoredTransaction, TransactionState};
use ottla_transactions::{Producer, TransactionError};

/// Holds an answer to EndTxn against the log. `asked` is as whom, whether to commit, and whether with version 2.
pub(super) fn check_end(
    stored: Option<&StoredTransaction>,
    asked: (Producer, bool, bool),
    result: Result<Producer, TransactionError>,
) -> Result<(), String> {
    let (producer, commits, is_new) = asked;
    let told =
        format!("{producer:?} asks for an end (commits: {commits}) and hears {result:?}; the log says {stored:?}");
    if matches!(
        result,
        Err(TransactionError::ConcurrentTransactions
            | TransactionError::CoordinatorNotAvailable
            | TransactionError::CoordinatorLoadInProgress)
    ) {
        return Ok(());
    }
    let Some(stored) = stored else {
        return if result.is_err() { Ok(()) } else { Err(told) };
    };
    let state = if commits { TransactionState::CompleteCommit } else { TransactionState::CompleteAbort };
    let has_ended = matches!(stored.state, TransactionState::CompleteCommit | TransactionState::CompleteAbort);
    let now = stored.producer();
    let is_next = match is_new {
        false => now == producer,
        true => {
            let moved = now.id == producer.id && now.epoch == producer.epoch + 1;
            let exhausted = producer.epoch == i16::MAX - 1 && now.epoch == 0;
            let rotated = now.id != producer.id && stored.previous_producer_id == producer.id && exhausted;
            (moved || rotated) && stored.client_version >= 2
        }
    };
    if !is_next || !has_ended {
        return Ok(());
    }
    let right = match (stored.state == state, is_new) {
        (true, _) => result == Ok(now),
        (false, true) => result == Err(TransactionError::InvalidTxnState),
        // Before version 2 the epoch says nothing of which transaction is meant.
        (false, false) => result.is_err(),
    };
    if right { Ok(()) } else { Err(told) }
}
