//! A reader of cold data gives way to those who write.
//!
//! A drive serves what it was asked for first. A flush of a few kilobytes that comes behind megabytes of reading waits for all of
//! them, and with it every producer. So while anything is flushed, large reads go in slices with pauses between them: a flush
//! waits for one slice at most, and most find the drive idle. Where nobody writes, a reader has the drive for itself.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::local::counters::Counter;
use crate::local::disk::DiskFile;

/// How much is read at once beside others who write.
const SLICE_BYTES: usize = 128 << 10;

/// How long the drive is left to them after each slice.
const PAUSE: Duration = Duration::from_millis(1);

/// What all readers of cold data know of those who write.
pub(super) struct Courtesy {
    /// How often the log was flushed.
    flushes: Counter,
    seen: AtomicU64,
}

impl Courtesy {
    pub(super) fn new(flushes: Counter) -> Self {
        Self { flushes, seen: AtomicU64::default() }
    }

    /// Whether there was a flush since somebody last asked.
    fn is_due(&self) -> bool {
        let so_far = self.flushes.get();
        self.seen.swap(so_far, Ordering::Relaxed) != so_far
    }

    /// Reads as [`DiskFile::read_at`] does; may take its time.
    pub(super) fn read_at(&self, file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if !self.is_due() {
            return file.read_at(buffer, offset);
        }
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let wanted = rest.len().min(SLICE_BYTES);
            let count = file.read_at(rest.get_mut(..wanted).unwrap_or_default(), offset + done as u64)?;
            done += count;
            if count < wanted {
                break;
            }
            thread::sleep(PAUSE);
        }
        Ok(done)
    }
}
