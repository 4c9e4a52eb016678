//! Groups of the consumer protocol (KIP-848): one record for each thing that changes by itself, so that a heartbeat writes little.
//!
//! | key version | key | value, version 0, flexible |
//! |---|---|---|
//! | 3 | group | the group's epoch; tag 0: a hash of what it is subscribed to |
//! | 5 | group, member | what the member says of itself; tag 0: what only one of the classic protocol says |
//! | 6 | group | the epoch of the target assignment |
//! | 7 | group, member | what the member shall have |
//! | 8 | group, member | what the member has, and in which epoch; tag 0 of each topic: since which epoch it has each partition |
use super::bytes::{Reader, Writer};
use super::{RecordError, StoredRecord};
use crate::assignment::Assignment;
use crate::request::{Protocol, TopicId};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

pub(super) const EPOCH_KEY: i16 = 3;
pub(super) const MEMBER_KEY: i16 = 5;
pub(super) const TARGET_EPOCH_KEY: i16 = 6;
pub(super) const TARGET_KEY: i16 = 7;
pub(super) const CURRENT_KEY: i16 = 8;

const VERSION: i16 = 0;
const HASH_TAG: u32 = 0;
const CLASSIC_TAG: u32 = 0;
const EPOCHS_TAG: u32 = 0;
const TOPIC_ID_BYTES: usize = 16;
/// What a topic takes at least in an assignment: its id, a count, and tags.
const LEAST_TOPIC_BYTES: usize = TOPIC_ID_BYTES + 2;
/// What a partition takes.
const PARTITION_BYTES: usize = 4;
/// What a protocol takes at least: an empty name, no bytes, and tags.
const LEAST_PROTOCOL_BYTES: usize = 3;

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
    /// Set for a member that speaks the classic protocol.
    pub classic: Option<ClassicMember>,
}

/// What only a member of the classic protocol says that is in a group of the consumer protocol.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassicMember {
    /// After how long without a heartbeat it is evicted.
    pub session_timeout_ms: i32,
    /// Its assignors, in its order, with what it says under each.
    pub protocols: Vec<Protocol>,
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
    /// The epoch in which each partition of `assigned` came to it, in their order (KIP-1251).
    pub assigned_epochs: Vec<i32>,
    /// The same of `pending_revocation`.
    pub pending_epochs: Vec<i32>,
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
            assigned_epochs: Vec::new(),
            pending_epochs: Vec::new(),
        }
    }

    /// The epoch in which a partition came to it; `None` if it is not its own, or not any more.
    pub fn epoch_of(&self, topic_id: TopicId, partition: i32) -> Option<i32> {
        let among = |partitions: &Assignment, epochs: &[i32]| {
            let at = partitions.position(topic_id, partition)?;
            Some(epochs.get(at).copied().unwrap_or(self.member_epoch))
        };
        among(&self.assigned, &self.assigned_epochs).or_else(|| among(&self.pending_revocation, &self.pending_epochs))
    }

    /// The epochs of these partitions, `new` for those that it has not had so far.
    pub(crate) fn epochs_of(&self, partitions: &Assignment, new: i32) -> Vec<i32> {
        let known = |epochs: &[i32], at: usize| epochs.get(at).copied().unwrap_or(self.member_epoch);
        let assigned = self.assigned.iter().enumerate().map(|(at, place)| (place, known(&self.assigned_epochs, at)));
        let pending = self.pending_revocation.iter().enumerate();
        let pending = pending.map(|(at, place)| (place, known(&self.pending_epochs, at)));
        let epochs: BTreeMap<_, _> = assigned.chain(pending).collect();
        partitions.iter().map(|place| epochs.get(&place).copied().unwrap_or(new)).collect()
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
        match &self.classic {
            Some(classic) => writer.tagged(CLASSIC_TAG, classic.encode()),
            None => writer.uvarint(0),
        }
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
        let mut classic = None;
        reader.tags(|tag, field| {
            if tag == CLASSIC_TAG {
                classic = ClassicMember::decode(field)?;
            }
            Ok(())
        })?;
        reader.finish()?;
        Ok(ConsumerMemberMetadata {
            group_instance_id,
            rack_id,
            client_id,
            client_host,
            subscribed_topic_names,
            subscribed_topic_regex,
            rebalance_timeout_ms,
            server_assignor,
            classic,
        })
    }
}

