//! What must be there: a second, simple account of what the engine decides, in the order of the calls.
//!
//! 1. Every change has its place in one order, which is that of the write-ahead log. What survives a crash is a beginning of it:
//!    everything that was acknowledged as durable, and after that perhaps some more of what was under way, never with a gap.
//! 2. `visible` is what was acknowledged; the engine shows exactly that. `durable` is what a power cut must leave.
//! 3. Calls that were never answered, or with "unknown", may have been carried out; those answered "not written" were not.
//! 4. Records below the log start and those that compaction may remove may be there or not; all others are, as they came.

use std::collections::{BTreeMap, VecDeque};

use ottla_storage::decide::Refusal;
use ottla_storage::{AppendError, Appended, Durability, Engine, MetadataError};

use super::calls::{Answer, Call, Change, Made, Sent};
use super::log_starts::Moved;
use super::state::{Decided, Effect, State};

/// The account of one run.
#[derive(Clone, Default)]
pub(super) struct Model {
    pub(super) visible: State,
    durable: State,
    /// What leads from `durable` to `visible`.
    since: Vec<Effect>,
    /// How many effects `durable` has taken in over the whole run.
    folded: usize,
    /// What may have been carried out besides, and the state that then is.
    doubtful: Vec<Effect>,
    /// So many of these, from the first on, were acknowledged all the same.
    doubtful_but_promised: usize,
    doubtful_state: Option<State>,
    /// Moves of log starts that observers heard of, in order, until they are accounted for.
    pub(super) heard: VecDeque<Moved>,
    /// The wall clock, which the engine goes by too.
    pub(super) now_ms: i64,
}

/// Whether the engine may now refuse for reasons that have nothing to do with the call.
#[derive(Clone, Copy)]
pub(super) struct Excuses {
    pub(super) not_written: bool,
    pub(super) unknown: bool,
}

/// What must be said about a broken promise.
pub(super) type Promise = Result<(), String>;

impl Model {
    /// How many effects are visible, over the whole run.
    pub(super) fn position(&self) -> usize {
        self.folded + self.since.len()
    }

    /// Everything up to that position is now durable.
    pub(super) fn is_durable_up_to(&mut self, position: usize) {
        let count = position.saturating_sub(self.folded).min(self.since.len());
        self.since.drain(..count).for_each(|effect| self.durable.apply(&effect));
        self.folded += count;
    }

    fn is_durable(&mut self) {
        self.is_durable_up_to(self.position());
    }

    /// The state that the next call meets.
    pub(super) fn met(&mut self) -> &mut State {
        self.doubtful_state.as_mut().unwrap_or(&mut self.visible)
    }

    fn happened(&mut self, effect: Effect) {
        self.visible.apply(&effect);
        self.since.push(effect);
    }

    pub(super) fn may_have_happened(&mut self, effect: Effect) {
        if self.doubtful_state.is_none() {
            self.doubtful_state = Some(self.visible.clone());
        }
        self.met().apply(&effect);
        self.doubtful.push(effect);
    }

    /// A call was answered, after all calls before it.
    pub(super) fn answered(&mut self, call: &Call, answer: &Answer, excuses: Excuses) -> Promise {
        match (call, answer) {
            (Call::Append(sent), Answer::Append(Ok(results))) => {
                if sent.len() != results.len() {
                    return Err(format!("{} appends got {} answers", sent.len(), results.len()));
                }
                let mut each = sent.iter().zip(results);
                each.try_for_each(|(sent, result)| {
                    self.after_retention(&[sent.partition], |model| model.append_answered(sent, result, excuses))
                })
            }
            (Call::Atomic(sent), Answer::Atomic(result)) => {
                let partitions: Vec<_> = sent.iter().map(|sent| sent.partition).collect();
                self.after_retention(&partitions, |model| model.atomic_answered(sent, result, excuses))
            }
            (Call::Append(_), Answer::Append(Err(why))) => Err(format!("an append was dropped: {why}")),
            (Call::Change(change), Answer::Changed(result)) => self.change_answered(change, result, excuses),
            (Call::DeleteRecords { partition, before }, Answer::LogStart(result)) => self
                .after_retention(&[*partition], |model| model.log_start_answered(*partition, *before, result, excuses)),
            _ => Err("a call was answered with another call's answer".into()),
        }
    }

