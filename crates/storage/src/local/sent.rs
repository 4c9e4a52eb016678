//! Ranges of segment files as callers get them: open files that can be sent from, and loaded by the reader threads.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use super::disk::read_exact_at;
use super::lookup::read_error;
use super::readers::ReadQueue;
use super::segments::{Ahead, SegmentFile, SegmentRange, io_error};
use crate::{Completer, FileRange, Held, Pending, RangeSource, ReadError, Unavailable};

/// An open segment with the threads that load it.
struct Segment {
    file: Arc<SegmentFile>,
    reads: Arc<ReadQueue>,
}

/// The range for a caller, where reading goes on, and what to do for who reads on.
pub(super) fn range_of(range: SegmentRange, reads: &Arc<ReadQueue>) -> (FileRange, i64, Option<Ahead>) {
    let SegmentRange { file, position, bytes, next_offset, ahead } = range;
    let source = Arc::new(Segment { file, reads: reads.clone() });
    (FileRange::new(source, position, bytes), next_offset, ahead)
}

impl RangeSource for Segment {
    fn hold(&self, position: u64, bytes: usize) -> Option<Held> {
        self.file.hold(position, bytes)
    }

    fn load(&self, position: u64, bytes: usize) -> Pending<Held, ReadError> {
        let (completer, pending): (Completer<Held, ReadError>, _) = Pending::waiting();
        let file = self.file.clone();
        let load = move || {
            let loaded = file.load(position, bytes);
            completer.complete(loaded.map_err(|error| read_error(io_error(file.path(), error))));
        };
        if self.reads.push(Box::new(load)).is_err() {
            return Pending::ready(Err(ReadError::Unavailable(too_many_reads())));
        }
        pending
    }

    fn passed(&self, position: u64) {
        self.file.passed(position);
    }

    fn send(&self, socket: BorrowedFd<'_>, position: u64, bytes: usize) -> io::Result<usize> {
        self.file.send(socket, position, bytes)
    }

    fn read(&self, position: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; bytes];
        read_exact_at(self.file.disk_file(), &mut buffer, position)?;
        Ok(buffer)
    }

    fn name(&self) -> String {
        self.file.path().display().to_string()
    }
}

/// What is said where no more reads are taken.
pub(super) fn too_many_reads() -> Unavailable {
    Unavailable { reason: Arc::from("too many reads wait for the disk; try again"), retriable: true }
}
