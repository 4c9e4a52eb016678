//! Every message in every version against the `kafka-protocol` crate: our bytes read by it, its bytes read by us, the same
//! values and the same bytes both ways. The values come from the declarations themselves (`sample`).
#![allow(clippy::unwrap_used)]

#[macro_use]
mod every_message;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages as theirs;
use kafka_protocol::protocol::{Decodable, Encodable, Message as _};
use ottla_protocol::frame::{decode_response_body, encode_body};
use ottla_protocol::messages::*;
use ottla_protocol::sample::{Generator, Quirks, Sample};
use ottla_protocol::{DecodeError, Encoder, Message, VersionRange};

const SEEDS: u64 = 500;

/// Compares one value in one version; `equals` decodes bytes with our codec and compares with the value.
fn check<O, T>(
    version: i16,
    seed: u64,
    equals: impl Fn(&Bytes, i16, &O) -> Result<bool, DecodeError>,
) -> Result<(), String>
where
    O: Message<'static> + Sample,
    T: Decodable + Encodable + PartialEq + std::fmt::Debug,
{
    let value = O::sample(&mut Generator::new(seed), version);
    let written = write(&value, version, Quirks::default())?;
    let read = read_by_oracle::<T>(&written, version)?;
    expect(write_by_oracle(&read, version)? == written, || format!("it writes other bytes for {value:?}"))?;
    let read_back = |bytes: &Bytes| equals(bytes, version, &value).map_err(|error| format!("our codec: {error}"));
    expect(read_back(&written)?, || format!("we read another value than {value:?}"))?;
    if !O::is_flexible(version) {
        return Ok(());
    }

    let unknown = Quirks { unknown_tags: Some(Generator::new(!seed)), ..Quirks::default() };
    let written = write(&value, version, unknown)?;
    let with_unknown = read_by_oracle::<T>(&written, version)?;
    let same = write_by_oracle(&with_unknown, version)? == written;
    expect(same, || format!("it writes other bytes with unknown tags for {value:?}"))?;
    expect(read_back(&written)?, || format!("unknown tags make us read another value than {value:?}"))?;

    let written = write(&value, version, Quirks { write_defaults: true, ..Quirks::default() })?;
    let same = read_by_oracle::<T>(&written, version)? == read;
    expect(same, || format!("it reads another value with tags at their default for {value:?}"))?;
    expect(read_back(&written)?, || format!("tags at their default make us read another value than {value:?}"))
}

fn expect(condition: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(message().chars().take(2000).collect()) }
}

fn write<O: Message<'static>>(value: &O, version: i16, quirks: Quirks) -> Result<Bytes, String> {
    let mut encoder = Encoder::for_request();
    encoder.set_quirks(quirks);
    let segments = encode_body(encoder, version, value).map_err(|error| format!("we cannot write it: {error}"))?;
    Ok(Bytes::from(segments.concat()))
}

fn read_by_oracle<T: Decodable>(bytes: &Bytes, version: i16) -> Result<T, String> {
    let mut rest = bytes.clone();
    let value = T::decode(&mut rest, version).map_err(|error| format!("it cannot read our bytes: {error}"))?;
    expect(rest.is_empty(), || format!("it leaves {} of our bytes", rest.len()))?;
    Ok(value)
}

fn write_by_oracle<T: Encodable>(value: &T, version: i16) -> Result<Bytes, String> {
    let mut bytes = BytesMut::new();
    value.encode(&mut bytes, version).map_err(|error| format!("it cannot write what it read: {error}"))?;
    Ok(bytes.freeze())
}

/// The versions of ours that the oracle knows too.
fn shared_versions(ours: VersionRange, theirs: kafka_protocol::protocol::VersionRange) -> VersionRange {
    VersionRange { min: ours.min.max(theirs.min), max: ours.max.min(theirs.max) }
}

fn run(name: &str, versions: VersionRange, check: impl Fn(i16, u64) -> Result<(), String>) {
    for version in versions.iter() {
        for seed in 0..SEEDS {
            if let Err(error) = check(version, seed) {
                panic!("{name} version {version}, seed {seed}: {error}");
            }
        }
    }
}

macro_rules! compared {
    ($($test:ident: $request:ident, $response:ident;)*) => {
        $(
            #[test]
            fn $test() {
                run(stringify!($request), shared_versions($request::VERSIONS, theirs::$request::VERSIONS), |version, seed| {
                    check::<$request, theirs::$request>(version, seed, |bytes, version, value| {
                        Ok(decode_response_body::<$request>(bytes, version)? == *value)
                    })
                });
                run(stringify!($response), shared_versions($response::VERSIONS, theirs::$response::VERSIONS), |version, seed| {
                    check::<$response, theirs::$response>(version, seed, |bytes, version, value| {
                        Ok(decode_response_body::<$response>(bytes, version)? == *value)
                    })
                });
            }
        )*

        /// Versions of ours that the oracle does not know. They are covered by bytes of the reference broker instead.
        fn beyond_the_oracle() -> Vec<(&'static str, i16)> {
            let mut beyond = Vec::new();
            $(
                let known = shared_versions($request::VERSIONS, theirs::$request::VERSIONS);
                let versions = $request::VERSIONS.iter().filter(|version| !known.contains(*version));
                beyond.extend(versions.map(|version| (stringify!($request), version)));
                let known = shared_versions($response::VERSIONS, theirs::$response::VERSIONS);
                let versions = $response::VERSIONS.iter().filter(|version| !known.contains(*version));
                beyond.extend(versions.map(|version| (stringify!($response), version)));
            )*
            beyond
        }

        const COMPARED: &[ottla_protocol::ApiKey] = &[$(<$request as Message>::API),*];
    };
}

