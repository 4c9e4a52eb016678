//! What must be true. The checks read the log and what processes are told, never the coordinator's memory, but for one: that
//! replaying the log gives it again.
use super::ended_checks::check_end;
use super::engine::{Batch, Engine, Frame, Markers};
use super::process::Doing;
use super::world::{Ask, IDS};
use ottla_transactions::records::TransactionState;
use ottla_transactions::*;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of one transactional id.
#[derive(Default)]
struct OfId {
    /// The newest producer that somebody was told to be, and which process that is.
    newest: Option<(Producer, usize)>,
    /// All of them.
    told: BTreeMap<Producer, usize>,
}

/// The checks of one run.
#[derive(Default)]
pub(super) struct Checks {
    pub(super) violation: Option<String>,
    ids: [OfId; IDS],
    /// By producer id, the epoch of the last markers.
    fenced: BTreeMap<i64, i16>,
    /// How the transactions ended that somebody was told of.
    outcomes: BTreeMap<u64, bool>,
    pub(super) commits: u64,
}

impl Checks {
    pub(super) fn fail(&mut self, violation: String) {
        self.violation.get_or_insert(violation);
    }

    /// A batch was let in.
    pub(super) fn written(&mut self, batch: &Batch) {
        let newest = self.ids[batch.id].newest;
        if let Some((newest, process)) = newest.filter(|(newest, _)| *newest > batch.producer) {
            self.fail(format!("{:?} writes after p{process} was told to be {newest:?}", batch.producer));
        }
        let fence = self.fenced.get(&batch.producer.id).copied().filter(|fence| *fence > batch.producer.epoch);
        if let Some(epoch) = fence {
            self.fail(format!("{:?} writes after markers of epoch {epoch}", batch.producer));
        }
        if self.outcomes.contains_key(&batch.attempt) {
            self.fail(format!("a batch of {:?} was let in after its transaction had ended", batch.producer));
        }
    }

    /// An end was given to the engine.
    pub(super) fn ended(&mut self, markers: &Markers) {
        self.fenced.insert(markers.producer.id, markers.producer.epoch);
    }

    /// Ends that were lost fence nobody.
    pub(super) fn crashed(&mut self, engine: &Engine) {
        self.fenced.clear();
        for frame in &engine.frames {
            if let Frame::End(markers) = frame {
                self.ended(markers);
            }
        }
    }

    /// An answer leaves, so it must be true for ever.
    pub(super) fn answered(&mut self, process: usize, id: usize, ask: &Ask, answer: &Answer) {
        match (ask.doing, answer) {
            (Doing::Init { known }, Answer::InitProducer(Ok(producer))) => {
                self.check_known(process, id, known, *producer);
                self.told(process, id, *producer);
            }
            (Doing::End { commits }, Answer::EndTransaction(Ok(producer))) => {
                self.told(process, id, *producer);
                let before = self.outcomes.insert(ask.attempt, commits);
                if before.is_some_and(|before| before != commits) {
                    self.fail(format!("p{process} was told first that its transaction is {before:?}, then {commits}"));
                }
                self.commits += u64::from(commits && before.is_none());
            }
            _ => {}
        }
    }

    /// The end of a transaction is answered, or refused: what does the durable log say?
    pub(super) fn end_answered(&mut self, engine: &Engine, id: &str, request: (&Ask, bool), answer: &Answer) {
        if let (Doing::End { commits }, Answer::EndTransaction(result)) = (request.0.doing, answer) {
            let stored = engine.stored(engine.durable);
            let asked = (request.0.producer, commits, request.1);
            if let Err(violation) = check_end(stored.get(id), asked, *result) {
                self.fail(violation);
            }
        }
    }

    /// Who knows an epoch may go on unless somebody else has come since. Where the id was forgotten meanwhile, everybody is new.
    fn check_known(&mut self, process: usize, id: usize, known: Option<Producer>, producer: Producer) {
        let (Some(known), Some((newest, holder))) = (known, self.ids[id].newest) else { return };
        let is_new = producer.id != known.id && producer.epoch == 0;
        if !is_new && newest > known && holder != process && self.ids[id].told.get(&producer) != Some(&process) {
            self.fail(format!("p{process} knows {known:?} and puts out p{holder}, which is {newest:?}"));
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

    /// The log must give what is known, but for ends that the coordinator has not heard of.
    pub(super) fn replays(&mut self, engine: &Engine, coordinator: &Coordinator, unheard: &BTreeSet<EndId>) {
        let mut stored = engine.stored(engine.frames.len());
        let mut live: BTreeMap<&str, _> =
            coordinator.durable_transactions().map(|(id, durable)| (id, durable.stored())).collect();
        for frame in &engine.frames {
            if let Frame::End(markers) = frame
                && unheard.contains(&markers.end)
                && let Some(id) = markers.record.key.get(4..).and_then(|id| std::str::from_utf8(id).ok())
            {
                stored.remove(id);
                live.remove(id);
            }
        }
        let replayed: BTreeMap<&str, _> = stored.iter().map(|(id, stored)| (id.as_str(), stored)).collect();
        if replayed != live {
            self.fail(format!("the log gives {replayed:?}\n  but there is {live:?}"));
        }
    }

    /// Nothing goes wrong any more: nothing is open, and what was told is so.
    pub(super) fn judge(&mut self, engine: &Engine) {
        for (batch, fate) in engine.fates() {
            match (fate, self.outcomes.get(&batch.attempt)) {
                (None, _) => self.fail(format!("{batch:?} belongs to a transaction that is still open")),
                (Some(fate), Some(told)) if fate != *told => {
                    self.fail(format!("{batch:?} has the fate {fate}, and {told} was told"));
                }
                (Some(_), _) => {}
            }
        }
        for (id, stored) in engine.stored(engine.frames.len()) {
            if stored.state == TransactionState::Ongoing {
                self.fail(format!("{id} is still ongoing: {stored:?}"));
            }
        }
    }
}
