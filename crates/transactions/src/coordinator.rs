//! The coordinator itself: what comes in, to which transactional id it goes, and what goes out.
use crate::answer::{Answer, ListedTransactions, TransactionError};
use crate::describe::{describe, list};
use crate::durable::DurableTransaction;
use crate::event::{Action, Allotment, EndFailed, EndId, Event, TransactionEvent, TransactionEventKind};
use crate::expiry::{MOST_AT_ONCE, has_expired};
use crate::gate::Admission;
use crate::init;
use crate::planted::planted;
use crate::records::{StoredRecord, StoredTransaction, TransactionState, encode};
use crate::request::{InitProducer, ListTransactions, Request};
use crate::settings::Settings;
use crate::step::{NeedsProducerId, Step};
use crate::transaction::Transaction;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ottla_groups::{Now, Record, Ticket};

/// The longest transactional id that a record can carry, in bytes.
const MAX_ID_BYTES: usize = i16::MAX as usize;

/// The coordinator of all transactional ids of one partition of `__transaction_state`. See the crate's documentation for
/// the contract with its shell.
#[derive(Debug)]
pub struct Coordinator {
    settings: Settings,
    transactions: BTreeMap<String, Transaction>,
    /// When which transaction has taken too long; repeats their own deadlines.
    timed: BTreeSet<(u64, String)>,
    /// Ends that are being written.
    ends: BTreeMap<EndId, String>,
    /// What waits for a producer id.
    waiting: BTreeMap<Allotment, Waiting>,
    /// The last number that an end or an allotment was given.
    numbers: u64,
    /// Monotonic time of the last call.
    last_call_ms: u64,
    is_loaded: bool,
    /// What was wrong with records that could not be read.
    skipped: Vec<String>,
}

/// What waits for a producer id. When it is there, everything is looked at anew.
#[derive(Debug)]
enum Waiting {
    Request(Ticket, Request),
    /// The transaction that began then is to be aborted.
    TimeOut {
        transactional_id: String,
        start_ms: i64,
    },
}

impl Coordinator {
    /// An empty coordinator that has not loaded its log yet.
    pub fn new(settings: Settings) -> Self {
        Coordinator {
            settings,
            transactions: BTreeMap::new(),
            timed: BTreeSet::new(),
            ends: BTreeMap::new(),
            waiting: BTreeMap::new(),
            numbers: 0,
            last_call_ms: 0,
            is_loaded: false,
            skipped: Vec::new(),
        }
    }

    /// Takes over changed settings. Producers keep the timeouts they were admitted with.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// Applies one record of the log, in log order, before [`Coordinator::loaded`].
    ///
    /// A record that cannot be read does not stop the loading; [`Coordinator::loaded`] reports it as an event.
    pub fn replay(&mut self, record: &Record) {
        match StoredRecord::decode(record) {
            Err(problem) => self.skipped.push(problem.to_string()),
            Ok(StoredRecord::Unknown { .. }) => {}
            Ok(StoredRecord::Transaction(id, None)) => drop(self.transactions.remove(&id)),
            Ok(StoredRecord::Transaction(id, Some(mut stored))) => {
                if planted!(self.settings, PartitionLostOnReplay) {
                    stored.partitions.pop_last();
                }
                match self.transactions.get_mut(&id) {
                    Some(transaction) => transaction.durable.apply(stored),
                    None => drop(self.transactions.insert(id, Transaction::new(stored))),
                }
            }
        }
    }

    /// Ends the loading: transactions that are not over may take what is left of their time, and requests are served from now on.
    pub fn loaded(&mut self, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        self.is_loaded = true;
        self.last_call_ms = now.monotonic_ms;
        for problem in core::mem::take(&mut self.skipped) {
            let kind = TransactionEventKind::RecordSkipped { problem };
            let event = TransactionEvent { transactional_id: String::new(), at_ms: now.wall_ms, kind };
            actions.push(Action::Event(event));
        }
        for id in self.transactions.keys().cloned().collect::<Vec<_>>() {
            self.step(now, &id, None, &mut actions, |step| step.revive());
        }
        actions
    }

