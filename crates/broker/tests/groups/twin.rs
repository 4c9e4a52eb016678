//! A memory engine whose appends to `__consumer_offsets` fail or wait when the test says so, and which survives its broker.

use std::sync::{Mutex, MutexGuard};

use ottla_storage::memory::MemoryEngine;
use ottla_storage::{Append, AppendError, Appended, Completer, Engine, Pending, Unavailable};
use tokio::sync::Notify;

pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";

type Results = Vec<Result<Appended, AppendError>>;

/// What becomes of the next append to `__consumer_offsets`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) enum Plan {
    #[default]
    Obey,
    /// It is not written; the ones after it are.
    FailOnce,
    /// It is written, and its writer hears that nobody knows.
    WriteButFailOnce,
    /// It and those after it wait.
    Hold,
}

#[derive(Default)]
pub(crate) struct Twin {
    memory: MemoryEngine,
    state: Mutex<State>,
    held_one: Notify,
}

#[derive(Default)]
struct State {
    plan: Plan,
    held: Vec<(Vec<Append>, Completer<Results, Unavailable>)>,
}

impl Twin {
    pub(crate) fn over(memory: MemoryEngine) -> Self {
        Self { memory, ..Self::default() }
    }

    pub(crate) fn plan(&self, plan: Plan) {
        self.state().plan = plan;
    }

    /// Waits until so many appends wait.
    pub(crate) async fn holds(&self, count: usize) {
        while self.state().held.len() < count {
            self.held_one.notified().await;
        }
    }

    /// Writes what waits, and goes on as usual.
    pub(crate) fn release(&self) {
        for (appends, completer) in self.take() {
            completer.complete(self.memory.append(appends).wait());
        }
    }

    /// Writes the one that has waited longest; its writer hears that nobody knows. The others go on waiting.
    pub(crate) fn lose_one(&self) {
        let (appends, completer) = self.state().held.remove(0);
        drop(self.memory.append(appends));
        completer.complete(Ok(vec![Err(AppendError::Unknown(broken()))]));
    }

    /// Lets what waits fail, and goes on as usual.
    pub(crate) fn refuse(&self) {
        for (_, completer) in self.take() {
            completer.complete(Err(broken()));
        }
    }

    fn take(&self) -> Vec<(Vec<Append>, Completer<Results, Unavailable>)> {
        let mut state = self.state();
        state.plan = Plan::Obey;
        std::mem::take(&mut state.held)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("not poisoned")
    }

    fn is_of_groups(&self, appends: &[Append]) -> bool {
        let metadata = self.memory.metadata();
        let offsets = metadata.by_name(OFFSETS_TOPIC).map(|topic| topic.id);
        appends.iter().any(|append| Some(append.partition.topic) == offsets)
    }
}

fn broken() -> Unavailable {
    Unavailable { reason: "the test breaks it".into(), retriable: true }
}

impl ottla_storage::conformance::Twin for Twin {
    fn behind(&self) -> &dyn Engine {
        &self.memory
    }

    fn append(&self, appends: Vec<Append>) -> Pending<Results, Unavailable> {
        if !self.is_of_groups(&appends) {
            return self.memory.append(appends);
        }
        let mut state = self.state();
        match state.plan {
            Plan::Obey => self.memory.append(appends),
            Plan::FailOnce => {
                state.plan = Plan::Obey;
                Pending::ready(Ok(vec![Err(AppendError::Unavailable(broken()))]))
            }
            Plan::WriteButFailOnce => {
                state.plan = Plan::Obey;
                drop(self.memory.append(appends));
                Pending::ready(Ok(vec![Err(AppendError::Unknown(broken()))]))
            }
            Plan::Hold => {
                let (completer, pending) = Pending::waiting();
                state.held.push((appends, completer));
                self.held_one.notify_one();
                pending
            }
        }
    }

    /// It stays open for the next broker.
    fn close(&self) -> Pending<(), Unavailable> {
        Pending::ready(Ok(()))
    }
}
