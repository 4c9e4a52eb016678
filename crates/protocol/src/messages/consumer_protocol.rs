//! What the members of a `consumer` group hand each other through JoinGroup and SyncGroup. The bytes begin with a version of
//! their own, follow the plain encoding, and may be newer than we know: then what follows our last field is ignored.

use crate::{Blob, DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, Field, Str};

/// The newest version known here.
pub const CONSUMER_PROTOCOL_MAX_VERSION: i16 = 3;

messages! {
    embedded<'a>;

    /// What a member wants: the metadata of JoinGroup. Version 1: owned partitions (KIP-429); 2: generation; 3: rack.
    part ConsumerProtocolSubscription<'a> {
        topics: Vec<Str<'a>> [0..],
        user_data: Option<Blob<'a>> [0..],
        owned_partitions: Vec<ConsumerProtocolTopicPartitions<'a>> [1..],
        generation_id: i32 [2.., default -1],
        rack_id: Option<Str<'a>> [3..],
    }

    /// What a member gets: the assignment of SyncGroup.
    part ConsumerProtocolAssignment<'a> {
        assigned_partitions: Vec<ConsumerProtocolTopicPartitions<'a>> [0..],
        user_data: Option<Blob<'a>> [0..],
    }

    /// Partitions of one topic.
    part ConsumerProtocolTopicPartitions<'a> {
        topic: Str<'a> [0..],
        partitions: Vec<i32> [0..],
    }
}

impl<'a> ConsumerProtocolSubscription<'a> {
    /// Reads version and subscription.
    ///
    /// # Errors
    /// When the bytes are no subscription.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        parse_versioned(bytes)
    }
}

impl<'a> ConsumerProtocolAssignment<'a> {
    /// Reads version and assignment.
    ///
    /// # Errors
    /// When the bytes are no assignment.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        parse_versioned(bytes)
    }

    /// Writes version and assignment.
    ///
    /// # Errors
    /// When a topic's name is too long.
    pub fn to_bytes(&self, version: i16) -> Result<Vec<u8>, EncodeError> {
        let mut encoder = Encoder::for_request();
        version.write(&mut encoder, version)?;
        self.write(&mut encoder, version)?;
        Ok(encoder.finish().concat())
    }
}

fn parse_versioned<'a, T: Field<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    let version = i16::read(&mut decoder, 0)?;
    if version < 0 {
        return Err(DecodeErrorKind::UnsupportedVersion(version).into());
    }
    T::read(&mut decoder, version.min(CONSUMER_PROTOCOL_MAX_VERSION))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_subscription_of_a_newer_version() {
        let bytes =
            b"\0\x09\0\0\0\x01\0\x01t\xff\xff\xff\xff\0\0\0\x01\0\x01u\0\0\0\x01\0\0\0\x05\0\0\0\x07\xff\xffmore";
        let subscription = ConsumerProtocolSubscription::parse(bytes).unwrap();
        assert_eq!(subscription.topics, ["t"]);
        assert_eq!(subscription.user_data, None);
        assert_eq!(subscription.owned_partitions[0].partitions, [5]);
        assert_eq!(subscription.generation_id, 7);
    }

    #[test]
    fn an_assignment_reads_back() {
        let partitions = ConsumerProtocolTopicPartitions { topic: "t".into(), partitions: vec![0, 2] };
        let assignment = ConsumerProtocolAssignment { assigned_partitions: vec![partitions], user_data: None };
        let bytes = assignment.to_bytes(1).unwrap();
        assert_eq!(ConsumerProtocolAssignment::parse(&bytes), Ok(assignment));
    }
}
