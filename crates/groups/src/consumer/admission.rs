//! Who may speak as which member, who becomes one, and what members say of themselves.
use super::LEAVE_AND_RETURN;
use super::live::{LiveMember, Subscription};
use super::migration::MigrationPolicy;
use crate::answer::{GroupError, Refusal};
use crate::durable::DurableMember;
use crate::event::{ClientInfo, Departure, GroupEventKind};
use crate::planted::planted;
use crate::records::{ConsumerMemberMetadata, CurrentAssignment, GroupEpoch, MemberState, StoredRecord};
use crate::request::ConsumerHeartbeat;
use crate::step::Step;
use crate::waits::Culprit;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The place that a heartbeat speaks from.
enum Seat {
    /// The member's own.
    Known,
    /// There is none yet.
    New,
    /// That of a static member which is away, or which speaks the classic protocol: its member id.
    Returns(String),
}

impl Step<'_> {
    /// Finds the member or makes it, and takes down what it says of itself. Answers its id. A refusal changes nothing.
    pub(super) fn admit(&mut self, client: &ClientInfo, request: &ConsumerHeartbeat) -> Result<String, Refusal> {
        let seat = self.seat(request)?;
        let member_id = match request.member_id.as_str() {
            "" => new_member_id(request.random),
            member_id => member_id.to_string(),
        };
        let was_classic = self.group.has_classic_members();
        if was_classic {
            self.upgrade(&format!("member {member_id} of the consumer protocol joins"));
        }
        match self.still_there(seat, &member_id) {
            Seat::Known => self.update(client, request, &member_id),
            Seat::New => {
                self.make_room_for_consumers();
                self.add_consumer(client, request, &member_id);
            }
            Seat::Returns(old) => {
                if self.group.consumer.members.contains_key(&member_id) {
                    // It gives up its own place for the other one.
                    self.remove_consumer(
                        &member_id,
                        Departure::Removed,
                        "it joined in the place of another static member",
                    );
                    self.next_epoch(&format!("member {member_id} took another place"));
                }
                self.replace_consumer(&old, &member_id);
                self.update(client, request, &member_id);
            }
        }
        if was_classic {
            self.complete_inherited_target(&format!(
                "member {member_id} takes a place in a group in which not everything had an owner"
            ));
        }
        if let Some(live) = self.group.consumer.members.get_mut(&member_id)
            && live.software != client.software
        {
            live.software.clone_from(&client.software);
        }
        Ok(member_id)
    }

    /// A member whose client has not heard of it is not taken over from the classic protocol: its seat is free.
    fn still_there(&self, seat: Seat, member_id: &str) -> Seat {
        let owner = match &seat {
            Seat::Known => member_id,
            Seat::Returns(old) => old,
            Seat::New => return seat,
        };
        if self.group.consumer.members.contains_key(owner) { seat } else { Seat::New }
    }

    /// Whether somebody else may take the place of a static member: it said that it will return, or it speaks the classic protocol,
    /// in which static members do not say that they go.
    fn gives_way(&self, member_id: &str) -> bool {
        let member = self.group.durable.consumer_member(member_id);
        let metadata = member.and_then(|member| member.metadata.as_ref());
        self.current(member_id).member_epoch == LEAVE_AND_RETURN
            || metadata.is_some_and(|metadata| metadata.classic.is_some())
    }

    fn seat(&self, request: &ConsumerHeartbeat) -> Result<Seat, Refusal> {
        let (group_id, member_id) = (&self.group.group_id, request.member_id.as_str());
        let is_joining = request.member_epoch == 0;
        if !self.group.is_consumer() && !is_joining {
            return Err(no_consumer_group(group_id));
        }
        if self.group.has_classic_members() {
            return self.seat_among_classic_members(request);
        }
        let is_known = self.group.consumer.members.contains_key(member_id);
        if let Some(instance) = request.group_instance_id.as_deref() {
            match self.group.consumer.instances.get(instance) {
                Some(owner) if owner == member_id => {}
                Some(owner) if is_joining && self.gives_way(owner) => return Ok(Seat::Returns(owner.clone())),
                Some(owner) if is_joining && !planted!(self.settings, StaticFenceSkipped) => {
                    let message = format!("Static member with instance id {instance} is still here, as {owner}.");
                    return Err(Refusal::new(GroupError::UnreleasedInstanceId, &message));
                }
                Some(_) if is_joining => {}
                Some(owner) => {
                    let message = format!("Static member with instance id {instance} is {owner} by now.");
                    return Err(Refusal::new(GroupError::FencedInstanceId, &message));
                }
                None if is_joining => {}
                None => return Err(unknown_member(group_id, member_id)),
            }
        }
        match (is_known, is_joining) {
            (true, true) => Ok(Seat::Known),
            (true, false) => self.check_epoch(request).map(|()| Seat::Known),
            (false, true) => self.check_size().map(|()| Seat::New),
            (false, false) if planted!(self.settings, HeartbeatRevivesTheEvicted) => Ok(Seat::New),
            (false, false) => Err(unknown_member(group_id, member_id)),
        }
    }

    /// The group will become one of the consumer protocol, with its members.
    fn seat_among_classic_members(&self, request: &ConsumerHeartbeat) -> Result<Seat, Refusal> {
        self.may_upgrade()?;
        let (roster, member_id) = (&self.group.roster, request.member_id.as_str());
        let owner = request.group_instance_id.as_deref().and_then(|instance| roster.instance(instance));
        if let Some(owner) = owner.filter(|owner| *owner != member_id) {
            return Ok(Seat::Returns(owner.into()));
        }
        if roster.contains(member_id) { Ok(Seat::Known) } else { self.check_size().map(|()| Seat::New) }
    }

    /// A member must be in its own epoch. One that may have missed the last answer may be in the epoch before, if it has nothing
    /// that is not its own any more.
    fn check_epoch(&self, request: &ConsumerHeartbeat) -> Result<(), Refusal> {
        let current = self.current(&request.member_id);
        let received = request.member_epoch;
        let has_only_its_own = || request.owned.as_ref().is_some_and(|owned| owned.is_subset_of(&current.assigned));
        let is_good = received == current.member_epoch
            || (received < current.member_epoch && received == current.previous_member_epoch && has_only_its_own());
        if is_good || planted!(self.settings, MemberEpochNotChecked) {
            return Ok(());
        }
        let reached = current.member_epoch;
        let message =
            format!("The member is in epoch {reached}, not {received}: it must give up all it has and join anew.");
        Err(Refusal::new(GroupError::FencedMemberEpoch, &message))
    }

    fn check_size(&self) -> Result<(), Refusal> {
        let limit = usize::try_from(self.settings.consumer_max_group_size).unwrap_or(0);
        if self.group.consumer.members.len().max(self.group.roster.len()) < limit {
            return Ok(());
        }
        let message = format!("The consumer group has reached its maximum capacity of {limit} members.");
        Err(Refusal::new(GroupError::GroupMaxSizeReached, &message))
    }

    /// A group of the classic protocol that has no members becomes one of this protocol.
    fn make_room_for_consumers(&mut self) {
        if self.group.durable.consumer().is_some() {
            return;
        }
        if self.group.durable.metadata().is_some() {
            self.record(StoredRecord::Group(self.group.group_id.clone(), None));
        }
        self.forget_classic_ways();
    }

    fn add_consumer(&mut self, client: &ClientInfo, request: &ConsumerHeartbeat, member_id: &str) {
        let metadata = said(ConsumerMemberMetadata::default(), client, request);
        self.seat_live(member_id, &metadata);
        let reads = !metadata.subscribed_topic_names.is_empty() || metadata.subscribed_topic_regex.is_some();
        if self.group.durable.consumer().is_none() && reads {
            // A group begins with epoch 1, and reading something is a change, as in Kafka.
            let epoch = GroupEpoch { epoch: 1, metadata_hash: 0 };
            self.record(StoredRecord::GroupEpoch(self.group.group_id.clone(), Some(epoch)));
        }
        self.record(StoredRecord::ConsumerMember(self.group.group_id.clone(), member_id.into(), Some(metadata)));
        let member = Culprit { software: client.software.clone(), ..self.group.consumer_culprit(member_id) };
        self.tell(GroupEventKind::MemberJoined { member, reason: None, again: false });
        self.hear(member_id);
        self.next_epoch(&format!("member {member_id} joins"));
    }

    pub(super) fn seat_live(&mut self, member_id: &str, metadata: &ConsumerMemberMetadata) {
        let live = LiveMember::new(member_id, metadata, self.now.wall_ms);
        self.group.consumer.add(member_id, live, metadata.group_instance_id.as_deref(), self.topics);
        self.renew_consumer_session(member_id);
    }

    /// Takes down what a member says of itself, if that is something else than before.
    fn update(&mut self, client: &ClientInfo, request: &ConsumerHeartbeat, member_id: &str) {
        let before = self.group.durable.consumer_member(member_id).and_then(|member| member.metadata.as_ref());
        if before.is_some_and(|before| says_nothing_new(before, client, request)) {
            return;
        }
        let before = before.cloned().unwrap_or_default();
        let after = said(before.clone(), client, request);
        if after == before {
            return;
        }
        if let Some(live) = self.group.consumer.members.get_mut(member_id) {
            live.classic = None;
        }
        let subscription = Subscription::of(&after);
        let reads_other = subscription != Subscription::of(&before);
        if reads_other {
            self.group.consumer.change_subscription(member_id, Arc::new(subscription), self.topics);
        }
        if after.group_instance_id != before.group_instance_id {
            self.group.consumer.move_instance(member_id, &before.group_instance_id, &after.group_instance_id);
        }
        self.record(StoredRecord::ConsumerMember(self.group.group_id.clone(), member_id.into(), Some(after)));
        if reads_other {
            self.next_epoch(&format!("member {member_id} reads other topics"));
        }
    }

    /// A static member comes back under another member id: it gets the place of the old one, which is gone.
    pub(super) fn replace_consumer(&mut self, old: &str, new: &str) {
        let Some(member) = self.forget_consumer(old) else { return };
        // What the old one should have had is not free.
        if !planted!(self.settings, ReplacedMembersTargetIsFree) {
            self.group.consumer.balance = None;
        }
        let metadata = member.metadata.unwrap_or_default();
        self.seat_live(new, &metadata);
        let (group_id, new) = (self.group.group_id.clone(), String::from(new));
        let instance = metadata.group_instance_id.clone().unwrap_or_default();
        self.record(StoredRecord::ConsumerMember(group_id.clone(), new.clone(), Some(metadata)));
        self.record(StoredRecord::Target(group_id, new.clone(), Some(member.target)));
        let current = CurrentAssignment { member_epoch: 0, previous_member_epoch: 0, ..member.current };
        self.set_current(&new, CurrentAssignment { state: MemberState::Stable, ..current });
        self.tell(GroupEventKind::StaticMemberReplaced {
            group_instance_id: instance,
            old_member_id: old.into(),
            new_member_id: new,
        });
    }

    /// Removes a member from the log and from memory; what it had is free. Answers what it was.
    pub(super) fn forget_consumer(&mut self, member_id: &str) -> Option<DurableMember> {
        let member = self.group.durable.consumer_member(member_id)?.clone();
        self.group.consumer.remove(member_id, &member);
        self.group.connections.forget(member_id);
        self.record_gone(member_id);
        Some(member)
    }

    /// Takes every record of a member back.
    pub(super) fn record_gone(&mut self, member_id: &str) {
        let (group_id, member_id) = (self.group.group_id.clone(), String::from(member_id));
        self.record(StoredRecord::Current(group_id.clone(), member_id.clone(), None));
        self.record(StoredRecord::Target(group_id.clone(), member_id.clone(), None));
        self.record(StoredRecord::ConsumerMember(group_id, member_id, None));
    }
}

