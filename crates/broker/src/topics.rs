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
