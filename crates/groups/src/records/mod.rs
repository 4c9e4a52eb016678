//! The records of `__consumer_offsets`, one file per kind, in Kafka's published formats (a two-byte version, then the
//! fields), so that tools which follow that topic can read ours.
pub mod bytes;
mod consumer;
mod group_metadata;
mod offset_commit;
mod reset;
#[cfg(test)]
mod tests;

pub use consumer::{ClassicMember, ConsumerMemberMetadata, CurrentAssignment, GroupEpoch, MemberState};
pub use group_metadata::{GroupMetadata, StoredMember};
pub use offset_commit::{CommittedOffset, OffsetKey};
pub use reset::{FormerOffset, FormerOffsets};

use crate::assignment::Assignment;
use crate::event::Record;
use alloc::string::String;
use core::fmt;

/// One record of the log, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredRecord {
    /// An offset was committed, or its commit removed.
    Offset(OffsetKey, Option<CommittedOffset>),
    /// A group changed, or was removed.
    Group(String, Option<GroupMetadata>),
    /// The epoch of a group of the consumer protocol changed, or the group was removed.
    GroupEpoch(String, Option<GroupEpoch>),
    /// A member said something else of itself, or was removed: group id, member id.
    ConsumerMember(String, String, Option<ConsumerMemberMetadata>),
    /// The target assignment is that of this epoch.
    TargetEpoch(String, Option<i32>),
    /// A member shall have something else: group id, member id.
    Target(String, String, Option<Assignment>),
    /// A member has something else, or has reached another epoch: group id, member id.
    Current(String, String, Option<CurrentAssignment>),
    /// What the last reset of a group's offsets replaced, or that it cannot be taken back any more.
    FormerOffsets(String, Option<FormerOffsets>),
    /// A kind that this version does not know. Kafka skips those too.
    Unknown {
        /// The version of its key.
        key_version: i16,
    },
}

impl StoredRecord {
    /// The group that it is about.
    pub fn group_id(&self) -> Option<&str> {
        match self {
            StoredRecord::Offset(key, _) => Some(&key.group_id),
            StoredRecord::Group(group_id, _)
            | StoredRecord::GroupEpoch(group_id, _)
            | StoredRecord::ConsumerMember(group_id, _, _)
            | StoredRecord::TargetEpoch(group_id, _)
            | StoredRecord::Target(group_id, _, _)
            | StoredRecord::FormerOffsets(group_id, _)
            | StoredRecord::Current(group_id, _, _) => Some(group_id),
            StoredRecord::Unknown { .. } => None,
        }
    }

    /// The record as it goes into the log. [`StoredRecord::Unknown`] has an empty value and only its version as key.
    pub fn encode(&self) -> Record {
        match self {
            StoredRecord::Offset(key, value) => {
                Record { key: key.encode(), value: value.as_ref().map(CommittedOffset::encode) }
            }
            StoredRecord::Group(group_id, value) => Record {
                key: consumer::group_key(group_metadata::KEY_VERSION, group_id),
                value: value.as_ref().map(GroupMetadata::encode),
            },
            StoredRecord::GroupEpoch(group_id, value) => {
                Record { key: consumer::group_key(consumer::EPOCH_KEY, group_id), value: value.map(GroupEpoch::encode) }
            }
            StoredRecord::ConsumerMember(group_id, member_id, value) => Record {
                key: consumer::member_key(consumer::MEMBER_KEY, group_id, member_id),
                value: value.as_ref().map(ConsumerMemberMetadata::encode),
            },
            StoredRecord::TargetEpoch(group_id, value) => Record {
                key: consumer::group_key(consumer::TARGET_EPOCH_KEY, group_id),
                value: value.map(consumer::encode_target_epoch),
            },
            StoredRecord::Target(group_id, member_id, value) => Record {
                key: consumer::member_key(consumer::TARGET_KEY, group_id, member_id),
                value: value.as_ref().map(consumer::encode_target),
            },
            StoredRecord::Current(group_id, member_id, value) => Record {
                key: consumer::member_key(consumer::CURRENT_KEY, group_id, member_id),
                value: value.as_ref().map(CurrentAssignment::encode),
            },
            StoredRecord::FormerOffsets(group_id, value) => Record {
                key: consumer::group_key(reset::KEY_VERSION, group_id),
                value: value.as_ref().map(FormerOffsets::encode),
            },
            StoredRecord::Unknown { key_version } => Record { key: key_version.to_be_bytes().to_vec(), value: None },
        }
    }

    /// Understands a record of the log.
    ///
    /// # Errors
    /// The key or the value is not of a known form, too short or too long.
    pub fn decode(record: &Record) -> Result<StoredRecord, RecordError> {
        let mut reader = bytes::Reader::new(&record.key);
        let value = record.value.as_deref();
        match reader.i16()? {
            0 | 1 => {
                let key = OffsetKey::decode(reader)?;
                Ok(StoredRecord::Offset(key, value.map(CommittedOffset::decode).transpose()?))
            }
            2 => {
                let group_id = group_metadata::decode_key(reader)?;
                Ok(StoredRecord::Group(group_id, value.map(GroupMetadata::decode).transpose()?))
            }
            key_version @ (3 | 5..=8) => consumer::decode(key_version, reader, value),
            reset::KEY_VERSION => {
                let group_id = group_metadata::decode_key(reader)?;
                Ok(StoredRecord::FormerOffsets(group_id, value.map(FormerOffsets::decode).transpose()?))
            }
            key_version => Ok(StoredRecord::Unknown { key_version }),
        }
    }
}

/// Why a record could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordError {
    /// A length or count reaches past the end.
    Truncated,
    /// There are bytes after the last field.
    TrailingBytes,
    /// A length that no writer produces.
    BadLength,
    /// A string is not UTF-8.
    NotUtf8,
    /// A version of the value that is not known.
    UnknownVersion(i16),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordError::Truncated => f.write_str("the record ends too early"),
            RecordError::TrailingBytes => f.write_str("the record is too long"),
            RecordError::BadLength => f.write_str("the record holds an impossible length"),
            RecordError::NotUtf8 => f.write_str("the record holds a string that is not UTF-8"),
            RecordError::UnknownVersion(version) => write!(f, "the record's value has the unknown version {version}"),
        }
    }
}
