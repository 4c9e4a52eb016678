//! Many threads at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::conformance::sample::{Sample, opened};
use crate::conformance::trial::{Trial, append_one, to};
use crate::{Engine, Isolation, PartitionId, Read};

const THREADS: usize = 4;
const APPENDS: usize = 60;

/// Each thread keeps up to eight appends in flight, over both partitions in turn.
fn write(engine: &dyn Engine, partitions: &[PartitionId], thread: usize) {
    let mut in_flight = std::collections::VecDeque::new();
    let mut last = vec![-1; partitions.len()];
    for n in 0..APPENDS {
        let at = n % partitions.len();
        let sample = Sample::of(&[format!("{thread}:{n}")]);
        in_flight.push_back((at, engine.append(vec![to(partitions[at], &sample)])));
        while in_flight.len() > if n + 1 == APPENDS { 0 } else { 8 } {
            let Some((at, pending)) = in_flight.pop_front() else { break };
            let appended = *pending.wait().expect("the call failed")[0].as_ref().expect("the append failed");
            assert!(appended.first_offset > last[at], "a later append got a lower offset");
            last[at] = appended.first_offset;
        }
    }
}

pub(super) fn each_keeps_its_order(trial: &mut Trial) {
    let topic = trial.topic("shared", 2);
    let partitions = [0, 1].map(|index| PartitionId { topic: topic.id, index });
    let engine = trial.engine();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let engine = &engine;
            scope.spawn(move || write(&**engine, &partitions, thread));
        }
    });
    drop(engine);
    trial.interlude();
    for (at, partition) in partitions.into_iter().enumerate() {
        let values = trial.values(partition);
        assert_eq!(values.len(), THREADS * APPENDS / 2);
        for thread in 0..THREADS {
            let prefix = format!("{thread}:");
            let own: Vec<_> = values.iter().filter(|value| value.starts_with(&prefix)).cloned().collect();
            let expected: Vec<_> = (at..APPENDS).step_by(2).map(|n| format!("{thread}:{n}")).collect();
            assert_eq!(own, expected);
        }
    }
}

pub(super) fn readers_see_a_growing_prefix(trial: &mut Trial) {
    let partition = trial.partition();
    let engine = trial.engine();
    let written = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2).map(|_| scope.spawn(|| follow(&*engine, partition, &written))).collect();
        for n in 0..300 {
            let append = to(partition, &Sample::of(&[n.to_string()]));
            append_one(&*engine, append).expect("the append failed");
        }
        written.store(true, Ordering::Release);
        for reader in readers {
            assert_eq!(reader.join().expect("a reader failed"), 300);
        }
    });
}

/// Reads until nothing can come any more; answers how many records came.
fn follow(engine: &dyn Engine, partition: PartitionId, written: &AtomicBool) -> i64 {
    let mut next = 0;
    loop {
        let complete = written.load(Ordering::Acquire);
        let isolation = Isolation::ReadUncommitted;
        let read =
            Read { partition, offset: next, max_bytes: 500, at_least_one_batch: true, isolation, may_name_file: false };
        let outcome = engine.read(read).wait().expect("the read failed");
        for record in outcome.batches.iter().flat_map(opened) {
            assert!(record.offset < outcome.bounds.high_watermark, "a record beyond the high watermark");
            assert_eq!((record.offset, record.value), (next, next.to_string()));
            next += 1;
        }
        if outcome.batches.is_empty() {
            if complete {
                return next;
            }
            thread::yield_now();
        }
    }
}
