//! Looking at a batch's records, for the few topics that need it: compacted ones (every record needs a key) and those with
//! `message.timestamp.before.max.ms`. Bounded, and off the reactor: records may be compressed.

use std::sync::Arc;

use bytes::Bytes;
use ottla_protocol::ErrorCode;
use ottla_protocol::records::{self, Record};
use tokio::sync::Semaphore;

use super::Rejection;
use crate::config::{TimestampType, TopicSettings};

/// What records may take once decompressed.
const OPENED_MAX_BYTES: usize = 64 * 1024 * 1024;
/// Batches that are open at the same time, in the whole process.
const OPEN_AT_ONCE: usize = 2;
/// How many records at fault are named, as in Kafka.
const NAMED_RECORDS: usize = 10;

static OPENING: Semaphore = Semaphore::const_new(OPEN_AT_ONCE);

/// A batch to look into.
#[derive(Clone, Debug)]
pub(crate) struct Inspection {
    /// The batch.
    pub(crate) batch: Bytes,
    /// What its topic asks for.
    pub(crate) topic: Arc<TopicSettings>,
}

/// Looks into batches, one answer for each in order.
pub(crate) async fn inspect_all(inspections: Vec<Inspection>, now_ms: i64) -> Vec<Result<(), Rejection>> {
    let count = inspections.len();
    let _permit = OPENING.acquire().await;
    let inspected = tokio::task::spawn_blocking(move || {
        inspections.iter().map(|inspection| inspect(&inspection.batch, &inspection.topic, now_ms)).collect()
    });
    // It fails only by a panic, which must not let a batch through.
    inspected.await.unwrap_or_else(|_| vec![Err(ErrorCode::UNKNOWN_SERVER_ERROR.into()); count])
}

fn inspect(batch: &[u8], topic: &TopicSettings, now_ms: i64) -> Result<(), Rejection> {
    let opened = records::open(batch, OPENED_MAX_BYTES)?;
    let mut at_fault = Vec::new();
    let (mut count, mut fault_count, mut error) = (0, 0, ErrorCode::NONE);
    for record in opened.records() {
        if let Some((code, message)) = fault(&record?, topic, now_ms) {
            fault_count += 1;
            error = code;
            if at_fault.len() < NAMED_RECORDS {
                at_fault.push((count, message));
            }
        }
        count += 1;
    }
    if count != opened.header.record_count {
        return Err(records::BatchError::Record.into());
    }
    match fault_count {
        0 => Ok(()),
        _ => Err(Rejection {
            error,
            message: Some(format!("{fault_count} records are refused; at most the first {NAMED_RECORDS} are named")),
            records: at_fault,
        }),
    }
}

fn fault(record: &Record<'_>, topic: &TopicSettings, now_ms: i64) -> Option<(ErrorCode, String)> {
    if topic.compacted && record.key.is_none() {
        return Some((ErrorCode::INVALID_RECORD, "a compacted topic takes only records with a key".to_owned()));
    }
    let oldest_ms = now_ms.saturating_sub(topic.timestamp_before_max_ms);
    if topic.timestamp_type == TimestampType::CreateTime && record.timestamp_ms < oldest_ms {
        let limit = topic.timestamp_before_max_ms;
        let timestamp = record.timestamp_ms;
        return Some((
            ErrorCode::INVALID_TIMESTAMP,
            format!(
                "the timestamp {timestamp} is more than message.timestamp.before.max.ms = {limit} behind the broker's clock ({now_ms})"
            ),
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use ottla_protocol::records::BatchBuilder;

    use super::*;

    fn topic(compacted: bool, timestamp_before_max_ms: i64) -> TopicSettings {
        TopicSettings { compacted, timestamp_before_max_ms, ..super::super::default_topic() }
    }

    #[test]
    fn names_the_records_at_fault() {
        let mut builder = BatchBuilder::new();
        builder.push(1_000, Some(b"key"), Some(b"value"), &[]);
        builder.push(400, None, Some(b"value"), &[]);
        let batch = builder.build();
        assert_eq!(inspect(&batch, &topic(false, i64::MAX), 1_000), Ok(()));
        let without_key = inspect(&batch, &topic(true, i64::MAX), 1_000).expect_err("a key is missing");
        assert_eq!((without_key.error, without_key.records.len()), (ErrorCode::INVALID_RECORD, 1));
        assert_eq!(without_key.records.first().map(|(index, _)| *index), Some(1));
        let too_old = inspect(&batch, &topic(false, 500), 1_000).expect_err("a record is too old");
        assert_eq!(too_old.error, ErrorCode::INVALID_TIMESTAMP);
        assert_eq!(inspect(&batch, &topic(false, 600), 1_000), Ok(()));
    }
}
