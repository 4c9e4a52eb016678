use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::local::counters::Counter;

const FILE: u64 = 7;

fn beside(flushes: Counter) -> Courtesy {
    Courtesy::new(flushes, std::sync::Arc::new(|| 0))
}

/// A file of so many bytes, each telling where it stands.
struct Counting {
    bytes: u64,
    reads: AtomicUsize,
}

impl Counting {
    fn of(bytes: u64) -> Self {
        Self { bytes, reads: AtomicUsize::default() }
    }

    fn byte_at(position: u64) -> u8 {
        (position / 251 % 256) as u8
    }
}

impl DiskFile for Counting {
    fn size(&self) -> io::Result<u64> {
        Ok(self.bytes)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        assert!(buffer.len().is_multiple_of(BLOCK_BYTES) && offset.is_multiple_of(BLOCK_BYTES as u64));
        assert_eq!(buffer.as_ptr().align_offset(BLOCK_BYTES), 0, "direct reads demand it");
        self.reads.fetch_add(1, Ordering::Relaxed);
        let count = self.bytes.saturating_sub(offset).min(buffer.len() as u64) as usize;
        for (at, byte) in buffer.iter_mut().take(count).enumerate() {
            *byte = Self::byte_at(offset + at as u64);
        }
        Ok(count)
    }

    fn write_at(&self, _: &[u8], _: u64, _: bool) -> io::Result<()> {
        unreachable!("nobody writes here")
    }

    fn sync(&self) -> io::Result<()> {
        unreachable!("nobody writes here")
    }

    fn truncate(&self, _: u64) -> io::Result<()> {
        unreachable!("nobody writes here")
    }

    fn reserve(&self, _: u64) -> io::Result<()> {
        unreachable!("nobody writes here")
    }
}

impl Chunks {
    /// How much of a file is here from that position on, without a gap; `most` is enough.
    fn ready_bytes(&self, file: u64, position: u64, most: u64) -> u64 {
        let (state, end) = (self.lock(), position.saturating_add(most));
        let mut at = position;
        while at < end
            && let Some((_, entry)) = state.find(file, at)
        {
            at = entry.chunk.end();
        }
        at.min(end) - position
    }
}

const BLOCK: u64 = BLOCK_BYTES as u64;

fn load(chunks: &Chunks, file: &Counting, position: u64, end: u64, demand: Demand) -> bool {
    chunks.load((FILE, file), position, end, demand).unwrap().is_some()
}

/// Loads one block.
fn load_block(chunks: &Chunks, file: &Counting, index: u64, demand: Demand) -> bool {
    load(chunks, file, index * BLOCK, (index + 1) * BLOCK, demand)
}

fn are_here(chunks: &Chunks, blocks: [u64; 4]) -> [bool; 4] {
    blocks.map(|index| chunks.ready_bytes(FILE, index * BLOCK, 1) == 1)
}

#[test]
fn what_was_loaded_is_there_without_gaps_and_read_once() {
    let (chunks, file) = (Chunks::new(4, beside(Counter::default())), Counting::of(2 * CHUNK_BYTES + 1000));
    let end = file.bytes - 10;
    assert_eq!(chunks.ready_bytes(FILE, 5000, 100), 0);
    assert!(load(&chunks, &file, 5000, end, Demand::Now));
    let first_end = 4096 + BUFFER_BYTES as u64;
    assert_eq!(chunks.ready_bytes(FILE, 5000, u64::MAX), first_end - 5000);
    for position in [5000, first_end - 1, first_end, first_end + 1, end - 1] {
        assert!(load(&chunks, &file, position, end, Demand::Now));
        let chunk = chunks.get(FILE, position).unwrap();
        assert_eq!(chunk.from(position)[0], Counting::byte_at(position));
    }
    assert_eq!(file.reads.load(Ordering::Relaxed), 2);
    assert_eq!(chunks.ready_bytes(FILE, 5000, u64::MAX), end - 5000);
    assert_eq!(chunks.ready_bytes(FILE, 5000, 100), 100);
    assert_eq!(chunks.ready_bytes(FILE + 1, 5000, 100), 0, "another file");
    assert_eq!(chunks.ready_bytes(FILE, 4000, 100), 0, "before it");
    assert!(chunks.get(FILE, end).is_none(), "it was not known to be written");
}

