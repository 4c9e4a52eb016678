//! One group: its durable part, its live part, and the questions that every request asks of it.
use crate::answer::GroupState;
use crate::connections::Connections;
use crate::consumer::ConsumerLive;
use crate::departures::Departures;
use crate::durable::DurableGroup;
use crate::event::Now;
use crate::explain::Progresses;
use crate::member::PendingMember;
use crate::records::{GroupMetadata, StoredMember};
use crate::roster::Roster;
use crate::subscription::Subscribed;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// A group of either protocol, or of none as long as it has only commits.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) group_id: String,
    pub(crate) durable: DurableGroup,
    pub(crate) state: GroupState,
    /// Wall time at which the state was entered.
    pub(crate) state_since_ms: i64,
    /// Wall time in milliseconds since when it is in memory.
    pub(crate) known_since_ms: i64,
    /// Who left lately.
    pub(crate) departures: Departures,
    /// Why, in words.
    pub(crate) cause: String,
    /// How far its commits are, and how they moved.
    pub(crate) progress: Progresses,
    /// What members had in the last generation that was assigned, as long as the next one is not.
    pub(crate) assigned_before: BTreeMap<String, Vec<u8>>,
    /// Until when nobody may commit from outside (monotonic): members that a reset has removed may not have heard of it.
    pub(crate) closed_until_ms: u64,
    /// The protocol type of the members; kept when the last one has left.
    pub(crate) protocol_type: Option<String>,
    /// Who leads, or will lead if it joins again.
    pub(crate) leader: Option<String>,
    pub(crate) roster: Roster,
    /// Clients that have been given a member id, by that id.
    pub(crate) pending: BTreeMap<String, PendingMember>,
    pub(crate) subscribed: Subscribed,
    /// The live part of a group of the consumer protocol.
    pub(crate) consumer: ConsumerLive,
    pub(crate) connections: Connections,
    /// Until when a rebalance waits for members to join again (monotonic).
    pub(crate) rejoin_deadline_ms: Option<u64>,
    /// Until when members may be late with their sync (monotonic).
    pub(crate) sync_deadline_ms: Option<u64>,
    /// The delay of the first rebalance.
    pub(crate) hold: Option<Hold>,
    /// The running rebalance began in an empty group.
    pub(crate) from_empty: bool,
    /// No timer of this group fires before this (monotonic); `u64::MAX` without timers.
    pub(crate) wake_at_ms: u64,
    /// When all were last looked at for it (monotonic).
    pub(crate) looked_at_ms: u64,
    /// How many records there were of it, but for commits, since it was loaded: as long as that stays, so does whatever follows from records.
    pub(crate) revision: u64,
}

/// How the first rebalance of a group waits for more members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    /// When the wait ends, as far as can be said now (monotonic).
    pub(crate) until_ms: u64,
    pub(crate) kind: HoldKind,
}

/// See [`crate::Settings::initial_rebalance_delay_ms`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HoldKind {
    /// As in Kafka: if somebody joined meanwhile, wait `delay_ms` again while there is some of `remaining_ms`.
    Fixed { delay_ms: u64, remaining_ms: u64, somebody_joined: bool },
    /// Each join adds a step, up to `bound_ms` (monotonic).
    Adaptive { bound_ms: u64 },
}

impl Group {
    pub(crate) fn new(group_id: String) -> Self {
        Group {
            group_id,
            durable: DurableGroup::default(),
            state: GroupState::Empty,
            state_since_ms: 0,
            known_since_ms: 0,
            departures: Departures::default(),
            cause: String::new(),
            closed_until_ms: 0,
            progress: Progresses::default(),
            assigned_before: BTreeMap::new(),
            protocol_type: None,
            leader: None,
            roster: Roster::default(),
            pending: BTreeMap::new(),
            subscribed: Subscribed::Nothing,
            consumer: ConsumerLive::default(),
            connections: Connections::default(),
            rejoin_deadline_ms: None,
            sync_deadline_ms: None,
            hold: None,
            from_empty: false,
            wake_at_ms: u64::MAX,
            looked_at_ms: 0,
            revision: 0,
        }
    }

