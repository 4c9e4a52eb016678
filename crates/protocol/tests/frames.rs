//! Frames, headers, what versions lack, and large requests that must pass the decoder's bound.
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use ottla_protocol::frame::{decode_any, decode_body, decode_response, encode_request_frame, encode_response_frame};
use ottla_protocol::frame::{encode_body, split_request};
use ottla_protocol::messages::*;
use ottla_protocol::{ApiKey, Chunk, DecodeErrorKind, EncodeError, Encoder, ErrorCode, Message, RecordChunks, Str};

/// The chunks of a response that has nothing elsewhere.
fn here(chunks: Vec<Chunk>) -> Vec<Bytes> {
    chunks.iter().map(|chunk| chunk.bytes().unwrap().clone()).collect()
}

fn frame_of(segments: Vec<Bytes>) -> Bytes {
    let whole = Bytes::from(segments.concat());
    assert_eq!(whole[..4], (whole.len() as i32 - 4).to_be_bytes(), "the size of the frame");
    whole.slice(4..)
}

#[test]
fn a_request_comes_back_with_its_header() {
    let request = HeartbeatRequest { group_id: "g".into(), generation_id: 3, ..HeartbeatRequest::default() };
    for version in HeartbeatRequest::VERSIONS.iter() {
        let frame = frame_of(encode_request_frame(77, version, Some("me"), &request).unwrap());
        let (header, body) = split_request(&frame).unwrap();
        assert_eq!((header.api_key, header.api_version, header.correlation_id), (12, version, 77));
        assert_eq!(header.client_id.as_deref(), Some("me"));
        assert_eq!(decode_body::<HeartbeatRequest>(body, version).unwrap(), request);
        assert_eq!(decode_any(ApiKey::Heartbeat, version, body).unwrap().key(), ApiKey::Heartbeat);
    }
}

#[test]
fn the_header_of_an_api_that_is_not_served_still_names_the_client() {
    let (header, _) = split_request(b"\0\x11\0\x01\0\0\0\x05\0\x02me\0\x05PLAIN").unwrap();
    assert_eq!(ApiKey::from_code(header.api_key), Some(ApiKey::SaslHandshake));
    assert_eq!(header.client_id.as_deref(), Some("me"));
    let (header, _) = split_request(b"\x7f\xff\0\x01\0\0\0\x05\xff\xff").unwrap();
    assert_eq!((ApiKey::from_code(header.api_key), header.client_id), (None, None));
}

#[test]
fn tagged_fields_of_a_header_are_skipped() {
    // ApiVersions 3, with an unknown tag 5 of two bytes in the header.
    let frame = b"\0\x12\0\x03\0\0\0\x01\0\x02me\x01\x05\x02ab\x02c\x021\0";
    let (header, body) = split_request(frame).unwrap();
    let request: ApiVersionsRequest = decode_body(body, header.api_version).unwrap();
    assert_eq!((&*request.client_software_name, &*request.client_software_version), ("c", "1"));
}

#[test]
fn only_the_answer_to_api_versions_keeps_the_plain_header() {
    let frame = frame_of(here(encode_response_frame(9, 4, &HeartbeatResponse::default()).unwrap()));
    assert_eq!(&frame[..], b"\0\0\0\x09\0\0\0\0\0\0\0\0", "an empty section of tagged fields after the correlation id");
    let answer = ApiVersionsResponse { error_code: ErrorCode::UNSUPPORTED_VERSION, ..ApiVersionsResponse::default() };
    let frame = frame_of(here(encode_response_frame(9, 3, &answer).unwrap()));
    assert_eq!(&frame[..], b"\0\0\0\x09\0\x23\x01\0\0\0\0\0");
    assert_eq!(decode_response::<ApiVersionsResponse>(&frame, 3).unwrap(), (9, answer.clone()));
    let frame = frame_of(here(encode_response_frame(9, 0, &answer).unwrap()));
    assert_eq!(&frame[..], b"\0\0\0\x09\0\x23\0\0\0\0");
}

