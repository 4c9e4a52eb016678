//! A reader of cold data gives way to those who write.
//!
//! A drive serves what it was asked for first. A flush of a few kilobytes that comes behind megabytes of reading waits for all of
//! them, and with it every producer. So while anything is flushed, large reads go in slices with pauses between them: a flush
//! waits for one slice at most, and most find the drive idle. A pause is as long as makes all readers together use the drive for
//! an eighth of the time, however fast it is. Where nobody writes, they have it for themselves.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::MonotonicMs;
use crate::local::counters::Counter;
use crate::local::disk::DiskFile;

/// How much is read at once beside others who write.
const SLICE_BYTES: usize = 128 << 10;

/// How long the drive is left to them after each slice, in times of what a slice takes.
const PAUSE_TIMES: u64 = 7;

/// The longest pause: a drive that stood still for a moment is no reason to wait for long.
const LONGEST_PAUSE_US: u64 = 20_000;

/// What a slice takes as long as none was measured, in microseconds.
const FIRST_GUESS_US: u64 = 300;

/// Of so many slices the time is averaged.
const AVERAGED: u64 = 16;

/// How long after the last flush that was noticed another one is expected, in milliseconds.
const MEMORY_MS: u64 = 100;

/// What all readers of cold data know of those who write.
pub(in crate::local) struct Courtesy {
    /// How often the log was flushed.
    flushes: Counter,
    monotonic_ms: MonotonicMs,
    noticed: Mutex<Noticed>,
    /// What a slice takes, in microseconds. Held for a slice and the pause after it: readers take turns.
    turn: Mutex<u64>,
}

/// The last flush that a reader noticed.
#[derive(Default)]
struct Noticed {
    flushes: u64,
    at_ms: Option<u64>,
}

impl Courtesy {
    /// Towards the flushes that are counted there.
    pub(in crate::local) fn new(flushes: Counter, monotonic_ms: MonotonicMs) -> Self {
        Self { flushes, monotonic_ms, noticed: Mutex::default(), turn: Mutex::new(FIRST_GUESS_US) }
    }

    /// Whether somebody writes: the log was flushed within the last [`MEMORY_MS`], as far as readers noticed.
    fn is_due(&self) -> bool {
        let (so_far, now_ms) = (self.flushes.get(), (self.monotonic_ms)());
        let mut noticed = self.noticed.lock().unwrap_or_else(PoisonError::into_inner);
        if noticed.flushes != so_far {
            *noticed = Noticed { flushes: so_far, at_ms: Some(now_ms) };
        }
        noticed.at_ms.is_some_and(|at_ms| now_ms.saturating_sub(at_ms) < MEMORY_MS)
    }

    /// Reads as [`DiskFile::read_at`] does; may take its time.
    pub(super) fn read_at(&self, file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if !self.is_due() {
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
        let mut average_us = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let began_ms = (self.monotonic_ms)();
        let count = file.read_at(slice, offset)?;
        // A slice takes less than the clock's millisecond, but how often that ends within one is in proportion.
        let took_us = (self.monotonic_ms)().saturating_sub(began_ms).saturating_mul(1_000);
        *average_us = (*average_us * (AVERAGED - 1) + took_us.min(LONGEST_PAUSE_US)) / AVERAGED;
        thread::sleep(Duration::from_micros((*average_us * PAUSE_TIMES).min(LONGEST_PAUSE_US)));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_flush_is_remembered_for_all_readers_and_for_a_while() {
        let (flushes, clock) = (Counter::default(), Arc::new(AtomicU64::new(5)));
        let now_ms = clock.clone();
        let courtesy = Courtesy::new(flushes.clone(), Arc::new(move || now_ms.load(Ordering::Relaxed)));
        assert!(!courtesy.is_due());
        flushes.add(1);
        assert!(courtesy.is_due());
        clock.fetch_add(MEMORY_MS / 2, Ordering::Relaxed);
        assert!(courtesy.is_due(), "another reader, or the next chunk");
        clock.fetch_add(MEMORY_MS / 2, Ordering::Relaxed);
        assert!(!courtesy.is_due());
        flushes.add(1);
        assert!(courtesy.is_due());
    }
}
