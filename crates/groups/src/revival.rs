//! A group comes back from the log.
use crate::answer::GroupState;
use crate::event::GroupEventKind;
use crate::member::Member;
use crate::planted::planted;
use crate::records::StoredMember;
use crate::request::Protocol;
use crate::step::Step;
use alloc::vec;

impl Step<'_> {
    /// Builds the live part of a group from its durable part. Its members get fresh sessions: they could not be heard
    /// while nobody listened.
    pub(crate) fn revive(&mut self) {
        let Some(metadata) = self.group.durable.metadata().cloned() else { return };
        self.group.protocol_type = Some(metadata.protocol_type.clone()).filter(|name| !name.is_empty());
        self.group.state_since_ms = metadata.state_timestamp_ms;
        if metadata.members.is_empty() {
            return;
        }
        let unassigned = metadata.is_unassigned();
        let comes_from_consumers = metadata.leader.is_none();
        self.group.leader = metadata.leader;
        let protocol = metadata.protocol.unwrap_or_default();
        let lost = planted!(self.settings, MemberLostOnReplay) && metadata.members.len() > 1;
        let count = metadata.members.len() - usize::from(lost);
        for member in metadata.members.into_iter().take(count) {
            self.revive_member(member, &protocol);
        }
        self.group.state = GroupState::Stable;
        self.group.subscribed = self.subscribed(&protocol);
        self.tell(GroupEventKind::Loaded { members: self.group.roster.len() });
        if unassigned {
            self.begin_rebalance("the coordinator was loaded before the generation was assigned");
        } else if comes_from_consumers {
            self.begin_rebalance("the coordinator was loaded while the group went back to the classic protocol");
        } else if self.group.roster.len() > usize::try_from(self.settings.max_group_size).unwrap_or(0) {
            self.begin_rebalance("the loaded group has more members than it may have");
        }
    }

    fn revive_member(&mut self, stored: StoredMember, protocol: &str) {
        let member_id = stored.member_id.clone();
        self.group.roster.add(Member {
            member_id: stored.member_id,
            group_instance_id: stored.group_instance_id,
            client_id: stored.client_id,
            client_host: stored.client_host,
            rebalance_timeout_ms: u64::try_from(stored.rebalance_timeout_ms).unwrap_or(0),
            session_timeout_ms: u64::try_from(stored.session_timeout_ms).unwrap_or(0),
            protocols: vec![Protocol { name: protocol.into(), metadata: stored.subscription }],
            knows_id: true,
            last_seen_ms: self.now.wall_ms,
            ..Member::default()
        });
        self.group.renew_session(self.now, &member_id);
    }
}
