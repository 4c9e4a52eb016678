//! One coordinator with its log: loading, writing, ends, and the order between appends and replies.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ottla_groups::Record;
use ottla_storage::{AppendError, Appended, Dependency, PartitionId, Pending, Unavailable};
use ottla_transactions::{
    Action, Admission, Allotment, Answer, Coordinator, EndFailed, EndId, EndStep, Event, Request, Settings, Ticket,
    TransactionError, TransactionEvent,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::{Surroundings, end, story};
use crate::groups::log::{self, Batch};
use crate::groups::{CoordinatorLost, EndUnderWay};

/// What the gate has decided.
pub(crate) struct Admitted {
    /// One for each partition.
    pub(crate) verdicts: Vec<Result<(), TransactionError>>,
    /// What every admitted batch builds on: the coordinator's log must know the partition. Were its record refused and the batch
    /// taken (a full disk, for a moment), the transaction would stay open in that partition for ever.
    pub(crate) depends_on: Option<Dependency>,
}

/// One partition of `__transaction_state` and the coordinator of its transactional ids.
pub(super) struct Shard {
    index: i32,
    settings: Settings,
    surroundings: Arc<Surroundings>,
    state: Mutex<State>,
}

struct State {
    stage: Stage,
    /// Who waits for an answer, by ticket. Dropping a sender answers that the coordinator is lost.
    waiting: BTreeMap<u64, oneshot::Sender<Answer>>,
    /// Settles the appends of the coordinator, also of one that was discarded.
    writer: Option<JoinHandle<()>>,
    /// The broker stops: nothing new begins.
    closing: bool,
}

enum Stage {
    /// Nothing in memory; the next request loads.
    Unloaded,
    /// The log is being read; events wait in their order.
    Loading(VecDeque<Event>),
    Live(Box<Live>),
}

struct Live {
    coordinator: Coordinator,
    partition: PartitionId,
    /// Where the next append must land; another end means that another coordinator writes here.
    end_offset: i64,
    /// What was handed to the writer and is not settled yet. While there is any, no reply may overtake it.
    unwritten: usize,
    writer: mpsc::UnboundedSender<Written>,
}

/// What is on its way to the log, and what must not leave before it is durable.
#[derive(Default)]
struct Written {
    /// `None`: only replies, which wait for the appends before them.
    append: Option<Appending>,
    replies: Vec<(Ticket, Answer)>,
    /// What has happened once the append is durable.
    events: Vec<TransactionEvent>,
}

enum Appending {
    Records(Pending<Vec<Result<Appended, AppendError>>, Unavailable>),
    End(EndId, EndUnderWay),
    /// An end that could not even begin.
    NoEnd(EndId, EndFailed),
}

/// What became of an append: of an end, what to tell the coordinator; or a failure after which the log must be read again.
type Settled = Result<Option<(EndId, Result<(), EndFailed>)>, String>;

impl Shard {
    pub(super) fn new(index: i32, settings: Settings, surroundings: Arc<Surroundings>) -> Arc<Self> {
        let state = State { stage: Stage::Unloaded, waiting: BTreeMap::new(), writer: None, closing: false };
        Arc::new(Self { index, settings, surroundings, state: Mutex::new(state) })
    }

    /// Hands a request over. Its effects happen now, or in order once the log is loaded.
    pub(super) fn submit(self: &Arc<Self>, request: Request) -> Awaited {
        let ticket = Ticket(self.surroundings.next_ticket());
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        if !state.closing {
            state.waiting.insert(ticket.0, sender);
            self.deliver(&mut state, Event::Request { ticket, request });
        }
        Awaited(receiver)
    }

    /// Hands over an event that only concerns what is in memory.
    pub(super) fn tell_live(self: &Arc<Self>, event: Event) {
        let mut state = self.lock();
        if matches!(state.stage, Stage::Live(_)) {
            self.deliver(&mut state, event);
        }
    }

    /// The gate; see [`super::Transactions::admit`].
    pub(super) fn admit<T>(self: &Arc<Self>, admission: &Admission<'_>, append: impl FnOnce(Admitted) -> T) -> T {
        let mut state = self.lock();
        let verdicts = self.verdicts(&mut state, admission);
        let verdicts = verdicts.unwrap_or_else(|error| vec![Err(error); admission.partitions.len()]);
        append(Admitted { verdicts, depends_on: state.unwritten_end() })
    }

    fn verdicts(
        self: &Arc<Self>,
        state: &mut State,
        admission: &Admission<'_>,
    ) -> Result<Vec<Result<(), TransactionError>>, TransactionError> {
        match &state.stage {
            _ if state.closing => return Err(TransactionError::CoordinatorNotAvailable),
            Stage::Unloaded if !self.surroundings.has_log() => return Err(TransactionError::InvalidProducerIdMapping),
            Stage::Unloaded => self.begin_loading(state, VecDeque::new()),
            Stage::Loading(_) | Stage::Live(_) => {}
        }
        let verdicts = self.with_core(state, |coordinator, now, actions| coordinator.admit(now, admission, actions));
        // Whatever went wrong, the coordinator is loaded anew.
        verdicts.ok_or(TransactionError::CoordinatorLoadInProgress)
    }

    /// Lets the coordinator go as soon as what it has appended is settled.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closing = true;
        state.end_if_settled();
    }

    pub(super) fn next_deadline(&self) -> Option<u64> {
        match &self.lock().stage {
            Stage::Live(live) => live.coordinator.next_deadline(),
            _ => None,
        }
    }

    /// Loads the log if nobody has begun to.
    pub(super) async fn load(self: &Arc<Self>) -> Result<(), String> {
        {
            let mut state = self.lock();
            if state.closing || !matches!(state.stage, Stage::Unloaded) {
                return Ok(());
            }
            state.stage = Stage::Loading(VecDeque::new());
        }
        self.read_log().await
    }

    fn deliver(self: &Arc<Self>, state: &mut State, event: Event) {
        if state.closing {
            return;
        }
        match &mut state.stage {
            Stage::Live(_) => self.handle(state, event),
            Stage::Loading(queue) => queue.push_back(event),
            Stage::Unloaded => self.begin_loading(state, VecDeque::from([event])),
        }
    }

    fn begin_loading(self: &Arc<Self>, state: &mut State, waiting: VecDeque<Event>) {
        state.stage = Stage::Loading(waiting);
        let shard = self.clone();
        tokio::spawn(async move {
            if let Err(problem) = shard.read_log().await {
                tracing::error!(partition = shard.index, "cannot load __transaction_state: {problem}");
            }
        });
    }

    fn handle(self: &Arc<Self>, state: &mut State, event: Event) {
        self.with_core(state, |coordinator, now, actions| coordinator.handle_into(now, event, actions));
    }

    /// Calls the coordinator and does what it wants. `None` if there is none, or there is none any more.
    fn with_core<T>(
        self: &Arc<Self>,
        state: &mut State,
        call: impl FnOnce(&mut Coordinator, ottla_groups::Now, &mut Vec<Action>) -> T,
    ) -> Option<T> {
        let Stage::Live(live) = &mut state.stage else { return None };
        let mut actions = Vec::new();
        let (now, coordinator) = (self.surroundings.now(), &mut live.coordinator);
        let Ok(answer) = catch_unwind(AssertUnwindSafe(|| call(coordinator, now, &mut actions))) else {
            // It may have applied records that it never told us of.
            tracing::error!(
                partition = self.index,
                "the transaction core panicked, which is a bug; reading its log again"
            );
            self.discard(state);
            return None;
        };
        self.act(state, actions);
        matches!(state.stage, Stage::Live(_)).then_some(answer)
    }

    /// Does what the coordinator wants, in its order: each reply after the appends before it.
    fn act(self: &Arc<Self>, state: &mut State, actions: Vec<Action>) {
        let State { stage: Stage::Live(live), waiting, .. } = state else { return };
        let (mut records, mut written) = (Vec::new(), Written::default());
        let mut fits = true;
        for action in actions {
            match action {
                Action::Append(record) => records.push(record),
                Action::End(step) => {
                    fits &= self.hand_over(live, &mut records, &mut written);
                    self.begin_end(live, step);
                }
                Action::AllotProducerId(allotment) => self.allot(allotment),
                Action::Event(event) => written.events.push(event),
                Action::Reply(ticket, answer) if records.is_empty() && live.unwritten == 0 => {
                    reply(waiting, ticket, answer);
                }
                Action::Reply(ticket, answer) => written.replies.push((ticket, answer)),
            }
        }
        fits &= self.hand_over(live, &mut records, &mut written);
        if let Some(deadline_ms) = live.coordinator.next_deadline() {
            self.surroundings.pulse.due(deadline_ms);
        }
        if !fits {
            tracing::error!(partition = self.index, "a transaction is too large to be written; it is given up");
            self.discard(state);
        }
    }

    /// Appends records as one batch, and has what depends on them wait for it. `false`: they are too large.
    fn hand_over(&self, live: &mut Live, records: &mut Vec<Record>, written: &mut Written) -> bool {
        let Written { replies, events, .. } = mem::take(written);
        let records = mem::take(records);
        if records.is_empty() && replies.is_empty() && live.unwritten == 0 {
            events.iter().for_each(|event| story::tell(self.index, event));
            return true;
        }
        if records.is_empty() && replies.is_empty() && events.is_empty() {
            return true;
        }
        if log::size_bytes(&records) > log::MAX_BATCH_BYTES {
            return false;
        }
        let append = (!records.is_empty()).then(|| {
            let batch = Batch { producer: None, records };
            let append = log::append(live.partition, live.end_offset, &batch, None, self.surroundings.now().wall_ms);
            live.end_offset += batch.records.len() as i64;
            Appending::Records(self.surroundings.engine.append(vec![append]))
        });
        live.hand_to_writer(Written { append, replies, events });
        true
    }

    fn begin_end(&self, live: &mut Live, step: EndStep) {
        let batch = Batch { producer: None, records: vec![step.record.clone()] };
        let record = log::append(live.partition, live.end_offset, &batch, None, self.surroundings.now().wall_ms);
        let append = match end::submit(&self.surroundings, &step, record) {
            Ok(under_way) => {
                live.end_offset += 1;
                Appending::End(step.end, under_way)
            }
            Err(problem) => Appending::NoEnd(step.end, EndFailed { problem }),
        };
        live.hand_to_writer(Written { append: Some(append), ..Written::default() });
    }

    fn allot(self: &Arc<Self>, allotment: Allotment) {
        let (allotted, shard) = (self.surroundings.engine.init_producer(), Arc::downgrade(self));
        tokio::spawn(async move {
            let producer_id = allotted.await.ok();
            if let Some(shard) = shard.upgrade() {
                shard.tell_live(Event::ProducerIdAllotted { allotment, producer_id });
            }
        });
    }

    /// Reads the log into a new coordinator and serves what has waited meanwhile.
    async fn read_log(self: &Arc<Self>) -> Result<(), String> {
        let unfinished = Unfinished(self);
        // What an earlier coordinator appended may still reach the log: the next one begins when nothing is under way.
        let earlier = self.lock().writer.take();
        if let Some(writer) = earlier {
            let _ = writer.await;
        }
        let partition = PartitionId { topic: self.surroundings.log_topic().await?, index: self.index };
        let mut coordinator = Coordinator::new(self.settings.clone());
        let end_offset = log::each_record(&*self.surroundings.engine, partition, |record| {
            let Some(key) = record.key else { return };
            coordinator.replay(&Record { key: key.to_vec(), value: record.value.map(<[u8]>::to_vec) });
        });
        let end_offset = end_offset.await?;
        self.go_live(coordinator, partition, end_offset);
        mem::forget(unfinished);
        Ok(())
    }

    fn go_live(self: &Arc<Self>, mut coordinator: Coordinator, partition: PartitionId, end_offset: i64) {
        let actions = coordinator.loaded(self.surroundings.now());
        let (writer, written) = mpsc::unbounded_channel();
        let mut state = self.lock();
        if !matches!(state.stage, Stage::Loading(_)) {
            return;
        }
        let live = Live { coordinator, partition, end_offset, unwritten: 0, writer };
        let Stage::Loading(waiting) = mem::replace(&mut state.stage, Stage::Live(Box::new(live))) else { return };
        state.writer = Some(tokio::spawn(settle_all(Arc::downgrade(self), written)));
        self.act(&mut state, actions);
        for event in waiting {
            self.handle(&mut state, event);
        }
    }

    /// What was appended and all before it is durable, or failed; of a discarded coordinator it does not matter any more.
    fn settle(self: &Arc<Self>, settled: Settled, replies: Vec<(Ticket, Answer)>, events: &[TransactionEvent]) {
        let mut state = self.lock();
        let State { stage: Stage::Live(live), waiting, .. } = &mut *state else { return };
        match settled {
            Err(problem) => {
                tracing::error!(
                    partition = self.index,
                    "cannot write __transaction_state, reading it again: {problem}"
                );
                return self.discard(&mut state);
            }
            Ok(ended) => {
                live.unwritten -= 1;
                events.iter().for_each(|event| story::tell(self.index, event));
                replies.into_iter().for_each(|(ticket, answer)| reply(waiting, ticket, answer));
                if let Some((end, result)) = ended {
                    self.handle(&mut state, Event::Ended { end, result });
                }
            }
        }
        state.end_if_settled();
    }

    /// Drops the coordinator and every reply it holds, and builds a new one from the log: there may be transactions that must be
    /// aborted in time, though nobody asks.
    fn discard(self: &Arc<Self>, state: &mut State) {
        state.discard();
        if !state.closing {
            self.begin_loading(state, VecDeque::new());
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic of the core is caught while the lock is held, and its coordinator discarded.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn hand_to_writer(&mut self, written: Written) {
        self.unwritten += 1;
        // The receiver is gone only when the runtime shuts down.
        let _ = self.writer.send(written);
    }
}

impl State {
    fn discard(&mut self) {
        self.stage = Stage::Unloaded;
        self.waiting.clear();
    }

    /// Where the log ends once what is on its way is there; `None` while nothing is.
    fn unwritten_end(&self) -> Option<Dependency> {
        let Stage::Live(live) = &self.stage else { return None };
        (live.unwritten > 0).then_some(Dependency { partition: live.partition, end_offset: live.end_offset })
    }

    fn end_if_settled(&mut self) {
        let unsettled = matches!(&self.stage, Stage::Live(live) if live.unwritten > 0);
        if self.closing && !unsettled {
            self.discard();
        }
    }
}

/// While it lives, the log is being read. Dropped, because reading failed or panicked, it lets the next request try again.
struct Unfinished<'a>(&'a Shard);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if matches!(state.stage, Stage::Loading(_)) {
            state.discard();
        }
    }
}

