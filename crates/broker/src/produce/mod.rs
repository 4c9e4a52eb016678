//! Whether batches may be appended, and in what form: what the produce request decides before the engine does.

mod inspect;
mod opening;
mod validate;

use std::borrow::Cow;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::BatchIndexAndErrorMessage;
use ottla_protocol::records::BatchError;

pub(crate) use self::opening::{Inspection, Opened, open_all};
pub(crate) use self::validate::check;

/// Why a batch is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Rejection {
    /// The code.
    pub(crate) error: ErrorCode,
    /// A sentence for the producer's log.
    pub(crate) message: Option<String>,
    /// The records at fault, if it is not the batch as a whole: their places in the batch, and why (KIP-467).
    pub(crate) records: Vec<(i32, String)>,
}

impl Rejection {
    fn new(error: ErrorCode, message: impl Into<String>) -> Self {
        Rejection { error, message: Some(message.into()), records: Vec::new() }
    }

    /// The records at fault as they go on the wire.
    pub(crate) fn record_errors(&self) -> Vec<BatchIndexAndErrorMessage<'static>> {
        let record_error = |(index, message): &(i32, String)| BatchIndexAndErrorMessage {
            batch_index: *index,
            batch_index_error_message: Some(Cow::Owned(message.clone())),
        };
        self.records.iter().map(record_error).collect()
    }
}

impl From<ErrorCode> for Rejection {
    fn from(error: ErrorCode) -> Self {
        Rejection { error, message: None, records: Vec::new() }
    }
}

impl From<BatchError> for Rejection {
    fn from(error: BatchError) -> Self {
        Rejection::new(error.error_code(), error.to_string())
    }
}

/// What holds for a topic without configs of its own.
#[cfg(test)]
fn default_topic() -> crate::config::TopicSettings {
    let topic = ottla_storage::Topic {
        id: ottla_storage::TopicId([1; 16]),
        name: "t".into(),
        partitions: 1,
        configs: Default::default(),
    };
    crate::config::TopicSettings::of(&topic, &crate::config::BrokerConfig::default())
}
