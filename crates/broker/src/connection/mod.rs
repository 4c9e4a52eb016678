//! One connection: requests in, effects in arrival order, answers out in the same order.
//!
//! 1. A request's handler is polled once as soon as the request has arrived, before the next one is looked at. What it
//!    does up to its first wait happens in arrival order. A handler that must wait before its effect holds the order
//!    ([`crate::context::Context::hold_order`]).
//! 2. Answers leave in arrival order; a finished one waits for those before it.
//! 3. At most [`MAX_IN_FLIGHT`] requests and [`MAX_IN_FLIGHT_BYTES`] are in flight, then reading stops.
//! 4. While requests wait, reading goes on, so that the end of the connection is noticed. What waits for other clients is
//!    given up then; what waits for the disk is still answered, because the peer may have closed only its own direction.
//! 5. A handler that panics ends this connection, and nothing else.

mod input;
mod output;
mod patience;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use self::input::{Input, Next};
use self::output::{Failed, Output};
use crate::context::Connection;
use crate::dispatch::{self, Started};
use crate::memory::Charge;
use crate::request::{Close, Handled, HandlerFuture, Response};

/// Requests of one connection that are answered at the same time.
pub(crate) const MAX_IN_FLIGHT: usize = 64;
/// Bytes of requests and of answers not yet written, above which a connection takes no further request.
pub(crate) const MAX_IN_FLIGHT_BYTES: usize = 8 * 1024 * 1024;

/// What one connection does before the others get their turn.
const REQUESTS_IN_A_ROW: usize = 64;
const WRITTEN_BYTES_IN_A_ROW: usize = 1024 * 1024;
/// How often it is looked whether a large request that is over its time takes memory that others need.
const OVERDUE_CHECK: Duration = Duration::from_secs(1);
/// Ten years: timers cannot be set to infinity.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;
type TaskContext<'a> = std::task::Context<'a>;

/// A request at work, or its answer that must wait for earlier ones.
enum InFlight {
    Working { handler: HandlerFuture, request_bytes: usize, waits_for_others: bool },
    Done(Response),
}

impl InFlight {
    fn bytes(&self) -> usize {
        match self {
            InFlight::Working { request_bytes, .. } => *request_bytes,
            InFlight::Done(response) => response.len(),
        }
    }
}

/// Why a connection ended.
enum End {
    /// The peer closed it, or the network did.
    ByPeer,
    /// It was silent for `connections.max.idle.ms`.
    Idle,
    /// The broker stops, and everything is answered.
    Stopped,
    /// We must not go on.
    ByUs(Close),
}

impl From<Close> for End {
    fn from(close: Close) -> Self {
        End::ByUs(close)
    }
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        End::ByPeer
    }
}

struct Serving {
    stream: TcpStream,
    connection: Arc<Connection>,
    input: Input,
    in_flight: VecDeque<InFlight>,
    /// Bytes of the requests at work and of the answers that wait in `in_flight`.
    in_flight_bytes: usize,
    output: Output,
    /// The last request's client id: shared, because a client rarely changes its name.
    client_id: Option<Arc<str>>,
    memory_released: Option<Waiting>,
    stop: Waiting,
    stopping: bool,
    /// The peer sends nothing more; it may still read.
    input_ended: bool,
    /// While the client has to be silent.
    muted: Option<Pin<Box<Sleep>>>,
    idle_limit: Duration,
    last_activity: Instant,
    turn: Turn,
}

/// What is left of a connection's turn.
struct Turn {
    requests: usize,
    write_bytes: usize,
}

impl Turn {
    const WHOLE: Turn = Turn { requests: REQUESTS_IN_A_ROW, write_bytes: WRITTEN_BYTES_IN_A_ROW };
}

