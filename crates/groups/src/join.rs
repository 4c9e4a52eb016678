//! JoinGroup: who may join, as whom, and what that does to the group.
use crate::answer::{Answer, GroupError, GroupState, JoinGroupAnswer, JoinedMember};
use crate::event::{ClientInfo, GroupEventKind, Ticket};
use crate::member::{Member, PendingMember};
use crate::planted::planted;
use crate::request::JoinGroup;
use crate::selection::{supports, without_repetitions};
use crate::settings::Settings;
use crate::step::Step;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// The longest prefix of a member id, in bytes: an id with its random end must fit into a record's string.
const MAX_ID_PREFIX_BYTES: usize = 32_000;

/// A refusal. Clients look at the member id too: it is what they sent, or what they shall send next.
pub(crate) fn refused(error: GroupError, member_id: &str) -> Answer {
    Answer::JoinGroup(JoinGroupAnswer {
        error: Some(error),
        generation_id: -1,
        protocol_type: None,
        protocol_name: None,
        leader: String::new(),
        skip_assignment: false,
        member_id: member_id.into(),
        members: Vec::new(),
    })
}

/// A new member id: the instance id or the client's own name, and 128 random bits in the form of a version 4 UUID.
fn new_member_id(request: &JoinGroup, client: &ClientInfo) -> String {
    let prefix = request.group_instance_id.as_deref().unwrap_or(&client.client_id);
    let mut length = prefix.len().min(MAX_ID_PREFIX_BYTES);
    while !prefix.is_char_boundary(length) {
        length -= 1;
    }
    let prefix = prefix.get(..length).unwrap_or_default();
    let high = request.random[0] & !0xf000 | 0x4000;
    let low = request.random[1] & !(0b11 << 62) | (0b10 << 62);
    let (a, b, c) = (high >> 32, high >> 16 & 0xffff, high & 0xffff);
    format!("{prefix}-{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", low >> 48, low & 0xffff_ffff_ffff)
}

