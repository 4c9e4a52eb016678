//! What must be true once offsets were reset under members: no commit of before counts for them any more.
use super::checks::Checks;
use ottla_groups::records::OffsetKey;
use ottla_groups::{Answer, CommitOffsets, Request, ResetOffsets, ResetResult, Ticket};
use std::collections::BTreeMap;

/// Which resets there were.
#[derive(Default)]
pub(super) struct Resets {
    /// Of resets that were decided but are not acknowledged yet: the group's life, and its generation or epoch before.
    decided: BTreeMap<Ticket, (u32, i32)>,
    /// The same of acknowledged ones, by group, topic and partition.
    done: BTreeMap<(String, String, i32), i32>,
}

impl Resets {
    /// A group of the same name begins anew.
    pub(super) fn forget(&mut self, group_id: &str) {
        self.done.retain(|(of, ..), _| of != group_id);
    }
}

impl Checks {
    /// The coordinator decided; what it emitted is not in the log yet.
    pub(super) fn reset_decided(&mut self, ticket: Ticket, request: &Request, answer: &Answer) {
        let (Request::ResetOffsets(request), Answer::ResetOffsets(Ok(_))) = (request, answer) else { return };
        let before = (self.life(&request.group_id), self.generation_or_epoch(&request.group_id));
        self.resets.decided.insert(ticket, before);
    }

    /// A reset is acknowledged: its offsets are committed, and no commit of before may undo them.
    pub(super) fn reset_released(&mut self, ticket: Ticket, request: &ResetOffsets, results: &[ResetResult]) {
        let Some((life, before)) = self.resets.decided.remove(&ticket) else { return };
        // Of a group that has begun anew meanwhile, generations count from the beginning.
        let goes_on = life == self.life(&request.group_id);
        for result in results {
            if goes_on {
                let key = (request.group_id.clone(), result.topic.clone(), result.partition);
                self.resets.done.insert(key, before);
            }
            let (group_id, topic) = (request.group_id.clone(), result.topic.clone());
            if result.to >= 0 {
                self.acknowledged.push((OffsetKey { group_id, topic, partition: result.partition }, result.to));
            }
        }
    }

    /// A member's commit was accepted.
    pub(super) fn refuse_commit_of_before_a_reset(&mut self, request: &CommitOffsets) {
        let partitions = request.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |p| (&topic.name, p)));
        for (topic, partition) in partitions {
            let reset = self.resets.done.get(&(request.group_id.clone(), topic.clone(), partition.partition));
            if let Some(before) = reset.filter(|before| request.generation_id <= **before) {
                let (id, epoch) = (partition.partition, request.generation_id);
                let violation =
                    format!("a commit of {epoch} to {id} after its reset in {before}: {}", request.member_id);
                return self.fail(violation);
            }
        }
    }
}