#[test]
fn record_chunks_go_out_and_come_in_without_a_copy() {
    let chunks = [Bytes::from(vec![1; 5_000]), Bytes::from(vec![2; 10]), Bytes::from(vec![3; 70_000])];
    let records = RecordChunks(chunks.iter().cloned().map(Chunk::Here).collect());
    let partition = PartitionData { records: Some(records), ..PartitionData::default() };
    let topic = FetchableTopicResponse { partitions: vec![partition], ..FetchableTopicResponse::default() };
    let response = FetchResponse { responses: vec![topic], ..FetchResponse::default() };
    for version in FetchResponse::VERSIONS.iter() {
        let segments = here(encode_response_frame(1, version, &response).unwrap());
        for chunk in [&chunks[0], &chunks[2]] {
            assert!(segments.iter().any(|segment| segment.as_ptr() == chunk.as_ptr()), "version {version}");
        }
        let frame = frame_of(segments);
        let (_, read): (i32, FetchResponse) = decode_response(&frame, version).unwrap();
        assert_eq!(read, response, "version {version}");
        let records = read.responses[0].partitions[0].records.as_ref().unwrap();
        let range = frame.as_ptr_range();
        assert!(range.contains(&records.here().next().unwrap().as_ptr()), "a slice of the frame");
    }
}

#[test]
fn records_that_lie_elsewhere_keep_their_place_and_count() {
    let bytes = [Bytes::from(vec![1; 10]), Bytes::from(vec![2; 5_000]), Bytes::from(vec![3; 2_000])];
    let answer = |chunks: [Chunk; 4]| {
        let data =
            |chunks: &[Chunk]| PartitionData { records: Some(RecordChunks(chunks.to_vec())), ..Default::default() };
        let partitions = vec![data(&chunks[..2]), data(&chunks[2..])];
        FetchResponse {
            responses: vec![FetchableTopicResponse { partitions, ..Default::default() }],
            ..Default::default()
        }
    };
    let all = |number: usize| Chunk::Here(bytes[number].clone());
    for version in FetchResponse::VERSIONS.iter() {
        let whole = here(encode_response_frame(1, version, &answer([all(0), all(1), all(1), all(2)])).unwrap());
        let (second, third) = (Chunk::Elsewhere(5_000), Chunk::Elsewhere(2_000));
        let gaps = answer([all(0), second, all(1), third]);
        let mut filled = Vec::new();
        let mut places = [&bytes[1], &bytes[2]].into_iter();
        for chunk in encode_response_frame(1, version, &gaps).unwrap() {
            match chunk {
                Chunk::Here(bytes) => filled.push(bytes),
                Chunk::Elsewhere(size) => {
                    let place = places.next().unwrap();
                    assert_eq!(size, place.len());
                    filled.push(place.clone());
                }
            }
        }
        assert_eq!(filled.concat(), whole.concat(), "version {version}");
    }
}

#[test]
fn produced_records_are_slices_of_the_frame() {
    let partition = PartitionProduceData { index: 1, records: Some(vec![7; 3_000].into()) };
    let topic = TopicProduceData { partition_data: vec![partition], ..TopicProduceData::default() };
    let request = ProduceRequest { topic_data: vec![topic], ..ProduceRequest::default() };
    for version in ProduceRequest::VERSIONS.iter() {
        let frame = frame_of(encode_request_frame(1, version, None, &request).unwrap());
        let (_, body) = split_request(&frame).unwrap();
        let read: ProduceRequest = decode_body(body, version).unwrap();
        let records = read.topic_data[0].partition_data[0].records.as_deref().unwrap();
        assert_eq!(frame.slice_ref(records).len(), 3_000);
    }
}

#[test]
fn a_response_leaves_out_what_the_version_lacks() {
    let response = JoinGroupResponse { throttle_time_ms: 5, protocol_name: None, ..JoinGroupResponse::default() };
    let bytes = encode_body(Encoder::for_response(), 0, &response).unwrap().concat();
    assert_eq!(bytes, b"\0\0\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0", "no throttle time, an empty name in place of null");
}

