//! Every message Ottla speaks, one file per API, named and spelled as Kafka does (fields in snake case).

pub mod add_offsets_to_txn;
pub mod add_partitions_to_txn;
pub mod alter_client_quotas;
pub mod alter_configs;
pub mod alter_partition_reassignments;
pub mod alter_replica_log_dirs;
pub mod alter_user_scram_credentials;
pub mod api_versions;
pub mod consumer_group_describe;
pub mod consumer_group_heartbeat;
pub mod consumer_protocol;
pub mod create_acls;
pub mod create_delegation_token;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_acls;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_acls;
pub mod describe_client_quotas;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_delegation_token;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_quorum;
pub mod describe_topic_partitions;
pub mod describe_transactions;
pub mod describe_user_scram_credentials;
pub mod elect_leaders;
pub mod end_txn;
pub mod expire_delegation_token;
pub mod fetch;
pub mod find_coordinator;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod list_transactions;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod ottla_group_explain;
pub mod ottla_group_reset;
pub mod produce;
pub mod renew_delegation_token;
pub mod sasl_authenticate;
pub mod sasl_handshake;
pub mod sync_group;
pub mod txn_offset_commit;
pub mod update_features;
pub mod write_txn_markers;

pub use add_offsets_to_txn::*;
pub use add_partitions_to_txn::*;
pub use alter_client_quotas::*;
pub use alter_configs::*;
pub use alter_partition_reassignments::*;
pub use alter_replica_log_dirs::*;
pub use alter_user_scram_credentials::*;
pub use api_versions::*;
pub use consumer_group_describe::*;
pub use consumer_group_heartbeat::*;
pub use consumer_protocol::*;
pub use create_acls::*;
pub use create_delegation_token::*;
pub use create_partitions::*;
pub use create_topics::*;
pub use delete_acls::*;
pub use delete_groups::*;
pub use delete_records::*;
pub use delete_topics::*;
pub use describe_acls::*;
pub use describe_client_quotas::*;
pub use describe_cluster::*;
pub use describe_configs::*;
pub use describe_delegation_token::*;
pub use describe_groups::*;
pub use describe_log_dirs::*;
pub use describe_producers::*;
pub use describe_quorum::*;
pub use describe_topic_partitions::*;
pub use describe_transactions::*;
pub use describe_user_scram_credentials::*;
pub use elect_leaders::*;
pub use end_txn::*;
pub use expire_delegation_token::*;
pub use fetch::*;
pub use find_coordinator::*;
pub use heartbeat::*;
pub use incremental_alter_configs::*;
pub use init_producer_id::*;
pub use join_group::*;
pub use leave_group::*;
pub use list_config_resources::*;
pub use list_groups::*;
pub use list_offsets::*;
pub use list_partition_reassignments::*;
pub use list_transactions::*;
pub use metadata::*;
pub use offset_commit::*;
pub use offset_delete::*;
pub use offset_fetch::*;
pub use offset_for_leader_epoch::*;
pub use ottla_group_explain::*;
pub use ottla_group_reset::*;
pub use produce::*;
pub use renew_delegation_token::*;
pub use sasl_authenticate::*;
pub use sasl_handshake::*;
pub use sync_group::*;
pub use txn_offset_commit::*;
pub use update_features::*;
pub use write_txn_markers::*;

use crate::{
    ApiKey, DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, Field, Message, Request, VersionRange,
};

/// What is declared for one API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeclaredApi {
    /// The API.
    pub key: ApiKey,
    /// The declared versions.
    pub versions: VersionRange,
    /// The first version in the flexible encoding.
    pub flexible_from: i16,
}

