//! Reads of 1 MiB that go on where the last one ended, as a consumer's do, and begin anew at the log's end.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use ottla_bench_criterion::{BenchEngine, KIB, MIB, batch_of, partition};
use ottla_storage::local::LocalEngine;
use ottla_storage::{Engine, Isolation, Read, ReadOutcome};

const BATCH_BYTES: usize = 16 * KIB;
/// Half of what the engine keeps in memory, so that all of it stays there.
const LOG_BYTES: usize = 16 * MIB;

/// A reader of the topic's first partition.
struct Reader<'a> {
    engine: &'a LocalEngine,
    offset: i64,
    may_name_file: bool,
    /// How many of its reads were not answered at once.
    waits: u64,
}

impl<'a> Reader<'a> {
    fn new(engine: &'a LocalEngine, may_name_file: bool) -> Self {
        Self { engine, offset: 0, may_name_file, waits: 0 }
    }

    /// The next records; from the first offset on where the last ones were read.
    fn next(&mut self) -> ReadOutcome {
        let mut pending = self.engine.read(self.wish());
        let outcome = match Pin::new(&mut pending).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => {
                self.waits += 1;
                pending.wait()
            }
        };
        let outcome = outcome.expect("records");
        let next_offset = outcome.next_offset.expect("a read that finds records");
        self.offset = if next_offset < outcome.bounds.high_watermark { next_offset } else { 0 };
        outcome
    }

    fn wish(&self) -> Read {
        Read {
            partition: partition(0),
            offset: self.offset,
            max_bytes: MIB,
            at_least_one_batch: true,
            isolation: Isolation::ReadUncommitted,
            may_name_file: self.may_name_file,
        }
    }

    /// Reads on up to the log's end.
    fn read_all(&mut self) {
        loop {
            self.next();
            if self.offset == 0 {
                break;
            }
        }
    }
}

fn filled() -> BenchEngine {
    let bench = BenchEngine::with_topic(Path::new(env!("CARGO_TARGET_TMPDIR")), 1);
    bench.fill(&batch_of(BATCH_BYTES), LOG_BYTES);
    bench
}

fn from_memory(criterion: &mut Criterion) {
    let bench = filled();
    let engine = bench.engine();
    let mut reader = Reader::new(&engine, true);
    let mut group = criterion.benchmark_group("read 1 MiB");
    group.bench_function("from the tail in memory", |bencher| bencher.iter(|| reader.next()));
    assert_eq!(reader.waits, 0, "the records were no longer in memory");
}

/// Read, checked and copied by a reader thread. Segments are written past the page cache, so they are read once before.
fn from_files(criterion: &mut Criterion) {
    let bench = filled().reopened();
    let engine = bench.engine();
    let mut reader = Reader::new(&engine, false);
    reader.read_all();
    let mut group = criterion.benchmark_group("read 1 MiB");
    group.bench_function("from a segment into memory", |bencher| bencher.iter(|| reader.next()));
}

/// Finds the range and that it is in the page cache; sending it is the socket's business. Nothing here touches the records,
/// so a system that takes back what is idle would take their pages: all of them are read before every sample. Into memory,
/// because who sends from files lets go of what was loaded for it alone.
fn as_ranges(criterion: &mut Criterion) {
    let bench = filled().reopened();
    let engine = bench.engine();
    let mut toucher = Reader::new(&engine, false);
    toucher.read_all();
    // The first may wait: the index was not opened yet.
    if Reader::new(&engine, true).next().in_file.is_none() {
        eprintln!("no ranges are measured: this system cannot say what is in its page cache");
        return;
    }
    let mut reader = Reader::new(&engine, true);
    let mut group = criterion.benchmark_group("read 1 MiB");
    group.bench_function("as a range of a segment", |bencher| {
        bencher.iter_custom(|rounds| {
            toucher.read_all();
            reader.offset = 0;
            let began = Instant::now();
            (0..rounds).for_each(|_| drop(reader.next()));
            began.elapsed()
        });
    });
    if reader.waits > 0 {
        eprintln!("{} of these reads had to wait: what they wanted had left the page cache", reader.waits);
    }
}

criterion_group!(benches, from_memory, from_files, as_ranges);
criterion_main!(benches);