compared! {
    produce: ProduceRequest, ProduceResponse;
    fetch: FetchRequest, FetchResponse;
    list_offsets: ListOffsetsRequest, ListOffsetsResponse;
    metadata: MetadataRequest, MetadataResponse;
    offset_commit: OffsetCommitRequest, OffsetCommitResponse;
    offset_fetch: OffsetFetchRequest, OffsetFetchResponse;
    find_coordinator: FindCoordinatorRequest, FindCoordinatorResponse;
    join_group: JoinGroupRequest, JoinGroupResponse;
    heartbeat: HeartbeatRequest, HeartbeatResponse;
    leave_group: LeaveGroupRequest, LeaveGroupResponse;
    sync_group: SyncGroupRequest, SyncGroupResponse;
    describe_groups: DescribeGroupsRequest, DescribeGroupsResponse;
    list_groups: ListGroupsRequest, ListGroupsResponse;
    sasl_handshake: SaslHandshakeRequest, SaslHandshakeResponse;
    api_versions: ApiVersionsRequest, ApiVersionsResponse;
    create_topics: CreateTopicsRequest, CreateTopicsResponse;
    delete_topics: DeleteTopicsRequest, DeleteTopicsResponse;
    delete_records: DeleteRecordsRequest, DeleteRecordsResponse;
    init_producer_id: InitProducerIdRequest, InitProducerIdResponse;
    offset_for_leader_epoch: OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse;
    add_partitions_to_txn: AddPartitionsToTxnRequest, AddPartitionsToTxnResponse;
    add_offsets_to_txn: AddOffsetsToTxnRequest, AddOffsetsToTxnResponse;
    end_txn: EndTxnRequest, EndTxnResponse;
    write_txn_markers: WriteTxnMarkersRequest, WriteTxnMarkersResponse;
    txn_offset_commit: TxnOffsetCommitRequest, TxnOffsetCommitResponse;
    describe_acls: DescribeAclsRequest, DescribeAclsResponse;
    create_acls: CreateAclsRequest, CreateAclsResponse;
    delete_acls: DeleteAclsRequest, DeleteAclsResponse;
    describe_configs: DescribeConfigsRequest, DescribeConfigsResponse;
    alter_configs: AlterConfigsRequest, AlterConfigsResponse;
    alter_replica_log_dirs: AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse;
    describe_log_dirs: DescribeLogDirsRequest, DescribeLogDirsResponse;
    sasl_authenticate: SaslAuthenticateRequest, SaslAuthenticateResponse;
    create_partitions: CreatePartitionsRequest, CreatePartitionsResponse;
    create_delegation_token: CreateDelegationTokenRequest, CreateDelegationTokenResponse;
    renew_delegation_token: RenewDelegationTokenRequest, RenewDelegationTokenResponse;
    expire_delegation_token: ExpireDelegationTokenRequest, ExpireDelegationTokenResponse;
    describe_delegation_token: DescribeDelegationTokenRequest, DescribeDelegationTokenResponse;
    delete_groups: DeleteGroupsRequest, DeleteGroupsResponse;
    elect_leaders: ElectLeadersRequest, ElectLeadersResponse;
    incremental_alter_configs: IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse;
    alter_partition_reassignments: AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse;
    list_partition_reassignments: ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse;
    offset_delete: OffsetDeleteRequest, OffsetDeleteResponse;
    describe_client_quotas: DescribeClientQuotasRequest, DescribeClientQuotasResponse;
    alter_client_quotas: AlterClientQuotasRequest, AlterClientQuotasResponse;
    describe_user_scram_credentials: DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse;
    alter_user_scram_credentials: AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse;
    describe_quorum: DescribeQuorumRequest, DescribeQuorumResponse;
    update_features: UpdateFeaturesRequest, UpdateFeaturesResponse;
    describe_cluster: DescribeClusterRequest, DescribeClusterResponse;
    describe_producers: DescribeProducersRequest, DescribeProducersResponse;
    describe_transactions: DescribeTransactionsRequest, DescribeTransactionsResponse;
    list_transactions: ListTransactionsRequest, ListTransactionsResponse;
    consumer_group_heartbeat: ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse;
    consumer_group_describe: ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse;
    list_config_resources: ListConfigResourcesRequest, ListConfigResourcesResponse;
    describe_topic_partitions: DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse;
}

