//! One coordinator with its log: loading, writing, and the order between appends and replies.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use ottla_groups::{
    Action, Answer, ClientInfo, Coordinator, Event, GroupConfigs, GroupEvent, GroupEventKind, Request, Settings,
    Ticket, Topics,
};
use ottla_storage::{
    Append, AppendError, AppendOrigin, Appended, Dependency, Durability, PartitionId, Pending, Unavailable,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::topics::needs_topics;
use super::{Surroundings, log};

/// The coordinator lost its log while the request waited: the client must find the coordinator again and retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CoordinatorLost;

/// One partition of `__consumer_offsets` and the coordinator of its groups.
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
    /// The topics that the coordinator knows of.
    topics: Option<Arc<Topics>>,
    /// The configs of single groups that it knows of.
    configs: Arc<GroupConfigs>,
    /// Where the next append must land; another end means that another coordinator writes here.
    end_offset: i64,
    /// What was handed to the writer and is not settled yet. While there is any, no reply may overtake it.
    unwritten: usize,
    /// What a commit in a transaction builds on, while it is handled.
    depends_on: Option<Dependency>,
    writer: mpsc::UnboundedSender<Written>,
}

/// Whether a marker is durable; if not, why.
pub(super) type MarkerFate = Result<(), String>;

/// What is being appended to the shard's partition.
pub(super) enum Appending {
    /// Records of its coordinator.
    Records(Pending<Vec<Result<Appended, AppendError>>, Unavailable>),
    /// The marker of a transaction, with all else that ends it; who ends it tells what became of it.
    Marker(oneshot::Receiver<MarkerFate>),
}

/// An append on its way, and the replies that must not leave before it is durable.
struct Written {
    /// `None`: only replies, which wait for the appends before them.
    append: Option<Appending>,
    replies: Vec<(Ticket, Answer)>,
    /// What has happened once the append is durable.
    events: Vec<GroupEvent>,
}

impl Shard {
    pub(super) fn new(index: i32, settings: Settings, surroundings: Arc<Surroundings>) -> Arc<Self> {
        let state = State { stage: Stage::Unloaded, waiting: BTreeMap::new(), writer: None, closing: false };
        Arc::new(Self { index, settings, surroundings, state: Mutex::new(state) })
    }

    /// Hands a request over. Its effects happen now, or in order once the log is loaded.
    pub(super) fn submit(self: &Arc<Self>, client: ClientInfo, request: Request) -> Awaited {
        self.submit_to(&mut self.lock(), client, request)
    }

    /// Hands over a commit in a transaction, whose record must lie behind what it depends on. `None` while the log is being read:
    /// what waits for that would be appended too late, behind other records than those.
    pub(super) fn submit_behind(
        self: &Arc<Self>,
        depends_on: Option<Dependency>,
        client: ClientInfo,
        request: Request,
    ) -> Option<Awaited> {
        let mut state = self.lock();
        let closing = state.closing;
        let Stage::Live(live) = &mut state.stage else { return None };
        if closing {
            return None;
        }
        live.depends_on = depends_on;
        let awaited = self.submit_to(&mut state, client, request);
        if let Stage::Live(live) = &mut state.stage {
            live.depends_on = None;
        }
        Some(awaited)
    }

    fn submit_to(self: &Arc<Self>, state: &mut State, client: ClientInfo, request: Request) -> Awaited {
        let ticket = Ticket(self.surroundings.next_ticket());
        let (sender, receiver) = oneshot::channel();
        if !state.closing {
            state.waiting.insert(ticket.0, sender);
            self.deliver(state, Event::Request { ticket, client, request });
        }
        Awaited { shard: self.clone(), ticket, receiver, finished: false }
    }

    /// Hands over an event that nobody awaits an answer to. Without a log there is nothing it could concern.
    pub(super) fn tell(self: &Arc<Self>, event: Event) {
        let mut state = self.lock();
        if matches!(state.stage, Stage::Unloaded) && !self.surroundings.has_log() {
            return;
        }
        self.deliver(&mut state, event);
    }

