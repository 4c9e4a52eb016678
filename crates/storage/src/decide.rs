//! Whether a partition accepts a batch: one pure function for all engines.
//!
//! The rules are those of the idempotent producer (KIP-98, KIP-360) as Apache Kafka 4.3 answers them:
//!
//! 1. A batch equal in first and last sequence number to one of the last five of its producer and epoch is a duplicate; it
//!    is answered with the offsets of the original. Part of a batch is not a duplicate.
//! 2. Within an epoch the next sequence number must follow the last one; after `i32::MAX` comes 0.
//! 3. A newer epoch begins at sequence number 0; an older one is refused, duplicates included.
//! 4. A producer that the partition does not know may begin anywhere: its state may have been lost or have expired.
//! 5. A batch older than the last five cannot be told from a gap and is refused as one.
//!
//! And those of transactions (KIP-98, KIP-890):
//!
//! 6. The first transactional batch of a producer opens its transaction in this partition; until a marker ends it, the producer
//!    may send no other batches.
//! 7. A marker comes from the coordinator, and with it the epoch that holds from then on, also where the producer had nothing
//!    open here or is not known: what it sent before and comes late is refused.
//! 8. A marker of an older epoch is refused, and so is one of a coordinator that is older than one seen before.
//! 9. What a coordinator writes for a producer has no sequence numbers, so rules 1 to 5 do not hold for it, but for the epoch.
//!
//! **What is queued counts.** An engine calls [`ProducerTable::apply`] when it accepts a batch, not when the batch becomes
//! durable, both under the lock that hands out offsets. So a duplicate of a batch that is still on its way to the disk is
//! seen; its answer waits until the high watermark reaches [`Decision::Duplicate`]'s `end_offset`, or fails as the original
//! fails.

use ottla_protocol::records::EndMarker;

use crate::AppendOrigin;
use crate::producers::{Producer, ProducerTable};

/// What a batch says about its producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerBatch {
    /// The producer's id; negative where the producer is not idempotent.
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The first record's sequence number.
    pub base_sequence: i32,
    /// How many offsets, and so sequence numbers, the batch takes; at least 1.
    pub record_count: i32,
    /// The largest timestamp in the batch, milliseconds since 1970.
    pub max_timestamp_ms: i64,
    /// The batch belongs to a transaction.
    pub transactional: bool,
    /// The batch holds control records.
    pub control: bool,
    /// What a control batch says, where it is the marker of a transaction.
    pub marker: Option<EndMarker>,
}

/// What becomes of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Append it at the partition's end, and [apply](ProducerTable::apply) it at once.
    Accept,
    /// It was accepted before. Answer these offsets, not earlier than the original is durable.
    Duplicate {
        /// Offset of the original's first record.
        first_offset: i64,
        /// Offset after the original's last record.
        end_offset: i64,
    },
    /// Refuse it; nothing changes.
    Refuse(Refusal),
}

/// Why a producer's batch is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// A sequence number is missing in between, or the batch is older than the last five of its producer
    /// (OUT_OF_ORDER_SEQUENCE_NUMBER).
    OutOfOrderSequence {
        /// What was expected next.
        expected: i32,
        /// What came.
        got: i32,
    },
    /// An epoch older than the newest seen (INVALID_PRODUCER_EPOCH).
    InvalidProducerEpoch {
        /// The newest seen.
        current: i16,
        /// What came.
        got: i16,
    },
    /// A batch outside of the producer's open transaction (INVALID_TXN_STATE).
    TransactionOpen {
        /// Where that began.
        first_offset: i64,
    },
    /// A marker of a coordinator that was replaced (TRANSACTION_COORDINATOR_FENCED).
    CoordinatorFenced {
        /// The newest coordinator epoch seen.
        current: i32,
        /// What came.
        got: i32,
    },
    /// The batch is not what a producer may send (INVALID_RECORD).
    InvalidBatch(&'static str),
}

/// Decides about one batch, given what its partition knows of producers.
pub fn decide(producers: &ProducerTable, origin: AppendOrigin, batch: &ProducerBatch) -> Decision {
    if let Err(why) = is_allowed(origin, batch) {
        return Decision::Refuse(Refusal::InvalidBatch(why));
    }
    if batch.producer_id < 0 {
        return Decision::Accept;
    }
    match producers.producer(batch.producer_id) {
        Some(producer) => decide_known(producer, origin, batch),
        None => Decision::Accept,
    }
}