macro_rules! apis {
    ($a:lifetime, $r:lifetime; $($api:ident: $request:ty => $response:ty;)*) => {
        /// All declared APIs, by number.
        pub const DECLARED_APIS: &[DeclaredApi] = &declared_apis();

        // The lifetime only completes the names of the request types.
        #[allow(clippy::extra_unused_lifetimes)]
        const fn declared_apis<$a>() -> [DeclaredApi; [$(ApiKey::$api),*].len()] {
            [$(
                DeclaredApi {
                    key: <$request as Message<$a>>::API,
                    versions: <$request as Message<$a>>::VERSIONS,
                    flexible_from: <$request as Message<$a>>::FLEXIBLE_FROM,
                },
            )*]
        }

        /// A decoded request of any API.
        #[derive(Clone, Debug, PartialEq)]
        pub enum AnyRequest<$a> {
            $(
                #[doc = concat!("A request of ", stringify!($api), ".")]
                $api($request),
            )*
        }

        impl<$a> AnyRequest<$a> {
            /// Reads the body of a request; the decoder's encoding must be set ([`crate::frame::decode_any`] does).
            ///
            /// # Errors
            /// When the API or version is not declared, or the bytes are no such request.
            pub(crate) fn read(decoder: &mut Decoder<$a>, key: ApiKey, version: i16) -> Result<Self, DecodeError> {
                match key {
                    $(ApiKey::$api => <$request as Field>::read(decoder, version).map(AnyRequest::$api),)*
                    _ => Err(DecodeErrorKind::UnsupportedVersion(version).into()),
                }
            }

            /// Which API it belongs to.
            pub fn key(&self) -> ApiKey {
                match self {
                    $(AnyRequest::$api(_) => ApiKey::$api,)*
                }
            }

            /// Writes the body.
            ///
            /// # Errors
            /// When the version cannot carry the values.
            pub fn write(&self, encoder: &mut Encoder, version: i16) -> Result<(), EncodeError> {
                match self {
                    $(AnyRequest::$api(request) => request.write(encoder, version),)*
                }
            }

            /// A test value.
            #[cfg(feature = "sample")]
            #[doc(hidden)]
            pub fn sample(generator: &mut crate::sample::Generator, key: ApiKey, version: i16) -> Option<Self> {
                match key {
                    $(ApiKey::$api => Some(AnyRequest::$api(crate::sample::Sample::sample(generator, version))),)*
                    _ => None,
                }
            }
        }

        $(
            impl<$a> Request<$a> for $request {
                type Response<$r> = $response;
            }
        )*
    };
}