    pub(crate) fn generation_id(&self) -> i32 {
        self.durable.metadata().map_or(0, |metadata| metadata.generation_id)
    }

    /// The generation or, of the consumer protocol, the group's epoch.
    pub(crate) fn generation_or_epoch(&self) -> i32 {
        if self.is_consumer() { self.epoch() } else { self.generation_id() }
    }

    /// The protocol of the recorded generation.
    pub(crate) fn protocol(&self) -> Option<&str> {
        self.durable.metadata()?.protocol.as_deref()
    }

    /// What the recorded generation gives to a member.
    pub(crate) fn assignment(&self, member_id: &str) -> &[u8] {
        let member = self.durable.metadata().and_then(|metadata| metadata.member(member_id));
        member.map_or(&[], |member| &member.assignment)
    }

    pub(crate) fn leads(&self, member_id: &str) -> bool {
        self.leader.as_deref() == Some(member_id)
    }

    /// It uses the consumer protocol.
    pub(crate) fn is_consumer(&self) -> bool {
        self.durable.consumer().is_some()
    }

    /// It uses the classic protocol and has members.
    pub(crate) fn has_classic_members(&self) -> bool {
        !self.is_consumer() && !self.roster.is_empty()
    }

    /// Whether its members read that topic, or may.
    pub(crate) fn reads(&self, topic: &str) -> bool {
        if self.is_consumer() { self.consumer.reads(topic) } else { self.subscribed.contains(topic) }
    }

    /// Neither the log nor a client knows of this group.
    pub(crate) fn is_nothing(&self) -> bool {
        self.durable.is_nothing() && self.roster.is_empty() && self.pending.is_empty()
    }

    /// How long a rebalance waits: as long as the most patient member.
    pub(crate) fn rebalance_timeout_ms(&self) -> u64 {
        self.roster.iter().map(|member| member.rebalance_timeout_ms).max().unwrap_or(0)
    }

    pub(crate) fn all_have_joined(&self) -> bool {
        self.roster.parked_joins() == self.roster.len() && self.pending.is_empty()
    }

    /// Makes sure that somebody looks at this group at that time.
    pub(crate) fn wake_at(&mut self, at_ms: u64) {
        self.wake_at_ms = self.wake_at_ms.min(at_ms);
    }

    /// The member has shown that it lives: its session starts anew.
    pub(crate) fn renew_session(&mut self, now: Now, member_id: &str) {
        let Some(member) = self.roster.get_mut(member_id) else { return };
        let deadline_ms = now.monotonic_ms.saturating_add(member.session_timeout_ms);
        member.rhythm.heard_after(now.wall_ms.saturating_sub(member.last_seen_ms), member.session_timeout_ms);
        member.last_seen_ms = now.wall_ms;
        if member.join.is_none() && member.sync.is_none() {
            member.deadline_ms = Some(deadline_ms);
            self.wake_at(deadline_ms);
        }
    }

    /// The live members as a record shows them, under a protocol, each with what `assignment` gives it.
    pub(crate) fn record(
        &self,
        generation_id: i32,
        protocol: Option<String>,
        state_timestamp_ms: i64,
        mut assignment: impl FnMut(&str) -> Vec<u8>,
    ) -> GroupMetadata {
        let name = protocol.as_deref().unwrap_or_default();
        let members = self.roster.iter().map(|member| StoredMember {
            member_id: member.member_id.clone(),
            group_instance_id: member.group_instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: i32::try_from(member.rebalance_timeout_ms).unwrap_or(i32::MAX),
            session_timeout_ms: i32::try_from(member.session_timeout_ms).unwrap_or(i32::MAX),
            subscription: member.metadata(name).to_vec(),
            assignment: assignment(&member.member_id),
        });
        GroupMetadata {
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            generation_id,
            members: members.collect(),
            leader: self.leader.clone().filter(|_| !self.roster.is_empty()),
            protocol,
            state_timestamp_ms,
        }
    }
}
