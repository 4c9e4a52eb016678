use std::sync::Arc;

use super::super::{PRODUCER_IDS, WalWriter, WalWriterStart};
use super::*;
use crate::local::disk::{OpenHow, SystemDisk};

const SLOT_BYTES: u64 = 64 << 10;

/// A folder with a log in it.
struct Log {
    folder: tempfile::TempDir,
}

impl Log {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn slot(&self, name: u64) -> Slot {
        let path = slot_path(self.folder.path(), name);
        if !path.exists() {
            std::fs::write(&path, vec![0; SLOT_BYTES as usize]).unwrap();
        }
        Slot { name, bytes: SLOT_BYTES }
    }

    fn writer(&self, end: WalPosition, next_number: u64, random: u64) -> WalWriter {
        WalWriter::new(WalWriterStart {
            disk: Arc::new(SystemDisk),
            folder: self.folder.path().to_owned(),
            direct: false,
            end,
            next_number,
            random,
            planted: Planted::default(),
        })
    }

    /// The producer ids that the frames say, which tell frames apart here, and what was found besides.
    fn replay_from(&self, from: WalPosition) -> (Vec<i64>, Result<Chain, OpenError>) {
        let mut seen = Vec::new();
        let result = replay(&SystemDisk, self.folder.path(), from, Planted::default(), &mut |entry| {
            let Entry::ProducerIds { next } = entry else { panic!("another entry") };
            seen.push(next);
            Ok(())
        });
        (seen, result)
    }

    fn replay(&self) -> (Vec<i64>, Result<Chain, OpenError>) {
        self.replay_from(WalPosition::START)
    }

    fn bytes(&self, name: u64) -> Vec<u8> {
        std::fs::read(slot_path(self.folder.path(), name)).unwrap()
    }

    fn set_bytes(&self, name: u64, bytes: &[u8]) {
        std::fs::write(slot_path(self.folder.path(), name), bytes).unwrap();
    }
}

/// One write with these entries.
fn write(writer: &mut WalWriter, ids: &[i64]) {
    ids.iter().for_each(|id| writer.put(PRODUCER_IDS, &[&id.to_be_bytes()]));
    writer.write(true).unwrap();
}

fn assert_damaged(result: Result<Chain, OpenError>, clause: &str) {
    let error = result.expect_err("damage was not seen");
    assert!(matches!(error, OpenError::Damaged { .. }) && error.to_string().contains(clause), "{error}");
}

/// Three writes in one segment: 1 2, 3, 4 5.
fn three_writes() -> Log {
    let log = Log::new();
    let mut writer = log.writer(WalPosition::START, 1, 7);
    writer.open_segment(&log.slot(1)).unwrap();
    write(&mut writer, &[1, 2]);
    write(&mut writer, &[3]);
    write(&mut writer, &[4, 5]);
    log
}

