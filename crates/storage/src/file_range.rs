//! Records that an answer names instead of holding: a range of a file, sent to a socket without coming into our memory.

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use bytes::{Buf, Bytes};

use crate::{Pending, ReadError};

/// What of a range can be sent without waiting for a disk.
#[derive(Debug)]
pub enum Held {
    /// These bytes. Whoever has them keeps them in memory: to be let go of where the socket is full.
    Memory(Bytes),
    /// So many bytes that lie in the system's page cache.
    Cached(usize),
}

impl Held {
    /// How many bytes.
    pub fn len_bytes(&self) -> usize {
        match self {
            Held::Memory(bytes) => bytes.len(),
            Held::Cached(bytes) => *bytes,
        }
    }

    fn advance(&mut self, sent: usize) {
        match self {
            Held::Memory(bytes) => bytes.advance(sent.min(bytes.len())),
            Held::Cached(bytes) => *bytes = bytes.saturating_sub(sent),
        }
    }
}

/// A file that ranges can be sent from. What it holds there does not change as long as somebody has it, also when its name
/// is gone.
pub trait RangeSource: Send + Sync {
    /// The front of a range, as far as it can be sent without waiting for a disk; `None` where nothing can.
    fn hold(&self, position: u64, bytes: usize) -> Option<Held>;
    /// Reads the front of a range.
    fn load(&self, position: u64, bytes: usize) -> Pending<Held, ReadError>;
    /// Says that somebody has sent everything before that position.
    fn passed(&self, position: u64) {
        let _ = position;
    }
    /// Sends from a position what the page cache holds, as much as the socket takes; 0 where the file ends there.
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

    /// What of its first `bytes` can be sent without waiting for a disk.
    pub fn hold(&self, bytes: usize) -> Option<Held> {
        self.source.hold(self.position, bytes.min(self.bytes))
    }

    /// Reads some of its first `bytes`.
    pub fn load(&self, bytes: usize) -> Pending<Held, ReadError> {
        self.source.load(self.position, bytes.min(self.bytes))
    }

    /// Sends of what is held of its front what the socket takes, and becomes the rest. Answers how many bytes went.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::WouldBlock`] where the socket is full, and [`io::ErrorKind::UnexpectedEof`]
    /// where the file became shorter, so that what was announced cannot be sent any more.
    pub fn send(&mut self, socket: BorrowedFd<'_>, held: &mut Held) -> io::Result<usize> {
        let sent = match held {
            Held::Memory(bytes) => rustix::io::write(socket, bytes.get(..self.bytes).unwrap_or(bytes))?,
            Held::Cached(bytes) => self.source.send(socket, self.position, self.bytes.min(*bytes))?,
        };
        if sent == 0 && self.bytes > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        held.advance(sent);
        self.position += sent as u64;
        self.source.passed(self.position);
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
