//! A reader of cold data gives way to those who write.
//!
//! A drive serves what it was asked for first. A flush of a few kilobytes that comes behind megabytes of reading waits for all of
//! them, and with it every producer. So while anything is flushed, large reads go in slices with pauses between them: a flush
//! waits for one slice at most, and most find the drive idle. A pause is as long as makes all readers together use the drive for
//! an eighth of the time, however fast it is. Where nobody writes, they have it for themselves.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::local::counters::Counter;
use crate::local::disk::DiskFile;

/// How much is read at once beside others who write.
const SLICE_BYTES: usize = 128 << 10;

/// How long the drive is left to them after each slice, in times of what the slice took.
const PAUSE_TIMES: u32 = 7;

/// The longest pause: a drive that stood still for a moment is no reason to wait for long.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// How long after the last flush that was noticed another one is expected.
const MEMORY: Duration = Duration::from_millis(100);

/// What all readers of cold data know of those who write.
pub(super) struct Courtesy {
    /// How often the log was flushed.
    flushes: Counter,
    noticed: Mutex<Noticed>,
    /// Held for a slice and the pause after it: readers take turns.
    turn: Mutex<()>,
}

/// The last flush that a reader noticed.
#[derive(Default)]
struct Noticed {
    flushes: u64,
    at: Option<Instant>,
}

impl Courtesy {
    pub(super) fn new(flushes: Counter) -> Self {
        Self { flushes, noticed: Mutex::default(), turn: Mutex::default() }
    }

    /// Whether somebody writes: the log was flushed within the last [`MEMORY`], as far as readers noticed.
    fn is_due(&self, now: Instant) -> bool {
        let so_far = self.flushes.get();
        let mut noticed = self.noticed.lock().unwrap_or_else(PoisonError::into_inner);
        if noticed.flushes != so_far {
            *noticed = Noticed { flushes: so_far, at: Some(now) };
        }
        noticed.at.is_some_and(|at| now.saturating_duration_since(at) < MEMORY)
    }

    /// Reads as [`DiskFile::read_at`] does; may take its time.
    pub(super) fn read_at(&self, file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if !self.is_due(Instant::now()) {
            return file.read_at(buffer, offset);
        }
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let wanted = rest.len().min(SLICE_BYTES);
            let count = self.read_slice(file, rest.get_mut(..wanted).unwrap_or_default(), offset + done as u64)?;
            done += count;
            if count < wanted {
                break;
            }
        }
        Ok(done)
    }

    /// Reads a slice when it is this reader's turn, and leaves the drive to others for a while.
    fn read_slice(&self, file: &dyn DiskFile, slice: &mut [u8], offset: u64) -> io::Result<usize> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        let count = file.read_at(slice, offset)?;
        thread::sleep(LONGEST_PAUSE.min(began.elapsed() * PAUSE_TIMES));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_is_remembered_for_all_readers_and_for_a_while() {
        let flushes = Counter::default();
        let courtesy = Courtesy::new(flushes.clone());
        let start = Instant::now();
        assert!(!courtesy.is_due(start));
        flushes.add(1);
        assert!(courtesy.is_due(start));
        assert!(courtesy.is_due(start + MEMORY / 2), "another reader, or the next chunk");
        assert!(!courtesy.is_due(start + MEMORY));
        flushes.add(1);
        assert!(courtesy.is_due(start + MEMORY));
    }
}
