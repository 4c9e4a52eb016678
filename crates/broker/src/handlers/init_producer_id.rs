//! InitProducerId (key 22), versions 0 to 5: an id for an idempotent producer, or for one that is transactional (KIP-98).
//!
//! Version 2 has the flexible encoding, 3 lets a producer tell the id and epoch it has (KIP-360), 4 can say PRODUCER_FENCED, 5
//! is for the second part of KIP-890.
//!
//! An idempotent producer gets a fresh id with epoch 0, whatever it had, as in Kafka. All rules about a transactional id are the
//! core's.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};
use ottla_transactions::{InitProducer, Producer, Request as Asked};

use crate::context::{Context, Operation, Resource};
use crate::errors;
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};
use crate::transactions::wire::{error_code_for, expect_transaction_answer};

/// "No id" and "no epoch".
const NONE: i64 = -1;
/// From this version on clients know PRODUCER_FENCED.
const FENCED_IS_KNOWN: i16 = 4;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: InitProducerIdRequest<'_> = decode_question(&request)?;
    let answered = match (refusal(&context, &message), message.transactional_id.as_deref()) {
        (Some(code), _) => Err(code),
        (None, Some(transactional_id)) => init(&context, &message, transactional_id, request.version).await,
        (None, None) => {
            let allotted = context.broker().engine().init_producer().await;
            allotted.map(|id| Producer { id, epoch: 0 }).map_err(|error| errors::of_unavailable(&error))
        }
    };
    let response = match answered {
        Ok(Producer { id, epoch }) => {
            InitProducerIdResponse { producer_id: id, producer_epoch: epoch, ..Default::default() }
        }
        Err(error_code) => InitProducerIdResponse { error_code, producer_epoch: NONE as i16, ..Default::default() },
    };
    request.respond(&response)
}

async fn init(
    context: &Context,
    message: &InitProducerIdRequest<'_>,
    transactional_id: &str,
    version: i16,
) -> Result<Producer, ErrorCode> {
    let asked = Asked::InitProducer(InitProducer {
        transactional_id: transactional_id.to_owned(),
        timeout_ms: message.transaction_timeout_ms,
        producer_id: message.producer_id,
        producer_epoch: message.producer_epoch,
    });
    let awaited = context.broker().transactions.submit(transactional_id, asked);
    expect_transaction_answer!(awaited, InitProducer, |error| error_code_for(error, version, FENCED_IS_KNOWN))
}

fn refusal(context: &Context, message: &InitProducerIdRequest<'_>) -> Option<ErrorCode> {
    match message.transactional_id.as_deref() {
        Some("") => return Some(ErrorCode::INVALID_REQUEST),
        Some(id) if !context.authorize(Operation::Write, Resource::TransactionalId(id)) => {
            return Some(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
        }
        Some(_) => return None,
        None => {}
    }
    if !context.authorize(Operation::IdempotentWrite, Resource::Cluster) {
        return Some(ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    }
    // An id without an epoch, or an epoch without an id, names no producer.
    let half = (message.producer_id == NONE) != (i64::from(message.producer_epoch) == NONE);
    half.then_some(ErrorCode::INVALID_REQUEST)
}