    fn append_answered(&mut self, sent: &Sent, result: &Result<Appended, AppendError>, excuses: Excuses) -> Promise {
        let decided = self.met().decide(sent);
        match (result, decided) {
            (Ok(appended), Decided::Accept(effect)) => {
                self.same(appended, &self.visible.appended(&effect, false))?;
                self.happened(effect);
                self.append_promises(sent);
                Ok(())
            }
            (Ok(appended), Decided::Duplicate(original)) => {
                self.same(appended, &original)?;
                self.append_promises(sent);
                Ok(())
            }
            (Err(AppendError::Unavailable(why)), _) => excused(excuses.not_written, "append", &why.reason),
            (Err(AppendError::Unknown(why)), decided) => {
                if let Decided::Accept(effect) = decided {
                    self.may_have_happened(effect);
                }
                excused(excuses.unknown, "append", &why.reason)
            }
            (Err(error), decided) if decided.is(error) => Ok(()),
            (result, decided) => Err(format!("an append was answered {result:?}; it should have been {decided:?}")),
        }
    }

    fn atomic_answered(
        &mut self,
        sent: &[Sent],
        result: &Result<Vec<Appended>, AppendError>,
        excuses: Excuses,
    ) -> Promise {
        let decided = self.met().decide_atomically(sent);
        match (result, decided) {
            (Ok(answers), Ok(effects)) if answers.len() == effects.len() => {
                for (appended, effect) in answers.iter().zip(&effects) {
                    self.same(appended, &self.visible.appended(effect, false))?;
                }
                self.happened(Effect::Atomic(effects));
                if sent.iter().any(|sent| sent.durability == Durability::Flush) {
                    self.is_durable();
                }
                Ok(())
            }
            (Err(AppendError::Unavailable(why)), _) => excused(excuses.not_written, "atomic append", &why.reason),
            (Err(AppendError::Unknown(why)), decided) => {
                decided.into_iter().for_each(|effects| self.may_have_happened(Effect::Atomic(effects)));
                excused(excuses.unknown, "atomic append", &why.reason)
            }
            (Err(error), Err(decided)) if decided.is(error) => Ok(()),
            (result, decided) => {
                Err(format!("an atomic append was answered {result:?}; it should have been {decided:?}"))
            }
        }
    }

    fn append_promises(&mut self, sent: &Sent) {
        if sent.durability == Durability::Flush {
            self.is_durable();
        }
    }

    fn same(&self, appended: &Appended, expected: &Appended) -> Promise {
        if self.doubtful_state.is_some() {
            return Err(format!("{appended:?} was acknowledged after a failed write"));
        }
        if appended == expected {
            Ok(())
        } else {
            Err(format!("an append was answered {appended:?}; it should have been {expected:?}"))
        }
    }

    fn change_answered(&mut self, change: &Change, result: &Result<(), MetadataError>, excuses: Excuses) -> Promise {
        match (result, self.met().decide_change(change)) {
            (Ok(()), Ok(effect)) => self.changed(effect),
            (Err(MetadataError::Unavailable(why)), _) => excused(excuses.not_written, "change", &why.reason),
            (Err(MetadataError::Unknown(why)), decided) => {
                decided.into_iter().for_each(|effect| self.may_have_happened(effect));
                excused(excuses.unknown, "change", &why.reason)
            }
            (Err(error), Err(expected)) if *error == expected => Ok(()),
            (result, decided) => Err(format!("{change:?} was answered {result:?}; it should have been {decided:?}")),
        }
    }

    pub(super) fn changed(&mut self, effect: Effect) -> Promise {
        if self.doubtful_state.is_some() {
            return Err(format!("{effect:?} was acknowledged after a failed write"));
        }
        self.happened(effect);
        self.is_durable();
        Ok(())
    }

