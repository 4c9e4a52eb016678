//! What a batch's header says, held against the topic's configs. The records themselves are not looked at, except where the
//! topic needs it (see [`super::inspect`]); Kafka reads every record of every batch.

use bytes::Bytes;
use ottla_protocol::ErrorCode;
use ottla_protocol::records::{self, BatchError, BatchHeader, Compression};
use ottla_transactions::Producer;

use super::Rejection;
use super::inspect::{Fault, Faults, recompression, writable};
use crate::config::{TimestampType, TopicSettings};

const FIRST_VERSION_WITH_ZSTD: i16 = 7;

/// A batch that may be appended, perhaps after its records were looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Checked {
    /// The batch as it will be stored.
    pub(crate) batch: Bytes,
    /// The topic needs to see the records.
    pub(crate) must_inspect: bool,
    /// The producer, if the batch is part of a transaction.
    pub(crate) in_transaction_of: Option<Producer>,
}

/// Checks one partition's part of a produce request in that version, at that time.
///
/// # Errors
/// The batch is refused.
pub(crate) fn check(batch: Bytes, topic: &TopicSettings, version: i16, now_ms: i64) -> Result<Checked, Rejection> {
    if batch.is_empty() {
        return Err(Rejection::new(
            ErrorCode::INVALID_RECORD,
            "a produce request needs exactly one batch for a partition",
        ));
    }
    if batch.len() > topic.max_message_bytes {
        return Err(size_rejection(batch.len(), topic));
    }
    if batch.len() > topic.segment_bytes {
        let message = format!("a batch of {} bytes is over segment.bytes = {}", batch.len(), topic.segment_bytes);
        return Err(Rejection::new(ErrorCode::RECORD_LIST_TOO_LARGE, message));
    }
    let header = records::validate(&batch).map_err(incomplete_is_none)?;
    check_header(&header, version)?;
    let producer = Producer { id: header.producer_id, epoch: header.producer_epoch };
    let in_transaction_of = header.is_transactional().then_some(producer);
    let recompresses = recompression(topic, header.compression()?).is_some();
    if topic.timestamp_type == TimestampType::LogAppendTime {
        check_stampable(&header)?;
        // What is inspected is stamped afterwards.
        let must_inspect = topic.compacted || recompresses;
        let batch = if must_inspect { batch } else { stamped(batch, now_ms)? };
        return Ok(Checked { batch, must_inspect, in_transaction_of });
    }
    let claims_broker_time = header.has_log_append_time();
    let batch = if claims_broker_time { unstamped(batch, &header)? } else { batch };
    let limits_age = topic.timestamp_before_max_ms != i64::MAX;
    let comes_too_early = header.max_timestamp_ms > now_ms.saturating_add(topic.timestamp_after_max_ms);
    let must_inspect = topic.compacted || recompresses || limits_age || comes_too_early || claims_broker_time;
    Ok(Checked { batch, must_inspect, in_transaction_of })
}

/// A batch of that many bytes is too large for the topic.
pub(super) fn size_rejection(batch_bytes: usize, topic: &TopicSettings) -> Rejection {
    let message = format!("a batch of {batch_bytes} bytes is over max.message.bytes = {}", topic.max_message_bytes);
    Rejection::new(ErrorCode::MESSAGE_TOO_LARGE, message)
}

/// Kafka looks for whole batches first, and finds none in one that is cut off.
fn incomplete_is_none(error: BatchError) -> Rejection {
    let truncated = matches!(error, BatchError::Truncated { .. });
    let rejection = Rejection::from(error);
    if truncated { Rejection { error: ErrorCode::INVALID_RECORD, ..rejection } } else { rejection }
}

fn check_header(header: &BatchHeader, version: i16) -> Result<(), Rejection> {
    if header.compression()? == Compression::Zstd && version < FIRST_VERSION_WITH_ZSTD {
        let message = "zstd needs version 7 of the produce request";
        return Err(Rejection::new(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, message));
    }
    if header.base_offset != 0 {
        let message = format!("the base offset is {}, and a producer has to leave it 0", header.base_offset);
        return Err(Rejection::new(ErrorCode::INVALID_RECORD, message));
    }
    if header.is_control() {
        return Err(Rejection::new(ErrorCode::INVALID_RECORD, "control records are written by the broker alone"));
    }
    if header.is_transactional() && !header.has_producer() {
        return Err(Rejection::new(ErrorCode::INVALID_RECORD, "a batch of a transaction needs a producer id"));
    }
    if header.has_producer() && (header.base_sequence < 0 || header.producer_epoch < 0) {
        let message = "a batch with a producer id needs a sequence number and an epoch";
        return Err(Rejection::new(ErrorCode::INVALID_RECORD, message));
    }
    Ok(())
}

/// As in Kafka, a producer may not claim the broker's time where the broker sets it. Every record is at fault.
fn check_stampable(header: &BatchHeader) -> Result<(), Rejection> {
    let mut faults = Faults::default();
    if header.has_log_append_time() {
        (0..header.record_count).for_each(|index| faults.add(index, Fault::BrokersTime));
    }
    faults.into_rejection().map_or(Ok(()), Err)
}

