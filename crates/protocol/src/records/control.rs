//! Transaction markers: the control batches that end a producer's transaction in a partition (KIP-98). One holds one record:
//!
//! ```text
//! key     version: i16 = 0, type: i16 (0 abort, 1 commit)
//! value   version: i16 = 0, coordinator epoch: i32
//! ```

use bytes::Bytes;

use super::{BatchBuilder, BatchHeader, open};

const ABORT: i16 = 0;
const COMMIT: i16 = 1;

/// How far a control batch is opened. A marker has 10 bytes of contents.
const MAX_OPENED_BYTES: usize = 4096;

/// What a marker says, besides whose it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndMarker {
    /// The transaction is committed; else aborted.
    pub is_commit: bool,
    /// The epoch of the transaction coordinator that ended it: the leader epoch of its partition of `__transaction_state`.
    pub coordinator_epoch: i32,
}

impl EndMarker {
    /// The batch that ends a transaction of that producer. `producer_epoch` is the epoch that holds from then on (KIP-890).
    pub fn batch(self, producer_id: i64, producer_epoch: i16, timestamp_ms: i64) -> Bytes {
        let kind = if self.is_commit { COMMIT } else { ABORT };
        let mut key = [0; 4];
        key[2..].copy_from_slice(&kind.to_be_bytes());
        let mut value = [0; 6];
        value[2..].copy_from_slice(&self.coordinator_epoch.to_be_bytes());
        let mut batch = BatchBuilder::new().producer(producer_id, producer_epoch, -1).transactional().control();
        batch.push(timestamp_ms, Some(&key), Some(&value), &[]);
        batch.build()
    }

    /// What a whole batch says, if it is a marker. Later versions may say more behind what is known here.
    pub fn of(batch: &[u8]) -> Option<Self> {
        if !BatchHeader::parse(batch).is_ok_and(|header| header.is_control()) {
            return None;
        }
        let opened = open(batch, MAX_OPENED_BYTES).ok()?;
        let record = opened.records().next()?.ok()?;
        let (version, [high, low, ..]) = record.key?.split_first_chunk::<2>()? else { return None };
        let (value_version, epoch) = record.value?.split_first_chunk::<2>()?;
        if i16::from_be_bytes(*version) < 0 || i16::from_be_bytes(*value_version) < 0 {
            return None;
        }
        let is_commit = match i16::from_be_bytes([*high, *low]) {
            ABORT => false,
            COMMIT => true,
            _ => return None,
        };
        Some(Self { is_commit, coordinator_epoch: i32::from_be_bytes(*epoch.first_chunk()?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::validate;

    const COMMITTED: EndMarker = EndMarker { is_commit: true, coordinator_epoch: 0x0102_0304 };

    #[test]
    fn comes_back_as_it_was() {
        for marker in [COMMITTED, EndMarker { is_commit: false, ..COMMITTED }] {
            let batch = marker.batch(7, 3, 1_000);
            let header = validate(&batch).unwrap();
            assert!(header.is_control() && header.is_transactional());
            assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (7, 3, -1));
            assert_eq!((header.record_count, header.max_timestamp_ms), (1, 1_000));
            assert_eq!(EndMarker::of(&batch), Some(marker));
        }
    }

    #[test]
    fn the_bytes_are_these() {
        let batch = COMMITTED.batch(7, 3, 1_000);
        let opened = open(&batch, 100).unwrap();
        let record = opened.records().next().unwrap().unwrap();
        assert_eq!(record.key, Some(&[0, 0, 0, 1][..]));
        assert_eq!(record.value, Some(&[0, 0, 1, 2, 3, 4][..]));
    }

    #[test]
    fn nothing_else_is_a_marker() {
        let control = |key: &[u8], value: &[u8]| {
            let mut batch = BatchBuilder::new().producer(7, 3, -1).transactional().control();
            batch.push(1_000, Some(key), Some(value), &[]);
            EndMarker::of(&batch.build())
        };
        assert_eq!(control(&[0, 0, 0, 1, 9], &[0, 1, 1, 2, 3, 4, 9]), Some(COMMITTED), "more than is known");
        assert_eq!(control(&[0, 0, 0, 2], &[0, 0, 1, 2, 3, 4]), None, "another type");
        assert_eq!(control(&[0xff, 0, 0, 1], &[0, 0, 1, 2, 3, 4]), None);
        assert_eq!(control(&[0, 0, 0], &[0, 0, 1, 2, 3, 4]), None);
        assert_eq!(control(&[0, 0, 0, 1], &[0, 0, 1, 2, 3]), None);
        let mut plain = BatchBuilder::new();
        plain.push(1_000, Some(&[0, 0, 0, 1]), Some(&[0, 0, 1, 2, 3, 4]), &[]);
        assert_eq!(EndMarker::of(&plain.build()), None);
        let batch = COMMITTED.batch(7, 3, 1_000);
        (0..batch.len()).for_each(|length| assert_eq!(EndMarker::of(&batch[..length]), None, "{length} bytes"));
    }
}
