//! AddPartitionsToTxn (key 24), versions 0 to 5: a transaction will write to these partitions (KIP-98).
//!
//! Version 2 can say PRODUCER_FENCED, 3 has the flexible encoding, 4 and 5 are for brokers: several transactions, or only the question
//! whether partitions belong to one (KIP-890).
//!
//! Of a request that names a partition which does not exist nothing is added, as in Kafka. Kafka's own topics cannot be written
//! to, so they are no part of a transaction either (INVALID_TOPIC_EXCEPTION).

use std::collections::{HashMap, HashSet};

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, AddPartitionsToTxnResult,
    AddPartitionsToTxnTopic, AddPartitionsToTxnTopicResult, AddPartitionsToTxnTransaction,
};
use ottla_storage::Metadata;
use ottla_transactions::{AddPartitions, Request as Asked};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::decode_question;
use crate::request::{Handled, Request};
use crate::topics;
use crate::transactions::Awaited;
use crate::transactions::wire::{error_code, error_code_for, expect_transaction_answer};

/// From this version on clients know PRODUCER_FENCED.
const FENCED_IS_KNOWN: i16 = 2;
/// From this version on the request names several transactions.
const BATCHED: i16 = 4;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: AddPartitionsToTxnRequest<'_> = decode_question(&request)?;
    let version = request.version;
    if version < BATCHED {
        let transaction = AddPartitionsToTxnTransaction {
            transactional_id: message.v3_and_below_transactional_id,
            producer_id: message.v3_and_below_producer_id,
            producer_epoch: message.v3_and_below_producer_epoch,
            verify_only: false,
            topics: message.v3_and_below_topics,
        };
        let results_by_topic_v3_and_below = Question::ask(&context, &transaction).results(version).await;
        return request.respond(&AddPartitionsToTxnResponse { results_by_topic_v3_and_below, ..Default::default() });
    }
    // Every coordinator is asked before the first answer is awaited: later requests of the connection come after.
    let asked: Vec<_> = message.transactions.iter().map(|one| Question::ask(&context, one)).collect();
    let mut results_by_transaction = Vec::with_capacity(asked.len());
    for (transaction, question) in message.transactions.iter().zip(asked) {
        let topic_results = question.results(version).await;
        let transactional_id = transaction.transactional_id.clone();
        results_by_transaction.push(AddPartitionsToTxnResult { transactional_id, topic_results });
    }
    request.respond(&AddPartitionsToTxnResponse { results_by_transaction, ..Default::default() })
}

/// One transaction's question, which is with the core.
struct Question<'m, 'a> {
    transaction: &'m AddPartitionsToTxnTransaction<'a>,
    asked: Result<Awaited, Refused<'m>>,
}

/// Why the core was not asked.
enum Refused<'m> {
    /// All of it.
    All(ErrorCode),
    /// These partitions are why, and nothing was done about the others.
    Named(HashMap<(&'m str, i32), ErrorCode>),
}

impl<'m, 'a> Question<'m, 'a> {
    fn ask(context: &Context, transaction: &'m AddPartitionsToTxnTransaction<'a>) -> Self {
        Question { transaction, asked: Self::submit(context, transaction) }
    }

    fn submit(context: &Context, transaction: &'m AddPartitionsToTxnTransaction<'a>) -> Result<Awaited, Refused<'m>> {
        let id = &*transaction.transactional_id;
        if !context.authorize(Operation::Write, Resource::TransactionalId(id)) {
            return Err(Refused::All(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED));
        }
        let metadata = context.broker().engine().metadata();
        let wrong: HashMap<_, _> =
            transaction.topics.iter().flat_map(|topic| wrong_ones(context, &metadata, topic)).collect();
        if !wrong.is_empty() {
            return Err(Refused::Named(wrong));
        }
        let asked = Asked::AddPartitions(AddPartitions {
            transactional_id: id.to_owned(),
            producer_id: transaction.producer_id,
            producer_epoch: transaction.producer_epoch,
            partitions: transaction
                .topics
                .iter()
                .map(|topic| (topic.name.to_string(), topic.partitions.clone()))
                .collect(),
            verify_only: transaction.verify_only,
        });
        let asked = context.broker().transactions.ask(id, asked);
        asked.ok_or(Refused::All(ErrorCode::INVALID_PRODUCER_ID_MAPPING))
    }

    async fn results(self, version: i16) -> Vec<AddPartitionsToTxnTopicResult<'a>> {
        let Question { transaction, asked } = self;
        let code_of_error = |error| error_code_for(error, version, FENCED_IS_KNOWN);
        let all = |code| answered(transaction, |_, _| code);
        match asked {
            Err(Refused::All(code)) => all(code),
            Err(Refused::Named(wrong)) => answered(transaction, |name, index| {
                wrong.get(&(name, index)).copied().unwrap_or(ErrorCode::OPERATION_NOT_ATTEMPTED)
            }),
            Ok(awaited) if transaction.verify_only => {
                match expect_transaction_answer!(awaited, VerifyPartitions, error_code) {
                    Ok(missing) => {
                        let missing: HashSet<_> = missing.iter().map(|(topic, index)| (&**topic, *index)).collect();
                        let code = |is_missing| {
                            if is_missing { ErrorCode::TRANSACTION_ABORTABLE } else { ErrorCode::NONE }
                        };
                        answered(transaction, |name, index| code(missing.contains(&(name, index))))
                    }
                    Err(code) => all(code),
                }
            }
            Ok(awaited) => {
                all(expect_transaction_answer!(awaited, AddPartitions, code_of_error).err().unwrap_or(ErrorCode::NONE))
            }
        }
    }
}

/// Those of a topic's partitions that cannot be part of a transaction.
fn wrong_ones<'m>(
    context: &Context,
    metadata: &Metadata,
    asked: &'m AddPartitionsToTxnTopic<'_>,
) -> Vec<((&'m str, i32), ErrorCode)> {
    let name = &*asked.name;
    let topic = metadata.by_name(name);
    let code = |index: i32| match topic {
        _ if !context.authorize(Operation::Write, Resource::Topic(name)) => Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED),
        _ if topics::is_reserved(name) => Some(ErrorCode::INVALID_TOPIC_EXCEPTION),
        Some(topic) if (0..topic.partitions).contains(&index) => None,
        _ => Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
    };
    asked.partitions.iter().filter_map(|&index| Some(((name, index), code(index)?))).collect()
}

fn answered<'a>(
    transaction: &AddPartitionsToTxnTransaction<'a>,
    code: impl Fn(&str, i32) -> ErrorCode,
) -> Vec<AddPartitionsToTxnTopicResult<'a>> {
    let topics = transaction.topics.iter().map(|topic| {
        let results = topic.partitions.iter().map(|&partition_index| AddPartitionsToTxnPartitionResult {
            partition_index,
            partition_error_code: code(&topic.name, partition_index),
        });
        AddPartitionsToTxnTopicResult { name: topic.name.clone(), results_by_partition: results.collect() }
    });
    topics.collect()
}
