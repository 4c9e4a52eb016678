//! The one list of all messages that Kafka has too, for tests that do the same with each.

/// Calls the macro `$then` with the names of all requests and responses.
macro_rules! every_message {
    ($then:ident) => {
        $then! {
            ProduceRequest FetchRequest ListOffsetsRequest MetadataRequest OffsetCommitRequest OffsetFetchRequest
            FindCoordinatorRequest JoinGroupRequest HeartbeatRequest LeaveGroupRequest SyncGroupRequest DescribeGroupsRequest
            ListGroupsRequest ApiVersionsRequest CreateTopicsRequest DeleteTopicsRequest DeleteRecordsRequest
            InitProducerIdRequest DescribeConfigsRequest DeleteGroupsRequest OffsetDeleteRequest DescribeClusterRequest
            ConsumerGroupHeartbeatRequest ConsumerGroupDescribeRequest
            OffsetForLeaderEpochRequest AlterConfigsRequest CreatePartitionsRequest IncrementalAlterConfigsRequest
            ProduceResponse FetchResponse ListOffsetsResponse MetadataResponse OffsetCommitResponse OffsetFetchResponse
            FindCoordinatorResponse JoinGroupResponse HeartbeatResponse LeaveGroupResponse SyncGroupResponse
            DescribeGroupsResponse ListGroupsResponse ApiVersionsResponse CreateTopicsResponse DeleteTopicsResponse
            DeleteRecordsResponse InitProducerIdResponse DescribeConfigsResponse DeleteGroupsResponse OffsetDeleteResponse
            ConsumerGroupHeartbeatResponse ConsumerGroupDescribeResponse
            DescribeClusterResponse OffsetForLeaderEpochResponse AlterConfigsResponse CreatePartitionsResponse
            IncrementalAlterConfigsResponse
        }
    };
}
