//! EndTxn (key 26), versions 0 to 5: commits or aborts a transaction (KIP-98).
//!
//! Version 2 can say PRODUCER_FENCED, 3 has the flexible encoding, 4 knows TRANSACTION_ABORTABLE, from 5 on every end gives the producer
//! another epoch, which is answered (KIP-890).

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{EndTxnRequest, EndTxnResponse};
use ottla_transactions::{EndTransaction, Producer, Request as Asked};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};
use crate::transactions::wire::{error_code_for, expect_transaction_answer};

/// From this version on clients know PRODUCER_FENCED.
const FENCED_IS_KNOWN: i16 = 2;
/// From this version on the epoch moves with each end: `transaction.version` 2.
const BUMPS_EPOCH: i16 = 5;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: EndTxnRequest<'_> = decode_question(&request)?;
    let response = match end(&context, &message, request.version).await {
        Ok(Producer { id, epoch }) if request.version >= BUMPS_EPOCH => {
            EndTxnResponse { producer_id: id, producer_epoch: epoch, ..Default::default() }
        }
        Ok(_) => EndTxnResponse::default(),
        Err(error_code) => EndTxnResponse { error_code, ..Default::default() },
    };
    request.respond(&response)
}

async fn end(context: &Context, message: &EndTxnRequest<'_>, version: i16) -> Result<Producer, ErrorCode> {
    let id = &*message.transactional_id;
    if !context.authorize(Operation::Write, Resource::TransactionalId(id)) {
        return Err(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    }
    let asked = Asked::EndTransaction(EndTransaction {
        transactional_id: id.to_owned(),
        producer_id: message.producer_id,
        producer_epoch: message.producer_epoch,
        commits: message.committed,
        bumps_epoch: version >= BUMPS_EPOCH,
    });
    let awaited = context.broker().transactions.ask(id, asked).ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
    expect_transaction_answer!(awaited, EndTransaction, |error| error_code_for(error, version, FENCED_IS_KNOWN))
}
