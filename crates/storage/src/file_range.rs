//! Records that an answer names instead of holding: a range of a file, sent to a socket without coming into our memory.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::{Pending, ReadError};

/// A file that ranges can be sent from. What it holds there does not change as long as somebody has it, also when its name
/// is gone.
pub trait RangeSource: Send + Sync {
    /// How much of a range can be sent without waiting for a disk.
    fn ready_bytes(&self, position: u64, bytes: usize) -> usize;
    /// Makes the front of a range ready. That may pass again, as memory has other uses.
    fn load(&self, position: u64, bytes: usize) -> Pending<(), ReadError>;
    /// Sends from a position, as much as the socket takes; 0 where the file ends there.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::WouldBlock`] where the socket is full.
    fn send(&self, socket: BorrowedFd<'_>, position: u64, bytes: usize) -> io::Result<usize>;
    /// Reads what would be sent. May wait for the disk: for tests and tools.
    ///
    /// # Errors
    /// What the system says.
    fn read(&self, position: u64, bytes: usize) -> io::Result<Vec<u8>>;
    /// The file's name, for people.
    fn name(&self) -> String;
}

/// Whole batches that lie in a file, one after the other. Holding one holds the file open, and no memory.
#[derive(Clone)]
pub struct FileRange {
    source: Arc<dyn RangeSource>,
    position: u64,
    bytes: usize,
}

impl FileRange {
    /// So many bytes from that position on.
    pub fn new(source: Arc<dyn RangeSource>, position: u64, bytes: usize) -> Self {
        Self { source, position, bytes }
    }

    /// Its size.
    pub fn len_bytes(&self) -> usize {
        self.bytes
    }

    /// How many of its first `bytes` can be sent without waiting for a disk.
    pub fn ready_bytes(&self, bytes: usize) -> usize {
        self.source.ready_bytes(self.position, bytes.min(self.bytes))
    }

    /// Makes some of its first `bytes` ready.
    pub fn load(&self, bytes: usize) -> Pending<(), ReadError> {
        self.source.load(self.position, bytes.min(self.bytes))
    }

    /// Sends of its first `bytes` what the socket takes, and becomes the rest. Answers how many bytes went.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::WouldBlock`] where the socket is full, and [`io::ErrorKind::UnexpectedEof`]
    /// where the file became shorter, so that what was announced cannot be sent any more.
    pub fn send(&mut self, socket: BorrowedFd<'_>, bytes: usize) -> io::Result<usize> {
        let sent = self.source.send(socket, self.position, bytes.min(self.bytes))?;
        if sent == 0 && self.bytes > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += sent as u64;
        self.bytes = self.bytes.saturating_sub(sent);
        Ok(sent)
    }

    /// Reads it. May wait for the disk: for tests and tools.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        self.source.read(self.position, self.bytes)
    }

    /// The file's name, for people.
    pub fn name(&self) -> String {
        self.source.name()
    }
}

impl fmt::Debug for FileRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes at {} of {}", self.bytes, self.position, self.source.name())
    }
}
