//! What consumers of the classic protocol tell each other through the broker: subscriptions and assignments, in versions 0 to 3. A
//! later version begins like the last one that is known, so what follows is not looked at.
use crate::records::RecordError;
use crate::records::bytes::{Reader, Writer};
use alloc::string::String;
use alloc::vec::Vec;

/// The last version that is known.
const LAST_VERSION: i16 = 3;
/// What a topic's name takes at least.
const LEAST_NAME_BYTES: usize = 2;
/// What a topic with partitions takes at least: its name and a count.
const LEAST_TOPIC_BYTES: usize = 2 + 4;
const PARTITION_BYTES: usize = 4;

/// Partitions by the name of their topic.
pub(crate) type Partitions = Vec<(String, i32)>;

/// What a member reads, and what it has.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Subscription {
    /// The version that the member writes.
    pub(super) version: i16,
    /// Ordered, without repetitions.
    pub(super) topics: Vec<String>,
    /// What it has; nothing before version 1, and of one that gives up everything before it joins.
    pub(super) owned: Partitions,
    /// The generation in which it came by that, -1 if it does not say (version >= 2).
    pub(super) generation_id: i32,
    /// `client.rack` (version >= 3).
    pub(super) rack_id: Option<String>,
}

impl Subscription {
    /// Reads one.
    ///
    /// # Errors
    /// It is none, or too short.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes);
        let version = version(&mut reader)?;
        let count = reader.count(false, LEAST_NAME_BYTES)?;
        let mut topics = Vec::with_capacity(count);
        for _ in 0..count {
            topics.push(reader.string(false)?);
        }
        topics.sort_unstable();
        topics.dedup();
        skip_user_data(&mut reader)?;
        let owned = if version >= 1 { partitions(&mut reader)? } else { Vec::new() };
        let generation_id = if version >= 2 { reader.i32()? } else { -1 };
        let rack_id = if version >= 3 { reader.nullable_string(false)? } else { None };
        let rack_id = rack_id.filter(|rack_id| !rack_id.is_empty());
        Ok(Subscription { version, topics, owned, generation_id, rack_id })
    }
}

/// Reads what a leader has given to a member; nothing where it has given nothing.
///
/// # Errors
/// It is no assignment, or too short.
pub(crate) fn read_assignment(bytes: &[u8]) -> Result<Partitions, RecordError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = Reader::new(bytes);
    version(&mut reader)?;
    partitions(&mut reader)
}

/// An assignment in the version of a member's subscription.
pub(super) fn write_assignment<'a>(version: i16, topics: impl Iterator<Item = (&'a str, &'a [i32])>) -> Vec<u8> {
    let topics: Vec<_> = topics.collect();
    let mut writer = Writer::with_version(version.min(LAST_VERSION));
    writer.i32(i32::try_from(topics.len()).unwrap_or(i32::MAX));
    for (name, partitions) in topics {
        writer.string(name);
        writer.i32(i32::try_from(partitions.len()).unwrap_or(i32::MAX));
        partitions.iter().for_each(|&partition| writer.i32(partition));
    }
    // No user data.
    writer.i32(-1);
    writer.into_bytes()
}

fn version(reader: &mut Reader<'_>) -> Result<i16, RecordError> {
    match reader.i16()? {
        version @ 0.. => Ok(version),
        version => Err(RecordError::UnknownVersion(version)),
    }
}

fn skip_user_data(reader: &mut Reader<'_>) -> Result<(), RecordError> {
    match usize::try_from(reader.i32()?) {
        Ok(length) => reader.take(length).map(|_| ()),
        Err(_) => Ok(()),
    }
}

fn partitions(reader: &mut Reader<'_>) -> Result<Partitions, RecordError> {
    let mut partitions = Vec::new();
    for _ in 0..reader.count(false, LEAST_TOPIC_BYTES)? {
        let name = reader.string(false)?;
        for _ in 0..reader.count(false, PARTITION_BYTES)? {
            partitions.push((name.clone(), reader.i32()?));
        }
    }
    Ok(partitions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// As Java clients write them: topic t4, with partitions 0 and 1.
    const SUBSCRIPTION: &[u8] =
        b"\0\x03\0\0\0\x01\0\x02t4\xff\xff\xff\xff\0\0\0\x01\0\x02t4\0\0\0\x02\0\0\0\0\0\0\0\x01\0\0\0\x07\0\x02ra";
    const ASSIGNMENT: &[u8] = b"\0\x01\0\0\0\x01\0\x02t4\0\0\0\x02\0\0\0\0\0\0\0\x01\xff\xff\xff\xff";

    fn owned() -> Partitions {
        vec![("t4".into(), 0), ("t4".into(), 1)]
    }

    #[test]
    fn subscriptions_of_every_version_are_read() {
        let read = Subscription::read(SUBSCRIPTION).unwrap();
        assert_eq!((read.version, read.topics.as_slice()), (3, ["t4".into()].as_slice()));
        assert_eq!((read.owned, read.generation_id, read.rack_id.as_deref()), (owned(), 7, Some("ra")));
        let later = [b"\0\x09", &SUBSCRIPTION[2..], b"more"].concat();
        assert_eq!(Subscription::read(&later).unwrap().owned, owned());
        let first = [b"\0\0", &SUBSCRIPTION[2..14]].concat();
        assert_eq!(Subscription::read(&first).unwrap().owned, []);
    }

    #[test]
    fn what_is_too_short_is_refused() {
        for length in 0..SUBSCRIPTION.len() {
            assert!(Subscription::read(&SUBSCRIPTION[..length]).is_err(), "{length} bytes");
        }
        for length in 1..ASSIGNMENT.len() - 4 {
            assert!(read_assignment(&ASSIGNMENT[..length]).is_err(), "{length} bytes");
        }
        assert_eq!(Subscription::read(b"\xff\xff\0\0\0\0"), Err(RecordError::UnknownVersion(-1)));
        assert_eq!(Subscription::read(b"\0\x01\x7f\xff\xff\xff"), Err(RecordError::Truncated));
    }

    #[test]
    fn assignments_are_as_clients_write_them() {
        assert_eq!(read_assignment(ASSIGNMENT).unwrap(), owned());
        assert_eq!(write_assignment(1, [("t4", [0, 1].as_slice())].into_iter()), ASSIGNMENT);
        assert_eq!(read_assignment(&[]), Ok(Vec::new()));
        assert_eq!(write_assignment(9, core::iter::empty())[..2], [0, 3]);
    }
}