/// Serves a connection until it ends.
pub(crate) async fn serve(stream: TcpStream, connection: Arc<Connection>) {
    let config = connection.broker.config();
    let settings = config.settings();
    let idle_limit = settings.connections_max_idle_ms.map_or(NEVER, Duration::from_millis);
    let max_frame_bytes = settings.socket_request_max_bytes;
    let peer = connection.peer;
    let stop = Box::pin(connection.broker.stop.wait());
    let mut serving = Serving {
        stream,
        connection,
        input: Input::new(max_frame_bytes),
        in_flight: VecDeque::new(),
        in_flight_bytes: 0,
        output: Output::default(),
        client_id: None,
        memory_released: None,
        stop,
        stopping: false,
        input_ended: false,
        muted: None,
        idle_limit,
        last_activity: Instant::now(),
        turn: Turn::WHOLE,
    };
    let idle = tokio::time::sleep(idle_limit);
    tokio::pin!(idle);
    let end = poll_fn(|context| serving.poll(context, idle.as_mut())).await;
    let client = serving.client_id.as_deref().unwrap_or("?");
    let is_lost = matches!(end, End::ByPeer);
    match end {
        End::ByPeer => tracing::debug!(%peer, client, "connection closed by the client"),
        End::Idle => tracing::debug!(%peer, client, "connection closed: it was silent for too long"),
        End::Stopped => tracing::debug!(%peer, client, "connection closed: the broker stops"),
        End::ByUs(close) => tracing::warn!(%peer, client, "closing the connection: {}", close.reason),
    }
    if is_lost {
        let connection = serving.connection.clone();
        // What it still waits for is given up first.
        drop(serving);
        connection.lost();
    }
}

impl Serving {
    fn poll(&mut self, context: &mut TaskContext<'_>, idle: Pin<&mut Sleep>) -> Poll<End> {
        match self.poll_progress(context) {
            Err(end) => return Poll::Ready(end),
            Ok(()) if self.stopping && self.all_is_answered() => return Poll::Ready(End::Stopped),
            Ok(()) if self.input_ended && self.all_is_answered() => return Poll::Ready(End::ByPeer),
            Ok(()) => {}
        }
        self.poll_idle(context, idle)
    }

    fn poll_progress(&mut self, context: &mut TaskContext<'_>) -> Result<(), End> {
        if !self.stopping && self.stop.as_mut().poll(context).is_ready() {
            self.stopping = true;
        }
        self.turn = Turn::WHOLE;
        loop {
            // Again after every write: room in the output lets handlers go on that were passed over.
            self.poll_handlers(context)?;
            let written = self.poll_write(context)?;
            let dispatched = self.poll_requests(context)?;
            if self.turn.requests == 0 || self.turn.write_bytes == 0 {
                context.waker().wake_by_ref();
                return Ok(());
            }
            if !written && !dispatched {
                return Ok(());
            }
        }
    }

    fn all_is_answered(&self) -> bool {
        self.in_flight.is_empty() && self.output.waiting_bytes() == 0
    }

    fn poll_idle(&mut self, context: &mut TaskContext<'_>, mut idle: Pin<&mut Sleep>) -> Poll<End> {
        if let Some(due) = self.input.due()
            && idle.deadline() > due
        {
            idle.as_mut().reset(due);
        }
        loop {
            // Activity does not touch the timer; it is set anew when it fires.
            ready!(idle.as_mut().poll(context));
            let now = Instant::now();
            let deadline = self.last_activity + self.idle_limit;
            if deadline <= now && self.in_flight.is_empty() {
                return Poll::Ready(End::Idle);
            }
            let is_overdue = self.input.due().is_some_and(|due| due <= now);
            if is_overdue && !self.connection.broker.requests.has_room() {
                return Poll::Ready(
                    Close::because("a large request takes too long to arrive, and memory is short").into(),
                );
            }
            let idle_check = if deadline > now { deadline } else { now + self.idle_limit };
            let due_check = self.input.due().map(|due| if due > now { due } else { now + OVERDUE_CHECK });
            idle.as_mut().reset(due_check.map_or(idle_check, |check| check.min(idle_check)));
        }
    }

