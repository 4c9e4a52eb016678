//! From answers to a socket, without copying them together: memory with vectored writes, ranges of files by `sendfile`.
//!
//! A range is sent only as far as it is in memory, be it the system's page cache or the engine's, which is asked before each
//! piece, because a slow reader's range may have left while it waited. Otherwise the engine loads it, and the connection waits:
//! never the reactor.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use ottla_storage::{FileRange, Held, Pending, ReadError};
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::errors;
use crate::memory::Charge;
use crate::request::{Close, Piece, Response};

/// Pieces handed to the system in one call.
const MAX_SLICES: usize = 64;
/// How much of a range is asked for, loaded and sent at once.
const FILE_CHUNK_BYTES: usize = 1024 * 1024;
/// Pieces from this size on are records; smaller ones are what stands around them, and small batches, which cost little.
const RECORDS_BYTES: usize = 1024;
/// From here on a larger send buffer pays for what is written from memory: fewer wake-ups per megabyte. With `sendfile` it
/// costs: 0.35 s of CPU per GB to one reader in place of 0.2 s.
const LARGE_ANSWER_BYTES: usize = 64 * 1024;
const LARGE_SEND_BUFFER_BYTES: usize = 512 * 1024;

/// Why nothing more can be written.
#[derive(Debug)]
pub(super) enum Failed {
    /// The socket says so, or is full for now.
    Socket(io::Error),
    /// What was announced cannot be sent: only closing the connection tells the client.
    File(Close),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Failed::Socket(error)
    }
}

/// What is still to be written.
#[derive(Debug, Default)]
pub(super) struct Output {
    pieces: VecDeque<(Piece, Option<Charge>)>,
    waiting_bytes: usize,
    send_buffer_is_large: bool,
    /// What of the range in front may be sent without asking again.
    held: Option<Held>,
    /// The range in front is being loaded.
    loading: Option<Pending<Held, ReadError>>,
}

impl Output {
    /// Adds an answer.
    pub(super) fn push(&mut self, response: Response) {
        self.waiting_bytes += response.len();
        let (pieces, mut charge) = response.into_parts();
        // What the answer is charged goes with the last of its records in memory, not with what comes from files after it.
        let has_records = |piece: &Piece| matches!(piece, Piece::Memory(bytes) if bytes.len() >= RECORDS_BYTES);
        let charged = pieces.iter().rposition(has_records);
        for (place, piece) in pieces.into_iter().enumerate() {
            let charge = if charged == Some(place) { charge.take() } else { None };
            self.pieces.push_back((piece, charge));
        }
    }

    /// Bytes not yet handed to the system.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Resolves when what is in front can be written without waiting for a disk.
    pub(super) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Close>> {
        let Some((Piece::File(range), _)) = self.pieces.front() else { return Poll::Ready(Ok(())) };
        if self.held.is_none() && self.loading.is_none() {
            self.held = range.hold(FILE_CHUNK_BYTES);
            if self.held.is_none() {
                self.loading = Some(range.load(FILE_CHUNK_BYTES));
            }
        }
        if let Some(loading) = &mut self.loading {
            let loaded = ready!(Pin::new(loading).poll(context));
            self.loading = None;
            // Handed over, so that no other reader's records take its place before it is sent.
            self.held = Some(loaded.map_err(|error| Close::because(errors::sentence_of_read(&error)))?);
        }
        Poll::Ready(Ok(()))
    }

    /// Writes once, and says how many bytes. To be called when [`Output::poll_ready`] has resolved.
    pub(super) fn write(&mut self, stream: &TcpStream) -> Result<usize, Failed> {
        let written = match self.pieces.front_mut() {
            Some((Piece::File(range), _)) => {
                let Some(held) = &mut self.held else { return Err(io::Error::from(io::ErrorKind::WouldBlock).into()) };
                let sent = send(stream, range, held);
                // A socket that is full may stay so for long, and must not keep anything in memory.
                if sent.is_err() || held.len_bytes() == 0 {
                    self.held = None;
                }
                sent?
            }
            _ => self.write_memory(stream)?,
        };
        if written == 0 {
            return Err(io::Error::from(io::ErrorKind::WriteZero).into());
        }
        self.advance(written);
        Ok(written)
    }

    /// Writes the pieces in front that are in memory.
    fn write_memory(&mut self, stream: &TcpStream) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut count = 0;
        for (slice, (piece, _)) in slices.iter_mut().zip(&self.pieces) {
            let Piece::Memory(bytes) = piece else { break };
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        let slices = slices.get(..count).unwrap_or_default();
        let bytes = slices.iter().map(|slice| slice.len()).sum::<usize>();
        if bytes >= LARGE_ANSWER_BYTES && !self.send_buffer_is_large {
            self.send_buffer_is_large = true;
            // Only connections that carry much from memory get one. A system that refuses serves us with what it has.
            let _ = socket2::SockRef::from(stream).set_send_buffer_size(LARGE_SEND_BUFFER_BYTES);
        }
        match self.pieces.get(count) {
            Some((Piece::File(range), _)) => {
                let held = range.hold(FILE_CHUNK_BYTES);
                let written = match held {
                    None => stream.try_write_vectored(slices)?,
                    Some(_) => write_before_more(stream, slices)?,
                };
                // Only if the range is next: until then a full socket must not keep it in memory.
                self.held = held.filter(|_| written == bytes);
                Ok(written)
            }
            _ => stream.try_write_vectored(slices),
        }
    }

    fn advance(&mut self, mut written: usize) {
        self.waiting_bytes = self.waiting_bytes.saturating_sub(written);
        while let Some((front, _)) = self.pieces.front_mut() {
            match front {
                Piece::Memory(bytes) if written < bytes.len() => return bytes.advance(written),
                Piece::Memory(bytes) => written -= bytes.len(),
                // What was sent of it is gone from it already.
                Piece::File(range) if range.len_bytes() > 0 => return,
                Piece::File(_) => (written, self.held) = (0, None),
            }
            self.pieces.pop_front();
        }
        // An idle connection keeps nothing of its largest answer.
        self.pieces = VecDeque::new();
    }
}

/// Writes what more will follow at once, so that it does not go out in a packet of its own and wake the reader for nothing.
fn write_before_more(stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    /// `MSG_MORE` of Linux; other systems are asked for nothing.
    const MORE: i32 = if cfg!(target_os = "linux") { 0x8000 } else { 0 };
    stream.try_io(Interest::WRITABLE, || socket2::SockRef::from(stream).send_vectored_with_flags(slices, MORE))
}

/// Sends of what is held of a range what the socket takes.
fn send(stream: &TcpStream, range: &mut FileRange, held: &mut Held) -> Result<usize, Failed> {
    let sent = stream.try_io(Interest::WRITABLE, || range.send(stream.as_fd(), held));
    sent.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Failed::File(Close::because(format!(
            "{} is shorter than it was, so the records that were announced cannot be sent; check the disk",
            range.name()
        ))),
        io::ErrorKind::WouldBlock
        | io::ErrorKind::Interrupted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::TimedOut => Failed::Socket(error),
        _ => Failed::File(Close::because(format!("{} cannot be sent: {error}; check the disk", range.name()))),
    })
}
