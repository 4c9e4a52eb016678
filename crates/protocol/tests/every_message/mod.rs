//! The one list of all messages that Kafka has too, for tests that do the same with each.

/// Calls the macro `$then` with the names of all requests and responses.
macro_rules! every_message {
    ($then:ident) => {
        $then! {
            ProduceRequest ProduceResponse FetchRequest FetchResponse ListOffsetsRequest ListOffsetsResponse
            MetadataRequest MetadataResponse OffsetCommitRequest OffsetCommitResponse OffsetFetchRequest
            OffsetFetchResponse FindCoordinatorRequest FindCoordinatorResponse JoinGroupRequest JoinGroupResponse
            HeartbeatRequest HeartbeatResponse LeaveGroupRequest LeaveGroupResponse SyncGroupRequest SyncGroupResponse
            DescribeGroupsRequest DescribeGroupsResponse ListGroupsRequest ListGroupsResponse SaslHandshakeRequest
            SaslHandshakeResponse ApiVersionsRequest ApiVersionsResponse CreateTopicsRequest CreateTopicsResponse
            DeleteTopicsRequest DeleteTopicsResponse DeleteRecordsRequest DeleteRecordsResponse InitProducerIdRequest
            InitProducerIdResponse OffsetForLeaderEpochRequest OffsetForLeaderEpochResponse AddPartitionsToTxnRequest
            AddPartitionsToTxnResponse AddOffsetsToTxnRequest AddOffsetsToTxnResponse EndTxnRequest EndTxnResponse
            WriteTxnMarkersRequest WriteTxnMarkersResponse TxnOffsetCommitRequest TxnOffsetCommitResponse
            DescribeAclsRequest DescribeAclsResponse CreateAclsRequest CreateAclsResponse DeleteAclsRequest
            DeleteAclsResponse DescribeConfigsRequest DescribeConfigsResponse AlterConfigsRequest AlterConfigsResponse
            AlterReplicaLogDirsRequest AlterReplicaLogDirsResponse DescribeLogDirsRequest DescribeLogDirsResponse
            SaslAuthenticateRequest SaslAuthenticateResponse CreatePartitionsRequest CreatePartitionsResponse
            CreateDelegationTokenRequest CreateDelegationTokenResponse RenewDelegationTokenRequest
            RenewDelegationTokenResponse ExpireDelegationTokenRequest ExpireDelegationTokenResponse
            DescribeDelegationTokenRequest DescribeDelegationTokenResponse DeleteGroupsRequest DeleteGroupsResponse
            ElectLeadersRequest ElectLeadersResponse IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse
            AlterPartitionReassignmentsRequest AlterPartitionReassignmentsResponse ListPartitionReassignmentsRequest
            ListPartitionReassignmentsResponse OffsetDeleteRequest OffsetDeleteResponse DescribeClientQuotasRequest
            DescribeClientQuotasResponse AlterClientQuotasRequest AlterClientQuotasResponse
            DescribeUserScramCredentialsRequest DescribeUserScramCredentialsResponse AlterUserScramCredentialsRequest
            AlterUserScramCredentialsResponse DescribeQuorumRequest DescribeQuorumResponse UpdateFeaturesRequest
            UpdateFeaturesResponse DescribeClusterRequest DescribeClusterResponse DescribeProducersRequest
            DescribeProducersResponse DescribeTransactionsRequest DescribeTransactionsResponse ListTransactionsRequest
            ListTransactionsResponse ConsumerGroupHeartbeatRequest ConsumerGroupHeartbeatResponse
            ConsumerGroupDescribeRequest ConsumerGroupDescribeResponse ListConfigResourcesRequest
            ListConfigResourcesResponse DescribeTopicPartitionsRequest DescribeTopicPartitionsResponse
        }
    };
}
