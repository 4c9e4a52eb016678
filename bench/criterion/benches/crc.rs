//! The two checksums that every produced byte passes. What is summed lies in the processor's cache, as it mostly does in the
//! broker, which has just read or copied it.

use std::hint::black_box;

use crc_fast::CrcAlgorithm::Crc64Nvme;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ottla_bench_criterion::{KIB, batch_of};
use ottla_protocol::records::validate;

/// What a frame's checksum covers besides the batch: the rest of the frame's header, and which partition it is for.
const FRAME_BYTES: usize = 32 + 20;

/// By the check that a produce request's batches go through; the header costs next to nothing of it.
fn crc_32c(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("CRC-32C of a batch");
    for kib in [1, 16] {
        let batch = batch_of(kib * KIB);
        group.throughput(Throughput::Bytes(batch.len() as u64));
        group.bench_function(format!("{kib} KiB"), |bencher| {
            bencher.iter(|| validate(black_box(&batch)).expect("a batch"));
        });
    }
}

/// As the write-ahead log sums its frames: the same function of the same crate, since its own is private.
fn crc_64(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("CRC-64 of a frame with a batch");
    for kib in [1, 16] {
        let covered = [&[7; FRAME_BYTES], &batch_of(kib * KIB)[..]].concat();
        group.throughput(Throughput::Bytes(covered.len() as u64));
        group.bench_function(format!("{kib} KiB"), |bencher| {
            bencher.iter(|| crc_fast::checksum(Crc64Nvme, black_box(&covered)));
        });
    }
}

criterion_group!(benches, crc_32c, crc_64);
criterion_main!(benches);
