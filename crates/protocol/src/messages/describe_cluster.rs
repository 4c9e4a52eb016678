//! DescribeCluster (key 60): brokers and controller (KIP-700). Version 1: brokers or controllers; 2: fenced brokers.

use super::metadata::OPERATIONS_UNKNOWN;
use crate::{ErrorCode, Str};

messages! {
    api DescribeCluster<'a>, versions 0..=2, flexible 0;

    /// Asks for the cluster.
    request DescribeClusterRequest {
        include_cluster_authorized_operations: bool [0..],
        /// 1: brokers; 2: controllers.
        endpoint_type: i8 [1.., default 1],
        include_fenced_brokers: bool [2..],
    }

    /// The cluster.
    response DescribeClusterResponse<'a> {
        throttle_time_ms: i32 [0..],
        error_code: ErrorCode [0..],
        error_message: Option<Str<'a>> [0..],
        endpoint_type: i8 [1.., default 1],
        cluster_id: Str<'a> [0..],
        controller_id: i32 [0.., default -1],
        brokers: Vec<DescribeClusterBroker<'a>> [0..],
        cluster_authorized_operations: i32 [0.., default OPERATIONS_UNKNOWN],
    }

    /// A broker's address.
    part DescribeClusterBroker<'a> {
        broker_id: i32 [0..],
        host: Str<'a> [0..],
        port: i32 [0..],
        rack: Option<Str<'a>> [0..],
        is_fenced: bool [2..],
    }
}
