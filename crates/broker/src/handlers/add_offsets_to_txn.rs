//! AddOffsetsToTxn (key 25), versions 0 to 4: a transaction will commit offsets of a group (KIP-98).
//!
//! Version 2 can say PRODUCER_FENCED, 3 has the flexible encoding, 4 knows TRANSACTION_ABORTABLE. What joins the transaction is the
//! group's partition of `__consumer_offsets`.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use ottla_transactions::{AddPartitions, Request as Asked};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};
use crate::topics::{OFFSETS_TOPIC, offsets_topic};
use crate::transactions::wire::{error_code_for, expect_transaction_answer};

/// From this version on clients know PRODUCER_FENCED.
const FENCED_IS_KNOWN: i16 = 2;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: AddOffsetsToTxnRequest<'_> = decode_question(&request)?;
    let added = add(&context, &message, request.version).await;
    request
        .respond(&AddOffsetsToTxnResponse { error_code: added.err().unwrap_or(ErrorCode::NONE), ..Default::default() })
}

async fn add(context: &Context, message: &AddOffsetsToTxnRequest<'_>, version: i16) -> Result<(), ErrorCode> {
    let (id, group_id) = (&*message.transactional_id, &*message.group_id);
    if !context.authorize(Operation::Write, Resource::TransactionalId(id)) {
        return Err(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    }
    if !context.authorize(Operation::Read, Resource::Group(group_id)) {
        return Err(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    let broker = context.broker();
    if broker.engine().metadata().by_name(OFFSETS_TOPIC).is_none() {
        let _hold = context.hold_order();
        offsets_topic(broker).await?;
    }
    let asked = Asked::AddPartitions(AddPartitions {
        transactional_id: id.to_owned(),
        producer_id: message.producer_id,
        producer_epoch: message.producer_epoch,
        partitions: vec![(OFFSETS_TOPIC.to_owned(), vec![broker.groups.partition_of(group_id)])],
        verify_only: false,
    });
    let awaited = broker.transactions.ask(id, asked).ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
    expect_transaction_answer!(awaited, AddPartitions, |error| error_code_for(error, version, FENCED_IS_KNOWN))
}
