//! The write-ahead log that all partitions, topics and producer ids share.
//!
//! 1. Sequence numbers are dense. Recovery accepts only the next one, and only in the incarnation of the segment it reads.
//! 2. Every write begins on a new block, so a block that holds acknowledged bytes is never written again, but for recovery, which
//!    writes the last ones over as they are.
//! 3. One write is in flight at a time, and each frame says what was durable when it was written. So a bad frame that a later
//!    one calls durable is damage, and any other bad frame is where the log ends.
//! 4. After recovery the log goes on in a new segment: what lies behind the end of the old one can never become valid.
//! 5. A segment's header says with which sequence number it begins, and all before that was durable at that time.

mod buffer;
mod entry;
mod frame;
mod recovery;
mod segment;
mod slots;
mod writer;

use std::path::{Path, PathBuf};

pub(super) use buffer::{Parts, Spare};
pub(super) use entry::{
    ATOMIC_HEAD_BYTES, ATOMIC_RECORDS, CHECKED_RECORDS, CONFIGS_ALTERED, Entry, LOG_START, PART_HEAD_BYTES,
    PARTITIONS_CREATED, PRODUCER_IDS, RECORDS, RECORDS_HEAD_BYTES, TOPIC_CREATED, TOPIC_DELETED, is_records, log_start,
    part_head, partitions_created, put_resource, put_topic, records_head, take_resource, take_topic,
};
pub(super) use frame::{BATCH_FRONT_BYTES, COVERED_FROM, FRAME_HEADER_BYTES, FrameHeader, peek_frame};
pub(super) use recovery::{Chain, NotApplied, replay};
pub(super) use segment::{FIRST_FRAME_AT, HeaderBlock, SegmentHeader, read_header};
pub(super) use slots::{Slot, SlotPool, SlotRules, Take};
pub(super) use writer::{WalWriter, WalWriterStart};

/// A place in the log: where the next frame goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct WalPosition {
    /// The segment's number; 0 before the first.
    pub(super) number: u64,
    /// The segment's incarnation; 0 before the first.
    pub(super) incarnation: u64,
    /// Where in the segment.
    pub(super) offset: u64,
    /// The sequence number of the next frame.
    pub(super) next_sequence: u64,
}

impl WalPosition {
    /// Of a log in which nothing was ever written.
    pub(super) const START: Self = Self { number: 0, incarnation: 0, offset: 0, next_sequence: 1 };
}

/// The file of a slot.
fn slot_path(folder: &Path, name: u64) -> PathBuf {
    folder.join(format!("{name:08}.wal"))
}

/// The slot that a file name stands for.
pub(super) fn slot_name(file: &str) -> Option<u64> {
    file.strip_suffix(".wal")?.parse().ok()
}
