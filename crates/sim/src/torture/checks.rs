//! What is known from outside: who was told to be which producer, what copiers asked for and were told. Held against that is what
//! is answered, at once, and what the logs say ([`super::audit`]).

use std::collections::BTreeMap;

use ottla_transactions::{Answer, Producer, Ticket};

use super::log::Value;
use super::process::{Ask, Doing, IDS};

/// What is known of one transactional id.
#[derive(Default)]
struct OfId {
    /// The newest producer that somebody was told to be, and which process that is.
    newest: Option<(Producer, usize)>,
    /// All of them.
    told: BTreeMap<Producer, usize>,
}

/// What is known of one transaction.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) id: usize,
    /// The offset that it commits.
    pub(super) next_position: i64,
    /// How many records it writes if it commits.
    pub(super) copies: usize,
    pub(super) commit_asked: bool,
    /// How it ended, as its copier was told.
    pub(super) told: Option<bool>,
    /// How it ended, as the logs said, and so for ever.
    pub(super) seen: Option<bool>,
}

impl Attempt {
    /// It has committed, as somebody knows.
    pub(super) fn is_committed(&self) -> bool {
        self.told == Some(true) || self.seen == Some(true)
    }
}

/// Records that were acknowledged as flushed.
pub(super) struct Acknowledged {
    pub(super) id: usize,
    pub(super) partition: i32,
    pub(super) first_offset: i64,
    pub(super) values: Vec<Value>,
}

/// The checks of one run.
#[derive(Default)]
pub(super) struct Checks {
    pub(super) violation: Option<String>,
    ids: [OfId; IDS],
    pub(super) attempts: BTreeMap<u64, Attempt>,
    pub(super) acknowledged: Vec<Acknowledged>,
    /// Offsets that are asked for: what is committed for sure, and whether more may come to be.
    fetching: BTreeMap<Ticket, (i64, bool)>,
    pub(super) commits: u64,
    pub(super) aborts: u64,
}

impl Checks {
    pub(super) fn fail(&mut self, violation: String) {
        self.violation.get_or_insert(violation);
    }

    /// A copier begins a transaction.
    pub(super) fn begins(&mut self, id: usize, attempt: u64, next_position: i64, copies: usize) {
        let (commit_asked, told, seen) = (false, None, None);
        self.attempts.insert(attempt, Attempt { id, next_position, copies, commit_asked, told, seen });
    }

    /// A copier sends a request.
    pub(super) fn asks(&mut self, ask: &Ask) {
        if let (Doing::End { commits: true }, Some(attempt)) = (&ask.doing, self.attempts.get_mut(&ask.attempt)) {
            attempt.commit_asked = true;
        }
    }

    /// The gate lets something in.
    pub(super) fn admitted(&mut self, id: usize, ask: &Ask) {
        if let Some((newest, process)) = self.ids[id].newest.filter(|(newest, _)| *newest > ask.producer) {
            self.fail(format!("{:?} may write after p{process} was told to be {newest:?}", ask.producer));
        }
    }

    /// Records are in the log, and flushed.
    pub(super) fn acknowledged(&mut self, id: usize, ask: &Ask, first_offset: i64) {
        if let Doing::Write(copied) = &ask.doing {
            let (partition, values) = (copied.partition, copied.values.clone());
            self.acknowledged.push(Acknowledged { id, partition, first_offset, values });
        }
    }

    /// A coordinator's answer leaves, so it must be true for ever.
    pub(super) fn answered(&mut self, process: usize, id: usize, ask: &Ask, answer: &Answer) {
        match (&ask.doing, answer) {
            (Doing::Init { .. }, Answer::InitProducer(Ok(producer))) => self.told(process, id, *producer),
            (Doing::End { commits }, Answer::EndTransaction(Ok(producer))) => {
                self.told(process, id, *producer);
                self.told_end(process, ask.attempt, *commits);
            }
            _ => {}
        }
    }

    fn told(&mut self, process: usize, id: usize, producer: Producer) {
        let of_id = &mut self.ids[id];
        let other = of_id.told.insert(producer, process).filter(|other| *other != process);
        if of_id.newest.is_none_or(|(newest, _)| producer > newest) {
            of_id.newest = Some((producer, process));
        }
        if let Some(other) = other {
            self.fail(format!("p{other} and p{process} are both {producer:?}"));
        }
    }

    fn told_end(&mut self, process: usize, attempt: u64, commits: bool) {
        let Some(known) = self.attempts.get_mut(&attempt) else { return };
        let before = known.told.replace(commits);
        if before.is_some_and(|before| before != commits) {
            self.fail(format!("p{process} was told first that transaction {attempt} is {before:?}, then {commits}"));
        }
        let counted = if commits { &mut self.commits } else { &mut self.aborts };
        *counted += u64::from(before.is_none());
    }

    /// A copier asks where to go on.
    pub(super) fn fetches(&mut self, ticket: Ticket, id: usize, is_pending: bool) {
        self.fetching.insert(ticket, (self.surely_committed(id), is_pending));
    }

    /// It is told: nothing that is not committed, and all that is.
    pub(super) fn fetched(&mut self, ticket: Ticket, id: usize, offset: i64) {
        let (least, is_pending) = self.fetching.remove(&ticket).unwrap_or((-1, false));
        if is_pending {
            self.fail(format!(
                "id{id} is to go on at {offset}, but a transaction has not ended that committed another"
            ));
        }
        let mut all = self.attempts.values();
        let may_be = offset == -1
            || all.any(|attempt| {
                attempt.id == id
                    && attempt.next_position == offset
                    && attempt.commit_asked
                    && attempt.told != Some(false)
            });
        if !may_be {
            self.fail(format!("id{id} is to go on at {offset}, which was never committed"));
        }
        if offset < least {
            self.fail(format!("id{id} is to go on at {offset}, but {least} is committed"));
        }
    }

    /// How far an id has come at least; -1 if nobody knows of a commit.
    pub(super) fn surely_committed(&self, id: usize) -> i64 {
        let committed = self.attempts.values().filter(|attempt| attempt.id == id && attempt.is_committed());
        committed.map(|attempt| attempt.next_position).max().unwrap_or(-1)
    }
}
