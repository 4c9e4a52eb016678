//! Looking at a batch's records, for the topics and batches that need it: compacted topics (every record needs a key), limits
//! on timestamps, and a `compression.type` that is not the batch's, where the batch is compressed again.

use std::fmt;

use bytes::{Bytes, BytesMut};
use ottla_protocol::ErrorCode;
use ottla_protocol::records::{self, BatchError, Encoding, HEADER_BYTES, OpenBatch, Record};

use super::Rejection;
use super::validate::{size_rejection, stamped};
use crate::config::{TimestampType, TopicSettings};

/// What records may take once decompressed.
pub(super) const OPENED_MAX_BYTES: usize = 64 * 1024 * 1024;
/// How many records at fault are named.
const NAMED_RECORDS: usize = 500;
/// The timestamp of a record without one.
const NO_TIMESTAMP: i64 = -1;

/// Looks into a batch whose header is good, and answers how it is stored.
///
/// # Errors
/// The batch is refused, if possible with the records at fault.
pub(super) fn inspect(batch: &Bytes, topic: &TopicSettings, now_ms: i64) -> Result<Bytes, Rejection> {
    let opened = open(batch, topic)?;
    let latest_ms = check_records(&opened, topic, now_ms)?;
    let header = &opened.header;
    let stored = match recompression(topic, header.compression()?) {
        Some(encoding) => opened.rebuild(encoding, |_| true)?,
        None => batch.clone(),
    };
    let stored = if topic.timestamp_type == TimestampType::LogAppendTime {
        stamped(stored, now_ms)?
    } else if latest_ms != header.max_timestamp_ms {
        with_latest(stored, latest_ms)?
    } else {
        stored
    };
    if stored.len() > topic.max_message_bytes { Err(size_rejection(stored.len(), topic)) } else { Ok(stored) }
}

/// How to compress a batch that comes in that codec, if it is not kept as it is. As in Kafka, only the codec counts, not
/// its level.
pub(super) fn recompression(topic: &TopicSettings, compression: records::Compression) -> Option<Encoding> {
    topic.stored_as.filter(|encoding| encoding.compression() != compression)
}

fn open<'a>(batch: &'a [u8], topic: &TopicSettings) -> Result<OpenBatch<'a>, Rejection> {
    // Records that will be stored as they are read need no more room than they may take then.
    let stored_max_bytes = topic.max_message_bytes.saturating_sub(HEADER_BYTES);
    let is_stored_so = topic.stored_as == Some(Encoding::None) && stored_max_bytes < OPENED_MAX_BYTES;
    let max_bytes = if is_stored_so { stored_max_bytes } else { OPENED_MAX_BYTES };
    records::open(batch, max_bytes).map_err(|error| match error {
        BatchError::TooLarge { .. } if is_stored_so => Rejection::new(
            ErrorCode::MESSAGE_TOO_LARGE,
            format!("the batch, uncompressed, is over max.message.bytes = {}", topic.max_message_bytes),
        ),
        error => error.into(),
    })
}

/// Reads all records; answers the largest timestamp.
fn check_records(opened: &OpenBatch<'_>, topic: &TopicSettings, now_ms: i64) -> Result<i64, Rejection> {
    let mut faults = Faults::default();
    let (mut count, mut latest_ms) = (0, NO_TIMESTAMP);
    for record in opened.records() {
        let record = record?;
        latest_ms = latest_ms.max(record.timestamp_ms);
        if record.offset != opened.header.base_offset.saturating_add(i64::from(count)) {
            faults.add(count, Fault::Offset);
        } else if let Some(fault) = fault(&record, topic, now_ms) {
            faults.add(count, fault);
        }
        count += 1;
    }
    if count != opened.header.record_count {
        return Err(BatchError::Record.into());
    }
    faults.into_rejection().map_or(Ok(latest_ms), Err)
}

fn fault(record: &Record<'_>, topic: &TopicSettings, now_ms: i64) -> Option<Fault> {
    if topic.compacted && record.key.is_none() {
        return Some(Fault::NoKey);
    }
    let timestamp_ms = record.timestamp_ms;
    if topic.timestamp_type == TimestampType::LogAppendTime || timestamp_ms == NO_TIMESTAMP {
        return None;
    }
    let (before_ms, after_ms) = (topic.timestamp_before_max_ms, topic.timestamp_after_max_ms);
    if timestamp_ms < now_ms.saturating_sub(before_ms) {
        Some(Fault::TooOld { timestamp_ms, before_ms, now_ms })
    } else if timestamp_ms > now_ms.saturating_add(after_ms) {
        Some(Fault::TooNew { timestamp_ms, after_ms, now_ms })
    } else {
        None
    }
}

/// What can be wrong with a record that can be read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    Offset,
    NoKey,
    BrokersTime,
    TooOld { timestamp_ms: i64, before_ms: i64, now_ms: i64 },
    TooNew { timestamp_ms: i64, after_ms: i64, now_ms: i64 },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Offset => f.write_str("the offsets in a batch have to count up from 0"),
            Fault::NoKey => f.write_str("a compacted topic takes only records with a key"),
            Fault::BrokersTime => f.write_str("a producer may not set the timestamp type LogAppendTime"),
            Fault::TooOld { timestamp_ms, before_ms, now_ms } => write!(
                f,
                "the timestamp {timestamp_ms} is more than message.timestamp.before.max.ms = {before_ms} behind the broker's clock ({now_ms})"
            ),
            Fault::TooNew { timestamp_ms, after_ms, now_ms } => write!(
                f,
                "the timestamp {timestamp_ms} is more than message.timestamp.after.max.ms = {after_ms} ahead of the broker's clock ({now_ms})"
            ),
        }
    }
}

/// The records at fault in a batch.
#[derive(Default)]
pub(super) struct Faults {
    count: usize,
    has_wrong_timestamps: bool,
    named: Vec<(i32, String)>,
}

impl Faults {
    /// Adds the record at that place.
    pub(super) fn add(&mut self, index: i32, fault: Fault) {
        self.count += 1;
        self.has_wrong_timestamps |= !matches!(fault, Fault::Offset | Fault::NoKey);
        if self.named.len() < NAMED_RECORDS {
            self.named.push((index, fault.to_string()));
        }
    }

    /// The refusal of the batch. As in Kafka, one wrong timestamp makes it one of timestamps.
    pub(super) fn into_rejection(self) -> Option<Rejection> {
        let (_, first) = self.named.first()?;
        let message = match self.count {
            1 => format!("one record is refused: {first}"),
            count if count <= NAMED_RECORDS => format!("{count} records are refused; the first: {first}"),
            count => {
                format!("{count} records are refused, of which the first {NAMED_RECORDS} are named; the first: {first}")
            }
        };
        let error = if self.has_wrong_timestamps { ErrorCode::INVALID_TIMESTAMP } else { ErrorCode::INVALID_RECORD };
        Some(Rejection { error, message: Some(message), records: self.named })
    }
}

/// The batch with the largest timestamp of its records, where its header promised another: look-ups by time go by headers.
fn with_latest(batch: Bytes, latest_ms: i64) -> Result<Bytes, Rejection> {
    let mut changed = writable(batch);
    records::set_create_time(&mut changed, latest_ms)?;
    Ok(changed.freeze())
}

/// A batch to change: itself if nobody else has it, which a rebuilt one is.
pub(super) fn writable(batch: Bytes) -> BytesMut {
    batch.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]))
}

#[cfg(test)]
#[path = "inspect_tests.rs"]
mod tests;
