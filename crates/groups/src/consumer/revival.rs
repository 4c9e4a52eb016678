//! A group of the consumer protocol comes back from the log.
use crate::event::GroupEventKind;
use crate::planted::planted;
use crate::records::MemberState;
use crate::step::Step;

impl Step<'_> {
    /// Builds the live part from the durable part. Members get fresh sessions, and as much time to give up partitions as at first.
    pub(crate) fn revive_consumer(&mut self) {
        let Some(consumer) = self.group.durable.consumer().cloned() else { return };
        self.group.protocol_type = Some(crate::subscription::CONSUMER.into());
        self.group.state_since_ms = self.now.wall_ms;
        for (member_id, member) in &consumer.members {
            let metadata = member.metadata.clone().unwrap_or_default();
            self.seat_live(member_id, &metadata);
            for had in [&member.current.assigned, &member.current.pending_revocation] {
                if planted!(self.settings, OwnersLostOnReplay) {
                    continue;
                }
                self.group.consumer.take(member_id, had);
            }
            if member.current.state == MemberState::UnrevokedPartitions {
                let patience_ms = u64::try_from(metadata.rebalance_timeout_ms).unwrap_or(0);
                let deadline_ms = self.now.monotonic_ms.saturating_add(patience_ms);
                if let Some(live) = self.group.consumer.members.get_mut(member_id) {
                    live.revocation_deadline_ms = Some(deadline_ms);
                    live.revoking_since_ms = self.now.wall_ms;
                }
                self.group.wake_at(deadline_ms);
            }
        }
        self.group.state = self.group.consumer_state();
        if !consumer.members.is_empty() {
            self.tell(GroupEventKind::Loaded { members: consumer.members.len() });
        }
        self.topics_changed(self.topics);
        self.complete_loaded_target();
    }
}
