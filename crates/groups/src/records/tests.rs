//! Bytes captured from Apache Kafka 4.3.1 (`__consumer_offsets`, consumed raw), round trips, and hostile input.
use super::*;
use crate::request::Protocol;
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

const COMMIT: (&str, &str) = (
    "00010001670002743100000000",
    "00040000000000000005ffffffff056d657461000001a20440ebc5010010008e7b50b0614a90a15cde776b0a63c8",
);
const COMMIT_WITH_RETENTION: (&str, &str) =
    ("0001000773696d706c65340002743100000000", "0001000000000000000700046d657461000001a20440e6cd000001a20441d12d");
const EMPTY_GROUP: (&str, &str) = ("0002000167", "00030008636f6e73756d657200000004ffffffff000001a2044104dd00000000");
const TWO_STATIC_MEMBERS: (&str, &str) = (
    "0002000173",
    concat!(
        "00030008636f6e73756d657200000002000572616e6765002769312d33383465313561652d616538362d343066322d626635",
        "322d643735396533393039306261000001a204410b0000000002002769322d33623865393739312d353837642d346465372d",
        "383239622d3562336266646136636637360002693200026332000a2f3132372e302e302e3100000bb8000027100000000e00",
        "000000000100027431ffffffff000000024132002769312d33383465313561652d616538362d343066322d626635322d6437",
        "353965333930393062610002693100026331000a2f3132372e302e302e3100000bb8000027100000000e0000000000010002",
        "7431ffffffff000000024131",
    ),
);

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn record((key, value): (&str, &str)) -> Record {
    Record { key: hex(key), value: Some(hex(value)) }
}

#[test]
fn kafkas_own_bytes_are_read_and_written_the_same() {
    for captured in [COMMIT, COMMIT_WITH_RETENTION, EMPTY_GROUP] {
        let record = record(captured);
        assert_eq!(StoredRecord::decode(&record).unwrap().encode(), record);
    }
}

#[test]
fn a_commit_of_kafka_is_understood() {
    let StoredRecord::Offset(key, Some(value)) = StoredRecord::decode(&record(COMMIT)).unwrap() else { panic!() };
    assert_eq!((key.group_id.as_str(), key.topic.as_str(), key.partition), ("g", "t1", 0));
    assert_eq!((value.offset, value.leader_epoch, value.metadata.as_str()), (5, -1, "meta"));
    assert_eq!(value.topic_id.map(|id| id[1]), Some(0x8e));
    assert_eq!(value.expire_timestamp_ms, None);
}

#[test]
fn a_commit_with_a_retention_of_its_own_keeps_its_expiry() {
    let decoded = StoredRecord::decode(&record(COMMIT_WITH_RETENTION)).unwrap();
    let StoredRecord::Offset(_, Some(value)) = decoded else { panic!() };
    assert_eq!(value.expire_timestamp_ms, Some(value.commit_timestamp_ms + 60_000));
}

#[test]
fn a_generation_of_kafka_is_understood() {
    let decoded = StoredRecord::decode(&record(TWO_STATIC_MEMBERS)).unwrap();
    let StoredRecord::Group(group_id, Some(value)) = &decoded else { panic!() };
    assert_eq!((group_id.as_str(), value.generation_id, value.protocol.as_deref()), ("s", 2, Some("range")));
    let instances: Vec<_> = value.members.iter().map(|m| m.group_instance_id.as_deref().unwrap()).collect();
    assert_eq!(instances, ["i1", "i2"]);
    assert_eq!(value.members[1].assignment, b"A2");
    assert!(value.leader.as_deref().is_some_and(|leader| value.member(leader).is_some()));
    assert_eq!(StoredRecord::decode(&decoded.encode()).unwrap(), decoded, "our order of members reads back the same");
}

