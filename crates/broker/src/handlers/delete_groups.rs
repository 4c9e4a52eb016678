//! DeleteGroups (key 42), versions 0 to 2 (KIP-229).
//!
//! Version 2 adds the flexible encoding. A group that is named twice is deleted and answered once, as in Kafka.

use ottla_groups::{DeleteGroup, Request as Asked};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::{decode_question, expect_answer, outcome, without_repetitions};
use crate::request::{Handled, Request};

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: DeleteGroupsRequest<'_> = decode_question(&request)?;
    let asked = without_repetitions(message.groups_names).into_iter().map(|group_id| {
        let awaited = context.authorize(Operation::Delete, Resource::Group(&group_id)).then(|| {
            let request = Asked::DeleteGroup(DeleteGroup { group_id: group_id.to_string() });
            context.broker().groups.submit(&group_id, request)
        });
        (group_id, awaited)
    });
    let asked: Vec<_> = asked.collect();
    let mut results = Vec::with_capacity(asked.len());
    for (group_id, awaited) in asked {
        let deleted = match awaited {
            None => Err(ErrorCode::GROUP_AUTHORIZATION_FAILED),
            Some(awaited) => expect_answer!(awaited, DeleteGroup).and_then(outcome),
        };
        results.push(DeletableGroupResult { group_id, error_code: deleted.err().unwrap_or(ErrorCode::NONE) });
    }
    request.respond(&DeleteGroupsResponse { results, ..Default::default() })
}
