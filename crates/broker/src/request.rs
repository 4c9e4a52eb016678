//! One request as it came and one answer as it goes, before and after the messages' own coding.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;

use bytes::Bytes;
use ottla_protocol::{ApiKey, Chunk, Message, frame};
use ottla_storage::FileRange;

use crate::memory::Charge;

/// A request whose header has been read.
#[derive(Debug)]
pub(crate) struct Request {
    /// Which API.
    pub(crate) key: ApiKey,
    /// In which version; the dispatch table serves it.
    pub(crate) version: i16,
    /// Goes back with the answer.
    pub(crate) correlation_id: i32,
    /// What follows the header.
    pub(crate) body: Body,
}

/// A request's bytes with what is charged for them. A handler that waits long replaces them by nothing, which gives both
/// back.
#[derive(Debug, Default)]
pub(crate) struct Body {
    bytes: Bytes,
    _charge: Option<Charge>,
}

impl Body {
    /// These bytes, of a frame with that charge.
    pub(crate) fn new(bytes: Bytes, charge: Option<Charge>) -> Self {
        Body { bytes, _charge: charge }
    }
}

impl Deref for Body {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}

impl Request {
    /// The message.
    ///
    /// # Errors
    /// A body that is no such message closes the connection: nothing after it can be trusted.
    pub(crate) fn decode<'a, M: Message<'a>>(&'a self) -> Result<M, Close> {
        frame::decode_body(&self.body, self.version).map_err(|error| {
            Close::because(format!("{} version {} cannot be read: {error}", self.key.name(), self.version))
        })
    }

    /// The answer, in the request's version.
    ///
    /// # Errors
    /// An answer that the wire cannot carry (a string too long) closes the connection; a bug of the handler.
    pub(crate) fn respond<'m, M: Message<'m>>(&self, message: &M) -> Handled {
        self.respond_in(self.version, message)
    }

    /// The answer in another version than the request's: only for ApiVersions.
    ///
    /// # Errors
    /// As [`Request::respond`].
    pub(crate) fn respond_in<'m, M: Message<'m>>(&self, version: i16, message: &M) -> Handled {
        self.encode(version, message, Vec::new())
    }

    /// The answer whose records lie in part in files: these ranges, in the order of their places in the message.
    ///
    /// # Errors
    /// As [`Request::respond`]; and where ranges and places do not match, which would be a bug of the handler.
    pub(crate) fn respond_from_files<'m, M: Message<'m>>(&self, message: &M, ranges: Vec<FileRange>) -> Handled {
        self.encode(self.version, message, ranges)
    }

    fn encode<'m, M: Message<'m>>(&self, version: i16, message: &M, ranges: Vec<FileRange>) -> Handled {
        let wrong = |why: String| Close::because(format!("the answer to {} cannot be written: {why}", self.key.name()));
        let chunks = frame::encode_response_frame(self.correlation_id, version, message);
        let chunks = chunks.map_err(|error| wrong(error.to_string()))?;
        Response::of(chunks, ranges).ok_or_else(|| wrong("records in files are not where it has place for them".into()))
    }
}

/// What a handler returns: the answer, or why the connection must end.
pub(crate) type Handled = Result<Response, Close>;

/// A handler at work. It is polled once as soon as its request has arrived; see [`crate::dispatch`] for the rule of order.
pub(crate) type HandlerFuture = Pin<Box<dyn Future<Output = Handled> + Send>>;

/// A part of an answer as it is sent.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// These bytes.
    Memory(Bytes),
    /// This range of a file.
    File(FileRange),
}

impl Piece {
    /// Its size on the wire.
    pub(crate) fn len_bytes(&self) -> usize {
        match self {
            Piece::Memory(bytes) => bytes.len(),
            Piece::File(range) => range.len_bytes(),
        }
    }
}

/// An encoded answer with its size and header, in pieces so that records are written without copying them.
#[derive(Debug, Default)]
pub(crate) struct Response {
    pieces: Vec<Piece>,
    bytes: usize,
    charge: Option<Charge>,
}

impl Response {
    /// Puts the ranges into the places that the chunks have for them; `None` where they do not fit.
    fn of(chunks: Vec<Chunk>, ranges: Vec<FileRange>) -> Option<Self> {
        let bytes = chunks.iter().map(Chunk::len_bytes).sum();
        let mut ranges = ranges.into_iter();
        let mut pieces = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            pieces.push(match chunk {
                Chunk::Here(bytes) => Piece::Memory(bytes),
                Chunk::Elsewhere(bytes) => Piece::File(ranges.next().filter(|range| range.len_bytes() == bytes)?),
            });
        }
        ranges.next().is_none().then_some(Response { pieces, bytes, charge: None })
    }

    /// The answer, which keeps the charge until it is written.
    pub(crate) fn charged(self, charge: Charge) -> Self {
        Response { charge: Some(charge), ..self }
    }

    /// No answer at all: Produce with acks=0.
    pub(crate) fn none() -> Self {
        Response::default()
    }

    /// Its size on the wire.
    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    /// The pieces to write, none of them empty, and what they are charged.
    pub(crate) fn into_parts(self) -> (Vec<Piece>, Option<Charge>) {
        (self.pieces, self.charge)
    }
}

/// Why a connection is closed; the sentence goes to the log, the peer sees only the closing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Close {
    /// A sentence without its beginning, as in "closing the connection: …".
    pub(crate) reason: String,
}

impl Close {
    /// Closes the connection because of this.
    pub(crate) fn because(reason: impl Into<String>) -> Self {
        Close { reason: reason.into() }
    }
}
