//! What happened, one line each.
use ottla_groups::records::StoredRecord;
use ottla_groups::*;

/// Member ids end in random digits; stories call them by the client and a number.
type ShortNames = [(String, String)];

fn shorten(text: String, names: &ShortNames) -> String {
    names.iter().fold(text, |text, (long, short)| text.replace(long, short))
}

fn bytes(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn or_none(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or("none")
}

pub(crate) fn action(action: &Action, who: &str, names: &ShortNames) -> String {
    let line = match action {
        Action::Append(record) => format!("append {}", stored(&StoredRecord::decode(record).unwrap())),
        Action::AppendInTransaction(..) => unreachable!("nobody commits in a transaction"),
        Action::Reply(_, answer) => format!("{who} <- {}", self::answer(answer)),
        Action::Event(event) => format!("* {}", self::event(event)),
    };
    shorten(line, names) + "\n"
}

fn stored(record: &StoredRecord) -> String {
    match record {
        StoredRecord::Offset(key, None) => format!("{} {}/{} forgotten", key.group_id, key.topic, key.partition),
        StoredRecord::Offset(key, Some(value)) => {
            let extra = if value.metadata.is_empty() { String::new() } else { format!(" {:?}", value.metadata) };
            let expiry = value.expire_timestamp_ms.map_or(String::new(), |at| format!(" until {at}"));
            format!("{} {}/{} = {}{extra}{expiry}", key.group_id, key.topic, key.partition, value.offset)
        }
        StoredRecord::Group(group_id, None) => format!("{group_id} deleted"),
        StoredRecord::Group(group_id, Some(value)) => {
            let members = value.members.iter().map(|m| format!("{}={:?}", m.member_id, bytes(&m.assignment)));
            let members = members.collect::<Vec<_>>().join(" ");
            let (generation, protocol, leader) =
                (value.generation_id, or_none(&value.protocol), or_none(&value.leader));
            format!("{group_id} generation {generation} {protocol} leader {leader} [{members}]")
        }
        StoredRecord::GroupEpoch(group_id, epoch) => {
            format!("{group_id} {}", epoch.as_ref().map_or("no more".into(), |epoch| format!("epoch {}", epoch.epoch)))
        }
        StoredRecord::TargetEpoch(group_id, epoch) => {
            format!("{group_id} {}", epoch.map_or("no target".into(), |epoch| format!("target of epoch {epoch}")))
        }
        StoredRecord::ConsumerMember(_, member_id, None) => format!("{member_id} gone"),
        StoredRecord::ConsumerMember(_, member_id, Some(member)) => {
            let regex = member.subscribed_topic_regex.as_deref().filter(|regex| !regex.is_empty());
            let regex = regex.map_or(String::new(), |regex| format!(" {regex}"));
            format!("{member_id} reads {}{regex}", member.subscribed_topic_names.join(","))
        }
        StoredRecord::Target(_, member_id, None) => format!("{member_id} shall have no more"),
        StoredRecord::Target(_, member_id, Some(target)) => format!("{member_id} shall have {}", topics(target)),
        StoredRecord::Current(_, member_id, None) => format!("{member_id} has no more"),
        StoredRecord::Current(_, member_id, Some(current)) => {
            let gives_up = match current.pending_revocation.is_empty() {
                true => String::new(),
                false => format!(", gives up {}", topics(&current.pending_revocation)),
            };
            let (epoch, state) = (current.member_epoch, format!("{:?}", current.state));
            format!("{member_id} in epoch {epoch} has {}{gives_up}, {state}", topics(&current.assigned))
        }
        StoredRecord::FormerOffsets(..) => format!("{record:?}"),
        StoredRecord::Unknown { key_version } => format!("unknown {key_version}"),
    }
}

/// Topics are told apart by their first letters, which are their ids.
fn topics(partitions: &Assignment) -> String {
    let topics = partitions.topics().iter().map(|(id, partitions)| format!("{}{partitions:?}", char::from(id[0])));
    if partitions.is_empty() { "nothing".into() } else { topics.collect::<Vec<_>>().join(" ") }
}

fn event(event: &GroupEvent) -> String {
    match &event.kind {
        GroupEventKind::StateChanged { from, to, generation_id, cause } => {
            format!("{} -> {}, generation {generation_id}: {cause}", from.name(), to.name())
        }
        GroupEventKind::MemberJoined { member, reason, again } => {
            let again = if *again { " again" } else { "" };
            format!("{} joins{again}{}", member.member_id, reason.as_ref().map_or(String::new(), |r| format!(": {r}")))
        }
        GroupEventKind::MemberRemoved { member, how, cause, held } => {
            format!("{} {}: {cause}{}", member.member_id, format!("{how:?}").to_lowercase(), holding(held))
        }
        GroupEventKind::MemberAway { member, held } => format!("{} away{}", member.member_id, holding(held)),
        GroupEventKind::Assigned { epoch, changes, .. } => {
            let change = |change: &Assigned| {
                let (before, after) = (held(&change.before), held(&change.after));
                format!(" {} {before} -> {after}", change.member.member_id)
            };
            format!("assigned in {epoch}:{}", changes.iter().map(change).collect::<String>())
        }
        GroupEventKind::OffsetsMoved(moved) => {
            let from = moved.from.map_or("nothing".into(), |from| from.to_string());
            let (place, to, not_read) = (format!("{}/{}", moved.topic, moved.partition), moved.to, moved.not_read);
            format!("{place} moved from {from} to {to}, {not_read} not read")
        }
        GroupEventKind::OffsetsReset { online, undo, changes } => {
            format!("offsets reset (online {online}, undo {undo}): {changes:?}")
        }
        GroupEventKind::OffsetsDeleted { topic, partitions, cause } => {
            format!("commits of {topic} {partitions:?} deleted: {cause}")
        }
        GroupEventKind::Loaded { members } => format!("loaded with {members} members"),
        GroupEventKind::StaticMemberReplaced { group_instance_id, old_member_id, new_member_id } => {
            format!("{group_instance_id}: {new_member_id} replaces {old_member_id}")
        }
        GroupEventKind::MemberIdForgotten { member_id } => format!("{member_id} forgotten"),
        GroupEventKind::RecordsLost { topic, partition, from, to, records, cause } => {
            format!("{}: lost {records} records of {topic}/{partition}, {from} to {to}: {cause:?}", event.group_id)
        }
        GroupEventKind::OffsetsExpired { topic, partitions, last_commit_ms } => {
            let age_ms = event.at_ms - last_commit_ms;
            format!("{}: commits of {topic} {partitions:?} expired, the newest {age_ms} ms old", event.group_id)
        }
        GroupEventKind::Stalled { stall_ms } => format!("stalled for {stall_ms} ms"),
        GroupEventKind::RecordSkipped { problem } => format!("record skipped: {problem}"),
        GroupEventKind::ProtocolMigrated { from, to, cause } => format!("{from} -> {to} protocol: {cause}"),
    }
}

fn held(held: &Held) -> String {
    let topics = held.iter().map(|(topic, partitions)| format!("{topic}{partitions:?}"));
    if held.is_empty() { "nothing".into() } else { topics.collect::<Vec<_>>().join(" ") }
}

fn holding(partitions: &Held) -> String {
    if partitions.is_empty() { String::new() } else { format!(", had {}", held(partitions)) }
}

fn result<T>(result: &Result<T, GroupError>, show: impl Fn(&T) -> String) -> String {
    match result {
        Ok(value) => show(value),
        Err(error) => format!("{error:?}"),
    }
}

fn answer(answer: &Answer) -> String {
    match answer {
        Answer::JoinGroup(joined) => self::joined(joined),
        Answer::SyncGroup(r) => result(r, |synced| format!("synced {:?}", bytes(&synced.assignment))),
        Answer::Heartbeat(r) => result(r, |()| "alive".into()),
        Answer::LeaveGroup(r) => result(r, |left| {
            let name = |m: &LeftMember| format!("{}{}", m.member_id, m.group_instance_id.as_deref().unwrap_or(""));
            let error = |m: &LeftMember| m.error.map_or("left".into(), |error| format!("{error:?}"));
            left.iter().map(|m| format!("{} {}", name(m), error(m))).collect::<Vec<_>>().join(", ")
        }),
        Answer::CommitOffsets(r) => result(r, |topics| format!("committed {}", results(topics))),
        Answer::DeleteOffsets(r) => result(r, |topics| format!("deleted {}", results(topics))),
        Answer::FetchOffsets(r) => result(r, |topics| {
            let lines = topics.iter().flat_map(|t| t.partitions.iter().map(|p| fetched(&t.name, p)));
            format!("offsets {}", lines.collect::<Vec<_>>().join(", "))
        }),
        Answer::DescribeGroup(r) => result(r, described),
        Answer::ListGroups(r) => result(r, |groups| {
            let line = |g: &ListedGroup| format!("{:?} {:?} {}", g.group_id, g.protocol_type, g.state.name());
            format!("groups {}", groups.iter().map(line).collect::<Vec<_>>().join(", "))
        }),
        Answer::DeleteGroup(r) => result(r, |()| "deleted".into()),
        Answer::ConsumerHeartbeat(Err(refusal)) => {
            format!("{:?}: {}", refusal.error, refusal.message.as_deref().unwrap_or(""))
        }
        Answer::ConsumerHeartbeat(Ok(answer)) => {
            let given = answer.assignment.as_ref().map_or(String::new(), |given| format!(", has {}", topics(given)));
            let soon = match answer.heartbeat_interval_ms {
                0 | 5_000 => String::new(),
                soon_ms => format!(", asks again in {soon_ms} ms"),
            };
            format!("epoch {}{given}{soon}", answer.member_epoch)
        }
        Answer::DescribeConsumerGroup(_) | Answer::ExplainGroups(_) | Answer::ResetOffsets(_) => format!("{answer:?}"),
    }
}

fn joined(joined: &JoinGroupAnswer) -> String {
    if let Some(error) = joined.error {
        return format!("{error:?} {}", joined.member_id);
    }
    let (generation, protocol) = (joined.generation_id, or_none(&joined.protocol_name));
    let mut line = format!("{} joined generation {generation} {protocol}, leader {}", joined.member_id, joined.leader);
    if !joined.members.is_empty() {
        let members = joined.members.iter().map(|m| m.member_id.as_str()).collect::<Vec<_>>();
        line += &format!(", members {}", members.join(" "));
    }
    if joined.skip_assignment {
        line += ", shall not assign";
    }
    line
}

fn results(topics: &[TopicResults]) -> String {
    let line = |name: &str, p: &PartitionResult| {
        format!("{name}/{}{}", p.partition, p.error.map_or(String::new(), |error| format!(" {error:?}")))
    };
    let lines = topics.iter().flat_map(|t| t.partitions.iter().map(|p| line(&t.name, p)));
    lines.collect::<Vec<_>>().join(", ")
}

fn fetched(topic: &str, partition: &FetchedPartition) -> String {
    let extra = if partition.metadata.is_empty() { String::new() } else { format!(" {:?}", partition.metadata) };
    format!("{topic}/{} = {}{extra}", partition.partition, partition.offset)
}

fn described(group: &DescribedGroup) -> String {
    let members = group
        .members
        .iter()
        .map(|m| format!("{} {} {:?} {}", m.member_id, m.client_host, bytes(&m.assignment), m.metadata.len()));
    let members = members.collect::<Vec<_>>().join(", ");
    format!("{} {:?} {:?} [{members}]", group.state.name(), group.protocol_type, group.protocol_data)
}

pub(crate) fn waits(waits: &[Wait], now: Now, names: &ShortNames) -> String {
    let line = |wait: &Wait| {
        let culprit = wait.culprit.as_ref().map_or("nobody".into(), |c| format!("{} at {}", c.member_id, c.host));
        let (since, left) = (now.wall_ms - wait.since_ms, wait.until_ms - now.wall_ms);
        format!("{:?} of {culprit}, since {since} ms, {left} ms left, then {:?}\n", wait.name, wait.then)
    };
    shorten(waits.iter().map(line).collect(), names)
}