/// Settles appends in their order; ends with the last one of its coordinator.
async fn settle_all(shard: Weak<Shard>, mut written: mpsc::UnboundedReceiver<Written>) {
    while let Some(Written { append, replies, events }) = written.recv().await {
        let settled = match append {
            None => Ok(None),
            Some(Appending::NoEnd(end, failed)) => Ok(Some((end, Err(failed)))),
            Some(Appending::End(end, under_way)) => match under_way.settled().await {
                Ok(()) => Ok(Some((end, Ok(())))),
                Err(error) => Err(format!("{error:?}")),
            },
            Some(Appending::Records(append)) => match append.await {
                Ok(results) => match results.into_iter().find_map(Result::err) {
                    None => Ok(None),
                    Some(error) => Err(format!("{error:?}")),
                },
                Err(unavailable) => Err(unavailable.to_string()),
            },
        };
        // The groups are told of an end even where its coordinator is gone.
        if let Some(shard) = shard.upgrade() {
            shard.settle(settled, replies, &events);
        }
    }
}

fn reply(waiting: &mut BTreeMap<u64, oneshot::Sender<Answer>>, ticket: Ticket, answer: Answer) {
    if let Some(sender) = waiting.remove(&ticket.0) {
        let _ = sender.send(answer);
    }
}

/// An answer that a coordinator owes. Nothing waits longer than for an append, so nobody need be told that it is dropped.
pub(crate) struct Awaited(oneshot::Receiver<Answer>);

impl Awaited {
    /// Of a coordinator that there is not.
    pub(super) fn lost() -> Self {
        Awaited(oneshot::channel().1)
    }

    /// Waits for the answer.
    pub(crate) async fn answer(self) -> Result<Answer, CoordinatorLost> {
        self.0.await.map_err(|_| CoordinatorLost)
    }
}