#[test]
fn a_request_refuses_what_the_version_lacks() {
    let request = HeartbeatRequest { group_instance_id: Some("static".into()), ..HeartbeatRequest::default() };
    let expected = EncodeError::FieldNotInVersion { field: "group_instance_id", version: 2 };
    assert_eq!(encode_request_frame(1, 2, None, &request).unwrap_err(), expected);
    assert!(encode_request_frame(1, 3, None, &request).is_ok());

    let everything = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let expected = EncodeError::NullNotInVersion { field: "topics", version: 0 };
    assert_eq!(encode_request_frame(1, 0, None, &everything).unwrap_err(), expected);

    // What Kafka calls ignorable is left out.
    let request = JoinGroupRequest { reason: Some("because".into()), ..JoinGroupRequest::default() };
    assert!(encode_request_frame(1, 0, None, &request).is_ok());
    assert_eq!(
        encode_request_frame(1, 10, None, &JoinGroupRequest::default()).unwrap_err(),
        EncodeError::UnsupportedVersion(10)
    );
}

fn metadata_error(body: &[u8], version: i16) -> (DecodeErrorKind, Option<&'static str>) {
    let error = decode_body::<MetadataRequest>(body, version).unwrap_err();
    (error.kind, error.field)
}

#[test]
fn bad_bodies_say_what_is_wrong_and_where() {
    // The five bytes that make a trusting decoder ask for 154 GB.
    let left = 0;
    let kind = DecodeErrorKind::TooManyElements { count: 0x7fff_ffff, left };
    assert_eq!(metadata_error(b"\x7f\xff\xff\xff", 1), (kind, Some("topics")));
    assert_eq!(metadata_error(b"\xff\xff\xff\xff", 0), (DecodeErrorKind::UnexpectedNull, Some("topics")));
    assert_eq!(metadata_error(b"\xff\xff\xff\xfe", 1), (DecodeErrorKind::InvalidLength(-2), Some("topics")));
    assert_eq!(metadata_error(b"\0\0\0\x01\0\x02\xc3\x28", 1), (DecodeErrorKind::InvalidUtf8, Some("name")));
    assert_eq!(metadata_error(b"\0\0\0\0x", 1), (DecodeErrorKind::TrailingBytes(1), None));
    assert_eq!(metadata_error(b"\xff\xff\xff\xff\xff\x0f", 9), (DecodeErrorKind::InvalidVarint, Some("topics")));
    assert_eq!(metadata_error(b"", 14), (DecodeErrorKind::UnsupportedVersion(14), None));
    // 2,000 empty names: few bytes, but much memory.
    let mut body = vec![0x00, 0x00, 0x07, 0xd0];
    body.extend([0; 4_000]);
    assert_eq!(metadata_error(&body, 1), (DecodeErrorKind::OverBudget, Some("topics")));
}

#[test]
fn a_tagged_field_must_fill_its_size() {
    // ApiVersionsResponse 3: tag 1 (eight bytes) announced with nine.
    let body = Bytes::from_static(b"\0\0\x01\0\0\0\0\x01\x01\x09\0\0\0\0\0\0\0\x05x");
    let error = ottla_protocol::frame::decode_response_body::<ApiVersionsResponse>(&body, 3).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::TagSize);
}

#[test]
fn strings_longer_than_kafka_allows_are_refused() {
    let long = "x".repeat(32_768);
    let request = FindCoordinatorRequest { coordinator_keys: vec![Str::from(&long)], ..Default::default() };
    assert_eq!(encode_request_frame(1, 4, None, &request).unwrap_err(), EncodeError::TooLong(32_768));
    let mut body = b"\0\x02\x81\x80\x02".to_vec();
    body.extend(long.as_bytes());
    body.push(0);
    let error = decode_body::<FindCoordinatorRequest>(&body, 4).unwrap_err();
    assert_eq!(error.kind, DecodeErrorKind::InvalidLength(32_768));
}

/// As many and as short names as there can be: what memory they take comes closest to the bound.
fn names(prefix: &str, count: usize) -> Vec<Str<'static>> {
    (0..count).map(|number| format!("{prefix}{number}").into()).collect()
}