impl Step<'_> {
    pub(crate) fn join(&mut self, ticket: Ticket, client: ClientInfo, mut request: JoinGroup) {
        if !self.group.consumer.members.is_empty() {
            return self.join_consumers(ticket, &client, request);
        }
        if let Err(error) = self.make_room_for_classic(&request) {
            return self.reply(ticket, refused(error, &request.member_id));
        }
        request.protocols = without_repetitions(request.protocols);
        if !self.has_room(&request) {
            let member_id = core::mem::take(&mut request.member_id);
            self.reply(ticket, refused(GroupError::GroupMaxSizeReached, ""));
            return self.remove_and_go_on(&member_id, "the group is full");
        }
        let group_type = self.group.protocol_type.as_deref();
        if !supports(&self.group.roster, group_type, &request.protocol_type, &request.protocols) {
            return self.reply(ticket, refused(GroupError::InconsistentGroupProtocol, &request.member_id));
        }
        if request.member_id.is_empty() {
            self.join_unknown(ticket, client, request);
        } else if planted!(self.settings, RetriedJoinMakesASecondMember) && self.waits_in_a_join(&request.member_id) {
            let member_id = new_member_id(&request, &client);
            self.add_member(ticket, client, request, member_id);
        } else if self.group.pending.contains_key(&request.member_id) {
            let member_id = request.member_id.clone();
            self.add_member(ticket, client, request, member_id);
        } else {
            self.join_known(ticket, request);
        }
    }

    /// While members gather, those who wait in a join count, because the roster may be of a larger time.
    fn has_room(&self, request: &JoinGroup) -> bool {
        let limit = usize::try_from(self.settings.max_group_size).unwrap_or(0);
        let roster = &self.group.roster;
        let replaces = request.group_instance_id.as_deref().is_some_and(|instance| roster.instance(instance).is_some());
        match self.group.state {
            GroupState::Empty | GroupState::Dead | GroupState::Assigning | GroupState::Reconciling => true,
            GroupState::PreparingRebalance => self.waits_in_a_join(&request.member_id) || roster.parked_joins() < limit,
            GroupState::CompletingRebalance | GroupState::Stable => {
                replaces || roster.contains(&request.member_id) || roster.len() < limit
            }
        }
    }

    fn waits_in_a_join(&self, member_id: &str) -> bool {
        self.group.roster.get(member_id).is_some_and(|member| member.join.is_some())
    }

    fn join_unknown(&mut self, ticket: Ticket, client: ClientInfo, request: JoinGroup) {
        let member_id = new_member_id(&request, &client);
        let instance = request.group_instance_id.as_deref();
        if let Some(old) = instance.and_then(|instance| self.group.roster.instance(instance)) {
            let old = String::from(old);
            return self.replace_static(ticket, client, request, old, member_id);
        }
        if instance.is_none() && request.require_known_member_id {
            return self.ask_for_member_id(ticket, client, &request, member_id);
        }
        self.add_member(ticket, client, request, member_id);
    }

    /// KIP-394: a member exists only once its client has shown that it knows its id.
    fn ask_for_member_id(&mut self, ticket: Ticket, client: ClientInfo, request: &JoinGroup, member_id: String) {
        let session_timeout_ms = u64::try_from(request.session_timeout_ms).unwrap_or(0);
        let mut deadline_ms = self.now.monotonic_ms.saturating_add(session_timeout_ms);
        if planted!(self.settings, PendingMemberNeverExpires) {
            deadline_ms = u64::MAX;
        }
        let pending = PendingMember { client, deadline_ms, since_ms: self.now.wall_ms };
        self.group.pending.insert(member_id.clone(), pending);
        self.hear(&member_id);
        self.group.wake_at(deadline_ms);
        self.hold_longer(false);
        self.reply(ticket, refused(GroupError::MemberIdRequired, &member_id));
    }

    fn add_member(&mut self, ticket: Ticket, client: ClientInfo, request: JoinGroup, member_id: String) {
        self.group.pending.remove(&member_id);
        if self.group.roster.contains(&member_id) {
            // Only if the same random bits were drawn twice. Its client tries again with others.
            return self.reply(ticket, refused(GroupError::UnknownMemberId, ""));
        }
        let deadline_ms = self.now.monotonic_ms.saturating_add(Settings::NEW_MEMBER_JOIN_TIMEOUT_MS);
        let reason = request.said_reason();
        let member = Member {
            member_id: member_id.clone(),
            group_instance_id: request.group_instance_id,
            client_id: client.client_id,
            client_host: client.host,
            software: client.software,
            reason,
            rebalance_timeout_ms: u64::try_from(request.rebalance_timeout_ms).unwrap_or(0),
            session_timeout_ms: u64::try_from(request.session_timeout_ms).unwrap_or(0),
            protocols: request.protocols,
            join: Some(ticket),
            is_new: true,
            knows_id: !request.member_id.is_empty(),
            deadline_ms: Some(deadline_ms),
            last_seen_ms: self.now.wall_ms,
            ..Member::default()
        };
        if self.group.roster.is_empty() {
            self.group.protocol_type = Some(request.protocol_type);
        }
        if planted!(self.settings, TwoOwnersInOneGeneration) && self.group.state == GroupState::Stable {
            return self.let_in_as_second_leader(ticket, member);
        }
        let cause = format!("member {member_id} joins{}", because(request.reason.as_deref()));
        self.group.leader.get_or_insert_with(|| member_id.clone());
        self.tell(GroupEventKind::MemberJoined {
            member: member.culprit(),
            reason: member.reason.clone(),
            again: false,
        });
        self.group.roster.add(member);
        self.hear(&member_id);
        self.group.wake_at(deadline_ms);
        self.park(ticket, &member_id);
        self.hold_longer(true);
        self.rebalance_or_go_on(&cause);
    }

    /// Planted: the new member joins the running generation and is told to assign it.
    fn let_in_as_second_leader(&mut self, ticket: Ticket, mut member: Member) {
        let member_id = member.member_id.clone();
        (member.join, member.is_new) = (None, false);
        self.group.roster.add(member);
        self.group.leader = Some(member_id.clone());
        self.group.renew_session(self.now, &member_id);
        let answer = self.joined(&member_id);
        self.reply(ticket, answer);
    }

    fn join_known(&mut self, ticket: Ticket, request: JoinGroup) {
        let member_id = request.member_id.as_str();
        if let Err(error) = self.check_member(member_id, request.group_instance_id.as_deref()) {
            return self.reply(ticket, refused(error, member_id));
        }
        let same = self.group.roster.get(member_id).is_some_and(|member| member.protocols == request.protocols);
        let current = match self.group.state {
            GroupState::Empty | GroupState::Dead | GroupState::Assigning | GroupState::Reconciling => {
                return self.reply(ticket, refused(GroupError::UnknownMemberId, member_id));
            }
            GroupState::PreparingRebalance => false,
            // It may have missed the answer to its join.
            GroupState::CompletingRebalance => same,
            // A leader that joins again wants to assign anew; a follower with nothing new gets the generation there is.
            GroupState::Stable => same && !self.group.leads(member_id),
        };
        if current {
            self.group.renew_session(self.now, member_id);
            self.expect_sync(member_id);
            let answer = self.joined(member_id);
            return self.reply(ticket, answer);
        }
        let what = if same { "joins again" } else { "changed what it supports" };
        let cause = format!("member {member_id} {what}{}", because(request.reason.as_deref()));
        self.tell_join_again(&request);
        self.park_join(ticket, request);
        self.rebalance_or_go_on(&cause);
    }

    /// In a rebalance everybody joins again, which is nothing to tell of.
    fn tell_join_again(&mut self, request: &JoinGroup) {
        if self.group.state == GroupState::PreparingRebalance {
            return;
        }
        let Some(member) = self.group.roster.get(&request.member_id) else { return };
        let (member, reason) = (member.culprit(), request.said_reason());
        self.tell(GroupEventKind::MemberJoined { member, reason, again: true });
    }

    /// Takes over what the request says and lets the member wait; it counts as alive as long as it does.
    pub(crate) fn park_join(&mut self, ticket: Ticket, request: JoinGroup) {
        let member_id = request.member_id;
        self.group.roster.set_protocols(&member_id, request.protocols);
        if let Some(member) = self.group.roster.get_mut(&member_id) {
            member.rebalance_timeout_ms = u64::try_from(request.rebalance_timeout_ms).unwrap_or(0);
            member.session_timeout_ms = u64::try_from(request.session_timeout_ms).unwrap_or(0);
            member.last_seen_ms = self.now.wall_ms;
            member.reason = request.reason.filter(|reason| !reason.is_empty());
            member.knows_id |= member.group_instance_id.is_none();
            if !member.is_new {
                member.deadline_ms = None;
            }
        }
        // Its client has given up on a join that is still parked, or it would not have sent another one.
        if let Some(earlier) = self.group.roster.set_join(&member_id, Some(ticket)) {
            self.reply(earlier, refused(GroupError::RebalanceInProgress, &member_id));
        }
        self.park(ticket, &member_id);
    }

    /// The answer that lets a member into the recorded generation.
    pub(crate) fn joined(&self, member_id: &str) -> Answer {
        let leads = self.group.leads(member_id);
        Answer::JoinGroup(JoinGroupAnswer {
            error: None,
            generation_id: self.group.generation_id(),
            protocol_type: self.group.protocol_type.clone(),
            protocol_name: self.group.protocol().map(String::from),
            leader: self.group.leader.clone().unwrap_or_default(),
            skip_assignment: false,
            member_id: member_id.into(),
            members: if leads { self.joined_members() } else { Vec::new() },
        })
    }

    pub(crate) fn joined_members(&self) -> Vec<JoinedMember> {
        let protocol = self.group.protocol().unwrap_or_default();
        let members = self.group.roster.iter().map(|member| JoinedMember {
            member_id: member.member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            metadata: member.metadata(protocol).to_vec(),
        });
        members.collect()
    }
}

/// A client's own reason as the end of a sentence.
pub(crate) fn because(reason: Option<&str>) -> String {
    match reason {
        Some(reason) if !reason.is_empty() => format!(": {reason}"),
        _ => String::new(),
    }
}
