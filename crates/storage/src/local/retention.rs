//! Retention: finds segments that are too old or too many, and has the flusher move the log starts past them.
//!
//! The log start moves as a client's DeleteRecords moves it: it is decided in the order of all commands, durable in the
//! write-ahead log with its cause, then visible, and only then the files go.

use super::background::Background;
use super::health::closed;
use super::inbox::Command;
use super::planted::planted;
use crate::ageing::log_start;
use crate::{Completer, PartitionId, Topic, Unavailable};

/// How many log starts one command moves: so many frames are a fraction of a group.
const MOVES_AT_ONCE: usize = 4096;

impl Background {
    /// What comes after a checkpoint that somebody waits for.
    pub(super) fn maintain(&mut self, waiting: Vec<Completer<(), Unavailable>>, checkpoint: &Result<(), Unavailable>) {
        match checkpoint {
            Ok(()) if !waiting.is_empty() => self.retain(waiting),
            _ => self.go_on_cleaning(waiting, checkpoint),
        }
    }

    /// Looks at all logs. Those who wait go on when the files are gone.
    pub(super) fn retain(&mut self, mut waiting: Vec<Completer<(), Unavailable>>) {
        self.last_retention_ms = (self.monotonic_ms)();
        let moves = self.due_log_starts();
        if moves.is_empty() {
            return self.go_on_cleaning(waiting, &Ok(()));
        }
        let mut chunks = moves.chunks(MOVES_AT_ONCE).peekable();
        while let Some(chunk) = chunks.next() {
            let waiting = if chunks.peek().is_none() { std::mem::take(&mut waiting) } else { Vec::new() };
            if let Err(command) = self.inbox.push(Command::Retain { moves: chunk.to_vec(), waiting }) {
                command.refuse(&self.health.poisoned().cloned().unwrap_or_else(closed));
            }
        }
    }

    fn due_log_starts(&mut self) -> Vec<(PartitionId, i64)> {
        let (metadata, now_ms) = (self.tail.metadata(), (self.wall_ms)());
        let mut moves = Vec::new();
        let partitions = |topic: &Topic| {
            let id = topic.id;
            (0..topic.partitions).map(move |index| PartitionId { topic: id, index })
        };
        for topic in metadata.topics() {
            let config = self.log_configs.get(&metadata, topic.id);
            let has_bounds = config.retention_ms.is_some() || config.retention_bytes.is_some();
            if config.delete && has_bounds {
                let start = |partition| {
                    let segments = self.tail.aged(partition);
                    let start = log_start(&config, now_ms, &segments)?;
                    let next = segments.iter().map(|segment| segment.end_offset).find(|end| *end > start);
                    let too_far = next.filter(|_| planted!(self.planted, RetentionGoesTooFar));
                    Some((partition, too_far.unwrap_or(start)))
                };
                moves.extend(partitions(topic).filter_map(start));
            }
        }
        moves
    }
}
