//! Groups of the classic protocol: key version 2, value versions 0 to 4.
//!
//! Written is version 3, as the reference broker does. One record holds the whole generation: who is in it, who leads,
//! and what each member was given. A record with members of which none was given anything is a generation that
//! has begun but was not assigned yet: Kafka does not write that one, we do, so that a generation number which a client has
//! heard of is never used a second time.
use super::RecordError;
use super::bytes::{Reader, Writer};
use alloc::string::String;
use alloc::vec::Vec;

pub(super) const KEY_VERSION: i16 = 2;
const VERSION: i16 = 3;
const MAX_VERSION: i16 = 4;
/// What a member takes at least, in any version: three strings, a timeout and two byte strings.
const LEAST_MEMBER_BYTES: usize = 3 + 4 + 2;

pub(super) fn decode_key(mut reader: Reader<'_>) -> Result<String, RecordError> {
    let group_id = reader.string(false)?;
    reader.finish()?;
    Ok(group_id)
}

/// One generation of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupMetadata {
    /// Protocol type, empty if the group never had a member.
    pub protocol_type: String,
    /// The generation.
    pub generation_id: i32,
    /// The protocol chosen, `None` without members.
    pub protocol: Option<String>,
    /// The leader, `None` without members.
    pub leader: Option<String>,
    /// Wall time in milliseconds of the change, -1 if unknown.
    pub state_timestamp_ms: i64,
    /// The members, ordered by member id.
    pub members: Vec<StoredMember>,
}

/// One member of a generation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredMember {
    /// Member id.
    pub member_id: String,
    /// `group.instance.id` of a static member.
    pub group_instance_id: Option<String>,
    /// The client's own name.
    pub client_id: String,
    /// The client's address.
    pub client_host: String,
    /// How long a rebalance waits for it.
    pub rebalance_timeout_ms: i32,
    /// After how long without a heartbeat it is evicted.
    pub session_timeout_ms: i32,
    /// What it says under the chosen protocol.
    pub subscription: Vec<u8>,
    /// What it was given.
    pub assignment: Vec<u8>,
}

impl GroupMetadata {
    /// The generation has members but its leader has not assigned anything yet.
    pub fn is_unassigned(&self) -> bool {
        !self.members.is_empty() && self.members.iter().all(|member| member.assignment.is_empty())
    }

    /// The member of that id.
    pub fn member(&self, member_id: &str) -> Option<&StoredMember> {
        let at = self.members.binary_search_by(|member| member.member_id.as_str().cmp(member_id)).ok()?;
        self.members.get(at)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_version(VERSION);
        writer.string(&self.protocol_type);
        writer.i32(self.generation_id);
        writer.nullable_string(self.protocol.as_deref());
        writer.nullable_string(self.leader.as_deref());
        writer.i64(self.state_timestamp_ms);
        writer.i32(i32::try_from(self.members.len()).unwrap_or(i32::MAX));
        for member in &self.members {
            writer.string(&member.member_id);
            writer.nullable_string(member.group_instance_id.as_deref());
            writer.string(&member.client_id);
            writer.string(&member.client_host);
            writer.i32(member.rebalance_timeout_ms);
            writer.i32(member.session_timeout_ms);
            writer.byte_string(&member.subscription);
            writer.byte_string(&member.assignment);
        }
        writer.into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes);
        let version = reader.i16()?;
        if !(0..=MAX_VERSION).contains(&version) {
            return Err(RecordError::UnknownVersion(version));
        }
        let flexible = version >= 4;
        let protocol_type = reader.string(flexible)?;
        let generation_id = reader.i32()?;
        let protocol = reader.nullable_string(flexible)?;
        let leader = reader.nullable_string(flexible)?;
        let state_timestamp_ms = if version >= 2 { reader.i64()? } else { -1 };
        let count = reader.count(flexible, LEAST_MEMBER_BYTES)?;
        let mut members = Vec::with_capacity(count);
        for _ in 0..count {
            members.push(StoredMember::decode(&mut reader, version)?);
        }
        if flexible {
            reader.tags(|_, _| Ok(()))?;
        }
        reader.finish()?;
        members.sort_by(|a, b| a.member_id.cmp(&b.member_id));
        members.dedup_by(|a, b| a.member_id == b.member_id);
        Ok(GroupMetadata { protocol_type, generation_id, protocol, leader, state_timestamp_ms, members })
    }
}

impl StoredMember {
    fn decode(reader: &mut Reader<'_>, version: i16) -> Result<Self, RecordError> {
        let flexible = version >= 4;
        let member_id = reader.string(flexible)?;
        let group_instance_id = if version >= 3 { reader.nullable_string(flexible)? } else { None };
        let client_id = reader.string(flexible)?;
        let client_host = reader.string(flexible)?;
        let rebalance_timeout_ms = if version >= 1 { Some(reader.i32()?) } else { None };
        let session_timeout_ms = reader.i32()?;
        let subscription = reader.bytes(flexible)?;
        let assignment = reader.bytes(flexible)?;
        if flexible {
            reader.tags(|_, _| Ok(()))?;
        }
        Ok(StoredMember {
            member_id,
            group_instance_id,
            client_id,
            client_host,
            rebalance_timeout_ms: rebalance_timeout_ms.unwrap_or(session_timeout_ms),
            session_timeout_ms,
            subscription,
            assignment,
        })
    }
}
