//! What the last reset of a group's offsets replaced, kept for an undo. A record of Ottla's own, between Kafka's: key version
//! [`KEY_VERSION`], which Kafka and its tools skip as they do with any kind that they do not know.
use super::RecordError;
use super::bytes::{Reader, Writer};
use crate::request::TopicId;
use alloc::string::String;
use alloc::vec::Vec;

pub(super) const KEY_VERSION: i16 = 20_001;
const VERSION: i16 = 0;
/// What the shortest former commit takes.
const LEAST_BYTES: usize = 2 + 1 + 4 + 8;

/// A reset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormerOffsets {
    /// Wall time of the reset in milliseconds.
    pub at_ms: i64,
    /// What was committed before.
    pub offsets: Vec<FormerOffset>,
}

/// What was committed to one partition before a reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerOffset {
    /// The topic's name.
    pub topic: String,
    /// The topic's id, if it was known.
    pub topic_id: Option<TopicId>,
    /// Partition number.
    pub partition: i32,
    /// The commit, -1 if there was none.
    pub offset: i64,
}

impl FormerOffsets {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_version(VERSION);
        writer.i64(self.at_ms);
        writer.i32(i32::try_from(self.offsets.len()).unwrap_or(i32::MAX));
        for former in &self.offsets {
            writer.string(&former.topic);
            writer.raw(&[u8::from(former.topic_id.is_some())]);
            if let Some(topic_id) = &former.topic_id {
                writer.raw(topic_id);
            }
            writer.i32(former.partition);
            writer.i64(former.offset);
        }
        writer.into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes);
        let version = reader.i16()?;
        if version != VERSION {
            return Err(RecordError::UnknownVersion(version));
        }
        let at_ms = reader.i64()?;
        let count = reader.count(false, LEAST_BYTES)?;
        let mut offsets = Vec::with_capacity(count);
        for _ in 0..count {
            let topic = reader.string(false)?;
            let topic_id = if reader.array::<1>()? == [0] { None } else { Some(reader.array()?) };
            offsets.push(FormerOffset { topic, topic_id, partition: reader.i32()?, offset: reader.i64()? });
        }
        reader.finish()?;
        Ok(FormerOffsets { at_ms, offsets })
    }
}