#[test]
fn everything_comes_back_in_order_over_several_segments() {
    let log = three_writes();
    let (seen, chain) = log.replay();
    assert_eq!(seen, [1, 2, 3, 4, 5]);
    let chain = chain.unwrap();
    assert_eq!((chain.end.next_sequence, chain.next_number), (6, 2));
    let mut writer = log.writer(chain.end, chain.next_number, 8);
    for (name, ids) in [(2, [6, 7]), (3, [8, 9])] {
        writer.open_segment(&log.slot(name)).unwrap();
        write(&mut writer, &ids);
    }
    let (seen, chain) = log.replay();
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(chain.unwrap().in_use.len(), 3);
    let middle = WalPosition { offset: 2 * BLOCK_BYTES as u64, next_sequence: 3, ..log_position(&log, 1) };
    assert_eq!(log.replay_from(middle).0, [3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn a_header_without_frames_is_as_unsure_as_frames_that_nothing_calls_durable() {
    let log = three_writes();
    let chain = log.replay().1.unwrap();
    assert_eq!(chain.unsure(), 3 * BLOCK_BYTES as u64..chain.end.offset, "the last write");
    let mut writer = log.writer(chain.end, chain.next_number, 8);
    writer.open_segment(&log.slot(2)).unwrap();
    write(&mut writer, &[6]);
    let mut bytes = log.bytes(2);
    bytes[BLOCK_BYTES..].fill(0);
    log.set_bytes(2, &bytes);
    let (seen, chain) = log.replay();
    let chain = chain.unwrap();
    assert_eq!((seen.len(), chain.in_use.len()), (5, 2));
    assert_eq!(chain.unsure(), 0..BLOCK_BYTES as u64, "the next segment names this one as the one before it");
}

/// The start of a segment, by its header.
fn log_position(log: &Log, name: u64) -> WalPosition {
    let HeaderBlock::Segment(header) = read_header(&log.bytes(name)[..BLOCK_BYTES]) else { panic!("no header") };
    let SegmentHeader { number, incarnation, first, .. } = header;
    WalPosition { number, incarnation, offset: FIRST_FRAME_AT, next_sequence: first }
}

#[test]
fn a_last_frame_torn_at_any_byte_is_dropped() {
    let log = three_writes();
    let good = log.bytes(1);
    let frame = FRAME_HEADER_BYTES + 8;
    let last_write = 3 * BLOCK_BYTES;
    for torn_from in last_write..last_write + 2 * frame {
        let mut bytes = good.clone();
        bytes[torn_from..].fill(0);
        log.set_bytes(1, &bytes);
        let (seen, chain) = log.replay();
        let whole = (torn_from - last_write) / frame;
        // Zeros where zeros were are no tear.
        let same = bytes == good;
        let expected = if same { 5 } else { 3 + whole };
        assert_eq!(seen.len(), expected, "torn from byte {torn_from}");
        assert_eq!(chain.unwrap().end.next_sequence, expected as u64 + 1);
    }
}

#[test]
fn what_lies_behind_a_torn_frame_never_becomes_valid() {
    let log = three_writes();
    let good = log.bytes(1);
    let mut torn = good.clone();
    // Of the last write (4 5) the first frame is torn and the second is whole.
    torn[3 * BLOCK_BYTES + 20] ^= 1;
    log.set_bytes(1, &torn);
    let (seen, chain) = log.replay();
    assert_eq!(seen, [1, 2, 3]);
    let chain = chain.unwrap();
    let mut writer = log.writer(chain.end, chain.next_number, 8);
    writer.open_segment(&log.slot(2)).unwrap();
    write(&mut writer, &[40]);
    assert_eq!(log.replay().0, [1, 2, 3, 40]);
    // Even where the torn frame could be read after all: the log went on without it.
    log.set_bytes(1, &good);
    assert_eq!(log.replay().0, [1, 2, 3, 40]);
}

#[test]
fn damage_before_a_later_write_refuses_and_says_what_is_lost() {
    let log = three_writes();
    let good = log.bytes(1);
    // Each byte of the frames 2 and 3: a later frame says that they were durable.
    let frame = FRAME_HEADER_BYTES + 8;
    let second = FIRST_FRAME_AT as usize + frame;
    for at in (second..second + frame).chain(2 * BLOCK_BYTES..2 * BLOCK_BYTES + frame) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        log.set_bytes(1, &bytes);
        assert_damaged(log.replay().1, "from");
    }
    let mut bytes = good.clone();
    bytes[second] ^= 1;
    log.set_bytes(1, &bytes);
    assert_damaged(log.replay().1, "the 2 frames from 2 to 3");
    // A write that the disk lost as a whole.
    let mut bytes = good;
    bytes[2 * BLOCK_BYTES..3 * BLOCK_BYTES].fill(0);
    log.set_bytes(1, &bytes);
    assert_damaged(log.replay().1, "the 1 frames from 3 to 3");
}

#[test]
fn frames_of_an_earlier_use_of_the_file_are_not_accepted() {
    let log = three_writes();
    let chain = log.replay().1.unwrap();
    // The same file again, as after a checkpoint: the header and one frame are new, all behind is old and valid by itself.
    let mut writer = log.writer(chain.end, chain.next_number, 9);
    let from = writer.position();
    writer.open_segment(&log.slot(1)).unwrap();
    write(&mut writer, &[6, 7]);
    let here = WalPosition { next_sequence: from.next_sequence, ..log_position(&log, 1) };
    let (seen, chain) = log.replay_from(here);
    assert_eq!(seen, [6, 7]);
    assert_eq!(chain.unwrap().end.next_sequence, 8);
}

#[test]
fn a_missing_or_headless_segment_in_between_refuses() {
    let log = three_writes();
    let chain = log.replay().1.unwrap();
    let mut writer = log.writer(chain.end, chain.next_number, 8);
    for (name, id) in [(2, 6), (3, 7)] {
        writer.open_segment(&log.slot(name)).unwrap();
        write(&mut writer, &[id, id]);
        write(&mut writer, &[id]);
    }
    let (second, third) = (log.bytes(2), log.bytes(3));
    let mut headless = second.clone();
    headless[30] ^= 1;
    log.set_bytes(2, &headless);
    assert_damaged(log.replay().1, "the 3 frames from 6 to 8");
    std::fs::remove_file(slot_path(log.folder.path(), 2)).unwrap();
    assert_damaged(log.replay().1, "the 3 frames from 6 to 8");
    // The last segment without its header: its second write says that its first was durable.
    log.set_bytes(2, &second);
    let mut headless = third.clone();
    headless[30] ^= 1;
    log.set_bytes(3, &headless);
    assert_damaged(log.replay().1, "the 2 frames from 9 to 10");
    // Its first write alone was not acknowledged for certain: the end.
    headless[2 * BLOCK_BYTES..].fill(0);
    log.set_bytes(3, &headless);
    assert_eq!(log.replay().0.len(), 8);
    let start = log_position(&log, 1);
    std::fs::remove_file(slot_path(log.folder.path(), 1)).unwrap();
    assert_damaged(log.replay_from(start).1, "is missing");
    assert_damaged(log.replay().1, "from 1 to");
}

#[test]
fn writes_without_a_flush_promise_nothing() {
    let log = Log::new();
    let mut writer = log.writer(WalPosition::START, 1, 7);
    writer.open_segment(&log.slot(1)).unwrap();
    write(&mut writer, &[1]);
    for id in [2_i64, 3] {
        writer.put(PRODUCER_IDS, &[&id.to_be_bytes()]);
        writer.write(false).unwrap();
        assert!(writer.is_unflushed());
    }
    let mut bytes = log.bytes(1);
    bytes[2 * BLOCK_BYTES] ^= 1;
    log.set_bytes(1, &bytes);
    assert_eq!(log.replay().0, [1], "the frame behind it does not call it durable");
    bytes[2 * BLOCK_BYTES] ^= 1;
    log.set_bytes(1, &bytes);
    writer.settle().unwrap();
    write(&mut writer, &[4]);
    assert_eq!(log.replay().0, [1, 2, 3, 4]);
    bytes = log.bytes(1);
    bytes[2 * BLOCK_BYTES] ^= 1;
    log.set_bytes(1, &bytes);
    assert_damaged(log.replay().1, "the 2 frames from 2 to 3");
}

#[test]
fn garbage_in_any_file_does_not_panic() {
    let log = three_writes();
    let good = log.bytes(1);
    let mut state = 11_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for _ in 0..300 {
        let mut bytes = good.clone();
        for _ in 0..1 + random() % 8 {
            let at = random() % (5 * BLOCK_BYTES);
            bytes[at] = random() as u8;
        }
        bytes.truncate(random() % (bytes.len() + 1));
        log.set_bytes(1, &bytes);
        log.slot(2);
        let (seen, _) = log.replay();
        assert!(seen.iter().zip(1..).all(|(seen, expected)| *seen == expected), "{seen:?}");
    }
}

#[test]
fn a_later_format_is_refused() {
    let log = three_writes();
    let mut bytes = log.bytes(1);
    bytes[8..12].copy_from_slice(&(WAL_FORMAT + 1).to_be_bytes());
    log.set_bytes(1, &bytes);
    let error = log.replay().1.expect_err("the format was not seen");
    assert_eq!(
        error,
        OpenError::NewerFormat { path: slot_path(log.folder.path(), 1), found: WAL_FORMAT + 1, supported: WAL_FORMAT }
    );
}

#[test]
fn a_folder_without_files_is_an_empty_log() {
    let log = Log::new();
    let (seen, chain) = log.replay();
    assert_eq!((seen.len(), chain.unwrap().end), (0, WalPosition::START));
    assert!(SystemDisk.open(&log.folder.path().join("x"), OpenHow::READ).is_err());
}
