//! DescribeTransactions (key 65), version 0: how the transactions of some transactional ids stand (KIP-664).

use std::borrow::Cow;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, DescribedTransaction, DescribedTransactionTopic,
};
use ottla_transactions::{DescribeTransaction, DescribedTransaction as Described, Request as Asked};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::{decode_question, without_repetitions};
use crate::request::{Handled, Request};
use crate::transactions::Awaited;
use crate::transactions::wire::{error_code, expect_transaction_answer};

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: DescribeTransactionsRequest<'_> = decode_question(&request)?;
    let ids = without_repetitions(message.transactional_ids);
    let asked: Vec<_> = ids.into_iter().map(|id| (ask(&context, &id), id)).collect();
    let mut transaction_states = Vec::with_capacity(asked.len());
    for (awaited, id) in asked {
        let described = match awaited {
            Ok(awaited) => expect_transaction_answer!(awaited, DescribeTransaction, error_code),
            Err(code) => Err(code),
        };
        transaction_states.push(match described {
            Ok(described) => told(&context, described),
            Err(error_code) => DescribedTransaction { error_code, transactional_id: id, ..Default::default() },
        });
    }
    request.respond(&DescribeTransactionsResponse { transaction_states, ..Default::default() })
}

fn ask(context: &Context, id: &str) -> Result<Awaited, ErrorCode> {
    if !context.authorize(Operation::Describe, Resource::TransactionalId(id)) {
        return Err(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    }
    if id.is_empty() {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    let asked = Asked::DescribeTransaction(DescribeTransaction { transactional_id: id.to_owned() });
    context.broker().transactions.ask(id, asked).ok_or(ErrorCode::TRANSACTIONAL_ID_NOT_FOUND)
}

fn told(context: &Context, described: Described) -> DescribedTransaction<'static> {
    let visible = |name: &str| context.authorize(Operation::Describe, Resource::Topic(name));
    let topics = described.partitions.into_iter().filter(|(name, _)| visible(name));
    let topics = topics.map(|(name, partitions)| DescribedTransactionTopic { topic: Cow::Owned(name), partitions });
    DescribedTransaction {
        error_code: ErrorCode::NONE,
        transactional_id: Cow::Owned(described.transactional_id),
        transaction_state: Cow::Borrowed(described.state.name()),
        transaction_timeout_ms: described.timeout_ms,
        transaction_start_time_ms: described.start_ms,
        producer_id: described.producer.id,
        producer_epoch: described.producer.epoch,
        topics: topics.collect(),
    }
}
