//! ListGroups (key 16), versions 0 to 5.
//!
//! Version 1 adds the throttle time, 3 the flexible encoding, 4 the states and a filter by them (KIP-518), 5 the types and a
//! filter by them (KIP-848).

use ottla_groups::{Answer, ListGroups, ListedGroup as Listed, Request as Asked};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{ListGroupsRequest, ListGroupsResponse, ListedGroup};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::{client_info, error_code};
use crate::request::{Handled, Request};

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: ListGroupsRequest<'_> = request.decode()?;
    let list = ListGroups {
        states: message.states_filter.iter().map(|state| state.to_string()).collect(),
        types: message.types_filter.iter().map(|kind| kind.to_string()).collect(),
    };
    match all(&context, list).await {
        Ok(listed) => {
            let visible = listed.into_iter().filter(|group| {
                context.authorize(Operation::Describe, Resource::Cluster)
                    || context.authorize(Operation::Describe, Resource::Group(&group.group_id))
            });
            request.respond(&ListGroupsResponse { groups: visible.map(on_wire).collect(), ..Default::default() })
        }
        Err(error_code) => request.respond(&ListGroupsResponse { error_code, ..Default::default() }),
    }
}

async fn all(context: &Context, list: ListGroups) -> Result<Vec<Listed>, ErrorCode> {
    let answers = context.broker().groups.submit_to_all(client_info(context), Asked::ListGroups(list)).await?;
    let mut groups = Vec::new();
    for answer in answers {
        match answer {
            Answer::ListGroups(listed) => groups.extend(listed.map_err(error_code)?),
            _ => return Err(ErrorCode::UNKNOWN_SERVER_ERROR),
        }
    }
    Ok(groups)
}

fn on_wire(group: Listed) -> ListedGroup<'static> {
    ListedGroup {
        group_id: group.group_id.into(),
        protocol_type: group.protocol_type.into(),
        group_state: group.state.name().into(),
        group_type: group.group_type.into(),
    }
}