    /// Handles one event. See [`Coordinator::handle_into`].
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        self.handle_into(now, event, &mut actions);
        actions
    }

    /// Handles one event and adds what is to be done, in order, to `actions`.
    pub fn handle_into(&mut self, now: Now, event: Event, actions: &mut Vec<Action>) {
        let now = self.not_before(now);
        match event {
            Event::Request { ticket, request } if !self.is_loaded => {
                actions.push(Action::Reply(ticket, refuse(&request, TransactionError::CoordinatorLoadInProgress)));
            }
            Event::Request { ticket, request } => self.request(now, ticket, request, None, actions),
            Event::Tick => self.tick(now, actions),
            Event::ProducerIdAllotted { allotment, producer_id } => {
                if let Some(waiting) = self.waiting.remove(&allotment) {
                    self.go_on(now, waiting, producer_id, actions);
                }
            }
            Event::Ended { end, result } => self.ended(now, end, result, actions),
            Event::ExpireTransactionalIds if !self.is_loaded => {}
            Event::ExpireTransactionalIds => self.expire(now, actions),
        }
    }

    /// The gate: whether transactional batches may be appended, one result for each partition in order. `actions` get the records
    /// that must be given to the engine before the batches.
    pub fn admit(
        &mut self,
        now: Now,
        admission: &Admission<'_>,
        actions: &mut Vec<Action>,
    ) -> Vec<Result<(), TransactionError>> {
        let now = self.not_before(now);
        let all = |error| admission.partitions.iter().map(|_| Err(error)).collect();
        if !self.is_loaded {
            return all(TransactionError::CoordinatorLoadInProgress);
        }
        if let Err(error) = check_id(admission.transactional_id) {
            return all(error);
        }
        self.step(now, admission.transactional_id, None, actions, |step| step.admit(admission))
            .unwrap_or_else(|| all(TransactionError::InvalidProducerIdMapping))
    }

    /// When the next [`Event::Tick`] is due, in monotonic milliseconds; `None` if nothing is timed. Transactions that take too long
    /// are looked for at multiples of `transaction.abort.timed.out.transaction.cleanup.interval.ms`, and only when one does.
    pub fn next_deadline(&self) -> Option<u64> {
        let (first, _) = self.timed.first()?;
        let interval_ms = self.settings.abort_interval_ms.max(1);
        Some(first.div_ceil(interval_ms).saturating_mul(interval_ms))
    }

    /// How many transactional ids there are; for the ready line and metrics.
    pub fn transactional_id_count(&self) -> usize {
        self.transactions.len()
    }

    /// What of every transactional id would survive if the process ended now and all appends were durable, but for the ends that are
    /// being written. Replaying the log gives the same.
    pub fn durable_transactions(&self) -> impl Iterator<Item = (&str, &DurableTransaction)> {
        self.transactions.iter().map(|(id, transaction)| (id.as_str(), &transaction.durable))
    }

    fn not_before(&mut self, now: Now) -> Now {
        let now = Now { monotonic_ms: now.monotonic_ms.max(self.last_call_ms), ..now };
        self.last_call_ms = now.monotonic_ms;
        now
    }

    /// Lets one id take a step, and sees to its deadline and its end. `None` if there is no such id.
    fn step<T>(
        &mut self,
        now: Now,
        id: &str,
        spare: Option<i64>,
        actions: &mut Vec<Action>,
        act: impl FnOnce(&mut Step<'_>) -> T,
    ) -> Option<T> {
        let transaction = self.transactions.get_mut(id)?;
        let deadline_before = transaction.deadline_ms;
        let end_before = transaction.ending.as_ref().map(|ending| ending.end);
        let (settings, numbers) = (&self.settings, &mut self.numbers);
        let done = act(&mut Step { now, settings, id, transaction, numbers, spare, actions });
        let end_after = transaction.ending.as_ref().map(|ending| ending.end);
        if end_after != end_before {
            end_before.map(|end| self.ends.remove(&end));
            end_after.map(|end| self.ends.insert(end, id.into()));
        }
        if transaction.deadline_ms != deadline_before {
            deadline_before.map(|at| self.timed.remove(&(at, id.into())));
            transaction.deadline_ms.map(|at| self.timed.insert((at, id.into())));
        }
        Some(done)
    }

    /// Remembers what waits for a producer id, and asks for one.
    fn wait(&mut self, waiting: Waiting, actions: &mut Vec<Action>) {
        self.numbers += 1;
        let allotment = Allotment(self.numbers);
        self.waiting.insert(allotment, waiting);
        actions.push(Action::AllotProducerId(allotment));
    }

    fn go_on(&mut self, now: Now, waiting: Waiting, spare: Option<i64>, actions: &mut Vec<Action>) {
        match (waiting, spare) {
            (Waiting::Request(ticket, request), Some(spare)) => {
                self.request(now, ticket, request, Some(spare), actions);
            }
            (Waiting::Request(ticket, request), None) => {
                let error = TransactionError::CoordinatorNotAvailable;
                actions.push(Action::Reply(ticket, refuse(&request, error)));
            }
            (Waiting::TimeOut { transactional_id, start_ms }, Some(spare)) => {
                self.step(now, &transactional_id, Some(spare), actions, |step| {
                    if step.transaction.stored().start_ms == start_ms {
                        // It cannot need another one.
                        let _ = step.abort_late();
                    }
                });
            }
            // Its deadline was moved, so it comes up again.
            (Waiting::TimeOut { .. }, None) => {}
        }
    }

    fn tick(&mut self, now: Now, actions: &mut Vec<Action>) {
        let due = self.timed.iter().take_while(|(at, _)| *at <= now.monotonic_ms);
        for id in due.map(|(_, id)| id.clone()).collect::<Vec<_>>() {
            let timed_out = self.step(now, &id, None, actions, |step| {
                step.time_out().map_err(|NeedsProducerId| step.transaction.stored().start_ms)
            });
            if let Some(Err(start_ms)) = timed_out {
                self.wait(Waiting::TimeOut { transactional_id: id, start_ms }, actions);
            }
        }
    }

    fn ended(&mut self, now: Now, end: EndId, result: Result<(), EndFailed>, actions: &mut Vec<Action>) {
        let Some(id) = self.ends.get(&end).cloned() else { return };
        self.step(now, &id, None, actions, |step| step.ended_or_failed(end, result));
    }

    fn expire(&mut self, now: Now, actions: &mut Vec<Action>) {
        let expired = self.transactions.iter().filter(|(_, one)| has_expired(now, one, &self.settings));
        let expired = expired.map(|(id, one)| (id.clone(), one.stored().last_update_ms, one.deadline_ms));
        for (id, last_update_ms, deadline_ms) in expired.take(MOST_AT_ONCE).collect::<Vec<_>>() {
            self.transactions.remove(&id);
            deadline_ms.map(|at| self.timed.remove(&(at, id.clone())));
            actions.push(Action::Append(encode(&id, None)));
            let kind = TransactionEventKind::Expired { last_update_ms };
            actions.push(Action::Event(TransactionEvent { transactional_id: id, at_ms: now.wall_ms, kind }));
        }
    }

    fn request(&mut self, now: Now, ticket: Ticket, request: Request, spare: Option<i64>, actions: &mut Vec<Action>) {
        if let Err(error) = id_of(&request).map_or(Ok(()), check_id) {
            return actions.push(Action::Reply(ticket, refuse(&request, error)));
        }
        let done = match &request {
            Request::InitProducer(init) => self.init(now, ticket, init, spare, actions),
            Request::ListTransactions(asked) => {
                let listed = Answer::ListTransactions(Ok(self.list(now, asked)));
                actions.push(Action::Reply(ticket, listed));
                Ok(())
            }
            Request::DescribeTransaction(asked) => {
                let transaction = self.transactions.get(&asked.transactional_id);
                let described = transaction.map(|transaction| describe(&asked.transactional_id, transaction));
                let described = described.ok_or(TransactionError::TransactionalIdNotFound);
                actions.push(Action::Reply(ticket, Answer::DescribeTransaction(described)));
                Ok(())
            }
            Request::AddPartitions(_) | Request::EndTransaction(_) => {
                self.request_of_known(now, ticket, &request, spare, actions)
            }
        };
        if done == Err(NeedsProducerId) {
            self.wait(Waiting::Request(ticket, request), actions);
        }
    }

    /// The requests that are refused where nobody has initialised the id.
    fn request_of_known(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: &Request,
        spare: Option<i64>,
        actions: &mut Vec<Action>,
    ) -> Result<(), NeedsProducerId> {
        let id = id_of(request).unwrap_or_default();
        let done = self.step(now, id, spare, actions, |step| match request {
            Request::AddPartitions(asked) => {
                step.add_partitions(ticket, asked);
                Ok(())
            }
            Request::EndTransaction(asked) => step.end_transaction(ticket, asked),
            _ => Ok(()),
        });
        done.unwrap_or_else(|| {
            actions.push(Action::Reply(ticket, refuse(request, TransactionError::InvalidProducerIdMapping)));
            Ok(())
        })
    }

    fn init(
        &mut self,
        now: Now,
        ticket: Ticket,
        request: &InitProducer,
        spare: Option<i64>,
        actions: &mut Vec<Action>,
    ) -> Result<(), NeedsProducerId> {
        if let Err(error) = init::check(request, &self.settings) {
            actions.push(Action::Reply(ticket, Answer::InitProducer(Err(error))));
            return Ok(());
        }
        let id = &request.transactional_id;
        if self.transactions.contains_key(id) {
            return self.step(now, id, spare, actions, |step| step.init(ticket, request)).unwrap_or(Ok(()));
        }
        let stored: StoredTransaction = init::first(now, request, spare.ok_or(NeedsProducerId)?);
        let producer = stored.producer();
        actions.push(Action::Append(encode(id, Some(&stored))));
        self.transactions.insert(id.clone(), Transaction::new(stored));
        self.step(now, id, None, actions, |step| {
            let cause = "nobody had the transactional id".into();
            step.tell(TransactionEventKind::Initialised { producer, cause });
            step.reply(ticket, Answer::InitProducer(Ok(producer)));
        });
        Ok(())
    }

    fn list(&self, now: Now, request: &ListTransactions) -> ListedTransactions {
        let (states, unknown_states): (Vec<TransactionState>, Vec<String>) = request.known_states();
        let all = self.transactions.iter().map(|(id, transaction)| (id.as_str(), transaction));
        let transactions = all.filter_map(|one| list(now, one, request, &states)).collect();
        ListedTransactions { unknown_states, transactions }
    }
}