#[test]
fn every_declared_api_is_compared() {
    let declared: Vec<_> = DECLARED_APIS.iter().map(|declared| declared.key).filter(|key| !key.is_ours()).collect();
    assert_eq!(COMPARED, declared);
}

#[test]
fn only_these_versions_are_beyond_the_oracle() {
    let expected = [
        ("ListOffsetsRequest", 11),
        ("ListOffsetsResponse", 11),
        ("OffsetCommitRequest", 10),
        ("OffsetFetchRequest", 10),
        ("WriteTxnMarkersRequest", 2),
        ("WriteTxnMarkersResponse", 2),
        ("DescribeLogDirsRequest", 5),
        ("DescribeLogDirsResponse", 5),
    ];
    assert_eq!(beyond_the_oracle(), expected);
}

/// Declarations with one mistake each, which the comparison must find.
mod planted {
    pub(crate) mod late_field {
        use ottla_protocol::Str;

        ottla_protocol::messages! {
            api Heartbeat<'a>, versions 0..=4, flexible 4;

            request HeartbeatRequest<'a> {
                group_id: Str<'a> [0..],
                generation_id: i32 [0..],
                member_id: Str<'a> [0..],
                group_instance_id: Option<Str<'a>> [4..],
            }
        }
    }

    pub(crate) mod early_null {
        use ottla_protocol::{Blob, ErrorCode, Str};

        ottla_protocol::messages! {
            api SyncGroup<'a>, versions 0..=5, flexible 4;

            response SyncGroupResponse<'a> {
                throttle_time_ms: i32 [1..],
                error_code: ErrorCode [0..],
                protocol_type: Option<Str<'a>> [5..],
                protocol_name: Option<Str<'a>> [5.., null 6..],
                assignment: Blob<'a> [0..],
            }
        }
    }

    pub(crate) mod wrong_tag {
        use ottla_protocol::ErrorCode;
        use ottla_protocol::messages::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};

        ottla_protocol::messages! {
            api ApiVersions<'a>, versions 0..=4, flexible 3;

            response ApiVersionsResponse<'a> {
                error_code: ErrorCode [0..],
                api_keys: Vec<ApiVersion> [0..],
                throttle_time_ms: i32 [1..],
                supported_features: Vec<SupportedFeatureKey<'a>> [3.., tag 0],
                finalized_features_epoch: i64 [3.., tag 1, default 0],
                finalized_features: Vec<FinalizedFeatureKey<'a>> [3.., tag 2],
                zk_migration_ready: bool [3.., tag 3],
            }
        }
    }
}

fn first_mistake(versions: VersionRange, check: impl Fn(i16, u64) -> Result<(), String>) -> Option<i16> {
    versions.iter().find(|&version| (0..SEEDS).any(|seed| check(version, seed).is_err()))
}

#[test]
fn a_wrong_version_range_is_found() {
    use planted::late_field::HeartbeatRequest;
    let found = first_mistake(HeartbeatRequest::VERSIONS, |version, seed| {
        check::<HeartbeatRequest, theirs::HeartbeatRequest>(version, seed, |bytes, version, value| {
            Ok(decode_response_body::<HeartbeatRequest>(bytes, version)? == *value)
        })
    });
    assert_eq!(found, Some(3));
}

#[test]
fn a_wrong_null_range_is_found() {
    use planted::early_null::SyncGroupResponse;
    // Our encoder never writes the null, so the mistake shows where the oracle writes one.
    let null = theirs::SyncGroupResponse::default().with_protocol_name(None);
    let bytes = write_by_oracle(&null, 5).unwrap();
    assert!(decode_response_body::<SyncGroupResponse>(&bytes, 5).is_err());
    assert!(decode_response_body::<ottla_protocol::messages::SyncGroupResponse>(&bytes, 5).is_ok());
}

#[test]
fn a_wrong_default_of_a_tagged_field_is_found() {
    use planted::wrong_tag::ApiVersionsResponse;
    let found = first_mistake(ApiVersionsResponse::VERSIONS, |version, seed| {
        check::<ApiVersionsResponse, theirs::ApiVersionsResponse>(version, seed, |bytes, version, value| {
            Ok(decode_response_body::<ApiVersionsResponse>(bytes, version)? == *value)
        })
    });
    assert_eq!(found, Some(3));
}

#[test]
fn defaults_are_those_of_kafka() {
    macro_rules! same_defaults {
        ($($message:ident)*) => { $(
            for version in shared_versions($message::VERSIONS, theirs::$message::VERSIONS).iter() {
                let ours = write(&$message::default(), version, Quirks::default()).unwrap();
                let its = write_by_oracle(&theirs::$message::default(), version).unwrap();
                assert_eq!(ours, its, "{} version {version}", stringify!($message));
            }
        )* };
    }
    every_message!(same_defaults);
}
