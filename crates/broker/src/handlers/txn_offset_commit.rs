//! TxnOffsetCommit (key 28), versions 0 to 5: commits offsets of a group as part of a transaction (KIP-98).
//!
//! Version 2 adds the leader epoch, 3 tells who commits (KIP-447) and has the flexible encoding, 4 knows TRANSACTION_ABORTABLE, 5 needs no
//! AddOffsetsToTxn before it (KIP-890).
//!
//! The commit passes the gate of the transaction's coordinator and is handed to the group's under the same lock, so that it lies
//! before an end that is decided later.

use std::borrow::Cow;

use ottla_groups::{CommitInTransaction, CommitOffsets, Producer, Request as Asked};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponseTopic, TxnOffsetCommitRequest,
    TxnOffsetCommitRequestTopic, TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
};
use ottla_transactions::{Admission, Membership, TransactionError};

use super::offset_commit::{Planned, answered, codes_of};
use crate::context::{Context, Operation, Resource};
use crate::groups::wire::{expect_answer, outcome};
use crate::request::{Handled, Request};
use crate::topics::{OFFSETS_TOPIC, offsets_topic};
use crate::transactions::Admitted;
use crate::transactions::wire::error_code_for_commit;

/// From this version on clients know TRANSACTION_ABORTABLE.
const ABORTABLE_IS_KNOWN: i16 = 4;
/// From this version on the commit adds the group to the transaction.
const ADDS_GROUP: i16 = 5;
/// The version of OffsetCommit whose rules for topics hold: they have names.
const AS_VERSION: i16 = 9;

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let mut message: TxnOffsetCommitRequest<'_> = request.decode()?;
    let topics: Vec<_> = std::mem::take(&mut message.topics).into_iter().map(as_plain).collect();
    let answers = match commit(&context, &message, &topics, request.version).await {
        Ok(answers) => answers,
        Err(code) => topics.iter().map(|topic| answered(topic, |_| code)).collect(),
    };
    let topics = answers.into_iter().map(as_transactional).collect();
    request.respond(&TxnOffsetCommitResponse { topics, ..Default::default() })
}

async fn commit<'a>(
    context: &Context,
    message: &TxnOffsetCommitRequest<'_>,
    topics: &[OffsetCommitRequestTopic<'a>],
    version: i16,
) -> Result<Vec<OffsetCommitResponseTopic<'a>>, ErrorCode> {
    let (broker, group_id) = (context.broker(), &*message.group_id);
    if !context.authorize(Operation::Write, Resource::TransactionalId(&message.transactional_id)) {
        return Err(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    }
    if !context.authorize(Operation::Read, Resource::Group(group_id)) {
        return Err(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    if broker.engine().metadata().by_name(OFFSETS_TOPIC).is_none() {
        let _hold = context.hold_order();
        offsets_topic(broker).await?;
    }
    let planned = Planned::of(context, group_id, topics, AS_VERSION)?;
    let commits = planned.commits(context);
    if commits.is_empty() {
        return Ok(planned.answer(Vec::new()));
    }
    let count = commits.iter().map(|topic| topic.partitions.len()).sum();
    let partitions = [(OFFSETS_TOPIC, broker.groups.partition_of(group_id))];
    let admission = Admission {
        transactional_id: &message.transactional_id,
        producer_id: message.producer_id,
        producer_epoch: message.producer_epoch,
        partitions: &partitions,
        membership: match version >= ADDS_GROUP {
            true => Membership::Implicit,
            false => Membership::Explicit { knows_abortable: version >= ABORTABLE_IS_KNOWN },
        },
    };
    broker.groups.load(group_id).await.map_err(|_| ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
    let awaited = broker.transactions.admit(&admission, |Admitted { verdicts, depends_on }| {
        let verdict = verdicts.into_iter().next().unwrap_or(Err(TransactionError::CoordinatorNotAvailable));
        verdict.map_err(error_code_for_commit)?;
        let asked = Asked::CommitInTransaction(CommitInTransaction {
            producer: Producer { id: message.producer_id, epoch: message.producer_epoch },
            commit: CommitOffsets {
                group_id: group_id.to_owned(),
                member_id: message.member_id.to_string(),
                group_instance_id: message.group_instance_id.as_ref().map(|id| id.to_string()),
                generation_id: message.generation_id,
                knows_epochs: true,
                retention_time_ms: None,
                topics: commits,
            },
        });
        let awaited = broker.groups.submit_behind(depends_on, context.member_connection(), group_id, asked);
        awaited.ok_or(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)
    })?;
    let committed = expect_answer!(awaited, CommitOffsets).and_then(outcome);
    Ok(planned.answer(committed.map_or_else(|code| vec![code; count], codes_of)))
}

/// The same in the form of OffsetCommit.
fn as_plain(topic: TxnOffsetCommitRequestTopic<'_>) -> OffsetCommitRequestTopic<'_> {
    let partitions = topic.partitions.into_iter().map(|partition| OffsetCommitRequestPartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        committed_metadata: partition.committed_metadata,
    });
    OffsetCommitRequestTopic { name: topic.name, partitions: partitions.collect(), ..Default::default() }
}

fn as_transactional(topic: OffsetCommitResponseTopic<'_>) -> TxnOffsetCommitResponseTopic<'_> {
    let partitions = topic.partitions.into_iter().map(|partition| TxnOffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: partition.error_code,
    });
    TxnOffsetCommitResponseTopic { name: Cow::Owned(topic.name.into_owned()), partitions: partitions.collect() }
}
