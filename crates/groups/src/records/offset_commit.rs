//! Committed offsets: key version 1 (0 is read too), value versions 0 to 4.
//!
//! Written is version 4, which can carry the topic's id, or version 1 for a commit with a retention of its own, the only
//! version with an expiry. The reference broker writes the same two.
use super::RecordError;
use super::bytes::{Reader, Writer};
use crate::request::TopicId;
use alloc::string::String;
use alloc::vec::Vec;

const KEY_VERSION: i16 = 1;
const VERSION: i16 = 4;
const VERSION_WITH_EXPIRY: i16 = 1;
const TAG_TOPIC_ID: u32 = 0;

/// What a commit belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OffsetKey {
    /// The group.
    pub group_id: String,
    /// The topic's name.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
}

impl OffsetKey {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_version(KEY_VERSION);
        writer.string(&self.group_id);
        writer.string(&self.topic);
        writer.i32(self.partition);
        writer.into_bytes()
    }

    /// Reads what follows the version.
    pub(super) fn decode(mut reader: Reader<'_>) -> Result<Self, RecordError> {
        let key = OffsetKey { group_id: reader.string(false)?, topic: reader.string(false)?, partition: reader.i32()? };
        reader.finish()?;
        Ok(key)
    }
}

/// One committed offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next offset to read.
    pub offset: i64,
    /// Leader epoch of the last record read, or -1.
    pub leader_epoch: i32,
    /// Free text of the client.
    pub metadata: String,
    /// Wall time of the commit in milliseconds.
    pub commit_timestamp_ms: i64,
    /// Wall time at which the commit expires, if the client asked for a retention of its own.
    pub expire_timestamp_ms: Option<i64>,
    /// The topic's id at the time of the commit, if it was known.
    pub topic_id: Option<TopicId>,
}

impl CommittedOffset {
    pub(super) fn encode(&self) -> Vec<u8> {
        if let Some(expire_timestamp_ms) = self.expire_timestamp_ms {
            let mut writer = Writer::with_version(VERSION_WITH_EXPIRY);
            writer.i64(self.offset);
            writer.string(&self.metadata);
            writer.i64(self.commit_timestamp_ms);
            writer.i64(expire_timestamp_ms);
            return writer.into_bytes();
        }
        let mut writer = Writer::with_version(VERSION);
        writer.i64(self.offset);
        writer.i32(self.leader_epoch);
        writer.compact_string(&self.metadata);
        writer.i64(self.commit_timestamp_ms);
        match self.topic_id {
            Some(topic_id) => {
                writer.uvarint(1);
                writer.uvarint(TAG_TOPIC_ID);
                writer.uvarint(topic_id.len() as u32);
                writer.raw(&topic_id);
            }
            None => writer.uvarint(0),
        }
        writer.into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes);
        let version = reader.i16()?;
        if !(0..=VERSION).contains(&version) {
            return Err(RecordError::UnknownVersion(version));
        }
        let flexible = version >= 4;
        let offset = reader.i64()?;
        let leader_epoch = if version >= 3 { reader.i32()? } else { -1 };
        let metadata = reader.string(flexible)?;
        let commit_timestamp_ms = reader.i64()?;
        let expire_timestamp_ms = if version == VERSION_WITH_EXPIRY { Some(reader.i64()?) } else { None };
        let mut topic_id = None;
        if flexible {
            reader.tags(|tag, value| {
                if tag == TAG_TOPIC_ID {
                    topic_id = Some(value.try_into().map_err(|_| RecordError::BadLength)?);
                }
                Ok(())
            })?;
        }
        reader.finish()?;
        let expire_timestamp_ms = expire_timestamp_ms.filter(|&at| at >= 0);
        Ok(CommittedOffset { offset, leader_epoch, metadata, commit_timestamp_ms, expire_timestamp_ms, topic_id })
    }
}