    /// Polls every handler at work, then moves finished answers at the front to the output.
    fn poll_handlers(&mut self, context: &mut TaskContext<'_>) -> Result<(), End> {
        let mut answer_bytes = self.output.waiting_bytes();
        for index in 0..self.in_flight.len() {
            let Some(slot) = self.in_flight.get_mut(index) else { break };
            // Answers that cannot leave yet shall not pile up behind one that waits.
            if index > 0 && answer_bytes >= MAX_IN_FLIGHT_BYTES {
                break;
            }
            if let InFlight::Working { handler, request_bytes, .. } = slot
                && let Poll::Ready(handled) = poll_guarded(handler, context)
            {
                let response = handled?;
                self.in_flight_bytes = self.in_flight_bytes - *request_bytes + response.len();
                *slot = InFlight::Done(response);
            }
            if let InFlight::Done(response) = slot {
                answer_bytes += response.len();
            }
        }
        self.move_finished();
        Ok(())
    }

    fn move_finished(&mut self) {
        while let Some(InFlight::Done(response)) = self.in_flight.front_mut() {
            let (response, now) = (std::mem::take(response), Instant::now());
            self.in_flight_bytes -= response.len();
            if response.throttle_ms() > 0 {
                self.mute(now + Duration::from_millis(response.throttle_ms()).min(NEVER));
            }
            self.output.push(response);
            self.in_flight.pop_front();
            self.last_activity = now;
        }
        if self.in_flight.is_empty() {
            self.in_flight = VecDeque::new();
        }
    }

    /// Reads nothing until then: the client was faster than its quota.
    fn mute(&mut self, until: Instant) {
        match &mut self.muted {
            Some(muted) if muted.deadline() >= until => {}
            Some(muted) => muted.as_mut().reset(until),
            None => self.muted = Some(Box::pin(tokio::time::sleep_until(until))),
        }
    }

    /// Ends the silence when its time is over. Until then nothing is read, but that the peer has gone is noticed, unless it has sent more
    /// before: that waits for the end of the silence, or the idle limit ends the connection.
    fn poll_muted(&mut self, context: &mut TaskContext<'_>) -> Result<(), End> {
        let Some(muted) = &mut self.muted else { return Ok(()) };
        if muted.as_mut().poll(context).is_ready() {
            self.muted = None;
            return Ok(());
        }
        if self.input_ended || !self.input.is_empty() {
            return Ok(());
        }
        let mut byte = [0; 1];
        match self.stream.poll_peek(context, &mut ReadBuf::new(&mut byte)) {
            Poll::Ready(Ok(0)) => {
                self.input_ended = true;
                self.connection.input_ended.request();
            }
            Poll::Ready(Ok(_)) | Poll::Pending => {}
            Poll::Ready(Err(error)) => return Err(error.into()),
        }
        Ok(())
    }

