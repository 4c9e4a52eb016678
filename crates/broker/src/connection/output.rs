//! From answers to a socket, without copying them together.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes};
use tokio::net::TcpStream;

/// Pieces handed to the system in one call.
const MAX_SLICES: usize = 64;
/// From here on a larger send buffer pays: fewer wake-ups per megabyte.
const LARGE_ANSWER_BYTES: usize = 64 * 1024;
const LARGE_SEND_BUFFER_BYTES: usize = 512 * 1024;

/// What is still to be written.
#[derive(Debug, Default)]
pub(super) struct Output {
    segments: VecDeque<Bytes>,
    waiting_bytes: usize,
    send_buffer_is_large: bool,
}

impl Output {
    /// Adds an answer.
    pub(super) fn push(&mut self, segments: Vec<Bytes>) {
        self.waiting_bytes += segments.iter().map(Bytes::len).sum::<usize>();
        self.segments.extend(segments.into_iter().filter(|segment| !segment.is_empty()));
    }

    /// Bytes not yet handed to the system.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Writes once, and says how many bytes.
    pub(super) fn write(&mut self, stream: &TcpStream) -> io::Result<usize> {
        if self.waiting_bytes >= LARGE_ANSWER_BYTES && !self.send_buffer_is_large {
            self.send_buffer_is_large = true;
            // Only connections that carry much get one. A system that refuses serves us with what it has.
            let _ = socket2::SockRef::from(stream).set_send_buffer_size(LARGE_SEND_BUFFER_BYTES);
        }
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut count = 0;
        for (slice, segment) in slices.iter_mut().zip(&self.segments) {
            *slice = IoSlice::new(segment);
            count += 1;
        }
        let written = stream.try_write_vectored(slices.get(..count).unwrap_or_default())?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.advance(written);
        Ok(written)
    }

    fn advance(&mut self, mut written: usize) {
        self.waiting_bytes = self.waiting_bytes.saturating_sub(written);
        while let Some(front) = self.segments.front_mut() {
            if written < front.len() {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.segments.pop_front();
        }
        // An idle connection keeps nothing of its largest answer.
        self.segments = VecDeque::new();
    }
}
