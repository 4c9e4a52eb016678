//! ListGroups (key 16), versions 0 to 5.
//!
//! Version 1 adds the throttle time, 3 the flexible encoding, 4 the states and a filter by them (KIP-518), 5 the types and a
//! filter by them (KIP-848).
//!
//! Names in a filter that Kafka does not know match nothing, in any case of letters.

use ottla_groups::{Answer, GroupState, ListGroups, ListedGroup as Listed, Request as Asked};
use ottla_protocol::messages::{ListGroupsRequest, ListGroupsResponse, ListedGroup};
use ottla_protocol::{ErrorCode, Str};

use crate::context::{Context, Operation, Resource};
use crate::groups::wire::{decode_question, error_code};
use crate::request::{Handled, Request};

/// The states that a group of ours can have. A dead one is not listed any more.
const STATES: [GroupState; 6] = [
    GroupState::Empty,
    GroupState::PreparingRebalance,
    GroupState::CompletingRebalance,
    GroupState::Assigning,
    GroupState::Reconciling,
    GroupState::Stable,
];
/// The types that a group of ours can have.
const TYPES: [&str; 2] = ["classic", "consumer"];

pub(crate) async fn handle(context: Context, request: Request) -> Handled {
    let message: ListGroupsRequest<'_> = decode_question(&request)?;
    let list = ListGroups {
        states: chosen(&message.states_filter, &STATES.map(GroupState::name)),
        types: chosen(&message.types_filter, &TYPES),
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

/// Which of the names that can match are in the filter: every group is compared with them, so there may not be thousands.
/// A filter that matches nothing holds the empty name, because an empty filter would match everything.
fn chosen(filter: &[Str<'_>], names: &[&str]) -> Vec<String> {
    let named = |name: &&&str| filter.iter().any(|asked| asked.eq_ignore_ascii_case(name));
    let chosen: Vec<_> = names.iter().filter(named).map(|name| (*name).to_owned()).collect();
    if chosen.is_empty() && !filter.is_empty() { vec![String::new()] } else { chosen }
}

async fn all(context: &Context, list: ListGroups) -> Result<Vec<Listed>, ErrorCode> {
    let answers = context.broker().groups.submit_to_all(Asked::ListGroups(list)).await;
    // No client looks for "the coordinator" of this request: this is the code at which it asks again.
    let answers = answers.map_err(|_| ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
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