    /// Writes as much as the socket takes; says whether anything was written.
    fn poll_write(&mut self, context: &mut TaskContext<'_>) -> Result<bool, End> {
        let mut written = false;
        while self.output.waiting_bytes() > 0 && self.turn.write_bytes > 0 {
            match self.output.poll_ready(context) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => break,
            }
            match self.output.write(&self.stream) {
                Ok(count) => {
                    self.turn.write_bytes = self.turn.write_bytes.saturating_sub(count);
                    written = true;
                    self.last_activity = Instant::now();
                }
                Err(Failed::Socket(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    match self.stream.poll_write_ready(context) {
                        Poll::Ready(ready) => ready?,
                        Poll::Pending => break,
                    }
                }
                Err(Failed::Socket(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(Failed::Socket(error)) => return Err(error.into()),
                Err(Failed::File(close)) => return Err(close.into()),
            }
        }
        Ok(written)
    }

    fn may_dispatch(&self) -> bool {
        !self.stopping
            && self.in_flight.len() < MAX_IN_FLIGHT
            && self.in_flight_bytes + self.output.waiting_bytes() < MAX_IN_FLIGHT_BYTES
            && self.muted.is_none()
            && !self.connection.order_is_held()
            && self.turn.requests > 0
            && (self.output.waiting_bytes() == 0 || self.connection.broker.answers.has_room())
    }

    /// Reads and starts requests until there is nothing more to read, or no more may start. Says whether one was started.
    fn poll_requests(&mut self, context: &mut TaskContext<'_>) -> Result<bool, End> {
        let mut dispatched = false;
        self.poll_muted(context)?;
        while self.may_dispatch() {
            match self.input.next(&self.connection.broker.requests)? {
                Next::Frame(frame, charge) => {
                    self.turn.requests -= 1;
                    self.dispatch(context, frame, charge)?;
                    dispatched = true;
                }
                Next::Bytes if self.input_ended => break,
                Next::Bytes => {
                    if self.poll_read(context)?.is_pending() {
                        break;
                    }
                }
            }
        }
        if !self.may_dispatch() {
            self.input.waits_for_peer(false);
        }
        if self.input_ended {
            self.give_up_waiting_for_others();
        }
        Ok(dispatched)
    }

    /// Nothing that the peer sends can come any more: what other clients may do some day is not waited for, nor can
    /// what comes after it be answered.
    fn give_up_waiting_for_others(&mut self) {
        let waits = |slot: &InFlight| matches!(slot, InFlight::Working { waits_for_others: true, .. });
        if let Some(place) = self.in_flight.iter().position(waits) {
            self.in_flight.truncate(place);
            self.in_flight_bytes = self.in_flight.iter().map(InFlight::bytes).sum();
        }
    }

    /// Whether there is memory to read on; otherwise the task is woken when some was given back.
    fn poll_memory(&mut self, context: &mut TaskContext<'_>) -> Poll<()> {
        let memory = &self.connection.broker.requests;
        loop {
            if let Some(released) = &mut self.memory_released {
                ready!(released.as_mut().poll(context));
                self.memory_released = None;
            }
            if self.input.may_read(memory) {
                return Poll::Ready(());
            }
            let mut released: Waiting = Box::pin(memory.released());
            // Registered before the account is asked again, so that no release in between is missed, on whatever thread.
            let _ = released.as_mut().poll(&mut TaskContext::from_waker(std::task::Waker::noop()));
            if self.input.may_read(memory) {
                return Poll::Ready(());
            }
            self.memory_released = Some(released);
        }
    }

    fn poll_read(&mut self, context: &mut TaskContext<'_>) -> Result<Poll<()>, End> {
        loop {
            match self.stream.poll_read_ready(context) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => {
                    self.input.waits_for_peer(true);
                    return Ok(Poll::Pending);
                }
            }
            self.input.waits_for_peer(false);
            if self.poll_memory(context).is_pending() {
                return Ok(Poll::Pending);
            }
            match self.input.read(&self.stream) {
                Ok(0) => {
                    self.input_ended = true;
                    self.connection.input_ended.request();
                    return Ok(Poll::Ready(()));
                }
                Ok(_) => {
                    self.last_activity = Instant::now();
                    return Ok(Poll::Ready(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn dispatch(&mut self, context: &mut TaskContext<'_>, frame: Bytes, charge: Option<Charge>) -> Result<(), End> {
        let request_bytes = frame.len();
        let Started { mut handler, waits_for_others } =
            dispatch::start(&self.connection, &mut self.client_id, frame, charge)?;
        match poll_guarded(&mut handler, context) {
            Poll::Ready(handled) => {
                let response = handled?;
                self.in_flight_bytes += response.len();
                self.in_flight.push_back(InFlight::Done(response));
            }
            Poll::Pending => {
                self.in_flight_bytes += request_bytes;
                self.in_flight.push_back(InFlight::Working { handler, request_bytes, waits_for_others });
            }
        }
        self.move_finished();
        Ok(())
    }
}

/// Polls a handler; a panic in it becomes the end of its connection.
fn poll_guarded(handler: &mut HandlerFuture, context: &mut TaskContext<'_>) -> Poll<Handled> {
    match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(context))) {
        Ok(polled) => polled,
        Err(panic) => {
            let what = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            Poll::Ready(Err(Close::because(format!("a handler panicked, which is a bug of the broker: {what}"))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_in_a_handler_ends_only_its_connection() {
        let mut handler: HandlerFuture = Box::pin(async { panic!("planted") });
        let polled = poll_guarded(&mut handler, &mut TaskContext::from_waker(std::task::Waker::noop()));
        let Poll::Ready(Err(close)) = polled else { panic!("the panic must close the connection") };
        assert!(close.reason.ends_with("planted"), "{}", close.reason);
    }
}
