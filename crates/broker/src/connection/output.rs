//! From answers to a socket, without copying them together.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes};
use tokio::net::TcpStream;

use crate::memory::Charge;
use crate::request::Response;

/// Pieces handed to the system in one call.
const MAX_SLICES: usize = 64;
/// From here on a larger send buffer pays: fewer wake-ups per megabyte.
const LARGE_ANSWER_BYTES: usize = 64 * 1024;
const LARGE_SEND_BUFFER_BYTES: usize = 512 * 1024;

/// A piece of an answer.
#[derive(Debug)]
struct Piece {
    bytes: Bytes,
    /// What the answer is charged, with its last piece.
    _charge: Option<Charge>,
}

/// What is still to be written.
#[derive(Debug, Default)]
pub(super) struct Output {
    pieces: VecDeque<Piece>,
    waiting_bytes: usize,
    send_buffer_is_large: bool,
}

impl Output {
    /// Adds an answer.
    pub(super) fn push(&mut self, response: Response) {
        self.waiting_bytes += response.len();
        let (segments, mut charge) = response.into_parts();
        let mut left = segments.len();
        for bytes in segments {
            left -= 1;
            let charge = if left == 0 { charge.take() } else { None };
            self.pieces.push_back(Piece { bytes, _charge: charge });
        }
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
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(&piece.bytes);
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
        while let Some(Piece { bytes: front, .. }) = self.pieces.front_mut() {
            if written < front.len() {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.pieces.pop_front();
        }
        // An idle connection keeps nothing of its largest answer.
        self.pieces = VecDeque::new();
    }
}
