//! Producer ids are handed out once.

use std::collections::BTreeSet;
use std::thread;

use crate::Engine;
use crate::conformance::trial::Trial;

fn some(engine: &dyn Engine, count: usize) -> Vec<i64> {
    let pending: Vec<_> = (0..count).map(|_| engine.init_producer()).collect();
    pending.into_iter().map(|pending| pending.wait().expect("no producer id")).collect()
}

pub(super) fn never_repeat(trial: &mut Trial) {
    let mut seen = BTreeSet::new();
    for count in [1, 50, 1, 3] {
        for id in some(&*trial.engine(), count) {
            assert!(id >= 0, "{id} is not a producer id");
            assert!(seen.insert(id), "{id} was handed out twice");
        }
        trial.interlude();
    }
}

pub(super) fn from_many_threads_are_distinct(trial: &mut Trial) {
    let engine = trial.engine();
    let ids: Vec<i64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| some(&*engine, 50))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a thread failed")).collect()
    });
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 200);
}
