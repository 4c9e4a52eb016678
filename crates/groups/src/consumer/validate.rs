//! What a heartbeat must say whatever the group is like.
use super::{LEAVE, LEAVE_AND_RETURN};
use crate::answer::{GroupError, Refusal};
use crate::assignors::Assignor;
use crate::coordinator::MAX_NAME_BYTES;
use crate::request::ConsumerHeartbeat;
use crate::settings::Settings;
use crate::topics::Topics;
use alloc::format;

fn invalid(message: &str) -> Refusal {
    Refusal::new(GroupError::InvalidRequest, message)
}

/// Finds out whether the request makes sense by itself.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn validate(request: &ConsumerHeartbeat, settings: &Settings, topics: &Topics) -> Result<(), Refusal> {
    names(request)?;
    match request.member_epoch {
        0 => joining(request)?,
        LEAVE_AND_RETURN if request.group_instance_id.is_none() => {
            return Err(invalid("Epoch -2 is for static members alone: give an InstanceId."));
        }
        1.. | LEAVE | LEAVE_AND_RETURN => {}
        _ => return Err(invalid("There is no MemberEpoch below -2.")),
    }
    if let Some(wanted) = &request.server_assignor
        && !settings.consumer_assignors.iter().any(|assignor| assignor.name() == wanted)
    {
        let known = settings.consumer_assignors.iter().map(|assignor| Assignor::name(*assignor));
        let known = known.collect::<alloc::vec::Vec<_>>().join(", ");
        let message = format!("The assignor {wanted} is not known here; there are: {known}.");
        return Err(Refusal::new(GroupError::UnsupportedAssignor, &message));
    }
    regex(request, topics)
}

fn names(request: &ConsumerHeartbeat) -> Result<(), Refusal> {
    let given = |name: &Option<alloc::string::String>| name.as_deref().is_none_or(|name| !name.trim().is_empty());
    if request.group_id.trim().is_empty() {
        return Err(invalid("The GroupId is empty."));
    }
    if request.member_id.trim().is_empty() && (request.member_epoch != 0 || !request.may_lack_member_id) {
        return Err(invalid("The MemberId is empty."));
    }
    if !given(&request.group_instance_id) {
        return Err(invalid("The InstanceId is empty; leave it out for a dynamic member."));
    }
    if !given(&request.rack_id) {
        return Err(invalid("The RackId is empty; leave it out where there are no racks."));
    }
    let optional = [&request.group_instance_id, &request.rack_id, &request.subscribed_topic_regex];
    let long = optional.into_iter().flatten().chain([&request.group_id, &request.member_id]);
    let long = long.chain(request.subscribed_topic_names.iter().flatten());
    if long.into_iter().any(|name| name.len() > MAX_NAME_BYTES) {
        return Err(invalid("A name is longer than 32767 bytes."));
    }
    Ok(())
}

fn joining(request: &ConsumerHeartbeat) -> Result<(), Refusal> {
    if request.rebalance_timeout_ms.is_none() {
        return Err(invalid("A member that joins must say its RebalanceTimeoutMs."));
    }
    if request.owned.as_ref().is_none_or(|owned| !owned.is_empty()) {
        return Err(invalid("A member that joins must own nothing: TopicPartitions is to be an empty list."));
    }
    if request.subscribed_topic_names.is_none() && request.subscribed_topic_regex.is_none() {
        return Err(invalid(
            "A member that joins must say what it reads: SubscribedTopicNames or SubscribedTopicRegex.",
        ));
    }
    Ok(())
}

fn regex(request: &ConsumerHeartbeat, topics: &Topics) -> Result<(), Refusal> {
    let Some(regex) = request.subscribed_topic_regex.as_deref().filter(|regex| !regex.is_empty()) else {
        return Ok(());
    };
    topics.check(regex).map_err(|problem| {
        let message = format!("The regular expression {regex} is not valid: {problem}");
        Refusal::new(GroupError::InvalidRegularExpression, &message)
    })
}
