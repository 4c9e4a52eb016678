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
//! **What is queued counts.** An engine calls [`ProducerTable::apply`] when it accepts a batch, not when the batch becomes
//! durable, both under the lock that hands out offsets. So a duplicate of a batch that is still on its way to the disk is
//! seen; its answer waits until the high watermark reaches [`Decision::Duplicate`]'s `end_offset`, or fails as the original
//! fails.

use crate::producers::{Known, ProducerTable};

/// What a batch header says about its producer.
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
    /// The batch holds control records (transaction markers).
    pub control: bool,
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
    /// The batch is not what a producer may send (INVALID_RECORD).
    InvalidBatch(&'static str),
}

/// Decides about one batch from a client, given what its partition knows of producers.
pub fn decide(producers: &ProducerTable, batch: &ProducerBatch) -> Decision {
    if let Err(why) = is_allowed(batch) {
        return Decision::Refuse(Refusal::InvalidBatch(why));
    }
    if batch.producer_id < 0 {
        return Decision::Accept;
    }
    match producers.find(batch) {
        Known::Nothing => Decision::Accept,
        Known::NewerEpoch { current } => {
            Decision::Refuse(Refusal::InvalidProducerEpoch { current, got: batch.producer_epoch })
        }
        Known::OlderEpoch => follows(0, batch),
        Known::Duplicate { first_offset, end_offset } => Decision::Duplicate { first_offset, end_offset },
        Known::SameEpoch { next_sequence } => follows(next_sequence, batch),
    }
}

/// Decides about all batches of one append. An idempotent producer sends one batch per partition and request (Kafka asks for
/// that since Produce version 3), so an append of several is either accepted whole or refused whole, never a duplicate.
pub fn decide_append(producers: &ProducerTable, batches: &[ProducerBatch]) -> Decision {
    match batches {
        [] => Decision::Refuse(Refusal::InvalidBatch("there is no batch to append")),
        [one] => decide(producers, one),
        several => decide_several(producers, several),
    }
}

fn decide_several(producers: &ProducerTable, batches: &[ProducerBatch]) -> Decision {
    if batches.iter().any(|batch| batch.producer_id >= 0) {
        let why = "an idempotent producer may send only one batch per partition at a time";
        return Decision::Refuse(Refusal::InvalidBatch(why));
    }
    let refused = batches.iter().map(|batch| decide(producers, batch)).find(|decision| *decision != Decision::Accept);
    refused.unwrap_or(Decision::Accept)
}

fn is_allowed(batch: &ProducerBatch) -> Result<(), &'static str> {
    if batch.control {
        return Err("control records are written by the broker, not by clients");
    }
    if batch.transactional {
        return Err("transactions are not supported yet");
    }
    if batch.record_count < 1 {
        return Err("a batch must hold at least one record");
    }
    if batch.producer_id >= 0 && batch.base_sequence < 0 {
        return Err("a batch with a producer id needs a sequence number of at least 0");
    }
    if batch.producer_id >= 0 && batch.producer_epoch < 0 {
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
