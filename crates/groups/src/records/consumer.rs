//! Groups of the consumer protocol (KIP-848): one record for each thing that changes by itself, so that a heartbeat writes little.
//!
//! | key version | key | value, version 0, flexible |
//! |---|---|---|
//! | 3 | group | the group's epoch; tag 0: a hash of what it is subscribed to |
//! | 5 | group, member | what the member says of itself |
//! | 6 | group | the epoch of the target assignment |
//! | 7 | group, member | what the member shall have |
//! | 8 | group, member | what the member has, and in which epoch |
use super::bytes::{Reader, Writer};
use super::{RecordError, StoredRecord};
use crate::assignment::Assignment;
use alloc::string::String;
use alloc::vec::Vec;

pub(super) const EPOCH_KEY: i16 = 3;
pub(super) const MEMBER_KEY: i16 = 5;
pub(super) const TARGET_EPOCH_KEY: i16 = 6;
pub(super) const TARGET_KEY: i16 = 7;
pub(super) const CURRENT_KEY: i16 = 8;

const VERSION: i16 = 0;
const HASH_TAG: u32 = 0;
const TOPIC_ID_BYTES: usize = 16;
/// What a topic takes at least in an assignment: its id, a count, and tags.
const LEAST_TOPIC_BYTES: usize = TOPIC_ID_BYTES + 2;
/// What a partition takes.
const PARTITION_BYTES: usize = 4;

/// The epoch of a group, and what it was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupEpoch {
    /// Rises with every change of members or of what they read.
    pub epoch: i32,
    /// Of the topics subscribed to and their partitions, to find out after a start whether they have changed.
    pub metadata_hash: i64,
}

/// What a member of the consumer protocol says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConsumerMemberMetadata {
    /// `group.instance.id` of a static member.
    pub group_instance_id: Option<String>,
    /// `client.rack`.
    pub rack_id: Option<String>,
    /// The client's own name.
    pub client_id: String,
    /// The client's address.
    pub client_host: String,
    /// The topics that it names, ordered.
    pub subscribed_topic_names: Vec<String>,
    /// The topics that it means.
    pub subscribed_topic_regex: Option<String>,
    /// How long it may take to give up partitions.
    pub rebalance_timeout_ms: i32,
    /// The assignor that it prefers (`group.remote.assignor`).
    pub server_assignor: Option<String>,
}

/// How far a member is on its way to what it shall have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MemberState {
    /// It has all that it shall have in its epoch.
    #[default]
    Stable,
    /// It was told to give up partitions and has not said yet that it did.
    UnrevokedPartitions,
    /// It waits for partitions that others have not given up yet.
    UnreleasedPartitions,
}

impl MemberState {
    fn number(self) -> u8 {
        match self {
            MemberState::Stable => 0,
            MemberState::UnrevokedPartitions => 1,
            MemberState::UnreleasedPartitions => 2,
        }
    }

    fn of(number: u8) -> Result<Self, RecordError> {
        match number {
            0 => Ok(MemberState::Stable),
            1 => Ok(MemberState::UnrevokedPartitions),
            2 => Ok(MemberState::UnreleasedPartitions),
            _ => Err(RecordError::BadLength),
        }
    }
}

/// What a member has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CurrentAssignment {
    /// The epoch that the member has reached; -2 for a static member that is away.
    pub member_epoch: i32,
    /// The epoch before: a member may not have heard yet of the last one.
    pub previous_member_epoch: i32,
    /// How far it is.
    pub state: MemberState,
    /// What it may read.
    pub assigned: Assignment,
    /// What it must give up before anybody else gets it.
    pub pending_revocation: Assignment,
}

impl CurrentAssignment {
    /// What a member has that has just come.
    pub(crate) const fn nothing() -> Self {
        CurrentAssignment {
            member_epoch: 0,
            previous_member_epoch: 0,
            state: MemberState::Stable,
            assigned: Assignment::none(),
            pending_revocation: Assignment::none(),
        }
    }
}

pub(super) fn group_key(version: i16, group_id: &str) -> Vec<u8> {
    let mut writer = Writer::with_version(version);
    writer.string(group_id);
    writer.into_bytes()
}

pub(super) fn member_key(version: i16, group_id: &str, member_id: &str) -> Vec<u8> {
    let mut writer = Writer::with_version(version);
    writer.string(group_id);
    writer.string(member_id);
    writer.into_bytes()
}

/// Understands a record whose key has one of the versions above.
pub(super) fn decode(key_version: i16, mut key: Reader<'_>, value: Option<&[u8]>) -> Result<StoredRecord, RecordError> {
    let group_id = key.string(false)?;
    let is_a_members = matches!(key_version, MEMBER_KEY | TARGET_KEY | CURRENT_KEY);
    let member_id = if is_a_members { key.string(false)? } else { String::new() };
    key.finish()?;
    Ok(match key_version {
        EPOCH_KEY => StoredRecord::GroupEpoch(group_id, value.map(GroupEpoch::decode).transpose()?),
        MEMBER_KEY => {
            StoredRecord::ConsumerMember(group_id, member_id, value.map(ConsumerMemberMetadata::decode).transpose()?)
        }
        TARGET_EPOCH_KEY => StoredRecord::TargetEpoch(group_id, value.map(decode_target_epoch).transpose()?),
        TARGET_KEY => StoredRecord::Target(group_id, member_id, value.map(decode_target).transpose()?),
        CURRENT_KEY => StoredRecord::Current(group_id, member_id, value.map(CurrentAssignment::decode).transpose()?),
        key_version => StoredRecord::Unknown { key_version },
    })
}

