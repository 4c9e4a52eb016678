//! InitProducerId (key 22): an id and epoch for an idempotent or transactional producer. Version 3: keep the own id
//! (KIP-360); 4: PRODUCER_FENCED; 5: TRANSACTION_ABORTABLE (KIP-890). Kafka 4.3 has a version 6 (KIP-939) but keeps it back.

use crate::{ErrorCode, Str};

messages! {
    api InitProducerId<'a>, versions 0..=5, flexible 2;

    /// Asks for an id.
    request InitProducerIdRequest<'a> {
        /// `None`: idempotent without transactions.
        transactional_id: Option<Str<'a>> [0.., default Some(Str::default())],
        transaction_timeout_ms: i32 [0..],
        /// The id the producer has; -1: none.
        producer_id: i64 [3.., default -1],
        producer_epoch: i16 [3.., default -1],
    }

    /// The id.
    response InitProducerIdResponse {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
        producer_id: i64 [0.., default -1],
        producer_epoch: i16 [0..],
    }
}