/// The transactional id that a request names.
fn id_of(request: &Request) -> Option<&str> {
    Some(match request {
        Request::InitProducer(request) => &request.transactional_id,
        Request::AddPartitions(request) => &request.transactional_id,
        Request::EndTransaction(request) => &request.transactional_id,
        Request::DescribeTransaction(request) => &request.transactional_id,
        Request::ListTransactions(_) => return None,
    })
}

/// Ids that a record could not carry are refused before they get anywhere.
fn check_id(id: &str) -> Result<(), TransactionError> {
    if (1..=MAX_ID_BYTES).contains(&id.len()) { Ok(()) } else { Err(TransactionError::InvalidRequest) }
}

/// A refusal in the form that the request's answer has.
fn refuse(request: &Request, error: TransactionError) -> Answer {
    match request {
        Request::InitProducer(_) => Answer::InitProducer(Err(error)),
        Request::AddPartitions(request) if request.verify_only => Answer::VerifyPartitions(Err(error)),
        Request::AddPartitions(_) => Answer::AddPartitions(Err(error)),
        Request::EndTransaction(_) => Answer::EndTransaction(Err(error)),
        Request::DescribeTransaction(_) => Answer::DescribeTransaction(Err(error)),
        Request::ListTransactions(_) => Answer::ListTransactions(Err(error)),
    }
}