fn reader_of(bytes: &[u8]) -> Result<Reader<'_>, RecordError> {
    let mut reader = Reader::new(bytes);
    match reader.i16()? {
        VERSION => Ok(reader),
        version => Err(RecordError::UnknownVersion(version)),
    }
}

/// The end of a flexible structure of which no tagged field is known.
fn finish(mut reader: Reader<'_>) -> Result<(), RecordError> {
    reader.tags(|_, _| Ok(()))?;
    reader.finish()
}

impl GroupEpoch {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut writer = Writer::with_version(VERSION);
        writer.i32(self.epoch);
        if self.metadata_hash == 0 {
            writer.uvarint(0);
        } else {
            writer.uvarint(1);
            writer.uvarint(HASH_TAG);
            writer.uvarint(8);
            writer.i64(self.metadata_hash);
        }
        writer.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = reader_of(bytes)?;
        let epoch = reader.i32()?;
        let mut metadata_hash = 0;
        reader.tags(|tag, field| {
            if tag == HASH_TAG {
                metadata_hash = i64::from_be_bytes(field.try_into().map_err(|_| RecordError::BadLength)?);
            }
            Ok(())
        })?;
        reader.finish()?;
        Ok(GroupEpoch { epoch, metadata_hash })
    }
}

impl ConsumerMemberMetadata {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_version(VERSION);
        writer.nullable_compact_string(self.group_instance_id.as_deref());
        writer.nullable_compact_string(self.rack_id.as_deref());
        writer.compact_string(&self.client_id);
        writer.compact_string(&self.client_host);
        writer.compact_count(self.subscribed_topic_names.len());
        for name in &self.subscribed_topic_names {
            writer.compact_string(name);
        }
        writer.nullable_compact_string(self.subscribed_topic_regex.as_deref());
        writer.i32(self.rebalance_timeout_ms);
        writer.nullable_compact_string(self.server_assignor.as_deref());
        writer.uvarint(0);
        writer.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = reader_of(bytes)?;
        let group_instance_id = reader.nullable_string(true)?;
        let rack_id = reader.nullable_string(true)?;
        let client_id = reader.string(true)?;
        let client_host = reader.string(true)?;
        let count = reader.count(true, 1)?;
        let mut subscribed_topic_names = Vec::with_capacity(count);
        for _ in 0..count {
            subscribed_topic_names.push(reader.string(true)?);
        }
        // Kafka writes an empty one for none.
        let subscribed_topic_regex = reader.nullable_string(true)?.filter(|regex| !regex.is_empty());
        let rebalance_timeout_ms = reader.i32()?;
        let server_assignor = reader.nullable_string(true)?;
        finish(reader)?;
        Ok(ConsumerMemberMetadata {
            group_instance_id,
            rack_id,
            client_id,
            client_host,
            subscribed_topic_names,
            subscribed_topic_regex,
            rebalance_timeout_ms,
            server_assignor,
        })
    }
}

pub(super) fn encode_target_epoch(epoch: i32) -> Vec<u8> {
    let mut writer = Writer::with_version(VERSION);
    writer.i32(epoch);
    writer.uvarint(0);
    writer.into_bytes()
}

fn decode_target_epoch(bytes: &[u8]) -> Result<i32, RecordError> {
    let mut reader = reader_of(bytes)?;
    let epoch = reader.i32()?;
    finish(reader)?;
    Ok(epoch)
}

pub(super) fn encode_target(target: &Assignment) -> Vec<u8> {
    let mut writer = Writer::with_version(VERSION);
    put_assignment(&mut writer, target);
    writer.uvarint(0);
    writer.into_bytes()
}

fn decode_target(bytes: &[u8]) -> Result<Assignment, RecordError> {
    let mut reader = reader_of(bytes)?;
    let target = take_assignment(&mut reader)?;
    finish(reader)?;
    Ok(target)
}

impl CurrentAssignment {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_version(VERSION);
        writer.i32(self.member_epoch);
        writer.i32(self.previous_member_epoch);
        writer.raw(&[self.state.number()]);
        put_assignment(&mut writer, &self.assigned);
        put_assignment(&mut writer, &self.pending_revocation);
        writer.uvarint(0);
        writer.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = reader_of(bytes)?;
        let member_epoch = reader.i32()?;
        let previous_member_epoch = reader.i32()?;
        let [state] = reader.array()?;
        let state = MemberState::of(state)?;
        let assigned = take_assignment(&mut reader)?;
        let pending_revocation = take_assignment(&mut reader)?;
        finish(reader)?;
        Ok(CurrentAssignment { member_epoch, previous_member_epoch, state, assigned, pending_revocation })
    }
}

fn put_assignment(writer: &mut Writer, assignment: &Assignment) {
    writer.compact_count(assignment.topics().len());
    for (topic_id, partitions) in assignment.topics() {
        writer.raw(topic_id);
        writer.compact_count(partitions.len());
        for &partition in partitions {
            writer.i32(partition);
        }
        writer.uvarint(0);
    }
}

fn take_assignment(reader: &mut Reader<'_>) -> Result<Assignment, RecordError> {
    let mut partitions = Vec::new();
    for _ in 0..reader.count(true, LEAST_TOPIC_BYTES)? {
        let topic_id = reader.array()?;
        for _ in 0..reader.count(true, PARTITION_BYTES)? {
            partitions.push((topic_id, reader.i32()?));
        }
        reader.tags(|_, _| Ok(()))?;
    }
    Ok(Assignment::of(partitions))
}
