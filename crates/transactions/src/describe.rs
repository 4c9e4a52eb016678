//! DescribeTransactions and ListTransactions (KIP-664).
use crate::answer::{DescribedTransaction, ListedTransaction};
use crate::records::TransactionState;
use crate::request::ListTransactions;
use crate::transaction::Transaction;
use ottla_groups::Now;

pub(crate) fn describe(transactional_id: &str, transaction: &Transaction) -> DescribedTransaction {
    let stored = transaction.stored();
    let partitions = stored.partitions.iter();
    DescribedTransaction {
        transactional_id: transactional_id.into(),
        state: transaction.state(),
        timeout_ms: stored.timeout_ms,
        start_ms: stored.start_ms,
        producer: transaction.producer(),
        partitions: partitions.map(|(topic, numbers)| (topic.clone(), numbers.iter().copied().collect())).collect(),
    }
}

/// One id, if it is asked for. `states` are those that are named and known.
pub(crate) fn list(
    now: Now,
    (transactional_id, transaction): (&str, &Transaction),
    request: &ListTransactions,
    states: &[TransactionState],
) -> Option<ListedTransaction> {
    let (stored, state) = (transaction.stored(), transaction.state());
    let is_in_state = request.states.is_empty() || states.contains(&state);
    let is_of_producer = request.producer_ids.is_empty() || request.producer_ids.contains(&stored.producer_id);
    let took_longer =
        request.longer_than_ms < 0 || now.wall_ms.saturating_sub(stored.start_ms) > request.longer_than_ms;
    (is_in_state && is_of_producer && took_longer).then(|| ListedTransaction {
        transactional_id: transactional_id.into(),
        producer_id: stored.producer_id,
        state,
    })
}
