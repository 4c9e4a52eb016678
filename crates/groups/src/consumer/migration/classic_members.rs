//! Members of the classic protocol within a group of the consumer protocol: they join, sync and send heartbeats as ever, and the
//! broker answers in the place of a leader. Generation stands for member epoch.
use super::MigrationPolicy;
use super::downgrade::classic;
use super::embedded::Subscription;
use crate::answer::{Answer, GroupError, JoinGroupAnswer, SyncedMember};
use crate::consumer::admission::new_member_id;
use crate::consumer::live::{LiveClassic, Subscription as Reads};
use crate::event::{ClientInfo, GroupEventKind, Ticket};
use crate::join::{because, refused};
use crate::planted::planted;
use crate::records::{ClassicMember, ConsumerMemberMetadata, MemberState, StoredRecord};
use crate::request::{Heartbeat, JoinGroup, SyncGroup};
use crate::selection::without_repetitions;
use crate::step::Step;
use crate::subscription::CONSUMER;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// The place that a join speaks from.
enum Seat {
    /// The member's own.
    Known(String),
    /// There is none yet.
    New(String),
    /// That of a static member, whose member id comes first; the second one takes over.
    Replaces(String, String),
}

impl Step<'_> {
    /// JoinGroup. It is answered at once: nobody waits for others here.
    pub(crate) fn join_consumers(&mut self, ticket: Ticket, client: &ClientInfo, mut request: JoinGroup) {
        request.protocols = without_repetitions(request.protocols);
        let seat = self.check_join(&request).and_then(|said| Ok((self.classic_seat(&request)?, said)));
        let (seat, said) = match seat {
            Ok(found) => found,
            Err(error) => return self.reply(ticket, refused(error, &request.member_id)),
        };
        if let Seat::New(member_id) = &seat
            && self.must_show_its_id(&request)
        {
            return self.reply(ticket, refused(GroupError::MemberIdRequired, member_id));
        }
        let member_id = self.admit_classic(client, &request, seat, &said);
        self.make_target();
        let owned = self.ids_of(&said.owned);
        self.reconcile(&member_id, Some(&owned));
        self.expect_classic_sync(&member_id);
        let answer = self.joined_consumers(&member_id);
        if self.should_downgrade() {
            self.downgrade(&format!("member {member_id} joins, and all others speak the classic protocol too"));
        }
        self.reply(ticket, answer);
    }

    /// What the member reads and has, if it may be in this group.
    fn check_join(&self, request: &JoinGroup) -> Result<Subscription, GroupError> {
        let members = self.group.durable.consumer().into_iter().flat_map(|consumer| consumer.members.values());
        let others: Vec<&ClassicMember> = members.filter_map(classic).collect();
        let all_support =
            |name: &str| others.iter().all(|other| other.protocols.iter().any(|protocol| protocol.name == name));
        let supports = request.protocols.iter().any(|protocol| all_support(&protocol.name));
        let is_known = self.group.consumer.members.contains_key(&request.member_id);
        let is_closed = self.settings.migration_policy == MigrationPolicy::Disabled && !is_known;
        if request.protocol_type != CONSUMER || !supports || is_closed {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        let first = request.protocols.first().map_or(&[][..], |protocol| &protocol.metadata);
        Subscription::read(first).map_err(|_| GroupError::InconsistentGroupProtocol)
    }

    fn classic_seat(&self, request: &JoinGroup) -> Result<Seat, GroupError> {
        let live = &self.group.consumer;
        let member_id = request.member_id.as_str();
        let new_id = || new_member_id(request.random);
        match request.group_instance_id.as_deref().map(|instance| live.instances.get(instance)) {
            Some(Some(owner)) if member_id.is_empty() => return Ok(Seat::Replaces(owner.clone(), new_id())),
            Some(Some(owner)) if owner != member_id => return Err(GroupError::FencedInstanceId),
            Some(None) if !member_id.is_empty() => return Err(GroupError::UnknownMemberId),
            _ => {}
        }
        if live.members.contains_key(member_id) {
            return Ok(Seat::Known(member_id.into()));
        }
        let limit = usize::try_from(self.settings.consumer_max_group_size).unwrap_or(0);
        if live.members.len() >= limit {
            return Err(GroupError::GroupMaxSizeReached);
        }
        // One that was put out and has not heard of it must first give up what it had.
        let has_any = request.protocols.first().and_then(|protocol| Subscription::read(&protocol.metadata).ok());
        if !member_id.is_empty() && has_any.is_some_and(|said| !said.owned.is_empty()) {
            return Err(GroupError::UnknownMemberId);
        }
        Ok(Seat::New(if member_id.is_empty() { new_id() } else { member_id.into() }))
    }

    /// KIP-394: a dynamic member exists only once its client has shown that it knows its id.
    fn must_show_its_id(&self, request: &JoinGroup) -> bool {
        request.member_id.is_empty() && request.group_instance_id.is_none() && request.require_known_member_id
    }

    /// Takes the member in, or takes down what it says of itself. Answers its id.
    fn admit_classic(&mut self, client: &ClientInfo, request: &JoinGroup, seat: Seat, said: &Subscription) -> String {
        let member_id = match &seat {
            Seat::Known(member_id) | Seat::New(member_id) | Seat::Replaces(_, member_id) => member_id.clone(),
        };
        if let Seat::Replaces(old, new) = &seat {
            self.replace_consumer(old, new);
        }
        let before = self.group.durable.consumer_member(&member_id).and_then(|member| member.metadata.clone());
        let is_new = before.is_none();
        let before = before.unwrap_or_default();
        let after = with_what_it_says(before.clone(), client, request, said);
        if is_new {
            self.seat_live(&member_id, &after);
        }
        let reads = Reads::of(&after);
        let reads_other = is_new || reads != Reads::of(&before);
        if reads_other && !is_new {
            self.group.consumer.change_subscription(&member_id, Arc::new(reads), self.topics);
        }
        if let Some(live) = self.group.consumer.members.get_mut(&member_id) {
            live.classic = LiveClassic::of(&after);
            live.software.clone_from(&client.software);
            live.reason = request.said_reason();
        }
        if after != before {
            self.record(StoredRecord::ConsumerMember(self.group.group_id.clone(), member_id.clone(), Some(after)));
        }
        self.hear(&member_id);
        if is_new {
            let (member, reason) = (self.group.consumer_culprit(&member_id), request.said_reason());
            self.tell(GroupEventKind::MemberJoined { member, reason, again: false });
        }
        if reads_other {
            let what = if is_new { "joins" } else { "reads other topics" };
            self.next_epoch(&format!("member {member_id} {what}{}", because(request.reason.as_deref())));
        }
        member_id
    }

    /// A member that was told of an epoch must ask for its assignment in time, or it does not know what it has.
    fn expect_classic_sync(&mut self, member_id: &str) {
        let deadline_ms = self.patience_deadline_ms(member_id);
        self.renew_consumer_session(member_id);
        let now = self.now;
        let Some(live) = self.group.consumer.members.get_mut(member_id) else { return };
        let Some(classic) = &mut live.classic else { return };
        classic.rejoin_deadline_ms = None;
        classic.sync_deadline_ms = Some(deadline_ms);
        classic.asked_since_ms = now.wall_ms;
        self.group.wake_at(deadline_ms);
    }

    fn patience_deadline_ms(&self, member_id: &str) -> u64 {
        let member = self.group.durable.consumer_member(member_id).and_then(|member| member.metadata.as_ref());
        let patience_ms = member.map_or(0, |metadata| metadata.rebalance_timeout_ms);
        self.now.monotonic_ms.saturating_add(u64::try_from(patience_ms).unwrap_or(0))
    }

    fn joined_consumers(&self, member_id: &str) -> Answer {
        Answer::JoinGroup(JoinGroupAnswer {
            error: None,
            generation_id: self.current(member_id).member_epoch,
            protocol_type: Some(CONSUMER.into()),
            protocol_name: self.first_protocol(member_id).map(String::from),
            leader: String::new(),
            skip_assignment: false,
            member_id: member_id.into(),
            members: Vec::new(),
        })
    }

    /// Under which a member of the classic protocol reads its assignment.
    fn first_protocol(&self, member_id: &str) -> Option<&str> {
        let classic = self.group.durable.consumer_member(member_id).and_then(classic)?;
        classic.protocols.first().map(|protocol| protocol.name.as_str())
    }

    /// Somebody who names this member, instance and generation may speak for a member of the classic protocol.
    fn check_classic(&self, member_id: &str, instance: Option<&str>, generation_id: i32) -> Result<(), GroupError> {
        match instance.map(|instance| self.group.consumer.instances.get(instance)) {
            Some(None) => return Err(GroupError::UnknownMemberId),
            Some(Some(owner)) if owner != member_id && !planted!(self.settings, StaticFenceSkipped) => {
                return Err(GroupError::FencedInstanceId);
            }
            _ => {}
        }
        let member = self.group.durable.consumer_member(member_id).ok_or(GroupError::UnknownMemberId)?;
        classic(member).ok_or(GroupError::UnknownMemberId)?;
        if member.current.member_epoch == generation_id { Ok(()) } else { Err(GroupError::IllegalGeneration) }
    }

    /// SyncGroup: the member fetches what it has.
    pub(crate) fn sync_consumers(&mut self, ticket: Ticket, request: &SyncGroup) {
        let answer = self.synced_consumers(request);
        if answer.is_ok() {
            self.renew_consumer_session(&request.member_id);
            if let Some(live) = self.group.consumer.members.get_mut(&request.member_id)
                && let Some(classic) = &mut live.classic
            {
                classic.sync_deadline_ms = None;
            }
        }
        self.reply(ticket, Answer::SyncGroup(answer));
    }

    fn synced_consumers(&mut self, request: &SyncGroup) -> Result<SyncedMember, GroupError> {
        let member_id = &request.member_id;
        self.check_classic(member_id, request.group_instance_id.as_deref(), request.generation_id)?;
        let protocol_name = self.first_protocol(member_id).map(String::from);
        let differs = |claimed: &Option<String>, real: Option<&str>| {
            claimed.as_deref().is_some_and(|claimed| real != Some(claimed))
        };
        if differs(&request.protocol_type, Some(CONSUMER)) || differs(&request.protocol_name, protocol_name.as_deref())
        {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        let current = self.current(member_id);
        // One that has just been told to give up partitions has joined already, and first does that.
        if current.member_epoch < self.group.epoch() && current.state != MemberState::UnrevokedPartitions {
            self.expect_rejoin(member_id);
            return Err(GroupError::RebalanceInProgress);
        }
        let member = self.group.durable.consumer_member(member_id).ok_or(GroupError::UnknownMemberId)?;
        let greedy = planted!(self.settings, ClassicSyncGivesTheTarget);
        let has = if greedy { &member.target } else { &member.current.assigned };
        let assignment = self.embedded(classic(member), has);
        Ok(SyncedMember { protocol_type: Some(CONSUMER.into()), protocol_name, assignment })
    }

    /// Heartbeat: the member lives, and hears whether it must join again.
    pub(crate) fn beat_classic(&mut self, request: &Heartbeat) -> Result<(), GroupError> {
        let member_id = &request.member_id;
        self.check_classic(member_id, request.group_instance_id.as_deref(), request.generation_id)?;
        if !planted!(self.settings, HeartbeatDoesNotCount) {
            self.renew_consumer_session(member_id);
        }
        if self.must_rejoin(member_id) {
            self.expect_rejoin(member_id);
            return Err(GroupError::RebalanceInProgress);
        }
        Ok(())
    }

    /// There is another epoch, it has to give up partitions, or all that it waits for is free.
    fn must_rejoin(&self, member_id: &str) -> bool {
        let Some(member) = self.group.durable.consumer_member(member_id) else { return false };
        let live = &self.group.consumer;
        let all_free =
            || member.target.iter().all(|(topic_id, partition)| live.is_free(member_id, topic_id, partition));
        member.current.member_epoch < self.group.epoch()
            || match member.current.state {
                MemberState::Stable => false,
                MemberState::UnrevokedPartitions => true,
                MemberState::UnreleasedPartitions => all_free(),
            }
    }

    fn expect_rejoin(&mut self, member_id: &str) {
        let deadline_ms = self.patience_deadline_ms(member_id);
        let now = self.now;
        let Some(live) = self.group.consumer.members.get_mut(member_id) else { return };
        let Some(classic) = &mut live.classic else { return };
        if classic.rejoin_deadline_ms.is_none() {
            classic.rejoin_deadline_ms = Some(deadline_ms);
            classic.asked_since_ms = now.wall_ms;
            self.group.wake_at(deadline_ms);
        }
    }
}

/// What was known, with what a join says.
fn with_what_it_says(
    mut known: ConsumerMemberMetadata,
    client: &ClientInfo,
    request: &JoinGroup,
    said: &Subscription,
) -> ConsumerMemberMetadata {
    known.group_instance_id = request.group_instance_id.clone().or(known.group_instance_id);
    known.rack_id = said.rack_id.clone().or(known.rack_id);
    known.client_id.clone_from(&client.client_id);
    known.client_host.clone_from(&client.host);
    known.subscribed_topic_names.clone_from(&said.topics);
    // A member of the classic protocol names its topics.
    known.subscribed_topic_regex = None;
    known.rebalance_timeout_ms = request.rebalance_timeout_ms;
    let (session_timeout_ms, protocols) = (request.session_timeout_ms, request.protocols.clone());
    known.classic = Some(ClassicMember { session_timeout_ms, protocols });
    known
}