    /// The process ended before these were answered: each may have been carried out, in order. Where one was answered all the
    /// same, before those ahead of it, it and what it depends on must be there.
    pub(super) fn never_answered<'a>(&mut self, calls: impl Iterator<Item = &'a Made>) {
        for made in calls {
            match &made.call {
                Call::Append(sent) => {
                    for sent in sent {
                        if let Decided::Accept(effect) = self.met().decide(sent) {
                            self.may_have_happened(effect);
                        }
                    }
                }
                Call::Atomic(sent) => {
                    let effects = self.met().decide_atomically(sent);
                    effects.into_iter().for_each(|effects| self.may_have_happened(Effect::Atomic(effects)));
                }
                Call::Change(change) => {
                    let effect = self.met().decide_change(change);
                    effect.into_iter().for_each(|effect| self.may_have_happened(effect));
                }
                Call::DeleteRecords { partition, before } => {
                    if let Ok((from, to)) = self.met().decide_log_start(*partition, *before)
                        && from < to
                    {
                        self.may_have_happened(Effect::LogStart { partition: *partition, to });
                    }
                }
            }
            if made.answered.as_ref().is_some_and(|answer| answer.is_acknowledgement() && made.call.is_flushed()) {
                self.doubtful_but_promised = self.doubtful.len();
            }
        }
    }

    /// Finds how much survived in an engine that has just started, with the most first, and goes on from there.
    pub(super) fn recovered(&mut self, power_cut: bool, engine: &dyn Engine) -> Promise {
        let now_ms = self.now_ms;
        let fits = |state: &State| state.is_found_by(engine, now_ms);
        let base = if power_cut { self.durable.clone() } else { self.visible.clone() };
        let promised = match std::mem::take(&mut self.doubtful_but_promised) {
            0 => 0,
            promised if power_cut => self.since.len() + promised,
            promised => promised,
        };
        let optional: Vec<Effect> = match power_cut {
            true => self.since.drain(..).chain(self.doubtful.drain(..)).collect(),
            false => self.doubtful.drain(..).collect(),
        };
        let mut states = vec![base];
        for effect in &optional {
            let mut next = states[states.len() - 1].clone();
            next.apply(effect);
            states.push(next);
        }
        states.drain(..promised);
        let (least, most) = (fits(&states[0]), fits(&states[states.len() - 1]));
        let Some(mut found) = states.into_iter().rev().find(|state| fits(state).is_ok()) else {
            let (least, most) = (least.err().unwrap_or_default(), most.err().unwrap_or_default());
            return Err(format!(
                "after the crash the state is no beginning of what was done with all that was acknowledged; against the \
                 least that must be there: {least}; against the most that may be: {most}"
            ));
        };
        found.adopt_log_starts(engine);
        self.since.clear();
        self.doubtful_state = None;
        self.visible = found.clone();
        self.durable = found;
        Ok(())
    }
}

pub(super) fn excused(excused: bool, what: &str, why: &str) -> Promise {
    if excused { Ok(()) } else { Err(format!("{what} was refused without need: {why}")) }
}

/// Why the model refuses a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Why {
    Sequence { expected: i32, got: i32 },
    Epoch { current: i16, got: i16 },
    Open { first_offset: i64 },
    SeveralBatches,
}

impl Decided {
    /// Whether it is what an error says.
    fn is(&self, error: &AppendError) -> bool {
        match (self, error) {
            (Decided::UnknownPartition, AppendError::UnknownPartition) => true,
            (Decided::UnexpectedEnd(end), AppendError::UnexpectedEnd { end_offset }) => end == end_offset,
            (Decided::Refuse(why), AppendError::Refused(refusal)) => why.is(refusal),
            _ => false,
        }
    }
}

impl Why {
    fn is(self, refusal: &Refusal) -> bool {
        match (self, refusal) {
            (Why::Sequence { expected, got }, Refusal::OutOfOrderSequence { expected: e, got: g }) => {
                (expected, got) == (*e, *g)
            }
            (Why::Epoch { current, got }, Refusal::InvalidProducerEpoch { current: c, got: g }) => {
                (current, got) == (*c, *g)
            }
            (Why::Open { first_offset }, Refusal::TransactionOpen { first_offset: f }) => first_offset == *f,
            (Why::SeveralBatches, Refusal::InvalidBatch(_)) => true,
            _ => false,
        }
    }
}

/// All topics' configs by name, as the engine keeps them.
pub(super) type Configs = BTreeMap<String, String>;
