//! What the coordinator answers.
use crate::records::TransactionState;
use alloc::string::String;
use alloc::vec::Vec;

/// Why a request was refused; each is Kafka's error of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransactionError {
    /// COORDINATOR_LOAD_IN_PROGRESS: the log is still being replayed.
    CoordinatorLoadInProgress,
    /// COORDINATOR_NOT_AVAILABLE: it could not be written and should be asked for again.
    CoordinatorNotAvailable,
    /// INVALID_REQUEST: the request contradicts itself, or its transactional id is empty or too long.
    InvalidRequest,
    /// INVALID_TRANSACTION_TIMEOUT: not positive, or over `transaction.max.timeout.ms`.
    InvalidTransactionTimeout,
    /// INVALID_PRODUCER_ID_MAPPING: the transactional id is not known, or belongs to another producer id.
    InvalidProducerIdMapping,
    /// PRODUCER_FENCED: another producer has the id, or this one took too long. Becomes INVALID_PRODUCER_EPOCH for clients that do
    /// not know it (InitProducerId before 4; AddPartitionsToTxn, AddOffsetsToTxn and EndTxn before 2), and always in answers to
    /// Produce and TxnOffsetCommit.
    ProducerFenced,
    /// CONCURRENT_TRANSACTIONS: an end is under way; ask again. Produce before 12 hears NOT_ENOUGH_REPLICAS instead, which its
    /// clients take for a reason to try again.
    ConcurrentTransactions,
    /// INVALID_TXN_STATE: there is no such transaction, or it has ended otherwise.
    InvalidTxnState,
    /// TRANSACTION_ABORTABLE: the partition is not in the transaction (KIP-890); INVALID_TXN_STATE for clients that do not know it
    /// (Produce before 11, TxnOffsetCommit before 4).
    TransactionAbortable,
    /// TRANSACTIONAL_ID_NOT_FOUND.
    TransactionalIdNotFound,
}

/// One answer, of the kind of its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// InitProducerId.
    InitProducer(Result<Producer, TransactionError>),
    /// AddPartitionsToTxn, AddOffsetsToTxn: a refusal counts for every partition.
    AddPartitions(Result<(), TransactionError>),
    /// The same, only verified: those partitions that are not in the transaction, each of which is
    /// [`TransactionError::TransactionAbortable`].
    VerifyPartitions(Result<Vec<(String, i32)>, TransactionError>),
    /// EndTxn: the producer as it goes on, which is told from version 5 on.
    EndTransaction(Result<Producer, TransactionError>),
    /// DescribeTransactions.
    DescribeTransaction(Result<DescribedTransaction, TransactionError>),
    /// ListTransactions.
    ListTransactions(Result<ListedTransactions, TransactionError>),
}

/// A producer id and its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Producer {
    /// The producer id.
    pub id: i64,
    /// Its epoch.
    pub epoch: i16,
}

/// Everything about one transactional id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedTransaction {
    /// The id.
    pub transactional_id: String,
    /// Its state.
    pub state: TransactionState,
    /// After how long its transactions are aborted.
    pub timeout_ms: i32,
    /// Wall time in milliseconds when the last transaction began, -1 if there was none.
    pub start_ms: i64,
    /// Its producer.
    pub producer: Producer,
    /// The partitions of the transaction, ascending.
    pub partitions: Vec<(String, Vec<i32>)>,
}

/// Answer to ListTransactions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTransactions {
    /// States that were asked for and do not exist.
    pub unknown_states: Vec<String>,
    /// Those found, by id.
    pub transactions: Vec<ListedTransaction>,
}

/// One transactional id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTransaction {
    /// The id.
    pub transactional_id: String,
    /// Its producer id.
    pub producer_id: i64,
    /// Its state.
    pub state: TransactionState,
}
