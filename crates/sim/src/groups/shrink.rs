//! A run that fails is made shorter: parts of what it does are left out for as long as the same check still fails.
use super::Plan;
use super::choices::{Choice, Choices};
use super::world::Ran;
use std::collections::BTreeSet;

/// So often a run is made again at most.
const MOST_RUNS: u32 = 300;
/// What is left out by kinds, the one first with which most else goes.
type Kind = fn(&Choice) -> bool;
const KINDS: [Kind; 5] = [
    |choice| matches!(choice, Choice::Member(_)),
    |choice| matches!(choice, Choice::Trouble(_)),
    |choice| matches!(choice, Choice::Commits(_)),
    |choice| matches!(choice, Choice::Fault(_)),
    |choice| matches!(choice, Choice::Pause(_)),
];

/// The search for a shorter run.
pub(super) struct Shrinking<'a> {
    plan: &'a Plan,
    without: BTreeSet<Choice>,
    quiet_at_ms: Option<u64>,
    /// The shortest run so far that fails.
    best: Ran,
    pub(super) runs: u32,
}

impl<'a> Shrinking<'a> {
    /// From a run that fails.
    pub(super) fn of(plan: &'a Plan, ran: Ran) -> Self {
        Shrinking { plan, without: BTreeSet::new(), quiet_at_ms: None, best: ran, runs: 0 }
    }

    /// Leaves out what can be left out.
    pub(super) fn shrink(mut self) -> Self {
        let mut before = (usize::MAX, u64::MAX);
        while self.size() < before && self.runs < MOST_RUNS {
            before = self.size();
            self.stop_sooner();
            KINDS.iter().for_each(|kind| self.thin_out(*kind));
        }
        self
    }

    /// The shortest run's.
    pub(super) fn choices(&self) -> Choices {
        Choices::without(self.without.clone(), self.quiet_at_ms)
    }

    fn size(&self) -> (usize, u64) {
        (self.best.made.len(), self.best.outcome.events)
    }

    /// The faults stop with the last one that is needed.
    fn stop_sooner(&mut self) {
        let quiet_at_ms = self.best.last_fault_ms + 1;
        if self.quiet_at_ms.is_none_or(|before| quiet_at_ms < before) {
            self.attempt(self.without.clone(), Some(quiet_at_ms));
        }
    }

    /// Leaves out all choices of a kind, else halves of them, quarters, and so on.
    fn thin_out(&mut self, kind: Kind) {
        let mut chunk = self.of_kind(kind).len();
        while chunk > 0 {
            let mut at = 0;
            loop {
                let choices = self.of_kind(kind);
                let Some(chosen) = choices.get(at..) else { break };
                let chosen = &chosen[..chunk.min(chosen.len())];
                if chosen.is_empty() || self.runs >= MOST_RUNS {
                    break;
                }
                let mut without = self.without.clone();
                without.extend(chosen);
                if !self.attempt(without, self.quiet_at_ms) {
                    at += chunk;
                }
            }
            chunk /= 2;
        }
    }

    fn of_kind(&self, kind: Kind) -> Vec<Choice> {
        let mut choices: Vec<Choice> = self.best.made.iter().copied().filter(kind).collect();
        choices.sort_unstable();
        choices.dedup();
        choices
    }

    /// Whether the run still fails in the same check, and is no longer than before.
    fn attempt(&mut self, without: BTreeSet<Choice>, quiet_at_ms: Option<u64>) -> bool {
        self.runs += 1;
        let ran = self.plan.run(Choices::without(without.clone(), quiet_at_ms));
        let is_better = ran.check == self.best.check && ran.outcome.events <= self.best.outcome.events;
        if is_better {
            (self.without, self.quiet_at_ms, self.best) = (without, quiet_at_ms, ran);
        }
        is_better
    }
}
