//! A group of the classic protocol becomes one of the consumer protocol, with its members.
use super::embedded::{Subscription, read_assignment};
use crate::answer::{Answer, GroupError, Refusal};
use crate::assignment::Assignment;
use crate::consumer::admission::has_classic_members;
use crate::event::{GroupEventKind, Ticket};
use crate::join::refused;
use crate::member::Member;
use crate::planted::planted;
use crate::records::{ClassicMember, ConsumerMemberMetadata, CurrentAssignment, GroupEpoch, StoredRecord};
use crate::request::TopicId;
use crate::roster::Roster;
use crate::step::Step;
use crate::subscription::CONSUMER;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A member of the classic protocol as it will be in the group of the consumer protocol.
struct Heir {
    member_id: String,
    metadata: ConsumerMemberMetadata,
    /// What it may be working on.
    assigned: Assignment,
}

/// Of a member whose first join is not answered, and whose client does not know its id, nobody can come back.
fn can_come_back(member: &Member) -> bool {
    member.knows_id || !member.is_new
}

impl Step<'_> {
    /// Whether a group with members of the classic protocol may take in one of the consumer protocol.
    ///
    /// # Errors
    /// Why it stays as it is.
    pub(in crate::consumer) fn may_upgrade(&self) -> Result<(), Refusal> {
        let group_id = &self.group.group_id;
        if !self.settings.migration_policy.upgrades() {
            return Err(has_classic_members(group_id, self.settings.migration_policy));
        }
        if self.group.protocol_type.as_deref() != Some(CONSUMER) {
            let message = format!("Group {group_id} is not used by consumers; choose another group.id.");
            return Err(Refusal::new(GroupError::GroupIdNotFound, &message));
        }
        let limit = usize::try_from(self.settings.consumer_max_group_size).unwrap_or(0);
        if self.group.roster.len() > limit {
            let message = format!("Group {group_id} has more members than the {limit} of a consumer group.");
            return Err(Refusal::new(GroupError::GroupMaxSizeReached, &message));
        }
        self.heirs().map(|_| ())
    }

    /// The members with what each may be working on. No partition is of two.
    fn heirs(&self) -> Result<Vec<Heir>, Refusal> {
        let mut found = Vec::with_capacity(self.group.roster.len());
        for member in self.group.roster.iter().filter(|member| can_come_back(member)) {
            let what_it_says = member.protocols.first().map_or(&[][..], |protocol| &protocol.metadata);
            let unreadable = |what: &str, problem| {
                let message = format!(
                    "The {what} of {} in group {} cannot be read: {problem}. Stop that member before others join.",
                    member.member_id, self.group.group_id
                );
                Refusal::new(GroupError::GroupIdNotFound, &message)
            };
            let said = Subscription::read(what_it_says).map_err(|problem| unreadable("subscription", problem))?;
            let given = read_assignment(self.group.assignment(&member.member_id));
            let given = given.map_err(|problem| unreadable("assignment", problem))?;
            found.push((member, said, given));
        }
        // Where two say that they have a partition, the one of the later generation has it.
        found.sort_by_key(|(_, said, _)| core::cmp::Reverse(said.generation_id));
        let is_assigned = self.group.durable.metadata().is_some_and(|metadata| !metadata.is_unassigned());
        let mut taken: BTreeSet<(TopicId, i32)> = BTreeSet::new();
        let heirs = found.into_iter().map(|(member, said, given)| {
            // A generation that is not assigned yet has members that still have what they had before, if anything.
            let has = if is_assigned { &given } else { &said.owned };
            let has = self.ids_of(has).filter(|topic_id, partition| taken.insert((topic_id, partition)));
            Heir { member_id: member.member_id.clone(), metadata: metadata_of(member, &said), assigned: has }
        });
        Ok(heirs.collect())
    }

    /// The same partitions by the ids of their topics, without those of topics that are gone.
    pub(super) fn ids_of(&self, partitions: &[(String, i32)]) -> Assignment {
        let id = |name: &str| self.topics.by_name(name).map(|shape| shape.topic_id);
        Assignment::of(partitions.iter().filter_map(|(name, partition)| Some((id(name)?, *partition))))
    }

    /// Makes the group one of the consumer protocol. [`Step::may_upgrade`] has allowed it.
    ///
    /// The record of the classic group goes last: as long as it is there, it counts ([`Step::undo_half_a_migration`]).
    pub(in crate::consumer) fn upgrade(&mut self, cause: &str) {
        let Ok(heirs) = self.heirs() else { return };
        let generation_id = self.group.generation_id();
        let was_recorded = self.group.durable.metadata().is_some();
        let roster = core::mem::take(&mut self.group.roster);
        self.forget_classic_ways();
        for heir in heirs {
            self.inherit(heir, generation_id);
        }
        let group_id = || self.group.group_id.clone();
        let metadata_hash = self.metadata_hash();
        let (epoch, gone) = (
            StoredRecord::GroupEpoch(group_id(), Some(GroupEpoch { epoch: generation_id, metadata_hash })),
            StoredRecord::Group(group_id(), None),
        );
        self.record(StoredRecord::TargetEpoch(self.group.group_id.clone(), Some(generation_id)));
        self.record(epoch);
        if was_recorded {
            self.record(gone);
        }
        self.ask_to_join_again(&roster);
        self.tell(GroupEventKind::ProtocolMigrated { from: "classic", to: "consumer", cause: cause.into() });
        self.settle_state(cause);
    }

    fn inherit(&mut self, heir: Heir, generation_id: i32) {
        let Heir { member_id, metadata, assigned } = heir;
        let assigned = if planted!(self.settings, UpgradeForgetsAssignments) { Assignment::none() } else { assigned };
        self.seat_live(&member_id, &metadata);
        let group_id = || self.group.group_id.clone();
        let member = StoredRecord::ConsumerMember(group_id(), member_id.clone(), Some(metadata));
        let target = StoredRecord::Target(group_id(), member_id.clone(), Some(assigned.clone()));
        self.record(member);
        self.record(target);
        let current = CurrentAssignment {
            member_epoch: generation_id,
            previous_member_epoch: generation_id,
            assigned_epochs: assigned.iter().map(|_| generation_id).collect(),
            assigned,
            ..CurrentAssignment::nothing()
        };
        self.set_current(&member_id, current);
    }

    /// Whoever waits for a generation, or for an assignment, must join again.
    fn ask_to_join_again(&mut self, roster: &Roster) {
        let waiting: Vec<(Option<Ticket>, Option<Ticket>, String)> = roster
            .iter()
            .map(|member| {
                (member.join, member.sync, if can_come_back(member) { member.member_id.clone() } else { String::new() })
            })
            .collect();
        for (join, sync, member_id) in waiting {
            if let Some(ticket) = join {
                self.reply(ticket, refused(GroupError::RebalanceInProgress, &member_id));
            }
            if let Some(ticket) = sync {
                self.reply(ticket, Answer::SyncGroup(Err(GroupError::RebalanceInProgress)));
            }
        }
    }

    /// Nothing of a classic rebalance counts any more.
    pub(in crate::consumer) fn forget_classic_ways(&mut self) {
        // Who has been given a member id for the classic protocol joins with it all the same.
        self.group.pending.clear();
        self.group.leader = None;
        self.group.subscribed = Default::default();
        self.group.protocol_type = Some(CONSUMER.into());
        self.group.rejoin_deadline_ms = None;
        self.group.sync_deadline_ms = None;
        self.group.hold = None;
        self.group.from_empty = false;
    }
}

/// What a member of the classic protocol says of itself, as a member of the group of the consumer protocol.
fn metadata_of(member: &Member, said: &Subscription) -> ConsumerMemberMetadata {
    let ms = |ms: u64| i32::try_from(ms).unwrap_or(i32::MAX);
    ConsumerMemberMetadata {
        group_instance_id: member.group_instance_id.clone(),
        rack_id: said.rack_id.clone(),
        client_id: member.client_id.clone(),
        client_host: member.client_host.clone(),
        subscribed_topic_names: said.topics.clone(),
        subscribed_topic_regex: None,
        rebalance_timeout_ms: ms(member.rebalance_timeout_ms),
        server_assignor: None,
        classic: Some(ClassicMember {
            session_timeout_ms: ms(member.session_timeout_ms),
            protocols: member.protocols.clone(),
        }),
    }
}
