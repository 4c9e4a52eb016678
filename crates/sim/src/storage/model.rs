//! What must be there: a second, simple account of what the engine decides, in the order of the calls.
//!
//! 1. Every change has its place in one order, which is that of the write-ahead log. What survives a crash is a beginning of it:
//!    everything that was acknowledged as durable, and after that perhaps some more of what was under way, never with a gap.
//! 2. `visible` is what was acknowledged; the engine shows exactly that. `durable` is what a power cut must leave.
//! 3. Calls that were never answered, or with "unknown", may have been carried out; those answered "not written" were not.

use std::collections::BTreeMap;

use ottla_storage::decide::Refusal;
use ottla_storage::{AppendError, Appended, Bounds, Durability, MetadataError, PartitionId, ReadError};

use super::calls::{Answer, Call, Change, Made, Sent, SentBatch};
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
    /// Moves of log starts that observers must hear of, in order.
    pub(super) moves: Vec<(PartitionId, i64, i64)>,
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
    fn met(&mut self) -> &mut State {
        self.doubtful_state.as_mut().unwrap_or(&mut self.visible)
    }

    fn happened(&mut self, effect: Effect) {
        self.visible.apply(&effect);
        self.since.push(effect);
    }

    fn may_have_happened(&mut self, effect: Effect) {
        if self.doubtful_state.is_none() {
            self.doubtful_state = Some(self.visible.clone());
        }
        self.met().apply(&effect);
        self.doubtful.push(effect);
    }

    /// A call was answered, after all calls before it.
    pub(super) fn answered(&mut self, call: &Call, answer: Answer, excuses: Excuses) -> Promise {
        match (call, answer) {
            (Call::Append(sent), Answer::Append(Ok(results))) => {
                if sent.len() != results.len() {
                    return Err(format!("{} appends got {} answers", sent.len(), results.len()));
                }
                sent.iter().zip(results).try_for_each(|(sent, result)| self.append_answered(sent, result, excuses))
            }
            (Call::Append(_), Answer::Append(Err(why))) => Err(format!("an append was dropped: {why}")),
            (Call::Change(change), Answer::Changed(result)) => self.change_answered(change, result, excuses),
            (Call::DeleteRecords { partition, before }, Answer::LogStart(result)) => {
                self.log_start_answered(*partition, *before, result, excuses)
            }
            _ => Err("a call was answered with another call's answer".into()),
        }
    }

    fn append_answered(&mut self, sent: &Sent, result: Result<Appended, AppendError>, excuses: Excuses) -> Promise {
        let decided = self.met().decide(sent);
        match (result, decided) {
            (Ok(appended), Decided::Accept(effect)) => {
                self.same(&appended, &self.visible.appended(&effect, false))?;
                self.happened(effect);
                self.append_promises(sent);
                Ok(())
            }
            (Ok(appended), Decided::Duplicate(original)) => {
                self.same(&appended, &original)?;
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
            (Err(AppendError::UnknownPartition), Decided::UnknownPartition) => Ok(()),
            (Err(AppendError::UnexpectedEnd { end_offset }), Decided::UnexpectedEnd(end)) if end_offset == end => {
                Ok(())
            }
            (Err(AppendError::Refused(refusal)), Decided::Refuse(why)) if why.is(&refusal) => Ok(()),
            (result, decided) => Err(format!("an append was answered {result:?}; it should have been {decided:?}")),
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

    fn change_answered(&mut self, change: &Change, result: Result<(), MetadataError>, excuses: Excuses) -> Promise {
        match (result, self.met().decide_change(change)) {
            (Ok(()), Ok(effect)) => self.changed(effect),
            (Err(MetadataError::Unavailable(why)), _) => excused(excuses.not_written, "change", &why.reason),
            (Err(MetadataError::Unknown(why)), decided) => {
                decided.into_iter().for_each(|effect| self.may_have_happened(effect));
                excused(excuses.unknown, "change", &why.reason)
            }
            (Err(error), Err(expected)) if error == expected => Ok(()),
            (result, decided) => Err(format!("{change:?} was answered {result:?}; it should have been {decided:?}")),
        }
    }

    fn changed(&mut self, effect: Effect) -> Promise {
        if self.doubtful_state.is_some() {
            return Err(format!("{effect:?} was acknowledged after a failed write"));
        }
        self.happened(effect);
        self.is_durable();
        Ok(())
    }

    fn log_start_answered(
        &mut self,
        partition: PartitionId,
        before: i64,
        result: Result<i64, ReadError>,
        excuses: Excuses,
    ) -> Promise {
        let expected = self.met().decide_log_start(partition, before);
        match (result, expected) {
            (Ok(start), Ok((from, to))) if start == to => {
                if from < to {
                    self.moves.push((partition, from, to));
                    return self.changed(Effect::LogStart { partition, to });
                }
                Ok(())
            }
            // This one error stands for "not done" and for "may have been done".
            (Err(ReadError::Unavailable(why)), expected) => {
                if let (false, Ok((from, to))) = (why.retriable, expected)
                    && from < to
                {
                    self.may_have_happened(Effect::LogStart { partition, to });
                }
                excused(excuses.not_written || excuses.unknown, "DeleteRecords", &why.reason)
            }
            (Err(ReadError::UnknownPartition), Err(None)) => Ok(()),
            (Err(ReadError::OffsetOutOfRange(bounds)), Err(Some(expected))) if bounds == expected => Ok(()),
            (result, expected) => {
                Err(format!("DeleteRecords was answered {result:?}; it should have been {expected:?}"))
            }
        }
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

    /// Finds how much survived, with the most first, and goes on from there. `survived` says what does not fit.
    pub(super) fn recovered(&mut self, power_cut: bool, fits: impl Fn(&State) -> Promise) -> Promise {
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
        let Some(found) = states.into_iter().rev().find(|state| fits(state).is_ok()) else {
            let (least, most) = (least.err().unwrap_or_default(), most.err().unwrap_or_default());
            return Err(format!(
                "after the crash the state is no beginning of what was done with all that was acknowledged; against the \
                 least that must be there: {least}; against the most that may be: {most}"
            ));
        };
        self.since.clear();
        self.doubtful_state = None;
        self.visible = found.clone();
        self.durable = found;
        Ok(())
    }
}

fn excused(excused: bool, what: &str, why: &str) -> Promise {
    if excused { Ok(()) } else { Err(format!("{what} was refused without need: {why}")) }
}

/// The expected bounds of a partition.
pub(super) fn bounds(log_start_offset: i64, end_offset: i64) -> Bounds {
    Bounds { log_start_offset, high_watermark: end_offset, last_stable_offset: end_offset }
}

/// Why the model refuses a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Why {
    Sequence { expected: i32, got: i32 },
    Epoch { current: i16, got: i16 },
    SeveralBatches,
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
            (Why::SeveralBatches, Refusal::InvalidBatch(_)) => true,
            _ => false,
        }
    }
}

/// A batch as it is stored.
pub(super) struct Stored {
    pub(super) first_offset: i64,
    pub(super) bytes: bytes::Bytes,
    pub(super) timestamps_ms: Vec<i64>,
}

impl Stored {
    pub(super) fn end_offset(&self) -> i64 {
        self.first_offset + self.timestamps_ms.len() as i64
    }

    pub(super) fn of(sent: &SentBatch, first_offset: i64) -> Self {
        let mut bytes = bytes::BytesMut::from(&sent.bytes[..]);
        bytes[..8].copy_from_slice(&first_offset.to_be_bytes());
        bytes[12..16].copy_from_slice(&0_i32.to_be_bytes());
        Self { first_offset, bytes: bytes.freeze(), timestamps_ms: sent.timestamps_ms.clone() }
    }
}

/// All topics' configs by name, as the engine keeps them.
pub(super) type Configs = BTreeMap<String, String>;
