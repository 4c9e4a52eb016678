//! Records that are gone before a group has read them.
use crate::event::{GroupEventKind, LogStartMoved};
use crate::step::Step;

impl Step<'_> {
    /// A partition's log begins later now. Where that passes the group's commit, the records in between are lost to it: told
    /// once for each move, so the sum over all moves is what the group never reads. Nothing changes for the group itself; its
    /// members find out by their own `auto.offset.reset`.
    ///
    /// Counted are offsets. In a compacted log some of them had no record any more.
    pub(crate) fn log_start_moved(&mut self, moved: &LogStartMoved) {
        let Some(committed) = self.group.durable.offset(&moved.topic, moved.partition) else { return };
        // A commit for an earlier topic of the same name says nothing about this one.
        if committed.topic_id.is_some_and(|committed| moved.topic_id.is_some_and(|id| committed != id)) {
            return;
        }
        // What is before the former log start was lost with an earlier move.
        let from = committed.offset.max(moved.from);
        if from < moved.to {
            self.tell(GroupEventKind::RecordsLost {
                topic: moved.topic.clone(),
                partition: moved.partition,
                from,
                to: moved.to,
                records: moved.to.saturating_sub(from),
                cause: moved.cause,
            });
        }
    }
}
