//! A group of the consumer protocol of which only members of the classic protocol are left becomes one of the classic protocol.
use super::embedded::{Subscription, write_assignment};
use crate::assignment::Assignment;
use crate::consumer::ConsumerLive;
use crate::durable::DurableMember;
use crate::event::GroupEventKind;
use crate::member::Member;
use crate::planted::planted;
use crate::records::{ClassicMember, StoredRecord};
use crate::selection::choose_protocol;
use crate::step::Step;
use crate::subscription::CONSUMER;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

impl Step<'_> {
    /// Members are gone: the group goes on in a new epoch, or with the classic protocol.
    pub(in crate::consumer) fn go_on_without(&mut self, cause: &str) {
        if self.should_downgrade() { self.downgrade(cause) } else { self.next_epoch(cause) }
    }

    /// Only members of the classic protocol are left, and they may have their way.
    pub(super) fn should_downgrade(&self) -> bool {
        let Some(consumer) = self.group.durable.consumer() else { return false };
        let limit = usize::try_from(self.settings.max_group_size).unwrap_or(0);
        self.settings.migration_policy.downgrades()
            && (1..=limit).contains(&consumer.members.len())
            && consumer.members.values().all(|member| classic(member).is_some())
    }

    /// The record of the classic group comes first: from then on it counts ([`Step::undo_half_a_migration`]). It names no leader,
    /// which no other generation with members does, so that a coordinator that loads it knows that it must be rebalanced.
    pub(super) fn downgrade(&mut self, cause: &str) {
        let Some(consumer) = self.group.durable.consumer() else { return };
        let (generation_id, mut members) = (consumer.epoch.epoch, consumer.members.clone());
        if planted!(self.settings, DowngradeForgetsAMember) && members.len() > 1 {
            members.pop_last();
        }
        self.group.consumer = ConsumerLive::default();
        self.group.protocol_type = Some(CONSUMER.into());
        self.group.leader = None;
        for (member_id, member) in &members {
            self.seat_classic(member_id, member);
        }
        let protocol = choose_protocol(&self.group.roster, None);
        self.group.subscribed = self.subscribed(protocol.as_deref().unwrap_or_default());
        let given: BTreeMap<&String, Vec<u8>> =
            members.iter().map(|(member_id, member)| (member_id, self.as_a_leader_would(member))).collect();
        let metadata = self.group.record(generation_id, protocol, self.now.wall_ms, |member_id| {
            given.get(&String::from(member_id)).cloned().unwrap_or_default()
        });
        self.record(StoredRecord::Group(self.group.group_id.clone(), Some(metadata)));
        self.forget_consumer_members();
        self.tell(GroupEventKind::ProtocolMigrated { from: "consumer", to: "classic", cause: cause.into() });
        self.begin_rebalance(cause);
    }

    /// What a member has, or has not given up yet, as its leader would have given it.
    fn as_a_leader_would(&self, member: &DurableMember) -> Vec<u8> {
        let has = member.current.assigned.union(&member.current.pending_revocation);
        self.embedded(classic(member), &has)
    }

    /// An assignment for a member of the classic protocol.
    pub(super) fn embedded(&self, classic: Option<&ClassicMember>, partitions: &Assignment) -> Vec<u8> {
        let said = classic.and_then(|classic| classic.protocols.first());
        let version =
            said.and_then(|protocol| Subscription::read(&protocol.metadata).ok()).map_or(0, |said| said.version);
        write_assignment(version, self.topics.named(partitions).map(|(_, name, partitions)| (name, partitions)))
    }

    fn seat_classic(&mut self, member_id: &str, member: &DurableMember) {
        let Some(metadata) = member.metadata.clone() else { return };
        let Some(classic) = metadata.classic else { return };
        self.group.roster.add(Member {
            member_id: member_id.into(),
            group_instance_id: metadata.group_instance_id,
            client_id: metadata.client_id,
            client_host: metadata.client_host,
            software: self.group.consumer.members.get(member_id).and_then(|live| live.software.clone()),
            rebalance_timeout_ms: u64::try_from(metadata.rebalance_timeout_ms).unwrap_or(0),
            session_timeout_ms: u64::try_from(classic.session_timeout_ms).unwrap_or(0),
            protocols: classic.protocols,
            knows_id: true,
            last_seen_ms: self.now.wall_ms,
            ..Member::default()
        });
        self.group.renew_session(self.now, member_id);
    }

    /// Takes every record of the consumer protocol back.
    fn forget_consumer_members(&mut self) {
        let members =
            self.group.durable.consumer().map(|consumer| consumer.members.keys().cloned().collect::<Vec<_>>());
        for member_id in members.unwrap_or_default() {
            self.record_gone(&member_id);
        }
        self.forget_consumer_group();
    }

    /// The log may end in the middle of a migration. A classic group with members is there whole, in one record, which an upgrade
    /// takes back last and a downgrade writes first: while it is there, it counts.
    pub(crate) fn undo_half_a_migration(&mut self) {
        let has_members = self.group.durable.metadata().is_some_and(|metadata| !metadata.members.is_empty());
        if has_members && self.group.is_consumer() && !planted!(self.settings, HalfAMigrationCounts) {
            self.forget_consumer_members();
        }
    }
}

/// What a member says as one of the classic protocol, if it is one.
pub(super) fn classic(member: &DurableMember) -> Option<&ClassicMember> {
    member.metadata.as_ref()?.classic.as_ref()
}