/// The batch with the broker's time. It lies inside the checksum, so the bytes cannot be shared with the request.
pub(super) fn stamped(batch: Bytes, now_ms: i64) -> Result<Bytes, Rejection> {
    let mut stamped = writable(batch);
    records::set_log_append_time(&mut stamped, now_ms)?;
    Ok(stamped.freeze())
}

/// A batch that claims the broker's time, for a topic with the producers': Kafka takes back the claim.
fn unstamped(batch: Bytes, header: &BatchHeader) -> Result<Bytes, Rejection> {
    let mut unstamped = writable(batch);
    records::set_create_time(&mut unstamped, header.max_timestamp_ms)?;
    Ok(unstamped.freeze())
}

#[cfg(test)]
mod tests {
    use ottla_protocol::records::{BatchBuilder, Encoding};

    use super::*;

    const NOW_MS: i64 = 1_700_000_000_000;

    fn topic() -> TopicSettings {
        TopicSettings { max_message_bytes: 10_000, ..super::super::default_topic() }
    }

    fn batch(timestamp_ms: i64) -> BatchBuilder {
        let mut builder = BatchBuilder::new();
        builder.push(timestamp_ms, None, Some(b"value"), &[]);
        builder
    }

    fn refused(batch: Bytes, topic: &TopicSettings) -> ErrorCode {
        check(batch, topic, 9, NOW_MS).expect_err("is refused").error
    }

    #[test]
    fn a_good_batch_is_kept_as_it_came() {
        let batch = batch(NOW_MS).build();
        let checked = check(batch.clone(), &topic(), 9, NOW_MS).expect("is good");
        assert_eq!(checked, Checked { batch, must_inspect: false, in_transaction_of: None });
    }

    #[test]
    fn bad_batches_have_their_own_errors() {
        let good = batch(NOW_MS).build();
        assert_eq!(refused(Bytes::new(), &topic()), ErrorCode::INVALID_RECORD);
        assert_eq!(refused(good.slice(..good.len() - 1), &topic()), ErrorCode::INVALID_RECORD);
        assert_eq!(refused([&good[..], &good[..]].concat().into(), &topic()), ErrorCode::INVALID_RECORD);
        let small = TopicSettings { max_message_bytes: good.len() - 1, ..topic() };
        assert_eq!(refused(good.clone(), &small), ErrorCode::MESSAGE_TOO_LARGE);
        let small = TopicSettings { segment_bytes: good.len() - 1, ..topic() };
        assert_eq!(refused(good.clone(), &small), ErrorCode::RECORD_LIST_TOO_LARGE);
        let mut flipped = good.to_vec();
        *flipped.last_mut().expect("not empty") ^= 1;
        assert_eq!(refused(flipped.into(), &topic()), ErrorCode::CORRUPT_MESSAGE);
        assert_eq!(refused(batch(NOW_MS).control().build(), &topic()), ErrorCode::INVALID_RECORD);
        assert_eq!(refused(batch(NOW_MS).transactional().build(), &topic()), ErrorCode::INVALID_RECORD);
        assert_eq!(refused(batch(NOW_MS).producer(1, 0, -1).build(), &topic()), ErrorCode::INVALID_RECORD);
        assert_eq!(refused(batch(NOW_MS).base_offset(7).build(), &topic()), ErrorCode::INVALID_RECORD);
    }

    #[test]
    fn log_append_time_replaces_the_producers() {
        let stamping = TopicSettings { timestamp_type: TimestampType::LogAppendTime, ..topic() };
        let checked = check(batch(1).build(), &stamping, 9, NOW_MS).expect("any timestamp is good");
        let header = records::validate(&checked.batch).expect("the checksum is right");
        assert!(header.has_log_append_time());
        assert_eq!(header.max_timestamp_ms, NOW_MS);
        let claimed = checked.batch;
        let refused = check(claimed.clone(), &stamping, 9, NOW_MS).expect_err("only the broker stamps");
        assert_eq!(refused.error, ErrorCode::INVALID_TIMESTAMP);
        assert_eq!(refused.records.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0]);
        let checked = check(claimed, &topic(), 9, NOW_MS).expect("the claim is taken back");
        let header = records::validate(&checked.batch).expect("the checksum is right");
        assert!(!header.has_log_append_time() && checked.must_inspect);
    }

    #[test]
    fn records_are_looked_at_only_where_the_topic_needs_it() {
        let inspects =
            |topic: TopicSettings| check(batch(NOW_MS).build(), &topic, 9, NOW_MS).expect("good").must_inspect;
        assert!(inspects(TopicSettings { compacted: true, ..topic() }));
        assert!(inspects(TopicSettings { timestamp_before_max_ms: 1, ..topic() }));
        assert!(!inspects(TopicSettings { timestamp_after_max_ms: 1, ..topic() }));
        assert!(inspects(TopicSettings { timestamp_after_max_ms: -1, ..topic() }), "to name the records");
        assert!(inspects(TopicSettings { stored_as: Some(Encoding::Snappy), ..topic() }));
        assert!(!inspects(TopicSettings { stored_as: Some(Encoding::None), ..topic() }), "it comes as it is stored");
    }
}
