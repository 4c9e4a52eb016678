//! What compaction keeps: pure functions for all engines, without a clock and without a disk.
//!
//! A cleaning of a partition's log has two halves, as in Kafka. First [`Survey`] reads what was never cleaned and notes the
//! newest offset of each key, until it has read everything that may be cleaned or its memory is used up; where it ended, the
//! cleaning ends. Then [`Filter`] goes through the log from its start up to there, batch by batch:
//!
//! 1. A record stays if the survey knows no newer one of its key. Offsets never change, and what is kept of a batch stays in a
//!    batch with the same base and last offset, producer, leader epoch, timestamp type and codec.
//! 2. A record without a key goes: nothing could ever replace it.
//! 3. A tombstone (no value) stays until `delete.retention.ms` after the first cleaning that kept it, so that whoever reads the
//!    log from its start learns of the deletion. That moment is written into the batch (KIP-534): attribute bit 6 says that the
//!    base timestamp is the delete horizon. Only the cleaning that removes what the tombstone deletes writes it: a tombstone that
//!    went before would bring back what it deleted.
//! 4. A batch of which nothing is left goes, but for the one at the end of the cleaning: its header tells readers where the
//!    log ends, which may have no other record before that.
//! 5. What cannot be opened within bounds is kept as it is.
//! 6. Records of aborted transactions go, opened or not, and make nothing else go. No log is cleaned beyond its last stable
//!    offset, so all others were committed.
//! 7. The marker of a transaction stays while any of its records do, and from then on for `delete.retention.ms`, as a tombstone
//!    does. Other control batches stay.
//!
//! Kafka also keeps an empty batch with the last sequence number of each producer; here producers are known without the log.

mod filter;
mod key_map;
mod survey;

pub use filter::{Counts, Fate, Filter};
pub use survey::Survey;

use ottla_protocol::records::{self, BatchError, OpenBatch};

/// How far a batch is opened: as far as a produce request to a compacted topic opens it before it is accepted.
const MAX_OPENED_BYTES: usize = 64 << 20;

/// Opens a batch and sees to it that all its records can be read and lie within its offsets, in order: a record that claims
/// an offset outside of its batch could make records of others look old.
fn open(batch: &[u8]) -> Result<OpenBatch<'_>, BatchError> {
    let opened = records::open(batch, MAX_OPENED_BYTES)?;
    let mut next_offset = opened.header.base_offset;
    for record in opened.records() {
        let offset = record?.offset;
        if !(next_offset..=opened.header.last_offset()).contains(&offset) {
            return Err(BatchError::Record);
        }
        next_offset = offset.saturating_add(1);
    }
    Ok(opened)
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod model_tests;
#[cfg(test)]
mod transaction_tests;
