//! What goes on while the disk is full: whatever frees space, and what groups write.
//!
//! The last part of the open segment of the write-ahead log is kept back. Ordinary commands leave it alone as long as no further
//! file of the log is ready; where none can be made, they are refused, and these go on in what is kept back: deletions of topics
//! and records, retention, changes of configs (a shorter retention), ends of transactions, and appends as the group coordinator makes
//! them, small and to a known end. The space is allocated and zeroed, so that a flush there does not run out of it.

use std::collections::VecDeque;

use super::flusher::{Flusher, size_of};
use super::group::Group;
use super::inbox::Command;
use crate::{AppendOrigin, Durability, Unavailable};

impl Command {
    /// Whether it may use what is kept back.
    fn may_use_reserve(&self) -> bool {
        match self {
            Command::Append { appends, .. } => {
                appends.iter().all(|append| append.expected_end.is_some() && append.durability == Durability::Flush)
            }
            Command::AppendAtomically { appends, .. } => {
                appends.iter().all(|append| append.origin == AppendOrigin::Coordinator)
            }
            Command::DescribeProducers { .. }
            | Command::DeleteTopic { .. }
            | Command::DeleteRecords { .. }
            | Command::Retain { .. }
            | Command::AlterConfigs { .. }
            | Command::Close => true,
            Command::CreateTopic { .. } | Command::CreatePartitions { .. } | Command::ProducerId { .. } => false,
        }
    }
}

impl Flusher {
    /// Whether the open segment has room for a command.
    pub(super) fn has_room_for(&self, command: &Command) -> bool {
        let (frames, payload_bytes) = size_of(command);
        let kept_back_bytes = self.wal.reserve_bytes();
        frames == 0
            || self.wal.fits(frames, payload_bytes + kept_back_bytes)
            || self.wal.fits(frames, payload_bytes) && (command.may_use_reserve() || self.slots.has_free())
    }

    /// Takes all that waits while nothing can be written but into what is kept back; the rest is refused, for `why`.
    pub(super) fn serve_from_reserve(&mut self, backlog: &mut VecDeque<Command>, why: &Unavailable) {
        if self.health.poisoned().is_some() {
            self.refuse_all(backlog, why);
            return;
        }
        let mut group = Group::default();
        for command in std::mem::take(backlog) {
            if command.may_use_reserve() && self.has_room_for(&command) {
                self.decide(command, &mut group);
            } else {
                command.refuse(why);
            }
        }
        self.finish(group, backlog);
    }
}