apis! {
    'a, 'r;
    Produce: ProduceRequest<'a> => ProduceResponse<'r>;
    Fetch: FetchRequest<'a> => FetchResponse<'r>;
    ListOffsets: ListOffsetsRequest<'a> => ListOffsetsResponse<'r>;
    Metadata: MetadataRequest<'a> => MetadataResponse<'r>;
    OffsetCommit: OffsetCommitRequest<'a> => OffsetCommitResponse<'r>;
    OffsetFetch: OffsetFetchRequest<'a> => OffsetFetchResponse<'r>;
    FindCoordinator: FindCoordinatorRequest<'a> => FindCoordinatorResponse<'r>;
    JoinGroup: JoinGroupRequest<'a> => JoinGroupResponse<'r>;
    Heartbeat: HeartbeatRequest<'a> => HeartbeatResponse;
    LeaveGroup: LeaveGroupRequest<'a> => LeaveGroupResponse<'r>;
    SyncGroup: SyncGroupRequest<'a> => SyncGroupResponse<'r>;
    DescribeGroups: DescribeGroupsRequest<'a> => DescribeGroupsResponse<'r>;
    ListGroups: ListGroupsRequest<'a> => ListGroupsResponse<'r>;
    SaslHandshake: SaslHandshakeRequest<'a> => SaslHandshakeResponse<'r>;
    ApiVersions: ApiVersionsRequest<'a> => ApiVersionsResponse<'r>;
    CreateTopics: CreateTopicsRequest<'a> => CreateTopicsResponse<'r>;
    DeleteTopics: DeleteTopicsRequest<'a> => DeleteTopicsResponse<'r>;
    DeleteRecords: DeleteRecordsRequest<'a> => DeleteRecordsResponse<'r>;
    InitProducerId: InitProducerIdRequest<'a> => InitProducerIdResponse;
    OffsetForLeaderEpoch: OffsetForLeaderEpochRequest<'a> => OffsetForLeaderEpochResponse<'r>;
    AddPartitionsToTxn: AddPartitionsToTxnRequest<'a> => AddPartitionsToTxnResponse<'r>;
    AddOffsetsToTxn: AddOffsetsToTxnRequest<'a> => AddOffsetsToTxnResponse;
    EndTxn: EndTxnRequest<'a> => EndTxnResponse;
    WriteTxnMarkers: WriteTxnMarkersRequest<'a> => WriteTxnMarkersResponse<'r>;
    TxnOffsetCommit: TxnOffsetCommitRequest<'a> => TxnOffsetCommitResponse<'r>;
    DescribeAcls: DescribeAclsRequest<'a> => DescribeAclsResponse<'r>;
    CreateAcls: CreateAclsRequest<'a> => CreateAclsResponse<'r>;
    DeleteAcls: DeleteAclsRequest<'a> => DeleteAclsResponse<'r>;
    DescribeConfigs: DescribeConfigsRequest<'a> => DescribeConfigsResponse<'r>;
    AlterConfigs: AlterConfigsRequest<'a> => AlterConfigsResponse<'r>;
    AlterReplicaLogDirs: AlterReplicaLogDirsRequest<'a> => AlterReplicaLogDirsResponse<'r>;
    DescribeLogDirs: DescribeLogDirsRequest<'a> => DescribeLogDirsResponse<'r>;
    SaslAuthenticate: SaslAuthenticateRequest<'a> => SaslAuthenticateResponse<'r>;
    CreatePartitions: CreatePartitionsRequest<'a> => CreatePartitionsResponse<'r>;
    CreateDelegationToken: CreateDelegationTokenRequest<'a> => CreateDelegationTokenResponse<'r>;
    RenewDelegationToken: RenewDelegationTokenRequest<'a> => RenewDelegationTokenResponse;
    ExpireDelegationToken: ExpireDelegationTokenRequest<'a> => ExpireDelegationTokenResponse;
    DescribeDelegationToken: DescribeDelegationTokenRequest<'a> => DescribeDelegationTokenResponse<'r>;
    DeleteGroups: DeleteGroupsRequest<'a> => DeleteGroupsResponse<'r>;
    ElectLeaders: ElectLeadersRequest<'a> => ElectLeadersResponse<'r>;
    IncrementalAlterConfigs: IncrementalAlterConfigsRequest<'a> => IncrementalAlterConfigsResponse<'r>;
    AlterPartitionReassignments: AlterPartitionReassignmentsRequest<'a> => AlterPartitionReassignmentsResponse<'r>;
    ListPartitionReassignments: ListPartitionReassignmentsRequest<'a> => ListPartitionReassignmentsResponse<'r>;
    OffsetDelete: OffsetDeleteRequest<'a> => OffsetDeleteResponse<'r>;
    DescribeClientQuotas: DescribeClientQuotasRequest<'a> => DescribeClientQuotasResponse<'r>;
    AlterClientQuotas: AlterClientQuotasRequest<'a> => AlterClientQuotasResponse<'r>;
    DescribeUserScramCredentials: DescribeUserScramCredentialsRequest<'a> => DescribeUserScramCredentialsResponse<'r>;
    AlterUserScramCredentials: AlterUserScramCredentialsRequest<'a> => AlterUserScramCredentialsResponse<'r>;
    DescribeQuorum: DescribeQuorumRequest<'a> => DescribeQuorumResponse<'r>;
    UpdateFeatures: UpdateFeaturesRequest<'a> => UpdateFeaturesResponse<'r>;
    DescribeCluster: DescribeClusterRequest => DescribeClusterResponse<'r>;
    DescribeProducers: DescribeProducersRequest<'a> => DescribeProducersResponse<'r>;
    DescribeTransactions: DescribeTransactionsRequest<'a> => DescribeTransactionsResponse<'r>;
    ListTransactions: ListTransactionsRequest<'a> => ListTransactionsResponse<'r>;
    ConsumerGroupHeartbeat: ConsumerGroupHeartbeatRequest<'a> => ConsumerGroupHeartbeatResponse<'r>;
    ConsumerGroupDescribe: ConsumerGroupDescribeRequest<'a> => ConsumerGroupDescribeResponse<'r>;
    ListConfigResources: ListConfigResourcesRequest => ListConfigResourcesResponse<'r>;
    DescribeTopicPartitions: DescribeTopicPartitionsRequest<'a> => DescribeTopicPartitionsResponse<'r>;
    OttlaGroupExplain: OttlaGroupExplainRequest<'a> => OttlaGroupExplainResponse<'r>;
    OttlaGroupReset: OttlaGroupResetRequest<'a> => OttlaGroupResetResponse<'r>;
}

/// What is declared for an API; `None` when it is not spoken at all.
pub fn declared(key: ApiKey) -> Option<&'static DeclaredApi> {
    DECLARED_APIS.iter().find(|declared| declared.key == key)
}