impl ClassicMember {
    /// The tagged field: a structure that may be missing.
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.uvarint(1);
        writer.i32(self.session_timeout_ms);
        writer.compact_count(self.protocols.len());
        for protocol in &self.protocols {
            writer.compact_string(&protocol.name);
            writer.compact_bytes(&protocol.metadata);
            writer.uvarint(0);
        }
        writer.uvarint(0);
        writer.into_bytes()
    }

    fn decode(field: &[u8]) -> Result<Option<Self>, RecordError> {
        let mut reader = Reader::new(field);
        if reader.uvarint()? == 0 {
            return reader.finish().map(|()| None);
        }
        let session_timeout_ms = reader.i32()?;
        let count = reader.count(true, LEAST_PROTOCOL_BYTES)?;
        let mut protocols = Vec::with_capacity(count);
        for _ in 0..count {
            let (name, metadata) = (reader.string(true)?, reader.bytes(true)?);
            reader.tags(|_, _| Ok(()))?;
            protocols.push(Protocol { name, metadata });
        }
        finish(reader)?;
        Ok(Some(ClassicMember { session_timeout_ms, protocols }))
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
    put_assignment(&mut writer, target, &[]);
    writer.uvarint(0);
    writer.into_bytes()
}

fn decode_target(bytes: &[u8]) -> Result<Assignment, RecordError> {
    let mut reader = reader_of(bytes)?;
    let (target, _) = take_assignment(&mut reader, 0)?;
    finish(reader)?;
    Ok(target)
}

impl CurrentAssignment {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_version(VERSION);
        writer.i32(self.member_epoch);
        writer.i32(self.previous_member_epoch);
        writer.raw(&[self.state.number()]);
        put_assignment(&mut writer, &self.assigned, &self.assigned_epochs);
        put_assignment(&mut writer, &self.pending_revocation, &self.pending_epochs);
        writer.uvarint(0);
        writer.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = reader_of(bytes)?;
        let member_epoch = reader.i32()?;
        let previous_member_epoch = reader.i32()?;
        let [state] = reader.array()?;
        let state = MemberState::of(state)?;
        let (assigned, assigned_epochs) = take_assignment(&mut reader, member_epoch)?;
        let (pending_revocation, pending_epochs) = take_assignment(&mut reader, member_epoch)?;
        finish(reader)?;
        Ok(CurrentAssignment {
            member_epoch,
            previous_member_epoch,
            state,
            assigned,
            pending_revocation,
            assigned_epochs,
            pending_epochs,
        })
    }
}

/// Partitions, with the epoch of each in their order; without epochs where there are not as many.
fn put_assignment(writer: &mut Writer, assignment: &Assignment, epochs: &[i32]) {
    // An id, two counts and a tag for each topic; a number and, if they are told, an epoch for each partition.
    writer.reserve(8 + 32 * assignment.topics().len() + 4 * (assignment.len() + epochs.len()));
    let mut epochs = epochs.iter().filter(|_| epochs.len() == assignment.len());
    writer.compact_count(assignment.topics().len());
    for (topic_id, partitions) in assignment.topics() {
        writer.raw(topic_id);
        writer.compact_count(partitions.len());
        for &partition in partitions {
            writer.i32(partition);
        }
        let of_topic: Vec<i32> = epochs.by_ref().take(partitions.len()).copied().collect();
        if of_topic.is_empty() {
            writer.uvarint(0);
            continue;
        }
        let mut field = Writer::default();
        field.compact_count(of_topic.len());
        of_topic.iter().for_each(|&epoch| field.i32(epoch));
        writer.tagged(EPOCHS_TAG, field.into_bytes());
    }
}

/// Partitions with the epoch of each; `otherwise` where a record of an earlier version says none.
fn take_assignment(reader: &mut Reader<'_>, otherwise: i32) -> Result<(Assignment, Vec<i32>), RecordError> {
    let mut partitions: BTreeMap<(TopicId, i32), i32> = BTreeMap::new();
    for _ in 0..reader.count(true, LEAST_TOPIC_BYTES)? {
        let topic_id = reader.array()?;
        let mut numbers = Vec::new();
        for _ in 0..reader.count(true, PARTITION_BYTES)? {
            numbers.push(reader.i32()?);
        }
        let mut epochs = Vec::new();
        reader.tags(|tag, field| {
            if tag == EPOCHS_TAG {
                epochs = take_epochs(field)?;
            }
            Ok(())
        })?;
        for (at, number) in numbers.into_iter().enumerate() {
            partitions.insert((topic_id, number), epochs.get(at).copied().unwrap_or(otherwise));
        }
    }
    Ok((partitions.keys().copied().collect(), partitions.into_values().collect()))
}

fn take_epochs(field: &[u8]) -> Result<Vec<i32>, RecordError> {
    let mut reader = Reader::new(field);
    let mut epochs = Vec::new();
    for _ in 0..reader.count(true, PARTITION_BYTES)? {
        epochs.push(reader.i32()?);
    }
    reader.finish()?;
    Ok(epochs)
}