fn decide_known(producer: &Producer, origin: AppendOrigin, batch: &ProducerBatch) -> Decision {
    let (current, got) = (producer.epoch(), batch.producer_epoch);
    if got < current {
        return Decision::Refuse(Refusal::InvalidProducerEpoch { current, got });
    }
    if let Some(marker) = batch.marker {
        let (current, got) = (producer.coordinator_epoch(), marker.coordinator_epoch);
        let is_fenced = got < current;
        return if is_fenced {
            Decision::Refuse(Refusal::CoordinatorFenced { current, got })
        } else {
            Decision::Accept
        };
    }
    let by_sequence = match origin {
        AppendOrigin::Coordinator => Decision::Accept,
        AppendOrigin::Client if got > current => follows(0, batch),
        AppendOrigin::Client => match producer.duplicate(batch) {
            Some((first_offset, end_offset)) => Decision::Duplicate { first_offset, end_offset },
            None => follows(producer.next_sequence(), batch),
        },
    };
    match (by_sequence, producer.open_from()) {
        (Decision::Accept, Some(first_offset)) if !batch.transactional => {
            Decision::Refuse(Refusal::TransactionOpen { first_offset })
        }
        (decision, _) => decision,
    }
}

/// Decides about all batches of one append. An idempotent producer sends one batch per partition and request (Kafka asks for
/// that since Produce version 3), so an append of several is either accepted whole or refused whole, never a duplicate. Those of
/// a coordinator are of different producers, where they have any.
pub fn decide_append(producers: &ProducerTable, origin: AppendOrigin, batches: &[ProducerBatch]) -> Decision {
    match batches {
        [] => Decision::Refuse(Refusal::InvalidBatch("there is no batch to append")),
        [one] => decide(producers, origin, one),
        several => decide_several(producers, origin, several),
    }
}

fn decide_several(producers: &ProducerTable, origin: AppendOrigin, batches: &[ProducerBatch]) -> Decision {
    let is_again = |(index, batch): (usize, &ProducerBatch)| {
        let before = batches.iter().take(index);
        batch.producer_id >= 0
            && (origin == AppendOrigin::Client
                || before.into_iter().any(|other| other.producer_id == batch.producer_id))
    };
    if batches.iter().enumerate().any(is_again) {
        let why = "a producer may send only one batch per partition at a time";
        return Decision::Refuse(Refusal::InvalidBatch(why));
    }
    let decided = batches.iter().map(|batch| decide(producers, origin, batch));
    decided.into_iter().find(|decision| *decision != Decision::Accept).unwrap_or(Decision::Accept)
}

fn is_allowed(origin: AppendOrigin, batch: &ProducerBatch) -> Result<(), &'static str> {
    if batch.control && origin == AppendOrigin::Client {
        return Err("control records are written by the broker, not by clients");
    }
    if batch.control && batch.marker.is_none() {
        return Err("a control batch must be the marker of a transaction");
    }
    if batch.record_count < 1 || (batch.control && batch.record_count > 1) {
        return Err("a batch must hold at least one record, a marker just one");
    }
    if batch.producer_id < 0 {
        return match batch.transactional || batch.control {
            true => Err("a transactional batch needs a producer id"),
            false => Ok(()),
        };
    }
    if origin == AppendOrigin::Client && batch.base_sequence < 0 {
        return Err("a batch with a producer id needs a sequence number of at least 0");
    }
    if origin == AppendOrigin::Coordinator && batch.base_sequence >= 0 {
        return Err("what a coordinator writes for a producer has no sequence numbers");
    }
    if batch.producer_epoch < 0 {
        return Err("a batch with a producer id needs a producer epoch of at least 0");
    }
    Ok(())
}

fn follows(expected: i32, batch: &ProducerBatch) -> Decision {
    if batch.base_sequence == expected {
        Decision::Accept
    } else {
        Decision::Refuse(Refusal::OutOfOrderSequence { expected, got: batch.base_sequence })
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
