//! One request as it came and one answer as it goes, before and after the messages' own coding.

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::{ApiKey, Chunk, Message, frame};
use ottla_storage::FileRange;

use crate::memory::Charge;
use crate::quotas::Metered;

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
    /// Counts it, where there are quotas.
    pub(crate) metered: Option<Arc<Metered>>,
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
        frame::decode_leading(&self.body, self.version).map_err(|error| {
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

    /// No answer at all: Produce with acks=0.
    pub(crate) fn respond_nothing(&self) -> Handled {
        Ok(Response { throttle_ms: self.throttle_ms(0), ..Response::default() })
    }

    /// Whether so many partitions may be created or deleted now. `is_strict`: the client knows THROTTLING_QUOTA_EXCEEDED; others may,
    /// and are silent afterwards (KIP-599).
    pub(crate) fn may_mutate(&self, partitions: i32, is_strict: bool) -> bool {
        self.metered.as_ref().is_none_or(|metered| metered.may_mutate(partitions, is_strict))
    }

    fn throttle_ms(&self, answer_bytes: usize) -> u64 {
        self.metered.as_ref().map_or(0, |metered| metered.answered(self.key, answer_bytes))
    }

    fn encode<'m, M: Message<'m>>(&self, version: i16, message: &M, ranges: Vec<FileRange>) -> Handled {
        let wrong = |why: String| Close::because(format!("the answer to {} cannot be written: {why}", self.key.name()));
        let chunks = |message: &M| frame::encode_response_frame(self.correlation_id, version, message);
        let mut encoded = chunks(message).map_err(|error| wrong(error.to_string()))?;
        let throttle_ms = self.throttle_ms(encoded.iter().map(Chunk::len_bytes).sum());
        if throttle_ms > 0 {
            let mut message = message.clone();
            message.set_throttle_time_ms(i32::try_from(throttle_ms).unwrap_or(i32::MAX));
            encoded = chunks(&message).map_err(|error| wrong(error.to_string()))?;
        }
        let response = Response::of(encoded, ranges).map(|response| Response { throttle_ms, ..response });
        response.ok_or_else(|| wrong("records in files are not where it has place for them".into()))
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
    throttle_ms: u64,
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
        ranges.next().is_none().then_some(Response { pieces, bytes, charge: None, throttle_ms: 0 })
    }

    /// The answer, which keeps the charge until it is written.
    pub(crate) fn charged(self, charge: Charge) -> Self {
        Response { charge: Some(charge), ..self }
    }

    /// For how long nothing is read from its client once it is sent.
    pub(crate) fn throttle_ms(&self) -> u64 {
        self.throttle_ms
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
