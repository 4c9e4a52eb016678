//! OttlaGroupReset: an administrator sets a group's offsets, also under its members, and takes that back.
//!
//! All in one step, which the log takes as a whole: the owners are fenced, the former offsets are kept for an undo, the offsets
//! are written, and a new generation or epoch begins. So no commit of the old one can undo the reset.
use crate::answer::{Answer, GroupError, GroupState, Refusal, ResetResult};
use crate::event::{GroupEventKind, OffsetChange, Ticket};
use crate::planted::planted;
use crate::records::{
    CommittedOffset, CurrentAssignment, FormerOffset, FormerOffsets, MemberState, OffsetKey, StoredRecord,
};
use crate::request::ResetOffsets;
use crate::step::Step;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// How long a reset can be taken back, in milliseconds.
pub(crate) const UNDO_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

impl Step<'_> {
    pub(crate) fn reset_offsets(&mut self, ticket: Ticket, request: &ResetOffsets) {
        let answer = self.wanted(request).and_then(|wanted| {
            self.may_reset(request)?;
            Ok(self.set_offsets(request, &wanted))
        });
        self.reply(ticket, Answer::ResetOffsets(answer));
    }

    /// What shall be committed.
    fn wanted(&self, request: &ResetOffsets) -> Result<Vec<FormerOffset>, Refusal> {
        if !request.undo {
            return Ok(request.offsets.clone());
        }
        // A topic that was made anew meanwhile is another one.
        let is_there = |former: &&FormerOffset| {
            let topic = self.topics.by_name(&former.topic);
            topic.is_some_and(|topic| former.topic_id.is_none_or(|id| id == topic.topic_id))
        };
        let former = self.group.durable.former_offsets();
        former.map(|former| former.offsets.iter().filter(is_there).cloned().collect()).ok_or_else(|| {
            let message = format!("Group {} has no reset that could be taken back.", self.group.group_id);
            Refusal::new(GroupError::InvalidRequest, &message)
        })
    }

    fn may_reset(&self, request: &ResetOffsets) -> Result<(), Refusal> {
        if request.online || self.group.state == GroupState::Empty {
            return Ok(());
        }
        let message = format!(
            "Group {} has members: stop them, or reset online, which fences them in the same step.",
            self.group.group_id
        );
        Err(Refusal::new(GroupError::NonEmptyGroup, &message))
    }

    fn set_offsets(&mut self, request: &ResetOffsets, wanted: &[FormerOffset]) -> Vec<ResetResult> {
        let results: Vec<ResetResult> = wanted.iter().map(|wanted| self.planned(wanted)).collect();
        if request.validate_only || wanted.is_empty() {
            return results;
        }
        let has_members = self.group.state != GroupState::Empty;
        if has_members && !planted!(self.settings, ResetUndoneByAnOldCommit) {
            self.fence_owners(wanted);
        }
        self.keep_former(request.undo, wanted, &results);
        for wanted in wanted {
            self.set_offset(wanted);
        }
        let change = |result: &ResetResult| OffsetChange {
            topic: result.topic.clone(),
            partition: result.partition,
            from: Some(result.from).filter(|&from| from >= 0),
            to: Some(result.to).filter(|&to| to >= 0),
        };
        let changes = results.iter().map(change).collect();
        self.tell(GroupEventKind::OffsetsReset { online: has_members, undo: request.undo, changes });
        if has_members {
            let cause = if request.undo { "its offsets were set back" } else { "its offsets were reset" };
            self.begin_anew(cause);
        }
        results
    }

    fn planned(&self, wanted: &FormerOffset) -> ResetResult {
        let before = self.group.durable.offset(&wanted.topic, wanted.partition).map_or(-1, |before| before.offset);
        ResetResult { topic: wanted.topic.clone(), partition: wanted.partition, from: before, to: wanted.offset }
    }

    /// Remembers what the reset replaces. An undo is the end of that: it can be done once.
    fn keep_former(&mut self, undo: bool, wanted: &[FormerOffset], results: &[ResetResult]) {
        let former = (!undo).then(|| {
            let former = |(wanted, result): (&FormerOffset, &ResetResult)| FormerOffset {
                topic_id: wanted.topic_id,
                topic: wanted.topic.clone(),
                partition: wanted.partition,
                offset: result.from,
            };
            FormerOffsets { at_ms: self.now.wall_ms, offsets: wanted.iter().zip(results).map(former).collect() }
        });
        self.record(StoredRecord::FormerOffsets(self.group.group_id.clone(), former));
    }

    fn set_offset(&mut self, wanted: &FormerOffset) {
        let FormerOffset { topic, topic_id, partition, offset } = wanted;
        if *offset < 0 {
            if self.group.durable.offset(topic, *partition).is_some() {
                self.forget_offset(topic, *partition);
            }
            return;
        }
        let key = OffsetKey { group_id: self.group.group_id.clone(), topic: topic.clone(), partition: *partition };
        let value = CommittedOffset {
            offset: *offset,
            leader_epoch: -1,
            metadata: String::new(),
            commit_timestamp_ms: self.now.wall_ms,
            expire_timestamp_ms: None,
            topic_id: *topic_id,
        };
        self.record(StoredRecord::Offset(key, Some(value)));
        self.group.progress.forget(topic, *partition);
    }

    /// From now on nobody who owns one of these partitions may commit: of the classic protocol nobody of the generation.
    fn fence_owners(&mut self, wanted: &[FormerOffset]) {
        if self.group.is_consumer() {
            for member_id in self.owners_of(wanted) {
                self.fence_consumer(&member_id);
            }
        } else {
            self.fence_generation();
        }
    }

    /// A generation that nobody has joined: members are told so with whatever they ask next, and join again.
    fn fence_generation(&mut self) {
        let protocol = self.group.protocol().map(String::from);
        let generation_id = self.next_generation_id();
        self.group.keep_assignments();
        let metadata = self.group.record(generation_id, protocol, self.now.wall_ms, |_| Vec::new());
        self.record(StoredRecord::Group(self.group.group_id.clone(), Some(metadata)));
    }

    fn owners_of(&self, wanted: &[FormerOffset]) -> BTreeSet<String> {
        let owners = &self.group.consumer.owners;
        let owner = |wanted: &FormerOffset| {
            let topic_id = self.topics.by_name(&wanted.topic)?.topic_id;
            owners.get(&(topic_id, wanted.partition)).map(|owner| String::from(&**owner))
        };
        wanted.iter().filter_map(owner).collect()
    }

    /// Takes from a member all that it has: it must give up all and join anew, and begins from the commits then.
    fn fence_consumer(&mut self, member_id: &str) {
        let before = self.group.consumer_held(member_id, self.topics);
        let is_away = self.current(member_id).member_epoch < 0;
        let epoch = if is_away { super::consumer::LEAVE_AND_RETURN } else { 0 };
        let fenced = CurrentAssignment {
            member_epoch: epoch,
            previous_member_epoch: epoch,
            state: MemberState::Stable,
            ..CurrentAssignment::nothing()
        };
        self.set_current(member_id, fenced);
        if let Some(live) = self.group.consumer.members.get_mut(member_id) {
            live.revocation_deadline_ms = None;
        }
        self.tell_consumer_assigned(member_id, before);
    }

    fn begin_anew(&mut self, cause: &str) {
        if self.group.is_consumer() { self.next_epoch(cause) } else { self.rebalance_or_go_on(cause) }
    }

    /// A reset that is too old to be taken back is forgotten.
    pub(crate) fn expire_former_offsets(&mut self) {
        let former = self.group.durable.former_offsets();
        if former.is_some_and(|former| former.at_ms.saturating_add(UNDO_MS) <= self.now.wall_ms) {
            self.forget_former_offsets();
        }
    }

    pub(crate) fn forget_former_offsets(&mut self) {
        if self.group.durable.former_offsets().is_some() {
            self.record(StoredRecord::FormerOffsets(self.group.group_id.clone(), None));
        }
    }
}
