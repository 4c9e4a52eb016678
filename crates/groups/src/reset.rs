//! OttlaGroupReset: an administrator sets a group's offsets, also under its members, and takes that back.
//!
//! All in one step, which the log takes as a whole: the members are removed with a new generation or epoch, the former offsets are
//! kept for an undo, and the offsets are written. So no commit of before can undo the reset.
use crate::answer::{Answer, GroupError, GroupState, Refusal, ResetResult};
use crate::event::{Departure, GroupEventKind, OffsetChange, Ticket};
use crate::planted::planted;
use crate::records::{CommittedOffset, FormerOffset, FormerOffsets, OffsetKey, StoredRecord};
use crate::request::ResetOffsets;
use crate::step::Step;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// How long a reset can be taken back, in milliseconds.
pub(crate) const UNDO_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// How long a group that a reset has emptied takes no commits from outside, in milliseconds: some clients commit what they had as nobody's
/// when they hear that they are no members any more.
const CLOSED_MS: u64 = 60_000;

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
        let offsets: Option<Vec<_>> = former.map(|former| former.offsets.iter().filter(is_there).cloned().collect());
        offsets.filter(|offsets| !offsets.is_empty()).ok_or_else(|| {
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
            self.fence_members();
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

    /// Removes every member: whatever it asks next, or waits for, it hears that it is none. So it gives up all that it has, joins anew,
    /// and begins from the commits. A member that was let into the next generation with its partitions would go on from where it was.
    fn fence_members(&mut self) {
        let cause = "the group's offsets were reset";
        self.group.closed_until_ms = self.now.monotonic_ms.saturating_add(CLOSED_MS);
        if self.group.is_consumer() {
            for member_id in self.group.consumer.members.iter().map(|(id, _)| String::from(id)).collect::<Vec<_>>() {
                self.remove_consumer(&member_id, Departure::Removed, cause);
            }
            return self.next_epoch(cause);
        }
        self.group.keep_assignments();
        for member_id in self.group.roster.ids(|_| true) {
            self.remove_member(&member_id, Departure::Removed, cause);
        }
        self.group.rejoin_deadline_ms = None;
        self.group.sync_deadline_ms = None;
        self.group.from_empty = false;
        self.group.leader = None;
        self.record_empty(cause);
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