    /// Hands over an event that only concerns what is in memory.
    pub(super) fn tell_live(self: &Arc<Self>, event: Event) {
        let mut state = self.lock();
        if matches!(state.stage, Stage::Live(_)) {
            self.deliver(&mut state, event);
        }
    }

    /// A transaction has ended, durably. Who is loaded later reads its marker.
    pub(super) fn transaction_ended(self: &Arc<Self>, producer_id: i64, commits: bool) {
        let mut state = self.lock();
        if !matches!(state.stage, Stage::Unloaded) {
            self.deliver(&mut state, Event::TransactionEnded { producer_id, commits });
        }
    }

    /// The lock under which a marker is appended; `None` while the coordinator does not know where its log ends, which is seen to.
    pub(super) fn lock_for_marker(self: &Arc<Self>) -> Option<MarkerLock<'_>> {
        let mut state = self.lock();
        if !state.closing && matches!(state.stage, Stage::Unloaded) {
            self.begin_loading(&mut state, VecDeque::new());
        }
        let is_live = !state.closing && matches!(state.stage, Stage::Live(_));
        is_live.then_some(MarkerLock(state))
    }

    /// A connection was lost. Who is loaded later knows of none.
    pub(super) fn connection_lost(self: &Arc<Self>, connection: u64) {
        let mut state = self.lock();
        let concerns = match &state.stage {
            Stage::Live(live) => live.coordinator.looks_at_connections(),
            // What came over it waits as well.
            Stage::Loading(_) => true,
            Stage::Unloaded => false,
        };
        if concerns {
            self.deliver(&mut state, Event::ConnectionLost { connection });
        }
    }

    /// Lets the coordinator go as soon as what it has appended is settled. Who waits for other members is answered then.
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

    pub(super) fn group_count(&self) -> usize {
        match &self.lock().stage {
            Stage::Live(live) => live.coordinator.group_count(),
            _ => 0,
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
                tracing::error!(partition = shard.index, "cannot load __consumer_offsets: {problem}");
            }
        });
    }

    fn handle(&self, state: &mut State, event: Event) {
        let Stage::Live(live) = &mut state.stage else { return };
        let mut actions = Vec::new();
        let known = live.topics.as_ref();
        let needs_topics = needs_topics(&event, known.is_some());
        let changed = needs_topics.then(|| self.surroundings.topics_unless(known)).flatten();
        let configured = self.surroundings.group_configs_unless(&live.configs);
        let (now, Live { coordinator, topics, configs, .. }) = (self.surroundings.now(), &mut **live);
        let handled = catch_unwind(AssertUnwindSafe(|| {
            if let Some(changed) = configured {
                *configs = changed.clone();
                coordinator.handle_into(now, Event::GroupConfigsChanged(changed), &mut actions);
            }
            if let Some(changed) = changed {
                *topics = Some(changed.clone());
                coordinator.handle_into(now, Event::TopicsChanged(changed), &mut actions);
            }
            coordinator.handle_into(now, event, &mut actions);
        }));
        if handled.is_err() {
            // It may have applied records that it never told us of.
            tracing::error!(partition = self.index, "the group core panicked, which is a bug; reading its log again");
            return state.discard();
        }
        self.act(state, actions);
    }

    /// Does what the coordinator wants: appends as one batch, and each reply after the appends before it.
    fn act(&self, state: &mut State, actions: Vec<Action>) {
        let State { stage: Stage::Live(live), waiting, .. } = state else { return };
        let mut batches: Vec<log::Batch> = Vec::new();
        let (mut replies, mut events) = (Vec::new(), Vec::new());
        for action in actions {
            match action {
                Action::Append(record) => log::Batch::add(&mut batches, None, record),
                Action::AppendInTransaction(producer, record) => log::Batch::add(&mut batches, Some(producer), record),
                Action::Event(event) => {
                    self.count(&event);
                    log::tell(self.index, &event);
                    events.push(event);
                }
                Action::Reply(ticket, answer) if batches.is_empty() && live.unwritten == 0 => {
                    reply(waiting, ticket, answer);
                }
                Action::Reply(ticket, answer) => replies.push((ticket, answer)),
            }
        }
        if let Some(deadline_ms) = live.coordinator.next_deadline() {
            self.surroundings.pulse.due(deadline_ms);
        }
        if batches.is_empty() && replies.is_empty() && (events.is_empty() || live.unwritten == 0) {
            return self.surroundings.timeline.tell(self.index, events);
        }
        let size_bytes = batches.iter().map(|batch| log::size_bytes(&batch.records)).sum::<usize>();
        if size_bytes > log::MAX_BATCH_BYTES {
            tracing::error!(partition = self.index, size_bytes, "a group is too large to be written; it is given up");
            return state.discard();
        }
        let append = (!batches.is_empty()).then(|| {
            let wall_ms = self.surroundings.now().wall_ms;
            let appends = batches.iter().map(|batch| {
                let append =
                    log::append(live.partition, live.end_offset, batch, batch.producer.and(live.depends_on), wall_ms);
                live.end_offset += batch.records.len() as i64;
                append
            });
            let appends = appends.collect();
            Appending::Records(self.surroundings.engine.append(appends))
        });
        live.unwritten += 1;
        // The receiver is gone only when the runtime shuts down.
        let _ = live.writer.send(Written { append, replies, events });
    }

    fn count(&self, event: &GroupEvent) {
        if let GroupEventKind::RecordsLost { records, .. } = &event.kind {
            let mut lost = self.surroundings.lost();
            lost.moves += 1;
            lost.records = lost.records.saturating_add(u64::try_from(*records).unwrap_or(0));
        }
    }

    /// Reads the log into a new coordinator and serves what has waited meanwhile.
    async fn read_log(self: &Arc<Self>) -> Result<(), String> {
        let unfinished = Unfinished(self);
        // What an earlier coordinator appended may still reach the log: the next one begins when nothing is under way, or
        // its end would not be the log's.
        let earlier = self.lock().writer.take();
        if let Some(writer) = earlier {
            let _ = writer.await;
        }
        let (coordinator, partition, end_offset) = self.replayed().await?;
        self.go_live(coordinator, partition, end_offset);
        mem::forget(unfinished);
        Ok(())
    }

    async fn replayed(&self) -> Result<(Coordinator, PartitionId, i64), String> {
        let topic = self.surroundings.log_topic().await?;
        let partition = PartitionId { topic, index: self.index };
        let mut coordinator = Coordinator::new(self.settings.clone());
        let end_offset = log::replay(&*self.surroundings.engine, partition, &mut coordinator).await?;
        Ok((coordinator, partition, end_offset))
    }

    fn go_live(self: &Arc<Self>, mut coordinator: Coordinator, partition: PartitionId, end_offset: i64) {
        let topics = coordinator.reads_topics().then(|| self.surroundings.topics_unless(None)).flatten();
        if let Some(topics) = &topics {
            coordinator.handle(self.surroundings.now(), Event::TopicsChanged(topics.clone()));
        }
        let mut configs = Arc::default();
        if let Some(configured) = self.surroundings.group_configs_unless(&configs) {
            configs = configured.clone();
            coordinator.handle(self.surroundings.now(), Event::GroupConfigsChanged(configured));
        }
        let actions = coordinator.loaded(self.surroundings.now());
        let untold = log::untold_deletions(&coordinator, &self.surroundings.engine.metadata());
        let (writer, written) = mpsc::unbounded_channel();
        let mut state = self.lock();
        if !matches!(state.stage, Stage::Loading(_)) {
            return;
        }
        let live = Live { coordinator, partition, topics, configs, end_offset, unwritten: 0, depends_on: None, writer };
        let Stage::Loading(waiting) = mem::replace(&mut state.stage, Stage::Live(Box::new(live))) else { return };
        state.writer = Some(tokio::spawn(settle_all(Arc::downgrade(self), written)));
        self.act(&mut state, actions);
        for event in untold.into_iter().chain(waiting) {
            self.handle(&mut state, event);
        }
    }

    /// An append and all before it are durable, or failed; of a discarded coordinator it does not matter any more.
    fn settle(&self, failure: Option<String>, replies: Vec<(Ticket, Answer)>, events: Vec<GroupEvent>) {
        let mut state = self.lock();
        let State { stage: Stage::Live(live), waiting, .. } = &mut *state else { return };
        if let Some(problem) = failure {
            tracing::error!(partition = self.index, "cannot write __consumer_offsets, reading it again: {problem}");
            return state.discard();
        }
        live.unwritten -= 1;
        self.surroundings.timeline.tell(self.index, events);
        for (ticket, answer) in replies {
            reply(waiting, ticket, answer);
        }
        state.end_if_settled();
    }

    fn cancel(self: &Arc<Self>, ticket: Ticket) {
        let mut state = self.lock();
        if state.waiting.remove(&ticket.0).is_some() && !matches!(state.stage, Stage::Unloaded) {
            self.deliver(&mut state, Event::Cancelled { ticket });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic of the core is caught while the lock is held, and its coordinator discarded.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Drops the coordinator and every reply it holds; the next request builds a new one from the log, once what is still
    /// being written is settled.
    fn discard(&mut self) {
        self.stage = Stage::Unloaded;
        self.waiting.clear();
    }

    fn end_if_settled(&mut self) {
        let unsettled = matches!(&self.stage, Stage::Live(live) if live.unwritten > 0);
        if self.closing && !unsettled {
            self.discard();
        }
    }
}

/// A coordinator that appends nothing while a marker goes to its partition.
pub(super) struct MarkerLock<'a>(MutexGuard<'a, State>);

