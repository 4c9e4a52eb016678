//! From a socket's bytes to whole frames.
//!
//! A silent connection holds no buffer: what arrives is read into a buffer that all connections of the thread share, and
//! only what is really there is copied out of it. A frame that is larger than that buffer is read in place, into memory that
//! grows with what has arrived, because its announced size is only a claim.

use std::cell::RefCell;
use std::io;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::patience::Patience;
use crate::memory::{Charge, RequestMemory};
use crate::request::Close;

/// What is read at once where no large frame is under way.
const SHARED_BUFFER_BYTES: usize = 32 * 1024;
/// A large frame's memory grows to this many times what has arrived of it.
const GROWTH_FACTOR: usize = 4;
const SIZE_PREFIX_BYTES: usize = 4;

thread_local! {
    static SHARED_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SHARED_BUFFER_BYTES]);
}

/// What a connection has received and not yet handed on.
#[derive(Debug)]
pub(super) struct Input {
    received: BytesMut,
    max_frame_bytes: usize,
    /// Sizes up to this one are believed: the connection has sent a frame as large before.
    trusted_bytes: usize,
    /// The frame under way, once its size is known.
    frame: Option<Frame>,
}

#[derive(Debug)]
struct Frame {
    bytes: usize,
    large: Option<Large>,
}

/// What is kept of a frame above [`RequestMemory::FREE_BYTES`] while it arrives.
#[derive(Debug)]
struct Large {
    charge: Charge,
    patience: Patience,
}

/// The next frame, or what is missing for it.
#[derive(Debug)]
pub(super) enum Next {
    /// A frame without its size prefix, and what is charged for it if it is large.
    Frame(Bytes, Option<Charge>),
    /// More bytes must arrive.
    Bytes,
}

impl Input {
    /// Nothing received.
    pub(super) fn new(max_frame_bytes: usize) -> Self {
        Input { received: BytesMut::new(), max_frame_bytes, trusted_bytes: SHARED_BUFFER_BYTES, frame: None }
    }

    /// Whether nothing of what has been received waits to be handed on.
    pub(super) fn is_empty(&self) -> bool {
        self.received.is_empty() && self.frame.is_none()
    }

    /// Takes the next frame out of what has been received.
    ///
    /// # Errors
    /// A size that is negative or above `socket.request.max.bytes`; nothing of the body has been read on purpose then.
    pub(super) fn next(&mut self, memory: &RequestMemory) -> Result<Next, Close> {
        if self.frame.is_none() {
            let Some(prefix) = self.received.first_chunk::<SIZE_PREFIX_BYTES>() else { return Ok(Next::Bytes) };
            let size = self.checked_size(i32::from_be_bytes(*prefix))?;
            let _ = self.received.split_to(SIZE_PREFIX_BYTES);
            let is_large = size > RequestMemory::FREE_BYTES;
            let large = is_large.then(|| Large { charge: memory.charge(), patience: Patience::with(size) });
            self.frame = Some(Frame { bytes: size, large });
        }
        match self.frame.take() {
            Some(mut frame) => {
                let arrived = self.received.len().min(frame.bytes);
                if let Some(large) = &mut frame.large {
                    large.charge.set(arrived);
                }
                if arrived == frame.bytes {
                    return Ok(self.finish(frame));
                }
                self.frame = Some(frame);
                Ok(Next::Bytes)
            }
            None => Ok(Next::Bytes),
        }
    }

    fn finish(&mut self, frame: Frame) -> Next {
        let bytes = self.received.split_to(frame.bytes).freeze();
        self.trusted_bytes = self.trusted_bytes.max(frame.bytes);
        if self.received.is_empty() {
            // Gives up this handle of the allocation, which otherwise lived as long as the connection.
            self.received = BytesMut::new();
        }
        Next::Frame(bytes, frame.large.map(|large| large.charge))
    }

    fn checked_size(&self, size: i32) -> Result<usize, Close> {
        match usize::try_from(size) {
            Ok(size) if size <= self.max_frame_bytes => Ok(size),
            Ok(size) => Err(Close::because(format!(
                "a request of {size} bytes is over socket.request.max.bytes = {}",
                self.max_frame_bytes
            ))),
            Err(_) => Err(Close::because(format!("a request announces the size {size}"))),
        }
    }

    /// Reads once. 0 is the end of the stream.
    pub(super) fn read(&mut self, stream: &TcpStream) -> io::Result<usize> {
        let missing = self.frame.as_ref().map_or(0, |frame| frame.bytes.saturating_sub(self.received.len()));
        if missing > SHARED_BUFFER_BYTES {
            return self.read_in_place(stream, missing);
        }
        SHARED_BUFFER.with_borrow_mut(|shared| {
            let count = stream.try_read(shared)?;
            self.received.put_slice(shared.get(..count).unwrap_or_default());
            Ok(count)
        })
    }

    fn read_in_place(&mut self, stream: &TcpStream, missing: usize) -> io::Result<usize> {
        if self.received.capacity() == self.received.len() {
            let frame_bytes = self.received.len() + missing;
            let believed = (self.received.len() * GROWTH_FACTOR).max(self.trusted_bytes).max(SHARED_BUFFER_BYTES);
            self.received.reserve(frame_bytes.min(believed).saturating_sub(self.received.len()).max(1));
        }
        // Not further than this frame, so that the next one begins in memory of its own.
        stream.try_read_buf(&mut (&mut self.received).limit(missing))
    }

    /// Whether there is memory to read more of the frame under way.
    pub(super) fn may_read(&mut self, memory: &RequestMemory) -> bool {
        self.large().is_none_or(|large| memory.admits(&mut large.charge))
    }

    /// The time of a large frame under way runs, or does not: see [`Patience`].
    pub(super) fn waits_for_peer(&mut self, waits: bool) {
        if let Some(large) = self.large() {
            match waits {
                true => large.patience.start(Instant::now()),
                false => large.patience.stop(Instant::now()),
            }
        }
    }

    /// When a large frame under way should have arrived.
    pub(super) fn due(&self) -> Option<Instant> {
        self.frame.as_ref()?.large.as_ref()?.patience.due()
    }

    fn large(&mut self) -> Option<&mut Large> {
        self.frame.as_mut()?.large.as_mut()
    }
}
