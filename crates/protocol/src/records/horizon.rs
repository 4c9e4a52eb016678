//! The delete horizon of a batch with tombstones (KIP-534): until when compaction keeps them.

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};

use super::batch::{BatchHeader, DELETE_HORIZON};
use super::varint::{Cursor, put_varlong, varlong_bytes};
use super::{BatchError, OpenBatch};

impl BatchHeader {
    /// Until when the tombstones in it are kept, milliseconds since 1970, once a cleaning has seen them.
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        (self.attributes & DELETE_HORIZON != 0).then_some(self.base_timestamp_ms)
    }
}

impl OpenBatch<'_> {
    /// The same batch with a delete horizon. It takes the place of the base timestamp, so all records are written anew,
    /// with the timestamps that they have.
    ///
    /// # Errors
    /// When a record cannot be read, or lies too far from the horizon to be written.
    pub fn with_delete_horizon(&self, horizon_ms: i64) -> Result<OpenBatch<'static>, BatchError> {
        let mut records = BytesMut::with_capacity(self.record_bytes().len() + 64);
        for record in self.records() {
            let record = record?;
            let delta = record.timestamp_ms.checked_sub(horizon_ms).ok_or(BatchError::Record)?;
            put_rebased(&mut records, record.encoded, delta)?;
        }
        let mut header = self.header;
        header.attributes |= DELETE_HORIZON;
        header.base_timestamp_ms = horizon_ms;
        Ok(OpenBatch { header, records: Cow::Owned(records.into()) })
    }
}

/// A record with another timestamp delta and otherwise as it was.
fn put_rebased(to: &mut BytesMut, encoded: &[u8], timestamp_delta: i64) -> Result<(), BatchError> {
    let mut cursor = Cursor { rest: encoded };
    cursor.varint()?;
    let attributes = cursor.byte()?;
    cursor.varlong()?;
    let length = 1 + varlong_bytes(timestamp_delta) + cursor.rest.len();
    put_varlong(to, length as i64);
    to.put_u8(attributes);
    put_varlong(to, timestamp_delta);
    to.put_slice(cursor.rest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::records::{BatchBuilder, Encoding, open};

    #[test]
    fn a_horizon_changes_no_record() {
        let mut batch = BatchBuilder::new().base_offset(40).leader_epoch(3).producer(7, 1, 5);
        batch.push(1_000, Some(b"a"), None, &[("h", Some(b"1")), ("h", None)]);
        batch.push_at(43, 900, Some(b"b"), Some(b"2"), &[]);
        let batch = batch.build_compressed(Encoding::Gzip(-1)).unwrap();
        let opened = open(&batch, 1 << 20).unwrap();
        assert_eq!(opened.header.delete_horizon_ms(), None);
        let with_horizon = opened.with_delete_horizon(1_795_721_735_367).unwrap();
        let rebuilt = with_horizon.rebuild(Encoding::Gzip(-1), |_| true).unwrap();
        let again = open(&rebuilt, 1 << 20).unwrap();
        // As Apache Kafka 4.3 writes it: bit 6, and the horizon for a base timestamp.
        assert_eq!((again.header.attributes, again.header.base_timestamp_ms), (0x41, 1_795_721_735_367));
        assert_eq!(again.header.delete_horizon_ms(), Some(1_795_721_735_367));
        assert_eq!((again.header.max_timestamp_ms, again.header.record_count), (1_000, 2));
        assert_eq!((again.header.base_offset, again.header.last_offset_delta), (40, 3));
        let told = |record: &crate::records::Record<'_>| {
            let headers: Vec<_> = record.headers.iter().collect();
            format!("{} {} {:?} {:?} {headers:?}", record.offset, record.timestamp_ms, record.key, record.value)
        };
        let before: Vec<String> = opened.records().map(|record| told(&record.unwrap())).collect();
        let after: Vec<String> = again.records().map(|record| told(&record.unwrap())).collect();
        assert_eq!(before, after);
    }

    #[test]
    fn a_timestamp_too_far_from_the_horizon_is_an_error() {
        let mut batch = BatchBuilder::new();
        batch.push(-2, Some(b"a"), None, &[]);
        let batch = batch.build();
        assert!(open(&batch, 1 << 20).unwrap().with_delete_horizon(i64::MAX).is_err());
    }
}
