//! What happened, in words that a person reads: who asks what and hears what, and what becomes of the group.
use super::embedded::partitions;
use super::topics::{NAMES, partitions_of};
use ottla_groups::{
    Answer, CommitOffsets, CommitTopic, ConsumerHeartbeat, Culprit, GroupError, GroupEvent, GroupEventKind, Request,
};

/// A request that is worth telling. `None` for heartbeats that only say that somebody lives, and for questions.
pub(super) fn asked(request: &Request) -> Option<String> {
    Some(match request {
        Request::JoinGroup(r) if r.member_id.is_empty() => {
            format!("asks to join {}{}", r.group_id, instance(&r.group_instance_id))
        }
        Request::JoinGroup(r) => {
            format!("joins {} as {}{}", r.group_id, short(&r.member_id), instance(&r.group_instance_id))
        }
        Request::SyncGroup(r) if r.assignments.is_empty() => {
            format!("asks for its assignment of generation {}", r.generation_id)
        }
        Request::SyncGroup(r) => {
            let share =
                |m: &ottla_groups::MemberAssignment| format!("{}: {}", short(&m.member_id), named(&m.assignment));
            let shares: Vec<String> = r.assignments.iter().map(share).collect();
            format!("leads generation {} and assigns {}", r.generation_id, shares.join("; "))
        }
        Request::ConsumerHeartbeat(r) => beat(r)?,
        Request::LeaveGroup(r) => {
            let who =
                r.members.first().map(|m| m.group_instance_id.clone().unwrap_or_else(|| short(&m.member_id).into()));
            format!("says that {} leaves {}", who.unwrap_or_default(), r.group_id)
        }
        Request::CommitOffsets(r) => commit(r),
        Request::DeleteOffsets(r) => format!("deletes commits of {}", r.group_id),
        Request::DeleteGroup(r) => format!("deletes {}", r.group_id),
        Request::ResetOffsets(r) if r.undo => format!("takes the reset of {} back", r.group_id),
        Request::ResetOffsets(r) => {
            let offsets: Vec<String> = r.offsets.iter().map(|o| format!("{}-{}", o.topic, o.partition)).collect();
            format!("resets {} of {}", offsets.join(", "), r.group_id)
        }
        _ => return None,
    })
}

/// What a request is called.
pub(super) fn name(request: &Request) -> &'static str {
    match request {
        Request::JoinGroup(_) => "JoinGroup",
        Request::SyncGroup(_) => "SyncGroup",
        Request::Heartbeat(_) | Request::ConsumerHeartbeat(_) => "heartbeat",
        Request::LeaveGroup(_) => "LeaveGroup",
        Request::CommitOffsets(_) => "commit",
        Request::FetchOffsets(_) => "question for commits",
        _ => "request",
    }
}

fn commit(request: &CommitOffsets) -> String {
    // Whoever commits here commits one offset to all that it names.
    let commit = |topic: &CommitTopic| {
        let numbers: Vec<i32> = topic.partitions.iter().map(|commit| commit.partition).collect();
        let offset = topic.partitions.first().map_or(-1, |commit| commit.offset);
        format!("{offset} to {} {numbers:?}", topic.name)
    };
    let commits: Vec<String> = request.topics.iter().map(commit).collect();
    match request.generation_id {
        0.. => {
            let what = if request.knows_epochs { "epoch" } else { "generation" };
            format!("commits {} in {what} {} of {}", commits.join(", "), request.generation_id, request.group_id)
        }
        _ => format!("commits {} in {} from outside", commits.join(", "), request.group_id),
    }
}

fn beat(request: &ConsumerHeartbeat) -> Option<String> {
    let says = |what: &str| format!("{what} {}{}", request.group_id, instance(&request.group_instance_id));
    Some(match request.member_epoch {
        0 => says("joins (consumer protocol)"),
        -1 => says("leaves"),
        -2 => says("leaves for a while"),
        epoch => {
            let owned = request.owned.as_ref().filter(|_| request.subscribed_topic_names.is_some())?;
            format!("says everything in epoch {epoch}, and that it has {:?}", partitions_of(owned))
        }
    })
}

/// An answer that is worth telling.
pub(super) fn answered(answer: &Answer) -> Option<String> {
    Some(match answer {
        Answer::JoinGroup(joined) => match joined.error {
            Some(GroupError::MemberIdRequired) => format!("shall join as {}", short(&joined.member_id)),
            Some(error) => format!("may not join: {error:?}"),
            None => format!("is {} in generation {}", short(&joined.member_id), joined.generation_id),
        },
        Answer::SyncGroup(Ok(synced)) => format!("has {}", named(&synced.assignment)),
        Answer::SyncGroup(Err(error)) | Answer::Heartbeat(Err(error)) => format!("hears {error:?}"),
        Answer::CommitOffsets(Err(error)) => format!("may not commit: {error:?}"),
        Answer::ConsumerHeartbeat(Err(refusal)) => format!("hears {:?}", refusal.error),
        Answer::ConsumerHeartbeat(Ok(answer)) => {
            let assignment = answer.assignment.as_ref()?;
            format!("is in epoch {} and shall have {:?}", answer.member_epoch, partitions_of(assignment))
        }
        _ => return None,
    })
}

/// What the coordinator says that has happened to a group.
pub(super) fn happened(event: &GroupEvent) -> Option<String> {
    let group_id = &event.group_id;
    Some(match &event.kind {
        GroupEventKind::StateChanged { from, to, generation_id, cause } => {
            format!("{group_id}: {from:?} to {to:?} ({generation_id}), because {cause}")
        }
        GroupEventKind::MemberRemoved { member, cause, .. } => format!("{group_id}: {} is out: {cause}", who(member)),
        GroupEventKind::StaticMemberReplaced { group_instance_id, new_member_id, .. } => {
            format!("{group_id}: {} takes the place of {group_instance_id}", short(new_member_id))
        }
        GroupEventKind::OffsetsExpired { topic, partitions, .. } => {
            format!("{group_id}: commits of {topic} {partitions:?} expire")
        }
        GroupEventKind::OffsetsDeleted { topic, partitions, cause } => {
            format!("{group_id}: commits of {topic} {partitions:?} are deleted: {cause}")
        }
        GroupEventKind::ProtocolMigrated { from, to, cause } => format!("{group_id}: from {from} to {to}: {cause}"),
        GroupEventKind::Stalled { stall_ms } if group_id.is_empty() => {
            format!("the coordinator stood still for {stall_ms} ms")
        }
        _ => return None,
    })
}

fn who(member: &Culprit) -> String {
    format!("{} ({})", member.client_id, short(&member.member_id))
}

fn instance(instance: &Option<String>) -> String {
    instance.as_ref().map_or(String::new(), |instance| format!(" for instance {instance}"))
}

/// Member ids are long, and their beginnings tell them apart.
fn short(member_id: &str) -> &str {
    member_id.get(..12).unwrap_or(member_id)
}

fn named(assignment: &[u8]) -> String {
    let named: Vec<String> =
        partitions(assignment).iter().map(|(name, n)| format!("{}-{n}", NAMES[usize::from(*name)])).collect();
    if named.is_empty() { "nothing".into() } else { named.join(", ") }
}
