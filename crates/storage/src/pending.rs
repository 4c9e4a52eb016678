//! An answer that may come later, without an allocation where it is there at once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::{AppendError, MetadataError, ReadError, Unavailable};

/// The answer of an engine: there already, or on its way.
#[derive(Debug)]
pub struct Pending<T, E>(State<T, E>);

#[derive(Debug)]
enum State<T, E> {
    Ready(Option<Result<T, E>>),
    Waiting(oneshot::Receiver<Result<T, E>>),
}

/// Resolves its [`Pending`]. Dropped unused, the pending side sees the engine as gone: an outcome that is not known.
#[derive(Debug)]
pub struct Completer<T, E>(oneshot::Sender<Result<T, E>>);

impl<T, E> Completer<T, E> {
    /// Resolves; a receiver that is gone does not matter.
    pub fn complete(self, result: Result<T, E>) {
        let _ = self.0.send(result);
    }
}

impl<T, E> Pending<T, E> {
    /// An answer that is there already.
    pub fn ready(result: Result<T, E>) -> Self {
        Self(State::Ready(Some(result)))
    }

    /// An answer to come, and what resolves it.
    pub fn waiting() -> (Completer<T, E>, Self) {
        let (sender, receiver) = oneshot::channel();
        (Completer(sender), Self(State::Waiting(receiver)))
    }
}

impl<T, E: From<EngineGone>> Pending<T, E> {
    /// Waits on the calling thread. For tests and start-up; never on a reactor.
    pub fn wait(self) -> Result<T, E> {
        match self.0 {
            State::Ready(result) => result.unwrap_or_else(|| Err(EngineGone.into())),
            State::Waiting(receiver) => receiver.blocking_recv().unwrap_or_else(|_| Err(EngineGone.into())),
        }
    }
}

impl<T: Unpin, E: Unpin + From<EngineGone>> Future for Pending<T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Ready(result) => Poll::Ready(result.take().unwrap_or_else(|| Err(EngineGone.into()))),
            State::Waiting(receiver) => {
                Pin::new(receiver).poll(context).map(|received| received.unwrap_or_else(|_| Err(EngineGone.into())))
            }
        }
    }
}

/// The engine ended before it answered.
#[derive(Clone, Copy, Debug)]
pub struct EngineGone;

impl From<EngineGone> for Unavailable {
    fn from(_: EngineGone) -> Self {
        Unavailable {
            reason: Arc::from("the storage engine stopped before it answered; restart the broker"),
            retriable: false,
        }
    }
}

impl From<EngineGone> for AppendError {
    fn from(gone: EngineGone) -> Self {
        AppendError::Unknown(gone.into())
    }
}

impl From<EngineGone> for MetadataError {
    fn from(gone: EngineGone) -> Self {
        MetadataError::Unknown(gone.into())
    }
}

impl From<EngineGone> for ReadError {
    fn from(gone: EngineGone) -> Self {
        ReadError::Unavailable(gone.into())
    }
}