pub(super) fn no_consumer_group(group_id: &str) -> Refusal {
    Refusal::new(GroupError::GroupIdNotFound, &format!("Group {group_id} is not a consumer group."))
}

pub(super) fn has_classic_members(group_id: &str, policy: MigrationPolicy) -> Refusal {
    let message = format!(
        "Group {group_id} has members of the classic protocol, and group.consumer.migration.policy={} keeps them: stop them all \
         before others join.",
        policy.name()
    );
    Refusal::new(GroupError::GroupIdNotFound, &message)
}

fn unknown_member(group_id: &str, member_id: &str) -> Refusal {
    Refusal::new(GroupError::UnknownMemberId, &format!("Member {member_id} is not a member of group {group_id}."))
}

/// Most heartbeats say nothing but that the member lives.
pub(super) fn says_nothing_new(
    before: &ConsumerMemberMetadata,
    client: &ClientInfo,
    request: &ConsumerHeartbeat,
) -> bool {
    is_silent(request)
        && before.classic.is_none()
        && before.client_id == client.client_id
        && before.client_host == client.host
        && (request.group_instance_id.is_none() || before.group_instance_id == request.group_instance_id)
}

pub(super) fn is_silent(request: &ConsumerHeartbeat) -> bool {
    request.subscribed_topic_names.is_none()
        && request.subscribed_topic_regex.is_none()
        && request.rebalance_timeout_ms.is_none()
        && request.server_assignor.is_none()
        && request.rack_id.is_none()
}