impl MarkerLock<'_> {
    /// The partition's part of an end, and where to tell what becomes of it. To be called once, and the append to be given to
    /// the engine before the lock is dropped.
    pub(super) fn append(&mut self, marker: &Bytes) -> Option<(Append, oneshot::Sender<MarkerFate>)> {
        let Stage::Live(live) = &mut self.0.stage else { return None };
        let append = Append {
            partition: live.partition,
            batches: marker.clone(),
            expected_end: Some(live.end_offset),
            depends_on: None,
            durability: Durability::Flush,
            origin: AppendOrigin::Coordinator,
        };
        let (tell, told) = oneshot::channel();
        live.end_offset += 1;
        live.unwritten += 1;
        let append_of_marker = Some(Appending::Marker(told));
        let _ = live.writer.send(Written { append: append_of_marker, replies: Vec::new(), events: Vec::new() });
        Some((append, tell))
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
        let failure = match append {
            None => None,
            Some(Appending::Records(append)) => match append.await {
                Ok(results) => results.into_iter().find_map(Result::err).map(|error| format!("{error:?}")),
                Err(unavailable) => Some(unavailable.to_string()),
            },
            Some(Appending::Marker(told)) => match told.await {
                Ok(result) => result.err(),
                Err(_) => Some("nobody knows whether a transaction has ended".to_owned()),
            },
        };
        let Some(shard) = shard.upgrade() else { return };
        shard.settle(failure, replies, events);
    }
}

fn reply(waiting: &mut BTreeMap<u64, oneshot::Sender<Answer>>, ticket: Ticket, answer: Answer) {
    if let Some(sender) = waiting.remove(&ticket.0) {
        let _ = sender.send(answer);
    }
}

/// An answer that a coordinator owes. Dropped before it came, the request is cancelled: its client is gone.
pub(crate) struct Awaited {
    shard: Arc<Shard>,
    ticket: Ticket,
    receiver: oneshot::Receiver<Answer>,
    finished: bool,
}

impl Awaited {
    /// Waits for the answer.
    pub(crate) async fn answer(mut self) -> Result<Answer, CoordinatorLost> {
        let answer = (&mut self.receiver).await;
        self.finished = true;
        answer.map_err(|_| CoordinatorLost)
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        if !self.finished {
            self.shard.cancel(self.ticket);
        }
    }
}
