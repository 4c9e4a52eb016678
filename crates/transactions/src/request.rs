//! What clients ask.
use crate::records::TransactionState;
use alloc::string::String;
use alloc::vec::Vec;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// InitProducerId with a transactional id.
    InitProducer(InitProducer),
    /// AddPartitionsToTxn of one transaction, AddOffsetsToTxn, and both only to verify.
    AddPartitions(AddPartitions),
    /// EndTxn.
    EndTransaction(EndTransaction),
    /// DescribeTransactions of one id.
    DescribeTransaction(DescribeTransaction),
    /// ListTransactions.
    ListTransactions(ListTransactions),
}

/// A producer begins to use a transactional id, or goes on after an error (KIP-360).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitProducer {
    /// The id.
    pub transactional_id: String,
    /// After how long its transactions are aborted.
    pub timeout_ms: i32,
    /// The producer id that it has, -1 if none.
    pub producer_id: i64,
    /// The epoch that it has, -1 if none.
    pub producer_epoch: i16,
}

/// Partitions join a transaction, which they begin if there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddPartitions {
    /// The id.
    pub transactional_id: String,
    /// The producer id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Topics and partition numbers; for AddOffsetsToTxn the group's partition of [`crate::OFFSETS_TOPIC`]. All of them exist: of a request
    /// that names one that does not, nothing is added.
    pub partitions: Vec<(String, Vec<i32>)>,
    /// Nothing is added; each partition is answered by itself.
    pub verify_only: bool,
}

/// A producer ends its transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndTransaction {
    /// The id.
    pub transactional_id: String,
    /// The producer id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Commit; otherwise abort.
    pub commits: bool,
    /// The epoch moves with each end: EndTxn 5 and later, which is `transaction.version` 2 (KIP-890).
    pub bumps_epoch: bool,
}

/// Everything about one transactional id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeTransaction {
    /// The id.
    pub transactional_id: String,
}

/// The transactional ids that there are. A pattern (KIP-1152) is the shell's to apply to the answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListTransactions {
    /// Only in these states, by name; all if empty.
    pub states: Vec<String>,
    /// Only of these producers; all if empty.
    pub producer_ids: Vec<i64>,
    /// Only those that have taken longer, in milliseconds; all if negative (KIP-994). An id that never had a transaction has
    /// taken for ever, as in Kafka.
    pub longer_than_ms: i64,
}

impl ListTransactions {
    /// The states that are named and known; and the names that are not.
    pub(crate) fn known_states(&self) -> (Vec<TransactionState>, Vec<String>) {
        let state = |name: &String| TransactionState::ALL.into_iter().find(|state| state.name() == name);
        let unknown = self.states.iter().filter(|name| state(name).is_none()).cloned().collect();
        (self.states.iter().filter_map(state).collect(), unknown)
    }
}