#[test]
fn who_wants_what_came_later_reads_on_from_there() {
    let (chunks, file) = (Chunks::new(2, beside(Counter::default())), Counting::of(CHUNK_BYTES));
    assert!(load(&chunks, &file, 0, 5000, Demand::Now));
    let sending = chunks.get(FILE, 0).unwrap();
    assert!(load(&chunks, &file, 5000, 9000, Demand::Now));
    assert_eq!((chunks.ready_bytes(FILE, 0, u64::MAX), sending.from(0).len()), (9000, 5000));
    assert!(!load(&chunks, &file, 0, 200, Demand::Ahead) || chunks.ready_bytes(FILE, 0, 200) == 200);
    let one = Chunks::new(1, beside(Counter::default()));
    assert!(load(&one, &file, 0, 100, Demand::Now));
    let sending = one.get(FILE, 0).unwrap();
    assert!(!load(&one, &file, 100, 200, Demand::Now), "the only buffer is in use");
    drop(sending);
    assert!(load(&one, &file, 100, 200, Demand::Now));
    assert_eq!(one.ready_bytes(FILE, 0, 1000), 200);
}

#[test]
fn what_was_sent_goes_first_then_what_was_not_used_for_long() {
    let (chunks, file) = (Chunks::new(3, beside(Counter::default())), Counting::of(9 * BLOCK));
    for index in 0..3 {
        assert!(load_block(&chunks, &file, index, Demand::Now));
    }
    drop(chunks.get(FILE, 0));
    chunks.passed(FILE, 3 * BLOCK - 1);
    assert!(!load_block(&chunks, &file, 3, Demand::Ahead), "nothing was sent to its end");
    chunks.passed(FILE, 3 * BLOCK);
    assert!(load_block(&chunks, &file, 3, Demand::Ahead));
    assert_eq!(are_here(&chunks, [0, 1, 2, 3]), [true, true, false, true]);
    assert!(load_block(&chunks, &file, 4, Demand::Now));
    assert_eq!(are_here(&chunks, [0, 1, 3, 4]), [true, false, true, true]);
}

#[test]
fn a_file_that_is_too_short_is_an_error_and_costs_no_buffer() {
    let (chunks, file) = (Chunks::new(1, beside(Counter::default())), Counting::of(1000));
    let failed = chunks.load((FILE, &file), 0, 2000, Demand::Now).err().unwrap();
    assert_eq!(failed.kind(), io::ErrorKind::UnexpectedEof);
    assert!(load(&chunks, &file, 0, 1000, Demand::Now));
    chunks.release();
    assert_eq!(chunks.ready_bytes(FILE, 0, 1), 0);
    assert!(load(&chunks, &file, 0, 1000, Demand::Now));
}

#[test]
fn threads_that_want_the_same_read_it_once() {
    let (chunks, file) = (Chunks::new(8, beside(Counter::default())), Counting::of(CHUNK_BYTES));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(load(&chunks, &file, 0, CHUNK_BYTES, Demand::Now)));
        }
    });
    assert_eq!(file.reads.load(Ordering::Relaxed), 1);
}

#[test]
fn beside_flushes_it_is_read_in_slices() {
    let flushes = Counter::default();
    let (chunks, file) = (Chunks::new(8, beside(flushes.clone())), Counting::of(4 << 20));
    let reads_for = |position| {
        let before = file.reads.load(Ordering::Relaxed);
        let chunk = chunks.load((FILE, &file), position, position + (1 << 20), Demand::Now).unwrap().unwrap();
        let held = chunk.from(position);
        assert_eq!(held.len(), 1 << 20);
        assert!(held.iter().enumerate().all(|(at, byte)| *byte == Counting::byte_at(position + at as u64)));
        file.reads.load(Ordering::Relaxed) - before
    };
    assert_eq!(reads_for(0), 1);
    flushes.add(1);
    assert_eq!(reads_for(1 << 20), 8);
}
