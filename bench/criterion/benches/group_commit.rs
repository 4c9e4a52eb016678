//! Appends that wait for their flush. One iteration is one acknowledged append of every caller; callers share one thread, as
//! connections do in the broker, and each has a partition of its own and one append in flight.
//!
//! What has been written goes on to segment files meanwhile, and that is in the figures: it is the price of going on.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use ottla_bench_criterion::{BenchEngine, KIB, append, batch_of};
use ottla_storage::Engine;
use ottla_storage::local::LocalEngine;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

fn group_commit(criterion: &mut Criterion) {
    let reactor = Builder::new_current_thread().build().expect("a runtime");
    let mut group = criterion.benchmark_group("append, flushed");
    // A flush takes as long as the disk likes: many samples of equal length say more than a slope.
    group.sampling_mode(SamplingMode::Flat).sample_size(50).warm_up_time(Duration::from_secs(1));
    for callers in [1, 16] {
        for kib in [1, 16] {
            let batch = batch_of(kib * KIB);
            let bench = BenchEngine::with_topic(Path::new(env!("CARGO_TARGET_TMPDIR")), callers);
            group.throughput(Throughput::ElementsAndBytes {
                elements: callers as u64,
                bytes: callers as u64 * batch.len() as u64,
            });
            group.bench_function(format!("{kib} KiB from each of {callers}"), |bencher| {
                bencher.iter_custom(|rounds| timed(&reactor, &bench.engine(), callers, &batch, rounds));
            });
        }
    }
}

/// How long it takes until each caller has had its appends acknowledged, one after the other.
fn timed(reactor: &Runtime, engine: &Arc<LocalEngine>, callers: i32, batch: &Bytes, rounds: u64) -> Duration {
    let began = Instant::now();
    reactor.block_on(async {
        let mut running: JoinSet<()> =
            (0..callers).map(|index| caller(engine.clone(), index, batch.clone(), rounds)).collect();
        while let Some(ended) = running.join_next().await {
            ended.expect("a caller whose appends are acknowledged");
        }
    });
    began.elapsed()
}

async fn caller(engine: Arc<LocalEngine>, index: i32, batch: Bytes, rounds: u64) {
    for _ in 0..rounds {
        let answers = engine.append(vec![append(index, &batch)]).await.expect("an engine that writes");
        assert!(matches!(answers[..], [Ok(_)]), "{answers:?}");
    }
}

criterion_group!(benches, group_commit);
criterion_main!(benches);