fn passes<'a, M: Message<'a>>(request: &M, read: impl Fn(&[u8], i16)) {
    for version in M::VERSIONS.iter() {
        if let Ok(segments) = encode_body(Encoder::for_response(), version, request) {
            read(&segments.concat(), version);
        }
    }
}

macro_rules! passes {
    ($($request:expr => $type:ident;)*) => { $(
        passes(&$request, |body, version| {
            let read = decode_body::<$type>(body, version);
            assert!(read.is_ok(), "{} version {version}: {:?}", stringify!($type), read.err());
        });
    )* };
}

#[test]
fn large_requests_with_short_names_pass() {
    for count in [1, 10, 100, 1_000, 20_000] {
        let topics = || names("t", count);
        let groups = || names("g", count);
        passes! {
            MetadataRequest {
                topics: Some(topics().into_iter().map(|name| MetadataRequestTopic { name: Some(name), ..Default::default() }).collect()),
                ..Default::default()
            } => MetadataRequest;
            FetchRequest {
                topics: topics().into_iter().map(|topic| FetchTopic { topic, partitions: vec![FetchPartition::default()], ..Default::default() }).collect(),
                ..Default::default()
            } => FetchRequest;
            ListOffsetsRequest {
                topics: topics().into_iter().map(|name| ListOffsetsTopic { name, partitions: vec![ListOffsetsPartition::default()] }).collect(),
                ..Default::default()
            } => ListOffsetsRequest;
            OffsetCommitRequest {
                topics: topics().into_iter().map(|name| OffsetCommitRequestTopic { name, partitions: vec![OffsetCommitRequestPartition::default()], ..Default::default() }).collect(),
                ..Default::default()
            } => OffsetCommitRequest;
            OffsetFetchRequest {
                topics: Some(topics().into_iter().map(|name| OffsetFetchRequestTopic { name, partition_indexes: vec![0] }).collect()),
                groups: vec![OffsetFetchRequestGroup {
                    topics: Some(topics().into_iter().map(|name| OffsetFetchRequestTopics { name, partition_indexes: vec![0], ..Default::default() }).collect()),
                    ..Default::default()
                }],
                ..Default::default()
            } => OffsetFetchRequest;
            OffsetFetchRequest {
                groups: names("group-", count).into_iter().map(|group_id| OffsetFetchRequestGroup { group_id, topics: None, ..Default::default() }).collect(),
                ..Default::default()
            } => OffsetFetchRequest;
            FindCoordinatorRequest { coordinator_keys: groups(), ..Default::default() } => FindCoordinatorRequest;
            DescribeGroupsRequest { groups: groups(), ..Default::default() } => DescribeGroupsRequest;
            DeleteGroupsRequest { groups_names: groups() } => DeleteGroupsRequest;
            OffsetDeleteRequest {
                topics: topics().into_iter().map(|name| OffsetDeleteRequestTopic { name, partitions: vec![OffsetDeleteRequestPartition::default()] }).collect(),
                ..Default::default()
            } => OffsetDeleteRequest;
            CreateTopicsRequest {
                topics: topics().into_iter().map(|name| CreatableTopic { name, ..Default::default() }).collect(),
                ..Default::default()
            } => CreateTopicsRequest;
            DeleteTopicsRequest {
                topic_names: topics(),
                topics: topics().into_iter().map(|name| DeleteTopicState { name: Some(name), ..Default::default() }).collect(),
                ..Default::default()
            } => DeleteTopicsRequest;
            DeleteRecordsRequest {
                topics: topics().into_iter().map(|name| DeleteRecordsTopic { name, partitions: vec![DeleteRecordsPartition::default()] }).collect(),
                ..Default::default()
            } => DeleteRecordsRequest;
            DescribeConfigsRequest {
                resources: topics().into_iter().map(|resource_name| DescribeConfigsResource { resource_name, configuration_keys: None, ..Default::default() }).collect(),
                ..Default::default()
            } => DescribeConfigsRequest;
            SyncGroupRequest {
                assignments: names("m", count).into_iter().map(|member_id| SyncGroupRequestAssignment { member_id, ..Default::default() }).collect(),
                ..Default::default()
            } => SyncGroupRequest;
        }
    }
}