/// The same content in every version that Kafka ever wrote, built by hand.
#[test]
fn older_values_are_read() {
    let text = |s: &str| [&(s.len() as i16).to_be_bytes()[..], s.as_bytes()].concat();
    let v0 = [hex("0000"), 7i64.to_be_bytes().to_vec(), text("m"), 9i64.to_be_bytes().to_vec()].concat();
    let v2 = [hex("0002"), v0[2..].to_vec()].concat();
    let v3 = [&hex("0003")[..], &7i64.to_be_bytes(), &4i32.to_be_bytes(), &v0[10..]].concat();
    for (bytes, leader_epoch) in [(v0, -1), (v2, -1), (v3, 4)] {
        let value = CommittedOffset::decode(&bytes).unwrap();
        let seen = (value.offset, value.leader_epoch, value.metadata.as_str(), value.commit_timestamp_ms);
        assert_eq!(seen, (7, leader_epoch, "m", 9));
    }
    let head = [text("consumer"), 3i32.to_be_bytes().to_vec(), text("range"), text("id")].concat();
    let bytes = |b: &[u8]| [&(b.len() as i32).to_be_bytes()[..], b].concat();
    let member = |rebalance: &[u8], instance: &[u8]| {
        [&text("id"), instance, &text("c"), &text("/h"), rebalance, &60i32.to_be_bytes(), &bytes(b"s"), &bytes(b"a")]
            .concat()
    };
    let one = 1i32.to_be_bytes().to_vec();
    let time = 5i64.to_be_bytes().to_vec();
    let versions = [
        [hex("0000"), head.clone(), one.clone(), member(&[], &[])].concat(),
        [hex("0001"), head.clone(), one.clone(), member(&60i32.to_be_bytes(), &[])].concat(),
        [hex("0002"), head.clone(), time.clone(), one.clone(), member(&60i32.to_be_bytes(), &[])].concat(),
        [hex("0003"), head, time, one, member(&60i32.to_be_bytes(), &hex("ffff"))].concat(),
    ];
    for (version, bytes) in versions.iter().enumerate() {
        let value = GroupMetadata::decode(bytes).unwrap();
        assert_eq!(value.state_timestamp_ms, if version >= 2 { 5 } else { -1 });
        assert_eq!((value.members[0].rebalance_timeout_ms, value.members[0].session_timeout_ms), (60, 60));
        assert_eq!(value.members[0].assignment, b"a");
    }
}

fn samples() -> Vec<StoredRecord> {
    let key = OffsetKey { group_id: "g".to_string(), topic: "täglich".to_string(), partition: 3 };
    let offset = CommittedOffset {
        offset: i64::MAX,
        leader_epoch: 5,
        metadata: "m".repeat(300),
        commit_timestamp_ms: 1,
        expire_timestamp_ms: None,
        topic_id: Some([7; 16]),
    };
    let unknown_topic = CommittedOffset { topic_id: None, metadata: String::new(), ..offset.clone() };
    let expiring = CommittedOffset { expire_timestamp_ms: Some(2), leader_epoch: -1, topic_id: None, ..offset.clone() };
    let member = |id: &str, instance: Option<&str>| StoredMember {
        member_id: id.to_string(),
        group_instance_id: instance.map(String::from),
        client_id: "c".to_string(),
        client_host: "/10.0.0.1".to_string(),
        rebalance_timeout_ms: 300_000,
        session_timeout_ms: 45_000,
        subscription: vec![1; 200],
        assignment: vec![2, 3],
    };
    let group = GroupMetadata {
        protocol_type: "consumer".to_string(),
        generation_id: 9,
        protocol: Some("range".to_string()),
        leader: Some("a".to_string()),
        state_timestamp_ms: 77,
        members: vec![member("a", None), member("b", Some("i"))],
    };
    let mut records = vec![
        StoredRecord::Offset(key.clone(), Some(offset)),
        StoredRecord::Offset(key.clone(), Some(unknown_topic)),
        StoredRecord::Offset(key.clone(), Some(expiring)),
        StoredRecord::Offset(key, None),
        StoredRecord::Group("g".to_string(), Some(group)),
        StoredRecord::Group(String::new(), Some(GroupMetadata { state_timestamp_ms: -1, ..GroupMetadata::default() })),
        StoredRecord::Group("g".to_string(), None),
    ];
    records.extend(consumer_samples());
    records
}

fn consumer_samples() -> Vec<StoredRecord> {
    let (group, member) = (|| "g".to_string(), || "m".to_string());
    let metadata = ConsumerMemberMetadata {
        group_instance_id: Some("i".to_string()),
        rack_id: None,
        client_id: "c".to_string(),
        client_host: "/10.0.0.1".to_string(),
        subscribed_topic_names: vec!["a".to_string(), "täglich".to_string()],
        subscribed_topic_regex: Some("a.*".to_string()),
        rebalance_timeout_ms: 300_000,
        server_assignor: None,
        classic: None,
    };
    let protocol = |name: &str| Protocol { name: name.to_string(), metadata: vec![0, 1, 0, 0, 0, 0] };
    let protocols = vec![protocol("range"), protocol("")];
    let classic = Some(ClassicMember { session_timeout_ms: 45_000, protocols });
    let some = Assignment::of([([1; 16], 0), ([1; 16], 7), ([2; 16], i32::MAX)]);
    let current = CurrentAssignment {
        member_epoch: -2,
        previous_member_epoch: 9,
        state: MemberState::UnreleasedPartitions,
        assigned: some.clone(),
        pending_revocation: Assignment::of([([3; 16], 0)]),
        assigned_epochs: vec![9, 7, 8],
        pending_epochs: vec![1],
    };
    vec![
        StoredRecord::GroupEpoch(group(), Some(GroupEpoch { epoch: 7, metadata_hash: -1 })),
        StoredRecord::GroupEpoch(group(), Some(GroupEpoch { epoch: 1, metadata_hash: 0 })),
        StoredRecord::GroupEpoch(group(), None),
        StoredRecord::ConsumerMember(group(), member(), Some(ConsumerMemberMetadata { classic, ..metadata.clone() })),
        StoredRecord::ConsumerMember(group(), member(), Some(metadata)),
        StoredRecord::ConsumerMember(group(), member(), Some(ConsumerMemberMetadata::default())),
        StoredRecord::ConsumerMember(group(), member(), None),
        StoredRecord::TargetEpoch(group(), Some(7)),
        StoredRecord::TargetEpoch(group(), None),
        StoredRecord::Target(group(), member(), Some(some)),
        StoredRecord::Target(group(), member(), None),
        StoredRecord::Current(group(), member(), Some(current)),
        StoredRecord::Current(group(), member(), None),
    ]
}