/// What was known, with what the request says; what it leaves out stays.
fn said(mut known: ConsumerMemberMetadata, client: &ClientInfo, request: &ConsumerHeartbeat) -> ConsumerMemberMetadata {
    if let Some(names) = &request.subscribed_topic_names {
        let mut names: Vec<String> = names.clone();
        names.sort_unstable();
        names.dedup();
        known.subscribed_topic_names = names;
    }
    if let Some(regex) = &request.subscribed_topic_regex {
        // An empty one takes the former back.
        known.subscribed_topic_regex = Some(regex.clone()).filter(|regex| !regex.is_empty());
    }
    known.rebalance_timeout_ms = request.rebalance_timeout_ms.unwrap_or(known.rebalance_timeout_ms);
    known.server_assignor = request.server_assignor.clone().or(known.server_assignor);
    known.rack_id = request.rack_id.clone().or(known.rack_id);
    known.group_instance_id = request.group_instance_id.clone().or(known.group_instance_id);
    known.client_id.clone_from(&client.client_id);
    known.client_host.clone_from(&client.host);
    known.classic = None;
    known
}

/// An id for a member that brings none (version 0): 128 random bits as clients write them, in 22 characters.
pub(super) fn new_member_id(random: [u64; 2]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = (u128::from(random[0]) << 64) | u128::from(random[1]);
    let digit = |at: u32| DIGITS.get((bits >> (at * 6)) as usize & 0x3f).copied().unwrap_or(b'A');
    (0..22).map(|at| char::from(digit(at))).collect()
}
