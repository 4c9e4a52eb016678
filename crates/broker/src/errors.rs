//! From the engine's errors to Kafka's codes: the one place where that is decided.

use ottla_protocol::ErrorCode;
use ottla_storage::decide::Refusal;
use ottla_storage::{AppendError, MetadataError, ReadError, Unavailable};

/// A state of storage that serves nothing now. Retriable for clients, also where only a restart helps: it comes from outside.
pub(crate) fn of_unavailable(_: &Unavailable) -> ErrorCode {
    ErrorCode::KAFKA_STORAGE_ERROR
}

/// Why an append was not acknowledged.
pub(crate) fn of_append(error: &AppendError) -> ErrorCode {
    match error {
        AppendError::UnknownPartition => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        AppendError::UnexpectedEnd { .. } => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        // Transactional producers send it again, as while their coordinator reads its log.
        AppendError::DependencyMissing => ErrorCode::NOT_ENOUGH_REPLICAS,
        AppendError::Refused(refusal) => of_refusal(refusal),
        AppendError::Corrupt(_) => ErrorCode::CORRUPT_MESSAGE,
        // Also for an outcome that is not known: a client with sequence numbers finds out by sending it again, one
        // without them may write it twice, as with any lost answer.
        AppendError::Unavailable(unavailable) | AppendError::Unknown(unavailable) => of_unavailable(unavailable),
    }
}

/// A sentence for the producer's log, where the code alone does not say it all.
pub(crate) fn message_of_append(error: &AppendError) -> Option<String> {
    match error {
        AppendError::Refused(Refusal::OutOfOrderSequence { expected, got }) => {
            Some(format!("sequence number {got} came where {expected} was expected"))
        }
        AppendError::Refused(Refusal::InvalidProducerEpoch { current, got }) => {
            Some(format!("producer epoch {got} is older than {current}"))
        }
        AppendError::Refused(Refusal::TransactionOpen { first_offset }) => {
            Some(format!("the producer's transaction, begun at offset {first_offset}, is open; end it first"))
        }
        AppendError::Refused(Refusal::CoordinatorFenced { current, got }) => {
            Some(format!("transaction coordinator epoch {got} is older than {current}"))
        }
        AppendError::Refused(Refusal::InvalidBatch(reason)) | AppendError::Corrupt(reason) => {
            Some((*reason).to_owned())
        }
        AppendError::Unavailable(unavailable) | AppendError::Unknown(unavailable) => Some(unavailable.to_string()),
        AppendError::UnknownPartition | AppendError::UnexpectedEnd { .. } | AppendError::DependencyMissing => None,
    }
}

fn of_refusal(refusal: &Refusal) -> ErrorCode {
    match refusal {
        Refusal::OutOfOrderSequence { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        Refusal::InvalidProducerEpoch { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
        Refusal::TransactionOpen { .. } => ErrorCode::INVALID_TXN_STATE,
        Refusal::CoordinatorFenced { .. } => ErrorCode::TRANSACTION_COORDINATOR_FENCED,
        Refusal::InvalidBatch(_) => ErrorCode::INVALID_RECORD,
    }
}

/// Why a partition could not be read.
pub(crate) fn of_read(error: &ReadError) -> ErrorCode {
    match error {
        ReadError::UnknownPartition => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ReadError::OffsetOutOfRange(_) => ErrorCode::OFFSET_OUT_OF_RANGE,
        ReadError::Corrupt(_) => ErrorCode::CORRUPT_MESSAGE,
        ReadError::Unavailable(unavailable) => of_unavailable(unavailable),
    }
}

/// The same as a sentence for the log.
pub(crate) fn sentence_of_read(error: &ReadError) -> String {
    match error {
        ReadError::UnknownPartition => "the partition is gone".to_owned(),
        ReadError::OffsetOutOfRange(_) => "the records are gone".to_owned(),
        ReadError::Corrupt(sentence) => sentence.to_string(),
        ReadError::Unavailable(unavailable) => unavailable.to_string(),
    }
}

/// Why a topic could not be changed.
pub(crate) fn of_metadata(error: &MetadataError) -> ErrorCode {
    match error {
        MetadataError::TopicExists => ErrorCode::TOPIC_ALREADY_EXISTS,
        MetadataError::UnknownTopic => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        // Whoever changes configs tries again with what they are now.
        MetadataError::Changed => ErrorCode::UNKNOWN_SERVER_ERROR,
        MetadataError::NotMorePartitions { .. } => ErrorCode::INVALID_PARTITIONS,
        MetadataError::Unavailable(unavailable) | MetadataError::Unknown(unavailable) => of_unavailable(unavailable),
    }
}

/// A sentence for the client, where the code alone does not say it all; else empty.
pub(crate) fn message_of_metadata(error: &MetadataError) -> String {
    match error {
        MetadataError::Unavailable(why) | MetadataError::Unknown(why) => why.to_string(),
        MetadataError::TopicExists
        | MetadataError::UnknownTopic
        | MetadataError::Changed
        | MetadataError::NotMorePartitions { .. } => String::new(),
    }
}