const T3: [u8; 16] = 0x9d67ee202ce240c197ad107484306858_u128.to_be_bytes();
const T4: [u8; 16] = 0x9bdacbaf5c5d4c66a318a555fba33f9a_u128.to_be_bytes();

#[test]
fn kafkas_consumer_groups_are_understood() {
    let decode = |key: &str, value: &str| StoredRecord::decode(&record((key, value))).unwrap();
    let group = || "orc67679".to_string();
    let epoch = GroupEpoch { epoch: 2, metadata_hash: 0x4f46fa4effd95f52 };
    let read = decode("000300086f72633637363739", "0000000000020100084f46fa4effd95f52");
    assert_eq!(read, StoredRecord::GroupEpoch(group(), Some(epoch)));
    assert_eq!(read.encode(), record(("000300086f72633637363739", "0000000000020100084f46fa4effd95f52")));
    let said = "000003693100076f7261636c650b2f3132372e302e302e310203743401000111700672616e676501000100";
    let StoredRecord::ConsumerMember(_, member, Some(said)) = decode("000500086f72633637363739000142", said) else {
        panic!()
    };
    assert_eq!((member.as_str(), said.group_instance_id.as_deref(), said.rack_id), ("B", Some("i1"), None));
    assert_eq!((said.subscribed_topic_names, said.subscribed_topic_regex), (vec!["t4".to_string()], None));
    assert_eq!((said.rebalance_timeout_ms, said.server_assignor.as_deref()), (70_000, Some("range")));
    let target_epoch = decode("000600086f72633637363739", "000000000003010008000001a21c183df3");
    assert_eq!(target_epoch, StoredRecord::TargetEpoch(group(), Some(3)));
    let target =
        decode("000700086f72633637363739000142", "0000029bdacbaf5c5d4c66a318a555fba33f9a0300000000000000010000");
    assert_eq!(target, StoredRecord::Target(group(), "B".to_string(), Some(Assignment::of([(T4, 0), (T4, 1)]))));
    let current = decode("000800086f72633637363739000141", REVOKING);
    let revoking = CurrentAssignment {
        member_epoch: 2,
        previous_member_epoch: 2,
        state: MemberState::UnrevokedPartitions,
        assigned: Assignment::of([(T3, 0), (T3, 1), (T3, 2), (T4, 2), (T4, 3)]),
        pending_revocation: Assignment::of([(T4, 0), (T4, 1)]),
        assigned_epochs: vec![2; 5],
        pending_epochs: vec![2; 2],
    };
    assert_eq!(current, StoredRecord::Current(group(), "A".to_string(), Some(revoking)));
}

#[test]
fn classic_members_of_kafkas_consumer_groups_are_understood() {
    // Written by Apache Kafka 4.3.1 as a member of the classic protocol joined a consumer group.
    let value = concat!(
        "00000000076f7261636c650b2f3132372e302e302e310203743401000027100672616e6765010021010000271002067261",
        "6e67651300010000000100027434ffffffff000000000000",
    );
    let raw = record(("00050007636c3637383834000141", value));
    let read = StoredRecord::decode(&raw).unwrap();
    let StoredRecord::ConsumerMember(_, _, Some(said)) = &read else { panic!() };
    let classic = said.classic.as_ref().unwrap();
    assert_eq!((classic.session_timeout_ms, classic.protocols.len()), (10_000, 1));
    assert_eq!(classic.protocols[0].name, "range");
    assert_eq!(classic.protocols[0].metadata, hex("00010000000100027434ffffffff00000000"));
    assert_eq!(read.encode().key, raw.key);
    // It writes an empty text for an expression that there is not.
    let ours = value.replace("0203743401", "0203743400");
    assert_eq!(read.encode().value, Some(hex(&ours)));
}

