//! Between the wire and the core: what the core's errors are called on the wire.

use ottla_protocol::ErrorCode;
use ottla_transactions::TransactionError;

/// The wire's code of a core's error.
pub(crate) fn error_code(error: TransactionError) -> ErrorCode {
    match error {
        TransactionError::CoordinatorLoadInProgress => ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        TransactionError::CoordinatorNotAvailable => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        TransactionError::InvalidRequest => ErrorCode::INVALID_REQUEST,
        TransactionError::InvalidTransactionTimeout => ErrorCode::INVALID_TRANSACTION_TIMEOUT,
        TransactionError::InvalidProducerIdMapping => ErrorCode::INVALID_PRODUCER_ID_MAPPING,
        TransactionError::ProducerFenced => ErrorCode::PRODUCER_FENCED,
        TransactionError::ConcurrentTransactions => ErrorCode::CONCURRENT_TRANSACTIONS,
        TransactionError::InvalidTxnState => ErrorCode::INVALID_TXN_STATE,
        TransactionError::TransactionAbortable => ErrorCode::TRANSACTION_ABORTABLE,
        TransactionError::TransactionalIdNotFound => ErrorCode::TRANSACTIONAL_ID_NOT_FOUND,
    }
}

/// The same for a request whose clients know PRODUCER_FENCED from a version on; before, it is INVALID_PRODUCER_EPOCH.
pub(crate) fn error_code_for(error: TransactionError, version: i16, fenced_since: i16) -> ErrorCode {
    match error_code(error) {
        ErrorCode::PRODUCER_FENCED if version < fenced_since => ErrorCode::INVALID_PRODUCER_EPOCH,
        code => code,
    }
}

/// The same for TxnOffsetCommit, whose clients know INVALID_PRODUCER_EPOCH alone.
pub(crate) fn error_code_for_commit(error: TransactionError) -> ErrorCode {
    error_code_for(error, 0, 1)
}

/// The same for Produce, whose clients try again on what is NOT_ENOUGH_REPLICAS (KIP-890).
pub(crate) fn error_code_for_produce(error: TransactionError, version: i16) -> ErrorCode {
    /// From this version on clients know CONCURRENT_TRANSACTIONS.
    const CONCURRENT_IS_KNOWN: i16 = 12;
    match error {
        TransactionError::CoordinatorLoadInProgress | TransactionError::CoordinatorNotAvailable => {
            ErrorCode::NOT_ENOUGH_REPLICAS
        }
        TransactionError::ConcurrentTransactions if version < CONCURRENT_IS_KNOWN => ErrorCode::NOT_ENOUGH_REPLICAS,
        error => error_code_for_commit(error),
    }
}

/// Unwraps the answer of the expected kind. The core answers each request with its own kind; another would be a bug, which
/// the client sees as an unknown server error.
macro_rules! expect_transaction_answer {
    ($awaited:expr, $kind:ident, $error_code:expr) => {
        match $awaited.answer().await {
            Ok(ottla_transactions::Answer::$kind(answer)) => answer.map_err($error_code),
            Ok(other) => {
                tracing::error!(?other, "the transaction core answered another kind of request");
                Err(ottla_protocol::ErrorCode::UNKNOWN_SERVER_ERROR)
            }
            Err(lost) => Err(ottla_protocol::ErrorCode::from(lost)),
        }
    };
}
pub(crate) use expect_transaction_answer;
