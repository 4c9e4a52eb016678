//! InitProducerId (key 22), versions 0 to 5: an id for an idempotent producer.
//!
//! Version 2 has the flexible encoding, 3 lets a producer tell the id and epoch it has (KIP-360), 4 can say PRODUCER_FENCED, 5
//! is for the second part of KIP-890.
//!
//! An idempotent producer gets a fresh id with epoch 0, whatever it had, as in Kafka. Not done: transactions. A request with a
//! transactional id is refused with UNSUPPORTED_VERSION: that is what clients then tell their users (librdkafka repeats the
//! request until its own timeout first). See docs/differences.md.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use crate::context::{Context, Operation, Resource};
use crate::errors;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};

/// "No id" and "no epoch".
const NONE: i64 = -1;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: InitProducerIdRequest<'_> = decode_question(&request)?;
    let answered = match refusal(&context, &message) {
        Some(code) => Err(code),
        None => context.broker().engine().init_producer().await.map_err(|error| errors::of_unavailable(&error)),
    };
    let response = match answered {
        Ok(producer_id) => InitProducerIdResponse { producer_id, producer_epoch: 0, ..Default::default() },
        Err(error_code) => InitProducerIdResponse { error_code, producer_epoch: NONE as i16, ..Default::default() },
    };
    request.respond(&response)
}

fn refusal(context: &Context, message: &InitProducerIdRequest<'_>) -> Option<ErrorCode> {
    match message.transactional_id.as_deref() {
        Some("") => return Some(ErrorCode::INVALID_REQUEST),
        Some(id) if !context.authorize(Operation::Write, Resource::TransactionalId(id)) => {
            return Some(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
        }
        Some(_) => return Some(ErrorCode::UNSUPPORTED_VERSION),
        None => {}
    }
    if !context.authorize(Operation::IdempotentWrite, Resource::Cluster) {
        return Some(ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    }
    // An id without an epoch, or an epoch without an id, names no producer.
    let half = (message.producer_id == NONE) != (i64::from(message.producer_epoch) == NONE);
    half.then_some(ErrorCode::INVALID_REQUEST)
}