#[test]
fn partitions_without_epochs_came_with_the_members_epoch() {
    // Written by Apache Kafka 4.3.1, with the epochs cut off as earlier versions have it.
    let key = "000800086f72633637363739000141";
    let value = "0000000000040000000200029bdacbaf5c5d4c66a318a555fba33f9a03000000000000000100";
    let StoredRecord::Current(_, _, Some(current)) =
        StoredRecord::decode(&record((key, &format!("{value}0100")))).unwrap()
    else {
        panic!()
    };
    assert_eq!((current.epoch_of(T4, 0), current.epoch_of(T4, 1), current.epoch_of(T4, 2)), (Some(4), Some(4), None));
    let with_epochs = format!("{}010009030000000200000003{}", &value[..value.len() - 2], "0100");
    let raw = record((key, &with_epochs));
    let read = StoredRecord::decode(&raw).unwrap();
    let StoredRecord::Current(_, _, Some(current)) = &read else { panic!() };
    assert_eq!((current.epoch_of(T4, 0), current.epoch_of(T4, 1)), (Some(2), Some(3)));
    assert_eq!(read.encode(), raw);
}

/// Each topic with the epochs that its partitions were assigned in.
const REVOKING: &str = concat!(
    "0000000000020000000201039d67ee202ce240c197ad1074843068580400000000000000010000000201000d0400000002000000",
    "02000000029bdacbaf5c5d4c66a318a555fba33f9a030000000200000003010009030000000200000002029bdacbaf5c5d4c66a3",
    "18a555fba33f9a03000000000000000101000903000000020000000200",
);

#[test]
fn every_kind_survives_a_round_trip() {
    for sample in samples() {
        assert_eq!(StoredRecord::decode(&sample.encode()), Ok(sample));
    }
}

#[test]
fn every_wrong_length_is_refused() {
    for sample in samples() {
        let whole = sample.encode();
        for length in 0..whole.key.len() {
            let cut = Record { key: whole.key[..length].to_vec(), value: whole.value.clone() };
            assert!(StoredRecord::decode(&cut).is_err(), "key of {length} bytes of {sample:?}");
        }
        let longer = Record { key: [&whole.key[..], &[0]].concat(), value: whole.value.clone() };
        assert_eq!(StoredRecord::decode(&longer), Err(RecordError::TrailingBytes));
        let Some(value) = &whole.value else { continue };
        for length in 0..value.len() {
            let cut = Record { key: whole.key.clone(), value: Some(value[..length].to_vec()) };
            assert!(StoredRecord::decode(&cut).is_err(), "value of {length} bytes of {sample:?}");
        }
        let longer = Record { key: whole.key.clone(), value: Some([&value[..], &[0]].concat()) };
        assert_eq!(StoredRecord::decode(&longer), Err(RecordError::TrailingBytes));
    }
}

#[test]
fn hostile_lengths_and_counts_are_refused_before_anything_is_allocated() {
    let group = |value: &str| Record { key: hex("0002000167"), value: Some(hex(value)) };
    // Two thousand million members in a record of thirty bytes.
    let many = group("00030000000000000000000000000000000000000000007fffffff");
    assert_eq!(StoredRecord::decode(&many), Err(RecordError::Truncated));
    let negative = group("0003000000000000ffffffff0000000000000000ffffffff");
    assert_eq!(StoredRecord::decode(&negative), Err(RecordError::BadLength));
    let unknown = group("0005");
    assert_eq!(StoredRecord::decode(&unknown), Err(RecordError::UnknownVersion(5)));
    let not_text = Record { key: hex("00020001ff"), value: None };
    assert_eq!(StoredRecord::decode(&not_text), Err(RecordError::NotUtf8));
    let null_group = Record { key: hex("0002ffff"), value: None };
    assert_eq!(StoredRecord::decode(&null_group), Err(RecordError::BadLength));
    let endless_varint = Record { key: hex(COMMIT.0), value: Some(hex("00040000000000000001ffffffffffffffffff7f")) };
    assert_eq!(StoredRecord::decode(&endless_varint), Err(RecordError::BadLength));
}

#[test]
fn a_kind_of_the_future_is_skipped_by_name() {
    let record = Record { key: hex("00100001"), value: Some(hex("ff")) };
    assert_eq!(StoredRecord::decode(&record), Ok(StoredRecord::Unknown { key_version: 16 }));
}

#[test]
fn every_single_changed_byte_is_read_or_refused_without_a_panic() {
    for sample in samples() {
        let whole = sample.encode();
        let Some(value) = &whole.value else { continue };
        for at in 0..value.len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut changed = value.clone();
                changed[at] ^= flip;
                let text =
                    format!("{:?}", StoredRecord::decode(&Record { key: whole.key.clone(), value: Some(changed) }));
                assert!(!text.is_empty());
            }
        }
    }
}
