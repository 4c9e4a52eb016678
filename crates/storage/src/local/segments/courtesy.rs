//! A reader of cold data gives way to those who write.
//!
//! A drive serves what it was asked for first. A flush of a few kilobytes that comes behind megabytes of reading waits for all of
//! them, and with it every producer. So while anything is flushed, large reads go in slices with pauses between them: a flush
//! waits for one slice at most, and most find the drive idle. Where nobody writes, a reader has the drive for itself.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::local::disk::DiskFile;

/// How much is read at once beside others who write.
const SLICE_BYTES: usize = 128 << 10;

/// How long the drive is left to them after each slice.
const PAUSE: Duration = Duration::from_millis(1);

/// How often the log was flushed: the flusher counts, readers look whether it has.
#[derive(Clone, Default)]
pub(in crate::local) struct Flushes(Arc<AtomicU64>);

impl Flushes {
    /// One more.
    pub(in crate::local) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn so_far(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What all readers of cold data know of those who write.
#[derive(Default)]
pub(super) struct Courtesy {
    flushes: Flushes,
    seen: AtomicU64,
}

impl Courtesy {
    /// Where flushes are to be counted.
    pub(super) fn flushes(&self) -> Flushes {
        self.flushes.clone()
    }

    /// Whether there was a flush since somebody last asked.
    fn is_due(&self) -> bool {
        let so_far = self.flushes.so_far();
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
